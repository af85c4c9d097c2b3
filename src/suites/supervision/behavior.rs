//! The supervisor's behavior: each choice that can be got wrong, as a value. [`SupervisorBehavior::default`] conforms: nothing that
//! a field says is done.

use super::reference::SupervisionPolicy;
use super::reference::registry::RecordWriting;

/// What decides how a supervisor behaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct SupervisorBehavior {
    // ---- starting
    /// Puts a session into the container of one that is there.
    pub(crate) shares_containers: bool,
    /// Says `running` when the container was started.
    pub(crate) runs_early: bool,
    /// Leaves the container of a start that failed.
    pub(crate) leaves_the_failed: bool,
    /// Leaves the record of a start that failed, as `starting`.
    pub(crate) records_the_failed: bool,
    /// Makes a second container where the answer to the first creation was lost.
    pub(crate) doubles_lost: bool,
    /// Leaves the container of a creation or a start whose answer was lost.
    pub(crate) abandons_lost: bool,
    // ---- the registry
    /// How records are written.
    pub(crate) writing: RecordWriting,
    /// Writes records when the answer is out.
    pub(crate) records_late: bool,
    /// Leaves the container out of the first record.
    pub(crate) records_no_container: bool,
    /// Announces, and then writes.
    pub(crate) announces_first: bool,
    /// Takes any id and any role.
    pub(crate) any_name: bool,
    /// Puts the environment into records.
    pub(crate) records_environment: bool,
    /// Records the first container for ever.
    pub(crate) keeps_old_container: bool,
    /// Writes `stopped` into another session's record, too.
    pub(crate) stops_anothers_record: bool,
    /// Records no branch.
    pub(crate) records_no_branch: bool,
    // ---- pausing
    /// Freezes at a pause, whatever is configured.
    pub(crate) freezes: bool,
    /// Sends TSTP at a pause.
    pub(crate) signals: bool,
    /// Closes the agent's input at a pause.
    pub(crate) hangs_up: bool,
    /// Types the name of a key at a pause.
    pub(crate) types_a_key: bool,
    /// Types while a session is paused.
    pub(crate) types_while_paused: bool,
    /// Takes messages while a session is paused, and forgets them.
    pub(crate) forgets_messages: bool,
    /// Keeps messages while a session is paused, and types them afterwards; which is permitted.
    pub(crate) keeps_messages: bool,
    /// Types a kept message twice.
    pub(crate) keeps_twice: bool,
    /// Reads nothing of what was written in a pause.
    pub(crate) loses_output: bool,
    /// Reads what was written in a pause twice.
    pub(crate) doubles_output: bool,
    /// Types nothing after a resume.
    pub(crate) deaf_after_resume: bool,
    /// Does not undo what a pause did.
    pub(crate) never_thaws: bool,
    /// Pauses by typing nothing, whatever is configured.
    pub(crate) ignores_pause_mode: bool,
    /// Pauses what is not alive.
    pub(crate) pauses_the_dead: bool,
    /// Refuses the second of two pauses.
    pub(crate) refuses_second_pause: bool,
    /// Refuses to stop and to restart what is paused.
    pub(crate) refuses_the_paused: bool,
    /// Does not thaw what it is to end.
    pub(crate) stuck_frozen: bool,
    /// Watches nothing that is paused.
    pub(crate) ignores_the_paused: bool,
    // ---- stopping
    /// Removes the container at once.
    pub(crate) container_first: bool,
    /// Gives the agent no time.
    pub(crate) no_grace: bool,
    /// Ends the agent alone.
    pub(crate) agent_only: bool,
    /// Leaves a scheduled restart scheduled.
    pub(crate) keeps_pending: bool,
    /// Refuses the second of two stops.
    pub(crate) refuses_second_stop: bool,
    /// Fails to stop what is gone already.
    pub(crate) fails_on_the_gone: bool,
    /// Ends every container whose name begins as the session's does.
    pub(crate) stops_by_prefix: bool,
    // ---- restarting
    /// Starts the new agent first.
    pub(crate) starts_first: bool,
    /// Gives up where a name is taken.
    pub(crate) fails_on_taken_name: bool,
    /// Forgets the transcript.
    pub(crate) wipes_transcripts: bool,
    /// Gives the new agent the first message.
    pub(crate) repeats_message: bool,
    /// Does things to one session at once.
    pub(crate) races: bool,
    /// Leaves a restart that failed `starting`.
    pub(crate) stuck_starting: bool,
    /// Goes from `error` to `running`.
    pub(crate) skips_starting: bool,
    // ---- health
    /// Takes a container that is not there for one that is not listed yet.
    pub(crate) misses_removal: bool,
    /// Takes a container that has exited for one that runs.
    pub(crate) misses_exit: bool,
    /// Believes an engine that says that a container runs.
    pub(crate) believes_engine: bool,
    /// How many failures more than the policy says it waits for.
    pub(crate) failures_more: i64,
    /// Counts failures that are not consecutive.
    pub(crate) never_resets: bool,
    /// Calls nobody well again.
    pub(crate) never_well_again: bool,
    /// Takes an agent that works for one that hangs.
    pub(crate) ignores_progress: bool,
    /// Pings what is paused.
    pub(crate) pings_the_paused: bool,
    /// Takes an engine that does not answer for dead containers.
    pub(crate) blames_containers: bool,
    /// Asks an engine that fails again and again, at once.
    pub(crate) hammers: bool,
    /// Pings by a message.
    pub(crate) pings_by_message: bool,
    /// Pings by a process in the container.
    pub(crate) pings_by_process: bool,
    /// Calls a person at each failure.
    pub(crate) escalates_each: bool,
    /// Calls nobody.
    pub(crate) never_escalates: bool,
    /// Looks at one session after the other, as long as each takes.
    pub(crate) one_at_a_time: bool,
    // ---- restarts by itself
    /// Restarts whatever ends.
    pub(crate) restarts_always: bool,
    /// Goes by what `start_session` said.
    pub(crate) ignores_toggle: bool,
    /// How long before a restart, by the policy and its number.
    pub(crate) delay: Delay,
    /// Restarts without end.
    pub(crate) restarts_for_ever: bool,
    /// Forgets no restart.
    pub(crate) never_stable: bool,
    /// Restarts off its branch.
    pub(crate) restarts_off_branch: bool,
    /// Restarts in a pause.
    pub(crate) restarts_paused: bool,
    /// Does not look again before a restart.
    pub(crate) looks_once: bool,
    /// Schedules a restart for each who tells of a death.
    pub(crate) schedules_twice: bool,
    // ---- coming back
    /// Ends what survived.
    pub(crate) kills_survivors: bool,
    /// Starts what survived anew.
    pub(crate) replaces_survivors: bool,
    /// Calls what survived `running`.
    pub(crate) recovers_running: bool,
    /// Types nothing into what survived.
    pub(crate) recovers_deaf: bool,
    /// Reads only what was written since.
    pub(crate) recovers_gap: bool,
    /// Leaves what is gone as it was recorded.
    pub(crate) trusts_records: bool,
    /// Gives up at a record that cannot be read.
    pub(crate) fails_on_bad_record: bool,
    /// Leaves out what cannot be read, and says nothing.
    pub(crate) hides_bad_records: bool,
    /// Removes the container of a record that cannot be read.
    pub(crate) removes_unknown: bool,
    /// Looks for no container that no record names.
    pub(crate) sweeps_nothing: bool,
    /// Begins to count again.
    pub(crate) forgets_counters: bool,
    /// Forgets what was stopped.
    pub(crate) forgets_stops: bool,
    /// Restarts at once what waited for its restart.
    pub(crate) forgets_delays: bool,
    /// Finds containers by their names.
    pub(crate) finds_by_name: bool,
    /// Removes every container that looks like its own.
    pub(crate) removes_foreign: bool,
    /// Shares the registry with another supervisor.
    pub(crate) shares_registry: bool,
    // ---- branches
    /// Starts on any branch.
    pub(crate) any_branch: bool,
    /// Reads the branch once.
    pub(crate) never_looks_at_branch: bool,
    /// Takes a detached HEAD for the branch.
    pub(crate) misses_detached: bool,
    /// Types off the branch.
    pub(crate) types_off_branch: bool,
    /// Never forgives.
    pub(crate) never_recovers_branch: bool,
    /// Puts the workspace on the branch.
    pub(crate) checks_out: bool,
}

/// How long before the restart of that number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delay(pub(crate) fn(&SupervisionPolicy, u64) -> std::time::Duration);

impl Default for Delay {
    fn default() -> Self {
        Self(SupervisionPolicy::delay)
    }
}
