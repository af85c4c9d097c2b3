//! Messages: what agents were given is what was sent, once, in order, to that session alone.

use super::Contradiction;
use crate::trace::history::{History, Message, Moment, SessionHistory, same_prompt};
use crate::trace::settings::Settings;

/// LC-CREATE-3: the first prompt is the start's message, unaltered, once. LC-SEND-1: later prompts are the messages
/// sent later, once and in order. LC-CREATE-3c: no message of more than 4,000 characters is cut. LC-CREATE-7: no agent's first
/// prompt is another session's.
///
/// A message that has not arrived yet is not found here, only one that a later message overtook.
pub(crate) fn delivered(history: &History, _: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for session in history.sessions().filter(|session| !session.runs.is_empty()) {
        let shared = session.runs.iter().any(|&run| history.served_by(run).count() > 1);
        if !shared {
            judge(history, session, &mut found);
        }
    }
    found
}

/// A message, and the moments at which the session's agent was given it.
struct Delivery<'a> {
    message: Message<'a>,
    given: Vec<Moment>,
}

fn judge(history: &History, session: &SessionHistory, found: &mut Vec<Contradiction>) {
    let mut sent: Vec<Delivery> = session.messages.iter().map(|message| Delivery { message: *message, given: Vec::new() }).collect();
    let prompts = prompts(history, session);
    for (nth, &(at, prompt)) in prompts.iter().enumerate() {
        let fits = |sent: &Delivery| sent.message.asked < at && same_prompt(sent.message.text, prompt);
        // The first of its kind that was not given yet; else the last, given once more.
        let next = sent.iter().position(|sent| fits(sent) && sent.given.is_empty()).or_else(|| sent.iter().rposition(fits));
        let Some(next) = next else {
            found.push(stranger(history, session, &sent, &prompts[nth..], nth == 0));
            continue;
        };
        if !sent[next].given.is_empty() {
            let times = sent[next].given.len() + 1;
            let wrong = of_message(session, &sent[next].message, None, format!("was given a message {times} times"));
            found.push(wrong.claims("sent once").truly(quoted(prompt)).shown_by(sent[next].given.iter().copied().chain([at])));
        } else if let Some(passed) = sent[..next].iter().find(|earlier| overtaken(earlier, &sent[next].message)) {
            let wrong = of_message(session, &passed.message, None, "was not given a message before a later one".into());
            let truth = format!("given first: {}", quoted(prompt));
            found.push(wrong.claims(format!("taken: {}", quoted(passed.message.text))).truly(truth).shown_by([passed.message.asked, at]));
        }
        sent[next].given.push(at);
    }
}

/// What a session's agent was given, in order. An empty prompt is a bare return, no message.
fn prompts<'a>(history: &History<'a>, session: &SessionHistory<'a>) -> Vec<(Moment, &'a str)> {
    let turns = history.turns_of(session);
    let mut prompts: Vec<_> =
        turns.iter().filter_map(|turn| turn.accepted.zip(turn.text)).filter(|(_, text)| !same_prompt(text, "")).collect();
    prompts.sort_by_key(|(at, _)| *at);
    prompts
}

/// Whether a message was taken before the other was asked for, and not given yet.
fn overtaken(earlier: &Delivery, by: &Message) -> bool {
    earlier.given.is_empty() && earlier.message.taken.is_some_and(|taken| taken < by.asked)
}

/// A prompt, the first of these, that is no message of the session: another's, or one of its own, altered.
fn stranger(history: &History, session: &SessionHistory, sent: &[Delivery], prompts: &[(Moment, &str)], first: bool) -> Contradiction {
    let (at, prompt) = prompts[0];
    let theirs =
        |other: &&SessionHistory| other.id != session.id && other.messages.iter().any(|m| m.asked < at && same_prompt(m.text, prompt));
    if let Some(other) = history.sessions().find(theirs) {
        let requirement = if first { "LC-CREATE-7" } else { "LC-SEND-1" };
        let message = format!("the agent of session `{}` was given a message of session `{}`", session.id, other.id);
        return Contradiction::of(requirement, Some(session), message).claims("sent to the other").truly(quoted(prompt)).shown_by([at]);
    }
    let mut pending = sent.iter().filter(|sent| sent.message.asked < at);
    let meant = pending.clone().find(|sent| sent.given.is_empty()).or(pending.next_back());
    match meant {
        // What comes in pieces is not cut.
        Some(meant) => of_message(
            session,
            &meant.message,
            Some(prompt).filter(|_| prompts.len() == 1),
            "was given something else than what was sent".into(),
        )
        .claims(format!("sent: {}", quoted(meant.message.text)))
        .truly(format!("given: {}", quoted(prompt)))
        .shown_by([meant.message.asked, at]),
        None => {
            let requirement = if first { "LC-CREATE-3" } else { "LC-SEND-1" };
            let message = format!("the agent of session `{}` was given a prompt that nobody sent", session.id);
            Contradiction::of(requirement, Some(session), message).claims("nothing was sent").truly(quoted(prompt)).shown_by([at])
        }
    }
}

/// What is broken where a message is cut and nobody says so.
pub(crate) const CUT_IN_SILENCE: &str = "LC-CREATE-3c";

/// The length up to which a message that does not arrive whole is altered like any other, in characters.
const SHORT: usize = 4_000;

/// Whether a prompt is the beginning of a long message and not all of it.
pub(crate) fn is_cut(message: &str, prompt: &str) -> bool {
    let prompt = prompt.trim_end_matches('\n');
    prompt.len() < message.trim_end_matches('\n').len() && message.starts_with(prompt) && message.chars().count() > SHORT
}

fn of_message(session: &SessionHistory, message: &Message, prompt: Option<&str>, wrong: String) -> Contradiction {
    let requirement = match message.first {
        _ if prompt.is_some_and(|prompt| is_cut(message.text, prompt)) => CUT_IN_SILENCE,
        true => "LC-CREATE-3",
        false => "LC-SEND-1",
    };
    Contradiction::of(requirement, Some(session), format!("the agent of session `{}` {wrong}", session.id))
}

/// A prompt in quotes, its control characters escaped, cut after 80 characters.
fn quoted(prompt: &str) -> String {
    match prompt.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}… ({} characters)", &prompt[..end], prompt.chars().count()),
        None => format!("{prompt:?}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::trace::scene::found;

    #[rstest]
    #[case::first_of_4000_cut("start_session cwd=/w/x", "session_id=s1", 4_000, "xx", "LC-CREATE-3")]
    #[case::first_of_4001_cut("start_session cwd=/w/x", "session_id=s1", 4_001, "xx", "LC-CREATE-3c")]
    #[case::first_of_4001_altered("start_session cwd=/w/x", "session_id=s1", 4_001, "y", "LC-CREATE-3")]
    #[case::later_of_4000_cut("send_message s1", "ok", 4_000, "xx", "LC-SEND-1")]
    #[case::later_of_4001_cut("send_message s1", "ok", 4_001, "xx", "LC-CREATE-3c")]
    #[case::later_of_4001_altered("send_message s1", "ok", 4_001, "y", "LC-SEND-1")]
    fn a_message_that_is_altered(
        #[case] call: &str,
        #[case] answer: &str,
        #[case] length: usize,
        #[case] prompt: &str,
        #[case] expected: &str,
    ) {
        let begin = if call.starts_with("send") { "0 > start_session cwd=/w/x; 1 < session_id=s1;" } else { "" };
        let message = "x".repeat(length);
        let trace = format!(
            "{begin} 10 > {call} message={message}; 11 < {answer}; 12 * agent_started r1 cwd=/w/x; 13 * prompt_accepted r1 turn=1 text={prompt}"
        );
        assert_eq!(found(delivered, &trace), [expected]);
    }

    /// Where two sessions that share a process were sent the same, nobody knows which of them a prompt was meant for.
    #[rstest]
    #[case::of_one_session("", &["LC-CREATE-3"])]
    #[case::of_two_that_were_sent_it("20 > start_session cwd=/w/s2 message=go; 21 < session_id=s2; 22 bound s2 s1;", &[])]
    fn a_prompt_that_comes_twice_to_the_process(#[case] sharing: &str, #[case] expected: &[&str]) {
        assert_eq!(found(delivered, &format!("0 start s1 codex; {sharing} 40 * prompt_accepted s1 turn=2 text=go")), expected);
    }
}
