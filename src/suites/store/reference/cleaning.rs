//! The clean-up: what nothing happened to for long goes, and nothing else.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::audit::Happened;
use super::decision::idle;
use super::folder::{Folder, NEW_RECORD, RECORD, Unreadable};
use super::record::StoreRecord;
use super::store::{Store, StoreError};

/// What becomes of corrupt records and empty folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rubbish {
    /// It goes by its file's time.
    ByFileTime,
    /// It stays.
    Stays,
    /// It goes at once.
    Goes,
}

/// What a clean-up does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cleaning {
    /// What a number of hours means.
    pub(crate) age: fn(f64) -> Option<Duration>,
    /// Since when a session has been left alone.
    pub(crate) since: fn(&StoreRecord) -> Timestamp,
    /// What becomes of rubbish.
    pub(crate) rubbish: Rubbish,
    /// Whether links are followed.
    pub(crate) follows_links: bool,
    /// What is counted.
    pub(crate) count: fn(&Cleaned) -> usize,
}

impl Default for Cleaning {
    fn default() -> Self {
        Self {
            age,
            since: |record| record.last_updated,
            rubbish: Rubbish::ByFileTime,
            follows_links: false,
            count: |cleaned| cleaned.removed,
        }
    }
}

/// What came of a clean-up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cleaned {
    /// What was looked at.
    pub(crate) seen: usize,
    /// What was removed by this call.
    pub(crate) removed: usize,
}

/// A number of hours, from nought.
fn age(hours: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(hours * 3_600.0).ok()
}

impl Store {
    /// Removes the sessions that nothing happened to for more than so many hours; answers how many those were.
    ///
    /// # Errors
    /// Where the hours mean nothing, or something cannot be removed.
    pub fn cleanup(&self, hours: f64) -> Result<usize, StoreError> {
        let cleaning = &self.behavior.cleaning;
        let age = (cleaning.age)(hours).ok_or_else(|| StoreError::Invalid(format!("`hours` is {hours}, wanted a number from 0 on")))?;
        let mut cleaned = Cleaned::default();
        for (name, is_folder) in self.root.names().map_err(|error| self.failed("clean up", error))? {
            cleaned.seen += 1;
            if !is_folder {
                if cleaning.follows_links {
                    empty_out(&self.root.path.join(&name));
                }
                continue;
            }
            match self.clear(&name, age) {
                Ok(removed) => cleaned.removed += usize::from(removed),
                // Another clean-up was faster.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(self.failed(&name, error)),
            }
        }
        self.sweep(age);
        Ok((cleaning.count)(&cleaned))
    }

    /// Removes one session where it is old enough. It is looked at again once nobody else can change it.
    fn clear(&self, name: &str, age: Duration) -> std::io::Result<bool> {
        let Some(folder) = self.root.session(name)? else { return Ok(false) };
        if !self.is_old(&folder, age)? {
            return Ok(false);
        }
        folder.lock()?;
        let removed = self.is_old(&folder, age)? && folder.remove()?;
        if removed {
            self.audit.note(self.now(), name, Happened::Removed);
        }
        Ok(removed)
    }

    fn is_old(&self, folder: &Folder, age: Duration) -> std::io::Result<bool> {
        let cleaning = &self.behavior.cleaning;
        let since = match (folder.read(), cleaning.rubbish) {
            (Ok(record), _) => (cleaning.since)(&record),
            (Err(_), Rubbish::Stays) => return Ok(false),
            // A folder that holds something of somebody else's is not ours to remove.
            (Err(Unreadable::Absent), _) if folder.names()?.iter().any(|name| name != NEW_RECORD) => return Ok(false),
            (Err(_), Rubbish::Goes) => return Ok(true),
            (Err(Unreadable::Corrupt(_)), _) if folder.names()?.iter().any(|name| name != RECORD && name != NEW_RECORD) => {
                return Ok(false);
            }
            (Err(_), Rubbish::ByFileTime) => folder.file_time()?,
        };
        Ok(idle(since, self.now()) > age)
    }

    /// Removes what creations that were killed left behind.
    fn sweep(&self, age: Duration) {
        for entry in std::fs::read_dir(&self.root.path).into_iter().flatten().flatten() {
            let is_left = entry.file_name().to_string_lossy().starts_with(".new-");
            let written = entry.metadata().ok().and_then(|file| Timestamp::try_from(file.modified().ok()?).ok());
            if is_left && written.is_some_and(|written| idle(written, self.now()) > age) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Removes what a link leads to, as a careless clean-up does.
fn empty_out(link: &Path) {
    for entry in std::fs::read_dir(link).into_iter().flatten().flatten() {
        let _ = std::fs::remove_file(entry.path());
    }
}
