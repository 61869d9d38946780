//! The data directory as a whole: one process at a time, and a format version that is checked.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::storage::{Disk, Storage};

/// A locked data directory. Dropping it gives the lock back.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    storage: Arc<Disk>,
}

/// Why a data directory could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// Another process has it.
    #[error("{} is in use by {holder}; stop that process or choose another directory", path.display())]
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
        let _ = path;
        todo!()
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
