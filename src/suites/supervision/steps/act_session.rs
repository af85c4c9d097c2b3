//! Acts on a supervisor: its operations, and its own end and beginning.

use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;

use crate::contract::{Args, TurnStatus};
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;
use crate::fakes::control::Script;

use super::sessions::{BRANCH, FIRST_MESSAGE, NAMES, ROLE, SupervisionWorld, args};

/// Between the instants at which a supervisor is killed.
const INSTANT: Duration = Duration::from_millis(5);
/// More calls than any start makes.
const CALLS: u32 = 12;
/// Why the supervisor of somebody's manifest is not killed in one step and started in another.
const KILLED: &str = "it is killed, and started later";
/// Why somebody's supervisor is not told another policy.
const CONFIGURED: &str = "it is configured otherwise for one scenario";
/// A file that must not appear.
pub(crate) const OUTSIDER: &str = "outsider";

pub(crate) const STEPS: &[StepDef<SupervisionWorld>] = &[
    step!(
        Act,
        "session {string} is supervised",
        "start a session in the role `dev`, on the branch `work`, with the message `begin`",
        start
    ),
    step!(Act, "session {string} is supervised without a message", "the same, without a first message", start_silent),
    step!(Act, "session {string} is supervised and started again by itself", "the same, with `auto_restart`", start_auto),
    step!(Act, "session {string} is supervised as {string}", "the same, with this id", start_as),
    step!(Act, "session {string} is asked for with the id {string}", "the same, with one of the named ids", start_with_id),
    step!(Act, "session {string} is asked for with the role {string}", "the same, with one of the named roles", start_with_role),
    step!(Act, "session {string} is asked for on the branch {string}", "the same, on a branch that its workspace is not on", start_on),
    step!(Act, "{int} sessions are supervised at once", "start sessions together; they are called `S1`, `S2`, …", start_at_once),
    step!(Act, "{string} is paused", "ask for `pause_session`", pause),
    step!(Act, "{string} is resumed", "ask for `resume_session`", resume),
    step!(Act, "{string} is restarted", "ask for `restart_session`", restart),
    step!(Act, "{string} is stopped", "ask for `stop_session`", stop),
    step!(Act, "{string} is stopped with a grace of {int} s", "ask for `stop_session` with `grace_s`", stop_with),
    step!(Act, "{string} is stopped, restarted and paused at once", "ask for all three together", all_at_once),
    step!(Act, "{string} is told {string}", "ask for `send_message`", tell),
    step!(
        Act,
        "auto-restart of {string} is switched {string}",
        "ask for `set_auto_restart`: `on` or `off`",
        toggle,
        Some(neither_on_nor_off)
    ),
    step!(Act, "the health of all is asked for", "ask for `check_health`", health),
    step!(Act, "the supervisor is killed", "as by SIGKILL; what it started lives on", kill),
    step!(Act, "the supervisor is started", "on the same registry", started),
    step!(Act, "the supervisor is killed and started again", "both, one after the other", reborn),
    step!(Act, "a second supervisor is started on the registry", "while the first one runs", second),
    step!(
        Act,
        "the supervisor is killed at {int} instants of pausing {string}",
        "each 5 ms after the one before; its record is read after each, and it is started again",
        killed_pausing
    ),
    step!(
        Act,
        "the supervisor is killed in each call of a start",
        "to the engine, before it is carried out and after; it is started again after each",
        killed_starting
    ),
    step!(Act, "a supervisor that pauses by freezing", "it is configured so", freezing),
    step!(
        Act,
        "a supervisor that pauses by the signal {string} and resumes by {string}",
        "it is configured so: `TSTP`, `CONT`",
        signalling,
        Some(no_signals)
    ),
    step!(Act, "a supervisor whose first restart waits {int} s", "it is configured so", waiting),
    step!(Act, "a supervisor that allows {int} restarts", "it is configured so", allowing),
    step!(Act, "{int} seconds pass", "nothing is done meanwhile", pass),
    step!(Act, "{int} checks pass", "so many intervals, each with the longest answer", pass_checks),
];

fn neither_on_nor_off(a: &Arguments) -> Option<String> {
    (!["on", "off"].contains(&a.text(1))).then(|| format!("`{}` is neither `on` nor `off`", a.text(1)))
}

fn no_signals(a: &Arguments) -> Option<String> {
    ((a.text(0), a.text(1)) != ("TSTP", "CONT")).then(|| "wanted `TSTP` and `CONT`".to_owned())
}

/// The arguments of a start.
fn fresh(w: &mut SupervisionWorld, label: &str) -> Result<Args, Stop> {
    let workspace = w.workspace(label)?;
    Ok(args([
        ("agent", w.agents[0].name().into()),
        ("cwd", workspace.display().to_string().into()),
        ("role", ROLE.into()),
        ("branch", BRANCH.into()),
        ("message", FIRST_MESSAGE.into()),
    ]))
}

async fn begun(w: &mut SupervisionWorld, label: &str, more: Vec<(&'static str, Value)>) -> Done {
    let mut given = fresh(w, label)?;
    given.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let role = given.get("role").and_then(Value::as_str).unwrap_or(ROLE).to_owned();
    w.state.sessions.iter_mut().filter(|session| session.label == label).for_each(|session| session.role.clone_from(&role));
    let answer = w.ask("start_session", given).await?;
    let id = answer.result.as_ref().ok().and_then(|result| result.get("session_id")).and_then(Value::as_str).map(str::to_owned);
    let started = id.is_some();
    w.state.sessions.iter_mut().filter(|session| session.label == label).for_each(|session| session.id.clone_from(&id));
    if started {
        // One that shares another's container has none of its own, which is judged elsewhere.
        let _ = w.see(label);
    }
    let given = w.is_given();
    w.granted(&answer, given)
}

async fn start(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    begun(w, a.text(0), Vec::new()).await
}

async fn start_silent(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    begun(w, a.text(0), vec![("message", Value::Null)]).await
}

async fn start_auto(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    begun(w, a.text(0), vec![("auto_restart", true.into())]).await
}

async fn start_as(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    begun(w, a.text(0), vec![("session_id", a.text(1).into())]).await
}

/// A named name, or the text itself.
fn name(text: &str) -> String {
    NAMES.iter().find(|(name, _)| *name == text).map_or_else(|| text.to_owned(), |(_, value)| value())
}

async fn start_with_id(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    begun(w, a.text(0), vec![("session_id", name(a.text(1)).into())]).await
}

async fn start_with_role(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    begun(w, a.text(0), vec![("role", name(a.text(1)).into())]).await
}

async fn start_on(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    begun(w, a.text(0), vec![("branch", a.text(1).into())]).await
}

async fn start_at_once(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let labels: Vec<String> = (1..=a.number::<usize>(0)).map(|n| format!("S{n}")).collect();
    let given = labels.iter().map(|label| fresh(w, label)).collect::<Result<Vec<_>, _>>()?;
    let driver = w.driver.clone();
    let answers = join_all(given.into_iter().map(|given| driver.call("start_session", given))).await;
    for (label, answer) in labels.iter().zip(&answers) {
        let id = answer.result.as_ref().ok().and_then(|result| result.get("session_id")).and_then(Value::as_str).map(str::to_owned);
        w.state.sessions.iter_mut().filter(|session| session.label == *label).for_each(|session| session.id.clone_from(&id));
    }
    w.state.at_once = answers;
    Ok(())
}

async fn asked(w: &mut SupervisionWorld, operation: &'static str, label: &str, more: Vec<(&'static str, Value)>) -> Done {
    let mut given = args([("session_id", w.id(label)?.into())]);
    given.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let answer = w.ask(operation, given).await?;
    let given = w.is_given();
    w.granted(&answer, given)
}

async fn pause(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    // What is seen of it from now on is seen in its pause.
    let _ = w.see(a.text(0));
    asked(w, "pause_session", a.text(0), Vec::new()).await
}

async fn resume(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    asked(w, "resume_session", a.text(0), Vec::new()).await
}

async fn restart(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    asked(w, "restart_session", a.text(0), Vec::new()).await
}

async fn stop(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    asked(w, "stop_session", a.text(0), Vec::new()).await
}

async fn stop_with(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    asked(w, "stop_session", a.text(0), vec![("grace_s", a.number::<u64>(1).into())]).await
}

async fn all_at_once(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (id, driver) = (w.id(a.text(0))?, w.driver.clone());
    let ask = |operation| driver.call(operation, args([("session_id", id.as_str().into())]));
    w.state.at_once = join_all(["restart_session", "stop_session", "restart_session", "pause_session"].map(ask)).await;
    Ok(())
}

async fn tell(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    asked(w, "send_message", a.text(0), vec![("message", a.text(1).into())]).await
}

async fn toggle(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    asked(w, "set_auto_restart", a.text(0), vec![("on", (a.text(1) == "on").into())]).await
}

async fn health(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let answer = w.ask("check_health", Args::new()).await?;
    let given = w.is_given();
    w.granted(&answer, given)
}

fn broken(error: &crate::sut::CallError) -> Stop {
    Stop::Blocked(format!("the supervisor does not start: {error}"))
}

async fn kill(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    w.in_memory(KILLED)?.kill().await;
    w.log.push(crate::trace::Entry::Restarted);
    Ok(())
}

async fn started(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let started = w.in_memory(KILLED)?.start().await;
    match started {
        Ok(()) => Ok(()),
        // What it owes is judged by what becomes of its sessions: a supervisor that does not come back answers nothing.
        Err(error) if !w.is_given() => {
            w.log.push(crate::trace::Entry::Note { text: error.to_string() });
            Ok(())
        }
        Err(error) => Err(broken(&error)),
    }
}

async fn reborn(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    if w.scene()?.in_memory().is_none() {
        if !w.driver.driver().can_restart() {
            return Err(Stop::Skipped("the manifest has no `[serve]` that could be killed and started again".into()));
        }
        w.log.push(crate::trace::Entry::Restarted);
        return w.driver.restart().await.map_err(|error| broken(&error));
    }
    kill(w, a).await?;
    started(w, a).await
}

async fn second(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let another = w.in_memory("a second supervisor is opened by hand")?.another().await;
    w.state.second = Some(another.map(|supervisor| supervisor.crash()));
    Ok(())
}

async fn killed_pausing(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, supervisor) = (a.text(1), w.in_memory(KILLED)?);
    let id = w.id(label)?;
    for n in 0..a.number::<u32>(0) {
        let call = w.driver.call("pause_session", args([("session_id", id.as_str().into())]));
        let _ = tokio::time::timeout(INSTANT * n, call).await;
        supervisor.kill().await;
        w.log.push(crate::trace::Entry::Restarted);
        let record = w.record_file(label)?;
        if record.as_ref().and_then(|record| record.get("session_id")).and_then(Value::as_str) != Some(&id) {
            let bytes = std::fs::read_to_string(w.record_path(label)?).unwrap_or_default();
            w.state.tried.push(format!("killed {} ms after it was asked: the record is {bytes:?}", (INSTANT * n).as_millis()));
            return supervisor.start().await.or(Ok(()));
        }
        supervisor.start().await.map_err(|error| broken(&error))?;
        w.driver.call("resume_session", args([("session_id", id.as_str().into())])).await;
    }
    Ok(())
}

async fn killed_starting(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let supervisor = w.in_memory("it is killed in the middle of its calls to the engine")?;
    let engine = supervisor.engine.clone();
    for n in 0..2 * CALLS {
        let (label, pass, done) = (format!("K{n}"), n / 2, n % 2 == 1);
        let given = fresh(w, &label)?;
        let victim = supervisor.running().ok_or_else(|| Stop::Blocked("no supervisor runs".into()))?;
        engine.ambush(pass, done, Box::new(move || victim.crash()));
        w.driver.call("start_session", given).await;
        let over = engine.call_off();
        supervisor.kill().await;
        w.log.push(crate::trace::Entry::Restarted);
        if let Err(error) = supervisor.start().await {
            w.state.tried.push(format!("killed in call {pass}: {error}"));
            return Ok(());
        }
        let check = w.policy()?.interval;
        tokio::time::sleep(2 * check).await;
        let containers = w.containers(&label)?;
        let registry = w.driver.call("list_sessions", Args::new()).await;
        let known: Vec<String> = registry
            .result
            .iter()
            .filter_map(|result| result.get("sessions")?.as_array())
            .flatten()
            .filter(|entry| entry["state"] == "running")
            .filter_map(|entry| entry["container_id"].as_str().map(str::to_owned))
            .collect();
        let left: Vec<_> = containers.iter().filter(|container| !known.contains(&container.id)).collect();
        if !left.is_empty() || containers.len() > 1 {
            let when = if done { "after" } else { "before" };
            let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
            w.state
                .tried
                .push(format!("killed {when} call {pass} was carried out: the containers {names:?} are there, none of them adopted"));
        }
        if over {
            return Ok(());
        }
    }
    Ok(())
}

async fn freezing(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let done = w.in_memory(CONFIGURED)?.reconfigure(|_, pause| *pause = crate::suites::supervision::reference::PauseMode::Freeze).await;
    done.map_err(|error| broken(&error))
}

async fn signalling(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let mode = crate::suites::supervision::reference::PauseMode::Signal { pause: "TSTP", resume: "CONT" };
    w.in_memory(CONFIGURED)?.reconfigure(|_, pause| *pause = mode).await.map_err(|error| broken(&error))
}

async fn waiting(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let first = Duration::from_secs(a.number(0));
    w.in_memory(CONFIGURED)?.reconfigure(|policy, _| policy.first = first).await.map_err(|error| broken(&error))
}

async fn allowing(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let restarts = a.number(0);
    w.in_memory(CONFIGURED)?.reconfigure(|policy, _| policy.restarts = restarts).await.map_err(|error| broken(&error))
}

async fn pass(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    w.idle(Duration::from_secs(a.number(0))).await
}

async fn pass_checks(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let policy = w.policy()?;
    w.idle((policy.interval + policy.timeout) * a.number::<u32>(0)).await
}

/// Lets a session's agent complete its open turn with that answer, and waits until it has.
pub(crate) async fn complete(w: &mut SupervisionWorld, label: &str, reply: &str) -> Done {
    let run = w.run(label)?;
    let turn = run.completed + 1;
    w.registry.release(&run.id, turn, reply, TurnStatus::Completed);
    let done = w.registry.until(|runs| runs.iter().any(|r| r.id == run.id && (r.completed >= turn || r.over)).then_some(()));
    // What is frozen completes nothing: that is judged where it matters.
    let _ = tokio::time::timeout(w.limits.start, done).await;
    let _ = tokio::time::timeout(w.limits.settle, w.registry.settled(&run.id)).await;
    Ok(())
}

/// How whatever is started in a session's workspace behaves.
pub(crate) fn script(w: &mut SupervisionWorld, label: &str, script: Script) -> Done {
    let workspace = w.workspace(label)?;
    w.registry.script_for(&workspace.display().to_string(), script);
    Ok(())
}
