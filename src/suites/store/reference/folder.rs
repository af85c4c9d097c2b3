//! Sessions on disk: a folder each, opened without following links, locked by whoever changes it, its record replaced whole.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::record::StoreRecord;

/// The record's file in a session's folder.
pub(crate) const RECORD: &str = "state.json";
/// The record while it is being written.
pub(crate) const NEW_RECORD: &str = ".state.json.new";
/// What is kept out of version control: everything.
const GITIGNORE: &str = "# Session records are nobody's source.\n*\n";

/// Why a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// There is none.
    Absent,
    /// It means nothing; why.
    Corrupt(String),
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Writing {
    /// Whether a record is replaced whole; else it is overwritten where it is.
    pub whole: bool,
    /// The permissions of its file.
    pub mode: u32,
}

/// The folder of all sessions.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    pub(crate) path: PathBuf,
}

impl Root {
    /// Makes the folder, for its owner alone, where it is not there.
    pub(crate) fn make(&self) -> io::Result<()> {
        if self.path.is_dir() {
            return Ok(());
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        std::fs::write(self.path.join(".gitignore"), GITIGNORE)
    }

    /// A session's folder; none where there is none, or where a link stands in its place.
    pub(crate) fn session(&self, id: &str) -> io::Result<Option<Folder>> {
        let path = self.path.join(id);
        match rustix::fs::open(&path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Ok(folder) => Ok(Some(Folder { file: folder.into(), path })),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a session's folder with its record in it, both at once. False where something of that name is there.
    pub(crate) fn create(&self, id: &str, record: &StoreRecord, writing: Writing) -> io::Result<bool> {
        let new = self.path.join(format!(".new-{}", uuid::Uuid::new_v4().simple()));
        std::fs::DirBuilder::new().mode(0o700).create(&new)?;
        let made = write(&new.join(RECORD), &record.bytes(), writing.mode).and_then(|()| {
            match rustix::fs::renameat_with(rustix::fs::CWD, &new, rustix::fs::CWD, self.path.join(id), RenameFlags::NOREPLACE) {
                Ok(()) => Ok(true),
                Err(Errno::EXIST) => Ok(false),
                Err(error) => Err(error.into()),
            }
        });
        if !matches!(made, Ok(true)) {
            // Whatever went wrong is the answer; what stays behind goes with the next clean-up.
            let _ = std::fs::remove_dir_all(&new);
        }
        made
    }

    /// The names in the root that do not begin with a dot, and whether each is a folder (a link is none).
    pub(crate) fn names(&self) -> io::Result<Vec<(String, bool)>> {
        let entries = match std::fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && name != super::audit::LOG {
                names.push((name, entry.file_type()?.is_dir()));
            }
        }
        Ok(names)
    }
}

/// One session's folder, open. Closing it gives up its lock.
#[derive(Debug)]
pub(crate) struct Folder {
    file: File,
    pub(crate) path: PathBuf,
}

impl Folder {
    /// Waits until nobody else changes the session.
    pub(crate) fn lock(&self) -> io::Result<()> {
        Ok(rustix::io::retry_on_intr(|| rustix::fs::flock(&self.file, FlockOperation::LockExclusive))?)
    }

    /// The record.
    pub(crate) fn read(&self) -> Result<StoreRecord, Unreadable> {
        let mut bytes = Vec::with_capacity(2048);
        match rustix::fs::openat(&self.file, RECORD, OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()) {
            Err(Errno::NOENT) => return Err(Unreadable::Absent),
            Err(error) => return Err(Unreadable::Corrupt(format!("{RECORD} cannot be read: {error}"))),
            Ok(file) => File::from(file)
                .read_to_end(&mut bytes)
                .map_err(|error| Unreadable::Corrupt(format!("{RECORD} cannot be read: {error}")))?,
        };
        StoreRecord::read(&bytes).map_err(Unreadable::Corrupt)
    }

    /// Replaces the record. Where that fails, the old one stands.
    pub(crate) fn write(&self, record: &StoreRecord, writing: Writing) -> io::Result<()> {
        if !writing.whole {
            return self.write_in_place(record, writing.mode);
        }
        let replaced = self.put_new(&record.bytes(), writing.mode).and_then(|()| self.swap());
        self.drop_new();
        replaced
    }

    /// Writes the record that is to stand beside the one that stands.
    fn put_new(&self, bytes: &[u8], mode: u32) -> io::Result<()> {
        // What a killed writer left there may have stood, and somebody may still be reading it: it is not written over.
        self.drop_new();
        self.put(NEW_RECORD, OFlags::EXCL, bytes, mode)
    }

    /// Puts the new record in the place of the old one. Where the file system can do so, the two change places: one that is
    /// renamed over another is written out at once by some, and the next writer waits for the disk.
    fn swap(&self) -> io::Result<()> {
        match rustix::fs::renameat_with(&self.file, NEW_RECORD, &self.file, RECORD, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOENT) => Ok(rustix::fs::renameat(&self.file, NEW_RECORD, &self.file, RECORD)?),
            swapped => Ok(swapped?),
        }
    }

    /// Removes what stands beside the record, if anything does.
    fn drop_new(&self) {
        let _ = rustix::fs::unlinkat(&self.file, NEW_RECORD, AtFlags::empty());
    }

    fn put(&self, name: &str, how: OFlags, bytes: &[u8], mode: u32) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | how;
        File::from(rustix::fs::openat(&self.file, name, flags, Mode::from_raw_mode(mode))?).write_all(bytes)
    }

    /// Writes half of the record where it is, and after a while the rest: a reader in between sees what a torn write leaves.
    #[allow(clippy::disallowed_methods, reason = "a careless writer dawdles: that is the fault")]
    fn write_in_place(&self, record: &StoreRecord, mode: u32) -> io::Result<()> {
        let bytes = record.bytes();
        self.put(RECORD, OFlags::TRUNC, &bytes[..bytes.len() / 2], mode)?;
        std::thread::sleep(crate::suites::store::behavior::RACE);
        self.put(RECORD, OFlags::TRUNC, &bytes, mode)
    }

    /// The names in the folder.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        std::fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    /// When the record's file was last written, or the folder where there is none.
    pub(crate) fn file_time(&self) -> io::Result<jiff::Timestamp> {
        let seconds = match rustix::fs::statat(&self.file, RECORD, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(file) => file.st_mtime,
            Err(_) => rustix::fs::fstat(&self.file)?.st_mtime,
        };
        jiff::Timestamp::from_second(seconds).map_err(io::Error::other)
    }

    /// Removes the folder, the record first. True where it was this call that removed it.
    pub(crate) fn remove(&self) -> io::Result<bool> {
        for name in [NEW_RECORD, RECORD] {
            match rustix::fs::unlinkat(&self.file, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match std::fs::remove_dir(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(mode))?).write_all(bytes)
}
