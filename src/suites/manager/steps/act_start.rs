//! Acts that start sessions.

use futures::future::join_all;

use crate::contract::{AgentKind, Args, SessionId};
use crate::fakes::control::{Child, Script};
use crate::sut::recorder::Answered;

use super::messages::message;
use super::sessions::{ManagerWorld, ScenarioSession};
use crate::engine::vocabulary::{Arguments, Done, StepDef, no_agent, step};
use crate::engine::world::{Ground, Stop};

pub(crate) const STEPS: &[StepDef<ManagerWorld>] = &[
    step!(
        Act,
        "session {string} is started",
        "start a session of the scenario's agent in a folder of its own, with a plain message",
        start
    ),
    step!(Act, "a {word} session {string} is started", "the same, of the agent named", start_of, Some(no_agent)),
    step!(Act, "session {string} is started without a message", "start an idle session", start_idle),
    step!(
        Act,
        "session {string} is started without a message and with a timeout of {int} s",
        "an idle session with `timeout_s`, stretched where answers take long",
        start_idle_with_timeout
    ),
    step!(Act, "session {string} is started with the title {string}", "start it with a `title`", start_titled),
    step!(Act, "session {string} is started in a folder named {string}", "start it in a folder of its own, of that name", start_in_named),
    step!(
        Act,
        "session {string} is started twice at once with request id {string}",
        "the very same request twice, both in flight together; of two answers the one that is an error is kept",
        start_twice
    ),
    step!(Act, "session {string} is started with the message {string}", "start it with one of the named messages", start_with_message),
    step!(Act, "session {string} is started with request id {string}", "start it with a `request_id`", start_with_request),
    step!(Act, "session {string} is started again with request id {string}", "repeat the very same request", start_again),
    step!(
        Act,
        "session {string} is started with a timeout of {int} s",
        "start it with `timeout_s`, stretched where answers take long",
        start_with_timeout
    ),
    step!(Act, "session {string} is started with agent {string}", "start it with any word as `agent`", start_with_agent),
    step!(Act, "session {string} is started in a folder that does not exist", "start it nowhere", start_nowhere),
    step!(Act, "session {string} is started in a folder that is a file", "start it in what is no folder", start_in_file),
    step!(Act, "sessions {string} and {string} are started at once in one folder", "two starts at once, one working directory", start_pair),
    step!(
        Act,
        "{int} sessions are started at once",
        "sessions \"1\", \"2\", … of the scenario's agent, all starts in flight together",
        start_many
    ),
    step!(Act, "{int} sessions of mixed agents are started at once", "the same, over all agents in turn", start_mixed),
    step!(Act, "{int} sessions are started one after the other", "sessions \"1\", \"2\", … one by one", start_row),
    step!(
        Act,
        "the agent of {string} will {}",
        "how the agent of a session that is started next behaves: one of the behaviours listed below",
        will
    ),
];

type MakeScript = fn() -> Script;

/// The behaviours that `the agent of {string} will …` knows.
pub(crate) const BEHAVIOURS: &[(&str, MakeScript)] = &[
    ("ignore HUP and TERM", || Script { ignore: vec!["HUP".into(), "TERM".into(), "INT".into()], ..Script::default() }),
    ("start a background child", || child(Child::Background)),
    ("start a stubborn child", || child(Child::Stubborn)),
    ("start a setsid child", || child(Child::Setsid)),
    ("start a reparented child", || child(Child::Reparented)),
    ("be silent", || Script { silent: true, ..Script::default() }),
    ("print 2 MB", || Script { print_bytes: 2_000_000, ..Script::default() }),
    ("exit at once", || Script { exit_at_once: Some(3), ..Script::default() }),
    ("be missing", || Script { missing: true, ..Script::default() }),
    ("exit with status 127", || Script { exit_at_once: Some(127), ..Script::default() }),
];

fn child(how: Child) -> Script {
    Script { children: vec![how], ..Script::default() }
}

/// What a start asks for beyond the agent and the folder.
#[derive(Default)]
struct StartStep {
    agent: Option<String>,
    cwd: Option<std::path::PathBuf>,
    message: Option<String>,
    request_id: Option<String>,
    timeout_s: Option<u64>,
    title: Option<String>,
}

/// A plain start of a session that is new to the scenario (its folder may have been prepared by `will`).
async fn begin(w: &mut ManagerWorld, label: &str, agent: AgentKind, start: StartStep) -> Result<Args, Stop> {
    let prepared = w.state.all.iter().position(|session| session.label == label && session.id.is_none() && session.started.is_none());
    let cwd = match (start.cwd, prepared) {
        (Some(cwd), _) => cwd,
        (None, Some(at)) => w.state.all[at].cwd.clone(),
        (None, None) => w.new_folder()?,
    };
    let mut args = Args::new();
    args.insert("agent".into(), start.agent.unwrap_or_else(|| agent.name().into()).into());
    args.insert("cwd".into(), cwd.to_string_lossy().into_owned().into());
    if let Some(message) = &start.message {
        args.insert("message".into(), message.clone().into());
    }
    if let Some(request_id) = start.request_id {
        args.insert("request_id".into(), request_id.into());
    }
    if let Some(timeout_s) = start.timeout_s {
        args.insert("timeout_s".into(), timeout_s.into());
    }
    if let Some(title) = start.title {
        args.insert("title".into(), title.into());
    }
    let session = ScenarioSession {
        label: label.to_owned(),
        agent,
        cwd,
        messages: start.message.into_iter().filter(|message| !message.is_empty()).collect(),
        replies: Vec::new(),
        id: None,
        runs: Vec::new(),
        ended: false,
        timeout_s: start.timeout_s,
        started: None,
    };
    match prepared {
        Some(at) => w.state.all[at] = session,
        None => w.state.all.push(session),
    }
    Ok(args)
}

fn answered(w: &mut ManagerWorld, label: &str, answer: &Answered) -> Result<(), Stop> {
    let session = w.session_mut(label)?;
    session.started = Some(answer.clone());
    if let Ok(result) = &answer.result {
        session.id = result.get("session_id").and_then(|id| id.as_str()).map(SessionId::from);
    }
    Ok(())
}

/// Starts one session. As a Given (or where a later step needs its agent) it is bound as well.
async fn one(w: &mut ManagerWorld, label: &str, agent: AgentKind, start: StartStep) -> Done {
    let args = begin(w, label, agent, start).await?;
    let answer = w.ask("start_session", args).await?;
    answered(w, label, &answer)?;
    if w.session(label)?.id.is_some() {
        w.bind(label).await?;
    }
    let given = w.is_given();
    if given && answer.word() == "timeout" {
        owed(w, label, &answer, 1);
    }
    w.granted(&answer, given)
}

/// What asks for a plain start of a session that is new to the scenario.
pub(crate) async fn plain_start(w: &mut ManagerWorld, label: &str) -> Result<Args, Stop> {
    let start = plain(w, label);
    begin(w, label, w.agents[0], start).await
}

/// Takes note of what a start was answered, and of its agent.
pub(crate) async fn was_started(w: &mut ManagerWorld, label: &str, answer: &Answered) -> Done {
    answered(w, label, answer)?;
    if w.session(label)?.id.is_some() {
        w.bind(label).await?;
    }
    Ok(())
}

fn plain(w: &ManagerWorld, label: &str) -> StartStep {
    StartStep { message: message("plain", &w.marker(label), w.longest()), ..StartStep::default() }
}

/// Starts a session that serves a check; it must succeed.
pub(crate) async fn sentinel(w: &mut ManagerWorld, label: &str) -> Done {
    let start = plain(w, label);
    one(w, label, w.agents[0], start).await?;
    w.id(label).map(drop)
}

async fn start(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let start = plain(w, a.text(0));
    one(w, a.text(0), w.agents[0], start).await
}

async fn start_of(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let agent: AgentKind = a.text(0).parse().map_err(Stop::CouldNotTest)?;
    let start = plain(w, a.text(1));
    one(w, a.text(1), agent, start).await
}

async fn start_idle(w: &mut ManagerWorld, a: &Arguments) -> Done {
    one(w, a.text(0), w.agents[0], StartStep::default()).await
}

async fn start_with_message(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let text = named(w, a.text(1), a.text(0))?;
    one(w, a.text(0), w.agents[0], StartStep { message: Some(text), ..StartStep::default() }).await
}

/// The text of a named message for a session's next turn.
pub(crate) fn named(w: &ManagerWorld, name: &str, label: &str) -> Result<String, Stop> {
    message(name, &w.marker(label), w.longest())
        .ok_or_else(|| Stop::CouldNotTest(format!("there is no message \"{name}\"; `passmuster steps` lists them")))
}

async fn start_with_request(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let start = StartStep { request_id: Some(a.text(1).into()), ..plain(w, a.text(0)) };
    one(w, a.text(0), w.agents[0], start).await
}

async fn start_again(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let mut args = w.session(a.text(0))?.started.as_ref().map(|started| started.args.clone()).unwrap_or_default();
    args.insert("request_id".into(), a.text(1).into());
    let answer = w.ask("start_session", args).await?;
    let given = w.is_given();
    w.granted(&answer, given)
}

/// A timeout of so many seconds, in which some four answers must fit into each: whoever answers slowly does not end sessions early.
async fn stretched(w: &mut ManagerWorld, seconds: u64) -> Result<Option<u64>, Stop> {
    let asked = tokio::time::Instant::now();
    w.list().await?.map_err(Stop::Blocked)?;
    w.state.stretch = 1 + (asked.elapsed() * 4).as_secs();
    Ok(Some(seconds * w.state.stretch))
}

async fn start_with_timeout(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let start = StartStep { timeout_s: stretched(w, a.number(1)).await?, ..plain(w, a.text(0)) };
    one(w, a.text(0), w.agents[0], start).await
}

async fn start_idle_with_timeout(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let start = StartStep { timeout_s: stretched(w, a.number(1)).await?, ..StartStep::default() };
    one(w, a.text(0), w.agents[0], start).await
}

async fn start_titled(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let start = StartStep { title: Some(a.text(1).into()), ..plain(w, a.text(0)) };
    one(w, a.text(0), w.agents[0], start).await
}

async fn start_in_named(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let cwd = w.new_folder()?.join(a.text(1));
    match &w.ground {
        Ground::Virtual(world) => world.make_folder(&cwd),
        Ground::Real(_) => std::fs::create_dir(&cwd).map_err(|e| Stop::CouldNotTest(format!("{}: {e}", cwd.display())))?,
    }
    let start = StartStep { cwd: Some(cwd), ..plain(w, a.text(0)) };
    one(w, a.text(0), w.agents[0], start).await
}

async fn start_twice(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    let start = StartStep { request_id: Some(a.text(1).into()), ..plain(w, label) };
    let args = begin(w, label, w.agents[0], start).await?;
    let driver = w.driver.clone();
    let (one, other) = tokio::join!(driver.call("start_session", args.clone()), driver.call("start_session", args));
    was_started(w, label, if one.result.is_ok() { &one } else { &other }).await?;
    w.last = Some(if one.result.is_ok() { other } else { one });
    Ok(())
}

async fn start_with_agent(w: &mut ManagerWorld, a: &Arguments) -> Done {
    if !w.driver.offer("start_session").args.contains(&"agent") {
        let why = "the manifest maps no place for `{{ agent }}` of `start_session`: nobody can name an agent that there is not";
        return Err(Stop::Skipped(why.into()));
    }
    w.remember_list().await?;
    let start = StartStep { agent: Some(a.text(1).into()), ..plain(w, a.text(0)) };
    one(w, a.text(0), w.agents[0], start).await
}

async fn start_nowhere(w: &mut ManagerWorld, a: &Arguments) -> Done {
    w.remember_list().await?;
    let cwd = w.new_folder()?.join("is-not-there");
    let start = StartStep { cwd: Some(cwd), ..plain(w, a.text(0)) };
    one(w, a.text(0), w.agents[0], start).await
}

async fn start_in_file(w: &mut ManagerWorld, a: &Arguments) -> Done {
    w.remember_list().await?;
    let cwd = w.new_folder()?.join("file");
    match &w.ground {
        Ground::Virtual(world) => world.write_file(&cwd, b"not a folder"),
        Ground::Real(_) => std::fs::write(&cwd, "not a folder").map_err(|e| Stop::CouldNotTest(format!("{}: {e}", cwd.display())))?,
    }
    let start = StartStep { cwd: Some(cwd), ..plain(w, a.text(0)) };
    one(w, a.text(0), w.agents[0], start).await
}

/// Starts sessions with all requests in flight together.
async fn at_once(w: &mut ManagerWorld, starts: Vec<(String, AgentKind, Option<std::path::PathBuf>)>) -> Done {
    let mut requests = Vec::new();
    for (label, agent, cwd) in starts {
        let start = StartStep { cwd, ..plain(w, &label) };
        requests.push((label.clone(), begin(w, &label, agent, start).await?));
    }
    let driver = w.driver.clone();
    let answers = join_all(requests.iter().map(|(_, args)| driver.call("start_session", args.clone()))).await;
    for ((label, _), answer) in requests.iter().zip(&answers) {
        answered(w, label, answer)?;
        w.last = Some(answer.clone());
    }
    for (label, _) in &requests {
        if w.session(label)?.id.is_some() {
            w.bind(label).await?;
        }
    }
    let given = w.is_given();
    for ((label, _), answer) in requests.iter().zip(&answers).filter(|(_, answer)| given && answer.result.is_err()) {
        owed(w, label, answer, requests.len());
    }
    answers.iter().try_for_each(|answer| w.granted(answer, given))
}

/// A start that every manager owes, which was refused or not answered: found also where it only prepares something else.
fn owed(w: &mut ManagerWorld, label: &str, answer: &Answered, together: usize) {
    let truth = match together {
        1 => "nothing was wrong with what was asked for".to_owned(),
        _ => format!("{together} starts were asked for together; nothing was wrong with any of them"),
    };
    match answer.word() {
        "timeout" => {
            let message = format!("the start of session \"{label}\" was not answered within {} ms", w.limits.call.as_millis());
            w.found_in_passing("LC-CREATE-9", Some(label), message, answer.claim(), truth);
        }
        word => {
            let message = format!("of {together} starts at once that of session \"{label}\" was answered with `{word}`");
            w.found_in_passing("LC-CREATE-7", Some(label), message, answer.claim(), truth);
        }
    }
}

async fn start_pair(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let (folder, agent) = (w.new_folder()?, w.agents[0]);
    let pair = [a.text(0), a.text(1)].map(|label| (label.to_owned(), agent, Some(folder.clone())));
    at_once(w, pair.to_vec()).await
}

async fn start_many(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let agent = w.agents[0];
    at_once(w, (1..=a.number(0)).map(|n: usize| (n.to_string(), agent, None)).collect()).await
}

async fn start_mixed(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let agents = w.agents.clone();
    at_once(w, (1..=a.number(0)).map(|n: usize| (n.to_string(), agents[n % agents.len()], None)).collect()).await
}

async fn start_row(w: &mut ManagerWorld, a: &Arguments) -> Done {
    for n in 1..=a.number::<usize>(0) {
        let label = n.to_string();
        let start = plain(w, &label);
        one(w, &label, w.agents[0], start).await?;
    }
    Ok(())
}

async fn will(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let (_, script) = BEHAVIOURS.iter().find(|(name, _)| *name == a.text(1)).ok_or_else(|| {
        let known: Vec<_> = BEHAVIOURS.iter().map(|(name, _)| *name).collect();
        Stop::CouldNotTest(format!("no agent can `{}`; wanted one of: {}", a.text(1), known.join(", ")))
    })?;
    let (script, agent) = (script(), w.agents[0]);
    if script.missing || script.exit_at_once.is_some() {
        // What a failed start leaves is known by what was listed before.
        w.remember_list().await?;
    }
    if script.missing
        && let Ground::Real(sandbox) = &w.ground
    {
        sandbox.make_missing(agent).map_err(|error| Stop::CouldNotTest(format!("the agent cannot be made missing: {error}")))?;
    }
    begin(w, a.text(0), agent, StartStep::default()).await?;
    let cwd = w.session(a.text(0))?.cwd.to_string_lossy().into_owned();
    w.registry.script_for(&cwd, script);
    Ok(())
}
