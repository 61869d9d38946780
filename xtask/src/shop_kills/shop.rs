//! The running shop: `tidings dev --demo shop --exit`, which starts each of its services again
//! and tells on standard error which process that is and how the last one ended.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::blows::{Ranks, SERVICES};
use crate::process::{Owned, tail};
use crate::{Outcome, load};

/// Five processes that share two cores with others need a moment for their first start.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A blow waits until `orders` has been ready for so long: else no order would be on its way.
const ORDERS_FLOW: Duration = Duration::from_millis(500);
/// `orders` itself is hit when it has lived so long that it comes back at once: whoever dies young
/// is started again after a pause of up to ten seconds, in which nothing would be placed.
const STEADY_LIFE: Duration = Duration::from_secs(10);
const ORDERS: &str = SERVICES[0];

pub(super) struct Shop {
    process: Owned,
    log: PathBuf,
    known: Arc<Mutex<Known>>,
    said: Option<JoinHandle<Vec<u8>>>,
}

/// What its lines have told so far.
#[derive(Debug, Default)]
struct Known {
    living: BTreeMap<&'static str, Life>,
    /// Since when `orders` has been ready.
    flows_since: Option<Instant>,
    /// Ended by signal 9, so that each is a blow that hit a living process.
    killed: usize,
    /// Ended in another way: a service that cannot reach its broker when it starts.
    gave_up: usize,
}

#[derive(Debug, Clone, Copy)]
struct Life {
    pid: i32,
    since: Instant,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) success: bool,
    pub(super) summary: Value,
    pub(super) killed: usize,
    pub(super) gave_up: usize,
}

impl Shop {
    /// Starts it, and waits until each service has a process.
    pub(super) fn open(
        binary: &Path,
        dir: &Path,
        bootstrap: &str,
        (rate, orders): (u64, u64),
        store: &str,
    ) -> Outcome<Self> {
        let log = dir.join("shop.out");
        let mut child = Command::new(binary)
            .args(["dev", "--demo", "shop", "--exit", "--bootstrap", bootstrap, "--data"])
            .arg(dir.join("services"))
            .args(["--rate", &rate.to_string(), "--orders", &orders.to_string()])
            .args(["--store", store])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdout = child.stdout.take().ok_or("the shop has no standard output")?;
        let stderr = child.stderr.take().ok_or("the shop has no standard error")?;
        let process = Owned::new(child);
        let known = Arc::new(Mutex::new(Known::default()));
        let said = thread::spawn(move || {
            let mut said = Vec::new();
            let _partial = stdout.read_to_end(&mut said);
            said
        });
        let (learning, mut kept) = (Arc::clone(&known), File::create(&log)?);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // The log is for people who look for a reason; without it the run goes on.
                let _full = writeln!(kept, "{line}");
                learning.lock().unwrap_or_else(PoisonError::into_inner).learn(&line);
            }
        });
        let mut shop = Self { process, log, known, said: Some(said) };
        shop.until(START_LIMIT, "each service has a process", |known| {
            known.living.len() == SERVICES.len()
        })?;
        Ok(shop)
    }

    /// How many processes were ended by kill -9.
    pub(super) fn killed(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).killed
    }

    /// Kills some of the living at the same time, at least one, while orders are placed. The answer
    /// is when, for each, in milliseconds since 1970.
    pub(super) fn kill(&mut self, ranks: &Ranks, limit: Duration) -> Outcome<Vec<i64>> {
        self.until(limit, "a service lives, and orders are placed", Known::is_worth_a_blow)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.killed;
        let victims: Vec<_> = ranks.names.iter().filter(|name| known.may_die(name)).collect();
        let victims = victims.into_iter().take(ranks.count);
        let victims: Vec<i32> =
            victims.filter_map(|name| known.living.remove(name)).map(|life| life.pid).collect();
        drop(known);
        let mut at_ms = Vec::new();
        for pid in victims {
            // One that has ended in this moment is no victim; `killed` does not count it.
            if kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok() {
                at_ms.push(i64::try_from(UNIX_EPOCH.elapsed()?.as_millis())?);
            }
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        while self.killed() < before + at_ms.len() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        Ok(at_ms)
    }

    /// An error if it has ended: then there is nothing left to kill.
    pub(super) fn must_run(&mut self) -> Outcome {
        match self.process.child().try_wait()? {
            None => Ok(()),
            Some(status) => {
                let words = tail(&self.log, 3000);
                let why = "the shop ended before the last blow (more orders, or a higher rate?)";
                Err(format!("{why}: {status}\n{words}").into())
            }
        }
    }

    /// Waits for its own end.
    pub(super) fn end(mut self, limit: Duration) -> Outcome<End> {
        let Some(status) = self.process.wait(limit)? else {
            let words = tail(&self.log, 3000);
            return Err(format!("orders are still on their way after {limit:?}:\n{words}").into());
        };
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        let summary = load::json(&said)
            .map_err(|error| format!("{status}, {error}:\n{}", tail(&self.log, 3000)))?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (killed, gave_up) = (known.killed, known.gave_up);
        Ok(End { success: status.success(), summary, killed, gave_up })
    }

    fn until(&mut self, limit: Duration, what: &str, is_so: impl Fn(&Known) -> bool) -> Outcome {
        let deadline = Instant::now() + limit;
        loop {
            if is_so(&self.known.lock().unwrap_or_else(PoisonError::into_inner)) {
                return Ok(());
            }
            self.must_run()?;
            if Instant::now() > deadline {
                let words = tail(&self.log, 3000);
                return Err(format!("not so after {limit:?}: {what}\n{words}").into());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Known {
    fn is_worth_a_blow(&self) -> bool {
        self.flows_since.is_some_and(|since| since.elapsed() > ORDERS_FLOW)
            && SERVICES.iter().any(|name| self.may_die(name))
    }

    fn may_die(&self, name: &str) -> bool {
        let is_old = |life: &Life| name != ORDERS || life.since.elapsed() > STEADY_LIFE;
        self.living.get(name).is_some_and(is_old)
    }

    /// `payments 4711` at each start, `10:41:07  payments was killed (signal 9); starts again in
    /// 200 ms` at each end, `10:41:08  payments was killed (signal 9); back in 400 ms` when it is
    /// ready again; all other lines are for people.
    fn learn(&mut self, line: &str) {
        let service = |name: &str| SERVICES.into_iter().find(|service| *service == name);
        if let Some((name, pid)) = line.split_once(' ')
            && let (Some(name), Ok(pid)) = (service(name), pid.parse())
        {
            self.living.insert(name, Life { pid, since: Instant::now() });
            if name == ORDERS && self.killed + self.gave_up == 0 {
                self.flows_since = Some(Instant::now());
            }
            return;
        }
        let Some(name) = line.split_whitespace().nth(1).and_then(service) else { return };
        if name == ORDERS && line.contains("; back in ") {
            self.flows_since = Some(Instant::now());
        }
        if !line.contains("; starts again in ") {
            return;
        }
        self.living.remove(name);
        if name == ORDERS {
            self.flows_since = None;
        }
        if line.contains(" was killed (signal 9);") {
            self.killed += 1;
        } else {
            self.gave_up += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_who_lives_and_how_the_others_ended() {
        let mut known = Known::default();
        for line in [
            "Tidings 0.1.0   broker 127.0.0.1:9092   ready in 40 ms",
            "orders 4711",
            "payments 4712",
            "shipping 4713",
            "10:41:07  payments was killed (signal 9); starts again in 200 ms",
            "10:41:07  shipping failed (exit code 1); starts again in 400 ms",
            "10:41:08  orders: a warning of its own",
            "payments 4720",
            "10:41:09  payments was killed (signal 9); back in 1.2 s",
        ] {
            known.learn(line);
        }
        let pid = |name: &str| known.living.get(name).map(|life| life.pid);
        let pids = SERVICES.map(pid);
        assert_eq!(pids, [Some(4711), Some(4720), None, None, None]);
        assert_eq!((known.killed, known.gave_up), (1, 1));
        assert!(
            !known.may_die("shipping") && !known.may_die("orders") && known.may_die("payments")
        );
    }
}
