//! What cannot be handled: a dead letter with its reason, each by its text; nothing is skipped.

use bytes::Bytes;
use tidings::cloudevents::CloudEvent;
use tidings::dead_letter::DeadLetter;
use tidings::prelude::*;
use tidings::{Draft, RawRecord};

use super::rig::{Placed, Running, Seen, placed, records, until};
use crate::broker::Broker;

async fn note(order: Placed, State(seen): State<Seen>) -> Result<(), Fail> {
    seen.add(&order.key, order.n);
    Ok(())
}

fn header(name: &str, value: &str) -> (String, Option<Bytes>) {
    (name.to_owned(), Some(Bytes::from(value.to_owned())))
}

/// An event in binary mode, as somebody else might have written it.
fn raw(ty: &str, value: &str) -> RawRecord {
    RawRecord {
        topic: "orders".into(),
        key: Some("k".into()),
        value: Some(Bytes::from(value.to_owned())),
        headers: vec![
            header("ce_specversion", "1.0"),
            header("ce_id", "1"),
            header("ce_source", "/python"),
            header("ce_type", ty),
        ],
        partition: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_bad_record_is_kept_with_its_reason() {
    let broker = Broker::start().await;
    let seen = Seen::default();
    let service = Service::new("payments").state(seen.clone()).on("charge", note);
    let service = Running::start(service, &broker).ready().await;
    let publisher = broker.publisher().await;

    let no_id = RawRecord { headers: raw("", "").headers[..1].to_vec(), ..raw("", "{}") };
    let structured = RawRecord {
        headers: vec![header("content-type", "application/cloudevents+json")],
        ..raw("", "{\"specversion\": ")
    };
    let cases = [
        (raw("test.order.placed.v1", "{\"key\": 7"), "undecodable", "cannot read"),
        (raw("test.order.placed.v1", "{\"key\": \"a\"}"), "undecodable", "missing field `n`"),
        (raw("test.order.placed.v2", "{}"), "unknown-version", "reads test.order.placed.v1"),
        (RawRecord { headers: vec![], ..raw("", "hello") }, "not-an-event", "is no event"),
        (no_id, "not-an-event", "`id` is missing"),
        (structured, "not-an-event", "is no event"),
        (RawRecord { value: None, ..raw("test.order.placed.v1", "") }, "undecodable", "EOF"),
    ];
    for (record, _, _) in &cases {
        publisher.write(record.clone()).await.unwrap();
    }
    publisher.publish(placed("good", 1)).await.unwrap();
    until("the good one", || seen.of("good") == [1]).await;
    until("dead letters", || service.now().dead_lettered == cases.len() as u64).await;
    service.stop().await.unwrap();

    let copies = records(&broker, "orders.payments.dlq");
    for (record, class, text) in cases {
        let copy = copies.iter().find(|copy| {
            let letter = DeadLetter::read(copy).unwrap();
            copy.value == record.value
                && letter.error_class.as_deref() == Some(class)
                && letter.message.as_deref().is_some_and(|message| message.contains(text))
        });
        let told: Vec<_> = copies.iter().map(|c| DeadLetter::read(c).unwrap().message).collect();
        let copy = copy.unwrap_or_else(|| panic!("no {class} that says `{text}` in {told:#?}"));
        let letter = DeadLetter::read(copy).unwrap();
        assert_eq!(letter.stage.as_deref(), Some("decode"));
        let handler = (class != "not-an-event").then_some("charge");
        assert_eq!(letter.handler.as_deref(), handler, "{class}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_nobody_handles_passes_by_and_is_counted() {
    let broker = Broker::start().await;
    let seen = Seen::default();
    let service = Service::new("payments").state(seen.clone()).on("charge", note);
    let service = Running::start(service, &broker).ready().await;
    let publisher = broker.publisher().await;
    for ty in ["test.order.shipped.v1", "test.order.placed", "test.order.placed.vx"] {
        publisher.write(raw(ty, "{}")).await.unwrap();
    }
    publisher.publish(placed("k", 1)).await.unwrap();
    until("the handled one", || seen.of("k") == [1]).await;
    until("the others", || service.now().passed_by == 3).await;
    assert_eq!(service.now().dead_lettered, 0);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn null_keys_and_structured_mode_and_other_topics_are_handled() {
    let broker = Broker::start().await;
    let seen = Seen::default();
    let service = Service::new("payments").state(seen.clone()).on("charge", note);
    let service = Running::start(service, &broker).ready().await;
    let publisher = broker.publisher().await;
    for n in 0..20 {
        publisher.publish(Draft::of(placed("null", n)).no_key()).await.unwrap();
    }
    let event = CloudEvent {
        id: "7".into(),
        source: "/java".into(),
        ty: "test.order.placed.v1".into(),
        datacontenttype: Some("application/json".into()),
        data: Some(Bytes::from_static(b"{\"key\": \"structured\", \"n\": 7}")),
        ..CloudEvent::default()
    };
    let record = RawRecord {
        topic: "orders".into(),
        value: Some(event.to_json_string().into()),
        headers: vec![header("Content-Type", "application/cloudevents+json; charset=UTF-8")],
        ..RawRecord::default()
    };
    publisher.write(record).await.unwrap();
    until("null keys", || seen.of("null").len() == 20).await;
    until("structured mode", || seen.of("structured") == [7]).await;
    service.stop().await.unwrap();
}

/// Parking never fails because of its copy: what is too large for this client goes without value.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_too_large_to_copy_still_becomes_a_dead_letter() {
    async fn refuse(_: Placed) -> Result<(), Fail> {
        Err(Fail::reject("no".repeat(10_000)))
    }
    let broker = Broker::start().await;
    let big = format!("{{\"key\":\"{}\",\"n\":1}}", "x".repeat(700_000));
    // The service's client sends less than the one that wrote the event.
    let service = Service::new("payments").on("charge", refuse);
    let small = [("message.max.bytes", "600000")];
    let service = Running::start_with(service, &broker, &small).ready().await;
    let publisher = broker.publisher().await;
    publisher.write(raw("test.order.placed.v1", &big)).await.unwrap();
    until("the dead letter", || service.now().dead_lettered == 1).await;
    service.stop().await.unwrap();
    let copy = &records(&broker, "orders.payments.dlq")[0];
    let letter = DeadLetter::read(copy).unwrap();
    assert_eq!((copy.value.as_ref(), letter.topic.as_str()), (None, "orders"));
    assert!(letter.message.unwrap().len() < 10_000, "the message is cut");
}
