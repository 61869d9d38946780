//! Places in a log as people name them: `beginning`, `end`, a time, the last N, an offset.
//! The clock comes in as an argument, so that `10m` and `10:41` can be tested.

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use crate::limits;

/// A place in every partition of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The oldest record that is still there.
    Beginning,
    /// Behind the newest record.
    End,
    /// The first record with this time or a later one.
    At(Timestamp),
    /// The newest N records.
    Last(u64),
    /// An offset, the same one in each partition.
    Offset(i64),
}

impl Position {
    /// Parses `beginning|end|TIME|-N`, as `event tail --from` takes it.
    pub fn parse_from(text: &str, now: &ZonedDateTime) -> Result<Self, String> {
        if let Some(number) = text.strip_prefix('-')
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
        {
            return last(number);
        }
        if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            return Err(format!("`{text}` is no time; the newest {text} records are `-{text}`"));
        }
        word_or_time(text, now, "beginning, end, a time or -N")
    }

    /// Parses `beginning|end|TIME|OFFSET`, as `group reset --to` takes it.
    pub fn parse_to(text: &str, now: &ZonedDateTime) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text
                .parse()
                .map(Self::Offset)
                .map_err(|_| format!("`{text}` is too large for an offset"));
        }
        word_or_time(text, now, "beginning, end, a time or an offset")
    }
}

/// Parses a time: RFC 3339, a date, a time of today, or how long ago (`90s`, `10m`, `2h`, `3d`).
pub fn parse_time(text: &str, now: &ZonedDateTime) -> Option<Timestamp> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    if let Some(span) = ago(text) {
        return now.checked_sub(span).ok().map(|zoned| zoned.timestamp());
    }
    let zone = now.time_zone().clone();
    // jiff reads the time out of a whole date and time as well; here it must be all there is.
    if !text.contains(['-', 'T', ' '])
        && let Ok(time) = text.parse::<civil::Time>()
        && text.contains(':')
    {
        return in_zone(now.date().to_datetime(time), zone);
    }
    if let Ok(moment) = text.parse::<civil::DateTime>() {
        return in_zone(moment, zone);
    }
    None
}

/// The clap parser of a time in the past, on this machine's clock and zone.
pub fn since(text: &str) -> Result<Timestamp, String> {
    parse_time(text, &ZonedDateTime::now()).ok_or_else(|| not_a_time(text, "a time"))
}

fn last(number: &str) -> Result<Position, String> {
    match number.parse::<u64>() {
        Ok(n) if n <= limits::LAST_N_RECORDS => Ok(Position::Last(n)),
        _ => Err(format!(
            "at most the newest {} records can be asked for; use a time",
            limits::LAST_N_RECORDS
        )),
    }
}

fn word_or_time(text: &str, now: &ZonedDateTime, expected: &str) -> Result<Position, String> {
    match text {
        "beginning" => Ok(Position::Beginning),
        "end" => Ok(Position::End),
        _ => parse_time(text, now).map(Position::At).ok_or_else(|| not_a_time(text, expected)),
    }
}

fn not_a_time(text: &str, expected: &str) -> String {
    format!(
        "`{text}` is not {expected}; times are 2026-01-31T10:41:07Z, 2026-01-31, 10:41 \
         or how long ago: 90s, 10m, 2h, 3d"
    )
}

/// `10m`, `1h30m`, `3d`: a friendly duration, taken as a distance into the past.
fn ago(text: &str) -> Option<jiff::Span> {
    let starts_with_digit = text.bytes().next().is_some_and(|b| b.is_ascii_digit());
    let has_unit = text.bytes().last().is_some_and(|b| b.is_ascii_alphabetic() && b != b'Z');
    (starts_with_digit && has_unit).then(|| text.parse().ok()).flatten()
}

fn in_zone(moment: civil::DateTime, zone: TimeZone) -> Option<Timestamp> {
    moment.to_zoned_datetime(zone).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> ZonedDateTime {
        "2026-03-10T12:00:00+01:00[Europe/Berlin]".parse().expect("a valid moment")
    }

    fn at(text: &str) -> Result<Position, String> {
        Ok(Position::At(text.parse().expect("a valid timestamp")))
    }

    #[test]
    fn where_to_read_from() {
        for (text, expected) in [
            ("beginning", Ok(Position::Beginning)),
            ("end", Ok(Position::End)),
            ("-5", Ok(Position::Last(5))),
            ("2026-03-10T10:41:07Z", at("2026-03-10T10:41:07Z")),
            ("2026-03-10T10:41:07+01:00", at("2026-03-10T09:41:07Z")),
            ("2026-03-01", at("2026-02-28T23:00:00Z")),
            ("2026-03-01T08:30", at("2026-03-01T07:30:00Z")),
            ("10:41", at("2026-03-10T09:41:00Z")),
            ("90s", at("2026-03-10T10:58:30Z")),
            ("10m", at("2026-03-10T10:50:00Z")),
            ("1h30m", at("2026-03-10T09:30:00Z")),
            ("3d", at("2026-03-07T11:00:00Z")),
        ] {
            assert_eq!(Position::parse_from(text, &now()), expected, "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_answered_with_what_does() {
        for (text, part) in [
            ("5", "are `-5`"),
            ("-", "is not beginning, end"),
            ("", "is not beginning"),
            ("yesterday", "times are 2026"),
            ("-100001", "at most the newest 100000"),
            ("25:99", "is not"),
        ] {
            let error = Position::parse_from(text, &now()).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_number_is_an_offset_where_a_group_is_moved() {
        assert_eq!(Position::parse_to("42", &now()), Ok(Position::Offset(42)));
        assert_eq!(Position::parse_to("end", &now()), Ok(Position::End));
        assert!(Position::parse_to("99999999999999999999", &now()).is_err());
        assert!(Position::parse_to("-1", &now()).is_err());
    }
}
