use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use jiff::Timestamp;

use crate::trace::{Entry, Record};

/// A trace that is being recorded: each record is one write to the file, so that whoever dies leaves whole lines.
///
/// A file that is there is gone on with: clients start their servers again and again by the same command. Its times go on,
/// too.
pub(crate) struct Tape {
    file: Mutex<File>,
    began: Instant,
    /// Milliseconds from the trace's beginning to this recording's.
    before_ms: u64,
    next: AtomicU64,
    failed: AtomicBool,
    complain: Box<dyn Fn(&str) + Send + Sync>,
}

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tape").field("before_ms", &self.before_ms).finish_non_exhaustive()
    }
}

impl Tape {
    /// Opens a file and writes what the trace is of. Where a record cannot be written, `complain` is told, once.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(path: &Path, system: &str, complain: impl Fn(&str) + Send + Sync + 'static) -> io::Result<Self> {
        let now = Timestamp::now();
        let before_ms = File::open(path).ok().and_then(began).map_or(0, |began| now.duration_since(began).as_millis().max(0) as u64);
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let tape = Self {
            file: Mutex::new(file),
            began: Instant::now(),
            before_ms,
            // Beyond any number that an earlier recording of the file used, unless it had a thousand requests a millisecond.
            next: AtomicU64::new(before_ms * 1000 + 1),
            failed: AtomicBool::new(false),
            complain: Box::new(complain),
        };
        let meta = Entry::Meta {
            system: system.to_owned(),
            spec: crate::spec::VERSION.to_owned(),
            scenario: String::new(),
            profiles: BTreeMap::new(),
        };
        tape.put(&Record { at_ms: Some(before_ms), at: Some(now.to_string()), entry: meta, extra: Default::default() });
        Ok(tape)
    }

    /// Milliseconds since the trace began.
    pub(crate) fn now_ms(&self) -> u64 {
        self.before_ms + self.began.elapsed().as_millis() as u64
    }

    /// The number of the next request.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn write(&self, at_ms: u64, entry: Entry) {
        self.put(&Record { at_ms: Some(at_ms), at: None, entry, extra: Default::default() });
    }

    pub(crate) fn note(&self, at_ms: u64, text: String) {
        self.write(at_ms, Entry::Note { text });
    }

    fn put(&self, record: &Record) {
        let mut line = serde_json::to_vec(record).expect("records are plain data");
        line.push(b'\n');
        let written = self.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).write_all(&line);
        if let Err(error) = written
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            (self.complain)(&format!("the trace cannot be written any more: {error}"));
        }
    }
}

/// When the trace in a file began: its first line says so.
fn began(file: File) -> Option<Timestamp> {
    let mut line = String::new();
    BufReader::new(file).read_line(&mut line).ok()?;
    serde_json::from_str::<Record>(&line).ok()?.at?.parse().ok()
}
