//! Acts behind a supervisor's back: on agents, containers, engines, records and workspaces.

use std::time::Duration;

use crate::containers::memory::EngineTrouble;
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;
use crate::fakes::control::Script;

use super::act_session::{complete, script};
use super::sessions::{BRANCH, ROLE, SupervisionWorld, head_file, make_repository, set_head};

/// How long an agent that was killed is waited for to come up again: longer than any policy lets it wait.
const COMES_UP: Duration = Duration::from_secs(300);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// A day.
const DAY: Duration = Duration::from_secs(86_400);
/// How often an agent that works writes something.
const WRITES: Duration = Duration::from_secs(3);

/// A kind of record, and how its bytes are made.
type RecordKind = (&'static str, fn() -> Vec<u8>);

/// The kinds of records that cannot be read, with their bytes.
const UNREADABLE: &[RecordKind] = &[
    ("torn", || br#"{"session_id":"bad","role":"dev","sta"#.to_vec()),
    ("empty", Vec::new),
    ("foreign", || b"[1, 2, 3]".to_vec()),
    ("future", || br#"{"session_id":"bad","role":"dev","agent":"codex","state":"levitating","workspace":"/w","branch":"work"}"#.to_vec()),
    ("enormous", || vec![b' '; 2 << 20]),
];

/// What an engine can be told to do to a call, by its word.
const TROUBLES: &[(&str, EngineTrouble)] = &[
    ("refuses", EngineTrouble::Refuse),
    ("fails", EngineTrouble::Fail),
    ("stalls", EngineTrouble::Stall(Duration::from_secs(20))),
    ("loses the reply to", EngineTrouble::LoseReply),
];

pub(crate) const STEPS: &[StepDef<SupervisionWorld>] = &[
    step!(Act, "the agent of {string} completes its turn with {string}", "its gate is opened", completes),
    step!(Act, "the agent of {string} dies", "by SIGKILL", dies),
    step!(Act, "the agent of {string} dies {int} times", "as soon as it is up each time", dies_often),
    step!(Act, "the agent of {string} dies every {int} seconds for a day", "counted from when it is up", dies_for_a_day),
    step!(Act, "the agent of {string} hangs", "it is stopped in the middle, and answers nothing", hangs),
    step!(Act, "{int} pings of {string} go unanswered", "waits for so many, and for their time to be up", unanswered),
    step!(Act, "the agent of {string} answers again", "it goes on", answers),
    step!(Act, "the agent of {string} works without answering", "it writes something every 3 s, and answers no ping", works),
    step!(Act, "the agent of {string} will exit at once", "with status 3, before it takes input", will_exit),
    step!(Act, "the agent of {string} will be missing", "its program is not there", will_be_missing),
    step!(Act, "the agent of {string} will ignore TERM", "it ends by KILL alone", will_ignore),
    step!(Act, "the container of {string} is killed by somebody", "force-stopped, past the supervisor; it stays", killed),
    step!(Act, "the container of {string} is removed by somebody", "past the supervisor", removed),
    step!(Act, "the container of {string} is frozen by somebody", "past the supervisor", frozen),
    step!(
        Act,
        "the death of {string} is denied by the engine",
        "its container is killed, and the engine goes on saying that it runs",
        denied
    ),
    step!(Act, "something is executed in the container of {string}", "a process beside its agent", executed),
    step!(Act, "a container of somebody else's is beside that of {string}", "of like name and label, of another registry", bystander),
    step!(Act, "somebody takes the name of the next container of {string}", "for a container of another registry", name_taken),
    step!(
        Act,
        "somebody takes the name of the container of {string}",
        "once it is removed, for a container of another registry",
        own_name_taken
    ),
    step!(
        Act,
        "the engine {string} one {string}",
        "`refuses`, `fails`, `stalls`, `loses the reply to` the next call of that kind",
        one_call,
        Some(no_trouble)
    ),
    step!(Act, "the engine {string} every {string}", "until it is well again", every_call, Some(no_trouble)),
    step!(
        Act,
        "the engine {string} everything",
        "`refuses`, `fails`, `stalls` every call, until it is well again",
        everything,
        Some(no_trouble)
    ),
    step!(Act, "the engine tells nothing by itself", "its events are lost", no_events),
    step!(Act, "the engine is well again", "nothing is in its way", well),
    step!(Act, "the workspace of {string} moves to the branch {string}", "as `git checkout` does", moves),
    step!(Act, "the workspace of {string} is detached", "as `git checkout --detach` does", detached),
    step!(Act, "the workspace of {string} is a worktree", "of a repository that lies elsewhere", worktree),
    step!(Act, "a record that is {string} lies in the registry", "torn, empty, foreign, future, enormous", bad_record, Some(no_kind)),
    step!(Act, "the record of {string} is torn", "as a writer that was killed leaves it", torn),
    step!(Act, "a record of older fields lies in the registry", "with `id` and `status`, of a session that was planned", older),
    step!(Act, "the record of {string} is held open", "for reading", held),
];

fn trouble(word: &str) -> Option<EngineTrouble> {
    TROUBLES.iter().find(|(own, _)| *own == word).map(|(_, trouble)| *trouble)
}

fn no_trouble(a: &Arguments) -> Option<String> {
    let words = TROUBLES.iter().map(|(word, _)| *word).collect::<Vec<_>>().join("`, `");
    trouble(a.text(0)).is_none().then(|| format!("`{}` is nothing that an engine does, wanted one of `{words}`", a.text(0)))
}

fn no_kind(a: &Arguments) -> Option<String> {
    let known = UNREADABLE.iter().any(|(kind, _)| *kind == a.text(0));
    (!known).then(|| format!("`{}` is no kind of bad record", a.text(0)))
}

async fn completes(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    complete(w, a.text(0), a.text(1)).await
}

async fn dies(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let run = w.run(a.text(0))?;
    w.processes.kill(run.pid);
    Ok(())
}

/// Waits until a session's agent is up, and known to be.
async fn is_up(w: &mut SupervisionWorld, label: &str, limit: Duration) -> bool {
    let deadline = tokio::time::Instant::now() + limit;
    while tokio::time::Instant::now() < deadline {
        let runs = w.run(label).is_ok();
        let says = w.record_file(label).ok().flatten().is_some_and(|record| record["state"] == "running");
        if runs && says {
            return true;
        }
        tokio::time::sleep(5 * LOOK).await;
    }
    false
}

async fn dies_often(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    for _ in 0..a.number::<usize>(1) {
        if !is_up(w, a.text(0), COMES_UP).await {
            return Ok(());
        }
        dies(w, a).await?;
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn dies_for_a_day(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let every = Duration::from_secs(a.number(1));
    let end = tokio::time::Instant::now() + DAY;
    while tokio::time::Instant::now() < end && is_up(w, a.text(0), COMES_UP).await {
        tokio::time::sleep(every).await;
        dies(w, a).await?;
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn hangs(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    w.see(a.text(0))?;
    let run = w.run(a.text(0))?;
    w.processes.stop(run.pid);
    Ok(())
}

async fn unanswered(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, wanted) = (a.text(1), a.number::<u64>(0));
    let (seen, policy) = (w.seen(label)?, w.policy()?);
    let deadline = tokio::time::Instant::now() + w.health_limit()?;
    while w.pings(&seen.container)? < seen.pings + wanted {
        if tokio::time::Instant::now() >= deadline {
            return Err(Stop::Blocked(format!("the agent of \"{label}\" was not pinged {wanted} times")));
        }
        tokio::time::sleep(LOOK).await;
    }
    tokio::time::sleep(policy.timeout + LOOK).await;
    Ok(())
}

async fn answers(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let run = w.run(a.text(0))?;
    w.processes.resume(run.pid);
    Ok(())
}

async fn works(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let engine = w.in_memory("its agent writes, and answers nothing")?.engine.clone();
    let pid = w.run(a.text(0))?.pid;
    engine.keep_busy(pid);
    let world = engine.world().clone();
    tokio::spawn(async move {
        while world.lives(pid) {
            world.print(pid, "working …\n");
            tokio::time::sleep(WRITES).await;
        }
    });
    Ok(())
}

async fn will_exit(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    script(w, a.text(0), Script { exit_at_once: Some(3), ..Script::default() })
}

async fn will_be_missing(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    w.in_memory("its agent's program is not there, which is so of an image for all scenarios or for none")?;
    script(w, a.text(0), Script { missing: true, ..Script::default() })
}

async fn will_ignore(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    script(w, a.text(0), Script { ignore: vec!["TERM".into()], ..Script::default() })
}

async fn killed(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let container = w.container(a.text(0))?;
    w.scene()?.take_away(&container.id, false).await
}

async fn removed(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let container = w.container(a.text(0))?;
    w.scene()?.take_away(&container.id, true).await
}

async fn frozen(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let container = w.container(a.text(0))?;
    w.scene()?.freeze(&container.id).await
}

async fn denied(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let container = w.container(a.text(0))?;
    w.scene()?.deny_death(&container.id).await
}

async fn executed(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let container = w.container(a.text(0))?;
    w.scene()?.execute(&container.id).await
}

/// A container of another registry that looks as a session's does.
async fn stranger(w: &mut SupervisionWorld, label: &str, name: String) -> Done {
    let scene = w.scene()?;
    let labels = vec![("passmuster.registry".to_owned(), "/elsewhere".to_owned()), ("passmuster.session".to_owned(), w.id(label)?)];
    let id = scene.bystander(&name, labels).await?;
    tokio::time::sleep(LOOK).await;
    let agent = scene.truth().into_iter().find(|container| container.id == id).and_then(|container| container.agent);
    w.state.bystander = Some((id, agent.ok_or_else(|| Stop::CouldNotTest("the bystander's agent did not come up".into()))?));
    Ok(())
}

async fn bystander(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let name = format!("{}0", w.container(a.text(0))?.name);
    stranger(w, a.text(0), name).await
}

async fn name_taken(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    w.in_memory("how a system calls its next container is its own affair")?;
    let name = w.container(a.text(0))?.name;
    let (stem, number) = name.rsplit_once('-').unwrap_or((&name, ""));
    let next = number.parse::<u64>().map_or_else(|_| name.clone(), |number| format!("{stem}-{}", number + 1));
    stranger(w, a.text(0), next).await
}

async fn own_name_taken(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let container = w.container(a.text(0))?;
    w.scene()?.take_away(&container.id, true).await?;
    stranger(w, a.text(0), container.name).await
}

/// The engine's call of that name.
fn call(word: &str) -> Result<&'static str, Stop> {
    const CALLS: [&str; 8] = ["create", "start", "inspect", "list", "kill", "freeze", "thaw", "remove"];
    CALLS.into_iter().find(|call| *call == word).ok_or_else(|| Stop::CouldNotTest(format!("engines have no call `{word}`")))
}

async fn one_call(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let trouble = trouble(a.text(0)).unwrap_or(EngineTrouble::Fail);
    w.scene()?.trouble(Some(call(a.text(1))?), Some(1), trouble)
}

async fn every_call(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let trouble = trouble(a.text(0)).unwrap_or(EngineTrouble::Fail);
    w.scene()?.trouble(Some(call(a.text(1))?), None, trouble)
}

async fn everything(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let trouble = trouble(a.text(0)).unwrap_or(EngineTrouble::Fail);
    let scene = w.scene()?;
    scene.trouble(None, None, trouble)?;
    w.state.calls = Some((scene.calls(), w.log.clock().elapsed()));
    Ok(())
}

async fn no_events(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    w.scene()?.drop_events();
    Ok(())
}

async fn well(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    w.scene()?.behave();
    Ok(())
}

fn no_file(error: &std::io::Error) -> Stop {
    Stop::CouldNotTest(format!("the scenario's own folder: {error}"))
}

async fn moves(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let workspace = w.one(a.text(0))?.workspace.clone();
    set_head(&workspace, &format!("ref: refs/heads/{}", a.text(1))).map_err(|error| no_file(&error))
}

async fn detached(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let workspace = w.one(a.text(0))?.workspace.clone();
    // Where a commit is, it is of that; nobody who looks at a branch needs to find it.
    let commit = std::fs::read_to_string(workspace.join(".git/refs/heads").join(BRANCH)).unwrap_or_else(|_| "3a".repeat(20));
    set_head(&workspace, commit.trim()).map_err(|error| no_file(&error))
}

async fn worktree(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let workspace = w.workspace(a.text(0))?;
    let main = workspace.with_file_name("main");
    let own = main.join(".git/worktrees/tree");
    let head = std::fs::read_to_string(head_file(&workspace)).map_err(|error| no_file(&error))?;
    let made = std::fs::remove_dir_all(workspace.join(".git"))
        .and_then(|()| make_repository(&main, "main"))
        .and_then(|()| std::fs::create_dir_all(&own))
        .and_then(|()| std::fs::write(own.join("HEAD"), head))
        .and_then(|()| std::fs::write(own.join("commondir"), "../..\n"))
        .and_then(|()| std::fs::write(own.join("gitdir"), format!("{}\n", workspace.join(".git").display())))
        .and_then(|()| std::fs::write(workspace.join(".git"), format!("gitdir: {}\n", own.display())));
    made.map_err(|error| no_file(&error))
}

fn put_record(w: &mut SupervisionWorld, id: &str, bytes: &[u8]) -> Done {
    let place = w.scene()?.record(ROLE, id);
    let place = place.ok_or_else(|| Stop::Skipped("the manifest names no place of a session's record (`[supervision] record`)".into()))?;
    let folder = place.parent().unwrap_or(&place);
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&place, bytes)).map_err(|error| no_file(&error))?;
    let tail: Vec<_> = place.iter().rev().take(2).collect();
    w.state.unreadable = Some(tail.iter().rev().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/"));
    Ok(())
}

async fn bad_record(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let bytes = UNREADABLE.iter().find(|(kind, _)| *kind == a.text(0)).map(|(_, bytes)| bytes()).unwrap_or_default();
    put_record(w, "bad", &bytes)
}

async fn torn(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (path, id) = (w.record_path(a.text(0))?, w.id(a.text(0))?);
    let bytes = std::fs::read(path).map_err(|error| no_file(&error))?;
    put_record(w, &id, &bytes[..bytes.len() / 2])
}

async fn older(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let text = r#"{"id":"planned-once","status":"planned","role":"dev","agent":"codex","workspace":"/w","branch":"work","dry_run":true}"#;
    put_record(w, "planned-once", text.as_bytes())
}

async fn held(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let path = w.record_path(a.text(0))?;
    let bytes = std::fs::read(&path).map_err(|error| no_file(&error))?;
    let file = std::fs::File::open(&path).map_err(|error| no_file(&error))?;
    w.state.held = Some((file, bytes));
    Ok(())
}
