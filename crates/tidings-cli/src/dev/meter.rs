//! What is known of each service while the demo runs. Counters of a process begin at zero with each
//! start, so what earlier processes did is kept beside them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::scrape::Sample;
use super::supervisor::News;
use crate::{limits, output};

/// How far back the rate per second looks: long enough to be steady, short enough to show a stop.
const RATE_WINDOW: Duration = Duration::from_secs(4);

/// One service.
#[derive(Debug)]
pub struct Meter {
    /// Its name.
    pub name: &'static str,
    /// Its process; `None` between two of them.
    pub pid: Option<u32>,
    /// Where its metrics are.
    pub address: Option<SocketAddr>,
    /// Records behind its group's commits.
    pub lag: Option<i64>,
    /// The newest event that it published.
    pub last: String,
    now: Sample,
    before: Sample,
    history: VecDeque<(Instant, u64)>,
    away: Option<Away>,
}

/// A service that ended and is not ready again.
#[derive(Debug)]
struct Away {
    since: Instant,
    how: String,
    waiting: Option<i64>,
}

impl Meter {
    /// A service that has not started yet.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            pid: None,
            address: None,
            lag: None,
            last: String::new(),
            now: Sample::default(),
            before: Sample::default(),
            history: VecDeque::new(),
            away: None,
        }
    }

    /// Takes in what happened to its process; returns what people should read about it.
    pub fn hear(&mut self, news: &News, now: Instant) -> Option<String> {
        match news {
            News::Started { pid, .. } => {
                self.pid = Some(*pid);
                None
            }
            News::Serves { address, .. } => {
                self.address = Some(*address);
                None
            }
            News::Said { text, .. } => Some(format!("{}: {}", self.name, output::printable(text))),
            News::Ended { how, pause, .. } => {
                self.pid = None;
                self.address = None;
                self.before = self.total();
                self.now = Sample::default();
                // A service that dies again before it was ready is still away since the first time.
                let since = self.away.take().map_or(now, |away| away.since);
                self.away = Some(Away { since, how: how.clone(), waiting: None });
                let again = output::duration(*pause);
                Some(format!("{} {how}; starts again in {again}", self.name))
            }
        }
    }

    /// Takes in what its metrics say.
    pub fn measure(&mut self, sample: Sample, now: Instant) {
        self.now = sample;
        self.history.push_back((now, self.total().handled));
        while self.history.front().is_some_and(|(at, _)| now.duration_since(*at) > RATE_WINDOW) {
            self.history.pop_front();
        }
    }

    /// Takes in how far its group is behind.
    pub fn lags(&mut self, lag: i64) {
        self.lag = Some(lag);
        if let Some(away) = &mut self.away {
            away.waiting = Some(away.waiting.unwrap_or(0).max(lag));
        }
    }

    /// Whether it ended and is not known to be ready again.
    pub fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// It is ready again: what to tell about its absence.
    pub fn is_back(&mut self, now: Instant) -> Option<String> {
        let away = self.away.take()?;
        let absence = output::duration(now.duration_since(away.since));
        let waited = match away.waiting {
            Some(n) if n > 0 => format!(", {} waited for it", output::counted(n, "event")),
            _ => String::new(),
        };
        Some(format!("{} {}; back in {absence}{waited}", self.name, away.how))
    }

    /// What all of its processes did so far.
    pub fn total(&self) -> Sample {
        Sample {
            handled: self.before.handled + self.now.handled,
            in_flight: self.now.in_flight,
            retried: self.before.retried + self.now.retried,
            dead: self.before.dead + self.now.dead,
            parked: self.now.parked,
        }
    }

    /// Events handled per second, lately.
    pub fn rate(&self) -> u64 {
        let (Some((from, first)), Some((to, last))) = (self.history.front(), self.history.back())
        else {
            return 0;
        };
        let seconds = to.duration_since(*from).as_secs_f64();
        if seconds <= 0.0 {
            0
        } else {
            (last.saturating_sub(*first) as f64 / seconds).round() as u64
        }
    }
}

/// The newest notes, with the time of day of each.
#[derive(Debug, Default)]
pub struct Notes(VecDeque<String>);

impl Notes {
    /// Adds one and forgets the oldest when there are too many.
    pub fn add(&mut self, note: String) {
        if self.0.len() == limits::NOTES_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(note);
    }

    /// From the oldest to the newest.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(handled: u64) -> Sample {
        Sample { handled, in_flight: 1, retried: 2, dead: 0, parked: 3 }
    }

    #[test]
    fn what_earlier_processes_did_counts_on() {
        let mut meter = Meter::new("payments");
        let now = Instant::now();
        meter.measure(sample(100), now);
        let how = "was killed (signal 9)".to_owned();
        let pause = Duration::from_millis(200);
        let note = meter.hear(&News::Ended { name: "payments", how, code: None, pause }, now);
        assert_eq!(note.as_deref(), Some("payments was killed (signal 9); starts again in 200 ms"));
        meter.measure(sample(7), now);
        assert_eq!(
            meter.total(),
            Sample { handled: 107, in_flight: 1, retried: 4, dead: 0, parked: 3 }
        );
    }

    #[test]
    fn the_rate_looks_at_the_last_seconds_only() {
        let mut meter = Meter::new("payments");
        let start = Instant::now();
        for second in 0..20 {
            let handled = if second < 10 { second * 20 } else { 180 };
            meter.measure(sample(handled), start + Duration::from_secs(second));
            if second == 9 {
                assert_eq!(meter.rate(), 20);
            }
        }
        assert_eq!(meter.rate(), 0);
    }

    #[test]
    fn an_absence_is_told_when_it_is_over() {
        let mut meter = Meter::new("payments");
        let start = Instant::now();
        assert_eq!(meter.is_back(start), None);
        let how = "was killed (signal 9)".to_owned();
        let ended =
            News::Ended { name: "payments", how, code: None, pause: Duration::from_millis(200) };
        meter.hear(&ended, start);
        meter.lags(37);
        meter.lags(12);
        let told = meter.is_back(start + Duration::from_millis(400));
        let expected = "payments was killed (signal 9); back in 400 ms, 37 events waited for it";
        assert_eq!(told.as_deref(), Some(expected));
        assert!(!meter.is_away());
    }
}
