//! Which files are checked: what was named, and what lies in folders that were named.

use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use crate::files::{ROOT, UncheckedFile};

/// What a check begins with.
#[derive(Debug, Default)]
pub(crate) struct GatheredFiles {
    /// The session files, in order.
    pub files: Vec<PathBuf>,
    /// What cannot be checked.
    pub unreadable: Vec<UncheckedFile>,
    /// The repositories whose other files are looked through for references.
    pub repositories: Vec<PathBuf>,
}

/// Gathers what lies at paths. A folder that has `.agents/sessions` stands for its session files, and for all its files where names are
/// looked for.
pub(crate) fn gather(paths: &[PathBuf]) -> GatheredFiles {
    let mut gathered = GatheredFiles::default();
    for path in paths {
        match fs::symlink_metadata(path) {
            Err(error) => gathered.leave(path, &error.to_string()),
            Ok(found) if found.is_dir() => gathered.folder(path),
            Ok(found) => gathered.file(path, found.file_type()),
        }
    }
    gathered.files.sort();
    gathered.files.dedup();
    gathered
}

impl GatheredFiles {
    fn leave(&mut self, path: &Path, why: &str) {
        self.unreadable.push(UncheckedFile { path: path.display().to_string(), why: why.to_owned() });
    }

    fn file(&mut self, path: &Path, kind: FileType) {
        if kind.is_file() {
            self.files.push(path.to_owned());
        } else if kind.is_symlink() {
            self.leave(path, "it is a link: a session file is a file of its own");
        } else {
            self.leave(path, "it is no regular file");
        }
    }

    fn folder(&mut self, path: &Path) {
        // What is here is told of without a `./` before it.
        let root = if path == Path::new(".") { PathBuf::from(ROOT) } else { path.join(ROOT) };
        let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if root.is_dir() || path.join(".git").exists() {
            self.repositories.push(path.to_owned());
            if root.is_dir() {
                self.below(&root);
            }
            return;
        }
        if whole.ends_with(ROOT) {
            self.repositories.extend(path.join("../..").is_dir().then(|| path.join("../..")));
        }
        self.below(path);
    }

    fn below(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| entry.map(|it| (it.path(), it.file_type()))).collect::<io::Result<Vec<_>>>());
        let entries = match entries {
            Err(error) => return self.leave(folder, &error.to_string()),
            Ok(entries) => entries,
        };
        for (path, kind) in entries {
            match kind {
                Err(error) => self.leave(&path, &error.to_string()),
                Ok(kind) if kind.is_dir() => self.below(&path),
                Ok(kind) if is_markdown(&path) => self.file(&path, kind),
                Ok(_) => {}
            }
        }
    }
}

/// Whether a name ends as Markdown does. What begins with a dot is an editor's.
fn is_markdown(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("md"))
}
