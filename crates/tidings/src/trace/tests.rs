//! Reading and writing `traceparent`, and what becomes of a hop's headers.

use proptest::prelude::*;

use super::*;

#[test]
fn only_what_the_standard_allows_is_read() {
    let rows = [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later", true),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", false),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false),
        ("", false),
        ("00-ü", false),
    ];
    for (text, legal) in rows {
        assert_eq!(text.parse::<TraceParent>().is_ok(), legal, "{text}");
    }
}

#[test]
fn a_hop_takes_the_place_of_the_last_one() {
    let mut headers: Headers = vec![
        ("Traceparent".into(), Some("old".into())),
        ("shop".into(), Some("Hamburg".into())),
        ("tracestate".into(), Some("old".into())),
    ];
    let mine = TraceContext { baggage: Some("a=1".into()), ..TraceContext::start() };
    mine.write_hop(&mut headers);
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["shop", "traceparent", "baggage"]);
}

#[test]
fn the_hop_counts_before_the_creation() {
    let (hop, creation) = (TraceParent::start(), TraceParent::start());
    let mut event = CloudEvent::default();
    event.extensions.insert(TRACEPARENT.into(), creation.to_string());
    assert_eq!(TraceContext::of_event(&event).map(|c| c.parent), Some(creation));
    event.headers.push((TRACEPARENT.into(), Some(hop.to_string().into())));
    assert_eq!(TraceContext::of_event(&event).map(|c| c.parent), Some(hop));
}

proptest! {
    #[test]
    fn what_is_written_is_read(flags in any::<u8>()) {
        let written = TraceParent { flags, ..TraceParent::start() };
        prop_assert_eq!(written.to_string().parse::<TraceParent>().ok(), Some(written));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,64}") {
        if let Ok(read) = text.parse::<TraceParent>() {
            prop_assert!(read.to_string()[3..].starts_with(&text[3..52]));
        }
    }
}
