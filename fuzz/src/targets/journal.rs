//! A journal's file, as it is or as entries with right checksums and something behind them.

use std::sync::Arc;

use tidings_log::Journal;
use tidings_log::storage::Memory;

use crate::files;
use crate::input::Input;

const PATH: &str = "state/x.journal";

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let raw = input.byte() & 1 == 1;
    let content = if raw {
        input.0.to_vec()
    } else {
        let entries: Vec<&[u8]> = (0..input.byte() % 8).map(|_| input.piece()).collect();
        let mut content = files::journal(entries.iter().copied());
        content.extend_from_slice(input.0);
        content
    };
    let memory = Memory::new();
    memory.put(PATH, content);
    let storage = Arc::new(memory);
    let Ok((mut journal, found, _)) = Journal::open(storage.clone(), PATH) else { return };
    journal.append(b"one more").expect("memory takes it");
    drop(journal);
    let (mut journal, again, recovery) = Journal::open(storage.clone(), PATH).expect("again");
    assert_eq!(recovery.cut_bytes, 0, "the first opening has cut what there was to cut");
    assert_eq!(again[..found.len()], found[..]);
    assert_eq!(again[found.len()..], [&b"one more"[..]]);
    journal.rewrite(again.iter().map(|entry| &entry[..])).expect("memory takes it");
    drop(journal);
    let (_, rewritten, _) = Journal::open(storage, PATH).expect("rewritten");
    assert_eq!(rewritten, again);
}
