//! Standing between a real client and a real manager: every byte passes unchanged, and the trace of it is written.
//!
//! What was read is on record before it is passed on: whatever a side has seen is in the trace, whoever dies next, and a
//! request stands before its answer, an announcement before what it brings about. The price is in `docs/measurements.md`.

pub(crate) mod socket;
pub(crate) mod stdio;
pub(crate) mod tape;
pub(crate) mod told;
pub(crate) mod translate;
pub(crate) mod words;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard};

pub(crate) use socket::between_sockets;
pub(crate) use stdio::over_stdio;
pub(crate) use tape::Tape;
pub(crate) use words::Words;

use told::AnnouncedOnce;
use translate::Translator;

/// How much is read at once, in bytes.
const PIECE: usize = 64 << 10;

/// A side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Who asks.
    Client,
    /// Who answers.
    Server,
}

/// Who hears what passes and writes the trace. Clones write the same one.
#[derive(Clone)]
pub(crate) struct ProxyEar {
    tape: Arc<Tape>,
    heard: Arc<Mutex<Heard>>,
}

/// What was heard so far.
struct Heard {
    words: Arc<Words>,
    connections: HashMap<u64, Translator>,
    told: AnnouncedOnce,
}

impl ProxyEar {
    /// Writes to a tape what it hears, by those words.
    pub(crate) fn new(tape: Tape, words: Words) -> Self {
        let heard = Heard { words: Arc::new(words), connections: HashMap::new(), told: AnnouncedOnce::default() };
        Self { tape: Arc::new(tape), heard: Arc::new(Mutex::new(heard)) }
    }

    /// A side said something.
    fn said(&self, connection: u64, side: Side, bytes: &[u8]) {
        let mut heard = self.heard();
        let at_ms = self.tape.now_ms();
        let Heard { words, connections, told } = &mut *heard;
        let translator = connections.entry(connection).or_insert_with(|| Translator::new(words.clone()));
        translator.hear(
            side,
            bytes,
            || self.tape.number(),
            |entry, way| {
                if told.is_new(&entry, connection, way) {
                    self.tape.write(at_ms, entry);
                }
            },
        );
    }

    /// A connection is over.
    fn over(&self, connection: u64, why: impl Into<String>) {
        let mut heard = self.heard();
        let at_ms = self.tape.now_ms();
        if let Some(mut translator) = heard.connections.remove(&connection) {
            translator.end(|entry| self.tape.write(at_ms, entry));
        }
        self.tape.note(at_ms, why.into());
    }

    /// Never held while anything is passed on: who does not listen holds up nobody else.
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Passes on what a side says, until it says no more or nobody listens.
    fn pass(&self, connection: u64, side: Side, mut from: impl Read, mut to: impl Write) {
        let mut piece = vec![0; PIECE];
        loop {
            match from.read(&mut piece) {
                Ok(0) => return,
                Ok(length) => {
                    self.said(connection, side, &piece[..length]);
                    if to.write_all(&piece[..length]).and_then(|()| to.flush()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}
