//! The index's bytes, and look-ups in memory and in the file against a plain walk.

use proptest::prelude::*;

use super::*;
use crate::storage::{Memory, OpenMode, Storage};

fn header(base: i64, count: i32, max_timestamp: i64) -> BatchHeader {
    let bytes = crate::testing::BatchBuilder::filled(count as usize, 1, max_timestamp).build();
    let mut header = BatchHeader::parse(&bytes).expect("a built batch parses");
    header.base_offset = Offset(base);
    header
}

/// Batches as (base offset, position, max timestamp), and the index built from them.
fn built(steps: &[(i32, u64, i64)], interval: u64) -> (Vec<(i64, u64, i64)>, IndexBuilder) {
    let (mut base, mut position) = (0i64, 32u64);
    let mut builder = IndexBuilder::default();
    let mut batches = Vec::new();
    for &(count, size, timestamp) in steps {
        builder.add(&header(base, count, timestamp), position, interval);
        batches.push((base, position, timestamp));
        base += i64::from(count);
        position += size;
    }
    (batches, builder)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn look_ups_find_a_place_at_or_before_the_batch(
        steps in prop::collection::vec((1..5i32, 70..5000u64, 0..1000i64), 1..80),
        interval in prop_oneof![Just(0u64), 1..20_000u64],
    ) {
        let (batches, builder) = built(&steps, interval);
        let (max_timestamp, max_timestamp_position) = builder.max_timestamp().expect("not empty");
        let &(last, position, _) = batches.last().expect("not empty");
        let (covered, next) = (position + 1, Offset(last + 5));
        let summary = IndexSummary {
            base: Offset(0), covered, next, max_timestamp, max_timestamp_position,
        };
        let memory = Memory::new();
        memory.put("i", encode(&summary, &builder.entries));
        let file = memory.open("i", OpenMode::Read).expect("it is there");
        let head = read_head(&*file).expect("memory").expect("sound");
        prop_assert_eq!(head.summary, summary);
        let entries = read_entries(&*file, &head).expect("memory").expect("sound");
        prop_assert_eq!(&entries, &builder.entries);
        for (n, &(base, position, timestamp)) in batches.iter().enumerate() {
            let found = builder.find_offset(Offset(base)).expect("not empty");
            prop_assert!(found.offset <= Offset(base) && found.position <= position);
            prop_assert!(position - found.position < interval.max(1) + 5000);
            let in_file = find_in_file(&*file, head.entries, |e| e.offset <= Offset(base));
            prop_assert_eq!(in_file.expect("memory"), Some(found));

            let first = batches.iter().position(|b| b.2 >= timestamp).expect("at least itself");
            prop_assert!(first <= n);
            let found = builder.find_time(timestamp).expect("not empty");
            prop_assert!(found.position <= batches[first].1);
            let in_file =
                find_in_file(&*file, head.entries, |e| e.max_timestamp_before < timestamp);
            prop_assert_eq!(in_file.expect("memory"), Some(found));
        }
    }
}

/// Found by fuzzing: entries with a right checksum that point backwards, or behind what is covered.
#[test]
fn entries_that_make_no_sense_are_damage() {
    let entry = |offset, position| IndexEntry {
        offset: Offset(offset),
        position,
        max_timestamp_before: NOTHING_BEFORE,
    };
    let summary = IndexSummary {
        base: Offset(0),
        covered: 332,
        next: Offset(4),
        max_timestamp: 9,
        max_timestamp_position: 132,
    };
    for (entries, sound) in [
        ([entry(0, 32), entry(2, 132)], true),
        ([entry(0, 132), entry(2, 32)], false),
        ([entry(2, 32), entry(0, 132)], false),
        ([entry(0, 32), entry(2, 332)], false),
    ] {
        let memory = Memory::new();
        memory.put("i", encode(&summary, &entries));
        let file = memory.open("i", OpenMode::Read).expect("it is there");
        let head = read_head(&*file).expect("memory").expect("sound");
        let read = read_entries(&*file, &head).expect("memory");
        assert_eq!(read.is_ok(), sound, "{entries:?}");
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let (_, builder) = built(&[(1, 100, 5), (2, 100, 9), (1, 100, 7)], 0);
    let summary = IndexSummary {
        base: Offset(0),
        covered: 332,
        next: Offset(4),
        max_timestamp: 9,
        max_timestamp_position: 132,
    };
    let bytes = encode(&summary, &builder.entries);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let memory = Memory::new();
        memory.put("i", damaged);
        let file = memory.open("i", OpenMode::Read).expect("it is there");
        let sound = match read_head(&*file).expect("memory") {
            Ok(head) => read_entries(&*file, &head).expect("memory").is_ok(),
            Err(_) => false,
        };
        assert!(!sound, "bit {bit}");
    }
}
