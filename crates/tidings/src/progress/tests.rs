//! The commit metadata: round trips, damage, and bytes that must never change their meaning.

use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;

fn progress() -> impl Strategy<Value = Progress> {
    let runs = proptest::collection::vec((1i64..2000, 1i64..300), 0..120);
    let names = proptest::collection::vec("[a-z]{1,12}", 0..6);
    let store = proptest::option::of(any::<[u8; 16]>().prop_map(StoreId));
    let outages = proptest::collection::vec((any::<prop::sample::Index>(), 0i64..1 << 37), 0..3);
    let all = (0i64..i64::MAX / 2, names, store, outages, runs);
    all.prop_map(|(committed, handlers, store, outages, runs)| {
        let outages = outages.into_iter().filter(|_| !handlers.is_empty());
        let outages = outages.map(|(place, seconds): (prop::sample::Index, i64)| Outage {
            handler: handlers[place.index(handlers.len())].clone(),
            since: Timestamp::from_millis(seconds * 1000).expect("a time"),
        });
        let outages: Vec<Outage> = outages.collect();
        let mut at = committed;
        let finished = runs.into_iter().map(|(gap, len)| {
            let start = at + gap;
            at = start + len;
            start..at
        });
        let finished = finished.collect();
        Progress { committed, handlers, store, outages, finished }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(progress in progress()) {
        let text = progress.encode();
        prop_assert!(text.len() <= PROGRESS_MAX_CHARS);
        let read = Progress::decode(&text, progress.committed).expect("our own");
        prop_assert_eq!(&read.handlers, &progress.handlers);
        prop_assert_eq!(read.store, progress.store);
        // What did not fit is missing from the end, nothing else; what is for people goes first.
        prop_assert_eq!(&read.finished[..], &progress.finished[..read.finished.len()]);
        let fits = worst_case_chars(
            names_bytes(progress.handlers.iter().map(String::as_str))
                + progress.store.map_or(0, |_| STORE_BYTES),
            progress.finished.last().map_or(0, |run| run.end.abs_diff(progress.committed)),
            progress.finished.len(),
        ) <= PROGRESS_MAX_CHARS;
        prop_assert!(!fits || read.finished == progress.finished);
        let is_whole = read.finished == progress.finished && !read.outages.is_empty();
        // Two handlers of one name are one to whoever reads.
        let named = |progress: &Progress| -> Vec<(String, Timestamp)> {
            progress.outages.iter().map(|o| (o.handler.clone(), o.since)).collect()
        };
        prop_assert!(read.outages.is_empty() || (is_whole && named(&read) == named(&progress)));
        let is_short = text.len() < PROGRESS_MAX_CHARS / 2;
        prop_assert!(!is_short || read.outages.len() == progress.outages.len());
    }

    #[test]
    fn beside_another_offset_nothing_counts(progress in progress(), other in 0i64..i64::MAX) {
        prop_assume!(other != progress.committed);
        let written = progress.committed;
        let expected = Err(NotProgress::OtherOffset { written, committed: other });
        prop_assert_eq!(Progress::decode(&progress.encode(), other), expected);
    }

    #[test]
    fn damage_is_noticed(progress in progress(), at: prop::sample::Index, with in "[A-Za-z0-9_-]") {
        let text = progress.encode();
        let at = at.index(text.len());
        let damaged = format!("{}{with}{}", &text[..at], &text[at + 1..]);
        prop_assume!(damaged != text);
        prop_assert!(Progress::decode(&damaged, progress.committed).is_err());
        prop_assert!(Progress::decode(&text[..at], progress.committed).is_err());
    }

    #[test]
    fn strangers_do_no_harm(text in ".{0,200}", committed: i64) {
        prop_assert!(Progress::decode(&text, committed).is_err());
    }

    #[test]
    fn any_bytes_in_our_frame_do_no_harm(
        version in VERSION..=VERSION_WITH_OUTAGES,
        body in proptest::collection::vec(any::<u8>(), 0..200),
        committed: i64,
    ) {
        let mut bytes = [&[MAGIC, version][..], &body].concat();
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        let _ = Progress::decode(&URL_SAFE_NO_PAD.encode(bytes), committed);
    }
}

/// Written by earlier versions: these must be read for ever.
#[test]
fn fixtures_keep_their_meaning() {
    let fixtures = [
        ("VAEqAQZjaGFyZ2UAAMG0sI8", 42, vec!["charge"], vec![]),
        ("VAEqAQZjaGFyZ2UABgHIATm8BQSYD5E", 42, vec!["charge"], vec![43..243, 300..1000]),
        ("VAGAgICAEAABBFWqVQFO6iHj", 1 << 32, vec![], bits()),
    ];
    for (text, committed, handlers, finished) in fixtures {
        let handlers = handlers.into_iter().map(str::to_owned).collect();
        let expected = Progress { committed, handlers, finished, ..Progress::default() };
        assert_eq!(expected.encode(), text);
        assert_eq!(Progress::decode(text, committed), Ok(expected));
    }
}

#[test]
fn a_fixture_with_a_store_keeps_its_meaning() {
    let text = "VAIqAQZjaGFyZ2UBiQAAAABAAIAAAAAAAAAqAAYByAE5vAVICfDM";
    let expected = Progress {
        committed: 42,
        handlers: vec!["charge".to_owned()],
        store: Some("01890000-0000-4000-8000-00000000002a".parse().unwrap()),
        finished: vec![43..243, 300..1000],
        ..Progress::default()
    };
    assert_eq!(expected.encode(), text);
    assert_eq!(expected.store.unwrap().to_string(), "01890000-0000-4000-8000-00000000002a");
    assert_eq!(Progress::decode(text, 42), Ok(expected));
}

#[test]
fn a_fixture_with_an_outage_keeps_its_meaning() {
    let text = "VAMqAgZjaGFyZ2UGcmVmdW5kAQHLy6TYBgEBiQAAAABAAIAAAAAAAAAqAAYByAE5vAW9ocsM";
    let since = "2026-11-27T06:40:11.5Z".parse().unwrap();
    let expected = Progress {
        committed: 42,
        handlers: vec!["charge".to_owned(), "refund".to_owned()],
        store: Some("01890000-0000-4000-8000-00000000002a".parse().unwrap()),
        outages: Outage::new("refund", since).into_iter().collect(),
        finished: vec![43..243, 300..1000],
    };
    assert_eq!(expected.outages[0].since.to_string(), "2026-11-27T06:40:11Z");
    assert_eq!(expected.encode(), text);
    assert_eq!(Progress::decode(text, 42), Ok(expected));
}

fn bits() -> Vec<Range<i64>> {
    let first = (1i64 << 32) + 1;
    let run = |(from, to)| first + from..first + to;
    let alone = [0, 2, 4, 6, 9, 11, 13].map(|bit| (bit, bit + 1));
    let after = [18, 20, 22, 24].map(|bit| (bit, bit + 1));
    alone.into_iter().chain([(15, 17)]).chain(after).map(run).collect()
}

#[test]
fn what_cannot_be_read_says_why() {
    let cases = [
        ("", "carries no metadata"),
        ("from another tool!", "no base64url"),
        ("bm90IG91cnM", "begins with another byte"),
        ("VAQAAAAAAA", "has version 4"),
        ("VAEqAQZjaGFyZ2UAAMG0sI9", "no base64url"),
        ("VAEqAQZjaGFyZ2UBAMG0sI8", "checksum is wrong"),
        ("VAE", "ends early"),
    ];
    for (text, expected) in cases {
        let error = Progress::decode(text, 42).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let long = "A".repeat(5000);
    assert!(Progress::decode(&long, 42).is_err());
}
