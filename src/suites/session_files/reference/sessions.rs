//! The session files of a repository: read, listed, changed under a lock, whole or not at all.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::io::Errno;
use serde_json::{Value, json};

use super::tool_error::SessionFileError;
use super::{placing, repository};
use crate::files::{Edit, NewFile, ROOT, SessionFile, Surroundings, apply, check, fresh, quoted};

/// How often a change is made anew because somebody saved in between.
const TRIES: usize = 100;
/// How many files of one second and description there may be.
const SAME: usize = 10_000;

/// The session files of a repository.
#[derive(Debug, Clone)]
pub(crate) struct SessionFolder {
    /// The repository.
    pub repository: PathBuf,
    /// The time that it is.
    pub now: fn() -> Timestamp,
}

/// A session as lists show it.
#[derive(Debug, Clone)]
pub(crate) struct ListedFile {
    /// The file's name.
    pub file: String,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: String,
    /// When it began.
    pub created: Timestamp,
    /// When it was last written.
    pub last_updated: Timestamp,
    /// What is being done.
    pub current_task: String,
}

/// What a list has.
#[derive(Debug, Default)]
pub(crate) struct FileList {
    /// What can be read, last written first.
    pub sessions: Vec<ListedFile>,
    /// What cannot, and why.
    pub skipped: Vec<(String, String)>,
}

impl ListedFile {
    /// Whether somebody works on it, or will.
    pub(crate) fn is_active(&self) -> bool {
        self.status != "completed"
    }

    /// What lists and hooks show of a file.
    ///
    /// # Errors
    /// Says why it is no session file.
    pub(crate) fn of(file: &SessionFile) -> Result<Self, String> {
        if let Some(at) = file.text.invalid {
            return Err(format!("line {}: it is not UTF-8", file.text.line(at)));
        }
        if let Some(trouble) = &file.matter.trouble {
            return Err(format!("line {}: the front matter is no YAML: {}", file.text.line(trouble.at), trouble.what));
        }
        if file.matter.span.is_none() {
            let why = if file.matter.opens { "the front matter is never closed" } else { "there is no front matter" };
            return Err(why.to_owned());
        }
        let text = |part: &str, key: &str| file.matter.text(part, key).map(str::to_owned).ok_or_else(|| format!("`{key}` is not there"));
        let time = |key: &str| file.matter.time(key).ok_or_else(|| format!("`{key}` is no time"));
        Ok(Self {
            file: file.name.whole.clone(),
            title: text("session", "title")?,
            status: file.status().ok_or("its status is none of the three")?.to_owned(),
            created: time("created")?,
            last_updated: time("last_updated")?,
            current_task: text("orchestration", "current_task")?,
        })
    }
}

impl SessionFolder {
    /// The folder.
    pub(crate) fn root(&self) -> PathBuf {
        self.repository.join(ROOT)
    }

    /// A file's path. Names are names: they lead nowhere else.
    pub(crate) fn path(&self, file: &str) -> Result<PathBuf, SessionFileError> {
        let is_name = file.ends_with(".md") && !file.starts_with('.') && !file.contains(['/', '\0']) && file.len() <= 255;
        match is_name {
            true => Ok(self.root().join(file)),
            false => Err(SessionFileError::Invalid(format!("`{}` is no name of a session file", crate::core::sanitise(file)))),
        }
    }

    /// Reads a file.
    pub(crate) fn read(&self, file: &str) -> Result<(SessionFile, Vec<u8>), SessionFileError> {
        let mut tries = placing::TRIES;
        self.read_within(file, &mut tries)
    }

    fn read_within(&self, file: &str, tries: &mut usize) -> Result<(SessionFile, Vec<u8>), SessionFileError> {
        let path = self.path(file)?;
        self.is_own(&path)?;
        let bytes = placing::read_within(&path, tries).map_err(|error| told(file, error))?;
        Ok((SessionFile::read(file, &bytes), bytes))
    }

    /// Whether the folder is the repository's own: a link would lead elsewhere.
    fn is_own(&self, path: &Path) -> Result<(), SessionFileError> {
        for folder in [self.repository.join(".agents"), self.root()] {
            if std::fs::symlink_metadata(&folder).is_ok_and(|about| about.is_symlink()) {
                let why = std::io::Error::other("it is a link: session files lie in the repository itself");
                return Err(SessionFileError::Io(folder.display().to_string(), why));
            }
        }
        debug_assert!(path.starts_with(self.root()));
        Ok(())
    }

    /// The sessions, last written first. What cannot be read is named, and hides nothing.
    pub(crate) fn list(&self, active_only: bool) -> Result<FileList, SessionFileError> {
        let entries = match std::fs::read_dir(self.root()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(FileList::default()),
            entries => entries.map_err(|error| SessionFileError::Io(ROOT.into(), error))?,
        };
        let mut list = FileList::default();
        // Hundreds of empty files keep nobody waiting longer than one.
        let mut tries = placing::TRIES;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || !name.ends_with(".md") {
                continue;
            }
            let listed = match self.read_within(&name, &mut tries) {
                Ok((file, _)) => ListedFile::of(&file),
                Err(error) => Err(error.to_string()),
            };
            match listed {
                Ok(session) if active_only && !session.is_active() => {}
                Ok(session) => list.sessions.push(session),
                Err(why) => list.skipped.push((name, why)),
            }
        }
        list.sessions.sort_by(|a, b| (b.last_updated, &b.file).cmp(&(a.last_updated, &a.file)));
        list.skipped.sort();
        Ok(list)
    }

    /// Makes a file. Those of one second and description are told apart by a number.
    pub(crate) fn create(&self, new: &NewFile) -> Result<String, SessionFileError> {
        for (name, text) in [("title", &new.title), ("current_task", &new.current_task)] {
            if text.trim().is_empty() {
                return Err(SessionFileError::Invalid(format!("`{name}` is empty")));
            }
        }
        let root = self.root();
        self.is_own(&root)?;
        std::fs::create_dir_all(&root).map_err(|error| SessionFileError::Io(ROOT.into(), error))?;
        let _locked = placing::lock(&root).map_err(|error| SessionFileError::Io(ROOT.into(), error))?;
        let now = (self.now)();
        let (name, text) = fresh(new, now);
        let found = check(&SessionFile::read(&name, text.as_bytes()), &Surroundings::at(now), &|rule| !rule.should);
        if let Some(wrong) = found.first() {
            return Err(SessionFileError::Invalid(wrong.message.clone()));
        }
        let taken = repository::session_names(&self.repository);
        for at in 1..SAME {
            let name = if at == 1 { name.clone() } else { numbered(&name, at) };
            if taken.contains(&name) {
                continue;
            }
            match placing::create(&root.join(&name), text.as_bytes()) {
                Ok(true) => return Ok(name),
                Ok(false) => {}
                Err(error) => return Err(SessionFileError::Io(name, error)),
            }
        }
        Err(SessionFileError::Invalid(format!("there are {SAME} sessions of that second and description")))
    }

    /// Changes a file: `change` says what, from the file as it is at that moment. What somebody else saves between the reading and the writing
    /// is kept: the change is made to that. A file that would break a rule that it keeps now is not written.
    pub(crate) fn change(
        &self,
        file: &str,
        revision: Option<&str>,
        change: impl Fn(&SessionFile, Timestamp) -> Result<Vec<Edit>, SessionFileError>,
    ) -> Result<String, SessionFileError> {
        let path = self.path(file)?;
        let io = |error| told(file, error);
        // Whoever asks for what is not there makes no folder.
        placing::read(&path).map_err(io)?;
        self.is_own(&path)?;
        let _locked = placing::lock(&self.root()).map_err(|error| SessionFileError::Io(ROOT.into(), error))?;
        let mut read = placing::read(&path).map_err(io)?;
        let mode = placing::mode(&path).map_err(io)?;
        let mut stands = read.clone();
        for _ in 0..TRIES {
            if revision.is_some_and(|revision| revision != self::revision(&read)) {
                if stands != read {
                    // Theirs goes back where ours stands.
                    placing::exchange(&path, &read, mode).map_err(io)?;
                }
                return Err(SessionFileError::Conflict(file.to_owned()));
            }
            let made = self.changed(file, &read, &change);
            let written = match made {
                Ok(written) => written,
                Err(error) => {
                    if stands != read {
                        placing::exchange(&path, &read, mode).map_err(io)?;
                    }
                    return Err(error);
                }
            };
            match placing::exchange(&path, &written, mode).map_err(io)? {
                // What came out is another's: the change is made to that.
                Some(out) if out != stands => read = out,
                _ => return Ok(self::revision(&written)),
            }
            stands = written;
        }
        Err(SessionFileError::Conflict(file.to_owned()))
    }

    /// A file's bytes with a change and the time of it.
    fn changed(
        &self,
        name: &str,
        bytes: &[u8],
        change: &impl Fn(&SessionFile, Timestamp) -> Result<Vec<Edit>, SessionFileError>,
    ) -> Result<Vec<u8>, SessionFileError> {
        let now = (self.now)();
        let file = SessionFile::read(name, bytes);
        ListedFile::of(&file)
            .map_err(|why| SessionFileError::Invalid(format!("`{name}` is broken: {why}; `passmuster files check` says more")))?;
        let mut edits = change(&file, now)?;
        let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        edits.extend(file.set_value("session", "last_updated", &quoted(&time)));
        let written = apply(bytes, &edits);
        let around = Surroundings::at(now);
        let found = |file: &SessionFile| check(file, &around, &|rule| !rule.should);
        let before = found(&file);
        let count = |code: &str| before.iter().filter(|finding| finding.rule.code == code).count();
        let after = found(&SessionFile::read(name, &written));
        let worse = |code: &str| after.iter().filter(|finding| finding.rule.code == code).count() > count(code);
        match after.iter().find(|finding| worse(finding.rule.code)) {
            Some(wrong) => Err(SessionFileError::Invalid(format!("{}: {}", wrong.rule.code, wrong.message))),
            None => Ok(written),
        }
    }
}

/// What came of an attempt at a file.
pub(crate) fn told(file: &str, error: std::io::Error) -> SessionFileError {
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::NOTDIR) => SessionFileError::NotFound(file.to_owned()),
        Some(Errno::LOOP) => SessionFileError::Invalid(format!("`{file}` is a link: a session file is a file of its own")),
        _ => SessionFileError::Io(file.to_owned(), error),
    }
}

/// A name with a number at its end, within the longest description.
fn numbered(name: &str, number: usize) -> String {
    let stem = name.trim_end_matches(".md");
    let suffix = format!("-{number}");
    let kept = stem.len().min(16 + 60 - suffix.len());
    format!("{}{suffix}.md", stem[..kept].trim_end_matches('-'))
}

/// What tells two states of a file apart: its length and FNV-1a of its bytes.
pub(crate) fn revision(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{:x}-{hash:016x}", bytes.len())
}

/// A listed session as the contract has it.
pub(crate) fn shown(session: &ListedFile) -> Value {
    json!({
        "file": session.file,
        "title": session.title,
        "status": session.status,
        "created": session.created,
        "last_updated": session.last_updated,
        "current_task": session.current_task,
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn folder() -> (tempfile::TempDir, SessionFolder, String) {
        let place = tempfile::tempdir().unwrap();
        let folder = SessionFolder { repository: place.path().to_owned(), now: || "2025-12-04T14:30:00Z".parse().unwrap() };
        let file = folder.create(&NewFile { title: "T".into(), current_task: "t".into(), ..NewFile::default() }).unwrap();
        (place, folder, file)
    }

    #[test]
    fn what_somebody_saves_between_reading_and_writing_survives() {
        let (_place, folder, file) = folder();
        let path = folder.path(&file).unwrap();
        let saves = Cell::new(0);
        let buffer = std::fs::read_to_string(&path).unwrap();
        let entry = |read: &SessionFile, now: Timestamp| {
            if saves.get() < 3 {
                saves.set(saves.get() + 1);
                // As editors save: what is in their buffer, as a new file in the old one's place.
                let text = buffer.replace("## Context\n", &format!("## Context\n\nsaved {}\n", saves.get()));
                std::fs::write(path.with_extension("tmp"), text).unwrap();
                std::fs::rename(path.with_extension("tmp"), &path).unwrap();
            }
            Ok(vec![read.add_entry(now, "pm", "went on")])
        };
        folder.change(&file, None, entry).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!((text.matches("went on").count(), text.contains("saved 3"), saves.get()), (1, true, 3), "{text}");
        assert_eq!(std::fs::read_dir(folder.root()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_revision_that_is_stale_by_the_time_of_writing_conflicts_and_what_was_saved_stands() {
        let (_place, folder, file) = folder();
        let path = folder.path(&file).unwrap();
        let before = std::fs::read(&path).unwrap();
        let theirs = String::from_utf8(before.clone()).unwrap().replace("Nothing is done yet.", "Theirs.");
        let update = |read: &SessionFile, _: Timestamp| {
            std::fs::write(path.with_extension("tmp"), &theirs).unwrap();
            std::fs::rename(path.with_extension("tmp"), &path).unwrap();
            Ok(vec![read.set_section("Context", "ours")])
        };
        let answer = folder.change(&file, Some(&revision(&before)), update);
        assert!(matches!(answer, Err(SessionFileError::Conflict(_))), "{answer:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), theirs);
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let (_place, folder, file) = folder();
        std::thread::scope(|scope| {
            for who in 0..4 {
                let (folder, file) = (&folder, &file);
                scope.spawn(move || {
                    for at in 0..25 {
                        folder.change(file, None, |read, now| Ok(vec![read.add_entry(now, "x", &format!("entry {who}.{at}."))])).unwrap();
                    }
                });
            }
        });
        let text = std::fs::read_to_string(folder.path(&file).unwrap()).unwrap();
        let lost: Vec<String> = (0..4)
            .flat_map(|who| (0..25).map(move |at| format!("entry {who}.{at}.")))
            .filter(|entry| text.matches(entry.as_str()).count() != 1)
            .collect();
        assert!(lost.is_empty(), "{lost:?}");
    }

    #[test]
    fn a_number_keeps_a_description_within_its_length() {
        let name = format!("20251204-143000-{}.md", "x".repeat(60));
        assert_eq!(numbered(&name, 12).len(), name.len());
        assert_eq!(numbered("20251204-143000-a.md", 2), "20251204-143000-a-2.md");
    }
}
