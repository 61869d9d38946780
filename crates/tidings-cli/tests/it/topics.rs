//! Topics: made, listed, shown, deleted.

use crate::machine::Machine;

#[test]
fn a_topic_from_its_making_to_its_end() {
    let machine = Machine::start();
    let ls = machine.ok(&["topic", "ls"]);
    assert!(ls.starts_with("no topics at "), "{ls}");
    let created = machine.ok(&[
        "topic",
        "create",
        "orders",
        "--partitions",
        "3",
        "--config",
        "retention.ms=3600000",
    ]);
    assert_eq!(created, "created orders with 3 partitions\n");
    machine.publish("orders", "a.b", &["--key", "k"]);
    machine.publish("orders", "a.b", &["--key", "k"]);
    assert_eq!(
        machine.ok(&["topic", "ls"]),
        "  topic   partitions  records\n  orders           3        2\n"
    );
    let listed = machine.json(&["topic", "ls"]);
    assert_eq!(listed[0]["schema"], 1);
    assert_eq!(listed[0]["topics"][0]["records"], 2);
    let shown = machine.json(&["topic", "show", "orders"]).remove(0);
    assert_eq!(shown["partitions"].as_array().map(Vec::len), Some(3));
    assert_eq!(shown["settings"]["retention.ms"]["value"], "3600000");
    let text = machine.ok(&["topic", "show", "orders"]);
    assert!(text.starts_with("orders  3 partitions · 2 records\n"), "{text}");
    assert!(text.contains("retention.ms  3600000"), "{text}");

    let preview = machine.ok(&["topic", "delete", "orders", "--dry-run"]);
    assert_eq!(preview, "would delete orders with 2 records\n");
    assert_eq!(machine.json(&["topic", "ls"])[0]["topics"][0]["topic"], "orders");
    assert_eq!(machine.ok(&["topic", "delete", "orders"]), "deleted orders with 2 records\n");
    assert!(machine.ok(&["topic", "ls"]).starts_with("no topics"));
}

#[test]
fn a_dry_run_makes_nothing() {
    let machine = Machine::start();
    let said = machine.ok(&["topic", "create", "orders", "--partitions", "2", "--dry-run"]);
    assert_eq!(said, "would create orders with 2 partitions\n");
    assert!(machine.ok(&["topic", "ls"]).starts_with("no topics"));
}

#[test]
fn what_cannot_be_made_is_said_with_the_reason() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "orders"]);
    for (arguments, code, text) in [
        (&["topic", "create", "orders"][..], 1, "error: the topic `orders` exists already\n"),
        (&["topic", "create", "a/b"], 1, "a name has 1 to 249 letters, digits"),
        (&["topic", "create", "x", "--config", "retention.ms"], 2, "is not NAME=VALUE"),
        (&["topic", "create", "x", "--partitions", "0"], 2, "invalid value '0'"),
        (&["topic", "show", "ordesr"], 3, "did you mean `orders`?  tidings topic ls"),
        (&["topic", "delete", "nothing"], 3, "error: no topic `nothing` at "),
    ] {
        let ran = machine.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(text), "{arguments:?}: {}", ran.err);
    }
}
