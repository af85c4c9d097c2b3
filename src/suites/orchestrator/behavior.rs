//! Every choice that an orchestrator makes, as a value: the right ones, and what a faulty one chooses instead.

use std::time::Duration;

/// What an orchestrator does where it could do otherwise. [`Choices::default`] obeys every rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choices {
    /// Which sessions are polled.
    pub polls: Polls,
    /// How often.
    pub pace: Pace,
    /// What it means that a session is not found, pending or unlisted while it cannot be observed yet.
    pub early_absence: EarlyAbsence,
    /// Whether the list is looked at for a session that cannot be observed yet.
    pub looks_in_list_early: bool,
    /// Whose announcements are taken for a session's.
    pub hears: Hears,
    /// Whether a turn that failed is told from one that was completed.
    pub tells_failed_turns: bool,
    /// How much of its deadline a worker is given.
    pub patience: f64,
    /// How long a session may stay unobservable, whatever the deadline: OR-10.
    pub day: Duration,
    /// What a worker does that is silent at its deadline.
    pub at_deadline: AtDeadline,
    /// What follows a start whose answer was lost.
    pub lost_start: LostStart,
    /// What follows when an observable session is not found.
    pub when_gone: WhenGone,
    /// Which sessions are ended.
    pub ends: Ends,
    /// What follows an `end_session` that failed.
    pub when_end_fails: WhenEndFails,
    /// How many more times a session that was ended is ended.
    pub extra_ends: u32,
    /// Whether the list is looked at after the end.
    pub verification: Verification,
    /// How much of a transcript is asked for; `None` is everything that one answer holds.
    pub tail_chars: Option<u64>,
    /// Whether a cut text is reported as cut.
    pub tells_truncation: bool,
    /// What the others do when one worker fails.
    pub when_one_fails: WhenOneFails,
    /// Whose sessions are ended besides, when all is done.
    pub ends_besides: EndsBesides,
    /// What is told of the workers.
    pub outcomes: ToldOutcomes,
    /// What the exit status says.
    pub exit: ReportedExit,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            polls: Polls::Observable,
            pace: Pace { first: Duration::from_secs(2), growth: 1.5, most: Duration::from_secs(60), for_ever: false },
            early_absence: EarlyAbsence::Nothing,
            looks_in_list_early: false,
            hears: Hears::Own,
            tells_failed_turns: true,
            patience: 1.0,
            day: Duration::from_secs(86_400),
            at_deadline: AtDeadline::Inspect,
            lost_start: LostStart::SameRequest,
            when_gone: WhenGone::End,
            ends: Ends::All,
            when_end_fails: WhenEndFails::TryAgain,
            extra_ends: 0,
            verification: Verification::List,
            tail_chars: None,
            tells_truncation: true,
            when_one_fails: WhenOneFails::GoOn,
            ends_besides: EndsBesides::Nobodys,
            outcomes: ToldOutcomes::Own,
            exit: ReportedExit::Honest,
        }
    }
}

/// Which sessions are polled; the others are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polls {
    /// Those that can be observed from the start.
    Observable,
    /// All.
    All,
}

/// How often a session is polled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// The first interval: by then an observable session can be read (LC-OBS-1).
    pub first: Duration,
    /// By what each interval is longer than the one before.
    pub growth: f64,
    /// The longest interval.
    pub most: Duration,
    /// Whether the deadline is no end to it.
    pub for_ever: bool,
}

/// What an absence means before a session can be observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EarlyAbsence {
    /// Nothing.
    Nothing,
    /// That the session ended.
    Ended,
    /// That another must be started in its place.
    Replaced,
}

/// Whose announcements are taken for a session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hears {
    /// Its own.
    Own,
    /// Anybody's.
    Anybodys,
}

/// What a worker does that is silent at its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtDeadline {
    /// It looks once, then reads or escalates.
    Inspect,
    /// It looks again and again for a while.
    InspectAgain,
    /// It ends the session.
    End,
    /// It reports the work done.
    TakeForDone,
    /// It waits on.
    WaitOn,
}

/// What follows a start whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LostStart {
    /// The same request again, under the same id; when that is in vain, the list.
    SameRequest,
    /// A new request.
    NewRequest,
    /// Nothing: the worker failed.
    GiveUp,
    /// The session that is listed first is taken for the one that was asked for.
    FirstListed,
}

/// What follows when an observable session is not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenGone {
    /// It is ended.
    End,
    /// It is forgotten.
    Forget,
    /// It is polled on.
    PollOn,
}

/// Which sessions are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Every one.
    All,
    /// None.
    None,
    /// Those whose work was done.
    OnlyDone,
    /// Those whose agent did not die.
    OnlyLiving,
}

/// What follows an `end_session` that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenEndFails {
    /// It is tried again, and given up after a while.
    TryAgain,
    /// It is given up.
    GiveUp,
    /// It is taken for done.
    Ignore,
}

/// Whether the list is looked at after the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verification {
    /// It is, and believed.
    List,
    /// It is not.
    None,
}

/// What the others do when one worker fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenOneFails {
    /// They go on.
    GoOn,
    /// They are dropped where they are.
    Drop,
}

/// Whose sessions are ended besides, when all is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndsBesides {
    /// Nobody's.
    Nobodys,
    /// Everybody's that are listed.
    Everybodys,
}

/// What is told of the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToldOutcomes {
    /// Each one's own outcome.
    Own,
    /// The outcome of the worker before it.
    Neighbours,
    /// Nothing.
    None,
}

/// What the exit status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportedExit {
    /// Whether everything was done.
    Honest,
    /// Always that it was.
    Zero,
    /// Always that it was not.
    NonZero,
}
