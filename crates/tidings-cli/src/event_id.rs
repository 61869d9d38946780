//! What an event's id tells about its time. Ids of Tidings are UUIDs of version 7, or of version 8
//! with the first 48 bits of their cause's id; both begin with the milliseconds since 1970 at which
//! the root of the flow was made (RFC 9562, 5.7), so a search need not begin before that.

use jiff::Timestamp;

use crate::limits;

/// Where a search for this event and its causes begins, when the topics are not small.
pub fn scan_from(id: &str, now: Timestamp) -> Timestamp {
    match root_time(id).filter(|time| *time <= now) {
        Some(time) => time.checked_sub(limits::CLOCK_SLACK).unwrap_or(Timestamp::UNIX_EPOCH),
        None => default_from(now),
    }
}

/// Where a search begins that knows nothing about time.
pub fn default_from(now: Timestamp) -> Timestamp {
    now.checked_sub(limits::DEFAULT_SCAN_BACK).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The time in a UUID of version 7 or 8. Those of version 8 by others may hold anything, so only
/// times since 2020 count: earlier ones would only make the scan longer, later ones are in the
/// future and are left out by the caller.
fn root_time(id: &str) -> Option<Timestamp> {
    let hex: String = id.chars().filter(|c| *c != '-').collect();
    let is_uuid = hex.len() == 32 && id.len() == 36 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    let version = hex.as_bytes().get(12)?;
    if !is_uuid || !matches!(version, b'7' | b'8') {
        return None;
    }
    const YEAR_2020_MS: i64 = 1_577_836_800_000;
    let ms = i64::from_str_radix(&hex[..12], 16).ok()?;
    (ms >= YEAR_2020_MS).then(|| Timestamp::from_millisecond(ms).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_in_an_id_is_used_when_it_can_be_one() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
        let hour_ago: Timestamp = "2026-11-23T11:00:00Z".parse().expect("a time");
        // 0x019aabc12345 ms = 2025-11-22T13:29:12.773Z, a minute of slack before it
        for (id, from) in [
            ("019aabc1-2345-7000-8000-000000000000", "2025-11-22T13:28:12.773Z"),
            ("019aabc1-2345-8fff-8000-000000000000", "2025-11-22T13:28:12.773Z"),
            ("019aabc1-2345-4000-8000-000000000000", "2026-11-23T11:00:00Z"),
            ("ffffffff-2345-7000-8000-000000000000", "2026-11-23T11:00:00Z"),
            ("00000000-2345-8000-8000-000000000000", "2026-11-23T11:00:00Z"),
            ("order-1", "2026-11-23T11:00:00Z"),
            ("äöü", "2026-11-23T11:00:00Z"),
        ] {
            let expected: Timestamp = from.parse().expect("a time");
            assert_eq!(scan_from(id, now), expected, "{id}");
        }
        assert_eq!(default_from(now), hour_ago);
    }
}
