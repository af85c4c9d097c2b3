//! Checks of what is true: processes, prompts, files. The manager is not asked.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use crate::contract::AgentRun;
use crate::fakes::native;
use crate::fakes::registry::FakeRun;
use crate::suites::manager::rules::messages::{CUT_IN_SILENCE, is_cut};
use crate::trace::history::same_prompt;
use crate::trace::settings::Processes;
use crate::trace::{Entry, Fact, Record};

use super::act_agent::{MADE, MADE_OF, MADE_TOO};
use super::sessions::ManagerWorld;
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::{Ground, Stop};

pub(crate) const STEPS: &[StepDef<ManagerWorld>] = &[
    step!(Check, "the agent of {string} runs in its folder", "a process of the agent lives, in the working directory asked for", runs),
    step!(
        Check,
        "the agent of {string} was given its messages exactly once, in order, unaltered",
        "the prompts that the agent took are the messages that were sent, up to a trailing newline",
        given
    ),
    step!(
        Check,
        "the agent of {string} was given all that was accepted, exactly once, in order, unaltered",
        "the same; of a start that was refused nothing is asked",
        given_what_was_accepted
    ),
    step!(Check, "every agent was given its messages exactly once, in order, unaltered", "the same for every session", all_given),
    step!(
        Check,
        "nothing was run by the messages to {string}",
        "what its messages would have made, had a shell taken them for commands, is not there; no agent came up for it",
        nothing_run
    ),
    step!(Check, "no agent of {string} was started", "no agent runs that belongs to no session", none_started),
    step!(Check, "one agent of {string} was started", "no second agent was started in the session's folder", one_started),
    step!(Check, "the first turn of {string} is still open", "its agent took the message and has not answered", first_turn_open),
    step!(
        Check,
        "nothing of {string} is alive",
        "its agent's process, and everything that came from it, is gone within the end limit",
        nothing_alive
    ),
    step!(
        Check,
        "nothing of {string} is alive {int} s after its timeout, unasked",
        "the same, within its timeout, so many seconds and the end limit; the manager is asked nothing meanwhile",
        nothing_alive_unasked
    ),
    step!(Check, "nothing of any session is alive", "the same for every session", nothing_alive_at_all),
    step!(
        Check,
        "the agent of {string} noticed nothing",
        "no signal, no end, no input but the caller's since the caller began to look",
        noticed
    ),
    step!(Check, "the native files of {string} are as its agent left them", "nobody else created, changed or removed one", files_as_left),
    step!(Check, "the file in the folder of {string} is as it was made", "it is there, and has what was written", made_there),
    step!(Check, "the native files of {string} are still there", "those that the agent wrote and kept", files_there),
];

async fn runs(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    let claimed = w.session(label)?.started.as_ref().map(|started| started.claim()).unwrap_or_default();
    if w.bind(label).await?.is_none() {
        if !w.is_to_run(label)? {
            return Ok(());
        }
        let truth = format!("no agent came up within {} ms", w.limits.start.as_millis());
        return w.wrong(Some(label), format!("no agent runs in the folder of session \"{label}\""), claimed, truth);
    }
    let run = w.run_of(label).await?;
    let is_between_turns = w.process_per == Processes::Turn && w.turns(label)?.last().is_none_or(|turn| turn.is_complete);
    let alive = is_between_turns || w.processes.alive(run.pid, run.started_ticks);
    w.expect(alive, label, &format!("the agent of session \"{label}\" does not run"), &claimed, &format!("process {} is dead", run.pid))
}

pub(crate) async fn given_one(w: &mut ManagerWorld, label: &str) -> Done {
    let messages = w.session(label)?.messages.clone();
    if w.bind(label).await?.is_none() {
        if !w.is_to_run(label)? {
            return Ok(());
        }
        let claimed = w.session(label)?.started.as_ref().map(|started| started.claim()).unwrap_or_default();
        return w.wrong(
            Some(label),
            format!("no agent took the message of session \"{label}\""),
            claimed,
            "no agent was started in its folder".into(),
        );
    }
    // A message that waits for an open turn is taken when that turn ends: only those whose turn can be open are awaited.
    let wanted = messages.len().min(w.session(label)?.replies.len() + 1);
    if wanted > 0 && w.turns(label)?.len() < wanted {
        // What does not come is found below.
        let _ = w.turn_open(label, wanted as u64).await;
    }
    let prompts: Vec<String> = w.turns(label)?.into_iter().map(|turn| turn.text).collect();
    let trimmed = |text: &str| text.strip_suffix('\n').unwrap_or(text).to_owned();
    let same = prompts.len() >= wanted
        && prompts.len() <= messages.len()
        && prompts.iter().zip(&messages).all(|(prompt, message)| trimmed(prompt) == trimmed(message));
    let show =
        |texts: &[String]| texts.iter().map(|text| format!("{:?}", crate::sut::recorder::shortened(text))).collect::<Vec<_>>().join(", ");
    if same {
        return Ok(());
    }
    let (wrong, claimed, truth) =
        (difference(&prompts, &messages, label), format!("sent: {}", show(&messages)), format!("taken: {}", show(&prompts)));
    match prompts.len() <= messages.len() && prompts.iter().zip(&messages).any(|(prompt, message)| is_cut(message, prompt)) {
        true => w.wrong_of(CUT_IN_SILENCE, Some(label), wrong, claimed, truth),
        false => w.wrong(Some(label), wrong, claimed, truth),
    }
}

/// Says how prompts differ from messages, as exactly as a sentence can.
fn difference(prompts: &[String], messages: &[String], label: &str) -> String {
    let Some(at) =
        prompts.iter().zip(messages).position(|(prompt, message)| prompt.trim_end_matches('\n') != message.trim_end_matches('\n'))
    else {
        return format!("the agent of session \"{label}\" took {} messages, {} were sent", prompts.len(), messages.len());
    };
    let common = prompts[at].chars().zip(messages[at].chars()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| text.chars().skip(common.saturating_sub(5)).take(20).collect::<String>();
    format!(
        "message {} of session \"{label}\" arrived altered: from character {common} on {:?} was sent, {:?} arrived ({} and {} characters)",
        at + 1,
        around(&messages[at]),
        around(&prompts[at]),
        messages[at].chars().count(),
        prompts[at].chars().count(),
    )
}

async fn given(w: &mut ManagerWorld, a: &Arguments) -> Done {
    // What comes once more comes late.
    settle(w).await;
    given_one(w, a.text(0)).await
}

async fn given_what_was_accepted(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let refused = w.session(a.text(0))?.started.as_ref().is_some_and(|started| started.result.is_err());
    if refused { Ok(()) } else { given(w, a).await }
}

async fn all_given(w: &mut ManagerWorld, _: &Arguments) -> Done {
    settle(w).await;
    for label in w.labels() {
        given_one(w, &label).await?;
    }
    Ok(())
}

/// Nothing announces an absence: it is looked for after the settle time.
pub(crate) async fn settle(w: &ManagerWorld) {
    tokio::time::sleep(w.limits.settle).await;
}

/// No run may exist that belongs to none of the scenario's bound sessions.
async fn none_started(w: &mut ManagerWorld, a: &Arguments) -> Done {
    none_started_for(w, a.text(0)).await
}

pub(crate) async fn none_started_for(w: &mut ManagerWorld, label: &str) -> Done {
    settle(w).await;
    let bound: Vec<_> = w.state.all.iter().flat_map(|session| session.runs.clone()).collect();
    // A process that serves all sessions is nobody's: only what it was asked tells.
    let marker = format!("ask-{label}-");
    let is_shared = w.process_per == Processes::Shared;
    let is_stray = |run: &FakeRun| !is_shared || run.prompts.iter().any(|(_, text)| text.contains(&marker));
    let stray: Vec<String> = w
        .registry
        .runs()
        .iter()
        .filter(|run| !bound.contains(&run.id) && is_stray(run))
        .map(|run| format!("{} (pid {}) in {}", run.agent, run.pid, run.cwd))
        .collect();
    let claimed = w.last()?.claim();
    // A start of several steps is taken back by the mapping.
    let truth = format!("started: {} (where a start is mapped to several steps, `undo` ends what an earlier one began)", stray.join(", "));
    w.expect(stray.is_empty(), label, "a refused start started an agent", &claimed, &truth)
}

async fn one_started(w: &mut ManagerWorld, a: &Arguments) -> Done {
    settle(w).await;
    let cwd = w.session(a.text(0))?.cwd.to_string_lossy().into_owned();
    let count = w.registry.runs().iter().filter(|run| run.cwd == cwd).count();
    let claimed = w.last()?.claim();
    let most = if w.process_per == Processes::Turn { w.session(a.text(0))?.messages.len().max(1) } else { 1 };
    w.expect(count <= most, a.text(0), &format!("{count} agents were started for one session"), &claimed, "one request, repeated")
}

/// By effect: a command among the messages names the file that it would make.
async fn nothing_run(w: &mut ManagerWorld, a: &Arguments) -> Done {
    settle(w).await;
    let label = a.text(0);
    let session = w.session(label)?.clone();
    let is_made = |name: &str| w.file(&session.cwd.join(name).to_string_lossy()).is_some();
    let made: Vec<String> = w
        .sent_to(label)
        .iter()
        .filter_map(|message| message.strip_prefix("touch "))
        .filter(|name| is_made(name))
        .map(str::to_owned)
        .collect();
    let claimed = w.last()?.claim();
    let message = format!("a message to session \"{label}\", whose agent is dead, was run as a command");
    w.expect(made.is_empty(), label, &message, &claimed, &format!("it made {}", made.join(", ")))?;
    let cwd = session.cwd.to_string_lossy();
    let later = w.registry.runs().iter().filter(|run| run.cwd == *cwd && !session.runs.contains(&run.id)).count();
    let message = format!("a message to session \"{label}\", whose agent is dead, started another");
    w.expect(later == 0, label, &message, &claimed, &format!("{later} came up in its directory"))
}

async fn first_turn_open(w: &mut ManagerWorld, a: &Arguments) -> Done {
    w.turn_open(a.text(0), 1).await?;
    let is_open = w.turns(a.text(0))?.first().is_some_and(|turn| !turn.is_complete && !turn.is_dead);
    w.expect(is_open, a.text(0), "the first turn is over already", "", "the harness has not released it")
}

/// Whether nothing of a session is alive within the end limit; what is, is found.
async fn nothing_alive_of(w: &mut ManagerWorld, label: &str) -> Result<bool, Stop> {
    w.bind(label).await?;
    let mut alive = Vec::new();
    let limit = w.limits.end;
    let wrong = w
        .within(limit, async |w| {
            alive = w.alive(label).unwrap_or_default();
            (!alive.is_empty()).then(String::new)
        })
        .await;
    if wrong.is_none() {
        return Ok(true);
    }
    let claimed = w.last.as_ref().map(|answer| answer.claim()).unwrap_or_default();
    let truth = format!("alive {} ms after: {}", limit.as_millis(), alive.join(", "));
    // A session may have to be over without having been ended: it timed out, or its end was refused.
    let wrong = match w.session(label)?.ended {
        true => format!("session \"{label}\" was ended, but something of it is alive"),
        false => format!("session \"{label}\" has not ended in time: something of it is alive"),
    };
    w.wrong(Some(label), wrong, claimed, truth)?;
    Ok(false)
}

async fn nothing_alive(w: &mut ManagerWorld, a: &Arguments) -> Done {
    nothing_alive_of_any(w, &[a.text(0).to_owned()]).await
}

async fn nothing_alive_unasked(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let timeout_s = w.session(a.text(0))?.timeout_s.unwrap_or_default();
    tokio::time::sleep(Duration::from_secs(timeout_s + a.number::<u64>(1) * w.state.stretch)).await;
    nothing_alive_of(w, a.text(0)).await.map(drop)
}

async fn nothing_alive_at_all(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let labels = w.labels();
    nothing_alive_of_any(w, &labels).await
}

/// It is looked at twice: what comes up again does so after the end.
async fn nothing_alive_of_any(w: &mut ManagerWorld, labels: &[String]) -> Done {
    let mut gone = Vec::new();
    for label in labels {
        if nothing_alive_of(w, label).await? {
            gone.push(label);
        }
    }
    settle(w).await;
    for label in gone {
        nothing_alive_of(w, label).await?;
    }
    Ok(())
}

/// What disturbed a session's agent since quiet was asked for: input that is not the caller's, a signal, an end. A
/// message that the manager took before may still be on its way; it is the caller's own, and so is what follows from it.
pub(crate) async fn noticed_nothing(w: &mut ManagerWorld, label: &str) -> Done {
    let session = w.session(label)?;
    let session = session.clone();
    if session.runs.is_empty() {
        return Ok(());
    }
    let (own, per, marker, turns) = (session.messages.len() as u64, w.process_per, format!("ask-{label}-"), w.turns(label)?);
    let is_own = |run: &AgentRun, turn: u64| turns.iter().any(|own| own.run == *run && own.number == turn);
    // Where each turn has a process of its own, that process ends with it.
    let was_done = |run: &AgentRun| per == Processes::Turn && turns.iter().any(|own| own.run == *run && own.is_complete);
    let quiet_from = w.state.quiet_from;
    let is_reading = |record: &Record| matches!(&record.entry, Entry::Request { op, .. } if op == "get_session_data");
    let first_read = w.log.read(|records| records.iter().position(is_reading)).unwrap_or(quiet_from);
    let disturbs = |at: usize, fact: &Fact| match fact {
        // What was typed at the first reading is taken once: what is typed later waits behind it. A message that is taken again
        // was delivered twice, which is no reading's doing.
        Fact::PromptAccepted { turn, text, .. } => {
            let is_more = match per {
                Processes::Session => *turn > own,
                Processes::Turn => true,
                Processes::Shared => text.contains(&marker),
            };
            is_more && at >= first_read.min(quiet_from) && !session.messages.iter().any(|message| same_prompt(message, text))
        }
        Fact::TurnCompleted { agent_run, turn, .. } => at >= quiet_from && is_own(agent_run, *turn),
        Fact::AgentSignalled { agent_run, .. } | Fact::AgentExited { agent_run, .. } | Fact::AgentGone { agent_run } => {
            at >= quiet_from && !was_done(agent_run)
        }
        Fact::AgentStarted { .. }
        | Fact::TurnStarted { .. }
        | Fact::TurnReleased { .. }
        | Fact::FileWritten { .. }
        | Fact::FileRemoved { .. }
        | Fact::DescendantAlive { .. } => false,
    };
    let noticed: Vec<String> = w.log.read(|records| {
        let noticed = records.iter().enumerate().filter_map(|(at, record)| match &record.entry {
            Entry::Truth(fact) if session.runs.contains(fact.agent_run()) && disturbs(at, fact) => serde_json::to_string(fact).ok(),
            _ => None,
        });
        noticed.collect()
    });
    let claimed = w.last.as_ref().map(|answer| answer.claim()).unwrap_or_default();
    w.expect(noticed.is_empty(), label, &format!("the agent of session \"{label}\" was disturbed"), &claimed, &noticed.join("; "))
}

async fn noticed(w: &mut ManagerWorld, a: &Arguments) -> Done {
    settle(w).await;
    noticed_nothing(w, a.text(0)).await
}

/// The size of each file as its agent last reported it; removed ones are left out.
fn reported(w: &ManagerWorld) -> BTreeMap<String, u64> {
    let mut sizes = BTreeMap::new();
    w.log.read(|records| {
        for record in records {
            match &record.entry {
                Entry::Truth(Fact::FileWritten { path, bytes, .. }) => drop(sizes.insert(path.clone(), *bytes)),
                Entry::Truth(Fact::FileRemoved { path, .. }) => drop(sizes.remove(path)),
                _ => {}
            }
        }
    });
    sizes
}

/// Waits until the agents have reported what they have written.
async fn settled(w: &ManagerWorld) -> Done {
    for run in w.registry.runs() {
        timeout(w.limits.start, w.registry.settled(&run.id))
            .await
            .map_err(|_| Stop::CouldNotTest(format!("the stand-in {} did not say what it has written", run.id.0)))?;
    }
    Ok(())
}

async fn files_as_left(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    settled(w).await?;
    let (agent, left) = (w.session(label)?.agent, reported(w));
    let found: Vec<String> = match &w.ground {
        Ground::Virtual(world) => world.files_below(&world.home().join(native::of(agent).root())),
        Ground::Real(sandbox) => sandbox.files_below(&sandbox.home().join(native::of(agent).root())),
    }
    .into_iter()
    .map(|path| path.to_string_lossy().into_owned())
    .collect();
    let mut wrong: Vec<String> =
        found.iter().filter(|path| !left.contains_key(*path)).map(|path| format!("{path} was created by somebody else")).collect();
    for (path, bytes) in left.iter().filter(|(path, _)| path.contains(native::of(agent).root())) {
        match w.file(path) {
            None => wrong.push(format!("{path} was removed")),
            Some(content) if content.len() as u64 != *bytes => {
                wrong.push(format!("{path} has {} bytes, its agent left {bytes}", content.len()))
            }
            Some(_) => {}
        }
    }
    w.expect(wrong.is_empty(), label, "an agent's native files were touched", "", &wrong.join("; "))
}

async fn made_there(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let claimed = w.last()?.claim();
    for name in [MADE, MADE_TOO] {
        let path = w.session(a.text(0))?.cwd.join(name);
        let content = w.file(&path.to_string_lossy());
        let truth = match &content {
            None => format!("{} is gone", path.display()),
            Some(_) => format!("{} has other content than it was left with", path.display()),
        };
        let right = content.as_deref() == Some(MADE_OF.as_bytes());
        w.expect(right, a.text(0), "ending a session changed what its agent had made", &claimed, &truth)?;
    }
    Ok(())
}

async fn files_there(w: &mut ManagerWorld, a: &Arguments) -> Done {
    settled(w).await?;
    w.run_of(a.text(0)).await?;
    let runs = w.session(a.text(0))?.runs.clone();
    let files: Vec<String> = w.registry.runs().into_iter().filter(|run| runs.contains(&run.id)).flat_map(|run| run.files).collect();
    let left = reported(w);
    let lost: Vec<String> = files.iter().filter(|path| left.contains_key(*path) && w.file(path).is_none()).cloned().collect();
    let claimed = w.last.as_ref().map(|answer| answer.claim()).unwrap_or_default();
    w.expect(
        lost.is_empty(),
        a.text(0),
        "ending a session deleted its agent's native file",
        &claimed,
        &format!("gone: {}", lost.join(", ")),
    )?;
    if files.is_empty() {
        return Err(Stop::CouldNotTest("the agent wrote no native file".into()));
    }
    Ok(())
}
