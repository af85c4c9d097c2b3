//! Putting a file in another's place, whole or not at all.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// Writes bytes beside a path, for its owner and group as the file there is, or as new files are.
///
/// # Errors
/// Where it cannot be written; then nothing is left of it.
pub(crate) fn put_beside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<tempfile::TempPath> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = folder.join(format!(".{}.new", uuid::Uuid::new_v4().simple()));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(&name, flags, Mode::from_raw_mode(mode))?);
    let beside = tempfile::TempPath::try_from_path(name)?;
    file.write_all(bytes)?;
    Ok(beside)
}

/// Puts bytes in a file's place: whoever reads sees the old file or the new one.
///
/// # Errors
/// Where it cannot be written: then the old file stands.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mode = std::fs::symlink_metadata(path)?.mode() & 0o7777;
    let beside = put_beside(path, bytes, mode)?;
    // The process's mask is not the file's.
    std::fs::set_permissions(&beside, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    beside.persist(path).map_err(|error| error.error)
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
