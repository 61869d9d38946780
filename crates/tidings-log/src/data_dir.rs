//! The data directory as a whole: one process at a time, and a format version that is checked.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use thiserror::Error;

use crate::storage::{Disk, Storage};

/// Name of the file that says which version of the layout the directory has.
pub const FORMAT_FILE: &str = "format";
/// Name of the file whose lock the process holds.
pub const LOCK_FILE: &str = "lock";
/// Newest version of the layout that this program knows.
pub const FORMAT_VERSION: u32 = 1;

const FORMAT_TITLE: &str = "tidings data directory, format ";
const LOCK_TITLE: &str = "tidings lock, format 1";
/// Far more than the two files have.
const TEXT_LIMIT_BYTES: u64 = 4096;

/// A locked data directory. Dropping it gives the lock back, and so does the end of the process,
/// however it ends: the lock is the operating system's, the file only says who has it.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    storage: Arc<Disk>,
    /// Holds the lock for as long as it is open.
    _lock: File,
}

/// Why a data directory could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// Another process has it.
    #[error(
        "{} is in use by {holder}; stop that process or choose another directory", path.display()
    )]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// What the lock file says about the other process.
        holder: String,
    },
    /// A newer version of Tidings wrote it.
    #[error(
        "{} has format version {found}, this program knows versions up to {known}; \
         use the newer program that wrote it", path.display()
    )]
    NewerFormat {
        /// The data directory.
        path: PathBuf,
        /// Version in the directory.
        found: u32,
        /// Newest version that this program reads.
        known: u32,
    },
    /// It holds files, but is none of ours.
    #[error("{} is not empty and not a data directory of Tidings; choose another", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl DataDir {
    /// Creates the directory if it is missing, takes its lock, and checks its format version.
    ///
    /// # Errors
    /// [`DataDirError`]; the text names the directory and what to do.
    pub fn open(path: &Path) -> Result<DataDir, DataDirError> {
        let storage = Arc::new(Disk::new(path));
        storage.create_dir("").map_err(|source| io_error("create directory", path, source))?;
        let known = read_format(path)?;
        if known.is_none() {
            refuse_foreign(path)?;
        }
        let lock = take_lock(path)?;
        if known.is_none() {
            write_format(path, &storage)?;
        }
        Ok(DataDir { path: path.to_owned(), storage, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files in it.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.storage) as Arc<dyn Storage>
    }
}

/// The directory's format version; `None` if it says none.
///
/// # Errors
/// [`DataDirError::NewerFormat`], [`DataDirError::Foreign`] for a file of another kind.
pub(crate) fn read_format(path: &Path) -> Result<Option<u32>, DataDirError> {
    let file = path.join(FORMAT_FILE);
    let text = match fs::File::open(&file).and_then(|file| read_text(&file)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", &file, error)),
    };
    // A power loss right after the file was created leaves it empty: then nothing else is there.
    if text.trim_matches(['\0', '\n']).is_empty() {
        return Ok(None);
    }
    let version = text.strip_prefix(FORMAT_TITLE).and_then(|rest| rest.trim_end().parse().ok());
    match version {
        None | Some(0) => Err(DataDirError::Foreign { path: path.to_owned() }),
        Some(found) if found > FORMAT_VERSION => {
            let known = FORMAT_VERSION;
            Err(DataDirError::NewerFormat { path: path.to_owned(), found, known })
        }
        Some(version) => Ok(Some(version)),
    }
}

/// Who holds the directory's lock, if anybody does; takes nothing.
pub(crate) fn holder(path: &Path) -> Option<String> {
    let file = File::open(path.join(LOCK_FILE)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(describe_holder(&file)),
        _ => None,
    }
}

fn refuse_foreign(path: &Path) -> Result<(), DataDirError> {
    let entries = fs::read_dir(path).map_err(|source| io_error("list", path, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| io_error("list", path, source))?;
        let name = entry.file_name();
        // What a file system or a first start that was cut short leaves in an empty directory.
        let harmless = [LOCK_FILE, FORMAT_FILE, "format.tmp", "lost+found"];
        if !harmless.iter().any(|known| name == *known) {
            return Err(DataDirError::Foreign { path: path.to_owned() });
        }
    }
    Ok(())
}

fn take_lock(path: &Path) -> Result<File, DataDirError> {
    let file = path.join(LOCK_FILE);
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).open(&file);
    let mut lock = opened.map_err(|source| io_error("open", &file, source))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = describe_holder(&lock);
            return Err(DataDirError::InUse { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(io_error("lock", &file, source)),
    }
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = started.map_or(0, |since| since.as_secs());
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_name).unwrap_or_default();
    let text = format!(
        "{LOCK_TITLE}\npid {}\nprogram {}\nstarted {}\n",
        std::process::id(),
        program.to_string_lossy(),
        rfc3339(seconds),
    );
    let written = lock.set_len(0).and_then(|()| lock.write_all(text.as_bytes()));
    written.map_err(|source| io_error("write", &file, source))?;
    Ok(lock)
}

/// The other process, as its lock file describes it.
fn describe_holder(lock: &File) -> String {
    let text = read_text(lock).unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or("unknown")
    };
    format!("process {} ({}, started {})", field("pid"), field("program"), field("started"))
}

fn write_format(path: &Path, storage: &Disk) -> Result<(), DataDirError> {
    let (temporary, file) = (path.join("format.tmp"), path.join(FORMAT_FILE));
    let written = (|| {
        let mut out = File::create(&temporary)?;
        out.write_all(format!("{FORMAT_TITLE}{FORMAT_VERSION}\n").as_bytes())?;
        out.sync_all()?;
        fs::rename(&temporary, &file)?;
        storage.sync_dir("")
    })();
    written.map_err(|source| io_error("write", &file, source))
}

fn read_text(mut file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(TEXT_LIMIT_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> DataDirError {
    DataDirError::Io { action, path: path.to_owned(), source }
}

/// Seconds since 1970 as a date and time of day in UTC (Howard Hinnant's civil-from-days).
fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let leap = day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096;
    let year_of_era = leap / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_who_has_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("data");
        let first = DataDir::open(&path).expect("it is free");
        let error = DataDir::open(&path).expect_err("it is taken").to_string();
        let pid = format!("in use by process {}", std::process::id());
        assert!(error.contains(&pid) && error.contains("started 20"), "{error}");
        assert!(holder(&path).is_some());
        drop(first);
        assert_eq!(holder(&path), None);
        DataDir::open(&path).expect("it is free again");
    }

    #[test]
    fn newer_and_foreign_directories_are_refused_with_a_sentence() {
        let dir = tempfile::tempdir().expect("a directory");
        drop(DataDir::open(dir.path()).expect("an empty directory is taken"));
        fs::write(dir.path().join(FORMAT_FILE), "tidings data directory, format 2\n")
            .expect("write");
        let error = DataDir::open(dir.path()).expect_err("newer").to_string();
        assert!(error.contains("has format version 2, this program knows versions up to 1"));
        fs::write(dir.path().join(FORMAT_FILE), "something else").expect("write");
        let error = DataDir::open(dir.path()).expect_err("foreign").to_string();
        assert!(error.contains("not a data directory of Tidings"), "{error}");

        let home = tempfile::tempdir().expect("a directory");
        fs::write(home.path().join("letter.txt"), "dear").expect("write");
        let error = DataDir::open(home.path()).expect_err("foreign").to_string();
        assert!(error.contains("is not empty"), "{error}");
        assert!(!home.path().join(LOCK_FILE).exists(), "nothing was left in it");
    }

    #[test]
    fn times_are_written_as_people_read_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_446_875, "2026-11-23T15:14:35Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
