//! Putting a file in another's place, whole or not at all, and finding out what stood there.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use tempfile::TempPath;

/// What the name of a file that is being written begins and ends with.
const NEW: (&str, &str) = (".session-", ".new");
/// How often a file that is empty or changing is read again, a millisecond apart: an editor that writes in place takes that long.
pub(crate) const TRIES: usize = 50;
/// The largest file that is read: a session file has some thousand characters.
const LARGEST: u64 = 10 << 20;

/// A folder that is locked against all who change its files. Closing it gives up the lock.
#[derive(Debug)]
pub(crate) struct LockedFolder {
    _folder: File,
}

/// Waits until nobody else changes files of a folder, and removes what killed writers left. The folder itself is locked: no lock file can be
/// left behind.
///
/// # Errors
/// Where the folder cannot be opened; a link is none.
pub(crate) fn lock(folder: &Path) -> io::Result<LockedFolder> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = File::from(rustix::fs::open(folder, flags, Mode::empty())?);
    rustix::io::retry_on_intr(|| rustix::fs::flock(&open, FlockOperation::LockExclusive))?;
    for entry in std::fs::read_dir(folder)?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(NEW.0) && name.ends_with(NEW.1) {
            // Whoever wrote it held the lock, and is dead.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(LockedFolder { _folder: open })
}

/// Writes bytes beside a path, with the permissions given.
///
/// # Errors
/// Where it cannot be written; then nothing is left of it.
pub(crate) fn put_beside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<TempPath> {
    let name = path.with_file_name(format!("{}{}{}", NEW.0, uuid::Uuid::new_v4().simple(), NEW.1));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(&name, flags, Mode::from_raw_mode(0o600))?);
    let beside = TempPath::try_from_path(name)?;
    file.write_all(bytes)?;
    // The process's mask is not the file's.
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    Ok(beside)
}

/// Puts bytes in a file's place: whoever reads sees the old file or the new one. What comes out is given back: where somebody saved in
/// between, that is not what was read.
///
/// # Errors
/// Where it cannot be written, or the file is gone: then what was there stands.
pub(crate) fn exchange(path: &Path, bytes: &[u8], mode: u32) -> io::Result<Option<Vec<u8>>> {
    let beside = put_beside(path, bytes, mode)?;
    match rustix::fs::renameat_with(CWD, &*beside, CWD, path, RenameFlags::EXCHANGE) {
        Ok(()) => read(&beside).map(Some),
        // A file system that cannot: the new file takes the old one's place, and nobody knows what that was.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            std::fs::symlink_metadata(path)?;
            beside.persist(path).map(|()| None).map_err(|error| error.error)
        }
        Err(error) => Err(error.into()),
    }
}

/// Puts bytes in the place of a file that was read; where it is another one by now, that one stands and the answer is false.
///
/// # Errors
/// As [`exchange`].
pub(crate) fn replace(path: &Path, before: &[u8], after: &[u8]) -> io::Result<bool> {
    let _locked = path.parent().map(|folder| lock(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })).transpose()?;
    let mode = mode(path)?;
    let mut ours = after.to_vec();
    let mut saved = exchange(path, &ours, mode)?;
    let is_ours = saved.as_deref().is_none_or(|saved| saved == before);
    // What somebody saved goes back, until what comes out is what was put there last.
    while let Some(theirs) = saved.take().filter(|_| !is_ours) {
        let out = exchange(path, &theirs, mode)?;
        saved = out.filter(|out| *out != ours);
        ours = theirs;
    }
    Ok(is_ours)
}

/// The permissions of a regular file.
pub(crate) fn mode(path: &Path) -> io::Result<u32> {
    Ok(std::fs::symlink_metadata(path)?.mode() & 0o777)
}

/// A regular file's bytes, links not followed. One that is empty or changes while it is read is read again: an editor writes in place.
///
/// # Errors
/// Where it cannot be read, is a link, no regular file, or too large for a session file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut tries = TRIES;
    read_within(path, &mut tries)
}

/// The same, where `tries` says how often anything may still be read again.
///
/// # Errors
/// As [`read`].
#[allow(clippy::disallowed_methods, reason = "nothing announces that somebody's editor has written to the end")]
pub(crate) fn read_within(path: &Path, tries: &mut usize) -> io::Result<Vec<u8>> {
    loop {
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        let before = file.metadata()?;
        if !before.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        if before.len() > LARGEST {
            return Err(io::Error::other(format!("it has {} MB: wanted at most {} MB", before.len() >> 20, LARGEST >> 20)));
        }
        let mut bytes = Vec::with_capacity(before.len() as usize);
        file.read_to_end(&mut bytes)?;
        let after = file.metadata()?;
        let still = (after.len(), after.mtime(), after.mtime_nsec()) == (before.len(), before.mtime(), before.mtime_nsec());
        let is_whole = still && !bytes.is_empty() && after.len() == bytes.len() as u64;
        if is_whole || *tries == 0 {
            return Ok(bytes);
        }
        *tries -= 1;
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Makes a file where nothing is. False where something is.
///
/// # Errors
/// Where it cannot be made.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let beside = put_beside(path, bytes, 0o644)?;
    match rename_new(&beside, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives a file another name, where nothing has it.
///
/// # Errors
/// `AlreadyExists` where something has.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system without it has a link instead, which is refused as well where something is there.
        Err(Errno::INVAL | Errno::NOSYS) => std::fs::hard_link(from, to).and_then(|()| std::fs::remove_file(from)),
        renamed => Ok(renamed?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_saved_in_between_stands() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.md");
        std::fs::write(&path, "old").unwrap();
        assert!(replace(&path, b"old", b"new").unwrap());
        assert_eq!(read(&path).unwrap(), b"new");
        assert!(!replace(&path, b"old", b"newer").unwrap());
        assert_eq!(read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_that_is_there_is_not_made_anew_and_a_link_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.md");
        assert!(create(&path, b"one").unwrap() && !create(&path, b"two").unwrap());
        assert_eq!(read(&path).unwrap(), b"one");
        std::os::unix::fs::symlink(&path, folder.path().join("b.md")).unwrap();
        assert!(read(&folder.path().join("b.md")).is_err());
    }

    #[test]
    fn empty_files_are_waited_for_together_and_huge_ones_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.md");
        let file = File::create(&path).unwrap();
        let mut tries = 2;
        assert_eq!((read_within(&path, &mut tries).unwrap(), tries), (Vec::new(), 0));
        file.set_len(100 << 20).unwrap();
        assert_eq!(read(&path).unwrap_err().to_string(), "it has 100 MB: wanted at most 10 MB");
    }

    #[test]
    fn what_a_killed_writer_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        std::mem::forget(put_beside(&folder.path().join("a.md"), b"half", 0o644).unwrap());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        lock(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }
}
