use jiff::Timestamp;

use super::rules::slug;
use super::yaml::quoted;

/// What a new session file is made of.
#[derive(Debug, Clone, Default)]
pub struct NewFile {
    /// What it is called, for people.
    pub title: String,
    /// What is being done.
    pub current_task: String,
    /// Words for the file's name; from the title where there are none.
    pub description: Option<String>,
    /// Background for whoever takes over.
    pub context: Option<String>,
    /// The issue's id.
    pub linear_issue: Option<String>,
    /// Its address.
    pub linear_url: Option<String>,
}

/// The name and the text of a new file: it keeps every rule, whatever the arguments hold.
pub fn fresh(new: &NewFile, now: Timestamp) -> (String, String) {
    let words = new.description.as_deref().unwrap_or(&new.title);
    let own = new.linear_issue.as_deref().unwrap_or_default();
    let name = format!("{}-{}.md", now.strftime("%Y%m%d-%H%M%S"), without_id(&slug(words), own));
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ");
    let mut text = format!(
        "---\nsession:\n  title: {}\n  status: in_progress\n  created: \"{time}\"\n  last_updated: \"{time}\"\n",
        quoted(&new.title)
    );
    for (key, value) in [("linear_issue", &new.linear_issue), ("linear_url", &new.linear_url)] {
        if let Some(value) = value {
            text += &format!("  {key}: {}\n", quoted(value));
        }
    }
    text += &format!(
        "\norchestration:\n  current_task: {}\n---\n\n# Session: {}\n",
        quoted(&new.current_task),
        super::contained::inline(&new.title)
    );
    let context = new.context.clone().unwrap_or_else(|| format!("Begun for: {}", super::contained::inline(&new.current_task)));
    for (title, body) in [
        ("Context", super::contained::contained(&context, 2)),
        ("Current State", "Nothing is done yet.".to_owned()),
        ("Next Steps", format!("- Work on: {}", super::contained::inline(&new.current_task))),
    ] {
        text += &format!("\n## {title}\n\n{}\n", body);
    }
    text += &format!("\n---\n\n## Session Log\n\n### {} - created\n\nThe session began.\n", now.strftime("%Y-%m-%d %H:%M"));
    (name, text)
}

/// A description without the id of its own issue, which stands in the front matter.
fn without_id(slug: &str, id: &str) -> String {
    let id = id.to_lowercase();
    let kept = format!("-{slug}-").replace(&format!("-{id}-"), "-");
    let kept = kept.trim_matches('-');
    if id.is_empty() {
        slug.to_owned()
    } else if kept.is_empty() {
        "session".into()
    } else {
        kept.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{SessionFile, Surroundings, check};

    #[test]
    fn a_new_file_keeps_every_rule_whatever_it_is_made_of() {
        let now: Timestamp = "2025-12-04T14:30:00Z".parse().unwrap();
        let odd = [
            "plain",
            "a: b # \"c\" \\ d",
            "---",
            "```",
            "## Context",
            "two\nlines\n## Next Steps",
            "<!--",
            "- [ ] box",
            "2024",
            "null",
            "天気",
            "\u{7}\u{1b}[31m",
            "~~~literal",
        ];
        for text in odd {
            let new = NewFile {
                title: text.into(),
                current_task: text.into(),
                context: Some(text.into()),
                linear_issue: Some("PLT-123".into()),
                linear_url: Some("https://linear.app/x/PLT-123".into()),
                ..NewFile::default()
            };
            let (name, file) = fresh(&new, now);
            let read = SessionFile::read(&name, file.as_bytes());
            let found = check(&read, &Surroundings::at(now), &|_| true);
            assert!(found.is_empty(), "{text:?}: {found:#?}\n{file}");
            assert_eq!((read.matter.text("session", "title"), read.matter.text("orchestration", "current_task")), (Some(text), Some(text)));
            let body = super::super::contained::trimmed(&read.text, read.outline.section("Context").unwrap().body);
            assert_eq!(super::super::contained::uncontained(read.text.slice(&body)), text);
        }
    }

    #[test]
    fn the_issues_id_is_not_in_the_name() {
        let now: Timestamp = "2025-12-04T14:30:00Z".parse().unwrap();
        let new = NewFile {
            title: "PLT-123 weather".into(),
            current_task: "x".into(),
            linear_issue: Some("PLT-123".into()),
            ..NewFile::default()
        };
        assert_eq!(fresh(&new, now).0, "20251204-143000-weather.md");
    }
}
