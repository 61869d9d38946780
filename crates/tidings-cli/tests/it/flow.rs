//! Flows: all that one event caused and was caused by, across topics, dead letters included.

use crate::machine::Machine;

fn event(id: &str, cause: Option<&str>, ty: &str, source: &str, ms: u32) -> String {
    let cause = cause.map(|cause| format!(r#","causationid":"{cause}""#)).unwrap_or_default();
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"{source}","type":"com.example.{ty}.v1",
        "subject":"order/1042","time":"2026-03-01T10:00:00.{ms:03}Z","partitionkey":"1042"{cause},
        "correlationid":"a","data":{{}}}}"#
    )
    .replace('\n', "")
}

/// An order, its payment, its stock; and a dead letter of the order.
fn order(machine: &Machine) {
    for topic in ["orders", "payments", "stock", "orders.loyalty.dlq", "other"] {
        machine.ok(&["topic", "create", topic, "--partitions", "1"]);
    }
    let placed = event("a", None, "order.placed", "/orders", 0);
    let publish = |topic: &str, line: &str, more: &[&str]| {
        let arguments = [&["event", "publish", topic, "--from", "-"], more].concat();
        let ran = machine.run_with(&arguments, line);
        assert_eq!(ran.code, 0, "{}", ran.err);
    };
    publish("orders", &placed, &[]);
    publish("payments", &event("b", Some("a"), "payment.taken", "/payments", 38), &[]);
    publish("stock", &event("c", Some("b"), "stock.reserved", "/inventory", 61), &[]);
    let headers = [
        "--header",
        "__connect.errors.topic=orders",
        "--header",
        "__connect.errors.partition=0",
        "--header",
        "__connect.errors.offset=0",
        "--header",
        "__connect.errors.exception.message=no such customer: 00391",
        "--header",
        "tidings-dlq-group=loyalty",
        "--header",
        "tidings-dlq-attempts=5",
    ];
    publish("orders.loyalty.dlq", &placed, &headers);
    machine.publish("other", "com.example.unrelated.v1", &["--subject", "order/7"]);
}

#[test]
fn a_flow_is_found_by_any_of_its_ids_and_by_its_key() {
    let machine = Machine::start();
    order(&machine);
    for asked in [
        &["flow", "a"][..],
        &["flow", "c"],
        &["flow", "--key", "order=1042"],
        &["flow", "--key", "1042"],
    ] {
        let flow = machine.json(asked).remove(0);
        assert_eq!(flow["scanned"]["records"], 5, "{asked:?}");
        assert_eq!(flow["scanned"]["topics"].as_array().map(Vec::len), Some(5));
        let roots = flow["roots"].as_array().expect("roots");
        assert_eq!(roots.len(), 1, "{flow}");
        let root = &roots[0];
        assert_eq!((&root["id"], &root["service"]), (&"a".into(), &"orders".into()));
        assert_eq!(root["dead"]["reason"], "no such customer: 00391");
        assert_eq!(root["dead"]["topic"], "orders.loyalty.dlq");
        assert_eq!(root["attempts"], 5);
        let payment = &root["children"][0];
        assert_eq!((&payment["id"], &payment["after_ms"]), (&"b".into(), &38.into()));
        let stock = &payment["children"][0];
        assert_eq!((&stock["id"], &stock["topic"]), (&"c".into(), &"stock".into()));
        assert_eq!(stock["children"], serde_json::json!([]));
        assert_eq!(stock["dead"], serde_json::Value::Null);
    }
}

#[test]
fn a_flow_for_people_is_a_tree() {
    let machine = Machine::start();
    order(&machine);
    let text = machine.ok(&["flow", "--key", "order=1042"]);
    let tree = text.split_once("\n\n").expect("a headline and a tree").1;
    let without_times = tree.lines().map(|line| match line.find("orders.loyalty") {
        Some(_) => {
            line.split("  ").filter(|part| !part.contains(" d")).collect::<Vec<_>>().join("  ")
        }
        None => line.to_owned(),
    });
    let tree: Vec<String> = without_times.collect();
    assert_eq!(tree[0].trim_end(), tree[0]);
    assert!(tree[0].starts_with("order.placed "), "{tree:#?}");
    assert!(tree[1].starts_with("├─ payment.taken "), "{tree:#?}");
    assert!(tree[2].starts_with("│  └─ stock.reserved "), "{tree:#?}");
    assert!(tree[3].starts_with("└─ ✗ order.placed "), "{tree:#?}");
    let all = "dead letter after 5 attempts: \"no such customer: 00391\"  tidings dlq show a";
    assert!(text.contains(all), "{text}");
    assert!(text.contains("order 1042 · 3 events in 3 services · 61 ms · 1 dead letter · scanned"));
}

#[test]
fn a_flow_that_is_not_there_is_not_found() {
    let machine = Machine::start();
    order(&machine);
    let ran = machine.run(&["flow", "--key", "order=9"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.starts_with("error: no event of order 9\n  scanned "), "{}", ran.err);
    let ran = machine.run(&["flow"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
}

#[test]
fn a_range_that_leaves_the_cause_out_says_so() {
    let machine = Machine::start();
    order(&machine);
    let ran = machine.run(&["flow", "c", "--since", "2099-01-01"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("from 2099-01-01"), "{}", ran.err);
    assert!(ran.err.contains("help: scan more:  --since 2d"), "{}", ran.err);
}
