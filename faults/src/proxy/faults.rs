//! What the proxy can do to a request and its answer, and how often it does it.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::random::Random;

/// Kafka's key of Produce, the request that has most to lose.
const PRODUCE: i16 = 0;

/// One way to hurt an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The broker's answer is thrown away and the connection cut.
    Drop,
    /// Half of the answer arrives, then the connection is cut.
    Cut,
    /// Half of the request arrives at the broker, then the connection is cut.
    CutRequest,
    /// The answer comes late, and all behind it.
    Delay,
    /// The client's connection is cut, and the request reaches the broker only after that: the
    /// client has long repeated it elsewhere.
    Late,
}

impl Fault {
    /// Every fault, in the order of a report.
    pub const ALL: [Fault; 5] =
        [Fault::Drop, Fault::Cut, Fault::CutRequest, Fault::Delay, Fault::Late];

    /// As it stands in a rule and in a report.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Drop => "drop",
            Fault::Cut => "cut",
            Fault::CutRequest => "cut-request",
            Fault::Delay => "delay",
            Fault::Late => "late",
        }
    }
}

/// `PRODUCE:drop=0.05` or `*:delay=0.1`: how often a fault comes to requests of one API key.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The key; `None` for all.
    pub api_key: Option<i16>,
    /// What happens.
    pub fault: Fault,
    /// To which share of the requests.
    pub share: f64,
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Rule, String> {
        let wrong = || {
            format!(
                "`{text}` is no rule such as produce:drop=0.05; an API key is `produce`, `*` or \
                 its number, a fault is drop, cut, cut-request, delay or late"
            )
        };
        let (api, rest) = text.split_once(':').ok_or_else(wrong)?;
        let (fault, share) = rest.split_once('=').ok_or_else(wrong)?;
        let api_key = match api {
            "*" => None,
            "produce" => Some(PRODUCE),
            number => Some(number.parse().map_err(|_| wrong())?),
        };
        let fault = Fault::ALL.into_iter().find(|known| known.name() == fault);
        let share = share.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        match (fault, share) {
            (Some(fault), Some(share)) => Ok(Rule { api_key, fault, share }),
            _ => Err(wrong()),
        }
    }
}

/// All rules of a proxy, and how long it delays.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// In order; the first that hits decides.
    pub rules: Vec<Rule>,
    /// The longest delay.
    pub delay_ms: u64,
}

impl Rules {
    /// What happens to one request. Takes the same chances from `random` whatever comes out.
    pub(super) fn decide(&self, api_key: i16, random: &mut Random) -> Option<Fault> {
        let mut decided = None;
        for rule in &self.rules {
            let concerned = rule.api_key.is_none_or(|key| key == api_key);
            if concerned && random.happens(rule.share) && decided.is_none() {
                decided = Some(rule.fault);
            }
        }
        decided
    }

    pub(super) fn delay(&self, random: &mut Random) -> Duration {
        random.millis(1..self.delay_ms.max(1) + 1)
    }
}

/// How often each fault was done.
#[derive(Debug, Default)]
pub struct Counts([AtomicU64; Fault::ALL.len()]);

impl Counts {
    pub(super) fn add(&self, fault: Fault) {
        self.0[fault as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize].load(Ordering::Relaxed)
    }

    /// All together.
    pub fn total(&self) -> u64 {
        Fault::ALL.into_iter().map(|fault| self.of(fault)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_written_short_and_refused_with_their_form() {
        let rule: Rule = "produce:drop=0.5".parse().expect("a rule");
        assert_eq!(rule, Rule { api_key: Some(0), fault: Fault::Drop, share: 0.5 });
        assert_eq!("*:late=1".parse::<Rule>().expect("a rule").api_key, None);
        for wrong in ["produce", "produce:drop", "x:drop=1", "1:explode=1", "1:cut=7"] {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_same_seed_decides_the_same() {
        let rules = ["0:drop=0.1", "*:delay=0.3"].map(|rule| rule.parse().expect("a rule"));
        let rules = Rules { rules: rules.to_vec(), delay_ms: 5 };
        let decided = |seed| {
            let mut random = Random::new(seed, 16);
            (0..200).map(|n| rules.decide(n % 3, &mut random)).collect::<Vec<_>>()
        };
        assert_eq!(decided(1), decided(1));
        assert_ne!(decided(1), decided(2));
        assert!(decided(1).contains(&Some(Fault::Drop)));
    }
}
