//! The registry: a folder of records, `outputs/agents/<role>/<session-id>/state.json`, each written by replacing it.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};

use super::record::SupervisedRecord;

/// The record's file in its session's folder.
pub(crate) const RECORD: &str = "state.json";
/// What is to become the record.
const NEW_RECORD: &str = ".state.json.new";
/// Whoever holds this file's lock is the supervisor; its pid stands in it.
const LOCK: &str = ".supervisor.lock";
/// The longest id, and the longest role, in characters.
const LONGEST_NAME: usize = 64;
/// How long a careless writer dawdles between two halves of a record, in virtual time.
pub(crate) const DAWDLES: Duration = Duration::from_millis(40);

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordWriting {
    /// Whether the new one takes the old one's place whole.
    pub replaces: bool,
    /// Whether it is written in two halves.
    pub in_halves: bool,
    /// Who may read it.
    pub mode: u32,
}

impl Default for RecordWriting {
    fn default() -> Self {
        Self { replaces: true, in_halves: false, mode: 0o600 }
    }
}

/// A record that cannot be read: its path below the root, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SkippedRecord {
    /// Its path, below the root.
    pub path: String,
    /// The name of its folder: the id that it should have.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// The registry of one supervisor.
#[derive(Debug)]
pub(crate) struct AgentRegistryFolder {
    root: PathBuf,
    writing: RecordWriting,
    _lock: Option<File>,
}

/// Whether a word can be an id or a role: it becomes the name of a folder and of a container.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let begins = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    match begins && name.chars().all(plain) && name.len() <= LONGEST_NAME {
        true => Ok(()),
        false => {
            Err(format!("`{what}` is {name:?}: wanted at most {LONGEST_NAME} letters, digits, `.`, `_` and `-`, a letter or a digit first"))
        }
    }
}

impl AgentRegistryFolder {
    /// Opens the registry below a folder, alone unless `shared`.
    ///
    /// # Errors
    /// Where there is another supervisor on it, or it cannot be written.
    pub(crate) fn open(root: &Path, writing: RecordWriting, shared: bool) -> Result<Self, String> {
        let agents = root.join("outputs/agents");
        let cannot = |error: io::Error| format!("the registry {} cannot be opened: {error}", agents.display());
        make_folder(&agents).map_err(cannot)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
        let place = agents.join(LOCK);
        let mut lock = File::from(rustix::fs::open(&place, flags, Mode::from_raw_mode(0o600)).map_err(|error| cannot(error.into()))?);
        let lock = match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                // For whoever wonders who it is; on a full disk nobody is told.
                let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
                Some(lock)
            }
            Err(_) if shared => None,
            Err(_) => {
                let pid = std::fs::read_to_string(&place).unwrap_or_default();
                return Err(format!("another supervisor is on the registry {} (pid {})", agents.display(), pid.trim()));
            }
        };
        Ok(Self { root: root.to_owned(), writing, _lock: lock })
    }

    /// The folder that the registry is below.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A session's folder.
    pub(crate) fn folder(&self, role: &str, id: &str) -> PathBuf {
        self.root.join("outputs/agents").join(role).join(id)
    }

    /// Writes a session's record.
    ///
    /// # Errors
    /// Where it cannot be written; the one before stands.
    pub(crate) async fn write(&self, record: &SupervisedRecord) -> io::Result<()> {
        let folder = self.folder(&record.role, &record.session_id);
        make_folder(&folder)?;
        let bytes = record.bytes();
        let (new, own) = (folder.join(NEW_RECORD), folder.join(RECORD));
        if self.writing.in_halves {
            put(&own, &bytes[..bytes.len() / 2], self.writing.mode)?;
            tokio::time::sleep(DAWDLES).await;
            return put(&own, &bytes, self.writing.mode);
        }
        if !self.writing.replaces {
            return put(&own, &bytes, self.writing.mode);
        }
        // What a killed writer left there may be anything.
        let _ = std::fs::remove_file(&new);
        put(&new, &bytes, self.writing.mode)?;
        std::fs::rename(&new, &own)
    }

    /// Forgets a session that never was, with what its containers left.
    pub(crate) fn remove(&self, role: &str, id: &str) {
        let folder = self.folder(role, id);
        let runs = folders(&folder).unwrap_or_default().into_iter().filter(|(name, _)| name.starts_with("run-"));
        runs.for_each(|(_, run)| drop(std::fs::remove_dir_all(run)));
        for name in [NEW_RECORD, RECORD] {
            let _ = std::fs::remove_file(folder.join(name));
        }
        // Neither goes where something else lies in it.
        let _ = std::fs::remove_dir(&folder);
        let _ = folder.parent().map(std::fs::remove_dir);
    }

    /// Every record, and what is none.
    ///
    /// # Errors
    /// Where a folder cannot be read.
    pub(crate) fn read_all(&self) -> io::Result<(Vec<SupervisedRecord>, Vec<SkippedRecord>)> {
        let (mut records, mut skipped) = (Vec::new(), Vec::new());
        for (role, folder) in folders(&self.root.join("outputs/agents"))? {
            for (id, folder) in folders(&folder)? {
                let path = folder.join(RECORD);
                let read = match std::fs::read(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => Err(error.to_string()),
                    Ok(bytes) => SupervisedRecord::read(&bytes),
                };
                let read = read.and_then(|record| match (record.role == role, record.session_id == id) {
                    (true, true) => Ok(record),
                    _ => Err(format!("is of session {:?} in the role {:?}, and lies elsewhere", record.session_id, record.role)),
                });
                match read {
                    Ok(record) => records.push(record),
                    Err(reason) => {
                        let path = path.strip_prefix(&self.root).unwrap_or(&path).display().to_string();
                        skipped.push(SkippedRecord { path, id, reason });
                    }
                }
            }
        }
        Ok((records, skipped))
    }
}

fn folders(below: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(below)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    folders.sort();
    Ok(folders)
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn put(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(mode))?).write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::clock::virtual_runtime;
    use crate::suites::supervision::reference::record::example;
    use rstest::rstest;

    #[test]
    fn a_record_is_replaced_and_one_bad_costs_itself_alone() {
        let folder = tempfile::tempdir().unwrap();
        let registry = AgentRegistryFolder::open(folder.path(), RecordWriting::default(), false).unwrap();
        virtual_runtime().block_on(async {
            registry.write(&example("a")).await.unwrap();
            registry.write(&example("b")).await.unwrap();
        });
        let path = registry.folder("dev", "b").join(RECORD);
        let mut held = File::open(&path).unwrap();
        virtual_runtime().block_on(registry.write(&example("b"))).unwrap();
        let mut before = String::new();
        io::Read::read_to_string(&mut held, &mut before).unwrap();
        assert_eq!(before.as_bytes(), example("b").bytes());
        std::fs::write(&path, "{\"session_id\":").unwrap();
        let (records, skipped) = registry.read_all().unwrap();
        assert_eq!(records, [example("a")]);
        assert_eq!((skipped[0].path.as_str(), skipped[0].id.as_str()), ("outputs/agents/dev/b/state.json", "b"));
    }

    #[test]
    fn there_is_one_supervisor_on_a_registry() {
        let folder = tempfile::tempdir().unwrap();
        let first = AgentRegistryFolder::open(folder.path(), RecordWriting::default(), false).unwrap();
        let second = AgentRegistryFolder::open(folder.path(), RecordWriting::default(), false);
        assert!(second.unwrap_err().starts_with("another supervisor is on the registry "));
        drop(first);
        AgentRegistryFolder::open(folder.path(), RecordWriting::default(), false).unwrap();
    }

    #[rstest]
    #[case("dev-1.x_y", true)]
    #[case("", false)]
    #[case("../x", false)]
    #[case("-rf", false)]
    #[case(".hidden", false)]
    #[case("a/b", false)]
    #[case("a b", false)]
    #[case("ä", false)]
    fn names_stay_names(#[case] name: &str, #[case] good: bool) {
        assert_eq!(check_name("role", name).is_ok(), good);
        assert!(check_name("role", &"x".repeat(65)).is_err());
    }
}
