use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

/// The most that goes into a log, in bytes: who complains for ever must not fill the disk.
const LOG_LIMIT: usize = 8 << 20;

/// The end of a text that may be endless: what a process wrote to its standard error. Clones share it.
#[derive(Debug, Clone)]
pub struct Tail {
    kept: Arc<Mutex<KeptText>>,
    limit: usize,
}

#[derive(Debug, Default)]
struct KeptText {
    bytes: VecDeque<u8>,
    cut: bool,
    log: Option<LogFile>,
}

/// A file that has the text's beginning.
#[derive(Debug)]
struct LogFile {
    file: File,
    left: usize,
}

impl Tail {
    /// An empty tail that keeps the last `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { kept: Arc::default(), limit }
    }

    /// Also writes the text's beginning to a file, for people; of at most 8 MB. A file that cannot be made is no matter.
    pub fn logged_to(self, path: &Path) -> Self {
        self.lock().log = File::create(path).ok().map(|file| LogFile { file, left: LOG_LIMIT });
        self
    }

    /// Appends; forgets what is too far back.
    pub fn push(&self, bytes: &[u8]) {
        let mut kept = self.lock();
        if let Some(log) = &mut kept.log {
            let logged = bytes.len().min(log.left);
            let _ = log.file.write_all(&bytes[..logged]);
            log.left -= logged;
        }
        let excess = (kept.bytes.len() + bytes.len()).saturating_sub(self.limit);
        kept.cut |= excess > 0;
        let forgotten = excess.min(kept.bytes.len());
        kept.bytes.drain(..forgotten);
        kept.bytes.extend(&bytes[excess - forgotten..]);
    }

    /// The text kept, from the beginning of a line where its own beginning was cut off.
    pub fn text(&self) -> String {
        let mut kept = self.lock();
        let cut = kept.cut;
        let bytes: &[u8] = kept.bytes.make_contiguous();
        let from = if cut { bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1) } else { 0 };
        String::from_utf8_lossy(&bytes[from..]).into_owned()
    }

    fn lock(&self) -> MutexGuard<'_, KeptText> {
        self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_whole_lines() {
        let tail = Tail::new(12);
        tail.push(b"first\n");
        assert_eq!(tail.text(), "first\n");
        tail.push(b"second\nthird\n");
        assert_eq!(tail.text(), "third\n");
    }

    #[test]
    fn the_beginning_goes_to_a_log() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let tail = Tail::new(4).logged_to(file.path());
        tail.push(b"one\n");
        tail.push(b"two\n");
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn one_endless_line_keeps_its_end() {
        let tail = Tail::new(4);
        tail.push(b"0123456789");
        assert_eq!(tail.text(), "6789");
    }
}
