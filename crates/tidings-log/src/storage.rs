//! Where files live: the one door between the log and the disk, so that tests can own the disk.
//!
//! Paths are relative, with `/` between their parts, and never contain `..`.

mod disk;
pub mod faulty;
mod memory;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

pub use disk::Disk;
pub use faulty::Faulty;
pub use memory::Memory;

/// One open file. All methods may be called from several threads at once.
pub trait File: Send + Sync + Debug {
    /// The file's length in bytes.
    ///
    /// # Errors
    /// Whatever the operating system reports.
    fn size(&self) -> io::Result<u64>;

    /// Reads up to `buf.len()` bytes at `position`; fewer only at the end of the file.
    ///
    /// # Errors
    /// Whatever the operating system reports.
    fn read_at(&self, position: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Reads up to `length` bytes at `position` into new memory; fewer only at the end of the file.
    /// A disk does not clear that memory first, which readers of whole logs would notice.
    ///
    /// # Errors
    /// Whatever the operating system reports.
    fn read_new(&self, position: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut data = vec![0; length];
        let got = self.read_at(position, &mut data)?;
        data.truncate(got);
        Ok(data)
    }

    /// Writes all of `parts`, one behind the other, at `position`: with one call where the system
    /// allows. On an error any prefix of them may have been written.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] when the disk is full, else what the system reports.
    fn write_parts_at(&self, position: u64, parts: &[&[u8]]) -> io::Result<()>;

    /// Writes all of `data`, like [`File::write_parts_at`].
    ///
    /// # Errors
    /// As there.
    fn write_at(&self, position: u64, data: &[u8]) -> io::Result<()> {
        self.write_parts_at(position, &[data])
    }

    /// Cuts the file (or extends it with zeros) to `size` bytes.
    ///
    /// # Errors
    /// Whatever the operating system reports.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Makes everything written so far survive power loss. After an error nobody knows what is on
    /// the disk, and a second call may lie: the caller must not write on.
    ///
    /// # Errors
    /// Whatever the operating system reports.
    fn sync_data(&self) -> io::Result<()>;
}

/// What a directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name within the directory.
    pub name: String,
    /// Whether it is a directory itself.
    pub is_dir: bool,
    /// Length in bytes; 0 for a directory.
    pub size: u64,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// It must exist; writing fails.
    Read,
    /// It must exist.
    Write,
    /// It is created, or emptied if it exists.
    Create,
}

/// A tree of directories and files.
pub trait Storage: Send + Sync + Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] and whatever else the operating system reports.
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn File>>;

    /// Lists a directory, sorted by name.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] and whatever else the operating system reports.
    fn list(&self, dir: &str) -> io::Result<Vec<Entry>>;

    /// Creates a directory and all that is missing above it, so that they survive power loss.
    /// Returns whether it was created now.
    ///
    /// # Errors
    /// Whatever the operating system reports.
    fn create_dir(&self, dir: &str) -> io::Result<bool>;

    /// Renames a file or directory, replacing an existing file. Survives power loss only after
    /// [`Storage::sync_dir`] of the directory.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] and whatever else the operating system reports.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Open handles keep reading it.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] and whatever else the operating system reports.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Removes a directory and all below it.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] and whatever else the operating system reports.
    fn remove_tree(&self, dir: &str) -> io::Result<()>;

    /// Makes the names in `dir` (new, renamed, removed) survive power loss.
    ///
    /// # Errors
    /// Whatever the operating system reports.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
}

/// `dir/name`, where an empty `dir` is the root.
pub fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// Whether the error says that the disk (or the quota, or the memory budget) is full: retriable.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Reads exactly `buf.len()` bytes at `position`.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] when the file ends before.
pub(crate) fn read_exact_at(file: &dyn File, position: u64, buf: &mut [u8]) -> io::Result<()> {
    if file.read_at(position, buf)? == buf.len() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends before the expected bytes"))
    }
}

/// Reads a whole file that is known to be small.
///
/// # Errors
/// What opening and reading report; [`io::ErrorKind::FileTooLarge`] beyond `limit_bytes`.
pub(crate) fn read_all(storage: &dyn Storage, path: &str, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let file = storage.open(path, OpenMode::Read)?;
    let size = file.size()?;
    if size > limit_bytes {
        let text = format!("{path} has {size} bytes, more than the {limit_bytes} it may have");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    let mut data = vec![0; size as usize];
    let got = file.read_at(0, &mut data)?;
    data.truncate(got);
    Ok(data)
}
