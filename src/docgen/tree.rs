//! Many documents: found, read, drawn, and written or compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::core::diagnostic::{Diagnostic, Diagnostics};
use crate::spec::CheckFinding;

use super::diff::diff;
use super::document::{MARKED, rebuild};
use super::facts::Facts;

/// The first line of every picture that is written here: no other file is overwritten.
pub(crate) const PICTURE_MARK: &str = "<!-- passmuster:picture -->";

/// Folders that hold nobody's documents.
const PASSED_OVER: [&str; 2] = ["target", "node_modules"];

/// Why documents could not be built.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum BuildError {
    /// A file or folder cannot be read or written.
    #[error("{file}: {why}")]
    File {
        /// The file.
        file: String,
        /// What the system said.
        why: String,
    },
    /// Markers are wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Markers(#[from] Diagnostics),
}

/// What belongs into files: nothing is written yet.
#[derive(Debug, Default)]
pub struct Build {
    /// How many documents were looked at.
    pub documents: usize,
    /// How many tables they show.
    pub tables: usize,
    /// The tables and pictures that are not current, with what differs.
    pub stale: Vec<CheckFinding>,
    writes: Vec<(PathBuf, String)>,
    pictures: BTreeMap<PathBuf, String>,
}

/// Draws the tables of every document in some files and folders.
///
/// # Errors
/// What cannot be read, or everything that is wrong with the markers.
pub fn build(paths: &[PathBuf], facts: &Facts) -> Result<Build, BuildError> {
    let mut build = Build::default();
    let mut wrong = Vec::new();
    for (file, real) in files(paths)? {
        build.documents += 1;
        wrong.extend(one(&file, real, facts, &mut build)?);
    }
    if wrong.is_empty() { Ok(build) } else { Err(Diagnostics::new("the tables cannot be drawn", wrong).into()) }
}

/// Adds a document to the build; gives what is wrong with its markers.
fn one(file: &Path, real: PathBuf, facts: &Facts, build: &mut Build) -> Result<Vec<Diagnostic>, BuildError> {
    let bytes = fs::read(file).map_err(|error| broken(file, &error))?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if !String::from_utf8_lossy(error.as_bytes()).contains(MARKED) => return Ok(Vec::new()),
        Err(error) => return Err(broken(file, &format!("not UTF-8 from byte {}", error.utf8_error().valid_up_to()))),
    };
    let shown = shown(file);
    let rebuilt = match rebuild(&shown, &text, facts) {
        Ok(rebuilt) => rebuilt,
        Err(wrong) => return Ok(wrong),
    };
    build.tables += rebuilt.regions.len();
    for region in rebuilt.regions.iter().filter(|region| region.old != region.new) {
        let differs = match diff(&region.old, &region.new) {
            lines if lines.is_empty() => "only the ends of lines differ".to_owned(),
            lines => lines,
        };
        let message = format!("the table `{}` is not current: `passmuster spec build` writes it\n{differs}", region.table);
        build.stale.push(CheckFinding { file: shown.clone(), line: region.line, message });
    }
    let folder = real.parent().unwrap_or(Path::new("/")).to_owned();
    for (name, svg) in rebuilt.pictures {
        build.picture(&file.with_file_name(&name), folder.join(&name), svg)?;
    }
    if rebuilt.text != text {
        build.writes.push((real, rebuilt.text));
    }
    Ok(Vec::new())
}

impl Build {
    /// A picture is written where there is none, or where one of ours is.
    fn picture(&mut self, file: &Path, real: PathBuf, svg: String) -> Result<(), BuildError> {
        let old = match fs::read(&real) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(broken(file, &error)),
        };
        if old.as_ref().is_some_and(|old| !old.starts_with(PICTURE_MARK)) {
            return Err(broken(file, &"the file was not made by `passmuster spec build`: give the picture another name"));
        }
        match self.pictures.insert(real.clone(), svg.clone()) {
            Some(other) if other == svg => return Ok(()),
            Some(_) => return Err(broken(file, &"two markers draw different pictures into the file: give one another name")),
            None => {}
        }
        if old.as_ref() != Some(&svg) {
            let message = "the picture is not current: `passmuster spec build` writes it".to_owned();
            self.stale.push(CheckFinding { file: shown(file), line: 1, message });
            self.writes.push((real, svg));
        }
        Ok(())
    }

    /// Writes what is not current; each file is the old one or the new one, never a part. Gives how many were written.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write(&self) -> Result<usize, BuildError> {
        for (file, text) in &self.writes {
            replace(file, text).map_err(|error| broken(file, &error))?;
        }
        Ok(self.writes.len())
    }
}

/// Puts a text in a file's place at once, with the permissions that it had.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut new = tempfile::Builder::new().prefix(".passmuster-").tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
    let mode = match fs::metadata(file) {
        Ok(old) => old.permissions(),
        Err(_) => std::os::unix::fs::PermissionsExt::from_mode(0o644),
    };
    new.as_file().set_permissions(mode)?;
    new.persist(file).map(|_| ()).map_err(|error| error.error)
}

/// The documents of some files and folders, each once: as it was named, and where it is.
fn files(paths: &[PathBuf]) -> Result<Vec<(PathBuf, PathBuf)>, BuildError> {
    let mut named = Vec::new();
    for path in paths {
        find(path, &mut named)?;
    }
    let mut seen = BTreeSet::new();
    let real = named.into_iter().map(|file| {
        let real = fs::canonicalize(&file).map_err(|error| broken(&file, &error))?;
        Ok((file, real))
    });
    real.filter(|file| file.as_ref().map_or(true, |(_, real)| seen.insert(real.clone()))).collect()
}

/// The Markdown files of a folder, or the file itself. Hidden folders, build output and links to folders are passed over.
fn find(path: &Path, into: &mut Vec<PathBuf>) -> Result<(), BuildError> {
    if !path.is_dir() {
        into.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(path).and_then(|entries| entries.collect()).map_err(|error| broken(path, &error))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(|error| broken(&entry.path(), &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() && !name.starts_with('.') && !PASSED_OVER.contains(&name.as_str()) {
            find(&entry.path(), into)?;
        } else if is_markdown(&name) && entry.path().is_file() {
            into.push(entry.path());
        }
    }
    Ok(())
}

/// The documents of some files and folders: path and text. What is not UTF-8 is left out.
///
/// # Errors
/// What cannot be read.
pub fn markdown_below(paths: &[PathBuf]) -> Result<Vec<(String, String)>, BuildError> {
    let read = |(file, _): &(PathBuf, PathBuf)| {
        let bytes = fs::read(file).map_err(|error| broken(file, &error))?;
        Ok(String::from_utf8(bytes).ok().map(|text| (shown(file), text)))
    };
    files(paths)?.iter().filter_map(|file| read(file).transpose()).collect()
}

/// Whether a file of that name is Markdown.
fn is_markdown(name: &str) -> bool {
    [".md", ".markdown", ".mdx"].iter().any(|end| name.ends_with(end))
}

fn shown(file: &Path) -> String {
    file.strip_prefix(".").unwrap_or(file).display().to_string()
}

fn broken(file: &Path, why: &dyn std::fmt::Display) -> BuildError {
    BuildError::File { file: shown(file), why: why.to_string() }
}
