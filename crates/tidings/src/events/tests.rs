//! What a handler may return, and what an event carries when it goes out.

use serde::{Deserialize, Serialize};

use super::*;
use crate::cloudevents::{CAUSATION_ID, CORRELATION_ID, CloudEvent, RECORDED_TIME};
use crate::time::Timestamp;
use crate::trace::{TRACEPARENT, TraceContext};

#[derive(crate::Event, Serialize, Deserialize)]
#[event(type = "com.example.paid", version = 2, topic = "payments", key = order, subject = "order")]
struct Paid {
    order: u64,
}

#[derive(crate::Event, Serialize, Deserialize)]
#[event(type = "com.example.told", version = 1, topic = "told", no_key)]
struct Told;

#[derive(crate::Events)]
enum Outcome {
    Paid(Paid),
    Both { paid: Paid, told: Option<Told> },
    Nothing,
}

fn types(events: impl IntoEvents) -> Vec<String> {
    let events = Events::new().push(events);
    events.drafts().iter().map(|d| d.event_type().to_owned()).collect()
}

fn stamp<'a>(causation: Option<&'a Causation>, trace: Option<&'a TraceContext>) -> Stamp<'a> {
    let now = Timestamp::from_millis(1_800_000_000_123).expect("in range");
    Stamp { source: "/payments", now, causation, trace }
}

#[test]
fn everything_that_a_handler_may_return_becomes_events_in_order() {
    let (paid, told) = ("com.example.paid.v2", "com.example.told.v1");
    let p = || Paid { order: 1 };
    assert_eq!(types(()), [""; 0]);
    assert_eq!(types(p()), [paid]);
    assert_eq!(types((Told, p())), [told, paid]);
    assert_eq!(types(vec![p(), p()]), [paid, paid]);
    assert_eq!(types(None::<Paid>), [""; 0]);
    assert_eq!(types(Some((p(), vec![Told]))), [paid, told]);
    assert_eq!(types(Outcome::Paid(p())), [paid]);
    assert_eq!(types(Outcome::Both { paid: p(), told: Some(Told) }), [paid, told]);
    assert_eq!(types(Outcome::Nothing), [""; 0]);
    assert_eq!(types(Events::new().push(Told).push(Draft::of(p()).topic("x"))), [told, paid]);
    assert_eq!(types([Told, Told].into_iter().collect::<Events>()), [told, told]);
}

#[test]
fn a_root_is_its_own_correlation_and_has_no_cause() {
    let ready = Draft::of(Paid { order: 7 }).stamp(&stamp(None, None)).unwrap();
    let event = &ready.event;
    assert_eq!((&*ready.topic, ready.key.as_deref()), ("payments", Some(&b"7"[..])));
    assert_eq!((&*event.source, &*event.ty), ("/payments", "com.example.paid.v2"));
    assert_eq!(event.subject.as_deref(), Some("order/7"));
    assert_eq!(event.extensions[CORRELATION_ID], event.id.as_str());
    assert!(!event.extensions.contains_key(CAUSATION_ID));
    assert_eq!(event.time.as_deref(), Some("2027-01-15T08:00:00.123Z"));
    assert_eq!(event.extensions[RECORDED_TIME], "2027-01-15T08:00:00.123Z");
    assert_eq!(event.header_text(TRACEPARENT), Some(&*event.extensions[TRACEPARENT]));
}

#[test]
fn a_re_run_gives_the_same_ids_and_each_event_its_own() {
    let cause = CloudEvent {
        id: "01936f2a-1c00-7abc-8def-0123456789ab".into(),
        source: "/orders".into(),
        ..CloudEvent::default()
    };
    let run = || {
        let causation = Causation::of(&cause, "charge");
        let events = (Paid { order: 1 }, Paid { order: 1 }, Paid { order: 2 }, Told, Told);
        let stamped = Events::new().push(events).into_iter().map(|draft| {
            let event = draft.stamp(&stamp(Some(&causation), None)).unwrap().event;
            assert_eq!(event.extensions[CORRELATION_ID], cause.id.as_str());
            assert_eq!(event.extensions[CAUSATION_ID], cause.id.as_str());
            event.id
        });
        stamped.collect::<Vec<_>>()
    };
    let (first, second) = (run(), run());
    assert_eq!(first, second);
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), first.len());
}

#[test]
fn the_ordinal_counts_within_type_and_key_only() {
    // A handler that publishes an event of another key first must not change this one's id.
    let cause = CloudEvent { id: "a-1".into(), source: "/s".into(), ..CloudEvent::default() };
    let id = |before: Option<Paid>| {
        let causation = Causation::of(&cause, "h");
        let drafts = Events::new().push(before).push(Paid { order: 1 });
        let stamped = drafts.into_iter().map(|d| d.stamp(&stamp(Some(&causation), None)));
        stamped.last().expect("one").unwrap().event.id
    };
    assert_eq!(id(None), id(Some(Paid { order: 2 })));
    assert_ne!(id(None), id(Some(Paid { order: 1 })));
}

#[test]
fn an_event_belongs_to_the_trace_that_is_going_on() {
    let going_on = TraceContext { state: Some("v=1".into()), ..TraceContext::start() };
    let event = Draft::of(Told).stamp(&stamp(None, Some(&going_on))).unwrap().event;
    let hop = TraceContext::of_event(&event).expect("it has one");
    assert_eq!(hop.parent.trace_id(), going_on.parent.trace_id());
    assert_ne!(hop.parent.span_id(), going_on.parent.span_id());
    assert_eq!(event.header_text("tracestate"), Some("v=1"));
    // A creation context that the author set stays.
    let own = TraceContext::start().parent.to_string();
    let draft = Draft::of(Told).extension(TRACEPARENT, &own);
    let event = draft.stamp(&stamp(None, Some(&going_on))).unwrap().event;
    assert_eq!(event.extensions[TRACEPARENT], own);
    assert_ne!(event.header_text(TRACEPARENT), Some(&*own));
}

#[test]
fn a_foreign_event_goes_out_as_it_came() {
    let event = CloudEvent {
        id: "x".into(),
        source: "/python".into(),
        ty: "t".into(),
        data: Some("1".into()),
        headers: vec![("h".into(), None)],
        ..CloudEvent::default()
    };
    let causation = Causation::of(&event, "h");
    let draft = Draft::unchanged(event.clone(), "orders", None);
    let ready = draft.stamp(&stamp(Some(&causation), None)).unwrap();
    assert_eq!(ready.event, event);
}

#[test]
fn what_cannot_go_out_says_why() {
    let told = || Draft::of(Told);
    let bare = |ty: &str| CloudEvent { ty: ty.into(), ..CloudEvent::default() };
    let rows = [
        (told().topic(""), "com.example.told.v1 has no topic"),
        (told().topic("a b"), "`a b` cannot be a topic's name"),
        (told().extension("Tenant", "1"), "`Tenant` cannot be the name of an attribute"),
        (told().extension("id", "1"), "`id` is a standard attribute"),
        (told().extension("tenant", "a\0"), "`tenant` holds a control character"),
        (Draft::dynamic(bare("t.v1"), "orders", None), "t.v1 for orders has no data"),
        (Draft::dynamic(bare(""), "orders", None), "an event for orders has no `type`"),
        (Draft::unchanged(bare("t"), "orders", None), "an event for orders has no `id`"),
    ];
    for (draft, expected) in rows {
        let error = draft.stamp(&stamp(None, None)).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(told().tombstone().stamp(&stamp(None, None)).unwrap().event.data.is_none());
}
