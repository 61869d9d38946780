//! Events: published from flags, files and standard input; watched; found by their ids.

use std::process::Stdio;

use std::io::{BufRead, BufReader};

use crate::machine::{Machine, Running, lines, tidings};

#[test]
fn an_event_from_flags_is_published_and_read_again() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "orders", "--partitions", "2"]);
    let published = machine.json(&[
        "event",
        "publish",
        "orders",
        "--type",
        "com.example.order.placed.v1",
        "--key",
        "1042",
        "--subject",
        "order/1042",
        "--source",
        "/shop/orders",
        "--header",
        "shop=Hamburg",
        "--data",
        r#"{"order_id":"1042"}"#,
    ]);
    let published = &published[0];
    assert_eq!(published["schema"], 1);
    assert_eq!(published["topic"], "orders");
    assert_eq!(published["source"], "/shop/orders");
    assert_eq!(published["offset"], 0);

    let seen = machine.json(&["event", "tail", "orders", "--until-end"]).remove(0);
    assert_eq!(seen["id"], published["id"]);
    assert_eq!(seen["type"], "com.example.order.placed.v1");
    assert_eq!(seen["subject"], "order/1042");
    assert_eq!(seen["data"]["order_id"], "1042");
    assert_eq!(seen["kafkatopic"], "orders");
    assert_eq!(seen["kafkapartition"], published["partition"].to_string());
    assert_eq!(seen["kafkaoffset"], "0");
    assert_eq!(seen["kafkakey"], "1042");
    assert!(seen["kafkatimestamp"].is_string());

    let id = published["id"].as_str().expect("an id");
    let text = machine.ok(&["event", "get", id]);
    assert!(text.contains("header shop"), "{text}");
    assert!(text.contains("Hamburg"), "{text}");
    assert!(text.contains(r#""order_id": "1042""#), "{text}");
    assert_eq!(machine.json(&["event", "get", id])[0]["id"], id);
    let place = format!("orders[{}]@0", published["partition"]);
    assert_eq!(machine.json(&["event", "get", &place])[0]["id"], id);
}

#[test]
fn the_text_after_publishing_is_id_and_place() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "t", "--partitions", "1"]);
    let text = machine.ok(&["event", "publish", "t", "--type", "a.b", "--data", "1"]);
    let (id, place) = text.trim().split_once("  ").expect("two columns");
    assert_eq!((id.len(), place), (36, "t[0]@0"));
}

fn event(id: &str, more: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"{id}","source":"/a","type":"a.b","data":{{}}{more}}}"#)
}

#[test]
fn many_events_from_lines_with_the_bad_ones_told() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "t", "--partitions", "1"]);
    let input = [&event("1", ""), "no json", &event("2", ""), r#"{"id":"3"}"#].join("\n");
    let ran = machine.run_with(&["event", "publish", "t", "--from", "-", "--json"], &input);
    assert_eq!(ran.code, 6, "{}", ran.err);
    let ids: Vec<_> = lines(&ran.out).iter().map(|line| line["id"].clone()).collect();
    assert_eq!(ids, ["1", "2"]);
    assert!(ran.err.contains("line 2: "), "{}", ran.err);
    assert!(ran.err.contains("line 4: "), "{}", ran.err);
    assert!(ran.err.contains("error: 2 lines of standard input were not published"), "{}", ran.err);

    let ran =
        machine.run_with(&["event", "publish", "t", "--from", "-", "--all-or-nothing"], &input);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("has 2 bad lines; nothing was published"), "{}", ran.err);
    assert_eq!(machine.json(&["topic", "ls"])[0]["topics"][0]["records"], 2);
}

#[test]
fn what_tail_prints_can_be_published_again() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "from", "--partitions", "2"]);
    machine.ok(&["topic", "create", "to", "--partitions", "2"]);
    for n in 0..20 {
        machine.publish("from", "a.b", &["--key", &format!("k{}", n % 5), "--subject", "s/1"]);
        if n == 5 {
            break;
        }
    }
    let text = machine.ok(&["event", "tail", "from", "--until-end", "--json"]);
    let file = machine.directory.path().join("events.jsonl");
    std::fs::write(&file, &text).expect("written");
    machine.ok(&["event", "publish", "to", "--from", &file.display().to_string()]);
    let strip = |text: &str| {
        let mut all: Vec<_> = lines(text)
            .into_iter()
            .map(|mut line| {
                for name in ["kafkatopic", "kafkaoffset", "kafkatimestamp", "kafkapartition"] {
                    line.as_object_mut().expect("an object").remove(name);
                }
                line.to_string()
            })
            .collect();
        all.sort();
        all
    };
    let again = machine.ok(&["event", "tail", "to", "--until-end", "--json"]);
    assert_eq!(strip(&text), strip(&again));
}

#[test]
fn a_tail_begins_where_it_is_told_and_filters() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "t", "--partitions", "3"]);
    for n in 0..6 {
        let (key, subject) = (format!("k{n}"), format!("order/{n}"));
        let ty =
            if n % 2 == 0 { "com.example.order.placed.v1" } else { "com.example.order.paid.v1" };
        machine.publish("t", ty, &["--key", &key, "--subject", &subject]);
    }
    let keys = |more: &[&str]| -> Vec<String> {
        let arguments = [&["event", "tail", "t", "--until-end"], more].concat();
        let mut keys: Vec<String> = machine
            .json(&arguments)
            .iter()
            .map(|line| line["kafkakey"].as_str().expect("a key").to_owned())
            .collect();
        if more.first() != Some(&"--from") {
            keys.sort();
        }
        keys
    };
    assert_eq!(keys(&[]), ["k0", "k1", "k2", "k3", "k4", "k5"]);
    assert_eq!(keys(&["--from", "-2"]), ["k4", "k5"]);
    assert_eq!(keys(&["--from", "end"]), [""; 0]);
    assert_eq!(keys(&["--from", "1h"]).len(), 6);
    assert_eq!(keys(&["--from", "2099-01-01"]), [""; 0]);
    assert_eq!(keys(&["--type", "order.paid"]), ["k1", "k3", "k5"]);
    assert_eq!(keys(&["--key", "k3"]), ["k3"]);
    assert_eq!(keys(&["--key", "order=4"]), ["k4"]);
}

#[test]
fn a_tail_shows_what_comes_while_it_watches() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "t", "--partitions", "1"]);
    let mut command = tidings();
    command.args(["event", "tail", "t", "--from", "beginning", "--json"]);
    command.env("TIDINGS_BOOTSTRAP", &machine.bootstrap).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the binary");
    let out = child.stdout.take().expect("piped");
    let mut tail = Running(child);
    let mut lines = BufReader::new(out).lines();
    for _ in 0..2 {
        let published = machine.publish("t", "a.b", &[]);
        let line = lines.next().expect("a line").expect("text");
        assert!(line.contains(published["id"].as_str().expect("an id")), "{line}");
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(tail.0.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it runs");
    assert_eq!(tail.wait(), Some(130));
}

#[test]
fn a_tail_into_a_closed_pipe_ends_quietly() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "t", "--partitions", "1"]);
    for _ in 0..3 {
        machine.publish("t", "a.b", &[]);
    }
    let mut command = tidings();
    command.args(["event", "tail", "t", "--from", "beginning"]);
    command.env("TIDINGS_BOOTSTRAP", &machine.bootstrap).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary");
    let out = child.stdout.take().expect("piped");
    let err = child.stderr.take().expect("piped");
    let mut tail = Running(child);
    let mut lines = BufReader::new(out).lines();
    lines.next().expect("a line").expect("text");
    drop(lines);
    machine.publish("t", "a.b", &[]);
    machine.publish("t", "a.b", &[]);
    assert_eq!(tail.wait(), Some(0));
    assert_eq!(crate::machine::rest(err), "");
}

#[test]
fn bad_events_are_refused_with_the_reason() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "orders"]);
    let large = machine.directory.path().join("large.json");
    std::fs::write(&large, format!("\"{}\"", "x".repeat(2 * 1024 * 1024))).expect("written");
    let large = format!("@{}", large.display());
    for (arguments, code, text) in [
        (&["--type", "a.b", "--data", "{oops"][..], 2, "error: --data is no JSON: "),
        (&["--type", "a.b", "--data", &large], 1, "put large data elsewhere"),
        (&["--type", "a.b", "--data", "@/nowhere"], 3, "error: cannot read /nowhere: "),
        (&["--from", "/nowhere"], 3, "error: cannot read /nowhere: "),
        (&["--data", "{}"], 2, "--type <TYPE>"),
        (&["--type", "a.b"], 2, "--data <JSON|@FILE>"),
        (&["--type", "a.b", "--data", "1", "--header", "x"], 2, "`--header x` is not NAME=VALUE"),
        (&["--type", "", "--data", "1"], 1, "type"),
    ] {
        let ran = machine.run(&[&["event", "publish", "orders"], arguments].concat());
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(text), "{arguments:?}: {}", ran.err);
    }
    let ran = machine.run(&["event", "publish", "ordesr", "--type", "a.b", "--data", "1"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("did you mean `orders`?"), "{}", ran.err);
    assert_eq!(machine.json(&["topic", "ls"])[0]["topics"][0]["records"], 0);
}

#[test]
fn an_unknown_id_is_not_found_and_the_range_is_said() {
    let machine = Machine::start();
    machine.ok(&["topic", "create", "orders"]);
    machine.publish("orders", "a.b", &[]);
    let ran = machine.run(&["event", "get", "nobody"]);
    assert_eq!(ran.code, 3);
    assert_eq!(
        ran.err,
        "error: no event `nobody`\n  scanned orders from the beginning (1 record)\n  \
         help: see what is there:  tidings event tail TOPIC --from beginning\n"
    );
}
