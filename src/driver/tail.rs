use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// The end of a text that may be endless: what a process wrote to its standard error. Clones share it.
#[derive(Debug, Clone)]
pub struct Tail {
    kept: Arc<Mutex<Kept>>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: VecDeque<u8>,
    cut: bool,
}

impl Tail {
    /// An empty tail that keeps the last `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { kept: Arc::default(), limit }
    }

    /// Appends; forgets what is too far back.
    pub fn push(&self, bytes: &[u8]) {
        let mut kept = self.lock();
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

    fn lock(&self) -> MutexGuard<'_, Kept> {
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
    fn one_endless_line_keeps_its_end() {
        let tail = Tail::new(4);
        tail.push(b"0123456789");
        assert_eq!(tail.text(), "6789");
    }
}
