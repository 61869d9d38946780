//! Whom to hit next, and when: drawn from a seed, without a clock.

use std::time::Duration;

/// The services of the shop.
pub(super) const SERVICES: [&str; 5] =
    ["orders", "payments", "inventory", "shipping", "notifications"];
/// The shortest and longest time between two blows. A service that dies within ten seconds of its
/// start waits twice as long for the next, so there is always a mix of young and old processes.
const PAUSE_MS: std::ops::Range<u64> = 500..2_200;
/// How long a dead broker stays away at most, beside its start.
const AWAY_MS: u64 = 1_500;

/// One blow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Blow {
    /// So many of the living, in this order of preference.
    Services { after: Duration, ranks: Ranks },
    /// The broker, which stays away for a moment.
    Broker { after: Duration, away: Duration },
}

/// Which services, in order of preference, and how many of those that live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ranks {
    pub(super) names: [&'static str; 5],
    pub(super) count: usize,
}

impl Blow {
    pub(super) fn after(&self) -> Duration {
        match self {
            Self::Services { after, .. } | Self::Broker { after, .. } => *after,
        }
    }
}

/// The blows of one seed.
#[derive(Debug)]
pub(super) struct Blows {
    state: u64,
    kills: usize,
    broker_kills: usize,
}

impl Blows {
    pub(super) fn new(seed: u64, kills: usize, broker_kills: usize) -> Self {
        Self { state: seed, kills, broker_kills }
    }

    /// The next blow, after so many. The broker's are spread evenly over the services'.
    pub(super) fn next(&mut self, killed: usize, broker_killed: usize) -> Blow {
        let after =
            Duration::from_millis(PAUSE_MS.start + self.below(PAUSE_MS.end - PAUSE_MS.start));
        let due = (killed + 1) * (self.broker_kills + 1) > (broker_killed + 1) * (self.kills + 1);
        if broker_killed < self.broker_kills && due {
            return Blow::Broker { after, away: Duration::from_millis(self.below(AWAY_MS)) };
        }
        let mut names = SERVICES;
        for last in (1..names.len()).rev() {
            let with = self.below(last as u64 + 1) as usize;
            names.swap(last, with);
        }
        // Mostly one; now and then some, and once in a while the whole shop.
        let count = match self.below(20) {
            0..14 => 1,
            14..17 => 2,
            17..19 => 3,
            _ => 5,
        };
        Blow::Services { after, ranks: Ranks { names, count } }
    }

    /// SplitMix64, and a remainder: nobody bets on these numbers.
    fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All blows, if each finds as many as it wants.
    fn all(seed: u64, kills: usize, broker_kills: usize) -> Vec<Blow> {
        let mut blows = Blows::new(seed, kills, broker_kills);
        let (mut killed, mut broker, mut all) = (0, 0, Vec::new());
        while killed < kills || broker < broker_kills {
            let blow = blows.next(killed, broker);
            match &blow {
                Blow::Services { ranks, .. } => killed += ranks.count,
                Blow::Broker { .. } => broker += 1,
            }
            all.push(blow);
        }
        all
    }

    #[test]
    fn a_seed_repeats_its_blows_and_another_has_others() {
        assert_eq!(all(7, 60, 12), all(7, 60, 12));
        assert_ne!(all(7, 60, 12), all(8, 60, 12));
    }

    #[test]
    fn the_broker_is_hit_as_often_as_was_asked_between_the_services() {
        for seed in 0..50 {
            let all = all(seed, 60, 12);
            let is_broker = |blow: &&Blow| matches!(blow, Blow::Broker { .. });
            assert_eq!(all.iter().filter(is_broker).count(), 12);
            let half = &all[..all.len() / 2];
            assert!((3..=9).contains(&half.iter().filter(is_broker).count()), "seed {seed}");
        }
    }

    #[test]
    fn every_service_is_somebodys_first_choice() {
        for name in SERVICES {
            let hit = |blow: &Blow| match blow {
                Blow::Services { ranks, .. } => ranks.names[0] == name,
                Blow::Broker { .. } => false,
            };
            assert!(all(1, 200, 0).iter().any(hit), "{name}");
        }
    }
}
