//! How many scenarios at a time: they mostly wait, unless the system takes its time to start or others keep the machine busy.

use std::time::Duration;

use super::scenario::{ScenarioRun, Strain, Trouble};
use crate::core::canary;
use crate::results::model::Verdict;
use crate::results::verdict_of;
use crate::spec::Registry;

/// Scenarios at a time for each core, of a system that is up at once.
const JOBS_PER_CORE: usize = 6;

/// A start that takes no more processor time than this is none to speak of.
const AT_ONCE: Duration = Duration::from_millis(250);

/// The part of the start limit that a start may take when all start together.
const ROOM: f64 = 0.25;

/// How late a timer is on a machine that has time, in milliseconds, at most.
const LATE_MS: u64 = 20;

/// How many processes want to run for each core on a machine that has none left.
const CROWDED: f64 = 1.5;

/// What is known of the machine and of what a start costs.
#[derive(Debug)]
pub(crate) struct PoolPace {
    /// What the user says.
    fixed: Option<usize>,
    cores: usize,
    /// The limit of a start.
    start: Duration,
    /// The most processor time that a start took.
    cost: Option<Duration>,
}

impl PoolPace {
    pub(crate) fn new(fixed: Option<usize>, start: Duration) -> Self {
        Self { fixed, cores: std::thread::available_parallelism().map_or(2, std::num::NonZero::get), start, cost: None }
    }

    /// Learns from a run what a start costs.
    pub(crate) fn learn(&mut self, strain: &Strain) {
        let cost = Duration::from_millis(strain.start_ms);
        // What ends before it is up says little of what a start costs.
        if strain.trouble == Some(Trouble::NotOpened) && cost <= AT_ONCE {
            return;
        }
        self.cost = Some(self.cost.map_or(cost, |known| known.max(cost)));
    }

    /// How many at a time, where so many are running now.
    pub(crate) fn at_a_time(&self, running: usize) -> usize {
        self.fixed.unwrap_or_else(|| self.bearable(load(), running))
    }

    fn bearable(&self, load: f64, running: usize) -> usize {
        let (most, cores) = (JOBS_PER_CORE * self.cores, self.cores as f64);
        match self.cost {
            // The first ones tell.
            None => 2 * self.cores,
            Some(cost) if cost <= AT_ONCE => most,
            Some(cost) => {
                let others = (load - running as f64).max(0.0) / cores;
                let together = cores / (1.0 + others) * self.start.as_secs_f64() * ROOM / cost.as_secs_f64();
                (together as usize).clamp(1, most)
            }
        }
    }

    /// Whether a machine on which something came too late may be to blame for it.
    pub(crate) fn is_strained(&self, strain: &Strain) -> bool {
        strain.late_ms > LATE_MS || load() > CROWDED * self.cores as f64
    }

    /// Says of what came to nothing for want of time what it is that it wanted; a failure that the machine may have made is none.
    pub(crate) fn explain(&self, done: &mut ScenarioRun, is_doubted: bool) {
        let ScenarioRun { result, strain, .. } = done;
        if strain.trouble == Some(Trouble::NotOpened) {
            let cost = format!(
                "; its start took {:.1} s of processor time, the limit of a start is {} s on {} cores ([limits] start, --jobs)",
                Duration::from_millis(strain.start_ms).as_secs_f64(),
                self.start.as_secs_f64(),
                self.cores
            );
            if let Some(reason) = result.reason.as_mut().filter(|_| strain.start_ms > AT_ONCE.as_millis() as u64) {
                reason.push_str(&cost);
            }
            return;
        }
        let fell_short = is_doubted && matches!(result.verdict, Verdict::Failed | Verdict::Warned | Verdict::Blocked);
        let Some(missed) = strain.missed_ms.filter(|missed| fell_short && canary::excuses(strain.late_ms, *missed)) else { return };
        let busy = format!("a timer of the harness was {} ms late, and what came too late had {missed} ms", strain.late_ms);
        // What rests on no limit is as true on a busy machine.
        let kept = std::mem::take(&mut strain.timeless);
        result.verdict = match verdict_of(&kept, Registry::embedded()) {
            Verdict::Passed => Verdict::CouldNotTest,
            found => found,
        };
        let dropped = result.findings.len().saturating_sub(kept.len());
        result.reason = match (kept.len(), dropped) {
            (0, _) => Some(format!("the machine was busy: {busy}")),
            (_, 0) => result.reason.take(),
            (_, _) => Some(format!("the machine was busy ({busy}): what rests on a limit is not told")),
        };
        result.findings = kept;
    }
}

/// How many processes want to run, on the average of the last minute; none where the system does not say.
fn load() -> f64 {
    std::fs::read_to_string("/proc/loadavg").ok().and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::results::example;

    #[rstest]
    #[case::before_anything_is_known(None, 0.0, 4)]
    #[case::a_start_that_costs_nothing(Some(30), 30.0, 12)]
    #[case::three_seconds_of_thirty(Some(3_000), 0.0, 5)]
    #[case::the_same_beside_four_others(Some(3_000), 4.0, 1)]
    #[case::as_long_as_the_limit(Some(30_000), 0.0, 1)]
    #[case::half_a_second(Some(500), 0.0, 12)]
    fn as_many_at_a_time_as_their_starts_leave_room(#[case] cost_ms: Option<u64>, #[case] load: f64, #[case] expected: usize) {
        let pace = PoolPace { fixed: None, cores: 2, start: Duration::from_secs(30), cost: cost_ms.map(Duration::from_millis) };
        assert_eq!(pace.bearable(load, 0), expected);
    }

    #[rstest]
    #[case::a_tenth_of_the_limit_late(1_000, Some(10_000), Verdict::Failed)]
    #[case::more_than_a_tenth(1_001, Some(10_000), Verdict::CouldNotTest)]
    #[case::late_where_nothing_was_missed(5_000, None, Verdict::Failed)]
    fn a_failure_on_a_busy_machine_is_none(#[case] late_ms: u64, #[case] missed_ms: Option<u64>, #[case] expected: Verdict) {
        let result = example::report().scenarios.into_iter().find(|scenario| scenario.verdict == Verdict::Failed).unwrap();
        let strain = Strain { late_ms, missed_ms, ..Strain::default() };
        let mut run = ScenarioRun { result, trace: Vec::new(), strain };
        PoolPace::new(None, Duration::from_secs(5)).explain(&mut run, true);
        assert_eq!((run.result.verdict, run.result.findings.is_empty()), (expected, expected == Verdict::CouldNotTest));
    }
}
