//! The supervisor's faults: how it starts, records, pauses, stops, restarts, watches, comes back, and which branch it works on. SV-*.

use std::time::Duration;

use crate::engine::fault;

use super::behavior::{Delay, SupervisorBehavior};
use super::reference::registry::RecordWriting;

/// A named defect of the reference supervisor.
pub(crate) type SupervisorFault = fault::Fault<SupervisorBehavior>;

/// The fault of that name.
///
/// # Errors
/// Names the nearest one.
pub(crate) fn named(name: &str) -> Result<&'static SupervisorFault, String> {
    fault::named(FAULTS.iter(), "a supervisor", name)
}

/// A row of the table: name, title, what it breaks, what it changes.
const fn fault(
    name: &'static str,
    title: &'static str,
    breaks: &'static [&'static str],
    change: fn(&mut SupervisorBehavior),
) -> SupervisorFault {
    SupervisorFault::new(name, title, breaks, change)
}

/// Every fault.
pub(crate) const FAULTS: &[SupervisorFault] = &[
    // ---- starting
    fault("shares-a-container", "puts a session into the container of one that runs", &["SV-START-1", "SV-REG-6"], |s| {
        s.shares_containers = true
    })
    .seen("dimetron/aimee #600"),
    fault("runs-before-it-runs", "calls a session running once its container was started", &["SV-START-2"], |s| s.runs_early = true),
    fault("leaves-the-failed", "leaves the container of an agent that did not come up", &["SV-START-3"], |s| s.leaves_the_failed = true)
        .seen("hermes-agent #33645"),
    fault("records-the-failed", "leaves the record of a start that failed, as `starting`", &["SV-START-3"], |s| {
        s.records_the_failed = true
    }),
    fault("doubles-a-lost-creation", "makes a second container where the answer to the first creation was lost", &["SV-START-4"], |s| {
        s.doubles_lost = true;
    }),
    fault(
        "abandons-what-a-lost-answer-made",
        "leaves the container of a creation or a start whose answer was lost",
        &["SV-START-4"],
        |s| {
            s.abandons_lost = true;
        },
    ),
    // ---- the registry
    fault("records-late", "writes a record when its answer is out", &["SV-REG-1", "SV-REG-2", "SV-RECOVER-1", "SV-RECOVER-2"], |s| {
        s.records_late = true
    }),
    fault(
        "records-no-container",
        "leaves the container's id out of records",
        &["SV-REG-1", "SV-RECOVER-1", "SV-RECOVER-3", "SV-RECOVER-6"],
        |s| s.records_no_container = true,
    )
    .seen("the origin of the seed: no container id is recorded"),
    fault("announces-before-it-records", "announces a state, and writes it then", &["SV-REG-2"], |s| s.announces_first = true),
    fault("overwrites-a-record", "writes a record over the one that lies there", &["SV-REG-3"], |s| {
        s.writing = RecordWriting { replaces: false, ..RecordWriting::default() };
    }),
    fault("tears-a-record", "writes a record in two halves", &["SV-REG-3", "SV-REG-2"], |s| {
        s.writing = RecordWriting { in_halves: true, ..RecordWriting::default() };
    })
    .seen("agent-of-empires #1207, trusty-tools #5007"),
    fault("opens-records-to-all", "lets everybody read a record", &["SV-REG-3"], |s| {
        s.writing = RecordWriting { mode: 0o644, ..RecordWriting::default() };
    }),
    fault("takes-any-name", "makes a path of whatever id and role it is given", &["SV-REG-4", "SV-REG-6"], |s| s.any_name = true),
    fault("records-the-environment", "writes its environment into records", &["SV-REG-5"], |s| s.records_environment = true),
    fault("records-the-first-container", "goes on recording a session's first container", &["SV-REG-6", "SV-RESTART-4"], |s| {
        s.keeps_old_container = true
    }),
    fault("records-anothers-stop", "writes `stopped` into another session's record, too", &["SV-REG-6"], |s| {
        s.stops_anothers_record = true
    }),
    // ---- pausing
    fault("pauses-by-freezing", "freezes the container at a pause", &["SV-PAUSE-1"], |s| s.freezes = true).seen("OpenHands' runtimes"),
    fault("pauses-by-a-signal", "sends the agent TSTP at a pause", &["SV-PAUSE-1"], |s| s.signals = true),
    fault("pauses-by-closing", "closes the agent's input at a pause", &["SV-PAUSE-1", "SV-PAUSE-3", "SV-HEALTH-3", "SV-RECOVER-1"], |s| {
        s.hangs_up = true
    })
    .seen("Podman 4.3: the end of an attach is the end of the agent's input"),
    fault("pauses-by-a-key", "types the name of a key at a pause", &["SV-PAUSE-1", "SV-PAUSE-2", "SV-PAUSE-3"], |s| s.types_a_key = true)
        .seen("the origin of the seed: messages are key names"),
    fault("types-in-a-pause", "types what is sent to a paused session", &["SV-PAUSE-2"], |s| s.types_while_paused = true),
    fault("forgets-what-came-in-a-pause", "takes what is sent to a paused session, and types it never", &["SV-PAUSE-2"], |s| {
        s.forgets_messages = true;
    }),
    fault("types-twice-after-a-pause", "types what came in a pause twice", &["SV-PAUSE-2"], |s| s.keeps_twice = true),
    fault("loses-what-a-pause-wrote", "reads nothing of what was written in a pause", &["SV-PAUSE-3"], |s| s.loses_output = true),
    fault("doubles-what-a-pause-wrote", "reads what was written in a pause twice", &["SV-PAUSE-3"], |s| s.doubles_output = true),
    fault("deaf-after-a-pause", "types nothing after a resume", &["SV-PAUSE-3", "SV-PAUSE-4"], |s| s.deaf_after_resume = true),
    fault("never-thaws", "leaves frozen what it froze", &["SV-PAUSE-4"], |s| s.never_thaws = true),
    fault("pauses-by-nothing", "does nothing at a pause that is configured to freeze", &["SV-PAUSE-4"], |s| s.ignores_pause_mode = true),
    fault("pauses-the-dead", "pauses a session whose agent is over", &["SV-PAUSE-5", "SV-STATE-1"], |s| s.pauses_the_dead = true),
    fault("pauses-once", "refuses the second of two pauses", &["SV-PAUSE-5"], |s| s.refuses_second_pause = true),
    fault("keeps-the-paused", "refuses to stop and to restart a paused session", &["SV-PAUSE-6"], |s| s.refuses_the_paused = true),
    fault("stuck-frozen", "does not thaw what it is to end", &["SV-PAUSE-6", "SV-RESTART-3", "SV-REG-6"], |s| s.stuck_frozen = true)
        .seen("Podman 4.3: stopping a frozen container is an error"),
    fault("looks-away-in-a-pause", "watches no paused session", &["SV-PAUSE-7", "SV-REG-6"], |s| s.ignores_the_paused = true),
    // ---- stopping
    fault("container-first", "removes a container without a word to its agent", &["SV-STOP-1"], |s| s.container_first = true),
    fault("no-grace", "gives the agent no time to end", &["SV-STOP-1"], |s| s.no_grace = true),
    fault(
        "ends-the-agent-alone",
        "leaves the container of an agent that it told to end",
        &["SV-STOP-1", "SV-RESTART-2", "SV-REG-6"],
        |s| s.agent_only = true,
    ),
    fault(
        "restarts-the-stopped",
        "leaves a restart scheduled when the session is stopped",
        &["SV-STOP-2", "SV-AUTO-5", "SV-AUTO-1"],
        |s| {
            s.keeps_pending = true;
        },
    )
    .seen("overdeck #2536"),
    fault("stops-once", "refuses the second of two stops", &["SV-STOP-3"], |s| s.refuses_second_stop = true),
    fault("cannot-stop-the-gone", "fails to stop what is gone already", &["SV-STOP-3", "SV-RESTART-3"], |s| s.fails_on_the_gone = true),
    fault("stops-by-prefix", "ends every container whose name begins as the session's does", &["SV-STOP-4"], |s| s.stops_by_prefix = true)
        .seen("OpenHands #6179"),
    // ---- restarting
    fault(
        "starts-before-it-stops",
        "starts the new agent before the old one has ended",
        &["SV-RESTART-2", "SV-RESTART-3", "SV-REG-6"],
        |s| s.starts_first = true,
    ),
    fault("gives-up-on-a-taken-name", "fails where the name of a container is taken", &["SV-RESTART-3"], |s| s.fails_on_taken_name = true)
        .seen("SWE-agent #451"),
    fault("wipes-transcripts", "forgets at a restart what was written before", &["SV-RESTART-1"], |s| s.wipes_transcripts = true),
    fault("repeats-the-first-message", "gives the new agent the session's first message again", &["SV-RESTART-1b"], |s| {
        s.repeats_message = true;
    }),
    fault("races", "carries out what is asked of one session at once", &["SV-RESTART-4", "SV-REG-6"], |s| s.races = true),
    fault("stuck-starting", "leaves a restart that failed `starting`", &["SV-RESTART-3", "SV-REG-6"], |s| s.stuck_starting = true),
    fault("skips-starting", "calls a session running while it is being restarted", &["SV-STATE-1"], |s| s.skips_starting = true),
    // ---- health
    fault("misses-a-removal", "takes a container that is gone for one that was not listed yet", &["SV-HEALTH-1", "SV-REG-6"], |s| {
        s.misses_removal = true
    })
    .seen("amazon-ecs-agent #364, nanoclaw #3542, AixleHQ/flow #73"),
    fault(
        "misses-a-death",
        "takes a container that has ended for one that runs",
        &["SV-HEALTH-1", "SV-PAUSE-7", "SV-AUTO-1", "SV-AUTO-2", "SV-AUTO-3", "SV-AUTO-4", "SV-AUTO-6", "SV-REG-6"],
        |s| s.misses_exit = true,
    ),
    fault("believes-the-engine", "believes an engine that says that a dead container runs", &["SV-HEALTH-1b", "SV-REG-6"], |s| {
        s.believes_engine = true
    })
    .seen("Podman 4.3: `running` 20 s after its monitor and its agent were killed"),
    fault("gives-up-a-check-early", "calls a session unhealthy a check too early", &["SV-HEALTH-2", "SV-RECOVER-5"], |s| {
        s.failures_more = -1
    }),
    fault("gives-up-a-check-late", "calls a session unhealthy a check too late", &["SV-HEALTH-2", "SV-RECOVER-5"], |s| s.failures_more = 1),
    fault("adds-failures-up", "counts failed checks that do not follow each other", &["SV-HEALTH-2"], |s| s.never_resets = true),
    fault(
        "never-well-again",
        "goes on calling a session unhealthy that answers again",
        &["SV-HEALTH-2", "SV-HEALTH-6", "SV-BRANCH-4"],
        |s| {
            s.never_well_again = true;
        },
    ),
    fault("takes-work-for-hanging", "calls an agent that works and does not answer unhealthy", &["SV-HEALTH-3"], |s| {
        s.ignores_progress = true
    })
    .seen("egg #3341, agent-deck #1705"),
    fault("pings-the-paused", "pings a paused session", &["SV-HEALTH-3"], |s| s.pings_the_paused = true)
        .seen("moby #46203, docker-autoheal #98"),
    fault("blames-the-containers", "takes an engine that does not answer for dead containers", &["SV-HEALTH-4"], |s| {
        s.blames_containers = true
    })
    .seen("amazon-ecs-agent #1043, the-ozolith #109"),
    fault("hammers-the-engine", "asks an engine that fails again and again", &["SV-HEALTH-4"], |s| s.hammers = true),
    fault("pings-by-a-message", "pings by sending a message", &["SV-HEALTH-5", "SV-BRANCH-4"], |s| s.pings_by_message = true),
    fault("pings-by-a-process", "pings by a process in the container", &["SV-HEALTH-5"], |s| s.pings_by_process = true)
        .seen("podman #15377 #20415"),
    fault("calls-at-each-failure", "calls a person at each failed check", &["SV-HEALTH-6"], |s| s.escalates_each = true),
    fault("calls-nobody", "calls no person", &["SV-HEALTH-6", "SV-AUTO-3", "SV-BRANCH-3"], |s| s.never_escalates = true),
    fault(
        "checks-in-a-row",
        "looks at one session after the other, as long as each takes",
        &["SV-HEALTH-7", "SV-HEALTH-2", "SV-HEALTH-6", "SV-AUTO-6"],
        |s| s.one_at_a_time = true,
    ),
    // ---- restarts by itself
    fault("restarts-whatever-ends", "restarts a session whose auto-restart is off", &["SV-AUTO-1"], |s| s.restarts_always = true),
    fault("ignores-the-toggle", "goes on as the session was started when auto-restart is switched", &["SV-AUTO-1"], |s| {
        s.ignores_toggle = true
    }),
    fault("restarts-at-once", "waits for the first restart alone", &["SV-AUTO-2", "SV-AUTO-4", "SV-RECOVER-5"], |s| {
        s.delay = Delay(|policy, attempt| if attempt == 1 { policy.first } else { Duration::ZERO })
    }),
    fault("never-doubles", "waits for each restart as long as for the first", &["SV-AUTO-2", "SV-AUTO-4", "SV-RECOVER-5"], |s| {
        s.delay = Delay(|policy, _| policy.first)
    }),
    fault("knows-no-longest-wait", "doubles the wait without end", &["SV-AUTO-2"], |s| {
        s.delay = Delay(|policy, attempt| policy.first * 2_u32.saturating_pow(attempt.saturating_sub(1).min(16) as u32));
    }),
    fault("restarts-for-ever", "restarts more often than its policy says", &["SV-AUTO-3"], |s| s.restarts_for_ever = true)
        .seen("gastown #687, curie #2637"),
    fault("never-stable", "counts restarts of a session that was stable since", &["SV-AUTO-4"], |s| s.never_stable = true)
        .seen("klangk #895"),
    fault("restarts-in-a-pause", "restarts a session that was paused before its restart was due", &["SV-AUTO-5"], |s| {
        s.restarts_paused = true;
    }),
    fault("restarts-off-its-branch", "restarts a session whose workspace is on another branch", &["SV-AUTO-5"], |s| {
        s.restarts_off_branch = true;
    }),
    fault("restarts-by-an-old-verdict", "restarts an agent that answers again", &["SV-AUTO-6"], |s| s.looks_once = true)
        .seen("klangk #534"),
    fault(
        "restarts-twice-for-one-death",
        "schedules a restart for each who tells of a death",
        &["SV-AUTO-6", "SV-AUTO-2", "SV-AUTO-3", "SV-AUTO-4", "SV-RECOVER-5"],
        |s| s.schedules_twice = true,
    ),
    // ---- coming back
    fault(
        "kills-survivors",
        "ends what the supervisor before it had started",
        &["SV-RECOVER-1", "SV-RECOVER-3", "SV-RECOVER-5", "SV-RECOVER-6"],
        |s| s.kills_survivors = true,
    )
    .seen("egg #1232 #2411, backend.ai-agent #318, nomad #159"),
    fault("replaces-survivors", "starts what survived anew", &["SV-RECOVER-1", "SV-RECOVER-5", "SV-RECOVER-6"], |s| {
        s.replaces_survivors = true
    }),
    fault("recovers-all-as-running", "calls what survived paused running", &["SV-RECOVER-1"], |s| s.recovers_running = true),
    fault("recovers-deaf", "types nothing into what survived", &["SV-RECOVER-1"], |s| s.recovers_deaf = true),
    fault("recovers-with-a-gap", "reads only what survivors write from then on", &["SV-RECOVER-1"], |s| s.recovers_gap = true),
    fault("trusts-its-records", "leaves what is gone as it was recorded", &["SV-RECOVER-2", "SV-RECOVER-5"], |s| {
        s.trusts_records = true;
    })
    .seen("the origin of the seed: `running` is written, and the container is gone"),
    fault("one-bad-record-ends-all", "does not start where a record cannot be read", &["SV-RECOVER-3"], |s| s.fails_on_bad_record = true)
        .seen("the origin of the seed: one bad record stops all"),
    fault("hides-bad-records", "passes over a record that cannot be read", &["SV-RECOVER-3"], |s| s.hides_bad_records = true),
    fault("removes-what-it-cannot-read", "removes the container of a record that cannot be read", &["SV-RECOVER-3"], |s| {
        s.removes_unknown = true
    }),
    fault("leaves-half-a-start", "leaves the container of a start that its end interrupted", &["SV-RECOVER-4"], |s| {
        s.sweeps_nothing = true
    })
    .seen("agent-orchestrator #2652"),
    fault("forgets-its-counts", "begins to count failures and restarts again", &["SV-RECOVER-5"], |s| s.forgets_counters = true),
    fault("forgets-its-stops", "starts again what was stopped", &["SV-RECOVER-5", "SV-RECOVER-3"], |s| s.forgets_stops = true),
    fault("forgets-its-waits", "restarts at once what waited for its restart", &["SV-RECOVER-5"], |s| s.forgets_delays = true),
    fault("finds-by-name", "finds a session's container by its name", &["SV-RECOVER-6", "SV-REG-6"], |s| s.finds_by_name = true),
    fault("removes-foreigners", "removes containers of another registry", &["SV-RECOVER-6"], |s| s.removes_foreign = true)
        .seen("OpenHands #6179"),
    fault("shares-its-registry", "starts on a registry that another supervisor is on", &["SV-RECOVER-7"], |s| s.shares_registry = true)
        .seen("loom #1395"),
    // ---- branches
    fault("records-no-branch", "leaves the branch out of records", &["SV-BRANCH-1", "SV-RECOVER-1", "SV-RECOVER-5"], |s| {
        s.records_no_branch = true
    }),
    fault("starts-on-any-branch", "starts a session whose workspace is on another branch", &["SV-BRANCH-2"], |s| s.any_branch = true)
        .seen("claude-code #88967"),
    fault("never-looks-at-branches", "notices no workspace that moves to another branch", &["SV-BRANCH-3"], |s| {
        s.never_looks_at_branch = true
    }),
    fault("misses-a-detached-head", "takes a detached HEAD for the session's branch", &["SV-BRANCH-3"], |s| s.misses_detached = true),
    fault("types-off-its-branch", "types into a session that is off its branch", &["SV-BRANCH-4"], |s| s.types_off_branch = true),
    fault("never-forgives", "refuses a session that was off its branch for ever", &["SV-BRANCH-4"], |s| s.never_recovers_branch = true),
    fault("checks-out-over-work", "puts a workspace that moved back on the session's branch", &["SV-BRANCH-3"], |s| s.checks_out = true)
        .seen("episko #46"),
];
