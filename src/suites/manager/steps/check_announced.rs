//! Checks of announcements.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;

use crate::contract::{Announcement, SessionId, TurnStatus};
use crate::sut::recorder::shortened;
use crate::trace::{Entry, Record};

use super::act_start;
use super::check_data;
use super::check_session::not_alive_within;
use super::check_truth::settle;
use super::sessions::ManagerWorld;
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;

pub(crate) const STEPS: &[StepDef<ManagerWorld>] = &[
    step!(Check, "turn {int} of {string} was announced", "wait (announce limit) for its `turn_completed`", was_announced),
    step!(
        Check,
        "turn {int} of {string} is announced once",
        "one `turn_completed` comes within the announce limit, and no second one before another session's later turn",
        once
    ),
    step!(Check, "turn {int} of every session is announced once", "the same for every session", every_once),
    step!(Check, "nothing was announced for {string}", "no `turn_completed` before another session's later turn", nothing),
    step!(
        Check,
        "no turn of {string} was announced as completed",
        "no `turn_completed` of that status, or of none, before another session's later turn",
        none_completed
    ),
    step!(
        Check,
        "turn {int} of {string} is announced, or {string} is not called alive",
        "a kept session's turn is announced; a lost one is over",
        announced_or_over
    ),
    step!(
        Check,
        "the failure of {string} is announced or reported",
        "within the announce limit: `turn_completed`, `session_ended`, or a status that is not alive",
        failure
    ),
    step!(Check, "the completion of {string} was learned", "from its announcement, or where none are offered from its data", learned),
    step!(
        Check,
        "the end of {string} is announced, where ends are announced",
        "where ending another session is announced, so is this one's end",
        end_announced
    ),
];

/// The announcements of a turn of a session, so far. Those without a turn number are counted in order.
fn announced(records: &[Record], id: &SessionId, turn: u64) -> usize {
    let mut unnumbered = 0;
    let mut count = 0;
    for record in records {
        if let Entry::Event(Announcement::TurnCompleted { session_id, turn: said, .. }) = &record.entry
            && session_id == id
        {
            unnumbered += u64::from(said.is_none());
            count += usize::from(*said == Some(turn) || (said.is_none() && unnumbered >= turn));
        }
    }
    count
}

/// What was announced instead of a turn of a session: turns of other numbers, or none; and what could not be read.
fn instead(records: &[Record], id: &SessionId, turn: u64, unread: Option<String>) -> String {
    let numbers: BTreeSet<u64> = records
        .iter()
        .filter_map(|record| match &record.entry {
            Entry::Event(Announcement::TurnCompleted { session_id, turn, .. }) if session_id == id => *turn,
            _ => None,
        })
        .collect();
    let said = if numbers.iter().all(|said| (1..turn).contains(said)) {
        "no `turn_completed`".to_owned()
    } else {
        let turns = if numbers.len() == 1 { "turn" } else { "turns" };
        let list = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        format!("announced for it: {turns} {}; turns count from 1", shortened(&list))
    };
    and_unread(said, unread)
}

/// A claim, and what could not be read of what was announced.
fn and_unread(claimed: String, unread: Option<String>) -> String {
    [Some(claimed), unread].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn offered(w: &ManagerWorld) -> Result<(), Stop> {
    let announces = w.driver.driver().announcements();
    if announces.by_stream || announces.by_waiting { Ok(()) } else { Err(Stop::Skipped("the manifest maps no announcements".into())) }
}

/// Waits for a turn's announcement; whether it came in time.
async fn arrives(w: &ManagerWorld, id: &SessionId, turn: u64, limit: Duration) -> bool {
    let came = timeout(limit, w.log.wait_for(|records| (announced(records, id, turn) > 0).then_some(()))).await.is_ok();
    if !came {
        w.driver.note_missed(limit);
    }
    came
}

async fn awaited(w: &mut ManagerWorld, label: &str, turn: u64) -> Done {
    offered(w)?;
    let (id, limit) = (w.id(label)?, w.limits.announce);
    if arrives(w, &id, turn, limit).await {
        return Ok(());
    }
    let truth = format!("its agent completed turn {turn}; limit {} ms", limit.as_millis());
    let claimed = w.log.read(|records| instead(records, &id, turn, w.driver.unread()));
    w.wrong(Some(label), format!("turn {turn} of session \"{label}\" was never announced"), claimed, truth)
}

async fn was_announced(w: &mut ManagerWorld, a: &Arguments) -> Done {
    awaited(w, a.text(1), a.number(0)).await
}

/// Completes a turn of a session made for this, and sees it announced over the same channel: whatever was announced
/// before it has arrived by then.
async fn barrier(w: &mut ManagerWorld) -> Done {
    offered(w)?;
    let label = format!("sentinel-{}", w.state.all.len());
    act_start::sentinel(w, &label).await?;
    w.release(&label, None, TurnStatus::Completed).await?;
    let (id, limit) = (w.id(&label)?, w.limits.announce);
    if !arrives(w, &id, 1, limit).await {
        settle(w).await;
    }
    Ok(())
}

async fn exactly_once(w: &mut ManagerWorld, label: &str, turn: u64) -> Done {
    let id = w.id(label)?;
    let count = w.log.read(|records| announced(records, &id, turn));
    if count <= 1 {
        return Ok(());
    }
    w.wrong(
        Some(label),
        format!("turn {turn} of session \"{label}\" was announced {count} times"),
        format!("{count} × `turn_completed`"),
        "it was completed once".into(),
    )
}

async fn once(w: &mut ManagerWorld, a: &Arguments) -> Done {
    awaited(w, a.text(1), a.number(0)).await?;
    barrier(w).await?;
    exactly_once(w, a.text(1), a.number(0)).await
}

async fn every_once(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let labels = w.labels();
    for label in &labels {
        awaited(w, label, a.number(0)).await?;
    }
    barrier(w).await?;
    for label in &labels {
        exactly_once(w, label, a.number(0)).await?;
    }
    Ok(())
}

async fn nothing(w: &mut ManagerWorld, a: &Arguments) -> Done {
    barrier(w).await?;
    let id = w.id(a.text(0))?;
    let count = w.log.read(|records| announced(records, &id, 1));
    w.expect(
        count == 0,
        a.text(0),
        &format!("a turn of session \"{}\" was announced that is not complete", a.text(0)),
        "`turn_completed`",
        "its first turn is open",
    )
}

async fn none_completed(w: &mut ManagerWorld, a: &Arguments) -> Done {
    barrier(w).await?;
    let id = w.id(a.text(0))?;
    let is_it = |record: &Record| matches!(&record.entry, Entry::Event(Announcement::TurnCompleted { session_id, status: None | Some(TurnStatus::Completed), .. }) if *session_id == id);
    let is_announced = w.log.read(|records| records.iter().any(is_it));
    let message = format!("a turn of session \"{}\" was announced as completed that is not complete", a.text(0));
    w.expect(!is_announced, a.text(0), &message, "`turn_completed`", "the harness has not released its first turn")
}

async fn announced_or_over(w: &mut ManagerWorld, a: &Arguments) -> Done {
    offered(w)?;
    let (turn, label) = (a.number(0), a.text(1));
    let (id, limit) = (w.id(label)?, w.limits.announce);
    if arrives(w, &id, turn, limit).await {
        return Ok(());
    }
    match not_alive_within(w, label, Duration::ZERO).await? {
        None => Ok(()),
        Some(claimed) => w.wrong(
            Some(label),
            format!("turn {turn} of session \"{label}\" was lost in the restart"),
            and_unread(claimed, w.driver.unread()),
            "its agent completed the turn".into(),
        ),
    }
}

async fn failure(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let (label, id) = (a.text(0), w.id(a.text(0))?);
    let told = |records: &[Record]| {
        records
            .iter()
            .any(|record| match &record.entry {
                Entry::Event(Announcement::TurnCompleted { session_id, .. } | Announcement::SessionEnded { session_id, .. }) => {
                    *session_id == id
                }
                _ => false,
            })
            .then_some(())
    };
    let limit = w.limits.announce;
    if offered(w).is_ok() && timeout(limit, w.log.wait_for(told)).await.is_ok() {
        return Ok(());
    }
    match not_alive_within(w, label, limit).await? {
        None => Ok(()),
        Some(claimed) => {
            let message = format!("the first turn of session \"{label}\" failed, and nobody says so");
            w.wrong(Some(label), message, and_unread(claimed, w.driver.unread()), "its agent died or gave up in that turn".into())
        }
    }
}

async fn learned(w: &mut ManagerWorld, a: &Arguments) -> Done {
    if offered(w).is_ok() {
        return awaited(w, a.text(0), 1).await;
    }
    check_data::shows_reply(w, a.text(0), 1).await
}

fn end_said(records: &[Record], id: &SessionId) -> bool {
    records.iter().any(|record| matches!(&record.entry, Entry::Event(Announcement::SessionEnded { session_id, .. }) if session_id == id))
}

async fn end_announced(w: &mut ManagerWorld, a: &Arguments) -> Done {
    if offered(w).is_err() {
        return Ok(());
    }
    let (id, limit) = (w.id(a.text(0))?, w.limits.announce);
    let told = |id: SessionId| w.log.wait_for(move |records| end_said(records, &id).then_some(()));
    if timeout(limit, told(id)).await.is_ok() {
        return Ok(());
    }
    // `session_ended` may be left out altogether: it is, where the end of a session that is ended now is not announced either.
    let label = format!("sentinel-{}", w.state.all.len());
    act_start::sentinel(w, &label).await?;
    let sentinel = w.id(&label)?;
    w.ask("end_session", crate::contract::Args::from_iter([("session_id".to_owned(), sentinel.as_str().into())])).await?;
    w.session_mut(&label)?.ended = true;
    let ends_are_announced = timeout(limit, w.log.wait_for(|records| end_said(records, &sentinel).then_some(()))).await.is_ok();
    w.expect(
        !ends_are_announced,
        a.text(0),
        &format!("the end of session \"{}\" was not announced", a.text(0)),
        "no `session_ended`",
        "it was to time out; other ends are announced",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    use crate::core::clock::Clock;
    use crate::trace::Log;

    #[rstest]
    #[case::nothing(&[], 1, None, "no `turn_completed`")]
    #[case::another_sessions(&[("b", Some(0))], 1, None, "no `turn_completed`")]
    #[case::the_turns_before_it(&[("a", Some(1)), ("a", Some(2))], 3, None, "no `turn_completed`")]
    #[case::one_without_a_number(&[("a", None)], 2, None, "no `turn_completed`")]
    #[case::counted_from_0(&[("a", Some(0))], 1, None, "announced for it: turn 0; turns count from 1")]
    #[case::counted_from_0_twice(&[("a", Some(0)), ("a", Some(1))], 2, None, "announced for it: turns 0, 1; turns count from 1")]
    #[case::counted_over_all_sessions(&[("b", Some(1)), ("a", Some(2))], 1, None, "announced for it: turn 2; turns count from 1")]
    #[case::one_that_could_not_be_read(&[], 1, Some("1 announcement could not be read: why"), "no `turn_completed`; 1 announcement could not be read: why")]
    fn what_was_announced_instead_is_told(
        #[case] said: &[(&str, Option<u64>)],
        #[case] turn: u64,
        #[case] unread: Option<&str>,
        #[case] claimed: &str,
    ) {
        let log = Log::new(Clock::start_virtual());
        for (session, turn) in said {
            log.push(Entry::Event(Announcement::TurnCompleted { session_id: (*session).into(), turn: *turn, status: None }));
        }
        assert_eq!(instead(&log.records(), &"a".into(), turn, unread.map(str::to_owned)), claimed);
    }
}
