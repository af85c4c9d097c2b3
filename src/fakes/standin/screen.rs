//! What a stand-in shows. A thread of its own writes, so that a terminal that nobody reads cannot hold up the session.

use std::io::Write as _;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use rustix::termios::{OptionalActions, OutputModes, Termios, isatty, tcgetattr, tcsetattr};

/// How long the end waits for what is still to be shown.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A terminal in raw mode, or a pipe.
pub(crate) struct Screen {
    to: Option<Sender<Vec<u8>>>,
    over: Receiver<()>,
    restore: Option<Termios>,
    /// Whether it is a terminal.
    pub is_terminal: bool,
}

impl Screen {
    /// Takes over standard input and output. A terminal is raw before anything is drawn.
    pub(crate) fn open() -> Self {
        let stdin = std::io::stdin();
        let is_terminal = isatty(&stdin);
        let restore = if is_terminal { tcgetattr(&stdin).ok() } else { None };
        if let Some(mut raw) = restore.clone() {
            raw.make_raw();
            raw.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
            // At once: waiting for output, or flushing input, would lose what was typed early.
            let _ = tcsetattr(&stdin, OptionalActions::Now, &raw);
        }
        let (to, from) = mpsc::channel::<Vec<u8>>();
        let (ended, over) = mpsc::channel();
        std::thread::spawn(move || {
            let mut stdout = std::io::stdout();
            while let Ok(bytes) = from.recv() {
                // A terminal that is gone takes nothing.
                let _ = stdout.write_all(&bytes).and_then(|()| stdout.flush());
            }
            let _ = ended.send(());
        });
        Self { to: Some(to), over, restore, is_terminal }
    }

    /// Shows a text, soon.
    pub(crate) fn show(&self, text: &str) {
        if let Some(to) = &self.to {
            let _ = to.send(text.as_bytes().to_vec());
        }
    }

    /// Shows the last words and gives the terminal back.
    pub(crate) fn close(&mut self) {
        if self.is_terminal {
            self.show("\x1b[?2004l\n");
        }
        self.to = None;
        let _ = self.over.recv_timeout(LAST_WORDS);
        if let Some(termios) = self.restore.take() {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &termios);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}
