//! Session files that are made: conforming ones in every style, and each with one thing broken, of which it is known what and where.
//!
//! What breaks a file never asks the rules: where the two disagree, one of them is wrong.

use std::path::Path;
use std::{fs, io};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::files::ROOT;

/// Numbers that are the same for a seed wherever they are drawn (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// A file that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MadeFile {
    /// Its name.
    pub name: String,
    /// Its text, with `\n`.
    pub text: String,
    /// Whether its lines end with CR LF.
    pub crlf: bool,
}

/// A file with one thing broken.
#[derive(Debug, Clone)]
pub(crate) struct BrokenFile {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The line where it is broken.
    pub line: usize,
}

const WORDS: &[&str] = &["weather", "fallback", "cache", "parser", "login", "invoice", "search", "upload", "report", "queue"];
const SENTENCES: &[&str] = &[
    "The page is empty whenever the provider is down.",
    "Nobody reads the cache yet: that is next.",
    "Users see `undefined` where a price belongs.",
    "It fails for names with umlauts: `Müller`, 好.",
    "See <https://example.org/a#b> for the measurements.",
    "| a | b |\n| --- | --- |\n| 1 | 2 |",
];

fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl MadeFile {
    /// A file that keeps every rule at a time.
    pub(crate) fn conforming(draw: &mut Draw, now: Timestamp) -> Self {
        let created = now - SignedDuration::from_mins(120 + draw.below(600) as i64);
        let description = format!("{}-{}", draw.one(WORDS), draw.one(WORDS));
        let status = draw.one(&["in_progress", "in_progress", "paused", "completed"]);
        let (setext, flow, crlf) = (draw.coin(), draw.below(4) == 0, draw.below(3) == 0);
        let entries = draw.below(4);
        let updated = created + SignedDuration::from_mins(10 * entries as i64 + 5);
        let agents: Vec<(&str, &str)> = (0..draw.below(3))
            .map(|_| {
                (
                    draw.one(&["backend-dev", "reviewer", "tester"]),
                    if status == "in_progress" { draw.one(&["pending", "in_progress", "completed"]) } else { "completed" },
                )
            })
            .collect();
        let mut text = if flow {
            flow_matter(status, &description, created, updated, &agents)
        } else {
            block_matter(draw, status, &description, created, updated, &agents)
        };
        let heading = |level: usize, title: &str| match (setext, level) {
            (true, 1) => format!("{title}\n{}\n", "=".repeat(title.chars().count())),
            (true, 2) => format!("{title}\n{}\n", "-".repeat(title.chars().count())),
            _ => format!("{} {title}\n", "#".repeat(level)),
        };
        text += &format!("\n{}\n{}\n{}\n\n", heading(1, "Session: made"), heading(2, "Context"), draw.one(SENTENCES));
        text += &format!("{}\nThe work goes on. {}\n\n", heading(2, "Current State"), draw.one(&SENTENCES[..5]));
        if draw.coin() {
            text += &format!("{}\n````markdown\n## Next Steps\n\n```bash\nls\n```\n````\n\n", heading(2, "Key Commands"));
        }
        if draw.coin() {
            let (active, mark) =
                if status == "in_progress" { (" (ACTIVE)", "[ ]") } else { ("", if status == "paused" { "[ ]" } else { "[x]" }) };
            text +=
                &format!("{}\n### Wave 1: First{active}\n- [x] BACK-1 - One\n- {mark} BACK-2 - Two\n\n", heading(2, "Execution Progress"));
            text += &format!("### Wave 2: Second (blocked by Wave 1)\n- {mark} BACK-3 - Three\n\n");
        }
        if draw.coin() {
            text += &format!(
                "{}\n### Decision 1: Where\n**Decision**: Here (ADR-12)\n**Rationale**: It is there already\n\n",
                heading(2, "Decisions")
            );
        }
        text += &format!("{}\n- Read what is there\n- Measure it\n\n", heading(2, "Next Steps"));
        if entries > 0 {
            text += &format!("{}{}", if draw.coin() { "***\n\n" } else { "" }, heading(2, "Session Log"));
            for at in 0..entries {
                let time = created + SignedDuration::from_mins(10 * at as i64);
                text += &format!("\n### {} - {}\n\nWrote a part.\n", time.strftime("%Y-%m-%d %H:%M"), draw.one(&["pm", "backend-dev"]));
            }
        }
        Self { name: format!("{}-{description}.md", created.strftime("%Y%m%d-%H%M%S")), text, crlf }
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        if self.crlf { self.text.replace('\n', "\r\n").into_bytes() } else { self.text.clone().into_bytes() }
    }

    fn with(&self, text: String) -> Self {
        Self { text, ..self.clone() }
    }

    /// The line that begins so, from 1, and its text.
    fn line(&self, begins: &str) -> Option<(usize, String)> {
        self.text.lines().enumerate().find(|(_, line)| line.trim_start().starts_with(begins)).map(|(at, line)| (at + 1, line.to_owned()))
    }

    /// A line is replaced by others; the answer is broken where it was.
    fn replaced(&self, begins: &str, by: impl Fn(&str) -> String) -> Option<BrokenFile> {
        let (number, line) = self.line(begins)?;
        let mut lines: Vec<String> = self.text.lines().map(str::to_owned).collect();
        lines[number - 1] = by(&line);
        Some(self.with(lines.join("\n") + "\n").broken(number))
    }

    fn broken(&self, line: usize) -> BrokenFile {
        BrokenFile { name: self.name.clone(), bytes: self.bytes(), line }
    }

    fn named(&self, name: String) -> Option<BrokenFile> {
        Some(BrokenFile { name, bytes: self.bytes(), line: 1 })
    }

    fn is_block(&self) -> bool {
        !self.text.contains("session: {")
    }

    /// A line that is removed whole; the answer is broken at another line.
    fn without(&self, begins: &str, at: &str) -> Option<BrokenFile> {
        let (number, _) = self.line(begins)?;
        let kept: Vec<&str> = self.text.lines().enumerate().filter(|(line, _)| line + 1 != number).map(|(_, line)| line).collect();
        let made = self.with(kept.join("\n") + "\n");
        let (line, _) = made.line(at)?;
        Some(made.broken(line))
    }
}

fn flow_matter(status: &str, title: &str, created: Timestamp, updated: Timestamp, agents: &[(&str, &str)]) -> String {
    let agents: Vec<String> =
        agents.iter().map(|(agent, status)| format!("{{agent: {agent}, task: \"Read\", status: {status}, summary: \"Done\"}}")).collect();
    format!(
        "---\nsession: {{title: \"{title}: made\", status: {status}, created: \"{}\", last_updated: '{}'}}\norchestration: {{current_task: \"Go on\", spawned_agents: [{}]}}\n---\n",
        stamp(created),
        stamp(updated),
        agents.join(", ")
    )
}

fn block_matter(draw: &mut Draw, status: &str, title: &str, created: Timestamp, updated: Timestamp, agents: &[(&str, &str)]) -> String {
    let title = match draw.below(3) {
        0 => format!("\"{title}: made\""),
        1 => format!("'{title}: it''s made'"),
        _ => format!("{title} made"),
    };
    let comment = if draw.coin() { "  # kept by hand" } else { "" };
    let mut text = format!("---\nsession:\n  title: {title}{comment}\n  status: {status}\n  created: \"{}\"\n", stamp(created));
    text += &format!("  last_updated: \"{}\"\n", stamp(updated));
    if draw.coin() {
        text += "  linear_issue: \"BACK-123\"\n  linear_url: \"https://linear.app/acme/issue/BACK-123/made\"\n  owner: me\n";
    }
    text += "\norchestration:\n  current_task: |\n    Go on\n    as before\n";
    if !agents.is_empty() {
        text += "  spawned_agents:\n";
    }
    for (agent, status) in agents {
        text += &format!("    - agent: {agent}\n      task: \"Read: all of it\"\n      status: {status}\n      summary: \"Done\"\n");
    }
    text + "---\n"
}

/// A way to break one rule and no other. None where the file has not what it breaks.
pub(crate) struct Mutator {
    /// The code of the rule that is broken.
    pub code: &'static str,
    pub(crate) apply: fn(&MadeFile) -> Option<BrokenFile>,
}

const fn breaks(code: &'static str, apply: fn(&MadeFile) -> Option<BrokenFile>) -> Mutator {
    Mutator { code, apply }
}

/// The way that it says it is.
fn is(made: &MadeFile, status: &str) -> bool {
    made.text.contains(&format!("status: {status}\n  created"))
}

/// Every mutator, by code.
pub(crate) const MUTATORS: &[Mutator] = &[
    breaks("SF001", |made| made.named(made.name[16..].to_owned())),
    breaks("SF002", |made| made.named(made.name.replace(".md", "__X.md"))),
    breaks("SF003", |made| made.named(made.name.replace(".md", "-ABC-12.md"))),
    breaks("SF004", |made| {
        let (line, _) = made.line("created:")?;
        let hour: u32 = made.name[9..11].parse().ok()?;
        let name = format!("{}{:02}{}", &made.name[..9], (hour + 1) % 24, &made.name[11..]);
        Some(BrokenFile { name, ..made.broken(line) })
    }),
    breaks("SF010", |made| {
        let (line, _) = made.line("The work goes on.")?;
        let bytes = made.bytes();
        let at = bytes.windows(8).position(|window| window == b"The work")?;
        Some(BrokenFile { bytes: [&bytes[..at], b"\xfc", &bytes[at..]].concat(), ..made.broken(line) })
    }),
    breaks("SF011", |made| made.replaced("The work goes on.", |line| format!("<<<<<<< HEAD\n{line}\n=======\nIt stands.\n>>>>>>> theirs"))),
    breaks("SF012", |made| Some(made.with(format!("\u{feff}{}", made.text)).broken(1))),
    breaks("SF013", |made| {
        let (line, _) = made.line("The work goes on.")?;
        let text = String::from_utf8(made.bytes()).ok()?;
        let end = text.find("The work")? + text[text.find("The work")?..].find('\n')?;
        let bytes = if made.crlf { format!("{}{}", &text[..end - 1], &text[end..]) } else { format!("{}\r{}", &text[..end], &text[end..]) };
        Some(BrokenFile { bytes: bytes.into_bytes(), ..made.broken(line) })
    }),
    breaks("SF014", |made| {
        let long = made.with(format!("{}\n{}", made.text, "The same again. ".repeat(2_100)));
        let read = String::from_utf8(long.bytes()).ok()?;
        let line = read.chars().take(32_000).filter(|c| *c == '\n').count() + 1;
        Some(long.broken(line))
    }),
    breaks("SF101", |made| Some(made.with(format!("\n{}", made.text)).broken(1))),
    breaks("SF102", |made| {
        let lines: Vec<&str> = made.text.lines().collect();
        let ends: Vec<usize> = (1..lines.len()).filter(|at| lines[*at] == "---").collect();
        let [end] = ends[..] else { return None };
        let kept: Vec<&str> = lines.iter().enumerate().filter(|(at, _)| *at != end).map(|(_, line)| *line).collect();
        Some(made.with(kept.join("\n") + "\n").broken(1))
    }),
    breaks("SF104", |made| {
        let body = made.text[3..].find("\n---\n")? + 3;
        Some(made.with(format!("---\n- session\n- orchestration{}", &made.text[body..])).broken(2))
    }),
    breaks("SF103", |made| made.is_block().then(|| made.replaced("status:", |line| format!("\t{}", line.trim())))?),
    breaks("SF105", |made| {
        made.is_block().then(|| {
            made.replaced("created:", |line| format!("{line}\n{line}")).map(|broken| BrokenFile { line: broken.line + 1, ..broken })
        })?
    }),
    breaks("SF201", |made| made.without("title:", "session:")),
    breaks("SF202", |made| made.replaced("title:", |_| "  title: ''".into())),
    breaks("SF203", |made| made.replaced("title:", |_| "  title: 2024".into())),
    breaks("SF204", |made| is(made, "in_progress").then(|| made.replaced("status:", |_| "  status: doing".into()))?),
    breaks("SF205", |made| made.replaced("last_updated:", |line| line.replace("Z\"", "\""))),
    breaks("SF206", |made| made.replaced("created:", |line| line.replace('"', ""))),
    breaks("SF207", |made| made.replaced("linear_url:", |line| line.replace("https", "http"))),
    breaks("SF208", |made| made.replaced("linear_issue:", |line| line.replace("issue", "isue"))),
    breaks("SF209", |made| made.without("task: \"Read", "- agent:")),
    breaks("SF210", |made| {
        let only = made.text.matches("- agent:").count() == 1 && made.text.contains("      status: completed");
        only.then(|| made.without("summary:", "- agent:"))?
    }),
    breaks("SF301", |made| {
        let body = made.text.lines().skip(1).position(|line| line == "---")? + 3;
        (!made.text.contains("````")).then(|| made.with(made.text.replace("Next Steps", "Follow-up work")).broken(body))
    }),
    breaks("SF302", |made| made.replaced("## Current State", |_| "### Current State".into())),
    breaks("SF303", |made| {
        let lines: Vec<&str> = made.text.lines().filter(|line| !line.starts_with("The work goes on.")).collect();
        let broken = made.with(lines.join("\n") + "\n");
        let (line, _) = broken.line("## Current State").or_else(|| broken.line("Current State"))?;
        Some(broken.broken(line))
    }),
    breaks("SF304", |made| made.replaced("The work goes on.", |line| format!("TODO {line}"))),
    breaks("SF305", |made| {
        let (line, _) = made.line("````markdown")?;
        Some(made.with(made.text.replacen("\n````\n", "\n", 1)).broken(line))
    }),
    breaks("SF306", |made| {
        let broken = made.with(made.text.replace("- Read what is there\n- Measure it\n", "Read what is there.\n"));
        let line = broken.text.lines().position(|line| line == "Read what is there.")?;
        let back = if made.text.contains("## Current State") { 1 } else { 2 };
        Some(broken.broken(line - back))
    }),
    breaks("SF307", |made| made.replaced("### Wave 2", |line| line.replace("blocked by Wave 1", "blocked by Wave 9"))),
    breaks("SF308", |made| made.without("**Rationale**", "### Decision 1")),
    breaks("SF401", |made| made.replaced("### 20", |line| line.replacen(" - ", " ", 1))),
    breaks("SF402", |made| made.without("Wrote a part.", "### 20")),
    breaks("SF403", |made| {
        let second = made.text.match_indices("\n### 20").nth(1)?.0 + 1;
        let text = format!("{}### 2001{}", &made.text[..second], &made.text[second + "### 2025".len()..]);
        let line = text[..second].matches('\n').count() + 1;
        Some(made.with(text).broken(line))
    }),
    breaks("SF405", |made| {
        let (_, created) = made.line("created:")?;
        let many = made.text.matches("\n### 20").count() > 1;
        many.then(|| made.replaced("last_updated:", |_| created.replace("created", "last_updated")))?
    }),
    breaks("SF404", |made| {
        let earlier = |line: &str| format!("{}\"2001-01-01T00:00:00Z\"", &line[..line.find('"').unwrap_or(0)]);
        let broken = made.replaced("last_updated:", earlier)?;
        (!made.text.contains("Session Log")).then_some(broken).filter(|_| !is(made, "in_progress") && !is(made, "completed"))
    }),
    breaks("SF406", |made| {
        made.replaced("last_updated:", |line| format!("{}\"2999-01-01T00:00:00Z\"", &line[..line.find('"').unwrap_or(0)]))
    }),
    breaks("SF501", |made| {
        let (before, after) = made.text.split_once("      status: completed").filter(|_| is(made, "completed"))?;
        Some(made.with(format!("{before}      status: pending{after}")).broken(before.matches('\n').count() + 1))
    }),
    breaks("SF502", |made| is(made, "completed").then(|| made.replaced("- [x] BACK-3", |line| line.replace("[x]", "[ ]")))?),
    breaks("SF505", |made| is(made, "paused").then(|| made.replaced("### Wave 1", |line| format!("{line} (ACTIVE)")))?),
    breaks("SF603", |made| {
        is(made, "completed").then(|| made.replaced("**Decision**", |line| line.replace(" (ADR-12)", "")).map(heading_above))?
    }),
];

/// What is broken in a section is found at its heading.
fn heading_above(broken: BrokenFile) -> BrokenFile {
    BrokenFile { line: broken.line - 1, ..broken }
}

/// How many files were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CorpusSize {
    /// Conforming ones.
    pub conforming: usize,
    /// Those with one thing broken.
    pub broken: usize,
}

/// Writes a corpus into a folder that is not there, or empty: a repository `conforming`, a repository `broken`, and `expected.json`, which says
/// of each file of the latter what is broken where.
///
/// # Errors
/// Where it cannot be written, or something is there.
pub(crate) fn write_corpus(folder: &Path, seed: u64, count: usize, now: Timestamp) -> io::Result<CorpusSize> {
    fs::create_dir_all(folder)?;
    if fs::read_dir(folder)?.next().is_some() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the folder is not empty"));
    }
    let mut draw = Draw::new(seed);
    let mut size = CorpusSize { conforming: 0, broken: 0 };
    let mut expected: Vec<Value> = Vec::new();
    let place = |kind: &str, name: &str| -> io::Result<std::path::PathBuf> {
        let root = folder.join(kind).join(ROOT);
        fs::create_dir_all(&root)?;
        Ok(root.join(name))
    };
    let taken = |path: &Path| path.exists();
    while size.conforming < count {
        let made = MadeFile::conforming(&mut draw, now);
        let path = place("conforming", &made.name)?;
        if !taken(&path) {
            fs::write(path, made.bytes())?;
            size.conforming += 1;
        }
    }
    while size.broken < count {
        let mutator = &MUTATORS[draw.below(MUTATORS.len())];
        let made = MadeFile::conforming(&mut draw, now);
        let Some(broken) = (mutator.apply)(&made) else { continue };
        let path = place("broken", &broken.name)?;
        if !taken(&path) {
            fs::write(path, &broken.bytes)?;
            expected.push(json!({ "path": format!("{ROOT}/{}", broken.name), "code": mutator.code, "line": broken.line }));
            size.broken += 1;
        }
    }
    let whole = json!({ "seed": seed, "now": now, "broken": expected });
    fs::write(folder.join("expected.json"), serde_json::to_string_pretty(&whole).expect("it is JSON") + "\n")?;
    Ok(size)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::files::{Safety, SessionFile, Surroundings, check, repair};

    fn now() -> Timestamp {
        "2025-12-04T14:30:00Z".parse().unwrap()
    }

    fn made(count: u64) -> impl Iterator<Item = MadeFile> {
        (0..count).map(|seed| MadeFile::conforming(&mut Draw::new(seed), now()))
    }

    #[test]
    fn conforming_files_have_no_finding_in_any_style() {
        for file in made(300) {
            let found = check(&SessionFile::read(&file.name, &file.bytes()), &Surroundings::at(now()), &|_| true);
            assert!(found.is_empty(), "{found:#?}\n{}", file.text);
        }
    }

    #[test]
    fn what_is_broken_is_found_where_it_is_and_nothing_else() {
        let mut tried: BTreeMap<&str, usize> = MUTATORS.iter().map(|mutator| (mutator.code, 0)).collect();
        for file in made(120) {
            for mutator in MUTATORS {
                let Some(broken) = (mutator.apply)(&file) else { continue };
                let read = SessionFile::read(&broken.name, &broken.bytes);
                let found = check(&read, &Surroundings::at(now()), &|_| true);
                let all: Vec<(&str, usize)> = found.iter().map(|finding| (finding.rule.code, read.text.line(finding.span.start))).collect();
                assert!(
                    all.iter().all(|(code, _)| *code == mutator.code),
                    "{}: {all:?}\n{}\n{}",
                    mutator.code,
                    broken.name,
                    read.text.text
                );
                assert!(all.contains(&(mutator.code, broken.line)), "{}: line {}: {all:?}\n{}", mutator.code, broken.line, read.text.text);
                *tried.get_mut(mutator.code).unwrap() += 1;
            }
        }
        let never: Vec<_> = tried.iter().filter(|(_, count)| **count == 0).collect();
        assert!(never.is_empty(), "{never:?}");
    }

    #[test]
    fn a_fix_removes_its_finding_adds_none_and_is_done_once() {
        let mut fixed = 0;
        for file in made(60) {
            for broken in MUTATORS.iter().filter_map(|mutator| (mutator.apply)(&file)) {
                let fix = |bytes: &[u8]| repair(&broken.name, bytes, &Surroundings::at(now()), Safety::Safe, &|_| true);
                let once = fix(&broken.bytes);
                let twice = fix(&once.bytes);
                assert_eq!((twice.fixed, twice.bytes == once.bytes), (0, true));
                assert!(once.fixed > 0 || once.bytes == broken.bytes, "what is not put right is as it was");
                fixed += once.fixed;
            }
        }
        assert!(fixed > 100, "{fixed}");
    }
}
