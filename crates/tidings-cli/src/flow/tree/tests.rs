//! Flows as data: events in, trees out, for scripts and for people.

use jiff::Timestamp;
use tidings::dead_letter::LetterState;
use tidings::{Offset, PartitionId, RecordAddress};

use super::*;
use crate::flow::{Scanned, Target, json, render};
use crate::output::Screen;
use crate::record::Key;

fn address(text: &str) -> RecordAddress {
    text.parse().expect("an address")
}

/// An event from a line: `id cause type source ms topic[partition]@offset`.
fn fact(line: &str) -> Fact {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [id, cause, ty, source, ms, place] = words[..] else { panic!("six words: {line}") };
    Fact {
        id: id.to_owned(),
        source: source.to_owned(),
        ty: format!("com.example.{ty}.v1"),
        subject: Some("order/1042".to_owned()),
        address: address(place),
        time: Timestamp::from_millisecond(1_770_000_000_000 + ms.parse::<i64>().expect("ms")).ok(),
        correlation: None,
        cause: (cause != "-").then(|| cause.to_owned()),
        attempts: None,
    }
}

fn index(lines: &[&str], wanted: &str) -> Index {
    let mut index = Index::default();
    index.facts = lines.iter().map(|line| fact(line)).collect();
    index.wanted = vec![wanted.to_owned()];
    index
}

/// The tree as nested ids: `a(b(c) d)`.
fn shape(nodes: &[Node]) -> String {
    let one = |node: &Node| match node.children.is_empty() {
        true => node.fact.id.clone(),
        false => format!("{}({})", node.fact.id, shape(&node.children)),
    };
    nodes.iter().map(one).collect::<Vec<_>>().join(" ")
}

const ORDER: &[&str] = &[
    "a - order.placed /orders 0 orders[3]@401",
    "b a payment.taken /payments 38 payments[3]@398",
    "c b stock.reserved /inventory 61 stock[3]@377",
    "d c parcel.shipped /shipping 371 parcels[3]@350",
    "e d customer.told /notifications 412 notices[0]@3",
    "f b customer.told /notifications 70 notices[0]@2",
    "x - order.placed /orders 5 orders[2]@7",
];

fn order_with_dead_letter() -> Vec<Node> {
    let mut index = index(ORDER, "c");
    let dead = Dead {
        address: address("orders.loyalty.dlq[0]@0"),
        original: Some(address("orders[3]@401")),
        service: Some("loyalty".to_owned()),
        attempts: Some(5),
        reason: "no such customer: 00391".to_owned(),
        time: Timestamp::from_millisecond(1_770_000_000_044).ok(),
        state: None,
    };
    index.dead.push((Fact { address: dead.address.clone(), ..fact(ORDER[0]) }, dead));
    grow(index)
}

fn scanned() -> Scanned {
    Scanned {
        from: None,
        to: Timestamp::from_millisecond(1_770_000_001_000).expect("a time"),
        records: 2_114,
        topics: ["notices", "orders", "parcels", "payments"].map(str::to_owned).to_vec(),
    }
}

#[test]
fn any_event_of_a_flow_leads_to_all_of_it_and_to_nothing_else() {
    for wanted in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(shape(&grow(index(ORDER, wanted))), "a(b(c(d(e)) f))", "{wanted}");
    }
    assert_eq!(shape(&grow(index(ORDER, "x"))), "x");
    assert_eq!(shape(&grow(index(ORDER, "unknown"))), "");
}

#[test]
fn events_of_others_are_connected_by_their_correlation_alone() {
    let mut index = index(ORDER, "x");
    for (at, correlation) in [(0, "shared"), (6, "shared")] {
        index.facts[at].correlation = Some(correlation.to_owned());
    }
    assert_eq!(shape(&grow(index)), "a(b(c(d(e)) f)) x");
}

#[test]
fn a_cause_that_is_not_there_is_named() {
    let roots = grow(index(&ORDER[1..], "d"));
    assert_eq!(shape(&roots), "b(c(d(e)) f)");
    assert_eq!(roots[0].missing_cause.as_deref(), Some("a"));
    let key = Target::Key(Key::parse("order=1042"));
    let text = render::flow(&key, &roots, &scanned(), &Screen::plain());
    assert!(text.contains("\n(caused by a, which is not in what was scanned)\npayment"), "{text}");
}

#[test]
fn a_repeated_event_is_one_node_with_its_copies_counted() {
    let mut lines = ORDER.to_vec();
    lines.push("b a payment.taken /payments 90 payments[3]@399");
    let roots = grow(index(&lines, "a"));
    let payment = &roots[0].children[0];
    assert_eq!((payment.copies, payment.fact.address.offset), (2, Offset(398)));
}

#[test]
fn events_that_cause_each_other_end() {
    let circle = ["a c t /s 0 t[0]@0", "b a t /s 1 t[0]@1", "c b t /s 2 t[0]@2"];
    assert_eq!(shape(&grow(index(&circle, "b"))), "a(b(c))");
    assert_eq!(shape(&grow(index(&["a a t /s 0 t[0]@0"], "a"))), "a");
}

#[test]
fn a_very_long_chain_is_bounded_in_depth_and_complete() {
    let lines: Vec<String> = (0..5_000)
        .map(|n| {
            let cause = if n == 0 { "-".to_owned() } else { (n - 1).to_string() };
            format!("{n} {cause} t /s {n} t[0]@{n}")
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let roots = grow(index(&lines, "4999"));
    assert_eq!(roots.len(), 1);
    assert_eq!(walk(&roots[0]).count(), 5_000);
    let _ = json::flow(&roots, &scanned());
}

#[test]
fn a_dead_letter_whose_event_is_out_of_range_stands_for_it() {
    let mut index = index(&[], "a");
    let dead = Dead {
        address: address("orders.loyalty.dlq[0]@0"),
        original: Some(address("orders[3]@401")),
        service: None,
        attempts: None,
        reason: "no".to_owned(),
        time: None,
        state: None,
    };
    index.dead.push((Fact { address: dead.address.clone(), ..fact(ORDER[0]) }, dead));
    let roots = grow(index);
    assert_eq!(roots[0].fact.address, address("orders[3]@401"));
    assert_eq!((roots[0].copies, roots[0].dead.len()), (1, 1));
    assert_eq!(roots[0].fact.address.partition, PartitionId(3));
}

/// The order whose dead letter stands like this.
fn order_with(state: Option<LetterState>) -> Vec<Node> {
    let mut index = index(ORDER, "a");
    let dead = Dead {
        address: address("orders.loyalty.dlq[0]@0"),
        original: Some(address("orders[3]@401")),
        service: Some("loyalty".to_owned()),
        attempts: Some(2),
        reason: "no such customer: 00391".to_owned(),
        time: None,
        state,
    };
    index.dead.push((fact(ORDER[0]), dead));
    grow(index)
}

#[test]
fn a_dead_letter_is_shown_as_it_stands() {
    let key = Target::Key(Key::parse("order=1042"));
    for (state, head, line) in [
        (None, Some(" · 1 dead letter · "), "✗ order.placed dead letter after 2 attempts"),
        (Some(LetterState::Parked), Some(" · 1 dead letter · "), "✗ order.placed parked after 2"),
        (Some(LetterState::Edited), Some(" · 1 dead letter · "), "✗ order.placed edited after 2"),
        (
            Some(LetterState::Discarded),
            Some(" · 1 dead letter · "),
            "✗ order.placed discarded after 2",
        ),
        (
            Some(LetterState::Retrying),
            Some(" · 1 tried again · "),
            "↻ order.placed is tried again after",
        ),
        (Some(LetterState::Done), None, ""),
    ] {
        let roots = order_with(state);
        let text = render::flow(&key, &roots, &scanned(), &Screen::plain());
        let words: Vec<&str> = text.split_whitespace().collect();
        match head {
            Some(head) => assert!(text.contains(head), "{state:?}: {text}"),
            None => assert!(!text.contains("dead letter") && !text.contains('✗'), "{text}"),
        }
        let (mark, sentence) = line.split_once("order.placed ").unwrap_or_default();
        assert!(text.contains(mark), "{state:?}: {text}");
        assert!(words.join(" ").contains(sentence), "{state:?}: {text}");
        let json = json::flow(&roots, &scanned());
        let is_dead = state != Some(LetterState::Retrying) && state != Some(LetterState::Done);
        let root = &json["roots"][0];
        assert_eq!(root["dead"].is_object(), is_dead, "{state:?}");
        let retrying = root["retrying"].as_array().map(Vec::len);
        assert_eq!(retrying, Some(usize::from(state == Some(LetterState::Retrying))), "{state:?}");
    }
}

#[test]
fn a_dead_letter_in_a_topic_of_another_name_is_shown_by_its_address() {
    let mut roots = order_with(None);
    roots[0].dead[0].address = address("failures[0]@7");
    let key = Target::Key(Key::parse("order=1042"));
    let text = render::flow(&key, &roots, &scanned(), &Screen::plain());
    assert!(text.contains("  tidings dlq show failures[0]@7\n"), "{text}");
}

#[test]
fn a_flow_for_people() {
    let key = Target::Key(Key::parse("order=1042"));
    let text = render::flow(&key, &order_with_dead_letter(), &scanned(), &Screen::plain());
    insta::assert_snapshot!(text);
}

#[test]
fn a_flow_for_scripts() {
    let mut roots = order_with_dead_letter();
    roots[0].children.truncate(1);
    roots[0].children[0].children.clear();
    insta::assert_json_snapshot!(json::flow(&roots, &scanned()));
}
