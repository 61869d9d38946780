//! Storage on the real disk, below one root directory.

use std::fs;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::uio::pwritev;
use rustix::buffer::spare_capacity;

use super::{Entry, File, OpenMode, Storage};

/// The most parts of one call (IOV_MAX of Linux and macOS).
const MAX_PARTS: usize = 1_024;

/// Files below a root directory of the operating system.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// A tree below `root`; nothing is touched until something is asked for.
    pub fn new(root: impl Into<PathBuf>) -> Disk {
        Disk { root: root.into() }
    }

    /// The root directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

impl Storage for Disk {
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::Write => {
                options.write(true);
            }
            OpenMode::Create => {
                options.write(true).create(true).truncate(true);
            }
        }
        Ok(Arc::new(DiskFile(options.open(self.path(path))?)))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.path(dir))? {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            // A file may go away between the two calls (retention in another thread).
            let Ok(metadata) = entry.metadata() else { continue };
            let is_dir = metadata.is_dir();
            entries.push(Entry { name, is_dir, size: if is_dir { 0 } else { metadata.len() } });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn create_dir(&self, dir: &str) -> io::Result<bool> {
        let path = self.path(dir);
        if path.is_dir() {
            return Ok(false);
        }
        let missing: Vec<&Path> = path.ancestors().take_while(|p| !p.exists()).collect();
        fs::create_dir_all(&path)?;
        for created in missing {
            if let Some(parent) = created.parent() {
                let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                fs::File::open(parent)?.sync_all()?;
            }
        }
        Ok(true)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn remove_tree(&self, dir: &str) -> io::Result<()> {
        fs::remove_dir_all(self.path(dir))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        fs::File::open(self.path(dir))?.sync_all()
    }
}

#[derive(Debug)]
struct DiskFile(fs::File);

impl File for DiskFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, position: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.0.read_at(&mut buf[done..], position + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn read_new(&self, position: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut data = Vec::with_capacity(length);
        while data.len() < length {
            let at = position + data.len() as u64;
            match rustix::io::pread(&self.0, spare_capacity(&mut data), at) {
                Ok(0) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // The allocator may have given more.
        data.truncate(length);
        Ok(data)
    }

    fn write_parts_at(&self, position: u64, parts: &[&[u8]]) -> io::Result<()> {
        let mut position = position;
        for some in parts.chunks(MAX_PARTS) {
            let mut slices: Vec<IoSlice<'_>> = some.iter().map(|part| IoSlice::new(part)).collect();
            let mut left = &mut slices[..];
            // Empty parts in front are passed by here, so that "nothing written" means an error.
            IoSlice::advance_slices(&mut left, 0);
            while !left.is_empty() {
                let at = i64::try_from(position).map_err(|_| io::ErrorKind::FileTooLarge)?;
                match pwritev(&self.0, left, at) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => {
                        position += written as u64;
                        IoSlice::advance_slices(&mut left, written);
                    }
                    Err(Errno::EINTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
