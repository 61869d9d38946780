//! Storage that fails on command, for tests: the nth write or sync, a full disk, half a write, and
//! a power cut that keeps only what was synced.
//!
//! All operations that change something are counted, over all files, beginning with 1. What was
//! synced is remembered beside the live files: [`Faulty::after_power_cut`] is the disk as it would
//! be found, with files whose names were not synced missing and unsynced bytes gone. A sync that
//! fails takes what it should have written for written, as kernels do: a later one that succeeds
//! has nothing of it, unless it was written again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Entry, File, Memory, OpenMode, Storage};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The nth change (write, cut, creation, rename, removal, sync) reports an I/O error.
    Change(u64),
    /// The nth write reports an I/O error after half of its bytes.
    ShortWrite(u64),
    /// The nth write finds the disk full after half of its bytes.
    FullAt(u64),
    /// The nth sync of a file reports an I/O error.
    Sync(u64),
    /// From the nth write on the disk is full, until [`Faulty::heal`].
    FullFrom(u64),
    /// The nth write reports an I/O error, and so does every cut after it.
    WriteAndCut(u64),
}

/// Files in memory with scripted failures. Clones share the same files and the same script.
#[derive(Clone, Debug, Default)]
pub struct Faulty {
    live: Memory,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    fault: Option<Fault>,
    counts: Counts,
    /// Names that would survive a power cut: the path, and the id of the file behind it.
    names: BTreeMap<String, u64>,
    dirs: BTreeSet<String>,
    /// Synced content by id: a file keeps it when it is renamed.
    contents: BTreeMap<u64, Vec<u8>>,
    /// By id, what the next sync has to do.
    dirty: BTreeMap<u64, Dirty>,
    /// The id of the file that now has a path.
    ids: BTreeMap<String, u64>,
    next_id: u64,
}

/// What changed in a file since its last sync, or its last failed one.
#[derive(Debug)]
struct Dirty {
    /// The shortest that it was.
    kept: u64,
    written: Vec<Range<u64>>,
}

impl Default for Dirty {
    fn default() -> Dirty {
        Dirty { kept: u64::MAX, written: Vec::new() }
    }
}

/// How many operations there were so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Of all kinds that change something.
    pub changes: u64,
    /// Writes.
    pub writes: u64,
    /// Syncs of files.
    pub syncs: u64,
}

impl Faulty {
    /// Empty, and without a fault.
    pub fn new() -> Faulty {
        Faulty::default()
    }

    /// Files that are all on the disk already, as a machine finds them when it starts.
    pub fn from_disk(memory: Memory) -> Faulty {
        let mut state = State { dirs: memory.dirs().into_iter().collect(), ..State::default() };
        for path in memory.paths() {
            state.next_id += 1;
            let id = state.next_id;
            state.contents.insert(id, memory.content(&path).unwrap_or_default());
            state.names.insert(path.clone(), id);
            state.ids.insert(path, id);
        }
        Faulty { live: memory, state: Arc::new(Mutex::new(state)) }
    }

    /// Sets what goes wrong, counted from the operations so far.
    pub fn script(&self, fault: Fault) {
        let mut state = self.state();
        let counts = state.counts;
        state.fault = Some(match fault {
            Fault::Change(n) => Fault::Change(n + counts.changes),
            Fault::ShortWrite(n) => Fault::ShortWrite(n + counts.writes),
            Fault::FullAt(n) => Fault::FullAt(n + counts.writes),
            Fault::Sync(n) => Fault::Sync(n + counts.syncs),
            Fault::FullFrom(n) => Fault::FullFrom(n + counts.writes),
            Fault::WriteAndCut(n) => Fault::WriteAndCut(n + counts.writes),
        });
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.state().fault = None;
    }

    /// How many operations there were so far.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// The files as the process sees them: what is left after `kill -9`.
    pub fn live(&self) -> &Memory {
        &self.live
    }

    /// The files as they would be found after a power cut.
    pub fn after_power_cut(&self) -> Memory {
        let state = self.state();
        let memory = Memory::new();
        for dir in &state.dirs {
            // Memory creates directories without failing.
            let _ = memory.create_dir(dir);
        }
        for (path, id) in &state.names {
            memory.put(path, state.contents.get(id).cloned().unwrap_or_default());
        }
        memory
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn change(&mut self) -> io::Result<()> {
        self.counts.changes += 1;
        match self.fault {
            Some(Fault::Change(n)) if n == self.counts.changes => Err(broken()),
            _ => Ok(()),
        }
    }

    /// Counts a write; the error that it ends with after half of its bytes, if any.
    fn write(&mut self) -> Result<(), io::Error> {
        self.counts.writes += 1;
        self.change()?;
        let now = self.counts.writes;
        match self.fault {
            Some(Fault::ShortWrite(n) | Fault::WriteAndCut(n)) if n == now => Err(broken()),
            Some(Fault::FullAt(n)) if n == now => Err(full()),
            Some(Fault::FullFrom(n)) if now >= n => Err(full()),
            _ => Ok(()),
        }
    }

    fn cut(&mut self) -> io::Result<()> {
        self.change()?;
        match self.fault {
            Some(Fault::WriteAndCut(n)) if self.counts.writes >= n => Err(broken()),
            _ => Ok(()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.counts.syncs += 1;
        self.change()?;
        match self.fault {
            Some(Fault::Sync(n)) if n == self.counts.syncs => Err(broken()),
            _ => Ok(()),
        }
    }
}

fn broken() -> io::Error {
    io::Error::other("the disk is broken (scripted)")
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "the disk is full (scripted)")
}

impl Storage for Faulty {
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        if mode == OpenMode::Create {
            state.change()?;
        }
        let live = self.live.open(path, mode)?;
        let id = match state.ids.get(path) {
            Some(id) => *id,
            None => {
                state.next_id += 1;
                let id = state.next_id;
                state.ids.insert(path.to_owned(), id);
                id
            }
        };
        if mode == OpenMode::Create {
            state.dirty.entry(id).or_default().kept = 0;
        }
        Ok(Arc::new(FaultyFile { live, id, state: Arc::clone(&self.state) }))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<Entry>> {
        self.live.list(dir)
    }

    fn create_dir(&self, dir: &str) -> io::Result<bool> {
        let mut state = self.state();
        state.change()?;
        state.dirs.insert(dir.to_owned());
        self.live.create_dir(dir)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        self.live.rename(from, to)?;
        let inside = format!("{from}/");
        let moved: Vec<String> = state
            .ids
            .keys()
            .filter(|path| *path == from || path.starts_with(&inside))
            .cloned()
            .collect();
        for path in moved {
            let Some(id) = state.ids.remove(&path) else { continue };
            state.ids.insert(format!("{to}{}", &path[from.len()..]), id);
        }
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        self.live.remove(path)?;
        state.ids.remove(path);
        Ok(())
    }

    fn remove_tree(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        self.live.remove_tree(dir)?;
        let inside = format!("{dir}/");
        state.ids.retain(|path, _| !path.starts_with(&inside));
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let listed = self.live.list(dir)?;
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let direct =
            |path: &str| path.strip_prefix(&prefix).is_some_and(|rest| !rest.contains('/'));
        state.names.retain(|path, _| !direct(path));
        for entry in listed.iter().filter(|entry| !entry.is_dir) {
            let path = format!("{prefix}{}", entry.name);
            if let Some(id) = state.ids.get(&path).copied() {
                state.names.insert(path, id);
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct FaultyFile {
    live: Arc<dyn File>,
    id: u64,
    state: Arc<Mutex<State>>,
}

impl FaultyFile {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl File for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        self.live.size()
    }

    fn read_at(&self, position: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.live.read_at(position, buf)
    }

    fn write_parts_at(&self, position: u64, parts: &[&[u8]]) -> io::Result<()> {
        let mut state = self.state();
        let failed = state.write();
        let mut data = parts.concat();
        if failed.is_err() {
            data.truncate(data.len() / 2);
        }
        let written = position..position + data.len() as u64;
        state.dirty.entry(self.id).or_default().written.push(written);
        self.live.write_at(position, &data)?;
        failed
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let mut state = self.state();
        state.cut()?;
        let dirty = state.dirty.entry(self.id).or_default();
        dirty.kept = dirty.kept.min(size);
        self.live.truncate(size)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        let dirty = state.dirty.remove(&self.id).unwrap_or_default();
        state.sync()?;
        let size = self.live.size()?;
        let content = state.contents.entry(self.id).or_default();
        content.truncate(usize::try_from(dirty.kept).unwrap_or(usize::MAX));
        content.resize(size as usize, 0);
        for range in dirty.written {
            let range = range.start.min(size) as usize..range.end.min(size) as usize;
            self.live.read_at(range.start as u64, &mut content[range])?;
        }
        Ok(())
    }
}
