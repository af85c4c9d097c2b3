//! Standing between a real client and a real manager: every byte passes unchanged, and the trace of it is written.
//!
//! Threads pass bytes on; one more makes records of them. What was read is handed to it before it is passed on, so the
//! trace has a request before its answer and an announcement before what it brings about, and nobody waits for it.

mod socket;
mod stdio;
mod tape;
mod told;
mod translate;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

pub use socket::between_sockets;
pub use stdio::over_stdio;
pub use tape::Tape;
pub use translate::Words;

use told::Told;
use translate::Translator;

/// How many pieces may wait to become records; then passing on waits, too, and memory stays bounded.
const WAITING: usize = 4096;
/// How much is read at once, in bytes.
const PIECE: usize = 64 << 10;

/// A side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who asks.
    Client,
    /// Who answers.
    Server,
}

/// What was seen.
#[derive(Debug)]
enum Seen {
    /// A side of a connection said something, then.
    Said(u64, Side, u64, Vec<u8>),
    /// A connection is over, for that reason.
    Over(u64, String),
    /// Nothing more is to be written.
    End,
}

/// A trace that is being written.
#[derive(Debug)]
pub struct Recording {
    ear: Ear,
    writer: JoinHandle<()>,
}

impl Recording {
    /// Starts to write a trace.
    pub fn start(tape: Tape, words: Words) -> Self {
        let (tell, seen) = sync_channel(WAITING);
        let tape = Arc::new(tape);
        let ear = Ear { tell, tape: tape.clone() };
        Self { ear, writer: std::thread::spawn(move || write(&seen, &tape, &words)) }
    }

    /// Where to tell what is seen.
    pub fn ear(&self) -> &Ear {
        &self.ear
    }

    /// Returns when everything that was seen is written.
    pub fn finish(self) {
        let _ = self.ear.tell.send(Seen::End);
        let _ = self.writer.join();
    }
}

/// Where what was seen goes. Clones go to the same trace.
#[derive(Debug, Clone)]
pub struct Ear {
    tell: SyncSender<Seen>,
    tape: Arc<Tape>,
}

impl Ear {
    fn said(&self, connection: u64, side: Side, bytes: &[u8]) {
        // A writer that is gone is no reason to hold anything up.
        let _ = self.tell.send(Seen::Said(connection, side, self.tape.now_ms(), bytes.to_vec()));
    }

    fn over(&self, connection: u64, why: impl Into<String>) {
        let _ = self.tell.send(Seen::Over(connection, why.into()));
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

fn write(seen: &Receiver<Seen>, tape: &Tape, words: &Words) {
    let mut connections: HashMap<u64, Translator<'_>> = HashMap::new();
    let mut told = Told::default();
    while let Ok(seen) = seen.recv() {
        match seen {
            Seen::Said(connection, side, at_ms, bytes) => {
                let translator = connections.entry(connection).or_insert_with(|| Translator::new(words));
                translator.hear(
                    side,
                    &bytes,
                    || tape.number(),
                    |entry, way| {
                        if told.is_new(&entry, connection, way) {
                            tape.write(at_ms, entry);
                        }
                    },
                );
            }
            Seen::Over(connection, why) => {
                let at_ms = tape.now_ms();
                if let Some(mut translator) = connections.remove(&connection) {
                    translator.end(|entry| tape.write(at_ms, entry));
                }
                tape.note(at_ms, why);
            }
            Seen::End => return,
        }
    }
}
