//! Profile files: from what is written to what is meant, with everything that is wrong.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::{Spanned, Value};

use crate::contract::AgentKind;
use crate::core::diagnostic::{Diagnostic, Diagnostics, SourceText, meant, meant_field};

use super::{AgentProfile, Mode, Phase, Profile};

/// What is known of one agent, or in `[[agents]]` of several.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(title = "passmuster profiles")]
#[allow(dead_code, reason = "the schema of what `several` reads: a reader of either would tell of neither what is wrong")]
pub enum File {
    /// One agent.
    One(Box<AgentProfile>),
    /// Several agents.
    Several(Several<AgentProfile>),
}

/// Several agents.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Several<T> {
    /// The agents.
    agents: Vec<T>,
}

/// Where an agent's values stand.
#[derive(Deserialize)]
struct Places {
    agent: Option<Spanned<Value>>,
    #[serde(default, rename = "profile")]
    rows: Vec<ProfileRow>,
}

type ProfileRow = BTreeMap<String, Spanned<Value>>;

/// Reads a file.
pub(crate) fn file(path: &Path) -> Result<Vec<AgentProfile>, Box<Diagnostics>> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let help = "wanted `spec`, `measured`, or the path of a profile file";
        Box::new(Diagnostics::new(unusable(&file), vec![Diagnostic::unreadable(&file, &error, help)]))
    })?;
    agents(&file, &text)
}

/// Reads a file's text.
pub(crate) fn agents(file: &str, text: &str) -> Result<Vec<AgentProfile>, Box<Diagnostics>> {
    let mut reader = ProfileReader { file, text: SourceText::new(file, text), errors: Vec::new() };
    let places: Vec<Places> = several(text).unwrap_or_default();
    match several::<AgentProfile>(text) {
        Ok(agents) => {
            for (agent, places) in agents.iter().zip(&places) {
                reader.agent(agent, places, &agents);
            }
            if reader.errors.is_empty() { Ok(agents) } else { Err(reader.done()) }
        }
        Err(error) => {
            reader.words(&places);
            if reader.errors.is_empty() {
                let help = meant_field(error.message());
                reader.wrong(error.span(), error.message().to_owned(), help);
            }
            Err(reader.done())
        }
    }
}

fn several<T: for<'a> Deserialize<'a>>(text: &str) -> Result<Vec<T>, toml::de::Error> {
    match toml::from_str::<toml::Table>(text)?.contains_key("agents") {
        true => toml::from_str::<Several<T>>(text).map(|several| several.agents),
        false => toml::from_str::<T>(text).map(|one| vec![one]),
    }
}

struct ProfileReader<'a> {
    file: &'a str,
    text: SourceText<'a>,
    errors: Vec<Diagnostic>,
}

impl ProfileReader<'_> {
    fn wrong(&mut self, at: Option<Range<usize>>, what: String, help: Option<String>) {
        self.errors.push(self.text.diagnostic(at, what, help));
    }

    fn done(self) -> Box<Diagnostics> {
        Box::new(Diagnostics::new(unusable(self.file), self.errors))
    }

    /// Every word that is not one of those known in its place.
    fn words(&mut self, places: &[Places]) {
        let agents: Vec<&str> = AgentKind::all().iter().map(|agent| agent.name()).collect();
        let (modes, phases) = (Mode::ALL.map(Mode::word), Phase::ALL.map(Phase::word));
        for places in places {
            self.word(places.agent.as_ref(), "agent", &agents);
            for row in &places.rows {
                self.word(row.get("mode"), "mode", &modes);
                for phase in ["file_created", "has_content", "observable"] {
                    self.word(row.get(phase), "phase", &phases);
                }
            }
        }
    }

    fn word(&mut self, given: Option<&Spanned<Value>>, what: &str, known: &[&str]) {
        let Some((word, at)) = given.and_then(|given| Some((given.as_ref().as_str()?, given.span()))) else { return };
        if !known.contains(&word) {
            self.wrong(Some(at), format!("`{word}` is no {what}: wanted {}", known.join(", ")), meant(word, known.iter().copied()));
        }
    }

    /// What is wrong with an agent whose values are of the right kinds.
    fn agent(&mut self, agent: &AgentProfile, places: &Places, all: &[AgentProfile]) {
        let kind = agent.agent;
        if all.iter().filter(|other| other.agent == kind).count() > 1 {
            self.wrong(
                places.agent.as_ref().map(Spanned::span),
                format!("there are several agents {kind}"),
                Some("give one agent all of its rows".into()),
            );
        }
        if agent.profiles.is_empty() {
            let help = "add one row for each mode".to_owned();
            self.wrong(places.agent.as_ref().map(Spanned::span), format!("{kind} has no `[[profile]]`"), Some(help));
        }
        for (at, (profile, row)) in agent.profiles.iter().zip(&places.rows).enumerate() {
            self.row(profile, row, &agent.profiles[..at]);
        }
    }

    fn row(&mut self, profile: &Profile, row: &ProfileRow, earlier: &[Profile]) {
        let place = |field: &str| row.get(field).map(Spanned::span);
        let Profile { set, version, mode, .. } = profile;
        if profile.has_content < profile.file_created {
            let what = format!("the file has content at `{}`, but is created at `{}` only", profile.has_content, profile.file_created);
            self.wrong(
                place("has_content"),
                what,
                Some("phases come in the order started, prompt_accepted, first_turn_completed, exited, never".into()),
            );
        }
        if profile.delay_ms.is_some_and(|(least, most)| least > most) {
            self.wrong(place("delay_ms"), "the delays are in the wrong order".into(), Some("write `[least, most]`".into()));
        }
        if set.is_empty() || version.is_empty() {
            let field = if set.is_empty() { "set" } else { "version" };
            self.wrong(place(field), format!("the {field} is empty"), Some("any version is `*`; a set has a name".into()));
        }
        let alike = || earlier.iter().filter(|other| other.set == *set && other.mode == *mode);
        if alike().any(|other| other.version == *version) {
            self.wrong(place("version"), format!("there is a row already for the set {set}, version {version}, {mode}"), None);
        }
        if profile.default && alike().any(|other| other.default) {
            self.wrong(place("default"), format!("the set {set} has a default for {mode} already"), None);
        }
    }
}

fn unusable(file: &str) -> String {
    format!("{file}: the profiles cannot be used")
}

#[cfg(test)]
mod tests {
    use miette::{GraphicalReportHandler, GraphicalTheme};

    use super::*;

    const HEAD: &str = "agent = \"codex\"\nbanner = \"B\"\nprompt = \">\"\nheadless = []\nresume = []\nvalues = []\nunsupported = []\n\
                        file = \"f\"\nidentity = \"i\"\nhook = \"h\"\n";

    fn row(changes: &[(&str, &str)]) -> String {
        let usual = [
            ("set", "\"mine\""),
            ("version", "\"*\""),
            ("mode", "\"interactive\""),
            ("file_created", "\"started\""),
            ("has_content", "\"started\""),
            ("observable", "\"started\""),
            ("source", "\"me\""),
        ];
        let changed = |name: &str| changes.iter().any(|(other, _)| *other == name);
        let lines = usual.iter().filter(|(name, _)| !changed(name)).chain(changes);
        std::iter::once("[[profile]]\n".to_owned()).chain(lines.map(|(name, value)| format!("{name} = {value}\n"))).collect()
    }

    fn shown(text: &str) -> String {
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(120);
        let mut shown = String::new();
        handler.render_report(&mut shown, &*agents("mine.toml", text).unwrap_err()).unwrap();
        shown
    }

    #[test]
    fn every_misspelt_word_is_shown_with_the_one_that_was_meant() {
        let text = format!("{}{}", HEAD.replace("codex", "kodex"), row(&[("mode", "\"interctive\""), ("observable", "\"startd\"")]));
        insta::assert_snapshot!(shown(&text));
    }

    #[test]
    fn what_does_not_fit_together_is_shown() {
        let first = row(&[("default", "true"), ("file_created", "\"exited\""), ("delay_ms", "[9, 1]")]);
        insta::assert_snapshot!(shown(&format!("{HEAD}{first}{}", row(&[("default", "true")]))));
    }

    #[test]
    fn an_unknown_key_and_a_missing_row_are_told() {
        let told = |text: &str| agents("mine.toml", text).unwrap_err().in_a_line();
        assert!(told("agent = \"codex\"\nbaner = \"x\"\n").starts_with("mine.toml:2: unknown field `baner`"));
        assert_eq!(told(HEAD), "mine.toml:1: codex has no `[[profile]]`");
        assert!(told("agent = ").starts_with("mine.toml:1: "));
    }

    #[test]
    fn a_file_can_have_several_agents() {
        let one =
            |name: &str| format!("[[agents]]\n{}{}", HEAD.replace("codex", name), row(&[]).replace("[[profile]]", "[[agents.profile]]"));
        let read = agents("mine.toml", &(one("codex") + &one("claude"))).unwrap();
        assert_eq!(read.iter().map(|agent| agent.agent).collect::<Vec<_>>(), [AgentKind::CODEX, AgentKind::CLAUDE]);
        let twice = agents("mine.toml", &(one("codex") + &one("codex"))).unwrap_err();
        assert_eq!(twice.related[0].what, "there are several agents codex");
    }
}
