//! Republishing: what is sent, what is marked, what is refused, and going on after an interruption.

use std::process::Stdio;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;

use super::{event, machine, state};
use crate::machine::{Machine, Running, rest, tidings, until};

fn tail(machine: &Machine, topic: &str) -> Vec<Value> {
    machine.json(&["event", "tail", topic, "--until-end"])
}

fn headers(machine: &Machine, address: &str) -> String {
    machine.ok(&["event", "get", address])
}

#[test]
fn dead_letters_are_previewed_published_once_and_marked() {
    let (machine, writer) = machine();
    writer.bury("a", 1, "k1", &[("shop", "Hamburg")]);
    writer.bury("b", 2, "k2", &[]);
    let republish = ["dlq", "republish", "--all-of", "orders.payments.dlq", "--to", "orders"];
    let with = |more: &[&str]| machine.run(&[&republish, more].concat());

    let ran = with(&["--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("2 dead letters to orders\n\n"), "{}", ran.out);
    assert!(ran.out.contains("no such customer: <number>"), "which errors: {}", ran.out);
    assert!(ran.out.contains("\nunordered: each lands behind "), "{}", ran.out);
    let ran = with(&[]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.out.starts_with("2 dead letters to orders\n"), "a preview first: {}", ran.out);
    assert!(ran.err.contains("help: to do it without asking:  --yes"), "{}", ran.err);
    assert!(tail(&machine, "orders").is_empty());

    let done = machine.json(&[&republish[..], &["--yes", "--limit", "1"]].concat()).remove(0);
    assert_eq!((&done["republished"], &done["left_out"]["beyond_limit"]), (&1.into(), &1.into()));
    let ran = with(&["--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("left out: 1 dead letter is over already\n"), "{}", ran.out);
    assert!(ran.out.contains("\nrepublished 1 dead letter to orders in "), "{}", ran.out);
    let ids: Vec<_> = tail(&machine, "orders").iter().map(|event| event["id"].clone()).collect();
    assert_eq!(ids, ["a", "b"]);
    let sent = headers(&machine, "orders[0]@0");
    assert!(sent.contains("header shop       Hamburg"), "{sent}");
    assert!(sent.contains("header tidings-dlq-redrive-count  1"), "{sent}");
    assert!(!sent.contains("__connect") && !sent.contains("attempts"), "{sent}");
    let mark = headers(&machine, "orders.payments.dlq[0]@2");
    assert!(mark.contains("done at last after 5 attempts") && mark.contains("\"1042\""), "{mark}");

    assert_eq!(machine.json(&["dlq", "ls"])[0]["letters"], serde_json::json!([]));
    let ran = with(&["--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out, "nothing to republish: 2 dead letters are over already\n");
    assert_eq!(tail(&machine, "orders").len(), 2, "once");

    // It fails again, without a store: another dead letter, which counts.
    writer.bury("a", 99, "k1", &[("tidings-dlq-redrive-count", "1")]);
    machine.ok(&["dlq", "republish", "a", "--to", "orders", "--yes"]);
    let sent = headers(&machine, "orders[0]@2");
    assert!(sent.contains("header tidings-dlq-redrive-count  2"), "{sent}");
}

#[test]
fn parked_events_are_left_to_their_own_handler() {
    let (machine, writer) = machine();
    for (at, word) in ["parked", "retrying", "edited"].into_iter().enumerate() {
        writer.bury(word, at as i64, "k", &state(word));
        let ran = machine.run(&["dlq", "republish", word, "--to", "orders", "--yes"]);
        assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
        let text =
            "error: none of these can be republished\n  1 dead letter is parked with a store";
        assert!(ran.err.starts_with(text), "{}", ran.err);
    }
    writer.bury("free", 9, "k", &[]);
    writer.write(
        "orders.payments.dlq",
        "k",
        None,
        &[
            ("__connect.errors.topic", b"orders".to_vec()),
            ("__connect.errors.partition", b"0".to_vec()),
            ("__connect.errors.offset", b"10".to_vec()),
        ],
    );
    let all = ["dlq", "republish", "--all-of", "orders.payments.dlq", "--to", "orders", "--yes"];
    let done = machine.json(&all).remove(0);
    assert_eq!((&done["republished"], &done["left_out"]["parked"]), (&1.into(), &3.into()));
    assert_eq!(done["left_out"]["without_data"], 1, "a tombstone would delete");
    assert_eq!(tail(&machine, "orders").len(), 1);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (machine, writer) = machine();
    writer.bury("0193-a", 1, "k", &[]);
    writer.bury("0193-b", 2, "k", &[]);
    writer.write("orders", "k", Some("{}"), &event("x"));
    for (what, to, code) in [
        (&["nothing"][..], "orders", 3),
        (&["0193"], "orders", 2),
        (&["orders.payments.dlq[0]@7"], "orders", 3),
        (&["orders[0]@0"], "orders", 3),
        (&["--fingerprint", "ffff"], "orders", 3),
        (&["--all-of", "nowhere"], "orders", 3),
        (&["0193-a"], "ordres", 3),
        (&["0193-a"], "orders.payments.dlq", 2),
        (&["0193-a", "--fingerprint", "ffff"], "orders", 2),
        (&[], "orders", 2),
    ] {
        let command = [&["dlq", "republish"], what, &["--to", to, "--yes"]].concat();
        let ran = machine.run(&command);
        assert_eq!(ran.code, code, "{what:?} {to}: {}{}", ran.out, ran.err);
    }
    assert_eq!(machine.run(&["dlq", "republish", "0193-a", "--yes"]).code, 2, "--to is needed");
    assert_eq!(tail(&machine, "orders").len(), 1);
}

#[test]
fn one_kind_of_failure_can_be_chosen() {
    let (machine, writer) = machine();
    writer.bury("a", 1, "k", &[]);
    writer.bury("b", 2, "k", &[("tidings-dlq-fingerprint", "ab12")]);
    let one = ["dlq", "republish", "--fingerprint", "ab12", "--to", "orders", "--yes"];
    assert_eq!(machine.json(&one)[0]["republished"], 1);
    assert_eq!(tail(&machine, "orders")[0]["id"], "b");
}

/// Each as its framework writes it; one tells no place of its event.
#[test]
fn dead_letters_of_other_frameworks_are_republished_and_marked() {
    let (machine, writer) = machine();
    let spring = [
        ("kafka_dlt-original-topic", b"orders".to_vec()),
        ("kafka_dlt-original-partition", 3i32.to_be_bytes().to_vec()),
        ("kafka_dlt-original-offset", 401i64.to_be_bytes().to_vec()),
        ("kafka_dlt-original-consumer-group", b"billing".to_vec()),
        ("shop", b"Hamburg".to_vec()),
    ];
    writer.write("orders-dlt", "k", Some("spring"), &spring);
    writer.write("orders-dlt", "k", Some("bare"), &[("x-original-topic", b"orders".to_vec())]);
    writer.write(
        "streams-failures",
        "k",
        Some("streams"),
        &[
            ("__streams.errors.topic", b"orders".to_vec()),
            ("__streams.errors.partition", b"0".to_vec()),
            ("__streams.errors.offset", b"8".to_vec()),
        ],
    );
    for (topic, letters) in [("orders-dlt", 2), ("streams-failures", 1)] {
        let republish = ["dlq", "republish", "--all-of", topic, "--to", "orders", "--yes"];
        assert_eq!(machine.json(&republish)[0]["republished"], letters, "{topic}");
        assert_eq!(machine.json(&republish)[0]["left_out"]["over"], letters, "{topic}");
        let listed = machine.json(&["dlq", "ls", topic]).remove(0);
        assert_eq!(listed["letters"], serde_json::json!([]), "{listed}");
        assert_eq!(listed["over"], letters, "{listed}");
    }
    assert_eq!(tail(&machine, "orders").len(), 3);
    let sent = headers(&machine, "orders[0]@0");
    assert!(sent.contains("header shop       Hamburg") && sent.contains("spring"), "{sent}");
    assert!(!sent.contains("kafka_dlt"), "{sent}");
    let all = machine.json(&["dlq", "ls", "orders-dlt", "--all"]).remove(0);
    assert_eq!(all["letters"][0]["origin"]["offset"], 401);
    assert_eq!(all["letters"][1]["origin"]["topic"], "orders");
}

/// The same event, given up by two handlers of one service: it is published once, and both of its
/// dead letters are over.
#[test]
fn an_event_that_two_handlers_gave_up_is_published_once() {
    let (machine, writer) = machine();
    writer.bury("a", 1, "k", &[]);
    writer.bury("a", 1, "k", &[("tidings-dlq-handler", "thank")]);
    let ran = machine.json(&["dlq", "republish", "a", "--to", "orders", "--yes"]).remove(0);
    assert_eq!(ran["republished"], 2);
    assert_eq!(tail(&machine, "orders").len(), 1);
    assert_eq!(machine.json(&["dlq", "ls"])[0]["over"], 2);
}

/// How many records a topic of one partition has.
fn length(machine: &Machine, topic: &str) -> i64 {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &machine.bootstrap)
        .create()
        .expect("a consumer");
    let patience = Duration::from_secs(30);
    consumer.fetch_watermarks(topic, 0, patience).expect("an answer").1
}

/// Interrupted in the middle, it says how far it got; the next run goes on there.
#[test]
fn an_interrupted_run_goes_on_where_it_stopped() {
    const ALL: usize = 20_000;
    let (machine, writer) = machine();
    writer.bury_many(ALL as i64);
    let republish = ["dlq", "republish", "--all-of", "orders.payments.dlq", "--to", "orders"];
    let mut command = tidings();
    command.args(republish).arg("--yes").env("TIDINGS_BOOTSTRAP", &machine.bootstrap);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    let err = child.stderr.take().expect("piped");
    let mut running = Running(child);
    until("some are published", || (length(&machine, "orders") > 0).then_some(()));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it runs");
    let code = running.wait();
    let err = rest(err);
    assert_eq!(code, Some(130), "{err}");
    assert!(err.starts_with("error: interrupted\n  "), "{err}");
    assert!(err.contains(" of 20,000 dead letters were republished to orders"), "{err}");
    assert!(err.contains("help: run it again: it goes on where it stopped"), "{err}");

    let sent = length(&machine, "orders");
    assert!(sent > 0 && sent < ALL as i64, "{sent}");
    let over = machine.json(&["dlq", "ls"])[0]["over"].as_i64();
    assert_eq!(over, Some(sent), "what was sent is marked");
    machine.ok(&[&republish[..], &["--yes"]].concat());
    let mut ids: Vec<String> =
        tail(&machine, "orders").iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), ALL);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), ALL, "each once");
}
