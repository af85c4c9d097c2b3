//! A repository with session files: its other files, and what they name.

use std::collections::HashSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::files::{FileText, ROOT, mentions};

/// The largest file that is looked through for names: what is larger is data.
const LARGEST: u64 = 2 << 20;
/// Folders that hold what others made.
const FOREIGN: &[&str] = &[".git", ".hg", ".jj", "node_modules", "target", ".venv"];

/// The repository that a place is in: the nearest folder upwards with `.git` or `.agents/sessions`; the place itself where there is none.
pub(crate) fn containing(place: &Path) -> PathBuf {
    let whole = std::path::absolute(place).unwrap_or_else(|_| place.to_owned());
    let found = whole.ancestors().find(|folder| folder.join(ROOT).is_dir() || folder.join(".git").exists());
    found.map_or(whole.clone(), Path::to_owned)
}

/// The names of the session files that there are.
pub(crate) fn session_names(repository: &Path) -> HashSet<String> {
    let entries = fs::read_dir(repository.join(ROOT)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// A file of the repository that names session files.
#[derive(Debug)]
pub(crate) struct NamingFile {
    /// Its path from the repository's root.
    pub path: String,
    /// Its text.
    pub text: FileText,
}

/// The files of a repository, outside of its session files, that name session files: what git has and does not ignore; without git every
/// file but those of foreign folders.
pub(crate) fn naming(repository: &Path) -> Vec<NamingFile> {
    let mut paths = tracked(repository).unwrap_or_else(|| {
        let mut all = Vec::new();
        below(repository, Path::new(""), &mut all);
        all
    });
    paths.sort();
    paths.dedup();
    let others = paths.into_iter().filter(|path| !path.starts_with(ROOT));
    others.filter_map(|path| names_in(repository, &path)).collect()
}

fn names_in(repository: &Path, path: &Path) -> Option<NamingFile> {
    let whole = repository.join(path);
    let about = fs::symlink_metadata(&whole).ok().filter(|about| about.is_file() && about.len() <= LARGEST)?;
    let mut bytes = Vec::with_capacity(about.len() as usize);
    fs::File::open(&whole).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
    let text = FileText::new(&bytes);
    (!mentions(&text.text).is_empty()).then(|| NamingFile { path: path.to_string_lossy().into_owned(), text })
}

fn tracked(repository: &Path) -> Option<Vec<PathBuf>> {
    if !repository.join(".git").exists() {
        return None;
    }
    let mut git = Command::new("git");
    git.arg("-C").arg(repository).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.stdin(Stdio::null()).stderr(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Some(names.map(|name| PathBuf::from(std::os::unix::ffi::OsStrExt::from_bytes(name) as &std::ffi::OsStr)).collect())
}

fn below(repository: &Path, folder: &Path, all: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(repository.join(folder)) else { return };
    for entry in entries.flatten() {
        let path = folder.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !FOREIGN.iter().any(|name| entry.file_name() == *name) => below(repository, &path, all),
            Ok(kind) if kind.is_file() => all.push(path),
            _ => {}
        }
    }
}
