//! The contract of storage: memory, the disk and the faulty one do the same in the same order.

use std::io::ErrorKind;
use std::sync::Arc;

use proptest::prelude::*;
use tidings_log::storage::{Disk, Entry, Faulty, File, Memory, OpenMode, Storage};

const PATHS: [&str; 5] = ["a", "b", "d/x", "d/y", "d/e/z"];

#[derive(Clone, Debug)]
enum Step {
    Write { path: usize, at: u64, data: Vec<u8> },
    Truncate { path: usize, size: u64 },
    Create { path: usize },
    Rename { from: usize, to: usize },
    RenameDir,
    Remove { path: usize },
    RemoveTree,
    CreateDir,
    Sync { path: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let path = || 0..PATHS.len();
    prop_oneof![
        4 => (path(), 0..40u64, prop::collection::vec(any::<u8>(), 0..30))
            .prop_map(|(path, at, data)| Step::Write { path, at, data }),
        1 => (path(), 0..40u64).prop_map(|(path, size)| Step::Truncate { path, size }),
        3 => path().prop_map(|path| Step::Create { path }),
        1 => (path(), path()).prop_map(|(from, to)| Step::Rename { from, to }),
        1 => Just(Step::RenameDir),
        1 => path().prop_map(|path| Step::Remove { path }),
        1 => Just(Step::RemoveTree),
        2 => Just(Step::CreateDir),
        1 => path().prop_map(|path| Step::Sync { path }),
    ]
}

/// Does the step; the kind of its error.
fn apply(storage: &dyn Storage, step: &Step) -> Result<(), ErrorKind> {
    let open = |path: &usize| storage.open(PATHS[*path], OpenMode::Write);
    let done = match step {
        Step::Write { path, at, data } => open(path).and_then(|file| file.write_at(*at, data)),
        Step::Truncate { path, size } => open(path).and_then(|file| file.truncate(*size)),
        Step::Create { path } => storage.open(PATHS[*path], OpenMode::Create).map(drop),
        Step::Rename { from, to } => storage.rename(PATHS[*from], PATHS[*to]),
        Step::RenameDir => storage.rename("d/e", "d/f"),
        Step::Remove { path } => storage.remove(PATHS[*path]),
        Step::RemoveTree => storage.remove_tree("d"),
        Step::CreateDir => storage.create_dir("d/e").map(drop),
        Step::Sync { path } => open(path).and_then(|file| file.sync_data()),
    };
    done.map_err(|error| error.kind())
}

/// All files and directories with their content.
fn everything(storage: &dyn Storage, dir: &str) -> Vec<(String, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    for Entry { name, is_dir, size } in storage.list(dir).expect("it can be listed") {
        let path = tidings_log::storage::join(dir, &name);
        if is_dir {
            all.push((path.clone(), None));
            all.extend(everything(storage, &path));
            continue;
        }
        let file: Arc<dyn File> = storage.open(&path, OpenMode::Read).expect("listed");
        let mut content = vec![0; 200];
        let got = file.read_at(0, &mut content).expect("readable");
        assert_eq!((got as u64, file.size().expect("known")), (size, size));
        content.truncate(got);
        for (from, length) in [(0, 200), (0, got), (got / 2, 3), (got, 5), (got + 7, 1), (1, 0)] {
            let expected = &content[from.min(got)..(from + length).min(got).max(from.min(got))];
            assert_eq!(file.read_new(from as u64, length).expect("readable"), expected);
        }
        all.push((path, Some(content)));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn all_do_the_same(steps in prop::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().expect("a directory");
        let (disk, memory, faulty) = (Disk::new(dir.path()), Memory::new(), Faulty::new());
        for step in steps {
            // Replacing a directory that is there by another is nothing that a log ever does.
            if matches!(step, Step::RenameDir) && disk.list("d/f").is_ok() {
                continue;
            }
            let done = apply(&disk, &step);
            prop_assert_eq!(apply(&memory, &step), done, "{:?}", step);
            prop_assert_eq!(apply(&faulty, &step), done, "{:?}", step);
            let on_disk = everything(&disk, "");
            prop_assert_eq!(&everything(&memory, ""), &on_disk, "{:?}", step);
            prop_assert_eq!(&everything(&faulty, ""), &on_disk, "{:?}", step);
        }
    }
}

#[test]
fn a_removed_file_can_be_read_by_whoever_has_it_open() {
    let dir = tempfile::tempdir().expect("a directory");
    for storage in [&Disk::new(dir.path()) as &dyn Storage, &Memory::new(), &Faulty::new()] {
        let file = storage.open("f", OpenMode::Create).expect("created");
        file.write_at(0, b"content").expect("room");
        storage.remove("f").expect("it is there");
        let mut content = [0; 7];
        assert_eq!(file.read_at(0, &mut content).expect("open"), 7);
        assert_eq!(&content, b"content");
    }
}
