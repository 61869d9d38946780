//! Storage whose syncs wait at a gate, so that a test decides when the disk is done.

use std::io;
use std::sync::{Arc, Condvar, Mutex};

use tidings_log::storage::faulty::Faulty;
use tidings_log::storage::{Entry, File, OpenMode, Storage};

/// Files in memory; while the gate is closed, syncs do not return.
#[derive(Debug, Clone, Default)]
pub struct Gated {
    pub disk: Faulty,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Gated {
    pub fn close(&self) {
        *self.gate.closed.lock().expect("lock") = true;
    }

    pub fn open(&self) {
        *self.gate.closed.lock().expect("lock") = false;
        self.gate.changed.notify_all();
    }
}

impl Storage for Gated {
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let file = self.disk.open(path, mode)?;
        Ok(Arc::new(GatedFile { file, gate: self.gate.clone() }))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<Entry>> {
        self.disk.list(dir)
    }

    fn create_dir(&self, dir: &str) -> io::Result<bool> {
        self.disk.create_dir(dir)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn remove_tree(&self, dir: &str) -> io::Result<()> {
        self.disk.remove_tree(dir)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
}

#[derive(Debug)]
struct GatedFile {
    file: Arc<dyn File>,
    gate: Arc<Gate>,
}

impl File for GatedFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, position: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(position, buf)
    }

    fn write_parts_at(&self, position: u64, parts: &[&[u8]]) -> io::Result<()> {
        self.file.write_parts_at(position, parts)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.file.truncate(size)
    }

    fn sync_data(&self) -> io::Result<()> {
        let closed = self.gate.closed.lock().expect("lock");
        drop(self.gate.changed.wait_while(closed, |closed| *closed).expect("lock"));
        self.file.sync_data()
    }
}
