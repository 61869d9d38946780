//! A moment in UTC, as events carry it: a newtype, so that the library that reckons with time stays
//! out of the public interface.

use std::fmt;
use std::str::FromStr;

/// A moment in UTC with microseconds, written and read as RFC 3339.
///
/// ```
/// use tidings::Timestamp;
/// let t: Timestamp = "2026-11-23T10:41:07+01:00".parse()?;
/// assert_eq!(t.to_string(), "2026-11-23T09:41:07Z");
/// assert_eq!(t.as_millis(), 1_795_426_867_000);
/// # Ok::<(), tidings::InvalidTimestamp>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{text}` is no RFC 3339 time such as 2026-11-23T10:41:07Z: {reason}")]
pub struct InvalidTimestamp {
    text: String,
    reason: String,
}

impl Timestamp {
    /// The system clock's time, cut to microseconds.
    pub fn now() -> Timestamp {
        let now = jiff::Timestamp::now();
        Timestamp(jiff::Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now))
    }

    /// Milliseconds since 1970 as Kafka counts them; `None` beyond the years -9999 to 9999.
    pub fn from_millis(millis: i64) -> Option<Timestamp> {
        jiff::Timestamp::from_millisecond(millis).ok().map(Timestamp)
    }

    /// Milliseconds since 1970, as Kafka counts them.
    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Microseconds since 1970.
    pub fn as_micros(self) -> i64 {
        self.0.as_microsecond()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Timestamp, InvalidTimestamp> {
        text.parse().map(Timestamp).map_err(|e: jiff::Error| InvalidTimestamp {
            text: text.to_owned(),
            reason: e.to_string(),
        })
    }
}
