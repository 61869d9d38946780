//! The JSON event format, as one text and as lines of a file that is to be published.

use tidings::cloudevents::CloudEvent;

use crate::jsonl::Lines;

pub(super) fn run(data: &[u8]) {
    let mut lines = Lines::new(data);
    let mut count = 0;
    while let Some(line) = lines.next_line().expect("memory does not fail") {
        count += 1;
        assert!(line.number >= count, "lines are counted");
    }
    assert_eq!(lines.bytes_read(), data.len() as u64);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(event) = CloudEvent::from_json(text) else { return };
    let line = event.to_json_string();
    let again =
        CloudEvent::from_json(&line).unwrap_or_else(|error| panic!("{line} is no event: {error}"));
    assert_eq!((again.id, again.source, again.ty), (event.id, event.source, event.ty));
    assert_eq!(
        (again.subject, again.time, again.extensions),
        (event.subject, event.time, event.extensions)
    );
}
