//! Consumer groups: listed, shown with their lag, moved while nobody is in them.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::machine::{Machine, until};

fn member(machine: &Machine, group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", &machine.bootstrap)
        .set("group.id", group)
        .set("client.id", "the-member")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer")
}

fn commit(consumer: &BaseConsumer, offset: i64, metadata: &str) {
    let mut list = TopicPartitionList::new();
    list.add_partition("orders", 0).set_metadata(metadata);
    list.set_partition_offset("orders", 0, Offset::Offset(offset)).expect("an offset");
    consumer.commit(&list, CommitMode::Sync).expect("committed");
}

/// A topic of one partition with ten events.
fn ten_events(machine: &Machine) {
    machine.ok(&["topic", "create", "orders", "--partitions", "1"]);
    let lines: String = (0..10)
        .map(|n| {
            format!(
                "{{\"specversion\":\"1.0\",\"id\":\"e{n}\",\"source\":\"/a\",\
                 \"type\":\"com.example.order.placed.v1\",\"data\":{n}}}\n"
            )
        })
        .collect();
    let ran = machine.run_with(&["event", "publish", "orders", "--from", "-"], &lines);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn a_group_is_shown_with_its_lag_and_what_holds_it_back() {
    let machine = Machine::start();
    ten_events(&machine);
    let finished = tidings::progress::Progress {
        committed: 4,
        handlers: vec!["charge".into()],
        finished: std::iter::once(5..8).collect(),
        ..Default::default()
    };
    commit(&member(&machine, "payments"), 4, &finished.encode());
    let shown = machine.json(&["group", "show", "payments"]).remove(0);
    assert_eq!((&shown["schema"], &shown["group"]), (&1.into(), &"payments".into()));
    assert_eq!(shown["state"], "Empty");
    assert_eq!(shown["members"], serde_json::json!([]));
    let row = &shown["partitions"][0];
    assert_eq!((&row["topic"], &row["partition"]), (&"orders".into(), &0.into()));
    assert_eq!((&row["committed"], &row["end"], &row["lag"]), (&4.into(), &10.into(), &6.into()));
    assert_eq!(row["oldest_unfinished"]["id"], "e4");
    assert_eq!(row["oldest_unfinished"]["offset"], 4);
    let text = machine.ok(&["group", "show", "payments"]);
    assert!(text.contains("order.placed e4 (3 later ones done)"), "{text}");
    assert!(text.contains("the group has no members"), "{text}");

    commit(&member(&machine, "others"), 10, "");
    let row = &machine.json(&["group", "show", "others"])[0]["partitions"][0];
    assert_eq!((&row["lag"], &row["oldest_unfinished"]), (&0.into(), &serde_json::Value::Null));
    let names: Vec<_> = machine.json(&["group", "ls"])[0]["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .map(|group| (group["group"].clone(), group["lag"].clone()))
        .collect();
    assert_eq!(names, [("others".into(), 0.into()), ("payments".into(), 6.into())]);
}

#[test]
fn a_group_is_shown_with_the_handlers_that_wait() {
    let machine = Machine::start();
    ten_events(&machine);
    let since = "2026-11-27T06:40:11Z".parse().expect("a time");
    let told = tidings::progress::Progress {
        committed: 4,
        handlers: vec!["charge".into(), "refund".into()],
        outages: tidings::progress::Outage::new("refund", since).into_iter().collect(),
        ..Default::default()
    };
    commit(&member(&machine, "payments"), 4, &told.encode());
    let shown = machine.json(&["group", "show", "payments"]).remove(0);
    let expected = serde_json::json!([{
        "handler": "refund", "since": "2026-11-27T06:40:11Z",
        "partitions": [{"topic": "orders", "partition": 0}],
    }]);
    assert_eq!(shown["outages"], expected);
    let text = machine.ok(&["group", "show", "payments"]);
    let line = "handler refund waits: what it depends on is away since 2026-11-27T06:40:11Z";
    assert!(text.contains(line), "{text}");

    // Told once more when it is over.
    let over = tidings::progress::Progress { outages: vec![], ..told };
    commit(&member(&machine, "payments"), 4, &over.encode());
    let shown = machine.json(&["group", "show", "payments"]).remove(0);
    assert_eq!(shown["outages"], serde_json::json!([]));
}

#[test]
fn a_group_is_moved_after_a_preview_and_only_when_told() {
    let machine = Machine::start();
    ten_events(&machine);
    commit(&member(&machine, "payments"), 4, "");
    let committed =
        || machine.json(&["group", "show", "payments"])[0]["partitions"][0]["committed"].clone();
    let reset = ["group", "reset", "payments", "--topic", "orders", "--to"];
    let with = |more: &[&str]| machine.run(&[&reset, more].concat());

    let ran = with(&["beginning", "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("4 records again"), "{}", ran.out);
    assert_eq!(committed(), 4);
    let ran = with(&["beginning"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.out.contains("4 records again"), "a preview comes first: {}", ran.out);
    assert!(ran.err.contains("help: to do it without asking:  --yes"), "{}", ran.err);
    assert_eq!(committed(), 4);
    for (to, offset) in
        [("beginning", 0), ("end", 10), ("7", 7), ("99", 10), ("1h", 0), ("2099-01-01", 10)]
    {
        let ran = with(&[to, "--yes"]);
        assert_eq!(ran.code, 0, "{to}: {}", ran.err);
        assert!(ran.out.ends_with("payments was moved\n"), "{}", ran.out);
        assert_eq!(committed(), offset, "{to}");
    }
    let json =
        machine.json(&["group", "reset", "payments", "--topic", "orders", "--to", "2", "--yes"]);
    assert_eq!(json[0]["partitions"][0]["to"], 2);
    assert_eq!(with(&["sometime", "--yes"]).code, 2);
    assert_eq!(with(&["end", "--yes", "--partition", "7"]).code, 3);
}

#[test]
fn a_group_with_members_is_not_moved() {
    let machine = Machine::start();
    ten_events(&machine);
    let consumer = member(&machine, "payments");
    consumer.subscribe(&["orders"]).expect("subscribed");
    let shown = until("the member has the partition", || {
        let _ = consumer.poll(Duration::from_millis(50));
        let shown = machine.json(&["group", "show", "payments"]).remove(0);
        let is_given = shown["members"][0]["partitions"][0]["topic"] == "orders";
        // Taken too: librdkafka hangs if it is closed while it has yet to answer an assignment.
        let is_taken = consumer.assignment().is_ok_and(|taken| taken.count() > 0);
        (is_given && is_taken).then_some(shown)
    });
    assert_eq!(shown["members"][0]["client_id"], "the-member");
    let ran =
        machine.run(&["group", "reset", "payments", "--topic", "orders", "--to", "end", "--yes"]);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("error: `payments` has 1 active member"), "{}", ran.err);
    assert!(ran.err.contains("the-member at 127.0.0.1"), "{}", ran.err);
}

#[test]
fn an_unknown_group_is_not_found() {
    let machine = Machine::start();
    ten_events(&machine);
    commit(&member(&machine, "payments"), 1, "");
    let ran = machine.run(&["group", "show", "payment"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("did you mean `payments`?"), "{}", ran.err);
}
