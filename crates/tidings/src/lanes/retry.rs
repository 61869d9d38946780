//! When the next attempt comes: pure arithmetic over attempts, with randomness as an argument.

use std::time::Duration;

use crate::service::limits::{
    ATTEMPTS_DEFAULT, AWAY_DELAY_FIRST, AWAY_DELAY_MAX, RETRY_DELAYS_MAX,
};

/// How often and when a failed event is tried again: see [`Retries::default`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    attempts: u32,
    delays_max: Duration,
}

impl Default for Retries {
    /// Five attempts: two at once, then delays in the ratio 1 : 5 : 20 with jitter, which sum to
    /// at most 30 s. Without a store an event waits in memory, and the commit waits with it.
    fn default() -> Retries {
        Retries { attempts: ATTEMPTS_DEFAULT, delays_max: RETRY_DELAYS_MAX }
    }
}

impl Retries {
    /// So many attempts in all, the first included; at least one.
    pub fn attempts(mut self, attempts: u32) -> Retries {
        self.attempts = attempts.max(1);
        self
    }

    /// The delays of one event sum to at most this. Longer than 30 s is cut to 30 s.
    pub fn delays_up_to(mut self, sum: Duration) -> Retries {
        self.delays_max = sum.min(RETRY_DELAYS_MAX);
        self
    }

    /// The wait after so many failed attempts, or `None` when that was the last one.
    pub(crate) fn delay_after(&self, failed: u32, random: u64) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        // The second attempt follows at once: most failures are a conflict or a lost connection.
        let delayed = self.attempts.saturating_sub(2);
        let Some(index) = failed.checked_sub(2) else { return Some(Duration::ZERO) };
        let sum: f64 = (0..delayed).map(weight).sum();
        let share = self.delays_max.mul_f64(weight(index) / sum);
        Some(jittered(share, random))
    }
}

/// 1, 5, 20, then doubling.
fn weight(index: u32) -> f64 {
    match index {
        0 => 1.0,
        1 => 5.0,
        _ => 20.0 * 2f64.powi((index - 2).min(30) as i32),
    }
}

/// The wait before the next try of something that counts no attempts, after so many tries.
pub(crate) fn away_delay(tries: u32, random: u64) -> Duration {
    let grown = AWAY_DELAY_FIRST.saturating_mul(1 << tries.min(20));
    jittered(grown.min(AWAY_DELAY_MAX), random)
}

/// Between three quarters and all of it, so that what failed together does not return together
/// and sums keep their limit.
fn jittered(delay: Duration, random: u64) -> Duration {
    let part = (random >> 11) as f64 / (1u64 << 53) as f64;
    delay.mul_f64(0.75 + part / 4.0)
}

/// A cheap sequence for jitter (SplitMix64, Steele, Lea and Flood 2014); nothing secret.
#[derive(Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn seeded(seed: u64) -> Jitter {
        Jitter(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn five_attempts_two_of_them_at_once() {
        let retries = Retries::default();
        let delays: Vec<_> = (1..=5).map(|failed| retries.delay_after(failed, u64::MAX)).collect();
        let in_seconds: Vec<_> =
            delays.iter().map(|delay| delay.map(|delay| delay.as_secs_f64().round())).collect();
        assert_eq!(in_seconds, [Some(0.0), Some(1.0), Some(6.0), Some(23.0), None]);
    }

    proptest! {
        #[test]
        fn delays_of_one_event_keep_their_sum(
            attempts in 1u32..60, max_ms in 0u64..60_000, seed: u64,
        ) {
            let max = Duration::from_millis(max_ms);
            let retries = Retries::default().attempts(attempts).delays_up_to(max);
            let mut jitter = Jitter::seeded(seed);
            let mut sum = Duration::ZERO;
            let mut failed = 1;
            while let Some(delay) = retries.delay_after(failed, jitter.next()) {
                sum += delay;
                failed += 1;
            }
            prop_assert_eq!(failed, attempts);
            prop_assert!(sum <= max.min(RETRY_DELAYS_MAX) + Duration::from_micros(1));
        }

        #[test]
        fn waiting_for_what_is_away_grows_to_half_a_minute(tries in 0u32..100, seed: u64) {
            let delay = away_delay(tries, Jitter::seeded(seed).next());
            prop_assert!(delay <= AWAY_DELAY_MAX);
            prop_assert!(delay >= AWAY_DELAY_FIRST.mul_f64(0.75));
            prop_assert!(tries < 9 || delay >= AWAY_DELAY_MAX.mul_f64(0.75));
        }
    }
}
