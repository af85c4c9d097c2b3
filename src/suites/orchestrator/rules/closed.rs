//! The ids of sessions that are over: eight bytes each.

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

/// FNV-1a over words: good enough for ids, and the same on every machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// Makes [`Fnv`] hashers.
pub(crate) type Fast = BuildHasherDefault<Fnv>;

/// A text's hash.
pub(crate) fn hash(value: impl Hash) -> u64 {
    Fast::default().hash_one(value)
}

/// The shard of `of` that an id is in, from 1: the same everywhere.
pub(crate) fn shard(id: &str, of: u64) -> u64 {
    let mut hasher = Fnv::default();
    hasher.write(id.as_bytes());
    hasher.finish() % of + 1
}

/// Hashes of ids: a long sorted list, and a short one of what came since.
#[derive(Debug, Default)]
pub(crate) struct Closed {
    sorted: Vec<u64>,
    recent: std::collections::HashSet<u64, Fast>,
}

/// From so many on, what came since is merged, once it is a sixteenth of the whole.
const RECENT: usize = 4096;

impl Closed {
    /// Adds an id.
    pub(crate) fn insert(&mut self, id: &str) {
        self.recent.insert(hash(id));
        if self.recent.len() >= RECENT.max(self.sorted.len() / 16) {
            self.sorted.reserve_exact(self.recent.len());
            self.sorted.extend(self.recent.drain());
            self.sorted.sort_unstable();
        }
    }

    /// Whether it was added.
    pub(crate) fn contains(&self, id: &str) -> bool {
        let hash = hash(id);
        self.recent.contains(&hash) || self.sorted.binary_search(&hash).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn what_was_added_is_found_before_and_after_the_merge() {
        let mut closed = Closed::default();
        let ids: Vec<String> = (0..10_000).map(|n| format!("session-{n}")).collect();
        for id in &ids {
            assert!(!closed.contains(id));
            closed.insert(id);
            assert!(closed.contains(id));
        }
        assert!(ids.iter().all(|id| closed.contains(id)) && !closed.contains("session-x"));
        assert!(closed.sorted.capacity() < 11_000);
    }

    #[rstest]
    #[case::few(0, 4096)]
    #[case::sixteen_times_as_many(65_536, 4096)]
    #[case::more(131_072, 8192)]
    fn so_many_wait_to_be_merged_with(#[case] merged: u64, #[case] most: usize) {
        let mut closed = Closed { sorted: (0..merged).collect(), ..Closed::default() };
        (1..most).for_each(|n| closed.insert(&format!("session-{n}")));
        assert_eq!(closed.recent.len(), most - 1);
        closed.insert("the last");
        assert_eq!((closed.recent.len(), closed.sorted.len()), (0, merged as usize + most));
    }

    /// The parts of a trace may be judged on different machines, by different versions.
    #[rstest]
    #[case("s1", [1, 3, 4, 33])]
    #[case("s2", [2, 2, 1, 64])]
    #[case("0191b2a4-7c1e-7d3f-8a55-4d2f9c6b1e07", [1, 1, 1, 71])]
    fn an_id_is_in_the_same_shard_everywhere(#[case] id: &str, #[case] shards: [u64; 4]) {
        assert_eq!([2, 3, 7, 100].map(|of| shard(id, of)), shards);
    }
}
