//! The records of a trace that concern some sessions.

use std::collections::{BTreeSet, HashMap};
use std::io;

use super::source::SourceLines;
use super::{Entry, Record, RecordView, What};

/// A call whose answer tells whether it matters.
struct OpenCall {
    index: usize,
    record: Record,
}

/// The records that concern `sessions`, with their line numbers: calls about them and their answers, starts that gave
/// them, lists while they are open, announcements, what was true of their agents; workers, outcomes and remarks. What
/// cannot be read is passed over.
///
/// # Errors
/// Where the input cannot be read.
pub fn select(lines: &mut SourceLines, sessions: &BTreeSet<String>) -> io::Result<Vec<(usize, Record)>> {
    let mut chosen: Vec<(usize, Record)> = Vec::new();
    // By the request's id: one of ours waits for its answer, or a start or a list for which the answer will tell.
    let mut ours: BTreeSet<u64> = BTreeSet::new();
    let mut undecided: HashMap<u64, OpenCall> = HashMap::new();
    let mut alive: BTreeSet<String> = BTreeSet::new();
    let mut runs: BTreeSet<String> = BTreeSet::new();
    let mut truth: Vec<(usize, Record, String)> = Vec::new();
    let is_wanted = |session: Option<&str>| session.is_some_and(|session| sessions.contains(session));
    while let Some(line) = lines.next_line()? {
        let Some(bytes) = line.bytes else { continue };
        let (Ok(view), index) = (RecordView::of_line(bytes), line.number) else { continue };
        let record = || serde_json::from_slice::<Record>(bytes).ok();
        let wanted = match &view.what {
            What::Asked { id, op, args } if is_wanted(args.session.get()) => {
                ours.insert(*id);
                if op == "end_session" {
                    alive.remove(args.session.get().unwrap_or_default());
                }
                true
            }
            What::Asked { id, op, .. } if op == "start_session" => {
                undecided.extend(record().map(|record| (*id, OpenCall { index, record })));
                false
            }
            What::Asked { id, op, .. } if op == "list_sessions" && chosen.last().is_some() => {
                // A list shortly after an end confirms it: who ended last may be looked for once more.
                ours.insert(*id);
                !alive.is_empty() || ends_with_an_end(&chosen)
            }
            What::Answered { id, said } => match undecided.remove(id) {
                Some(open) => {
                    let given = said.as_ref().and_then(|said| said.as_ref().ok()).and_then(|answered| answered.session.get());
                    if is_wanted(given) {
                        alive.extend(given.map(str::to_owned));
                        chosen.push((open.index, open.record));
                    }
                    is_wanted(given)
                }
                None => ours.remove(id) && chosen.iter().rev().take(64).any(|(_, asked)| is_request(asked, *id)),
            },
            What::Told { session, .. } => is_wanted(Some(session)),
            What::Bound { session, run } if is_wanted(Some(session)) => {
                runs.insert(run.clone().into_owned());
                true
            }
            What::Truth { run, .. } => {
                truth.extend(record().map(|record| (index, record, run.clone().into_owned())));
                false
            }
            What::Worker(_) | What::Outcome(_) | What::Exited { .. } | What::Restarted => true,
            _ => false,
        };
        if wanted {
            chosen.extend(record().map(|record| (index, record)));
        }
    }
    chosen.extend(truth.into_iter().filter(|(_, _, run)| runs.contains(run)).map(|(index, record, _)| (index, record)));
    chosen.sort_by_key(|(index, _)| *index);
    Ok(chosen)
}

fn is_request(record: &Record, wanted: u64) -> bool {
    matches!(record.entry, Entry::Request { id, .. } if id == wanted)
}

/// Whether an end was asked for or answered among the last few records chosen.
fn ends_with_an_end(chosen: &[(usize, Record)]) -> bool {
    let is_end = |(_, record): &(usize, Record)| matches!(&record.entry, Entry::Request { op, .. } if op == "end_session");
    chosen.iter().rev().take(3).any(is_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_concerns_a_session_is_chosen() {
        let text = include_str!("../../fixtures/traces/orchestrator/or-5.pass.jsonl");
        let mut lines = SourceLines::read(io::Cursor::new(text)).unwrap();
        let chosen = select(&mut lines, &BTreeSet::from(["s2".to_owned()])).unwrap();
        let all: Vec<&str> = text.lines().collect();
        let about_the_other = |line: &&str| line.contains(r#""session_id":"s1""#) || line.contains(r#""cwd":"/w/0","message""#);
        assert!(chosen.iter().all(|(line, _)| !about_the_other(&all[line - 1])));
        let about_it = all.iter().zip(1..).filter(|(line, _)| line.contains(r#""session_id":"s2""#)).map(|(_, number)| number);
        let chosen: Vec<usize> = chosen.into_iter().map(|(line, _)| line).collect();
        assert!(about_it.into_iter().all(|line| chosen.contains(&line)), "{chosen:?}");
        assert!(chosen.is_sorted());
    }
}
