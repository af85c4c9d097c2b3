//! The engine's behavior: each choice that a manager can get wrong, or may well make otherwise, as a value.
//!
//! The engine asks a seam and does not know why it answers as it does. `ManagerBehavior::default` conforms; a fault (`fault/`)
//! and a permitted variation (`variation.rs`) are rows that change one seam, seldom two. A seam is a plain function
//! where an answer is chosen, an enum where the engine has to act otherwise.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::contract::{AgentKind, Args, ContractError, ErrorCode, SessionId, TurnStatus};
use crate::sut::Announces;
use crate::trace::settings::Processes;

use crate::suites::manager::reference::host::{End, Tamper};
use crate::suites::manager::reference::session::{SessionRecord, View};
use crate::suites::manager::reference::starting::StartRequest;
use crate::suites::manager::reference::transcript;
use crate::suites::manager::reference::transcript::TranscriptEntry;

/// What decides how the engine behaves.
#[derive(Debug, Clone)]
pub(crate) struct ManagerBehavior {
    // ---- starting
    /// Where a session's number comes from.
    pub(crate) numbers: Numbers,
    /// How its number becomes its id.
    pub(crate) id: fn(u64, &StartRequest) -> String,
    /// What becomes of an agent's name that nobody knows.
    pub(crate) unknown_agent: fn(ContractError) -> Result<AgentKind, ContractError>,
    /// What becomes of a `cwd` that is no directory.
    pub(crate) no_folder: fn(ContractError, &Path) -> Result<PathBuf, ContractError>,
    /// The longest message that is taken, of the limit that is stated, in characters.
    pub(crate) taken: fn(usize) -> usize,
    /// Whether the limit is one of bytes.
    pub(crate) counts_bytes: bool,
    /// What becomes of a message beyond the limit, in characters.
    pub(crate) too_long: fn(ContractError, &str, usize) -> Result<String, ContractError>,
    /// What is changed in a start that was found right.
    pub(crate) asked: fn(&mut StartRequest),
    /// Whether a start is another one over again.
    pub(crate) repeats: fn(&StartRequest, &SessionRecord) -> bool,
    /// Whether a request is remembered when its session was ended.
    pub(crate) requests_stay: bool,
    /// Whether a start waits for one of the same `request_id` that is at work.
    pub(crate) requests_wait: bool,
    /// When the agent is launched.
    pub(crate) launching: Launching,
    /// What is typed for a message, and for which (from 1).
    pub(crate) typed: fn(&str, u64) -> Vec<String>,
    /// What is left of a start that was refused.
    pub(crate) refused: Remains,
    /// What is left of a start whose agent failed.
    pub(crate) failed: Remains,
    /// Whether a start that succeeded is answered with an error and forgotten: its number, and how many sessions there are with it.
    pub(crate) loses: fn(u64, usize) -> bool,
    /// What a start answers.
    pub(crate) started: fn(&SessionRecord) -> Args,

    // ---- observing
    /// Which session an operation's `session_id` means, of those known, in the order of their starts.
    pub(crate) meant: fn(&str, &str, &[SessionId]) -> Option<SessionId>,
    /// Whether an operation works on a session.
    pub(crate) knows: fn(&str, &SessionRecord) -> bool,
    /// How it is found out whether an agent lives.
    pub(crate) probe: Probe,
    /// A session's status word.
    pub(crate) status: fn(&View) -> &'static str,
    /// Whether a session is listed.
    pub(crate) listed: fn(&View) -> bool,
    /// Whether one is whose folder is gone.
    pub(crate) lists_the_homeless: bool,
    /// What is changed in a list, its entries in the order of their starts.
    pub(crate) list: fn(&mut Vec<Args>),
    /// For how long a list is given again.
    pub(crate) list_kept: Duration,
    /// Which files are a session's.
    pub(crate) native: Native,
    /// Whether what is in them is shown.
    pub(crate) readable: fn(&View) -> bool,
    /// For how long a session without data stays one.
    pub(crate) absence_kept: Duration,
    /// What is answered while there is nothing to read.
    pub(crate) pending: Pending,
    /// A transcript as text, at which read (from 1).
    pub(crate) text: fn(&[TranscriptEntry], u64) -> String,
    /// Whether a text that was shown once is shown ever after.
    pub(crate) text_stays: bool,
    /// What is answered of what a terminal shows.
    pub(crate) screen: fn(String) -> String,
    /// The part of a text that is answered, and whether it is less than all.
    pub(crate) cut: fn(&str, Option<i64>) -> Cut,
    /// What is changed in a reading's answer.
    pub(crate) data: fn(&mut Args),

    // ---- messages
    /// Who is given a message instead of the session that it is for, where that is somebody.
    pub(crate) misdelivered: fn(&SessionRecord, &SessionRecord) -> bool,
    /// What becomes of a message to a session whose agent is dead.
    pub(crate) to_the_dead: ToTheDead,
    /// What becomes of an empty message.
    pub(crate) empty_message: Empty,
    /// Whether a message is typed, by what is known of its session then.
    pub(crate) types: fn(&View, &str) -> bool,
    /// After how long in a turn its message is typed again.
    pub(crate) typed_again_after: Option<Duration>,
    /// Whether messages to a session go one after the other, or all of them by one buffer.
    pub(crate) one_buffer: bool,
    /// Into whose terminal a message is typed as well that is for nobody, or for a session that was ended.
    pub(crate) strays_to: StraysTo,

    // ---- hearing
    /// Whose turn it is that ended.
    pub(crate) owner: Owner,
    /// Whether a turn that ended so counts.
    pub(crate) counts: fn(&View, TurnStatus) -> bool,
    /// How long after its turn's end a session's file is known.
    pub(crate) found_after: Duration,
    /// When a turn's end is announced.
    pub(crate) announcing: Announcing,
    /// How often: for which turn, ended how.
    pub(crate) times: fn(u64, TurnStatus) -> usize,
    /// Whether a turn's number is announced.
    pub(crate) numbered: bool,
    /// How sessions' ends are announced.
    pub(crate) ends_told: fn(&str) -> bool,
    /// By which ways announcements go out.
    pub(crate) told: AnnouncedBy,
    /// What becomes of a session whose agent exits.
    pub(crate) exits: Exits,

    // ---- ending
    /// When a session that is to be ended is.
    pub(crate) ending: fn(&SessionRecord) -> Ending,
    /// How its agent is ended; `None`: not at all.
    pub(crate) how: fn(&SessionRecord) -> Option<End>,
    /// Which others are ended along with it.
    pub(crate) along: fn(&SessionRecord, &SessionRecord) -> bool,
    /// How many sessions can be ended at once.
    pub(crate) ends_at_once: AtOnce,
    /// What `end_session` says of an id that nobody knows.
    pub(crate) nobody: Late,
    /// What is known of a session after its end.
    pub(crate) afterwards: Afterwards,

    // ---- time
    /// From when on a session's timeout counts.
    pub(crate) timeout_from: fn(&SessionRecord) -> Timestamp,
    /// Whether a turn in flight holds it up.
    pub(crate) timeout_waits: bool,
    /// What it does.
    pub(crate) timed_out: TimedOut,

    // ---- coming back
    /// What a manager does with the records that it finds.
    pub(crate) adopting: Adopting,

    // ---- everything else
    /// What there is one agent process for.
    pub(crate) processes: Processes,
    /// How long every answer takes, besides.
    pub(crate) pace: Duration,
    /// What is done besides, and when.
    pub(crate) besides: Vec<(Occasion, ExtraAct)>,
}

impl ManagerBehavior {
    /// How the manager announces.
    pub(crate) fn announces(&self) -> Announces {
        Announces { by_waiting: self.told != AnnouncedBy::ByStream, by_stream: self.told != AnnouncedBy::ByWaiting }
    }
}

impl Default for ManagerBehavior {
    /// The manager that conforms.
    fn default() -> Self {
        Self {
            numbers: Numbers::Kept,
            id: |number, _| format!("s{number}"),
            unknown_agent: Err,
            no_folder: |refusal, _| Err(refusal),
            taken: |stated| stated,
            counts_bytes: false,
            too_long: |refusal, _, _| Err(refusal),
            asked: |_| {},
            repeats: |asked, known| asked.request_id.is_some() && asked.request_id == known.request_id,
            requests_stay: true,
            requests_wait: true,
            launching: Launching::Now,
            typed: |message, _| vec![message.to_owned()],
            refused: Remains::Nothing,
            failed: Remains::Nothing,
            loses: |_, _| false,
            started,
            meant: |_, asked, known| known.iter().find(|id| id.as_str() == asked).cloned(),
            knows: |_, _| true,
            probe: Probe::Process,
            status: |view| view.record.status(view.alive).name(),
            listed: |_| true,
            lists_the_homeless: true,
            list: |_| {},
            list_kept: Duration::ZERO,
            native: Native::Own,
            readable: |_| true,
            absence_kept: Duration::ZERO,
            pending: Pending::Result,
            text: |said, _| transcript::text(said),
            text_stays: false,
            screen: |shown| shown,
            cut: |text, tail| Ok(transcript::tail(text, tail)),
            data: |_| {},
            misdelivered: |_, _| false,
            to_the_dead: ToTheDead::Refused,
            empty_message: Empty::Refused,
            types: |_, _| true,
            typed_again_after: None,
            one_buffer: false,
            strays_to: StraysTo::Nobody,
            owner: Owner::Named,
            counts: |_, _| true,
            found_after: Duration::ZERO,
            announcing: Announcing::AtItsEnd,
            times: |_, _| 1,
            numbered: true,
            ends_told: |_| true,
            told: AnnouncedBy::BothWays,
            exits: Exits::Noted,
            ending: |_| Ending::Now,
            how: |_| Some(End::Tree),
            along: |_, _| false,
            ends_at_once: AtOnce::Any,
            nobody: Late::NotFound,
            afterwards: Afterwards::default(),
            timeout_from: |record| record.last_activity,
            timeout_waits: true,
            timed_out: TimedOut::Ends,
            adopting: Adopting::Lives,
            processes: Processes::Session,
            pace: Duration::ZERO,
            besides: Vec::new(),
        }
    }
}

/// What a start answers: the id, and the timeout in force.
pub(crate) fn started(record: &SessionRecord) -> Args {
    Args::from_iter([("session_id".to_owned(), record.id.as_str().into()), ("timeout_s".to_owned(), record.timeout_s.into())])
}

/// The part of a text that is answered and whether it is less than all; or why none is.
pub(crate) type Cut = Result<(String, bool), ContractError>;

/// Where sessions' numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// A counter that is on disk before anyone sees what it counted.
    Kept,
    /// A counter in memory.
    Unkept,
    /// The lowest that no session has now.
    Freed,
    /// A counter that is read, and written when the start has got further.
    Raced,
    /// The second of the day.
    Clock,
    /// A counter in memory that goes on after the last of the records that are there.
    Recounted,
}

/// When a session's agent is launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Launching {
    /// Before the start answers.
    Now,
    /// So much later.
    Later(Duration),
    /// When the session is first read.
    WhenRead,
    /// Never.
    Never,
    /// When every session that was started before is over.
    InTurn,
    /// Now, with its message typed from a buffer that all starts share.
    SharedBuffer,
    /// Now; the start answers when the first turn is over.
    ForATurn,
}

/// What is left of a start that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remains {
    /// Nothing; the error is answered.
    Nothing,
    /// An agent that runs, of which no session knows.
    Agent,
    /// An entry in the list, beside the error.
    Entry,
    /// An entry in the list, and the error comes so much later.
    EntryAndWait(Duration),
    /// A session, as if the start had succeeded: alive or not.
    Session {
        /// Whether it is called alive.
        alive: bool,
    },
}

/// How it is found out whether an agent lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// By its process.
    Process,
    /// Not at all: what was started lives.
    None,
    /// By its process, seldom.
    Seldom(Duration),
    /// By whether its terminal shows anything.
    Screen,
    /// By whether its terminal shows less than so many bytes.
    Quiet(usize),
    /// By its process, until a turn is over.
    UntilATurn,
}

/// Which native files are a session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Native {
    /// The one that a hook named, or that begins with the session's message.
    Own,
    /// The one that a hook named.
    Named,
    /// None.
    Nothing,
    /// The newest of its folder.
    Newest,
    /// Its own, and until there is one the newest of its folder.
    OwnOrNewest,
    /// That of its folder that has its own place in the order of the folder's sessions.
    InOrder,
    /// All of its agent's.
    All,
}

/// What is answered while there is nothing to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pending {
    /// `pending: true`.
    Result,
    /// An error.
    Code(ErrorCode),
    /// A text of nothing.
    Empty,
    /// What the terminal shows.
    Screen,
    /// An error, where the end of it is asked for.
    NoEnd,
}

/// Into whose terminal a message is typed as well that is for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StraysTo {
    /// Nobody's.
    Nobody,
    /// That of the session that was started last, where no session of that id ever was.
    NewestForUnknown,
    /// That of the oldest session, where the session was ended.
    OldestForEnded,
}

/// What becomes of a message to a session whose agent is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToTheDead {
    /// It is refused.
    Refused,
    /// The shell that the agent had run in takes it, and the call succeeds or not.
    Run {
        /// Whether it succeeds.
        succeeds: bool,
    },
    /// An agent is launched for it.
    Launches,
}

/// What becomes of an empty message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empty {
    /// It is refused.
    Refused,
    /// It is typed.
    Typed,
    /// It is none, and the call succeeds.
    None,
    /// It is waited on.
    Hangs,
    /// The manager stumbles over it.
    Breaks,
}

/// Whose turn it is that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The session's whose hook it was.
    Named,
    /// The session's that was started last.
    Newest,
    /// The first session's in that folder.
    ByFolder,
}

/// When a turn's end is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announcing {
    /// When it is over and can be read.
    AtItsEnd,
    /// When its message is delivered.
    AtDelivery,
    /// So much later.
    Later(Duration),
    /// With the session's next message.
    WithNextMessage,
    /// When no other turn has ended for so long: the last one alone.
    Gathered(Duration),
}

/// By which ways announcements go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnnouncedBy {
    /// By `wait_events` and as notifications.
    BothWays,
    /// By `wait_events` alone.
    ByWaiting,
    /// As notifications alone.
    ByStream,
    /// To whoever is listening just then.
    ToListeners,
}

/// What becomes of a session whose agent exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exits {
    /// It is noted and announced.
    Noted,
    /// Nobody notices.
    Ignored,
    /// It is forgotten.
    Forgotten,
    /// It is noted; a turn that was open stays so, and nothing is announced.
    Silent,
    /// It is noted where no turn is over yet.
    NotedAtFirst,
}

/// When a session that is to be ended is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Before the answer.
    Now,
    /// Before the answer, after so long.
    Slow(Duration),
    /// So much after the answer.
    Later(Duration),
    /// When its turn is over.
    AfterItsTurn,
    /// Not; with this error.
    Refused(ErrorCode),
    /// Not in that folder's absence.
    IfFolder,
}

/// How many sessions can be ended at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtOnce {
    /// Any number.
    Any,
    /// One; the others fail.
    OneOrFail,
    /// One; the others are told that they were.
    OneOrLie,
    /// Each once; who asks again meanwhile fails.
    EachOnceOrFail,
}

/// What an operation says of a session that is no more, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    /// `session_not_found`.
    NotFound,
    /// `session_ended`.
    Ended,
    /// Success, and nothing is done.
    Success,
    /// `internal`.
    Breaks,
    /// It is pending.
    Pending,
    /// Its transcript.
    Data,
    /// The session is taken back into the list.
    Readmits,
    /// A new agent is launched for it.
    Revives,
    /// The oldest session is meant, then.
    Another,
}

/// What is known of a session after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Afterwards {
    /// Under which status word it is listed.
    pub(crate) listed: Option<&'static str>,
    /// What reading it gives.
    pub(crate) read: Late,
    /// What sending to it gives.
    pub(crate) sent: Late,
    /// What ending it again gives.
    pub(crate) ended: Late,
    /// Whether its record stays on disk.
    pub(crate) record: bool,
}

impl Default for Afterwards {
    fn default() -> Self {
        Self { listed: None, read: Late::NotFound, sent: Late::NotFound, ended: Late::NotFound, record: false }
    }
}

/// What a timeout does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimedOut {
    /// It ends the session.
    Ends,
    /// It calls the session ended.
    Marks,
    /// Its agent is ended; the session stays as it was.
    EndsTheAgent,
    /// It ends the agent's own process, and the session.
    EndsTheProcess,
    /// It ends the session when the list is next asked for.
    EndsWhenListed,
    /// Nothing.
    Nothing,
}

/// What a manager does with the records that it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adopting {
    /// It goes on with the sessions whose agents live, and knows of those that died.
    Lives,
    /// Nothing.
    Nothing,
    /// It launches an agent for each.
    Launches,
    /// It launches an agent without a message for each.
    LaunchesIdle,
    /// It gives every agent its first message again.
    Retypes,
    /// It goes on with them, and loses the first message that it takes for each.
    LosesOne,
    /// It says of turns that are in flight that they were completed.
    CallsTurnsComplete,
    /// It goes on with them, and with the default timeout.
    ForgetsTimeouts,
    /// It ends the agents, and the sessions.
    Ends,
    /// It ends the agents' process groups, and the sessions.
    EndsGroups,
    /// It goes on with all of them, or with none where a record is unreadable.
    AllOrNothing,
    /// It fails at every list where a record is unreadable.
    Stumbles,
    /// It exits where a record is unreadable.
    GivesUp,
    /// It calls them over.
    CallsOver,
    /// It believes the records.
    Believes,
    /// It goes on with those that live, and hears nothing more of them.
    Deaf,
    /// It goes on with them, and has no hold of their agents any more.
    LosesHold,
    /// It goes on with them once: those that it went on with before are left.
    Once,
    /// It goes on with them, and reads nothing of them.
    Unread,
    /// It fails at every list where a record is JSON and no record.
    StumblesOverJson,
}

/// When something is done besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A session was started.
    Started,
    /// A session is to be read.
    Read,
    /// There was nothing to read.
    Unreadable,
    /// There was nothing to read, for the so-manieth time.
    UnreadableAgain(u64),
    /// A session is asked about in a way that is refused.
    AskedWrongly,
    /// A session is to be listed.
    Listed,
    /// A turn ended.
    TurnEnded,
    /// An agent exited, whether its session was ended or not.
    Exited,
    /// A session was ended.
    Ended,
}

/// What is done besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExtraAct {
    /// Something is typed into the agent's terminal.
    Type(&'static str),
    /// The agent is ended in some way; the session is not.
    Strike(End),
    /// A line is appended to the agent's file, which comes to exist.
    Write(&'static str),
    /// The agent's file is removed.
    Remove,
    /// Something is done to a file of that name in the session's folder.
    InFolder(&'static str, Tamper),
    /// The session is forgotten.
    Forget,
    /// The session is ended.
    End,
    /// The session is called dead, for good.
    CallDead,
    /// The session is taken back into the list, so much later.
    ReadmitAfter(Duration),
    /// The session's end is announced.
    AnnounceEnd,
    /// That many agents are launched for it.
    Launch(usize),
    /// The agent is ended and another launched.
    Replace,
    /// Every other session's agent is ended in some way.
    StrikeOthers(End),
    /// Every other session is forgotten.
    ForgetOthers,
    /// Time passes.
    Wait(Duration),
}
