//! One run of a stand-in: what it does, in its order.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::contract::{AgentKind, TurnStatus};
use crate::fakes::control::{AgentReport, Child, ControlCommand, Script};
use crate::fakes::native::{self, FileChange, NativeMoment, NativeSession, version};
use crate::fakes::processes::kill;
use crate::fakes::turns::Turns;
use crate::profile::{Mode, Phase, Profile, Profiles};

use super::arguments::StandInArguments;
use super::hooks::Hooks;
use super::screen::Screen;
use super::{Harness, NO_HARNESS, StandInEvent, UNSUPPORTED, children, input};

/// A stand-in at work.
pub(crate) struct Player {
    profile: Profile,
    arguments: StandInArguments,
    banner: String,
    prompt_mark: String,
    harness: Harness,
    script: Script,
    /// By hand, the profile's delays are kept.
    keeps_delays: bool,
    native: NativeSession,
    hooks: Hooks,
    turns: Turns,
    /// When the open turn ends by itself.
    release_at: Option<Instant>,
    /// A release that came before its turn was open.
    early: Option<(u64, String, TurnStatus)>,
    commands: u64,
    input_over: bool,
    /// What is typed as a ping.
    ping: Option<String>,
}

/// How a stand-in ends.
struct StandInExit(i32);

impl Player {
    pub(crate) fn new(
        agent: AgentKind,
        profiles: &Profiles,
        home: &Path,
        arguments: StandInArguments,
        harness: Harness,
        script: Script,
        keeps_delays: bool,
    ) -> Self {
        let profile = profiles.get(agent, arguments.mode).clone();
        let cwd = std::env::current_dir().unwrap_or_default();
        let session = native::of(agent).new_id();
        let mut native = NativeSession::new(agent, &profile, home, &cwd, Timestamp::now(), session);
        if let Some(wanted) = &arguments.resume
            && let Some((path, id, text)) = earlier(agent, home, &cwd, wanted.as_deref())
        {
            native = native.resumed(path, id, &text);
        }
        let file = profiles.agent(agent);
        Self {
            banner: file.banner.replace("{version}", &version(profiles, agent, arguments.mode)),
            prompt_mark: file.prompt.clone(),
            hooks: Hooks::find(agent, home, &cwd, &arguments.settings),
            profile,
            arguments,
            harness,
            script,
            keeps_delays,
            native,
            turns: Turns::default(),
            release_at: None,
            early: None,
            commands: 0,
            input_over: false,
            ping: None,
        }
    }

    /// The same, who answers that without a turn.
    pub(crate) fn pinged_by(self, ping: Option<String>) -> Self {
        Self { ping, ..self }
    }

    /// Lives, from the first line on the screen to the exit status.
    pub(crate) fn live(mut self, events: Sender<StandInEvent>, inbox: &Receiver<StandInEvent>) -> ExitCode {
        if let Some(code) = self.script.exit_at_once {
            self.harness.tell(&AgentReport::Exiting { code });
            return ExitCode::from(code as u8);
        }
        if let Some(what) = self.arguments.unsupported.clone() {
            self.harness.tell(&AgentReport::Unsupported { what: what.clone() });
            self.harness.tell(&AgentReport::Exiting { code: UNSUPPORTED });
            eprintln!("{what}: this stand-in does not imitate that");
            return ExitCode::from(UNSUPPORTED as u8);
        }
        listen_to_signals(&events);
        let mut screen = Screen::open();
        self.begin(&screen);
        listen_to_input(&screen, events, self.arguments.mode == Mode::Headless && self.arguments.prompt.is_some());
        let StandInExit(code) = self.play(&screen, inbox);
        self.write(NativeMoment::Exited { clean: code == 0 });
        screen.close();
        self.harness.tell(&AgentReport::Exiting { code });
        ExitCode::from(code as u8)
    }

    fn begin(&mut self, screen: &Screen) {
        self.write(NativeMoment::Started);
        for how in self.script.children.clone() {
            self.start_child(how);
        }
        if screen.is_terminal {
            self.show(screen, "\x1b[?2004h");
        }
        if self.arguments.mode == Mode::Interactive {
            self.show(screen, &format!("{}\n\n{} ", self.banner, self.prompt_mark));
        }
        if self.script.print_bytes > 0 {
            screen.show(&noise(self.script.print_bytes));
        }
        if self.arguments.json {
            self.show(screen, &format!("{{\"type\":\"thread.started\",\"thread_id\":\"{}\"}}\n", self.native.id()));
        }
        self.hooks.at_start(self.native.start_payload().as_ref());
        if let Some(prompt) = self.arguments.prompt.clone() {
            self.take(screen, prompt);
        }
    }

    fn play(&mut self, screen: &Screen, inbox: &Receiver<StandInEvent>) -> StandInExit {
        loop {
            let event = match self.release_at {
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            let over = match event {
                Ok(event) => self.happens(screen, event),
                Err(RecvTimeoutError::Timeout) => self.release_by_itself(screen),
                Err(RecvTimeoutError::Disconnected) => Some(StandInExit(0)),
            };
            if let Some(exit) = over {
                return exit;
            }
        }
    }

    fn happens(&mut self, screen: &Screen, event: StandInEvent) -> Option<StandInExit> {
        match event {
            StandInEvent::Prompt(text) if self.ping.as_ref() == Some(&text) => {
                self.show(screen, &format!("\n{} is ready\n\n{} ", self.banner, self.prompt_mark));
            }
            StandInEvent::Prompt(text) => self.take(screen, text),
            StandInEvent::Quit => return Some(StandInExit(0)),
            StandInEvent::HarnessGone => return Some(StandInExit(i32::from(NO_HARNESS))),
            StandInEvent::InputOver if screen.is_terminal => return self.signalled(SIGHUP, false),
            StandInEvent::InputOver => {
                self.input_over = true;
                return self.idle_at_the_end();
            }
            StandInEvent::Signal(signal) => return self.signalled(signal, true),
            StandInEvent::Command(command) => return self.obey(screen, command),
        }
        None
    }

    /// A pipe that ended and no turn to finish: there is nothing left to do.
    fn idle_at_the_end(&self) -> Option<StandInExit> {
        (self.input_over && self.turns.is_idle()).then_some(StandInExit(0))
    }

    fn signalled(&mut self, signal: i32, tell: bool) -> Option<StandInExit> {
        let name = match signal {
            SIGHUP => "HUP",
            SIGINT => "INT",
            _ => "TERM",
        };
        if tell {
            self.harness.tell(&AgentReport::Signalled { signal: name.into() });
        }
        if self.script.ignore.iter().any(|ignored| ignored == name) {
            return None;
        }
        Some(StandInExit(128 + signal))
    }

    fn obey(&mut self, screen: &Screen, command: ControlCommand) -> Option<StandInExit> {
        self.commands += 1;
        match command {
            ControlCommand::Script(script) => self.script = script,
            ControlCommand::Release { turn, reply, status } => {
                self.early = Some((turn, reply, status));
                return self.release_if_open(screen);
            }
            ControlCommand::Exit { code } => return Some(StandInExit(code)),
            ControlCommand::Die => {
                kill(std::process::id(), rustix::process::Signal::KILL);
                // The signal is on its way; nothing more may be said.
                loop {
                    std::thread::park();
                }
            }
            ControlCommand::Settle => self.harness.tell(&AgentReport::Done { done: self.commands }),
        }
        None
    }

    fn start_child(&mut self, how: Child) {
        match children::start(how) {
            Ok(pid) => self.harness.tell(&AgentReport::Child { pid, how }),
            Err(error) => self.harness.tell(&AgentReport::Unsupported { what: format!("a child process: {error}") }),
        }
    }

    fn take(&mut self, screen: &Screen, prompt: String) {
        if let Some(turn) = self.turns.take(prompt) {
            self.open(screen, turn.number, &turn.prompt);
        }
    }

    fn open(&mut self, screen: &Screen, turn: u64, prompt: &str) {
        self.harness.tell(&AgentReport::PromptAccepted { turn, text: prompt.to_owned() });
        if self.arguments.mode == Mode::Interactive {
            self.show(screen, &format!("{prompt}\n"));
        }
        self.keep_delay(Phase::PromptAccepted, turn);
        self.write(NativeMoment::PromptAccepted { turn, text: prompt });
        self.harness.tell(&AgentReport::TurnStarted { turn });
        self.release_at = self.script.auto_release_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        // Whatever was released early is released now; it cannot end the run, which is not headless without a turn.
        let _ = self.release_if_open(screen);
    }

    fn release_by_itself(&mut self, screen: &Screen) -> Option<StandInExit> {
        self.release_at = None;
        let turn = self.turns.open_number()?;
        self.early = Some((turn, "Done. (a stand-in's answer)".into(), TurnStatus::Completed));
        self.release_if_open(screen)
    }

    fn release_if_open(&mut self, screen: &Screen) -> Option<StandInExit> {
        let (number, reply, status) = self.early.take_if(|(turn, ..)| self.turns.open_number() == Some(*turn))?;
        self.release_at = None;
        let turn = self.turns.close(number)?;
        self.harness.tell(&AgentReport::TurnCompleted { turn: number, status });
        self.keep_delay(Phase::FirstTurnCompleted, number);
        self.write(NativeMoment::TurnCompleted { turn: number, reply: &reply, status });
        let good = status == TurnStatus::Completed;
        self.hooks.at_turn_end(&self.native.turn_payload(number, &turn.prompt, good.then_some(&reply)));
        self.answer(screen, &reply, good);
        if self.arguments.mode == Mode::Headless {
            return Some(StandInExit(i32::from(!good)));
        }
        if let Some(next) = self.turns.next() {
            self.open(screen, next.number, &next.prompt);
        }
        self.idle_at_the_end()
    }

    fn answer(&self, screen: &Screen, reply: &str, good: bool) {
        let said = if good { reply.to_owned() } else { format!("error: {reply}") };
        if self.arguments.json {
            let item = serde_json::json!({ "type": "item.completed", "item": { "type": "agent_message", "text": said } });
            self.show(screen, &format!("{item}\n{{\"type\":\"turn.completed\"}}\n"));
        } else if self.arguments.mode == Mode::Headless {
            self.show(screen, &format!("{said}\n"));
        } else {
            self.show(screen, &format!("{said}\n\n{} ", self.prompt_mark));
        }
    }

    fn show(&self, screen: &Screen, text: &str) {
        if !self.script.silent {
            screen.show(text);
        }
    }

    /// By hand, a file comes as late after its phase as it was measured.
    #[allow(clippy::disallowed_methods, reason = "it imitates how long the file takes, as measured")]
    fn keep_delay(&self, phase: Phase, turn: u64) {
        if self.keeps_delays
            && turn == 1
            && phase == self.profile.file_created
            && let Some((least, most)) = self.profile.delay_ms
        {
            std::thread::sleep(Duration::from_millis((least + most) / 2));
        }
    }

    fn write(&mut self, moment: NativeMoment<'_>) {
        for change in self.native.at(moment, Timestamp::now()) {
            match change {
                FileChange::Append { path, text } => match append(&path, &text) {
                    Ok(bytes) => self.harness.tell(&AgentReport::FileWritten { path: path.to_string_lossy().into_owned(), bytes }),
                    Err(error) => self.harness.tell(&AgentReport::Unsupported { what: format!("{}: {error}", path.display()) }),
                },
                FileChange::Remove { path } => {
                    let _ = std::fs::remove_file(&path);
                    self.harness.tell(&AgentReport::FileRemoved { path: path.to_string_lossy().into_owned() });
                }
            }
        }
    }
}

fn append(path: &Path, text: &str) -> std::io::Result<u64> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(file.metadata()?.len())
}

fn noise(bytes: u64) -> String {
    let line = "the stand-in talks and talks and talks and talks and talks and talks and talks\n";
    line.repeat(bytes as usize / line.len() + 1)
}

/// The native file of an earlier session and what it says: by its id, else the newest of the directory.
fn earlier(agent: AgentKind, home: &Path, cwd: &Path, id: Option<&str>) -> Option<(PathBuf, uuid::Uuid, String)> {
    let root = home.join(native::of(agent).root());
    let mut files = Vec::new();
    below(&root, &mut files);
    files.sort();
    files.into_iter().rev().map(|(_, path)| path).find_map(|path| {
        let text = std::fs::read_to_string(&path).ok()?;
        let first: serde_json::Value = serde_json::from_str(text.lines().next()?).ok()?;
        let known = first["payload"]["id"].as_str().or(first["sessionId"].as_str())?;
        let there = first["payload"]["cwd"].as_str().or(first["cwd"].as_str());
        let right = id.map_or_else(|| there.is_none_or(|there| Path::new(there) == cwd), |id| id == known);
        right.then(|| Some((path, uuid::Uuid::parse_str(known).ok()?, text.clone())))?
    })
}

fn below(folder: &Path, into: &mut Vec<(std::time::SystemTime, PathBuf)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => below(&entry.path(), into),
            Ok(meta) => into.push((meta.modified().unwrap_or(std::time::UNIX_EPOCH), entry.path())),
            Err(_) => {}
        }
    }
}

fn listen_to_signals(events: &Sender<StandInEvent>) {
    let events = events.clone();
    if let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM]) {
        std::thread::spawn(move || {
            for signal in signals.forever() {
                if events.send(StandInEvent::Signal(signal)).is_err() {
                    return;
                }
            }
        });
    }
}

fn listen_to_input(screen: &Screen, events: Sender<StandInEvent>, has_its_prompt: bool) {
    let is_terminal = screen.is_terminal;
    std::thread::spawn(move || match (is_terminal, has_its_prompt) {
        (true, _) => input::read_terminal(&events),
        // A headless run that was given its prompt needs no more of it.
        (false, true) => loop {
            std::thread::park();
        },
        (false, false) => input::read_pipe(&events),
    });
}
