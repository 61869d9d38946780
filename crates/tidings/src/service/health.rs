//! Whether a service lives, has started and is ready, and what is wrong if not.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The findings of all consumers of a service. A check that nobody has reported is not there.
#[derive(Default)]
pub(crate) struct Health {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    phase: Phase,
    /// By the check's name: nothing, or what is wrong.
    checks: BTreeMap<String, Option<String>>,
    /// By the check's name: what people should know, although nothing is wrong.
    notes: BTreeMap<String, String>,
}

/// Where a service is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Starting,
    Running,
    Stopping,
}

impl Health {
    /// Reports a check: `None` for good, else what is wrong and what to do.
    pub(crate) fn set(&self, check: impl Into<String>, wrong: Option<String>) {
        self.lock().checks.insert(check.into(), wrong);
    }

    /// Something that is not wrong and that people should know, beside the check of that name.
    pub(crate) fn note(&self, check: impl Into<String>, note: Option<String>) {
        let (check, mut inner) = (check.into(), self.lock());
        match note {
            Some(note) => drop(inner.notes.insert(check, note)),
            None => drop(inner.notes.remove(&check)),
        }
    }

    /// A check that no longer applies, such as one on a partition that was given back.
    pub(crate) fn forget(&self, check: &str) {
        let mut inner = self.lock();
        inner.checks.remove(check);
        inner.notes.remove(check);
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.lock().phase = phase;
    }

    /// Whether the first assignment has come; it stays so.
    pub(crate) fn has_started(&self) -> bool {
        let inner = self.lock();
        inner.phase != Phase::Starting
            && inner.checks.iter().all(|(name, wrong)| !is_group(name) || wrong.is_none())
    }

    pub(crate) fn is_ready(&self) -> bool {
        let inner = self.lock();
        inner.phase == Phase::Running && inner.checks.values().all(Option::is_none)
    }

    /// The checks that are not good, with their sentences.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let inner = self.lock();
        let wrong = |(name, wrong): (&String, &Option<String>)| {
            wrong.as_ref().map(|wrong| format!("{name}: {wrong}"))
        };
        inner.checks.iter().filter_map(wrong).collect()
    }

    /// What people should know although nothing is wrong.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.lock().notes.iter().map(|(name, note)| format!("{name}: {note}")).collect()
    }

    /// One line per check, as `/readyz?verbose` shows them.
    pub(crate) fn verbose(&self) -> String {
        let notes = self.notes().into_iter().map(|note| format!("[+] {note}\n"));
        let inner = self.lock();
        let phase = match inner.phase {
            Phase::Starting => "[-] the service is starting\n",
            Phase::Running => "[+] the service runs\n",
            Phase::Stopping => "[-] the service is stopping\n",
        };
        let checks = inner.checks.iter().map(|(name, wrong)| match wrong {
            None => format!("[+] {name}\n"),
            Some(wrong) => format!("[-] {name}: {wrong}\n"),
        });
        std::iter::once(phase.to_owned()).chain(checks).chain(notes).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The checks on membership begin like this; they decide about having started.
pub(crate) const GROUP_CHECK: &str = "group ";

fn is_group(check: &str) -> bool {
    check.starts_with(GROUP_CHECK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_running_with_nothing_wrong() {
        let health = Health::default();
        health.set("group a", Some("no partitions yet".into()));
        assert!(!health.has_started() && !health.is_ready());
        health.enter(Phase::Running);
        assert!(!health.has_started() && !health.is_ready());
        health.set("group a", None);
        assert!(health.has_started() && health.is_ready());
        health.set("partition orders[0]", Some("offsets 3 to 9 are gone".into()));
        assert!(health.has_started() && !health.is_ready());
        assert!(health.verbose().contains("[-] partition orders[0]: offsets 3 to 9 are gone"));
        health.forget("partition orders[0]");
        health.note("partition orders[1]", Some("replays".into()));
        assert!(health.is_ready(), "a note takes nothing away");
        assert!(health.verbose().contains("[+] partition orders[1]: replays\n"));
        health.note("partition orders[1]", None);
        assert!(!health.verbose().contains("orders"), "{}", health.verbose());
        health.enter(Phase::Stopping);
        assert!(!health.is_ready());
    }
}
