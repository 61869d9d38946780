//! Dead letters as people see to them: listed, shown, counted and republished, with nothing but
//! Kafka's address; those of Tidings and those that other frameworks write.

mod acts;
mod republish;

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::machine::Machine;

/// A plain Kafka client, as any framework is one.
pub struct Writer(ThreadedProducer<DefaultProducerContext>);

impl Writer {
    pub fn to(machine: &Machine) -> Self {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &machine.bootstrap)
            .set("linger.ms", "0")
            .create()
            .expect("a producer");
        Self(producer)
    }

    /// Writes one record, and waits for it.
    pub fn write(&self, topic: &str, key: &str, value: Option<&str>, headers: &[(&str, Vec<u8>)]) {
        self.send(topic, key, value, headers);
        self.0.flush(Duration::from_secs(30)).expect("acknowledged");
    }

    /// Writes dead letters `e0`, `e1`, ... of one key, and waits for all of them.
    pub fn bury_many(&self, count: i64) {
        for offset in 0..count {
            let headers = dead(&format!("e{offset}"), offset, &[]);
            self.send("orders.payments.dlq", "k", Some("{}"), &headers);
        }
        self.0.flush(Duration::from_secs(30)).expect("acknowledged");
    }

    fn send(&self, topic: &str, key: &str, value: Option<&str>, headers: &[(&str, Vec<u8>)]) {
        let mut all = OwnedHeaders::new();
        for (key, value) in headers {
            all = all.insert(Header { key, value: Some(value) });
        }
        let record = BaseRecord::to(topic).key(key).headers(all);
        let record = match value {
            Some(value) => record.payload(value),
            None => record,
        };
        self.0.send(record).map_err(|(error, _)| error).expect("there is room");
    }

    /// A dead letter of Tidings: event `id`, original offset, further headers.
    pub fn bury(&self, id: &str, offset: i64, key: &str, more: &[(&str, &str)]) {
        let headers = dead(id, offset, more);
        self.write("orders.payments.dlq", key, Some(r#"{"order_id":"1042"}"#), &headers);
    }
}

/// The headers of a dead letter of Tidings.
fn dead<'a>(id: &str, offset: i64, more: &[(&'a str, &str)]) -> Vec<(&'a str, Vec<u8>)> {
    event(id)
        .into_iter()
        .chain([
            ("__connect.errors.topic", b"orders".to_vec()),
            ("__connect.errors.partition", b"0".to_vec()),
            ("__connect.errors.offset", offset.to_string().into()),
            ("__connect.errors.exception.class.name", b"retry".to_vec()),
            ("__connect.errors.exception.message", format!("no such customer: {offset}").into()),
            ("tidings-dlq-group", b"payments".to_vec()),
            ("tidings-dlq-handler", b"charge".to_vec()),
            ("tidings-dlq-attempts", b"5".to_vec()),
        ])
        .chain(more.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())))
        .collect()
}

/// An event's headers.
pub fn event(id: &str) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("ce_specversion", b"1.0".to_vec()),
        ("ce_id", id.as_bytes().to_vec()),
        ("ce_source", b"/orders".to_vec()),
        ("ce_type", b"com.example.order.placed.v1".to_vec()),
        ("content-type", b"application/json".to_vec()),
    ]
}

/// A broker with the topics of these tests.
pub fn machine() -> (Machine, Writer) {
    let machine = Machine::start();
    for topic in ["orders", "orders.payments.dlq", "orders-dlt", "streams-failures", "sink.DLT"] {
        machine.ok(&["topic", "create", topic, "--partitions", "1"]);
    }
    let writer = Writer::to(&machine);
    (machine, writer)
}

fn state(word: &str) -> [(&str, &str); 1] {
    [("tidings-dlq-state", word)]
}

#[test]
fn the_newest_copy_says_how_a_parked_event_stands() {
    let (machine, writer) = machine();
    writer.bury("a", 1, "k1", &state("retrying"));
    writer.bury("b", 2, "k2", &state("parked"));
    writer.bury("c", 3, "k2", &state("parked"));
    writer.bury("d", 4, "k4", &[]);
    writer.bury("a", 1, "k1", &state("parked"));
    writer.bury("e", 5, "k5", &state("parked"));
    writer.bury("e", 5, "k5", &state("discarded"));
    let listed = machine.json(&["dlq", "ls"]).remove(0);
    assert_eq!((&listed["schema"], &listed["over"]), (&1.into(), &1.into()), "{listed}");
    let letters: Vec<_> = listed["letters"]
        .as_array()
        .expect("letters")
        .iter()
        .map(|letter| (letter["id"].as_str(), letter["state"].as_str(), letter["copies"].clone()))
        .collect();
    assert_eq!(
        letters,
        [
            (Some("a"), Some("parked"), 2.into()),
            (Some("b"), Some("parked"), 1.into()),
            (Some("c"), Some("parked"), 1.into()),
            (Some("d"), None, 1.into()),
        ]
    );
    assert_eq!(machine.json(&["dlq", "ls", "--all"])[0]["letters"][4]["state"], "discarded");

    let text = machine.ok(&["dlq", "ls"]);
    let head = "orders.payments.dlq  1 waits · 3 parked · 1 discarded\n";
    assert!(text.starts_with(head), "{text}");
    assert!(text.contains("k2 (2 events)"), "a key is one line: {text}");
    assert!(text.contains("\n1 dead letter is over (done or discarded):  --all\n"), "{text}");
    assert!(text.contains("one of them whole:  tidings dlq show "), "{text}");

    let shown = machine.ok(&["dlq", "show", "a"]);
    assert!(shown.contains("parked after 5 attempts: \"no such customer: 1\""), "{shown}");
    assert!(shown.contains("\nits copies\n"), "{shown}");
    let shown = machine.json(&["dlq", "show", "orders.payments.dlq[0]@0"]).remove(0);
    assert_eq!((&shown["id"], &shown["state"]), (&"a".into(), &"parked".into()), "any copy leads");
    assert_eq!(shown["history"].as_array().map(Vec::len), Some(2));
    assert_eq!(shown["event"]["data"]["order_id"], "1042");
    let shown = machine.json(&["dlq", "show", "orders[0]@4"]).remove(0);
    assert_eq!(shown["id"], "d", "the place of the event itself leads too");
}

/// A copy that is named by its place lies before what is read, and what has become of it behind:
/// it would be shown as waiting, and republished once more.
#[test]
fn a_named_copy_is_followed_to_the_newest_one_whatever_else_is_read() {
    let (machine, writer) = machine();
    writer.bury("a", 1, "k", &[]);
    writer.bury("b", 2, "k", &[]);
    machine.ok(&["dlq", "republish", "a", "--to", "orders", "--yes"]);
    let later = ["--since", "2099-01-01"];
    let first = "orders.payments.dlq[0]@0";
    let shown = machine.json(&[&["dlq", "show", first], &later[..]].concat()).remove(0);
    assert_eq!((&shown["state"], &shown["copies"]), (&"done".into(), &2.into()), "{shown}");
    let republish = ["dlq", "republish", first, "--to", "orders", "--yes"];
    let again = machine.json(&[&republish, &later[..]].concat()).remove(0);
    assert_eq!((&again["republished"], &again["left_out"]["over"]), (&0.into(), &1.into()));
    let ran = machine.run(&[&["dlq", "ls"], &later[..]].concat());
    assert!(ran.out.starts_with("no dead letters wait"), "{}", ran.out);
    assert!(ran.out.contains("3 older ones were left out; read more:  --since 30d"), "{}", ran.out);
}

#[test]
fn failures_of_one_kind_are_counted_together() {
    let (machine, writer) = machine();
    for offset in 1..=3 {
        writer.bury(&format!("e{offset}"), offset, "k", &[]);
    }
    writer.bury("e4", 4, "k", &[("__connect.errors.exception.message", "card refused")]);
    writer.bury("e5", 5, "k", &[("tidings-dlq-fingerprint", "ab12")]);
    let groups = machine.json(&["dlq", "groups", "orders.payments.dlq"]).remove(0);
    assert_eq!(groups["groups"][0]["count"], 3, "{groups}");
    assert_eq!(groups["groups"][0]["sentence"], "no such customer: <number>");
    assert_eq!(groups["groups"][0]["handler"], "charge");
    assert_eq!(groups["groups"].as_array().map(Vec::len), Some(3));
    let text = machine.ok(&["dlq", "groups"]);
    assert!(text.starts_with("5 dead letters of 3 kinds\n\n"), "{text}");
    assert!(text.contains("ab12"), "{text}");
}

/// Spring writes numbers as big-endian bytes, Kafka Streams and Kafka Connect as text; Connect's
/// topics have any name.
#[test]
fn dead_letters_of_other_frameworks_are_read() {
    let (machine, writer) = machine();
    let spring = [
        ("kafka_dlt-original-topic", b"orders".to_vec()),
        ("kafka_dlt-original-partition", 3i32.to_be_bytes().to_vec()),
        ("kafka_dlt-original-offset", 401i64.to_be_bytes().to_vec()),
        ("kafka_dlt-original-timestamp", 1_770_000_000_000i64.to_be_bytes().to_vec()),
        ("kafka_dlt-original-consumer-group", b"billing".to_vec()),
        ("kafka_dlt-exception-fqcn", b"org.springframework.ListenerException".to_vec()),
        ("kafka_dlt-exception-cause-fqcn", b"java.lang.IllegalStateException".to_vec()),
        ("kafka_dlt-exception-message", b"order 17 is 'late'".to_vec()),
    ];
    writer.write("orders-dlt", "k", Some("no event"), &spring);
    let connect = [
        ("__connect.errors.topic", b"orders".to_vec()),
        ("__connect.errors.partition", b"0".to_vec()),
        ("__connect.errors.offset", b"7".to_vec()),
        ("__connect.errors.connector.name", b"jdbc-sink".to_vec()),
        ("__connect.errors.stage", b"VALUE_CONVERTER".to_vec()),
        ("__connect.errors.exception.message", b"no schema 12".to_vec()),
    ];
    writer.write("sink.DLT", "k", Some("{}"), &connect);
    let streams = [
        ("__streams.errors.topic", b"orders".to_vec()),
        ("__streams.errors.partition", b"0".to_vec()),
        ("__streams.errors.offset", b"8".to_vec()),
        ("__streams.errors.exception", b"java.lang.ArithmeticException".to_vec()),
        ("__streams.errors.message", b"/ by zero".to_vec()),
    ];
    writer.write("streams-failures", "k", Some("{}"), &streams);

    let listed = machine.json(&["dlq", "ls"]).remove(0);
    let topics: Vec<_> = listed["letters"].as_array().expect("letters").iter().collect();
    assert_eq!(topics.len(), 2, "a topic of another name is read when named: {listed}");
    let spring = &listed["letters"][0];
    assert_eq!(spring["origin"]["partition"], 3);
    assert_eq!(spring["origin"]["offset"], 401);
    assert_eq!((&spring["group"], &spring["id"]), (&"billing".into(), &().into()));
    assert_eq!(spring["error"], "java.lang.IllegalStateException");
    assert_eq!(listed["letters"][1]["handler"], "jdbc-sink");
    let streams = machine.json(&["dlq", "ls", "streams-failures"]).remove(0);
    assert_eq!(streams["letters"][0]["reason"], "/ by zero");
    let shown = machine.ok(&["dlq", "show", "streams-failures[0]@0"]);
    assert!(shown.contains("--to orders --dry-run"), "{shown}");
    let shown = machine.ok(&["dlq", "show", "orders-dlt[0]@0"]);
    assert!(shown.contains("came from         orders[3]@401\n"), "{shown}");
    assert!(shown.contains("  no event\n\nnext\n"), "the value as it is: {shown}");
}

#[test]
fn what_is_not_there_is_said_with_what_to_do() {
    let (machine, writer) = machine();
    writer.bury("0193f2ab-1", 1, "k", &[]);
    writer.bury("0193f2ab-2", 2, "k", &[]);
    writer.write("orders", "k", Some("{}"), &event("x"));
    for (arguments, code, text) in [
        (&["dlq", "show", "nothing"][..], 3, "error: no dead letter `nothing`\n  looked in "),
        (&["dlq", "show", "orders[0]@0"], 3, "error: no dead letter `orders[0]@0`"),
        (&["dlq", "show", "orders.payments.dlq[0]@9"], 3, "error: no dead letter"),
        (&["dlq", "show", "0193f2ab"], 2, "error: `0193f2ab` is the beginning of 2 ids"),
        (&["dlq", "show", ""], 2, "error: name a dead letter"),
        (&["dlq", "show", "x\x1b[2J"], 3, "error: no dead letter `x\\u{1b}[2J`"),
        (&["dlq", "ls", "orders.payment.dlq"], 3, "did you mean `orders.payments.dlq`?"),
        (&["dlq", "groups", "nowhere"], 3, "error: no topic `nowhere`"),
        (&["dlq", "ls", "--since", "sometime"], 2, "is not a time"),
    ] {
        let ran = machine.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(text), "{arguments:?}: {}", ran.err);
    }
    let ran = machine.run(&["dlq", "ls", "orders"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("without the headers of dead letters: 1 record in"), "{}", ran.err);
    assert!(ran.err.contains("the dead letters of orders are in "), "{}", ran.err);
}

#[test]
fn a_cluster_without_dead_letters_says_so() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "orders"]);
    for command in ["ls", "groups"] {
        let text = machine.ok(&["dlq", command]);
        assert!(text.contains("looks like one of dead letters (*.dlq, *.DLT, *-dlt)"), "{text}");
        assert_eq!(machine.json(&["dlq", command])[0]["read"]["records"], 0);
    }
    machine.ok(&["topic", "create", "orders.payments.dlq"]);
    assert_eq!(machine.ok(&["dlq", "ls"]), "no dead letters wait in orders.payments.dlq\n");
}

#[test]
fn a_flow_shows_a_parked_event_as_it_stands() {
    let (machine, writer) = machine();
    writer.write("orders", "k", Some("{}"), &event("a"));
    let node = |machine: &Machine| machine.json(&["flow", "a"])[0]["roots"][0].clone();
    for (word, is_dead, retries) in
        [("retrying", false, 1), ("parked", true, 0), ("done", false, 0), ("discarded", true, 0)]
    {
        writer.bury("a", 0, "k", &state(word));
        let node = node(&machine);
        assert_eq!(node["dead"].is_object(), is_dead, "{word}: {node}");
        assert_eq!(node["retrying"].as_array().map(Vec::len), Some(retries), "{word}: {node}");
        assert_eq!(node["further_dead"], serde_json::json!([]), "copies are one letter");
    }
    let text = machine.ok(&["flow", "a"]);
    assert!(text.contains("discarded after 5 attempts: "), "{text}");
    assert!(text.contains("tidings dlq show a\n"), "{text}");
}
