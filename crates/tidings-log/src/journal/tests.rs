//! The journal: what was appended is found again, whatever happened to the tail.

use proptest::prelude::*;

use super::*;
use crate::storage::Memory;

const PATH: &str = "meta/offsets.journal";

fn open(memory: &Memory) -> (Journal, Vec<Bytes>, JournalRecovery) {
    Journal::open(Arc::new(memory.clone()), PATH).expect("it opens")
}

fn written(entries: &[Vec<u8>]) -> Memory {
    let memory = Memory::new();
    let (mut journal, found, _) = open(&memory);
    assert!(found.is_empty());
    for entry in entries {
        journal.append(entry).expect("memory takes it");
    }
    memory
}

fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| vec![n as u8; n * 7 % 40]).collect()
}

#[test]
fn cut_at_every_byte_the_whole_entries_before_are_found() {
    let all = entries(40);
    let content = written(&all).content(PATH).expect("written");
    let mut ends = vec![FILE_HEADER_BYTES];
    for entry in &all {
        ends.push(ends[ends.len() - 1] + 8 + entry.len());
    }
    for cut in 0..content.len() {
        for filled in [false, true] {
            let mut bytes = content[..cut].to_vec();
            if filled {
                bytes.resize(content.len(), 0);
            }
            let memory = Memory::new();
            memory.put(PATH, bytes);
            if filled && (1..FILE_HEADER_BYTES).contains(&cut) {
                // Half a header and then zeros is not what a crash leaves.
                assert!(Journal::open(Arc::new(memory), PATH).is_err());
                continue;
            }
            let (mut journal, found, recovery) = open(&memory);
            let whole = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
            assert_eq!(found, all[..whole], "cut at {cut}");
            assert_eq!(recovery.kept_aside, None);
            journal.append(b"next").expect("memory takes it");
            drop(journal);
            let (_, found, recovery) = open(&memory);
            assert_eq!((found.len(), &found[whole][..]), (whole + 1, &b"next"[..]));
            assert_eq!(recovery, JournalRecovery::default());
        }
    }
}

#[test]
fn whole_entries_behind_damage_are_kept_aside() {
    let memory = written(&entries(20));
    let mut content = memory.content(PATH).expect("written");
    let at = content.len() / 2;
    content[at] ^= 1;
    memory.put(PATH, content.clone());
    let (_, found, recovery) = open(&memory);
    assert!(!found.is_empty() && found.len() < 20);
    let aside = recovery.kept_aside.expect("whole entries follow");
    let kept = memory.content(&aside).expect("it was written");
    assert_eq!(kept.len() as u64, recovery.cut_bytes);
    assert!(content.ends_with(&kept));
}

#[test]
fn a_newer_or_foreign_file_is_refused_with_a_sentence() {
    let memory = Memory::new();
    let newer = crate::file_header::Kind { version: 9, ..JOURNAL };
    memory.put(PATH, newer.header().to_vec());
    let error = Journal::open(Arc::new(memory.clone()), PATH).expect_err("newer").to_string();
    assert!(error.contains("format version 9") && error.contains(PATH), "{error}");
    memory.put(PATH, b"#!/bin/sh\necho this is no journal\n".to_vec());
    let error = Journal::open(Arc::new(memory), PATH).expect_err("foreign").to_string();
    assert!(error.contains("is not a journal"), "{error}");
}

proptest! {
    #[test]
    fn appended_and_rewritten_entries_are_found_again(
        steps in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..50), 0..10u8), 1..40),
    ) {
        let memory = Memory::new();
        let (mut journal, _, _) = open(&memory);
        let mut model: Vec<Vec<u8>> = Vec::new();
        for (entry, kind) in steps {
            match kind {
                0 => {
                    model = model.split_off(model.len() / 2);
                    journal.rewrite(model.iter().map(Vec::as_slice)).expect("memory takes it");
                    prop_assert_eq!(journal.synced_position(), journal.position());
                }
                1 => {
                    drop(journal);
                    let (opened, found, recovery) = open(&memory);
                    prop_assert_eq!(&found, &model);
                    prop_assert_eq!(recovery, JournalRecovery::default());
                    journal = opened;
                }
                _ => {
                    journal.append(&entry).expect("memory takes it");
                    model.push(entry);
                }
            }
        }
        let synced = journal.plan_sync().run().expect("memory syncs");
        journal.synced(synced);
        prop_assert_eq!(journal.synced_position(), journal.position());
        drop(journal);
        prop_assert_eq!(open(&memory).1, model);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let memory = Memory::new();
        let content = [&JOURNAL.header()[..], &bytes].concat();
        memory.put(PATH, content);
        open(&memory);
    }
}
