//! OR-11, OR-11b: how fast a session is asked about.
//!
//! A busy machine only lengthens what lies between two calls. So a breach is proven by what was short, whatever was long
//! beside it: the shortest pauses are compared, and a window is full or it is not.

use crate::trace::history::Moment;

use super::{Occurrence, RuleOutcome};

/// Three reads that nothing prompted, within less than this, are faster than one a second even where calls are delayed.
const TWO_PAUSES_MS: u64 = 1500;

/// So many pauses at the beginning of a streak are compared with as many at its end.
const COMPARED: usize = 3;

/// Who leaves pauses as long as this is not asked to lengthen them.
const LONG_MS: u64 = 2000;

/// So many calls about one session within a second are too many: ten, one that was late, and the one that counts them.
const CALLS: usize = 12;

/// The recent calls about one session.
#[derive(Debug, Clone, Copy, Default)]
pub struct PollPace {
    /// The last two unprompted reads, the later one first.
    last: [Option<Moment>; 2],
    /// When the last read was answered; until then, when it was asked for.
    rests: u64,
    /// The reads since something was new.
    streak: Option<Streak>,
    /// Whether the next read has a reason of its own.
    prompted: bool,
    /// The length of what was read last.
    length: Option<usize>,
    /// The last calls of any kind, round and round, and how many there ever were.
    calls: [Option<Moment>; CALLS],
    made: usize,
}

/// Reads that nothing prompted and that showed nothing new, one after the other.
#[derive(Debug, Clone, Copy)]
struct Streak {
    first: Moment,
    pauses: usize,
    /// The shortest of the first few pauses.
    early_ms: u64,
    /// The last few pauses.
    late_ms: [u64; COMPARED],
}

impl Streak {
    fn from(first: Moment) -> Self {
        Self { first, pauses: 0, early_ms: u64::MAX, late_ms: [u64::MAX; COMPARED] }
    }

    fn and(mut self, pause_ms: u64) -> Self {
        if self.pauses < COMPARED {
            self.early_ms = self.early_ms.min(pause_ms);
        }
        self.late_ms[self.pauses % COMPARED] = pause_ms;
        self.pauses += 1;
        self
    }

    /// Whether its pauses have not grown by a tenth.
    fn is_steady(&self) -> bool {
        let late_ms = self.late_ms.into_iter().min().unwrap_or(u64::MAX);
        self.pauses >= 2 * COMPARED && late_ms < LONG_MS && late_ms * 10 < self.early_ms * 11
    }
}

impl PollPace {
    /// Something happened that is a reason to read.
    pub fn prompt(&mut self) {
        self.prompted = true;
    }

    /// A call was made.
    pub fn count(&mut self, at: Moment) {
        self.calls[self.made % CALLS] = Some(at);
        self.made += 1;
    }

    /// A read was asked for.
    pub fn read(&mut self, at: Moment) {
        self.streak = Some(self.streak_at(at));
        self.last = [Some(at), self.last[0].filter(|_| !self.prompted)];
        self.prompted = false;
        self.rests = at.ms;
    }

    /// A read was answered.
    pub fn answered(&mut self, at: Moment) {
        self.rests = at.ms;
    }

    /// Data of that length was read.
    pub fn saw(&mut self, length: usize) {
        if self.length.replace(length) != Some(length) {
            self.streak = self.last[0].map(Streak::from);
        }
    }

    /// The streak, with a read at that moment.
    fn streak_at(&self, at: Moment) -> Streak {
        match self.streak.filter(|_| !self.prompted) {
            Some(streak) => streak.and(at.ms.saturating_sub(self.rests)),
            None => Streak::from(at),
        }
    }

    /// The first of as many calls as are too many in a second.
    fn earliest_call(&self) -> Option<Moment> {
        self.calls[self.made % CALLS]
    }
}

/// OR-11: polling is measured.
pub(crate) fn measured(occurrence: &Occurrence) -> RuleOutcome {
    let Occurrence::ReadAsked { session, at } = occurrence else { return RuleOutcome::NotApplicable };
    let pace = &session.pace;
    let since = |moment: Moment| at.ms.saturating_sub(moment.ms);
    if pace.prompted {
        return RuleOutcome::Held;
    }
    if let [Some(last), Some(before)] = pace.last
        && since(before) < TWO_PAUSES_MS
    {
        return RuleOutcome::broken("OR-11", session, format!("session {} is read three times in {} ms", session.id, since(before)))
            .did("three reads that nothing prompted")
            .known("a second between two reads is the least")
            .shown_by([before, last, *at]);
    }
    let streak = pace.streak_at(*at);
    if !streak.is_steady() {
        return RuleOutcome::Held;
    }
    RuleOutcome::broken("OR-11", session, format!("session {} is read at a steady pace, without growing pauses", session.id))
        .did(format!("{} reads in {} ms, nothing new in any of them", streak.pauses + 1, since(streak.first)))
        .known("pauses are to grow while nothing changes")
        .shown_by([streak.first, *at])
}

/// OR-11b: repeating is bounded.
pub(crate) fn bounded(occurrence: &Occurrence) -> RuleOutcome {
    let Occurrence::CalledAbout { session, at } = occurrence else { return RuleOutcome::NotApplicable };
    let Some(first) = session.pace.earliest_call().filter(|first| at.ms.saturating_sub(first.ms) < 1000) else {
        return RuleOutcome::Held;
    };
    RuleOutcome::broken("OR-11b", session, format!("session {} is asked about more than ten times a second", session.id))
        .did(format!("{CALLS} calls in {} ms", at.ms.saturating_sub(first.ms)))
        .known("ten calls a second about one session are the most")
        .shown_by([first, *at])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(ms: u64) -> Moment {
        Moment { index: 0, ms }
    }

    /// Reads, each so long after the answer to the one before; every answer takes as long.
    fn polled(pauses: &[u64], answering: u64) -> bool {
        let (mut pace, mut now, mut steady) = (PollPace::default(), 0, false);
        for pause in [&[0], pauses].concat() {
            now += pause;
            steady |= pace.streak_at(at(now)).is_steady();
            pace.read(at(now));
            now += answering;
            pace.answered(at(now));
            pace.saw(7);
        }
        steady
    }

    #[rstest]
    #[case::a_second_each(&[1000; 6], true)]
    #[case::a_second_each_on_a_busy_machine(&[1390, 1020, 1700, 1450, 2900, 1060], true)]
    #[case::busy_at_first(&[3900, 2700, 3100, 1100, 1050, 1000], true)]
    #[case::too_few(&[1000; 5], false)]
    #[case::almost_two_seconds_each(&[1999; 6], true)]
    #[case::two_seconds_each(&[2000; 6], false)]
    #[case::far_apart(&[5000; 12], false)]
    #[case::growing_by_a_tenth(&[1000, 1100, 1210, 1331, 1464, 1611], false)]
    #[case::growing_on_a_busy_machine(&[1300, 1250, 1210, 1331, 1464, 1611], false)]
    #[case::growing_to_a_limit(&[1000, 1500, 1900, 1900, 1900, 1900, 1900, 1900], false)]
    fn pauses_that_do_not_grow_are_told_from_those_that_do(#[case] pauses: &[u64], #[case] steady: bool) {
        assert_eq!(polled(pauses, 0), steady);
        assert_eq!(polled(pauses, 2500), steady, "a slow manager changes nothing");
    }

    #[test]
    fn the_first_three_pauses_and_the_last_three_are_compared() {
        let streak = [9, 8, 7, 1, 2, 3, 4].into_iter().fold(Streak::from(at(0)), Streak::and);
        assert_eq!((streak.early_ms, streak.late_ms), (7, [4, 2, 3]));
    }

    #[test]
    fn a_reason_to_read_and_something_new_begin_anew() {
        let mut pace = PollPace::default();
        for read in 0..5 {
            pace.read(at(1000 * read));
        }
        assert_eq!(pace.streak_at(at(5000)).pauses, 5);
        pace.saw(7);
        assert_eq!(pace.streak_at(at(5000)).pauses, 1);
        pace.prompt();
        assert_eq!(pace.streak_at(at(5000)).pauses, 0);
    }

    #[test]
    fn twelve_calls_are_counted_and_the_first_of_them_is_known() {
        let mut pace = PollPace::default();
        (0..11).for_each(|call| pace.count(at(call)));
        assert_eq!(pace.earliest_call(), None);
        (11..30).for_each(|call| pace.count(at(call)));
        assert_eq!(pace.earliest_call(), Some(at(18)));
    }
}
