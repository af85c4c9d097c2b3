//! Checks of transcripts.

use std::collections::BTreeSet;

use crate::contract::TEXT_LIMIT;

use super::act_call::of;
use super::sessions::{ManagerWorld, is_cut, is_unusual};
use crate::engine::steps::{is_data, kind};
use crate::engine::vocabulary::{Arguments, Done, StepDef, step};
use crate::engine::world::Stop;

pub(crate) const STEPS: &[StepDef<ManagerWorld>] = &[
    step!(
        Check,
        "the data of {string} shows its first message {int} times",
        "within the observe limit; raw lines may show each more than once",
        shows_first
    ),
    step!(Check, "the data of {string} has come to turn {int}", "wait (observe limit) until a read shows that turn's reply", come_to),
    step!(
        Check,
        "the data of {string} has its turns in order and nobody else's",
        "every prompt and reply marker appears, in order, and no other session's",
        in_order
    ),
    step!(
        Check,
        "the screen of {string} shows what it was given, and nobody else's",
        "capture it until it shows the first prompt's marker (observe limit); no other session's",
        on_screen
    ),
    step!(Check, "the text is at most {int} characters", "the last answer's `text`, in Unicode scalar values", at_most),
    step!(
        Check,
        "the text is marked as cut and ends with the end of the transcript",
        "`truncated` is true and the text ends with the last word of the last reply, whatever its rendering puts behind it",
        cut
    ),
    step!(
        Check,
        "the last {int} to {int} characters of {string} are whole, and end with the end of the transcript",
        "the same of each length asked for in turn; no character is there that the agent never wrote",
        whole_tails
    ),
    step!(
        Check,
        "the text has at least nine tenths of what was asked for",
        "where the last answer's `text` was cut: nine tenths of its `tail_chars`, or of 48,000 characters",
        nine_tenths
    ),
    step!(Check, "the text is not marked as cut", "`truncated` is absent or false", not_cut),
];

/// What may follow a reply in a raw line, in characters: ids, a time, a folder.
const TRAILER: usize = 1_000;

/// What stands for bytes that are no character.
const REPLACED: char = '\u{fffd}';

/// The text of the last answer.
fn text(w: &ManagerWorld) -> Result<String, Stop> {
    let answer = w.last()?;
    Ok(answer.result.as_ref().ok().and_then(|result| result.get("text")).and_then(|text| text.as_str()).unwrap_or_default().to_owned())
}

async fn come_to(w: &mut ManagerWorld, a: &Arguments) -> Done {
    shows_reply(w, a.text(0), a.number(1)).await
}

/// Waits until a read shows the reply of a turn.
pub(crate) async fn shows_reply(w: &mut ManagerWorld, label: &str, turn: u64) -> Done {
    let (mut stop, mut claimed) = (None, String::new());
    // A long reply may be cut at its start: it is known by its end.
    let known_by = |reply: &String| reply.split_whitespace().next_back().filter(|word| word.starts_with("end-")).map(str::to_owned);
    let reply = w.session(label)?.replies.get(turn as usize - 1);
    let marker = reply.map(|reply| known_by(reply).unwrap_or_else(|| format!("answer-{label}-{turn}.")));
    let Some(marker) = marker else {
        return Err(Stop::CouldNotTest(format!("turn {turn} of session \"{label}\" was not completed in this scenario")));
    };
    let limit = w.limits.observe;
    let wrong = w
        .within(limit, async |w| match w.read(label, None).await {
            Err(stopped) => {
                stop = Some(stopped);
                None
            }
            Ok(answer) => {
                claimed = answer.claim();
                let there = is_data(&answer) && text(w).is_ok_and(|text| text.contains(&marker));
                (!there).then(|| format!("reading session \"{label}\" gives `{}` without the reply of turn {turn}", kind(&answer)))
            }
        })
        .await;
    match (stop, wrong) {
        (Some(stopped), _) => Err(stopped),
        (None, None) => Ok(()),
        (None, Some(wrong)) => {
            let truth = format!("its agent completed turn {turn}; limit {} ms", limit.as_millis());
            w.wrong(Some(label), wrong, claimed, truth)
        }
    }
}

async fn in_order(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let label = a.text(0);
    let answer = w.read(label, None).await?;
    let text = text(w)?;
    let session = w.session(label)?.clone();
    let mut from = 0;
    for (at, _) in session.replies.iter().enumerate() {
        for marker in [format!("ask-{label}-{}.", at + 1), format!("answer-{label}-{}.", at + 1)] {
            match text[from..].find(&marker) {
                Some(place) => from += place + marker.len(),
                None => {
                    let message =
                        format!("the data of session \"{label}\" lacks `{marker}` after character {}", text[..from].chars().count());
                    return w.wrong(
                        Some(label),
                        message,
                        answer.claim(),
                        "the agent took that prompt and gave that reply, in order".into(),
                    );
                }
            }
        }
    }
    let foreign = foreign(w, label, &text);
    let message = format!("the data of session \"{label}\" has another session's text: {}", foreign.join(", "));
    w.expect(foreign.is_empty(), label, &message, &answer.claim(), "those words were given to, or came from, another agent")
}

/// Which words of other sessions are in a text.
fn foreign(w: &ManagerWorld, label: &str, text: &str) -> Vec<String> {
    let others = w.state.all.iter().filter(|other| other.label != label);
    let markers = others.flat_map(|other| {
        (1..=other.messages.len()).flat_map(|n| [format!("ask-{}-{n}.", other.label), format!("answer-{}-{n}.", other.label)])
    });
    markers.filter(|marker| text.contains(marker.as_str())).collect()
}

async fn on_screen(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let (label, limit) = (a.text(0), w.limits.observe);
    let (args, marker) = (of(w.id(label)?.as_str()), format!("ask-{label}-1."));
    let (mut stop, mut claimed) = (None, String::new());
    let wrong = w
        .within(limit, async |w| {
            let answer = match w.ask("capture_screen", args.clone()).await {
                Err(stopped) => {
                    stop = Some(stopped);
                    return None;
                }
                Ok(answer) => answer,
            };
            claimed = answer.claim();
            let shown = text(w).unwrap_or_default();
            let foreign = foreign(w, label, &shown);
            if !foreign.is_empty() {
                return Some(format!("the screen of session \"{label}\" shows another session's text: {}", foreign.join(", ")));
            }
            (!shown.contains(&marker)).then(|| format!("the screen of session \"{label}\" does not show what it was given"))
        })
        .await;
    match (stop, wrong) {
        (Some(stopped), _) => Err(stopped),
        (None, None) => Ok(()),
        (None, Some(wrong)) => {
            let truth = format!("its agent has drawn `{marker}`; limit {} ms", limit.as_millis());
            w.wrong(Some(label), wrong, claimed, truth)
        }
    }
}

async fn at_most(w: &mut ManagerWorld, a: &Arguments) -> Done {
    no_longer_than(w, a.number(0)).await
}

async fn no_longer_than(w: &mut ManagerWorld, most: usize) -> Done {
    let count = text(w)?.chars().count();
    let claimed = w.last()?.claim();
    if count <= most {
        return Ok(());
    }
    w.wrong(None, format!("the text has {count} characters"), claimed, format!("at most {most} were asked for; the limit is {TEXT_LIMIT}"))
}

async fn whole_tails(w: &mut ManagerWorld, a: &Arguments) -> Done {
    for tail in a.number::<i64>(0)..=a.number::<i64>(1) {
        w.read(a.text(2), Some(tail)).await?;
        let before = w.found().len();
        no_longer_than(w, tail as usize).await?;
        cut_whole(w).await?;
        if w.found().len() > before {
            break;
        }
    }
    Ok(())
}

async fn nine_tenths(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let answer = w.last()?.clone();
    if !answer.result.as_ref().is_ok_and(is_cut) {
        return Ok(());
    }
    let wanted = answer.args.get("tail_chars").and_then(|tail| usize::try_from(tail.as_i64()?).ok()).filter(|tail| *tail > 0);
    let (wanted, count) = (wanted.unwrap_or(TEXT_LIMIT).min(TEXT_LIMIT), text(w)?.chars().count());
    if count * 10 >= wanted * 9 {
        return Ok(());
    }
    w.wrong(
        None,
        format!("of {wanted} characters {count} were answered"),
        answer.claim(),
        "the transcript has more than was asked for".into(),
    )
}

async fn cut(w: &mut ManagerWorld, _: &Arguments) -> Done {
    cut_whole(w).await
}

async fn cut_whole(w: &mut ManagerWorld) -> Done {
    let asked = w.last()?.clone();
    let session =
        w.state.all.iter().find(|s| s.id.as_ref().is_some_and(|id| asked.args.get("session_id").is_some_and(|it| *it == *id.as_str())));
    let Some(reply) = session.and_then(|session| session.replies.last()).cloned() else {
        return Err(Stop::CouldNotTest("the session that was read has no reply".into()));
    };
    // The reply may be on its way still: the same question is asked again until the observe limit.
    let deadline = tokio::time::Instant::now() + w.limits.observe;
    let mut answer = asked.clone();
    while wrong_cut(&answer, &reply, w.state.rendering.as_ref()).is_some() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        answer = w.ask("get_session_data", asked.args.clone()).await?;
    }
    match wrong_cut(&answer, &reply, w.state.rendering.as_ref()) {
        None => Ok(()),
        Some(message) => {
            let truth = format!("the reply has {} characters and ends with {:?}", reply.chars().count(), tail(&reply, 40));
            w.wrong(None, message, answer.claim(), truth)
        }
    }
}

/// What is wrong with a text that must be the cut end of a transcript. Rendering is free, and raw lines may escape what is
/// not ASCII: the reply is known by its last word.
fn wrong_cut(answer: &crate::sut::recorder::Answered, reply: &str, rendering: Option<&BTreeSet<char>>) -> Option<String> {
    let result = answer.result.as_ref().ok();
    let shown = result.and_then(|result| result.get("text")).and_then(|text| text.as_str()).unwrap_or_default();
    if shown.contains(REPLACED) && !reply.contains(REPLACED) {
        return Some("the text holds a character that was torn".into());
    }
    if let Some(left) = never_written(shown, reply, rendering) {
        return Some(format!(
            "beside its characters the text holds {left:?}, which the agent never wrote: what is left of one that was torn"
        ));
    }
    let last = reply.split_whitespace().next_back().unwrap_or_default();
    if shown.rfind(last).is_none_or(|at| shown[at + last.len()..].chars().count() > TRAILER) {
        return Some("the text does not end with the end of the transcript".into());
    }
    (!result.is_some_and(is_cut)).then(|| "a transcript longer than what was asked for is not marked as cut".into())
}

/// An unusual character right beside one of the agent's, which neither the agent wrote nor the manager's rendering has. Nothing is
/// said while no text was seen whole: how it renders is not known then. (`…` may stand for what was left out.)
fn never_written(shown: &str, reply: &str, rendering: Option<&BTreeSet<char>>) -> Option<char> {
    let rendering = rendering?;
    let own: BTreeSet<char> = reply.chars().filter(|c| is_unusual(*c)).collect();
    let is_strange = |c: char| is_unusual(c) && c != '…' && !own.contains(&c) && !rendering.contains(&c);
    let beside = shown.chars().zip(shown.chars().skip(1));
    beside.into_iter().find_map(|(one, other)| match (is_strange(one), is_strange(other)) {
        (true, _) if own.contains(&other) => Some(one),
        (_, true) if own.contains(&one) => Some(other),
        _ => None,
    })
}

/// The last `count` characters.
fn tail(text: &str, count: usize) -> String {
    let skip = text.chars().count().saturating_sub(count);
    text.chars().skip(skip).collect()
}

async fn shows_first(w: &mut ManagerWorld, a: &Arguments) -> Done {
    let (label, wanted, limit) = (a.text(0), a.number::<usize>(1), w.limits.observe);
    let marker = format!("ask-{label}-1.");
    let mut last = Err(Stop::CouldNotTest("nothing was read".into()));
    let wrong = w
        .within(limit, async |w| {
            last = w.read(label, None).await;
            let shown = last.as_ref().ok().and_then(|answer| answer.result.as_ref().ok()?.get("text")?.as_str());
            let count = shown.map_or(0, |text| text.matches(&marker).count());
            (count < wanted).then(|| format!("the data of session \"{label}\" shows its first message {count} times"))
        })
        .await;
    let claimed = last?.claim();
    match wrong {
        None => Ok(()),
        Some(wrong) => w.wrong(Some(label), wrong, claimed, format!("its agent took it {wanted} times")),
    }
}

async fn not_cut(w: &mut ManagerWorld, _: &Arguments) -> Done {
    let answer = w.last()?.clone();
    if !answer.result.as_ref().is_ok_and(is_cut) {
        return Ok(());
    }
    w.wrong(None, "a transcript below the limit is marked as cut".into(), answer.claim(), "the transcript is shorter than the limit".into())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing_strange("字漢 end", "|", None)]
    #[case::the_mark_of_a_torn_one("?漢字", "|", Some('?'))]
    #[case::the_bytes_of_a_torn_one("\u{bc}\u{a2}漢字", "|", Some('\u{a2}'))]
    #[case::in_the_middle("漢?字", "|", Some('?'))]
    #[case::a_frame_that_every_text_has("│漢字", "│", None)]
    #[case::a_notice("… 3 lines left out?\n漢字", "|", None)]
    #[case::what_was_left_out("…漢字", "|", None)]
    fn what_no_agent_wrote_is_found_beside_its_own(#[case] shown: &str, #[case] rendering: &str, #[case] found: Option<char>) {
        let rendering = rendering.chars().collect();
        assert_eq!(never_written(shown, "漢字 end", Some(&rendering)), found);
        assert_eq!(never_written(shown, "漢字 end", None), None, "how it renders is not known");
    }
}
