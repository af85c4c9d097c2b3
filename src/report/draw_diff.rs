//! A comparison of two runs, for people and for programs.

use super::{json, markdown, view};
use crate::core::sanitise::sanitise;
use crate::results::model::Verdict;
use crate::results::{ChangeKind, Diff, Of, VerdictChange};

/// Plain text: a block for each kind of change, a line for each change, with why below it.
pub(crate) fn plain(diff: &Diff) -> String {
    let change = |change: &VerdictChange| {
        let of = if change.of == Of::Requirement { "requirement" } else { "scenario" };
        let line = format!("  {of:<11}  {}  {}\n", sanitised(&change.id), verdicts(change));
        let why = change.why.as_deref().filter(|_| change.kind != ChangeKind::Fixed);
        line + &why.map_or(String::new(), |why| format!("               {}\n", sanitised(why)))
    };
    drawn(diff, &sanitised, "", |kind, count| format!("\n{} ({count})\n", kind.words()), change)
}

/// A Markdown page, such as for a comment on a change.
pub(crate) fn markdown(diff: &Diff) -> String {
    let text = |said: &str| markdown::text(&sanitise(said));
    let change = |change: &VerdictChange| {
        let why = change.why.as_deref().filter(|_| change.kind != ChangeKind::Fixed);
        let why = why.map_or(String::new(), |why| format!(": {}", text(why)));
        format!("- {} ({}){why}\n", text(&change.id), verdicts(change))
    };
    drawn(diff, &text, "# ", |kind, count| format!("\n## {} ({count})\n\n", kind.words()), change)
}

/// JSON, as its schema says.
pub(crate) fn json(diff: &Diff) -> String {
    json::text(diff)
}

fn drawn(
    diff: &Diff,
    text: &dyn Fn(&str) -> String,
    title: &str,
    heading: impl Fn(ChangeKind, usize) -> String,
    line: impl Fn(&VerdictChange) -> String,
) -> String {
    let mut page = format!("{title}{} → {}\n", text(&diff.old), text(&diff.new));
    for kind in ChangeKind::ALL {
        let of_kind: Vec<&VerdictChange> = diff.changes.iter().filter(|change| change.kind == kind).collect();
        if !of_kind.is_empty() {
            page += &heading(kind, of_kind.len());
            page.extend(of_kind.into_iter().map(&line));
        }
    }
    if diff.changes.is_empty() {
        page += "\nno verdict differs\n";
    }
    page
}

fn sanitised(text: &str) -> String {
    view::one_line(&sanitise(text))
}

fn verdicts(change: &VerdictChange) -> String {
    let [old, new] = [change.old, change.new].map(|verdict| verdict.map_or("not there", Verdict::words));
    format!("{old} → {new}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{diff, example};

    fn example() -> Diff {
        let old = example::report();
        let mut new = old.clone();
        new.started_at = "2026-01-02T00:00:00Z".into();
        new.scenarios[0].verdict = Verdict::Failed;
        new.scenarios[0].findings = vec![example::finding("LC-CLEAN-1")];
        new.scenarios[1].verdict = Verdict::Passed;
        new.scenarios.retain(|scenario| !scenario.key.contains("tells"));
        new.requirements[1].verdict = Verdict::Failed;
        new.requirements[1].reason = Some("the manifest maps no `end_session`".into());
        diff(&old, &new)
    }

    #[test]
    fn what_broke_comes_first() {
        insta::assert_snapshot!("diff_plain", plain(&example()));
        insta::assert_snapshot!("diff_markdown", markdown(&example()));
        insta::assert_snapshot!("diff_json", json(&example()));
    }

    #[test]
    fn a_run_does_not_differ_from_itself() {
        let report = example::report();
        assert!(plain(&diff(&report, &report)).ends_with("\nno verdict differs\n"));
    }

    #[test]
    fn hostile_texts_stay_on_their_lines() {
        let old = example::hostile();
        let mut new = old.clone();
        new.scenarios.iter_mut().for_each(|scenario| scenario.verdict = Verdict::Failed);
        let diff = diff(&old, &new);
        assert_eq!(plain(&diff).lines().filter(|line| line.starts_with("  scenario")).count(), diff.changes.len());
        assert!(markdown(&diff).lines().all(|line| line.is_empty() || line.starts_with('-') || line.starts_with('#')));
    }
}
