//! The list as data: copies in, lines out.

use super::super::letter::tests::{copy, letter};
use super::*;

fn read() -> Read {
    Read { topics: vec!["orders.payments.dlq".to_owned()], records: 9, left_out: 0 }
}

/// A letter per line: offset, event id, key, state (`-` is none).
fn letters(lines: &[&str]) -> Vec<Letter> {
    lines
        .iter()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [offset, id, key, state] = words[..] else { panic!("four words: {line}") };
            let mut headers = vec![("__connect.errors.offset", offset), ("ce_id", id)];
            if state != "-" {
                headers.push(("tidings-dlq-state", state));
            }
            let mut record = copy(offset.parse().expect("a number"), &headers);
            record.key = (key != "-").then(|| key.to_owned().into());
            letter(&[record])
        })
        .collect()
}

#[test]
fn a_list_for_people() {
    let letters = letters(&[
        "1 0193f2ab-0000-7000-8000-000000000001 1042 -",
        "2 0193f2ab-0000-7000-8000-000000000002 1042 parked",
        "4 0193f2ac-0000-7000-8000-000000000004 1042 parked",
        "5 invoice-77 7 retrying",
        "6 0193f2ad-0000-7000-8000-000000000006 - parked",
        "7 0193f2ae-0000-7000-8000-000000000007 9 done",
        "8 0193f2af-0000-7000-8000-000000000008 9 discarded",
    ]);
    insta::assert_snapshot!(text(&letters, false, &read(), &TimeZone::UTC, &Screen::plain()));
    insta::assert_snapshot!(text(&letters, true, &read(), &TimeZone::UTC, &Screen::plain()));
}

#[test]
fn a_list_for_scripts() {
    let letters = letters(&["1 invoice-77 1042 parked", "2 invoice-78 9 done"]);
    insta::assert_json_snapshot!(to_json(&letters, false, &read()));
    assert_eq!(to_json(&letters, true, &read())["letters"].as_array().map(Vec::len), Some(2));
}

#[test]
fn parked_events_of_one_key_are_one_row_headed_by_the_first_of_them() {
    let letters = letters(&["5 e 1042 parked", "3 c 1042 parked", "4 d 7 parked", "6 f 1042 -"]);
    let all: Vec<&Letter> = letters.iter().collect();
    let rows: Vec<_> = rows(&all)
        .iter()
        .map(|row| (row.letter.id.clone().unwrap_or_default(), row.events))
        .collect();
    assert_eq!(rows, [("c".to_owned(), 2), ("d".to_owned(), 1), ("f".to_owned(), 1)]);
}

#[test]
fn ids_are_as_short_as_they_can_be() {
    let letters = letters(&[
        "1 0193f2ab-0000-7000-8000-000000000001 k -",
        "2 0193f2ab-0000-7111-8000-000000000002 k -",
        "3 0193f2ac-0000-7000-8000-000000000003 k -",
        "4 short k -",
        "5 $(reboot) k -",
        "6 --help k -",
    ]);
    let ids = ShortIds::of(&letters);
    let names: Vec<String> = letters.iter().map(|letter| ids.name(letter)).collect();
    assert_eq!(
        names,
        [
            "0193f2ab-0000-70",
            "0193f2ab-0000-71",
            "0193f2ac",
            "short",
            "orders.payments.dlq[0]@5",
            "orders.payments.dlq[0]@6"
        ]
    );
}

#[test]
fn what_is_over_is_hidden_and_counted() {
    let letters = letters(&["1 a k done"]);
    assert_eq!(
        text(&letters, false, &read(), &TimeZone::UTC, &Screen::plain()),
        "no dead letters wait in orders.payments.dlq\n\
         1 dead letter is over (done or discarded):  --all\n"
    );
}
