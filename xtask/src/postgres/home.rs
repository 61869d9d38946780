//! Where a server's data is, and that its owner may go there.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::User;

use super::SYSTEM_USER;
use crate::{Outcome, place};

/// A directory of one run's own, removed when dropped.
#[derive(Debug)]
pub(super) struct Home(PathBuf);

impl Home {
    /// Below the target directory like all that chores make, unless that is closed to the owner
    /// (a tree in root's home is): then where temporary files go.
    pub(super) fn make(port: u16, owner: Option<&User>) -> Outcome<Self> {
        let (usual, other) = (place::target().join("postgres"), std::env::temp_dir());
        fs::create_dir_all(&usual)?;
        let parent = if owner.is_none() || is_open_to_all(&usual)? {
            usual
        } else if is_open_to_all(&other)? {
            other
        } else {
            let (usual, other) = (usual.display(), other.display());
            let why = format!("the user `{SYSTEM_USER}` may enter neither {usual} nor {other}");
            return Err(why.into());
        };
        let home = parent.join(format!("postgres-{port}-{}", std::process::id()));
        // Not over one that is there: it would not be ours, and could be a trap.
        DirBuilder::new().mode(0o700).create(&home)?;
        let home = Self(home);
        give(&home.0, owner)?;
        Ok(home)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn remove(&self) -> Outcome {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let dir = self.0.display();
                Err(format!("PostgreSQL's data in {dir} cannot be removed: {error}").into())
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            eprintln!("{error}");
        }
    }
}

/// Makes it the owner's, if that is not ourselves.
pub(super) fn give(path: &Path, owner: Option<&User>) -> Outcome {
    if let Some(owner) = owner {
        chown(path, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))?;
    }
    Ok(())
}

/// Whether anybody may pass through every directory on the way.
fn is_open_to_all(dir: &Path) -> Outcome<bool> {
    for dir in dir.canonicalize()?.ancestors() {
        if dir.metadata()?.permissions().mode() & 0o001 == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
