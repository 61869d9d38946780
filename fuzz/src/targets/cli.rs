//! Words of the command line: places in a log, times, addresses of records, trace headers.

use jiff::ZonedDateTime;
use tidings::trace::TraceParent;
use tidings::{EventId, RecordAddress, Timestamp};

use crate::position::Position;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let now: ZonedDateTime = "2026-03-10T12:00:00+01:00[+01:00]".parse().expect("a moment");
    let _ = Position::parse_from(text, &now);
    let _ = Position::parse_to(text, &now);
    if let Ok(address) = text.parse::<RecordAddress>() {
        let written = address.to_string();
        assert_eq!(written.parse::<RecordAddress>().expect("what was written"), address);
    }
    if let Ok(parent) = text.parse::<TraceParent>() {
        assert_eq!(
            parent.to_string().parse::<TraceParent>().expect("written").to_string().len(),
            55
        );
        let _ = parent.child();
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        let again: Timestamp = time.to_string().parse().expect("what was written");
        assert_eq!(again, time);
    }
    let _ = EventId::from(text.to_owned());
}
