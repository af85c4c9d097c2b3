//! OR-11, OR-11b: how fast a session is asked about.

use crate::rules::Moment;

use super::{Judged, Occurrence};

/// Three reads that nothing prompted, within less than this, are faster than one a second even where calls are delayed.
const TWO_PAUSES_MS: u64 = 1500;

/// So many reads that nothing prompted, and that showed nothing new …
const STEADY_READS: u32 = 8;

/// … within less than this have no pauses that grow.
const STEADY_MS: u64 = 9000;

/// So many calls about one session in a second are too many.
const CALLS_A_SECOND: f64 = 10.0;

/// The recent calls about one session.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// The last two unprompted reads, the later one first.
    last: [Option<Moment>; 2],
    /// The first of the reads since something was new, and how many there were.
    streak: Option<(Moment, u32)>,
    /// Whether the next read has a reason of its own.
    prompted: bool,
    /// The length of what was read last.
    length: Option<usize>,
    /// Calls, less those that time has paid for.
    level: f64,
    level_at: u64,
}

impl Pace {
    /// Something happened that is a reason to read.
    pub fn prompt(&mut self) {
        self.prompted = true;
    }

    /// A call was made.
    pub fn count(&mut self, at: Moment) {
        let paid = at.ms.saturating_sub(self.level_at) as f64 * CALLS_A_SECOND / 1000.0;
        self.level = (self.level - paid).max(0.0) + 1.0;
        self.level_at = at.ms;
    }

    /// A read was asked for.
    pub fn read(&mut self, at: Moment) {
        if std::mem::take(&mut self.prompted) {
            self.last = [None; 2];
            self.streak = None;
        }
        self.last = [Some(at), self.last[0]];
        let (since, count) = self.streak.unwrap_or((at, 0));
        self.streak = Some((since, count + 1));
    }

    /// Data of that length was read.
    pub fn saw(&mut self, length: usize) {
        if self.length.replace(length) != Some(length) {
            self.streak = self.streak.map(|_| (self.last[0].unwrap_or(Moment { index: 0, ms: 0 }), 1));
        }
    }
}

/// OR-11: polling is measured.
pub fn measured(occurrence: &Occurrence) -> Judged {
    let Occurrence::ReadAsked { session, at } = occurrence else { return Judged::Silent };
    let pace = &session.pace;
    let since = |moment: Moment| at.ms.saturating_sub(moment.ms);
    if pace.prompted {
        return Judged::Kept;
    }
    if let [Some(last), Some(before)] = pace.last
        && since(before) < TWO_PAUSES_MS
    {
        return Judged::broken("OR-11", session, format!("session {} is read three times in {} ms", session.id, since(before)))
            .did("three reads that nothing prompted")
            .known("a second between two reads is the least")
            .shown_by([before, last, *at]);
    }
    match pace.streak {
        Some((first, count)) if count + 1 >= STEADY_READS && since(first) < STEADY_MS => {
            Judged::broken("OR-11", session, format!("session {} is read at a steady pace, without growing pauses", session.id))
                .did(format!("{} reads in {} ms, nothing new in any of them", count + 1, since(first)))
                .known("pauses are to grow while nothing changes")
                .shown_by([first, *at])
        }
        _ => Judged::Kept,
    }
}

/// OR-11b: repeating is bounded.
pub fn bounded(occurrence: &Occurrence) -> Judged {
    let Occurrence::CalledAbout { session, at } = occurrence else { return Judged::Silent };
    if session.pace.level <= CALLS_A_SECOND {
        return Judged::Kept;
    }
    Judged::broken("OR-11b", session, format!("session {} is asked about more than ten times a second", session.id))
        .did("calls in a tight loop")
        .known("ten calls a second about one session are the most")
        .shown_by([*at])
}
