//! One dead letter as data: copies in, a page out.

use super::super::letter::tests::copy;
use super::*;

fn found(copies: &[Record]) -> Vec<Whole> {
    let mut found = Found::default();
    let mut index = Index::default();
    for record in copies {
        let identity = index.add(record).expect("a dead letter");
        found.see(record, &identity);
    }
    found.into_letters(&index)
}

/// The page of one letter.
fn page(copies: &[Record]) -> String {
    let letters = found(copies);
    assert_eq!(letters.len(), 1);
    text::whole(&letters[0], &TimeZone::UTC, &Screen::plain())
}

#[test]
fn a_dead_letter_for_people() {
    let headers = [
        ("__connect.errors.stage", "handle"),
        ("__connect.errors.exception.stacktrace", "at src/main.rs:42\nby \x1b[2J"),
        ("traceparent", "00-1f"),
        ("tidings-dlq-retryable", "true"),
        ("tidings-dlq-fingerprint", "ab12"),
    ];
    insta::assert_snapshot!(page(&[copy(1, &headers)]));
}

#[test]
fn a_parked_event_with_its_copies_for_people() {
    insta::assert_snapshot!(page(&[
        copy(1, &[("tidings-dlq-state", "retrying"), ("tidings-dlq-attempts", "3")]),
        copy(2, &[("tidings-dlq-state", "parked"), ("tidings-dlq-fingerprint", "ab12")]),
    ]));
}

#[test]
fn what_to_do_next_depends_on_how_it_stands() {
    for (state, line) in [
        ("done", "nothing: it is done"),
        ("discarded", "nothing: a person has given it up"),
        ("retrying", "nothing: its handler tries it again by itself"),
        ("edited", "nothing: a person has changed it"),
        ("parked", "it waits for a person"),
    ] {
        let page = page(&[copy(1, &[("tidings-dlq-state", state)])]);
        assert!(page.contains(&format!("\nnext\n  {line}")), "{state}: {page}");
        assert!(!page.contains("tidings dlq republish"), "{state}: {page}");
    }
    let waits = page(&[copy(1, &[])]);
    let command = "tidings dlq republish orders.payments.dlq[0]@1 --to orders --dry-run";
    assert!(waits.contains(command), "{waits}");
}

#[test]
fn a_dead_letter_for_scripts() {
    let copies = [
        copy(1, &[("tidings-dlq-state", "retrying")]),
        copy(2, &[("tidings-dlq-state", "parked"), ("shop", "Hamburg")]),
    ];
    insta::assert_json_snapshot!(to_json(&found(&copies)[0]));
}

#[test]
fn only_the_newest_of_many_copies_are_kept() {
    let copies: Vec<Record> =
        (0..50).map(|offset| copy(offset, &[("tidings-dlq-state", "retrying")])).collect();
    let letters = found(&copies);
    assert_eq!(letters[0].copies.len(), limits::DEAD_LETTER_COPIES);
    assert_eq!(letters[0].letter.copies, 50);
    assert_eq!(letters[0].copies.back().map(|copy| copy.address.offset.0), Some(49));
    assert!(page(&copies).contains("its copies, the newest 20 of 50\n"));
}

#[test]
fn an_event_given_up_by_two_handlers_is_two_letters() {
    let copies = [copy(1, &[]), copy(2, &[("tidings-dlq-handler", "thank")])];
    let letters = of_one_event("0193f2ab", found(&copies)).expect("one event");
    assert_eq!(letters.len(), 2);
    let other = [copy(1, &[]), copy(2, &[("ce_id", "0193f2ab-1"), ("tidings-dlq-group", "g")])];
    let failure = of_one_event("0193f2ab", found(&other)).err().expect("two events");
    assert_eq!(failure.code() as u8, 2);
    let exact = of_one_event("0193f2ab-1", found(&other)).expect("an id");
    assert_eq!(exact.len(), 1);
}
