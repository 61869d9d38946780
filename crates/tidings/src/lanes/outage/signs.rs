//! What people see of an outage: a line when it begins and one when it ends, a gauge, a counter, a
//! note in `/readyz?verbose`.

use std::time::Instant;

use crate::fail::Fail;
use crate::metrics::OutageMeters;
use crate::progress;
use crate::service::Stats;
use crate::service::limits::OUTAGE_LINES_EVERY;
use crate::time::Timestamp;

pub(super) struct Signs {
    group: String,
    handler: &'static str,
    meters: OutageMeters,
    stats: Stats,
    now: Option<Now>,
    /// When the last line was written: a handler that is away for a few of its events only goes in
    /// and out.
    told: Option<Instant>,
}

/// The outage that lasts.
struct Now {
    since: Timestamp,
    began: Instant,
    failure: String,
    /// Its beginning was written to the log, so its end will be.
    is_told: bool,
}

impl Signs {
    pub(super) fn new(
        group: &str,
        handler: &'static str,
        meters: OutageMeters,
        stats: &Stats,
    ) -> Signs {
        let (group, stats) = (group.to_owned(), stats.clone());
        Signs { group, handler, meters, stats, now: None, told: None }
    }

    pub(super) fn began(&mut self, fail: Option<&Fail>) {
        let is_told = self.told.is_none_or(|at| at.elapsed() >= OUTAGE_LINES_EVERY);
        let failure = fail.map(Fail::to_string).unwrap_or_default();
        if is_told {
            self.told = Some(Instant::now());
            tracing::warn!(
                group = self.group,
                handler = self.handler,
                error = failure,
                "what the handler depends on is away: its events wait, and are tried now and then",
            );
        }
        self.meters.began();
        self.now = Some(Now { since: Timestamp::now(), began: Instant::now(), failure, is_told });
        self.note();
    }

    /// It still fails.
    pub(super) fn failed(&mut self, fail: Option<&Fail>) {
        let (Some(now), Some(fail)) = (&mut self.now, fail) else { return };
        let failure = fail.to_string();
        if now.failure != failure {
            now.failure = failure;
            self.note();
        }
    }

    pub(super) fn over(&mut self) {
        self.meters.over();
        self.stats.health().note(self.check(), None);
        let Some(now) = self.now.take().filter(|now| now.is_told) else { return };
        let seconds = now.began.elapsed().as_secs();
        tracing::info!(
            group = self.group,
            handler = self.handler,
            seconds,
            "what the handler depends on is back: all events are handled again",
        );
    }

    pub(super) fn outage(&self) -> Option<progress::Outage> {
        let now = self.now.as_ref()?;
        progress::Outage::new(self.handler, now.since)
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.now.as_ref().map(|now| now.failure.clone())
    }

    fn note(&self) {
        let note = self.now.as_ref().map(|now| {
            format!(
                "what it depends on is away since {}: its events wait and are tried now and then, \
                 no attempt is counted; the last failure: {}",
                now.since, now.failure
            )
        });
        self.stats.health().note(self.check(), note);
    }

    /// The name of its note in `/readyz?verbose`.
    fn check(&self) -> String {
        format!("handler {}", self.handler)
    }
}
