//! Acts of the agents, of time, and of what befalls the manager.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use crate::contract::TurnStatus;
use crate::fakes::control::ControlCommand;
use crate::fakes::processes::ProcFs;
use crate::sut::recorder::shortened;
use crate::trace::Entry;

use super::messages::long_reply;
use super::sessions::ManagerWorld;
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::{Ground, Stop};

pub(crate) const STEPS: &[StepDef<ManagerWorld>] = &[
    step!(Act, "the agent of {string} works on turn {int}", "wait until that turn is open: the agent was given its message", works),
    step!(Act, "the agent of {string} completes its turn", "let the open turn end; wait until the agent says that it did", completes),
    step!(
        Act,
        "the agent of {string} completes its turn with a reply of {int} {word} characters",
        "the same, with a long answer (ASCII, Cyrillic, CJK, emoji or combining)",
        completes_long
    ),
    step!(
        Act,
        "the agent of {string} completes its turn while {string} is read over and over",
        "let the turn end while the caller is busy elsewhere",
        completes_busy
    ),
    step!(Act, "every agent completes its turn", "one after the other", every_completes),
    step!(Act, "every agent completes its turn at once", "let all open turns end together", all_complete),
    step!(Act, "the agent of {string} fails its turn", "the open turn ends with a model error", fails),
    step!(Act, "the agent of {string} dies", "the agent's process is killed (SIGKILL); wait until it is gone", dies),
    step!(Act, "the agent of {string} exits", "the agent ends by itself, with status 0", exits),
    step!(
        Act,
        "the agent of {string} is stopped",
        "the agent's process is stopped (SIGSTOP); where its parent is a shell, which would take notice, nothing is asked",
        stopped
    ),
    step!(Act, "the agent of {string} goes on", "the agent's process is no longer stopped (SIGCONT)", goes_on),
    step!(
        Act,
        "a file is made in the folder of {string}",
        "two, as an agent at work leaves them, in no repository; the name of one ends with `.tmp`",
        file_made
    ),
    step!(Act, "the folder of {string} is removed", "remove the session's working directory with what is in it", folder_removed),
    step!(
        Act,
        "session {string} reaches its observable phase",
        "bring the agent to the phase from which its profile makes it observable",
        reaches
    ),
    step!(
        Act,
        "session {string} is not yet observable",
        "go on only where the profile makes the session observable later than now",
        not_yet
    ),
    step!(Act, "{int} s pass", "wait that many seconds, stretched as the timeout is", seconds),
    step!(Act, "{int} h pass", "wait that many hours; virtual time only", hours),
    step!(
        Act,
        "the manager is killed and started again",
        "SIGKILL to the manager's own process, then a new one on the same state",
        restarted
    ),
    step!(
        Act,
        "the manager is killed and started again with the record of {string} unreadable",
        "the same, with one session's record overwritten with garbage in between; as `When` it need not come back",
        restarted_broken
    ),
    step!(
        Act,
        "the manager is killed and started again with {string} for the record of {string}",
        "the same, with that in the record's place",
        restarted_with
    ),
];

async fn works(w: &mut ManagerWorld, a: &Arguments) -> Done {
    w.turn_open(a.text(0), a.number(1)).await
}

async fn completes(w: &mut ManagerWorld, a: &Arguments) -> Done {
    w.release(a.text(0), None, TurnStatus::Completed).await
}

async fn completes_long(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    let turn = w.next_turn(label)?;
    // Of four lengths in a row the last words differ in length, and with them where bytes and characters fall together.
    let length: usize = a.number(1);
    let last = format!("end-{label}-{turn}.{}", "!".repeat(length % 4));
    let reply = long_reply(a.text(2), &format!("answer-{label}-{turn}."), &last, length)
        .ok_or_else(|| Stop::CouldNotTest(format!("no reply of {} {} characters can be made", a.text(1), a.text(2))))?;
    w.release(label, Some(reply), TurnStatus::Completed).await
}

async fn completes_busy(w: &mut ManagerWorld, a: &Arguments) -> Done {
    for _ in 0..3 {
        w.read(a.text(1), None).await?;
    }
    w.release(a.text(0), None, TurnStatus::Completed).await?;
    for _ in 0..10 {
        w.read(a.text(1), None).await?;
    }
    Ok(())
}

async fn every_completes(w: &mut ManagerWorld, _: &Arguments) -> Done {
    for label in w.labels() {
        w.release(&label, None, TurnStatus::Completed).await?;
    }
    Ok(())
}

async fn all_complete(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let mut next = Vec::new();
    for label in w.labels() {
        let turn = w.next_turn(&label)?;
        w.turn_open(&label, turn).await?;
        next.push((label, turn));
    }
    let mut open = Vec::new();
    for (label, turn) in next {
        open.push(w.let_end(&label, turn, format!("answer-{label}-{turn}. All done."), TurnStatus::Completed)?);
    }
    let done = w.registry.until(|runs| open.iter().all(|turn| turn.is_over(runs)).then_some(()));
    timeout(w.limits.start, done).await.map_err(|_| w.no_stand_in("a stand-in did not finish its released turn".into()))
}

async fn fails(w: &mut ManagerWorld, a: &Arguments) -> Done {
    w.release(a.text(0), Some("the model could not be reached".into()), TurnStatus::Failed).await
}

async fn ends_by(w: &mut ManagerWorld, label: &str, command: ControlCommand) -> Done {
    let run = w.own_run(label).await?.id;
    w.registry.send(&run, command);
    let over = w.registry.until(|runs| runs.iter().any(|r| r.id == run && r.over).then_some(()));
    timeout(w.limits.start, over).await.map_err(|_| w.no_stand_in(format!("the stand-in of \"{label}\" did not end")))
}

async fn dies(w: &mut ManagerWorld, a: &Arguments) -> Done {
    ends_by(w, a.text(0), ControlCommand::Die).await
}

async fn exits(w: &mut ManagerWorld, a: &Arguments) -> Done {
    ends_by(w, a.text(0), ControlCommand::Exit { code: 0 }).await
}

async fn stopped(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let pid = w.own_run(a.text(0)).await?.pid;
    // A shell with job control takes its terminal back from a program that stops.
    let parent = match w.ground {
        Ground::Real(_) => ProcFs::entry(pid).and_then(|entry| ProcFs::entry(entry.parent)).map(|parent| parent.command),
        Ground::Virtual(_) => None,
    };
    if let Some(shell) = parent.filter(|parent| SHELLS.contains(&parent.trim_start_matches('-'))) {
        return Err(Stop::Skipped(format!("the agent's parent is a shell ({shell}), which takes notice of an agent that stops")));
    }
    w.processes.stop(pid);
    Ok(())
}

/// The names of shells that have job control.
const SHELLS: [&str; 10] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh"];

async fn goes_on(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let pid = w.own_run(a.text(0)).await?.pid;
    w.processes.resume(pid);
    Ok(())
}

/// The name of the file that is made in sessions' folders, and what is in it.
pub(crate) const MADE: &str = "made-by-the-agent.txt";
pub(crate) const MADE_OF: &str = "half of the work\n";
/// One beside it, of a name that is taken for rubbish.
pub(crate) const MADE_TOO: &str = "made-by-the-agent.tmp";

async fn file_made(w: &mut ManagerWorld, a: &Arguments) -> Done {
    for name in [MADE, MADE_TOO] {
        let path = w.session(a.text(0))?.cwd.join(name);
        match &w.ground {
            Ground::Virtual(world) => world.write_file(&path, MADE_OF.as_bytes()),
            Ground::Real(_) => {
                std::fs::write(&path, MADE_OF).map_err(|error| Stop::CouldNotTest(format!("{}: {error}", path.display())))?
            }
        }
    }
    Ok(())
}

async fn folder_removed(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let cwd = w.session(a.text(0))?.cwd.clone();
    match &w.ground {
        Ground::Virtual(world) => world.remove_folder(&cwd),
        Ground::Real(_) => std::fs::remove_dir_all(&cwd).map_err(|error| Stop::CouldNotTest(format!("{}: {error}", cwd.display())))?,
    }
    Ok(())
}

async fn reaches(w: &mut ManagerWorld, a: &Arguments) -> Done {
    w.reach_phase(a.text(0)).await
}

async fn not_yet(w: &mut ManagerWorld, a: &Arguments) -> Done {
    use crate::profile::Phase;
    match w.profile(a.text(0))?.observable {
        Phase::Started | Phase::PromptAccepted => {
            Err(Stop::Skipped("the agent's profile makes its session observable before its first turn ends".into()))
        }
        _ => w.turn_open(a.text(0), 1).await,
    }
}

async fn seconds(w: &mut ManagerWorld, a: &Arguments) -> Done {
    tokio::time::sleep(Duration::from_secs(a.number::<u64>(0) * w.state.stretch)).await;
    Ok(())
}

async fn hours(w: &mut ManagerWorld, a: &Arguments) -> Done {
    match w.ground {
        Ground::Real(_) => Err(Stop::Skipped("hours pass in virtual time only".into())),
        Ground::Virtual(_) => {
            tokio::time::sleep(Duration::from_secs(3600 * a.number::<u64>(0))).await;
            Ok(())
        }
    }
}

async fn restart(w: &mut ManagerWorld) {
    w.log.push(Entry::Restarted);
    let said = w.driver.driver().stderr_tail();
    w.state.gone = match w.driver.restart().await {
        Ok(()) => None,
        Err(error) => Some(format!("{error}{}", last_words(w, &said).await)),
    };
}

/// What the manager wrote to its standard error last, beyond what it had `said`; it may be on its way after its end.
async fn last_words(w: &mut ManagerWorld, said: &str) -> String {
    let mut words = String::new();
    let listen = async |w: &mut ManagerWorld| {
        let tail = w.driver.driver().stderr_tail();
        words = tail.strip_prefix(said).unwrap_or(&tail).trim().to_owned();
        words.is_empty().then(String::new)
    };
    w.within(w.limits.settle, listen).await;
    match words.lines().last() {
        Some(last) => format!("; its last words: {}", shortened(last)),
        None => String::new(),
    }
}

/// A manager that is not back: nothing can be asked of it.
pub(crate) fn is_back(w: &ManagerWorld) -> Done {
    match &w.state.gone {
        Some(gone) => Err(Stop::Blocked(format!("the manager did not come back: {gone}"))),
        None => Ok(()),
    }
}

async fn restarted(w: &mut ManagerWorld, _: &Arguments) -> Done {
    restart(w).await;
    is_back(w)
}

async fn restarted_broken(w: &mut ManagerWorld, a: &Arguments) -> Done {
    restarted_on(w, a.text(0), b"{ not a record").await
}

async fn restarted_with(w: &mut ManagerWorld, a: &Arguments) -> Done {
    restarted_on(w, a.text(1), a.text(0).as_bytes()).await
}

/// Kills the manager and starts it again, with these bytes for a session's record.
async fn restarted_on(w: &mut ManagerWorld, label: &str, record: &[u8]) -> Done {
    let id = w.id(label)?;
    let place =
        w.record.clone().ok_or_else(|| Stop::Skipped("the manifest names no place of a session's record (`[serve] state`)".into()))?;
    let path = place(&id);
    match &w.ground {
        Ground::Virtual(world) => world.write_file(&path, record),
        // A session's id may say `../../x`.
        Ground::Real(sandbox) if path.canonicalize().is_ok_and(|path| !sandbox.holds(&path)) => {
            return Err(Stop::CouldNotTest(format!("the record {} is outside the sandbox and is left alone", path.display())));
        }
        Ground::Real(_) if path.is_file() => {
            std::fs::write(&path, record).map_err(|error| Stop::CouldNotTest(format!("{}: {error}", path.display())))?;
        }
        Ground::Real(_) => return Err(Stop::CouldNotTest(format!("there is no record at {}: check `[serve] state`", path.display()))),
    }
    restart(w).await;
    if w.is_given() { is_back(w) } else { Ok(()) }
}

/// Ends every session's turn etc. are driven one by one; ends are asked for together.
pub(crate) async fn end_all(w: &mut ManagerWorld) -> Done {
    let labels = w.labels();
    let driver = w.driver.clone();
    let mut requests = Vec::new();
    for label in &labels {
        let mut args = crate::contract::Args::new();
        args.insert("session_id".into(), w.id(label)?.0.into());
        requests.push(args);
    }
    let answers = join_all(requests.into_iter().map(|args| driver.call("end_session", args))).await;
    for (label, answer) in labels.iter().zip(answers) {
        w.session_mut(label)?.ended |= answer.result.is_ok();
        w.last = Some(answer);
    }
    Ok(())
}
