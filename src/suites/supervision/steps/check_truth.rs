//! Checks of what is true: containers, agents, processes, signals, prompts. No answer is asked for.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::containers::engine::ContainerStatus;
use crate::contract::SupervisedState;
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;
use crate::trace::{ContainerFact, Entry, Fact};

use super::act_session::complete;
use super::sessions::SupervisionWorld;

/// The longest that an engine that fails may be asked, as a part of what one that answers is asked.
const BACKED_OFF: u64 = 2;

pub(crate) const STEPS: &[StepDef<SupervisionWorld>] = &[
    step!(Check, "each has an id, a container and an agent of its own", "of the sessions that were started at once", own_each),
    step!(Check, "no container is there", "of the system's", no_container),
    step!(Check, "there is one container of {string}", "and it is the one that its agent lives in", one_container),
    step!(Check, "there is one container of {string}, or none", "its agent lives in it, and its record names it", one_or_none),
    step!(Check, "nothing of {string} runs", "within the end limit: no agent, no container, nothing that was executed", nothing_runs),
    step!(Check, "the agent of {string} is the same", "the same process in the same container as when it was seen last", same),
    step!(Check, "the agent of {string} is another", "another process in another container, in the same workspace", other),
    step!(
        Check,
        "the agent of {string} noticed nothing",
        "since it was seen: no signal, no freezing, no end of its input, nothing typed",
        noticed_nothing
    ),
    step!(Check, "nothing was typed to {string}", "since it was seen", nothing_typed),
    step!(Check, "the turn of {string} was completed", "the agent finished what it worked on", completed),
    step!(Check, "the agent of {string} was told {string} once", "within the start limit it takes that prompt, and never again", told_once),
    step!(Check, "{string} reached {string} once, or was refused", "a message, and a session", once_or_refused),
    step!(Check, "the agent of {string} was told nothing but {string}", "by all who typed, in all of its runs", told_nothing_but),
    step!(Check, "the container of {string} is frozen", "as it was configured", is_frozen),
    step!(Check, "the container of {string} is not frozen", "it goes on", is_not_frozen),
    step!(Check, "the agent of {string} got the signal {string}", "since it was seen", got_signal),
    step!(Check, "the agent of {string} was asked to end before its container ended", "it got TERM first", asked_first),
    step!(Check, "the agent of {string} had {int} s to end", "from TERM to its end; half a second less at most", had_time),
    step!(Check, "somebody else's container is untouched", "it runs, and its agent is the same", untouched),
    step!(Check, "{string} was not pinged", "since it was seen", not_pinged),
    step!(
        Check,
        "nothing was executed in the container of {string}",
        "by the engine, ever, and no process is left there",
        nothing_executed
    ),
    step!(Check, "the engine was asked less often than when it is well", "since it fails: half as often at most", backed_off),
    step!(Check, "the record of {string} says what is true", "within the health limit: an agent of it lives, or none does", says_truth),
    step!(Check, "there were never two agents of {string}", "one ends before the next one begins", never_two),
];

async fn own_each(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let labels: Vec<String> = w.state.sessions.iter().map(|session| session.label.clone()).collect();
    let ids: BTreeSet<String> = w.state.sessions.iter().filter_map(|session| session.id.clone()).collect();
    let mut containers = BTreeSet::new();
    let mut agents = BTreeSet::new();
    for label in &labels {
        for container in w.containers(label)? {
            agents.extend(container.agent);
            containers.insert(container.id);
        }
    }
    let claimed: BTreeSet<String> =
        w.state.at_once.iter().filter_map(|answer| answer.result.as_ref().ok()?.get("container_id")?.as_str().map(str::to_owned)).collect();
    let n = labels.len();
    let right = ids.len() == n && containers.len() == n && agents.len() == n && (claimed.is_empty() || claimed == containers);
    let truth = format!("{} containers, {} agents", containers.len(), agents.len());
    match right {
        true => Ok(()),
        false => w.wrong(
            None,
            format!("{n} sessions have not {n} ids, containers and agents"),
            format!("{} ids, {} containers", ids.len(), claimed.len()),
            truth,
        ),
    }
}

async fn no_container(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let (limit, bystander) = (w.health_limit()?, w.state.bystander.clone());
    let left = w
        .in_time(limit, async |w| {
            let others = w.scene()?.truth().into_iter().filter(|it| bystander.as_ref().is_none_or(|(id, _)| *id != it.id));
            let names: Vec<String> = others.map(|container| container.name).collect();
            Ok((!names.is_empty()).then(|| names.join(", ")))
        })
        .await?;
    match left {
        None => Ok(()),
        Some(names) => w.wrong(None, "a container is left".into(), "the start failed".into(), names),
    }
}

async fn one_container(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, limit) = (a.text(0), w.health_limit()?);
    let wrong = w
        .in_time(limit, async |w| {
            let all = w.containers(label)?;
            let living = all.iter().filter(|container| container.agent.is_some()).count();
            Ok(((all.len(), living) != (1, 1)).then(|| format!("{} containers, {living} agents", all.len())))
        })
        .await?;
    match wrong {
        None => Ok(()),
        Some(truth) => w.wrong(Some(label), format!("there is not one container of \"{label}\""), "one session".into(), truth),
    }
}

async fn one_or_none(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, limit) = (a.text(0), w.health_limit()?);
    let wrong = w
        .in_time(limit, async |w| {
            let all = w.containers(label)?;
            let named = w.record_file(label).ok().flatten().and_then(|record| record["container_id"].as_str().map(str::to_owned));
            let right = all.is_empty() || (all.len() == 1 && all[0].agent.is_some() && named.as_deref() == Some(all[0].id.as_str()));
            Ok((!right).then(|| format!("{} containers, recorded: {named:?}", all.len())))
        })
        .await?;
    match wrong {
        None => Ok(()),
        Some(truth) => w.wrong(
            None,
            format!("there is more than one container of \"{label}\", or one that no session names"),
            "one session".into(),
            truth,
        ),
    }
}

async fn nothing_runs(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, limit) = (a.text(0), w.limits.end);
    let wrong = w
        .in_time(limit, async |w| {
            let containers = w.containers(label)?;
            let mut left: Vec<String> =
                containers.iter().filter(|it| it.agent.is_some() || !it.executed.is_empty()).map(|it| it.name.clone()).collect();
            left.extend(
                containers
                    .iter()
                    .filter(|it| matches!(it.status, ContainerStatus::Running | ContainerStatus::Frozen))
                    .map(|it| it.name.clone()),
            );
            left.extend(w.run(label).ok().map(|run| format!("agent {}", run.pid)));
            left.sort();
            left.dedup();
            Ok((!left.is_empty()).then(|| left.join(", ")))
        })
        .await?;
    match wrong {
        None => Ok(()),
        Some(truth) => w.wrong(Some(label), format!("something of \"{label}\" lives"), "it is over".into(), truth),
    }
}

/// The container and the agent of a session now, if any.
fn present(w: &SupervisionWorld, label: &str) -> Result<Option<(String, u32)>, Stop> {
    Ok(w.containers(label)?.into_iter().find_map(|container| Some((container.id, container.agent?))))
}

async fn same(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (seen, now) = (w.seen(a.text(0))?, present(w, a.text(0))?);
    let right = now.as_ref() == Some(&(seen.container.clone(), seen.agent));
    let message = format!("the agent of \"{}\" is not the one that it was", a.text(0));
    w.expect(right, a.text(0), &message, &format!("{now:?}"), &format!("process {} in {}", seen.agent, seen.container))
}

async fn other(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, limit) = (a.text(0), w.health_limit()?);
    let seen = w.seen(label)?;
    let wrong = w
        .in_time(limit, async |w| {
            let now = present(w, label)?;
            let right = now.as_ref().is_some_and(|(container, agent)| *container != seen.container && *agent != seen.agent);
            Ok((!right).then(|| format!("{now:?}")))
        })
        .await?;
    match wrong {
        None => Ok(()),
        Some(truth) => w.wrong(Some(label), format!("there is no new agent of \"{label}\""), format!("{seen:?}"), truth),
    }
}

/// What happened to a session's agent and container since it was seen: signals, freezing, prompts, its end.
fn happened(w: &SupervisionWorld, label: &str) -> Result<Vec<String>, Stop> {
    let seen = w.seen(label)?;
    let runs: Vec<String> = w.runs(label)?.into_iter().map(|run| run.id.0).collect();
    Ok(w.log.read(|records| {
        let told = |entry: &Entry| match entry {
            Entry::Truth(fact) if runs.contains(&fact.agent_run().0) => match fact {
                Fact::AgentSignalled { signal, .. } => Some(format!("signal {signal}")),
                Fact::PromptAccepted { text, .. } => Some(format!("typed {text:?}")),
                Fact::AgentExited { .. } | Fact::AgentGone { .. } => Some("its end".to_owned()),
                _ => None,
            },
            Entry::Container(ContainerFact::Frozen { container }) if *container == seen.container => Some("frozen".to_owned()),
            _ => None,
        };
        records[seen.at..].iter().filter_map(|record| told(&record.entry)).collect()
    }))
}

async fn noticed_nothing(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let found = happened(w, a.text(0))?;
    let message = format!("the agent of \"{}\" noticed the pause", a.text(0));
    w.expect(found.is_empty(), a.text(0), &message, &found.join(", "), "a pause types nothing, and does nothing to the agent")
}

async fn nothing_typed(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    tokio::time::sleep(w.limits.start).await;
    let typed: Vec<String> = happened(w, a.text(0))?.into_iter().filter(|it| it.starts_with("typed")).collect();
    let message = format!("something was typed to \"{}\"", a.text(0));
    w.expect(typed.is_empty(), a.text(0), &message, &typed.join(", "), "it was paused")
}

async fn completed(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let runs = w.runs(a.text(0))?;
    let done = runs.iter().any(|run| run.completed > 0);
    w.expect(done, a.text(0), &format!("the turn of \"{}\" was not completed", a.text(0)), "it was paused", "its gate was opened")
}

/// How often the agents of a session took a prompt.
fn prompts(w: &SupervisionWorld, label: &str) -> Result<Vec<String>, Stop> {
    Ok(w.runs(label)?.into_iter().flat_map(|run| run.prompts).map(|(_, text)| text).collect())
}

async fn told_once(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, wanted, limit) = (a.text(0), a.text(1), w.limits.start);
    let count = |w: &SupervisionWorld| Ok::<_, Stop>(prompts(w, label)?.iter().filter(|text| *text == wanted).count());
    let _ = w.in_time(limit, async |w| Ok((count(w)? == 0).then(String::new))).await?;
    let found = count(w)?;
    w.expect(
        found == 1,
        label,
        &format!("the agent of \"{label}\" was not told {wanted:?} once"),
        &format!("{found} times"),
        "it was sent once",
    )
}

async fn once_or_refused(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (text, label) = (a.text(0), a.text(1));
    tokio::time::sleep(w.limits.start).await;
    // A prompt that comes during a turn waits for its end.
    while w.run(label).is_ok_and(|run| run.prompts.len() as u64 > run.completed) {
        complete(w, label, "heard").await?;
    }
    let refused = w.log.read(|records| {
        let asked = records.iter().find_map(|record| match &record.entry {
            Entry::Request { id, op, args } if op == "send_message" && args.get("message").is_some_and(|message| message == text) => {
                Some(*id)
            }
            _ => None,
        });
        records.iter().any(|record| matches!(&record.entry, Entry::Reply { id, error: Some(_), .. } if Some(*id) == asked))
    });
    let found = prompts(w, label)?.iter().filter(|prompt| *prompt == text).count();
    let right = found == usize::from(!refused);
    let claim = if refused { "refused" } else { "taken" };
    w.expect(
        right,
        label,
        &format!("{text:?} reached \"{label}\" {found} times"),
        claim,
        "what is refused is not typed, what is taken is typed once",
    )
}

async fn told_nothing_but(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let others: Vec<String> = prompts(w, a.text(0))?.into_iter().filter(|text| text != a.text(1)).collect();
    let message = format!("the agent of \"{}\" was told something that nobody sent", a.text(0));
    w.expect(others.is_empty(), a.text(0), &message, &format!("{others:?}"), &format!("it was sent {:?}", a.text(1)))
}

async fn is_frozen(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let status = w.container(a.text(0))?.status;
    let message = format!("the container of \"{}\" is not frozen", a.text(0));
    w.expect(status == ContainerStatus::Frozen, a.text(0), &message, "paused, by freezing", &format!("{status:?}"))
}

async fn is_not_frozen(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let status = w.container(a.text(0))?.status;
    let message = format!("the container of \"{}\" is still frozen", a.text(0));
    w.expect(status == ContainerStatus::Running, a.text(0), &message, "resumed", &format!("{status:?}"))
}

async fn got_signal(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (wanted, limit) = (format!("signal {}", a.text(1)), w.limits.settle);
    let _ = w.in_time(limit, async |w| Ok((!happened(w, a.text(0))?.contains(&wanted)).then(String::new))).await?;
    let found = happened(w, a.text(0))?;
    w.expect(
        found.contains(&wanted),
        a.text(0),
        &format!("the agent of \"{}\" got no {}", a.text(0), a.text(1)),
        "it is configured so",
        &found.join(", "),
    )
}

/// When the first agent of a session got TERM, and when it was over, in milliseconds.
fn ending(w: &SupervisionWorld, label: &str) -> Result<(Option<u64>, Option<u64>), Stop> {
    let run = w.runs(label)?.into_iter().next().map(|run| run.id).ok_or_else(|| Stop::Blocked("no agent was started".into()))?;
    Ok(w.log.read(|records| {
        let at = |is: &dyn Fn(&Fact) -> bool| {
            records.iter().find_map(|record| match &record.entry {
                Entry::Truth(fact) if *fact.agent_run() == run && is(fact) => record.at_ms,
                _ => None,
            })
        };
        let term = at(&|fact| matches!(fact, Fact::AgentSignalled { signal, .. } if signal == "TERM"));
        (term, at(&|fact| matches!(fact, Fact::AgentExited { .. } | Fact::AgentGone { .. })))
    }))
}

async fn asked_first(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (term, over) = ending(w, a.text(0))?;
    let right = matches!((term, over), (Some(term), Some(over)) if term <= over);
    let message = format!("the agent of \"{}\" was not asked to end", a.text(0));
    w.expect(right, a.text(0), &message, "stopped", &format!("TERM at {term:?} ms, over at {over:?} ms"))
}

async fn had_time(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (term, over) = ending(w, a.text(0))?;
    let wanted = a.number::<u64>(1) * 1000;
    let had = term.zip(over).map(|(term, over)| over.saturating_sub(term));
    let right = had.is_some_and(|had| had + 500 >= wanted);
    w.expect(
        right,
        a.text(0),
        &format!("the agent of \"{}\" had no time to end", a.text(0)),
        &format!("{had:?} ms"),
        &format!("its grace was {wanted} ms"),
    )
}

async fn untouched(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let (id, agent) = w.state.bystander.clone().ok_or_else(|| Stop::CouldNotTest("there is nobody else's container".into()))?;
    let now = w.scene()?.truth().into_iter().find(|container| container.id == id);
    let runs: Vec<_> = w.registry.runs().into_iter().filter(|run| run.pid == agent).collect();
    let asked = runs.iter().any(|run| !run.prompts.is_empty());
    let right = now.as_ref().is_some_and(|it| it.status == ContainerStatus::Running && it.agent == Some(agent))
        && runs.iter().all(|run| w.processes.alive(agent, run.started_ticks))
        && !asked;
    match right {
        true => Ok(()),
        false => w.wrong(None, "somebody else's container was touched".into(), "it is of another registry".into(), format!("{now:?}")),
    }
}

async fn not_pinged(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let seen = w.seen(a.text(0))?;
    let pings = w.pings(&seen.container)? - seen.pings;
    w.expect(
        pings == 0,
        a.text(0),
        &format!("\"{}\" was pinged while it was paused", a.text(0)),
        &format!("{pings} times"),
        "a paused session is not typed to",
    )
}

async fn nothing_executed(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let container = w.container(a.text(0))?;
    let count = w.scene()?.executions(&container.id);
    let message = format!("checks leave processes in the container of \"{}\"", a.text(0));
    w.expect(count == 0, a.text(0), &message, &format!("{count} were started"), &format!("{} live", container.executed.len()))
}

async fn backed_off(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    let (calls, since) = w.state.calls.ok_or_else(|| Stop::CouldNotTest("the engine was never bad".into()))?;
    let (scene, policy) = (w.scene()?, w.policy()?);
    let (asked, time): (u64, Duration) = (scene.calls() - calls, w.log.clock().elapsed().saturating_sub(since));
    let usual = (time.as_secs() / policy.interval.as_secs().max(1)).max(1);
    match asked <= usual / BACKED_OFF {
        true => Ok(()),
        false => w.wrong(
            None,
            "an engine that fails is asked on and on".into(),
            format!("{asked} calls in {} s", time.as_secs()),
            format!("one that is well is looked at {usual} times"),
        ),
    }
}

async fn never_two(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let count = w.runs(a.text(0))?.len();
    let living = w.runs(a.text(0))?.into_iter().filter(|run| w.processes.alive(run.pid, run.started_ticks)).count();
    w.expect(
        living <= 1,
        a.text(0),
        &format!("two agents of \"{}\" live", a.text(0)),
        &format!("{count} were started"),
        &format!("{living} live"),
    )
}

async fn says_truth(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, limit) = (a.text(0), w.health_limit()?);
    let wrong = w
        .in_time(limit, async |w| {
            let record = w.record_file(label)?.unwrap_or_default();
            let alive = record["state"].as_str().and_then(SupervisedState::from_name).is_some_and(SupervisedState::is_alive);
            let lives = present(w, label)?.map(|(container, _)| container);
            let right = if alive { lives.as_deref() == record["container_id"].as_str() && lives.is_some() } else { lives.is_none() };
            Ok((!right).then(|| format!("{} in {}, and what lives is in {lives:?}", record["state"], record["container_id"])))
        })
        .await?;
    match wrong {
        None => Ok(()),
        Some(claim) => w.wrong(
            Some(label),
            format!("the record of \"{label}\" does not say what is true"),
            claim,
            "it was asked for several things at once".into(),
        ),
    }
}
