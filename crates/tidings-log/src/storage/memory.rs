//! Storage in memory: the same log code runs without a disk, and tests snapshot and bend it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Entry, File, OpenMode, Storage};

/// A tree of files in memory. Clones share the same tree; [`Memory::snapshot`] copies it.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    tree: Arc<RwLock<Tree>>,
}

#[derive(Debug, Default)]
struct Tree {
    dirs: BTreeMap<String, ()>,
    files: BTreeMap<String, Arc<MemoryFile>>,
}

#[derive(Debug, Default)]
struct MemoryFile(RwLock<Vec<u8>>);

impl Memory {
    /// An empty tree.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// A copy of all files and directories as they are now, independent of this one.
    #[must_use]
    pub fn snapshot(&self) -> Memory {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        let files = tree.files.iter().map(|(path, file)| {
            let data = file.0.read().unwrap_or_else(PoisonError::into_inner).clone();
            (path.clone(), Arc::new(MemoryFile(RwLock::new(data))))
        });
        let copy = Tree { dirs: tree.dirs.clone(), files: files.collect() };
        Memory { tree: Arc::new(RwLock::new(copy)) }
    }

    /// Bytes held by all files together.
    pub fn bytes(&self) -> u64 {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        tree.files.values().map(|file| file.len() as u64).sum()
    }

    /// The content of a file, if it exists.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        let file = tree.files.get(path)?;
        Some(file.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Puts a file with this content, creating or replacing it and its directories.
    pub fn put(&self, path: &str, content: Vec<u8>) {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((dir, _)) = path.rsplit_once('/') {
            tree.add_dirs(dir);
        }
        tree.files.insert(path.to_owned(), Arc::new(MemoryFile(RwLock::new(content))));
    }

    /// The paths of all directories, sorted.
    pub fn dirs(&self) -> Vec<String> {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        tree.dirs.keys().cloned().collect()
    }

    /// The paths of all files, sorted.
    pub fn paths(&self) -> Vec<String> {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        tree.files.keys().cloned().collect()
    }
}

impl Tree {
    fn add_dirs(&mut self, dir: &str) -> bool {
        let mut created = false;
        for (end, _) in dir.match_indices('/') {
            created |= self.dirs.insert(dir[..end].to_owned(), ()).is_none();
        }
        created | self.dirs.insert(dir.to_owned(), ()).is_none()
    }

    fn has_dir(&self, dir: &str) -> bool {
        dir.is_empty() || self.dirs.contains_key(dir)
    }
}

impl Storage for Memory {
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        if mode != OpenMode::Create {
            let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
            let file = tree.files.get(path).ok_or_else(|| not_found(path))?;
            return Ok(Arc::clone(file) as Arc<dyn File>);
        }
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        if !tree.has_dir(dir) {
            return Err(not_found(dir));
        }
        let file = Arc::clone(tree.files.entry(path.to_owned()).or_default());
        file.truncate(0)?;
        Ok(file)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<Entry>> {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        if !tree.has_dir(dir) {
            return Err(not_found(dir));
        }
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let child = |path: &str| {
            let rest = path.strip_prefix(&prefix)?;
            (!rest.is_empty() && !rest.contains('/')).then(|| rest.to_owned())
        };
        let dirs = tree
            .dirs
            .range(prefix.clone()..)
            .map_while(|(path, ())| path.starts_with(&prefix).then(|| child(path)));
        let mut entries: Vec<Entry> =
            dirs.flatten().map(|name| Entry { name, is_dir: true, size: 0 }).collect();
        let files = tree.files.range(prefix.clone()..).map_while(|(path, file)| {
            path.starts_with(&prefix).then(|| (child(path), file.len() as u64))
        });
        for (name, size) in files {
            if let Some(name) = name {
                entries.push(Entry { name, is_dir: false, size });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn create_dir(&self, dir: &str) -> io::Result<bool> {
        if dir.is_empty() {
            return Ok(false);
        }
        Ok(self.tree.write().unwrap_or_else(PoisonError::into_inner).add_dirs(dir))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        let parent = to.rsplit_once('/').map_or("", |(parent, _)| parent);
        if !tree.has_dir(parent) {
            return Err(not_found(parent));
        }
        if let Some(file) = tree.files.remove(from) {
            tree.files.insert(to.to_owned(), file);
            return Ok(());
        }
        if !tree.dirs.contains_key(from) {
            return Err(not_found(from));
        }
        let inside = format!("{from}/");
        let moved = |path: &str| {
            if path == from {
                return Some(to.to_owned());
            }
            path.strip_prefix(&inside).map(|rest| format!("{to}/{rest}"))
        };
        let tree = &mut *tree;
        tree.dirs = std::mem::take(&mut tree.dirs)
            .into_keys()
            .map(|path| (moved(&path).unwrap_or(path), ()))
            .collect();
        tree.files = std::mem::take(&mut tree.files)
            .into_iter()
            .map(|(path, file)| (moved(&path).unwrap_or(path), file))
            .collect();
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        tree.files.remove(path).map(drop).ok_or_else(|| not_found(path))
    }

    fn remove_tree(&self, dir: &str) -> io::Result<()> {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        if tree.dirs.remove(dir).is_none() {
            return Err(not_found(dir));
        }
        let inside = format!("{dir}/");
        tree.dirs.retain(|path, ()| !path.starts_with(&inside));
        tree.files.retain(|path, _| !path.starts_with(&inside));
        Ok(())
    }

    fn sync_dir(&self, _dir: &str) -> io::Result<()> {
        Ok(())
    }
}

impl MemoryFile {
    fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl File for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, position: u64, buf: &mut [u8]) -> io::Result<usize> {
        let data = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(data.len());
        let count = buf.len().min(data.len() - start);
        buf[..count].copy_from_slice(&data[start..start + count]);
        Ok(count)
    }

    fn write_parts_at(&self, position: u64, parts: &[&[u8]]) -> io::Result<()> {
        let mut data = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut start = usize::try_from(position).map_err(|_| io::ErrorKind::StorageFull)?;
        for bytes in parts.iter().filter(|part| !part.is_empty()) {
            let end = start + bytes.len();
            if start == data.len() {
                data.extend_from_slice(bytes);
            } else {
                if end > data.len() {
                    data.resize(end, 0);
                }
                data[start..end].copy_from_slice(bytes);
            }
            start = end;
        }
        Ok(())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let size = usize::try_from(size).map_err(|_| io::ErrorKind::StorageFull)?;
        self.0.write().unwrap_or_else(PoisonError::into_inner).resize(size, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}

fn not_found(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{path} does not exist"))
}
