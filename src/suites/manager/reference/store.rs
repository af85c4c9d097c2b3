//! Where the reference manager keeps its state: a file a session, written whole or not at all.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::fakes::sim::SimWorld;

/// A folder of small files. Names are relative, such as `sessions/s1.json`.
pub(crate) trait StateStore: Send + Sync {
    /// Writes a file whole: a reader sees the old content or the new one.
    ///
    /// # Errors
    /// The system's.
    fn save(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Appends a line to a file.
    ///
    /// # Errors
    /// The system's.
    fn append(&self, name: &str, line: &str) -> io::Result<()>;

    /// A file's bytes; `None` where there is none.
    fn load(&self, name: &str) -> Option<Vec<u8>>;

    /// Removes a file.
    fn remove(&self, name: &str);

    /// The names of the files in a folder, sorted.
    fn names(&self, folder: &str) -> Vec<String>;
}

/// A store on disk.
#[derive(Debug)]
pub(crate) struct FolderStore {
    root: PathBuf,
}

impl FolderStore {
    /// Opens a store, making its folder.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root.join("sessions"))?;
        Ok(Self { root: root.to_owned() })
    }
}

impl StateStore for FolderStore {
    fn save(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(name);
        let folder = path.parent().unwrap_or(&self.root);
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    fn append(&self, name: &str, line: &str) -> io::Result<()> {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.root.join(name))?;
        file.write_all(format!("{line}\n").as_bytes())
    }

    fn load(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.root.join(name)).ok()
    }

    fn remove(&self, name: &str) {
        // One that is gone is what was asked for.
        let _ = std::fs::remove_file(self.root.join(name));
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.root.join(folder))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.ends_with(".json"))
            .map(|name| format!("{folder}/{name}"))
            .collect();
        names.sort();
        names
    }
}

/// A store in the simulated world.
#[derive(Debug)]
pub(crate) struct SimStore {
    world: SimWorld,
}

/// Where the simulated store is.
const SIM_ROOT: &str = "/state";

impl SimStore {
    /// The store of a simulated world.
    pub(crate) fn new(world: SimWorld) -> Self {
        Self { world }
    }

    /// Where a file of the simulated store is.
    pub(crate) fn path(name: &str) -> PathBuf {
        Path::new(SIM_ROOT).join(name)
    }
}

impl StateStore for SimStore {
    fn save(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.world.write_file(&Self::path(name), bytes);
        Ok(())
    }

    fn append(&self, name: &str, line: &str) -> io::Result<()> {
        let mut bytes = self.load(name).unwrap_or_default();
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        self.save(name, &bytes)
    }

    fn load(&self, name: &str) -> Option<Vec<u8>> {
        self.world.read_file(&Self::path(name))
    }

    fn remove(&self, name: &str) {
        self.world.remove_file(&Self::path(name));
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let folder = Self::path(folder);
        self.world
            .files_below(&folder)
            .iter()
            .filter_map(|path| path.strip_prefix(SIM_ROOT).ok()?.to_str().map(str::to_owned))
            .filter(|name| name.ends_with(".json"))
            .collect()
    }
}
