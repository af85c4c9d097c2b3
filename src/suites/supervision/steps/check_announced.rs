//! Checks of what a supervisor announces: states, health, restarts, escalations.

use std::time::Duration;

use crate::contract::Announcement;
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;
use crate::trace::{Entry, Fact};

use super::sessions::SupervisionWorld;
use crate::suites::supervision::rules;

/// How far what was announced and what was true may be apart in a trace, in milliseconds.
const SLACK_MS: u64 = 500;

pub(crate) const STEPS: &[StepDef<SupervisionWorld>] = &[
    step!(Check, "the states of {string} were {string}", "as they were announced, joined by ` > `", states_were),
    step!(Check, "the states of each were {string}", "of the sessions that were started at once", states_of_each),
    step!(
        Check,
        "{string} was said to run when its agent was up",
        "`running` is announced after its agent came up, and before anything else",
        said_when_up
    ),
    step!(
        Check,
        "each state was recorded before it was announced",
        "the record, as it was found when the announcement came",
        recorded_first
    ),
    step!(
        Check,
        "the health of {string} fails after as many checks as the policy says",
        "within the health limit; not one fewer, not one more",
        fails_after
    ),
    step!(Check, "the health of {string} never failed", "nothing of it was announced", never_failed),
    step!(Check, "the health of {string} failed", "within the health limit it is announced", failed),
    step!(Check, "a person was called to {string} {int} times", "with the session, a reason and a count", called),
    step!(Check, "a person was called to {string} once, for its restarts", "the reason says that they are used up", called_for_restarts),
    step!(Check, "a restart of {string} is scheduled", "within the health limit it is announced", is_scheduled),
    step!(
        Check,
        "{string} was restarted {int} times by itself",
        "so many restarts were announced, and so many agents came after the first",
        restarted
    ),
    step!(
        Check,
        "the restarts of {string} came after {string} seconds",
        "as they were announced, up to a quarter more; joined by `, `",
        came_after
    ),
    step!(Check, "the restarts of {string} follow the policy", "its closed form: when, how many, and when it begins anew", follow),
    step!(Check, "the agent of {string} was away {int} s at least", "between its end and the start of the next one", was_away),
];

fn is_told(w: &SupervisionWorld, label: &str, wanted: impl Fn(&Announcement) -> bool) -> Result<usize, Stop> {
    Ok(w.told(label)?.iter().filter(|(_, _, said)| wanted(said)).count())
}

fn states(w: &SupervisionWorld, label: &str) -> Result<String, Stop> {
    let told = w.told(label)?;
    let states = told.iter().filter_map(|(_, _, said)| match said {
        Announcement::StateChanged { to, .. } => Some(to.as_str()),
        _ => None,
    });
    Ok(states.collect::<Vec<_>>().join(" > "))
}

async fn states_of(w: &mut SupervisionWorld, label: &str, wanted: &str) -> Done {
    let limit = w.limits.announce;
    let wrong = w.in_time(limit, async |w| Ok(Some(states(w, label)?).filter(|states| states != wanted))).await?;
    match wrong {
        None => Ok(()),
        Some(claim) => {
            w.wrong(Some(label), format!("the states of \"{label}\" were announced otherwise"), claim, format!("wanted: {wanted}"))
        }
    }
}

async fn states_were(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    states_of(w, a.text(0), a.text(1)).await
}

async fn states_of_each(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    for label in w.state.sessions.iter().map(|session| session.label.clone()).collect::<Vec<_>>() {
        states_of(w, &label, a.text(0)).await?;
    }
    Ok(())
}

async fn said_when_up(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    let limit = w.limits.announce;
    // What is announced comes a little after the answer.
    w.in_time(limit, async |w| Ok((!states(w, label)?.contains("running")).then(String::new))).await?;
    let runs: Vec<String> = w.runs(label)?.into_iter().map(|run| run.id.0).collect();
    let up = w.log.read(|records| {
        records.iter().find_map(|record| match &record.entry {
            Entry::Truth(Fact::AgentStarted { agent_run, .. }) if runs.contains(&agent_run.0) => record.at_ms,
            _ => None,
        })
    });
    let told = w.told(label)?;
    let said = told.iter().find(|(_, _, said)| matches!(said, Announcement::StateChanged { to, .. } if to == "running"));
    let said = said.map(|(ms, _, _)| *ms);
    let right = matches!((up, said), (Some(up), Some(said)) if up <= said);
    w.expect(
        right,
        label,
        &format!("\"{label}\" was called running before its agent was up"),
        &format!("announced at {said:?} ms"),
        &format!("up at {up:?} ms"),
    )
}

async fn recorded_first(w: &mut SupervisionWorld, _: &Arguments) -> Done {
    w.in_memory("its records are read at the moment of each announcement")?;
    tokio::time::sleep(w.limits.settle).await;
    let wrong = w.log.read(|records| {
        let told = records.iter().enumerate().filter_map(|(at, record)| match &record.entry {
            Entry::Event(Announcement::StateChanged { session_id, to, .. }) => Some((at, session_id, to)),
            _ => None,
        });
        let mut count = 0;
        for (at, session, to) in told {
            count += 1;
            let found = records[..at].iter().rev().find_map(|record| match &record.entry {
                Entry::Recorded { session_id, record, living: None } if session_id == session => Some(record.clone()),
                _ => None,
            });
            let state = found.flatten().map(|record| record["state"].as_str().unwrap_or_default().to_owned());
            // What changed again before anybody asked is recorded as it was last.
            let later = records[at + 1..].iter().any(|record| match &record.entry {
                Entry::Event(Announcement::StateChanged { session_id, to, .. }) => session_id == session && Some(to) == state.as_ref(),
                _ => false,
            });
            if state.as_deref() != Some(to) && !later {
                return Err((session.to_string(), to.clone(), state.unwrap_or_else(|| "nothing".into())));
            }
        }
        Ok(count)
    });
    match wrong {
        Ok(0) => Err(Stop::Blocked("no state was announced".into())),
        Ok(_) => Ok(()),
        Err((session, to, recorded)) => w.wrong(
            None,
            format!("session {session} was announced as `{to}` before that was recorded"),
            to,
            format!("recorded: {recorded}"),
        ),
    }
}

fn is_failure(said: &Announcement) -> bool {
    matches!(said, Announcement::HealthFailed { .. })
}

async fn fails_after(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, policy, limit) = (a.text(0), w.policy()?, w.health_limit()?);
    let seen = w.seen(label)?;
    // What is announced comes at once: how often its agent had been pinged by then is what matters.
    let mut pings = 0;
    let deadline = tokio::time::Instant::now() + limit;
    while is_told(w, label, is_failure)? == 0 && tokio::time::Instant::now() < deadline {
        pings = w.pings(&seen.container)? - seen.pings;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let told = w.told(label)?;
    let failures = told.iter().find_map(|(_, _, said)| match said {
        Announcement::HealthFailed { failures, .. } => Some(failures.unwrap_or(policy.failures)),
        _ => None,
    });
    let right = failures == Some(policy.failures) && pings == policy.failures;
    let claim = failures.map_or_else(|| "nothing was announced".to_owned(), |failures| format!("failed after {failures}"));
    w.expect(
        right,
        label,
        &format!("\"{label}\" did not fail after {} checks", policy.failures),
        &claim,
        &format!("{pings} pings were not answered"),
    )
}

async fn never_failed(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let count = is_told(w, a.text(0), |said| is_failure(said) || matches!(said, Announcement::Escalated { .. }))?;
    let message = format!("\"{}\" was called unhealthy", a.text(0));
    w.expect(count == 0, a.text(0), &message, &format!("{count} announcements"), "nothing was wrong with it")
}

async fn heard(w: &mut SupervisionWorld, label: &str, what: &str, wanted: fn(&Announcement) -> bool) -> Done {
    let limit = w.health_limit()?;
    let wrong = w.in_time(limit, async |w| Ok((is_told(w, label, wanted)? == 0).then(|| "nothing was announced".to_owned()))).await?;
    match wrong {
        None => Ok(()),
        Some(claim) => w.wrong(
            Some(label),
            format!("{what} of \"{label}\" was not announced"),
            claim,
            format!("it took longer than {} s", limit.as_secs()),
        ),
    }
}

async fn failed(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    heard(w, a.text(0), "the failed health", is_failure).await
}

async fn is_scheduled(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    heard(w, a.text(0), "the restart", |said| matches!(said, Announcement::RestartScheduled { .. })).await
}

async fn called(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    tokio::time::sleep(w.limits.announce).await;
    let label = a.text(0);
    let whole =
        |said: &Announcement| matches!(said, Announcement::Escalated { reason: Some(reason), count: Some(_), .. } if !reason.is_empty());
    let (all, right) = (is_told(w, label, |said| matches!(said, Announcement::Escalated { .. }))?, is_told(w, label, whole)?);
    let wanted = a.number::<usize>(1);
    let claim = format!("{all} times, {right} of them with reason and count");
    w.expect(
        all == wanted && right == wanted,
        label,
        &format!("a person was not called to \"{label}\" {wanted} times"),
        &claim,
        "once an episode",
    )
}

async fn called_for_restarts(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    tokio::time::sleep(w.limits.announce).await;
    let label = a.text(0);
    let used_up = |said: &Announcement| matches!(said, Announcement::Escalated { reason: Some(reason), .. } if reason.contains("restart"));
    let count = is_told(w, label, used_up)?;
    let message = format!("a person was not called once to \"{label}\", whose restarts are used up");
    w.expect(count == 1, label, &message, &format!("{count} times"), "as many restarts as the policy allows were made")
}

async fn restarted(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, wanted) = (a.text(0), a.number::<usize>(1));
    let limit = w.policy()?.first + w.limits.start + w.limits.announce;
    let wrong = w
        .in_time(limit, async |w| {
            let said = is_told(w, label, |said| matches!(said, Announcement::RestartScheduled { .. }))?;
            let agents = w.runs(label)?.len();
            Ok(((said, agents) != (wanted, wanted + 1)).then(|| format!("{said} restarts were announced, {agents} agents were started")))
        })
        .await?;
    match wrong {
        None => Ok(()),
        Some(claim) => w.wrong(Some(label), format!("\"{label}\" was not restarted {wanted} times"), claim, format!("wanted: {wanted}")),
    }
}

async fn came_after(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    tokio::time::sleep(w.limits.settle).await;
    let label = a.text(0);
    let wanted: Vec<f64> = a.text(1).split(", ").filter_map(|word| word.parse().ok()).collect();
    let told = w.told(label)?;
    let delays: Vec<f64> = told
        .iter()
        .filter_map(|(_, _, said)| match said {
            Announcement::RestartScheduled { delay_s, .. } => delay_s.as_f64(),
            _ => None,
        })
        .collect();
    let right = delays.len() == wanted.len() && delays.iter().zip(&wanted).all(|(delay, wanted)| (*wanted..=wanted * 1.25).contains(delay));
    w.expect(right, label, &format!("the restarts of \"{label}\" came otherwise"), &format!("{delays:?}"), &format!("wanted: {wanted:?}"))
}

async fn follow(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, policy) = (a.text(0), w.policy()?);
    let (id, records) = (w.id(label)?, w.log.records());
    if is_told(w, label, |said| matches!(said, Announcement::RestartScheduled { .. }))? == 0 {
        return w.wrong(
            Some(label),
            format!("\"{label}\" was never restarted by itself"),
            "nothing was announced".into(),
            "its agent died".into(),
        );
    }
    let breaches = rules::policy_breaches(&records, &id, &policy);
    match breaches.first() {
        None => Ok(()),
        Some((requirement, why)) => {
            let claim = format!("{requirement}: {why}");
            w.wrong(Some(label), format!("the restarts of \"{label}\" do not follow the policy"), claim, format!("{policy:?}"))
        }
    }
}

async fn was_away(w: &mut SupervisionWorld, a: &Arguments) -> Done {
    let (label, wanted) = (a.text(0), a.number::<u64>(1) * 1000);
    let runs: Vec<String> = w.runs(label)?.into_iter().map(|run| run.id.0).collect();
    let (gone, up) = w.log.read(|records| {
        let at = |run: Option<&String>, is: fn(&Fact) -> bool| {
            records.iter().find_map(|record| match &record.entry {
                Entry::Truth(fact) if is(fact) && run.is_some_and(|run| *run == fact.agent_run().0) => record.at_ms,
                _ => None,
            })
        };
        let gone = at(runs.first(), |fact| matches!(fact, Fact::AgentGone { .. } | Fact::AgentExited { .. }));
        (gone, at(runs.get(1), |fact| matches!(fact, Fact::AgentStarted { .. })))
    });
    let away = gone.zip(up).map(|(gone, up)| up.saturating_sub(gone));
    let right = away.is_some_and(|away| away + SLACK_MS >= wanted);
    w.expect(
        right,
        label,
        &format!("the agent of \"{label}\" was not away long enough, or never came back"),
        &format!("{away:?} ms"),
        &format!("wanted: {wanted} ms"),
    )
}
