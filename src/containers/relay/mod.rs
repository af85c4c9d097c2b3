//! Relays: the first process of a container is this executable. It owns the agent's terminal, writes down what the agent writes,
//! and is asked over a socket in a folder that is mounted: a line of JSON each way, a connection a question.

pub(crate) mod first_process;

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use crate::core::terminal::plain;

use super::docker_api::DockerEngine;
use super::engine::{ContainerRelay, RelayError};

/// The relay's folder, in the container.
pub(crate) const RELAY_FOLDER: &str = "/run/passmuster";
/// The folder of this executable and its libraries, in the container.
const PROGRAM_FOLDER: &str = "/run/passmuster-program";
/// The socket, in the relay's folder.
const SOCKET: &str = "relay.sock";
/// What the relay is to do, in its folder.
const JOB: &str = "job.json";
/// How the agent ended, in the relay's folder; it is there before the relay goes.
const ENDED: &str = "ended.json";
/// The longest message that goes as an argument, in bytes; the system takes 128 KiB for one.
const LONGEST_ARGUMENT: usize = 100_000;
/// How often a relay that does not listen yet is looked for: nothing tells that it does.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What a relay runs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RelayJob {
    /// The agent's program and its arguments.
    words: Vec<String>,
    /// A message to type once the agent takes input: one that is too long for an argument.
    typed: Option<String>,
    /// The file that is written to, in the relay's folder.
    transcript: PathBuf,
}

impl RelayJob {
    /// An agent's words with its first message, which is its last argument, after `--`.
    pub(crate) fn new(mut words: Vec<String>, message: Option<&str>, transcript: &Path) -> Self {
        let (argument, typed) = match message {
            Some(message) if message.len() > LONGEST_ARGUMENT => (None, Some(message.to_owned())),
            message => (message, None),
        };
        words.extend(argument.into_iter().flat_map(|message| ["--".to_owned(), message.to_owned()]));
        let transcript = transcript.file_name().map(PathBuf::from).unwrap_or_default();
        Self { words, typed, transcript }
    }

    /// Leaves it for the relay whose folder that is.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn leave(&self, folder: &Path) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // What another one left there says nothing of this one.
        [SOCKET, ENDED].iter().for_each(|name| drop(std::fs::remove_file(folder.join(name))));
        let file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(folder.join(JOB))?;
        serde_json::to_writer(file, self).map_err(io::Error::from)
    }
}

/// This executable as a container gets it: with the libraries that it has mapped, so that it runs in any image.
#[derive(Debug, Clone)]
pub(crate) struct RelayProgram {
    program: PathBuf,
    libraries: Vec<PathBuf>,
}

impl RelayProgram {
    /// Of a process, as its memory shows it; `program` is its executable.
    pub(crate) fn of(program: PathBuf, maps: &str) -> Self {
        let mut libraries: Vec<PathBuf> = maps
            .lines()
            .filter_map(|line| line.split_whitespace().nth(5).map(PathBuf::from))
            .filter(|path| path.is_absolute() && name(path).split('.').any(|part| part == "so"))
            .collect();
        libraries.sort();
        libraries.dedup();
        Self { program, libraries }
    }

    /// Of this process.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn own() -> io::Result<Self> {
        Ok(Self::of(std::env::current_exe()?, &std::fs::read_to_string("/proc/self/maps")?))
    }

    /// The files to mount, each with its place in the container.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&Path, String)> {
        let files = self.libraries.iter().chain([&self.program]);
        files.map(|file| (file.as_path(), format!("{PROGRAM_FOLDER}/{}", name(file))))
    }

    /// The words that start a relay in the container: by the loader it came with, where it needs one.
    pub(crate) fn words(&self) -> Vec<String> {
        let inside = |file: &Path| format!("{PROGRAM_FOLDER}/{}", name(file));
        let loader = self.libraries.iter().find(|library| name(library).starts_with("ld-"));
        let mut words = match loader {
            Some(loader) => vec![inside(loader), "--library-path".into(), PROGRAM_FOLDER.into()],
            None => Vec::new(),
        };
        words.push(inside(&self.program));
        words.extend(["supervise", "relay"].map(str::to_owned));
        words
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a relay is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RelayAsk {
    /// Tell when the agent takes input.
    Ready,
    /// Type this and submit it.
    Type(String),
    /// Does the agent take what its terminal tells?
    Ping,
    /// End the agent's input.
    HangUp,
}

/// What it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RelayAnswer {
    /// It was done.
    Done,
    /// The agent is over.
    Gone,
    /// The agent is there and takes nothing.
    Silent,
}

/// A message, as a line.
fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("plain data");
    line.push(b'\n');
    line
}

/// The message that one line is.
async fn hear<T: for<'de> Deserialize<'de>>(read: impl AsyncRead + Unpin) -> io::Result<T> {
    let mut line = String::new();
    BufReader::new(read).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}

/// Connects to the relay of a folder, whose path may be longer than a socket's may be.
async fn connect(folder: &Path) -> io::Result<UnixStream> {
    let folder = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd())).await
}

/// Asks the relay of a folder.
async fn ask(folder: &Path, question: &RelayAsk) -> io::Result<RelayAnswer> {
    let mut stream = connect(folder).await?;
    stream.write_all(&line(question)).await?;
    hear(stream).await
}

impl DockerEngine {
    async fn ask_relay(&self, container: &str, question: &RelayAsk) -> Result<(), RelayError> {
        let folder = self.relay_folder(container).await.ok_or(RelayError::Gone)?;
        match ask(&folder, question).await {
            Ok(RelayAnswer::Done) => Ok(()),
            Ok(RelayAnswer::Silent) => Err(RelayError::Silent),
            Ok(RelayAnswer::Gone) | Err(_) => Err(RelayError::Gone),
        }
    }
}

#[async_trait]
impl ContainerRelay for DockerEngine {
    async fn ready(&self, container: &str) -> Result<(), RelayError> {
        let folder = self.relay_folder(container).await.ok_or(RelayError::Gone)?;
        // It listens a moment after its container was started.
        while !folder.join(SOCKET).exists() {
            if folder.join(ENDED).exists() {
                return Err(RelayError::Gone);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.ask_relay(container, &RelayAsk::Ready).await
    }

    async fn send(&self, container: &str, message: &str) -> Result<(), RelayError> {
        self.ask_relay(container, &RelayAsk::Type(message.to_owned())).await
    }

    async fn ping(&self, container: &str) -> Result<(), RelayError> {
        self.ask_relay(container, &RelayAsk::Ping).await
    }

    async fn hang_up(&self, container: &str) {
        // One that is gone has no input any more.
        let _ = self.ask_relay(container, &RelayAsk::HangUp).await;
    }

    fn transcript(&self, file: &Path) -> Option<String> {
        std::fs::read(file).ok().map(|bytes| plain(&bytes))
    }

    fn written(&self, file: &Path) -> u64 {
        std::fs::metadata(file).map_or(0, |file| file.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_goes_with_its_loader_and_libraries() {
        let maps = "55 r-xp 00 08:01 1 /usr/bin/passmuster\n\
                    7f r-xp 00 08:01 2 /lib/x86_64-linux-gnu/libc.so.6\n7f r--p 00 08:01 2 /lib/x86_64-linux-gnu/libc.so.6\n\
                    7f r--p 00 08:01 4 /usr/lib/locale/C.utf8/LC_CTYPE\n\
                    7f r-xp 00 08:01 3 /lib64/ld-linux-x86-64.so.2\n7f rw-p 00 00:00 0 [stack]\n";
        let program = RelayProgram::of("/usr/bin/passmuster".into(), maps);
        let inside = |name: &str| format!("/run/passmuster-program/{name}");
        let targets: Vec<String> = program.files().map(|(_, target)| target).collect();
        assert_eq!(targets, [inside("libc.so.6"), inside("ld-linux-x86-64.so.2"), inside("passmuster")]);
        let words = program.words();
        assert_eq!(words[..2], [inside("ld-linux-x86-64.so.2"), "--library-path".into()]);
        let whole = RelayProgram::of("/p".into(), "55 r-xp 00 08:01 1 /p\n");
        assert_eq!(whole.words(), [inside("p"), "supervise".into(), "relay".into()]);
    }

    #[test]
    fn the_first_message_is_an_argument_unless_it_is_too_long() {
        let job = RelayJob::new(vec!["codex".into()], Some("-rf"), Path::new("/r/transcript.txt"));
        assert_eq!((job.words.join(" ").as_str(), job.typed), ("codex -- -rf", None));
        let long = "x".repeat(LONGEST_ARGUMENT + 1);
        let job = RelayJob::new(vec!["codex".into()], Some(&long), Path::new("/r/transcript.txt"));
        assert_eq!((job.words.len(), job.typed), (1, Some(long)));
    }
}
