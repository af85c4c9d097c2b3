//! Which native file is a session's, and what it says.

use std::path::{Path, PathBuf};

use crate::fakes::native;

use super::manager::Manager;
use super::session::{Live, SessionRecord};
use super::transcript::{self, TranscriptEntry};
use crate::suites::manager::behavior::Native;

/// How many of an agent's newest files are looked at for one that no hook has named: a home may hold years of them.
const LOOKED_AT: usize = 200;

impl Manager {
    /// A session's transcript; empty while its agent has written none. Nothing is changed, written or remembered.
    pub(crate) async fn transcript(&self, live: &Live) -> Vec<TranscriptEntry> {
        let agent = live.record().agent;
        let mut said = Vec::new();
        for path in self.natives(live).await {
            said.extend(transcript::read(agent, &self.host.read_file(&path).await.unwrap_or_default()));
        }
        said
    }

    /// The size of a session's file; 0 while there is none.
    pub(crate) async fn native_bytes(&self, live: &Live) -> u64 {
        let Some(path) = self.natives(live).await.into_iter().next() else { return 0 };
        self.host.read_file(&path).await.map_or(0, |bytes| bytes.len() as u64)
    }

    /// The native files of a session: none or one, where the manager conforms.
    pub(crate) async fn natives(&self, live: &Live) -> Vec<PathBuf> {
        let record = live.record().clone();
        let found = match self.behavior.native {
            Native::Own => match self.named(&record).await {
                Some(path) => Some(path),
                None => self.by_message(&record).await,
            },
            Native::OwnOrNewest => match self.named(&record).await {
                Some(path) => Some(path),
                None => self.of_folder(&record).await.into_iter().next().map(|(path, _)| path),
            },
            Native::Named => self.named(&record).await,
            Native::Nothing => None,
            Native::Newest => self.of_folder(&record).await.into_iter().next().map(|(path, _)| path),
            Native::InOrder => self.in_order(&record).await,
            Native::All => return self.all_files(&record).await,
        };
        found.into_iter().collect()
    }

    /// The file that a session's hooks told: Claude's and Gemini's its path, Codex's the thread that its name ends with.
    pub(crate) async fn named(&self, record: &SessionRecord) -> Option<PathBuf> {
        if record.native.is_some() || record.thread.is_none() {
            return record.native.clone();
        }
        self.all_files(record).await.into_iter().find(|path| names(record, path))
    }

    /// The file of a session that no hook has told of yet: one of its folder and its time that no other session has,
    /// and that has its first message. Where another session waits for a file with the same message, nobody can tell.
    async fn by_message(&self, record: &SessionRecord) -> Option<PathBuf> {
        let message = record.message.as_deref()?;
        let is_rival = |other: &SessionRecord| {
            let nameless = other.native.is_none() && other.thread.is_none();
            other.id != record.id && nameless && other.agent == record.agent && other.cwd == record.cwd && other.message == record.message
        };
        if self.all().iter().any(|other| is_rival(&other.record())) {
            return None;
        }
        let is_own = |path: &PathBuf, bytes: &[u8]| {
            let began = transcript::began(bytes).is_some_and(|began| began.as_millisecond() >= record.started.as_millisecond());
            let asked = |said: &TranscriptEntry| said.role == "user" && said.text.trim_end() == message.trim_end();
            began && transcript::read(record.agent, bytes).iter().any(asked) && !self.is_taken(record, path)
        };
        self.of_folder(record).await.into_iter().find(|(path, bytes)| is_own(path, bytes)).map(|(path, _)| path)
    }

    /// What a careless manager takes: for the first session of a folder its first file, for the second its second.
    async fn in_order(&self, record: &SessionRecord) -> Option<PathBuf> {
        let alike = |other: &SessionRecord| other.agent == record.agent && other.cwd == record.cwd;
        let place = self.all().iter().filter(|other| alike(&other.record())).position(|other| other.id() == record.id)?;
        self.of_folder(record).await.into_iter().rev().nth(place).map(|(path, _)| path)
    }

    async fn all_files(&self, record: &SessionRecord) -> Vec<PathBuf> {
        self.host.files_below(&self.host.home().join(native::of(record.agent).root())).await
    }

    /// The files of a session's folder with what is in them, newest first.
    async fn of_folder(&self, record: &SessionRecord) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        for path in self.all_files(record).await.into_iter().rev().take(LOOKED_AT) {
            let bytes = self.host.read_file(&path).await.unwrap_or_default();
            if native::of(record.agent).is_in_folder(&path, transcript::cwd(&bytes).as_deref(), &record.cwd) {
                found.push((path, bytes));
            }
        }
        found
    }

    /// Whether a file is known to be another session's.
    fn is_taken(&self, record: &SessionRecord, path: &Path) -> bool {
        self.all().iter().map(|other| other.record().clone()).any(|other| other.id != record.id && names(&other, path))
    }
}

/// Whether a session's hooks named that file.
fn names(record: &SessionRecord, path: &Path) -> bool {
    let has_thread = |thread: &String| path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(thread.as_str()));
    record.native.as_deref() == Some(path) || record.thread.as_ref().is_some_and(has_thread)
}
