//! From what is written to what is meant: every mistake is found, not only the first.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use crate::contract::{
    ANNOUNCEMENTS, AgentKind, Claim, ERRORS, ErrorCode, FieldKind, OperationSpec, OperationTable, SESSION_OPERATIONS, Status,
};
use crate::core::diagnostic::{Diagnostic, Diagnostics, Placed, SourceText, meant, meant_field};
use crate::trace::settings::{Limits, Processes};

use super::matcher::{Matcher, Path, Source, Wanted};
use super::template::{Shape, Template, Word};
use super::{
    AsLast, CallShape, ContainerPlan, EventMap, Manifest, Output, Ready, Serve, Step, Stream, Transport, TransportKind, canonical, raw,
    words,
};

/// The variables that every template may name, besides the arguments of operations.
const VARIABLES: [&str; 9] = ["agent_command", "sandbox", "home", "port", "unique", "manifest_dir", "passmuster", "image", "engine_socket"];

/// The variables that a template may name: those, and the arguments of every operation that there is.
fn variables() -> impl Iterator<Item = &'static str> {
    let arguments = words::operations().flat_map(|operation| operation.args);
    VARIABLES.into_iter().chain(arguments.map(|field| field.name))
}

/// Reads a manifest, which may claim these suites.
pub(crate) fn read(path: &FilePath, text: &str, claims: &[Claim]) -> Result<Manifest, Box<Diagnostics>> {
    let file = path.display().to_string();
    let folder = path.parent().map(FilePath::to_owned).unwrap_or_default();
    let mut reader = ManifestReader { text: SourceText::new(&file, text), folder, claims, errors: Vec::new() };
    let manifest = match toml::from_str::<raw::RawManifest>(text) {
        Ok(raw) => Some(reader.manifest(path, raw)),
        Err(error) => {
            let help = meant_field(error.message());
            reader.wrong(error.span().unwrap_or(0..0), error.message().to_owned(), help);
            None
        }
    };
    match manifest {
        Some(manifest) if reader.errors.is_empty() => Ok(manifest),
        _ => Err(Box::new(Diagnostics::new(super::unusable(&file), reader.errors))),
    }
}

struct ManifestReader<'a> {
    text: SourceText<'a>,
    /// Where the manifest lies.
    folder: PathBuf,
    claims: &'a [Claim],
    errors: Vec<Diagnostic>,
}

impl ManifestReader<'_> {
    fn wrong(&mut self, at: Range<usize>, what: String, help: Option<String>) {
        self.errors.push(self.text.diagnostic(Some(at), what, help));
    }

    /// One of some words; the error names the nearest.
    fn word<T: Copy>(&mut self, given: &Placed<String>, what: &str, known: &[(&str, T)]) -> Option<T> {
        let found = known.iter().find(|(word, _)| word == given.as_ref()).map(|(_, value)| *value);
        if found.is_none() {
            let words = known.iter().map(|(word, _)| *word);
            let all = words.clone().collect::<Vec<_>>().join(", ");
            self.wrong(given.span(), format!("`{}` is no {what}: wanted {all}", given.as_ref()), meant(given.as_ref(), words));
        }
        found
    }

    fn template(&mut self, at: Range<usize>, source: &str, also: &[String]) -> Template {
        match Template::parse(source) {
            Ok(template) => {
                self.names(at, template.names().iter().map(String::as_str), also);
                template
            }
            Err(why) => {
                self.wrong(at, why, None);
                Template::parse("").expect("nothing is a template")
            }
        }
    }

    fn names<'n>(&mut self, at: Range<usize>, names: impl Iterator<Item = &'n str>, also: &[String]) {
        for name in names {
            if !variables().any(|known| known == name) && !also.iter().any(|known| known == name) {
                let known: Vec<&str> = variables().collect();
                let all: BTreeSet<&str> = known.into_iter().chain(also.iter().map(String::as_str)).collect();
                let help = meant(name, all.iter().copied());
                let help = help.or_else(|| Some(format!("there are {}", all.into_iter().collect::<Vec<_>>().join(", "))));
                self.wrong(at.clone(), format!("there is no variable `{name}`"), help);
            }
        }
    }

    fn text(&mut self, given: &Placed<String>, also: &[String]) -> Template {
        self.template(given.span(), given.as_ref(), also)
    }

    fn words(&mut self, given: &[Placed<raw::RawWord>], also: &[String]) -> Vec<Word> {
        let word = |reader: &mut Self, given: &Placed<raw::RawWord>| match given.as_ref() {
            raw::RawWord::One(source) => Word::One(reader.argument(given.span(), source, also)),
            raw::RawWord::Group(sources) => Word::Group(sources.iter().map(|source| reader.argument(given.span(), source, also)).collect()),
        };
        given.iter().map(|given| word(self, given)).collect()
    }

    /// A word of a command. The path of a file that lies beside the manifest is meant so, though the command runs elsewhere.
    fn argument(&mut self, at: Range<usize>, source: &str, also: &[String]) -> Template {
        let beside = self.folder.join(source);
        let is_path = source.contains(['.', '/']) && !source.contains("{{") && FilePath::new(source).is_relative();
        match std::path::absolute(&beside) {
            Ok(path) if is_path && beside.is_file() => self.template(at, &path.display().to_string(), also),
            _ => self.template(at, source, also),
        }
    }

    fn regex(&mut self, at: Range<usize>, source: &str) -> Option<Regex> {
        match Regex::new(source) {
            Ok(regex) => Some(regex),
            Err(error) => {
                self.wrong(at, format!("not a regular expression: {}", error.to_string().lines().last().unwrap_or_default()), None);
                None
            }
        }
    }

    fn path(&mut self, at: Range<usize>, source: &str, also: &[String]) -> Option<Path> {
        match Path::parse(source) {
            Ok(path) => {
                let names: Vec<String> = path.names().map(str::to_owned).collect();
                self.names(at, names.iter().map(String::as_str), also);
                Some(path)
            }
            Err(why) => {
                self.wrong(at, format!("`{source}` is no JSONPath (RFC 9535): {why}"), None);
                None
            }
        }
    }

    // ---- the whole -----------------------------------------------------------------------------------------------

    fn manifest(&mut self, path: &FilePath, raw: raw::RawManifest) -> Manifest {
        let kind = self.word(&raw.transport.kind, "transport", &words::transports()).unwrap_or(TransportKind::Builtin);
        let suites: Vec<(&str, &str)> = self.claims.iter().map(|claim| (claim.name, claim.name)).collect();
        let agents: Vec<(&str, AgentKind)> = AgentKind::all().iter().map(|agent| (agent.name(), *agent)).collect();
        let system = &raw.system;
        let mut status = BTreeMap::new();
        for (word, theirs) in &raw.status {
            if let Some(known) = self.word(word, "status", &Status::ALL.map(|status| (status.name(), status))) {
                status.extend(theirs.iter().map(|word| (word.clone(), known)));
            }
        }
        let transport = self.transport(kind, &raw);
        let table = self.table(&raw);
        let mut operations = self.operations(kind, &raw, &transport, table);
        let mut events = self.events(kind, &raw, &transport, table);
        for what in self.lacking(&raw.system.lacks, table) {
            operations.remove(what);
            events.retain(|_| what != words::STREAM);
        }
        let command = |reader: &mut Self, words: Option<&Vec<Placed<raw::RawWord>>>| words.map(|words| reader.words(words, &[]));
        Manifest {
            path: path.to_owned(),
            text: self.text.text.to_owned(),
            name: system.name.clone(),
            version: system.version.as_ref().map(|words| words.iter().map(|word| word.as_ref().clone()).collect()),
            suites: match system.suites.as_slice() {
                [] => self.mapped_suites(table, &operations),
                named => named.iter().filter_map(|suite| self.word(suite, "suite", &suites)).map(str::to_owned).collect(),
            },
            names_suites: !system.suites.is_empty(),
            agents: match &system.agents {
                None => AgentKind::all().to_vec(),
                Some(given) => given.iter().filter_map(|agent| self.word(agent, "agent", &agents)).collect(),
            },
            processes: system
                .processes
                .as_ref()
                .and_then(|word| self.word(word, "kind of process", words::PROCESSES))
                .unwrap_or(Processes::Session),
            default_timeout_s: system.default_timeout_s,
            message_chars: system.message_chars.filter(|limit| *limit > 0),
            files: raw
                .setup
                .iter()
                .flat_map(|setup| &setup.files)
                .map(|(path, text)| (self.text(path, &[]), self.text(text, &[])))
                .collect(),
            setup: command(self, raw.setup.as_ref().and_then(|setup| setup.command.as_ref())),
            teardown: command(self, raw.teardown.as_ref().map(|teardown| &teardown.command)),
            serve: raw.serve.as_ref().map(|serve| self.serve(serve)),
            record: {
                let of_store = raw.store.as_ref().and_then(|store| store.record.as_ref());
                let of_supervisor = raw.supervision.as_ref().and_then(|supervision| supervision.record.as_ref());
                of_store.or(of_supervisor).map(|record| self.text(record, &[]))
            },
            containers: raw.containers.as_ref().map(|containers| ContainerPlan {
                image: containers.image.as_ref().map(|image| image.as_ref().clone()).filter(|image| !image.contains("{{")),
                tools: match &containers.tools {
                    Some(tools) => tools.iter().map(|tool| tool.as_ref().clone()).collect(),
                    None => vec!["sh".to_owned()],
                },
            }),
            ping: raw.supervision.as_ref().and_then(|supervision| supervision.ping.clone()),
            policy: raw.supervision.as_ref().map(|supervision| supervision.policy).unwrap_or_default(),
            limits: limits(&raw.limits),
            scenario_s: raw.limits.scenario.filter(|s| *s > 0.0),
            status,
            transport,
            operations,
            events,
        }
    }

    /// The suites whose required operations are all there.
    fn mapped_suites(&self, table: OperationTable, operations: &BTreeMap<String, Vec<Step>>) -> Vec<String> {
        let is_mapped = |operation: &OperationSpec| operation.optional || operations.contains_key(operation.name);
        let names = |table: OperationTable| table.iter().map(|operation| operation.name).collect::<Vec<_>>();
        let claims = self.claims.iter().filter(|claim| names(claim.operations) == names(table) && table.iter().all(is_mapped));
        claims.map(|claim| claim.name.to_owned()).collect()
    }

    /// What a system says it does not offer, of what is canonical.
    fn lacking(&mut self, given: &[Placed<String>], table: OperationTable) -> Vec<&'static str> {
        let known: Vec<(&str, &str)> =
            table.iter().map(|operation| operation.name).chain([words::STREAM]).map(|name| (name, name)).collect();
        given.iter().filter_map(|name| self.word(name, "operation", &known)).collect()
    }

    fn transport(&mut self, kind: TransportKind, raw: &raw::RawManifest) -> Transport {
        let given = &raw.transport;
        let places = usize::from(given.command.is_some()) + usize::from(given.url.is_some()) + usize::from(given.socket.is_some());
        let mapped = raw.operations.values().any(|operation| operation.command.is_some() || operation.steps.is_some());
        match kind {
            TransportKind::Cli if places == 0 && mapped => {}
            TransportKind::Cli if given.command.is_none() => {
                self.wrong(given.kind.span(), "a cli system needs a `command`".into(), Some("write `command = [\"my-manager\"]`".into()));
            }
            _ if kind.spec().is_server && places != 1 => {
                let what = format!("a server is reached in one way: {places} of `command`, `url`, `socket` are given");
                self.wrong(given.kind.span(), what, Some("give exactly one of them".into()));
            }
            _ => {}
        }
        let has_requests = kind.spec().has_requests;
        if has_requests && places == 1 && given.url.is_none() {
            self.wrong(given.kind.span(), "http is reached by a `url`".into(), Some("start the server by [serve]".into()));
        }
        if !has_requests && !given.headers.is_empty() {
            self.wrong(given.kind.span(), format!("only an http system has `headers`, this one is {}", kind.name()), None);
        }
        if !kind.spec().has_handshake
            && let Some(greeting) = given.handshake.first()
        {
            self.wrong(greeting.span(), "only an rpc system has a `handshake`".into(), None);
        }
        let mut handshake = Vec::new();
        for greeting in &given.handshake {
            let params = greeting.as_ref().params.as_ref().and_then(|params| self.shape(greeting.span(), params, &[]));
            match (&greeting.as_ref().method, &greeting.as_ref().notify) {
                (Some(method), None) => handshake.push((method.clone(), false, params)),
                (None, Some(method)) => handshake.push((method.clone(), true, params)),
                _ => self.wrong(greeting.span(), "a step of a handshake has a `method` or a `notify`".into(), None),
            }
        }
        Transport {
            kind,
            command: given
                .command
                .iter()
                .flat_map(|words| words.as_ref())
                .map(|word| Word::One(self.argument(word.span(), word.as_ref(), &[])))
                .collect(),
            url: given.url.as_ref().map(|url| self.text(url, &[])),
            socket: given.socket.as_ref().map(|socket| self.text(socket, &[])),
            headers: given.headers.iter().map(|(name, value)| (name.clone(), self.text(value, &[]))).collect(),
            env: given.env.iter().map(|(name, value)| (name.clone(), self.text(value, &[]))).collect(),
            pass_env: given.pass_env.clone(),
            handshake,
            jsonrpc_field: given.jsonrpc_field.unwrap_or(true),
        }
    }

    fn serve(&mut self, given: &raw::RawServe) -> Serve {
        let per = given.per.as_ref().and_then(|word| self.word(word, "length of service", &[("scenario", false), ("run", true)]));
        if let (Some(true), Some(word)) = (per, &given.per) {
            let help = "write per = \"scenario\", or leave it out: each scenario then has a server of its own".to_owned();
            self.wrong(word.span(), "one server for the whole run is not supported: its agents could not be told apart".into(), Some(help));
        }
        let ready = given.ready.as_ref().and_then(|ready| {
            let raw::RawReady { connect, stdout, url } = ready.as_ref();
            match (connect, stdout, url) {
                (Some(address), None, None) => Some(Ready::Connect(self.text(address, &[]))),
                (None, Some(regex), None) => self.regex(regex.span(), regex.as_ref()).map(Ready::Stdout),
                (None, None, Some(url)) => Some(Ready::Url(self.text(url, &[]))),
                _ => {
                    self.wrong(ready.span(), "`ready` has one of `connect`, `stdout`, `url`".into(), None);
                    None
                }
            }
        });
        Serve { command: self.words(&given.command, &[]), ready, state: given.state.as_ref().map(|state| self.text(state, &[])) }
    }

    /// The operations of the suites that are claimed; those of a manager where none is.
    fn table(&mut self, raw: &raw::RawManifest) -> OperationTable {
        let claim = |word: &Placed<String>| self.claims.iter().find(|claim| claim.name == word.as_ref());
        let claimed: Vec<_> = raw.system.suites.iter().filter_map(|word| Some((word.span(), claim(word)?))).collect();
        let Some((_, first)) = claimed.first() else { return SESSION_OPERATIONS };
        if let Some((at, other)) = claimed.iter().find(|(_, other)| !std::ptr::eq(other.operations, first.operations)) {
            let help = "write a manifest for each".to_owned();
            self.wrong(
                at.clone(),
                format!("one system cannot claim `{}` and `{}`: their operations differ", first.name, other.name),
                Some(help),
            );
        }
        first.operations
    }

    // ---- operations ----------------------------------------------------------------------------------------------

    /// What is mapped. A manifest that maps none has all the canonical ones; one that maps some has those, and the others
    /// where it says `canonical = true`. Keys of an operation that is not called in a way of its own go over the canonical.
    fn operations(
        &mut self,
        kind: TransportKind,
        raw: &raw::RawManifest,
        transport: &Transport,
        table: OperationTable,
    ) -> BTreeMap<String, Vec<Step>> {
        let own = |operation: &raw::RawOperation| operation.command.is_some() || operation.is_named() || operation.steps.is_some();
        let mapped = raw.operations.values().any(own);
        let canonical: BTreeMap<String, Vec<Step>> = canonical::operations(kind, &transport.command, table).into_iter().collect();
        let mut operations = if raw.transport.canonical.unwrap_or(!mapped) { canonical.clone() } else { BTreeMap::new() };
        let names: Vec<(&str, &'static OperationSpec)> = table.iter().map(|operation| (operation.name, operation)).collect();
        for (name, given) in &raw.operations {
            let Some(operation) = self.word(name, "operation", &names) else { continue };
            let base = canonical.get(operation.name).and_then(|steps| steps.first());
            self.fields(operation, given);
            let steps = match &given.steps {
                Some(steps) => {
                    // What an earlier step finds is a variable of the later ones: it may have any name.
                    steps.last().into_iter().for_each(|last| self.fields(operation, last));
                    self.steps(kind, operation, given, steps)
                }
                None => vec![self.step(kind, operation, given, if own(given) { None } else { base }, &[])],
            };
            operations.insert(operation.name.to_owned(), steps);
        }
        operations
    }

    /// Refuses fields of a result, or of a list's items, that the operation does not have: they would be lost.
    fn fields(&mut self, operation: &'static OperationSpec, given: &raw::RawOperation) {
        let items = operation.result.iter().find_map(|field| match field.kind {
            FieldKind::Objects(items) => Some(items),
            _ => None,
        });
        for (table, fields, of) in [(&given.result, operation.result, "the result"), (&given.each, items.unwrap_or_default(), "an item")] {
            // A condition may have a name of its own: the exit status that it names is then a success.
            let is_lost = |source: &raw::RawSource| !matches!(source, raw::RawSource::Holds(_));
            let unknown = |name: &str| !fields.iter().any(|field| field.name == name);
            for (name, _) in table.iter().flatten().filter(|(name, source)| unknown(name.as_ref()) && is_lost(source.as_ref())) {
                let known = fields.iter().map(|field| field.name);
                let all = if fields.is_empty() { "none".to_owned() } else { known.clone().collect::<Vec<_>>().join(", ") };
                let what = format!("`{}` is no field of {of} of `{}`: wanted {all}", name.as_ref(), operation.name);
                self.wrong(name.span(), what, meant(name.as_ref(), known));
            }
        }
    }

    fn steps(
        &mut self,
        kind: TransportKind,
        operation: &'static OperationSpec,
        whole: &raw::RawOperation,
        steps: &[raw::RawOperation],
    ) -> Vec<Step> {
        let mut known: Vec<String> = Vec::new();
        let mut read = Vec::new();
        for given in steps {
            let mut step = self.step(kind, operation, given, None, &known);
            known.extend(step.result.iter().map(|(name, _)| name.clone()));
            // What the operation says of answers goes for each of its steps, after the step's own.
            step.errors.extend(self.errors(whole, &known));
            read.push(step);
        }
        // The operation's own undoing begins where anything was done at all: with its first step.
        let undo: Vec<Step> = whole.undo.iter().flatten().map(|undo| self.step(kind, operation, undo, None, &known)).collect();
        if let Some(first) = read.first_mut() {
            first.undo.extend(undo);
        }
        let as_last = AsLast {
            result: whole.result.as_ref().map(|result| self.sources(result, &known)),
            each: whole.each.as_ref().map(|each| self.sources(each, &known)),
            empty: self.matchers(whole.empty.as_ref(), &known),
        };
        // Whichever runs last: those behind it are there for some calls only.
        for step in &mut read {
            step.as_last = Some(as_last.clone());
        }
        read
    }

    fn step(
        &mut self,
        kind: TransportKind,
        operation: &'static OperationSpec,
        given: &raw::RawOperation,
        base: Option<&Step>,
        also: &[String],
    ) -> Step {
        let named = kind.spec().named;
        let name = named.and_then(|named| (named.name)(given));
        let is_only = [given.command.is_some(), given.method.is_some() || given.path.is_some(), given.tool.is_some()]
            .iter()
            .filter(|is_given| **is_given)
            .count()
            == 1;
        let call = match (&given.command, name) {
            (Some(words), _) if named.is_none() && is_only => CallShape::Command(self.words(words, also)),
            (None, Some((at, name))) if is_only => {
                let params = named.and_then(|named| (named.params)(given));
                let params = params.and_then(|(at, params)| self.shape(at, &params, also));
                let name = name.unwrap_or_else(|why| {
                    self.wrong(at.clone(), why, None);
                    String::new()
                });
                CallShape::Named(self.template(at, &name, also), params)
            }
            (None, None) if !given.is_named() && base.is_some() => base.map(|base| base.call.clone()).expect("just looked"),
            _ => {
                let wanted = named.map_or("`command`", |named| named.keys);
                let at = [&given.method, &given.path, &given.tool].into_iter().flatten().next().map_or(0..0, |name| name.span());
                self.wrong(at, format!("a call of `{}` over {} has {wanted}", operation.name, kind.name()), None);
                CallShape::Command(Vec::new())
            }
        };
        if !kind.spec().has_requests {
            let parts = [(&given.query, "query"), (&given.headers, "headers"), (&given.body, "body"), (&given.form, "form")];
            for (part, name) in parts.into_iter().filter_map(|(part, name)| Some((part.as_ref()?, name))) {
                self.wrong(part.span(), format!("a call over {} has no `{name}`: a request over http has one", kind.name()), None);
            }
        }
        let output = match &given.output {
            None => base.map_or(Output::Json, |base| base.output.clone()),
            Some(output) => match output.as_ref() {
                raw::RawOutput::Match { regex } => self.regex(output.span(), regex).map_or(Output::Json, Output::Match),
                raw::RawOutput::Name(name) => match name.as_str() {
                    "json" => Output::Json,
                    "lines" => Output::Lines,
                    "text" => Output::Text,
                    other => {
                        self.wrong(output.span(), format!("`{other}` is no output: wanted json, lines, text or {{ match = \"…\" }}"), None);
                        Output::Json
                    }
                },
            },
        };
        Step {
            call,
            output,
            stdin: given.stdin.as_ref().map(|stdin| self.text(stdin, also)),
            when_given: given.when_given.as_ref().map(|name| {
                self.names(name.span(), std::iter::once(name.as_ref().as_str()), also);
                name.as_ref().clone()
            }),
            wait: given.wait.as_ref().map(|wait| (self.matchers(Some(&wait.until), also), Duration::from_secs_f64(wait.timeout.max(0.0)))),
            result: match (&given.result, base) {
                (Some(result), _) => self.sources(result, also),
                (None, Some(base)) => base.result.clone(),
                (None, None) => Vec::new(),
            },
            each: given.each.as_ref().map(|each| self.sources(each, also)),
            errors: self.errors(given, also),
            empty: self.matchers(given.empty.as_ref(), also),
            undo: given.undo.iter().flatten().map(|undo| self.step(kind, operation, undo, None, also)).collect(),
            as_last: None,
            is_own: base.is_none() || given.result.is_some() || given.each.is_some() || given.output.is_some(),
        }
    }

    fn errors(&mut self, given: &raw::RawOperation, also: &[String]) -> Vec<(ErrorCode, Vec<Matcher>)> {
        let Some(table) = &given.errors else { return Vec::new() };
        let mut errors = Vec::new();
        for (name, matchers) in table.as_ref() {
            let at = self.key(table.span(), name);
            let Some(code) = ErrorCode::from_name(name) else {
                let known = ERRORS.iter().map(|row| row.name);
                let all = known.clone().collect::<Vec<_>>().join(", ");
                self.wrong(at, format!("`{name}` is no error code: wanted {all}"), meant(name, known));
                continue;
            };
            match raw::RawMatchers::deserialize_from(matchers.clone()) {
                Ok(matchers) => errors.push((code, self.all_matchers(at, &matchers, also))),
                Err(why) => self.wrong(at, format!("`{name}`: {why}"), meant_field(&why)),
            }
        }
        errors
    }

    /// Where a key stands in a table; the table, where it is not found.
    fn key(&self, table: Range<usize>, key: &str) -> Range<usize> {
        // An inline table spans its keys; one with a header only that.
        let is_key = |at: usize| {
            let (before, after) = (self.text.text[..at].trim_end_matches([' ', '\t', '"', '\'']), &self.text.text[at + key.len()..]);
            before.ends_with(['\n', '{', ',']) && after.trim_start_matches(['"', '\'', ' ', '\t']).starts_with(['=', '.'])
        };
        let rest = self.text.text.get(table.start..).unwrap_or_default();
        let found = rest.match_indices(key).map(|(at, _)| table.start + at).find(|at| is_key(*at));
        found.map_or(table, |at| at..at + key.len())
    }

    fn sources(&mut self, given: &BTreeMap<Placed<String>, Placed<raw::RawSource>>, also: &[String]) -> Vec<(String, Source)> {
        given
            .iter()
            .filter_map(|(name, source)| Some((name.as_ref().clone(), self.source(source.span(), source.as_ref(), also)?)))
            .collect()
    }

    fn source(&mut self, at: Range<usize>, given: &raw::RawSource, also: &[String]) -> Option<Source> {
        match given {
            raw::RawSource::One(path) if path.starts_with('$') => self.path(at, path, also).map(|path| Source::Paths(vec![path])),
            raw::RawSource::One(text) => Some(Source::Text(self.template(at, text, also))),
            raw::RawSource::Union(paths) => {
                Some(Source::Paths(paths.iter().filter_map(|path| self.path(at.clone(), path, also)).collect()))
            }
            raw::RawSource::Holds(matchers) => Some(Source::Holds(self.all_matchers(at, matchers, also))),
        }
    }

    fn matchers(&mut self, given: Option<&Placed<raw::RawMatchers>>, also: &[String]) -> Vec<Matcher> {
        given.map(|given| self.all_matchers(given.span(), given.as_ref(), also)).unwrap_or_default()
    }

    fn all_matchers(&mut self, at: Range<usize>, given: &raw::RawMatchers, also: &[String]) -> Vec<Matcher> {
        match given {
            raw::RawMatchers::One(one) => vec![self.matcher(at, one, also)],
            raw::RawMatchers::Any(any) => any.iter().map(|one| self.matcher(at.clone(), one, also)).collect(),
        }
    }

    fn matcher(&mut self, at: Range<usize>, given: &raw::RawMatcher, also: &[String]) -> Matcher {
        let mut regex = |source: &Option<String>| source.as_ref().and_then(|source| self.regex(at.clone(), source));
        let (stdout, stderr, message, matches) = (regex(&given.stdout), regex(&given.stderr), regex(&given.message), regex(&given.matches));
        let code = match &given.code {
            Some(Value::String(code)) => self.regex(at.clone(), code),
            Some(code) => Regex::new(&format!("^{}$", regex::escape(&code.to_string()))).ok(),
            None => None,
        };
        let wanted = match (&given.equals, matches) {
            (Some(value), _) => Wanted::Equals(value.clone()),
            (None, Some(regex)) => Wanted::Matches(regex),
            (None, None) => Wanted::Anything,
        };
        let path = given.path.as_ref().and_then(|path| self.path(at.clone(), path, also)).map(|path| (path, wanted));
        if given.path.is_none() && (given.equals.is_some() || given.matches.is_some()) {
            self.wrong(at.clone(), "`equals` and `matches` belong to a `path`".into(), None);
        }
        let absent = given.absent.as_ref().and_then(|path| self.path(at.clone(), path, also));
        let matcher = Matcher { exit: given.exit, status: given.status, stdout, stderr, code, message, path, absent };
        let says_nothing = matcher.exit.is_none()
            && matcher.status.is_none()
            && matcher.path.is_none()
            && matcher.absent.is_none()
            && [&matcher.stdout, &matcher.stderr, &matcher.code, &matcher.message].iter().all(|regex| regex.is_none());
        if says_nothing {
            self.wrong(
                at,
                "a matcher without a condition matches everything".into(),
                Some("say exit, stdout, stderr, code, message, path or absent".into()),
            );
        }
        matcher
    }

    fn shape(&mut self, at: Range<usize>, value: &Value, also: &[String]) -> Option<Shape> {
        match Shape::parse(value) {
            Ok(shape) => {
                let names: Vec<String> = shape.names().into_iter().map(str::to_owned).collect();
                self.names(at, names.iter().map(String::as_str), also);
                Some(shape)
            }
            Err(why) => {
                self.wrong(at, why, None);
                None
            }
        }
    }

    // ---- events --------------------------------------------------------------------------------------------------

    fn events(&mut self, kind: TransportKind, raw: &raw::RawManifest, transport: &Transport, table: OperationTable) -> Vec<EventMap> {
        let names: Vec<(&str, &'static str)> = ANNOUNCEMENTS.iter().map(|spec| (spec.name, spec.name)).collect();
        let mapped = raw.operations.values().any(|operation| {
            operation.command.is_some() || operation.method.is_some() || operation.tool.is_some() || operation.steps.is_some()
        });
        if raw.events.is_empty() {
            return if raw.transport.canonical.unwrap_or(!mapped) {
                canonical::events(kind, &transport.command, table)
            } else {
                Vec::new()
            };
        }
        let mut events = Vec::new();
        for (name, given) in &raw.events {
            let announcement = self.word(name, "announcement", &names);
            let has_requests = kind.spec().has_requests;
            let stream = match (&given.command, &given.file, &given.method, &given.sse) {
                (Some(words), None, None, None) => Stream::Command(self.words(words, &[])),
                (None, Some(file), None, None) => Stream::File(self.text(file, &[])),
                (None, None, Some(method), None) if kind.spec().is_server && !has_requests => Stream::Method(method.as_ref().clone()),
                (None, None, None, Some(path)) if has_requests => Stream::Sse(self.text(path, &[])),
                _ => {
                    let wanted = match kind.spec().is_server {
                        true if has_requests => "`sse`, `command` or `file`",
                        true => "`method`, `command` or `file`",
                        false => "`command` or `file`",
                    };
                    self.wrong(name.span(), format!("an announcement over {} comes by one {wanted}", kind.name()), None);
                    continue;
                }
            };
            events.push(EventMap {
                name: announcement,
                stream,
                ready: self.matchers(given.ready.as_ref(), &[]),
                when: given.when.as_ref().and_then(|when| self.path(when.span(), when.as_ref(), &[])),
                result: self.sources(&given.result, &[]),
            });
        }
        events
    }
}

impl raw::RawOperation {
    /// Whether a call of it names something of a server's.
    fn is_named(&self) -> bool {
        self.method.is_some() || self.path.is_some() || self.tool.is_some()
    }
}

impl raw::RawMatchers {
    fn deserialize_from(value: toml::Value) -> Result<Self, String> {
        value.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
    }
}

fn limits(given: &raw::RawLimits) -> Limits {
    let default = Limits::default();
    let or = |given: Option<f64>, default: Duration| given.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(default);
    Limits {
        call: or(given.call, default.call),
        start: or(given.start, default.start),
        observe: or(given.observe, default.observe),
        announce: or(given.announce, default.announce),
        end: or(given.end, default.end),
        settle: or(given.settle, default.settle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, Box<Diagnostics>> {
        let claims = [Claim { name: "lifecycle", operations: SESSION_OPERATIONS }];
        super::read(FilePath::new("m.toml"), text, &claims)
    }

    fn errors(text: &str) -> Vec<String> {
        match read(text) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.related.iter().map(|error| format!("{error} | {}", error.help.clone().unwrap_or_default())).collect(),
        }
    }

    const THREE_LINES: &str = "[system]\nname = \"m\"\nsuites = [\"lifecycle\"]\n[transport]\nkind = \"cli\"\ncommand = [\"m\"]\n";

    #[test]
    fn three_lines_make_a_canonical_manager() {
        let manifest = read(THREE_LINES).unwrap();
        assert_eq!(manifest.operations.len(), SESSION_OPERATIONS.len());
        let offer = manifest.offer(&SESSION_OPERATIONS[2]);
        assert_eq!(offer.args, ["session_id", "tail_chars"]);
        assert!(manifest.announces().by_stream && manifest.announces().by_waiting);
    }

    #[test]
    fn what_a_canonical_manager_lacks_is_not_offered() {
        let lacking = |lacks: &str| THREE_LINES.replace("[transport]", &format!("lacks = {lacks}\n[transport]"));
        let manifest = read(&lacking("[\"wait_events\", \"events\"]")).unwrap();
        assert!(!manifest.announces().by_stream && !manifest.announces().by_waiting);
        assert_eq!(manifest.operations.len(), SESSION_OPERATIONS.len() - 1);
        let found = errors(&lacking("[\"wait_event\"]"));
        assert!(
            found[0].starts_with("m.toml:4: `wait_event` is no operation") && found[0].ends_with("did you mean `wait_events`?"),
            "{found:?}"
        );
    }

    #[test]
    fn every_mistake_is_found_with_its_line_and_the_nearest_name() {
        let text = "[system]\nname = \"m\"\nsuites = [\"lifecicle\"]\n[transport]\nkind = \"cli\"\ncommand = [\"m\"]\n\
                    [operations.list_session]\ncommand = [\"ls\"]\n\
                    [operations.get_session_data]\ncommand = [\"show\", \"{{ sesion_id }}\"]\nresult = { text = \"$.a[\" }\n";
        let found = errors(text);
        assert_eq!(found.len(), 4, "{found:#?}");
        assert!(
            found.iter().any(|e| e.starts_with("m.toml:3: `lifecicle` is no suite") && e.ends_with("did you mean `lifecycle`?")),
            "{found:#?}"
        );
        assert!(
            found.iter().any(|e| e.starts_with("m.toml:7: `list_session` is no operation") && e.ends_with("did you mean `list_sessions`?")),
            "{found:#?}"
        );
        assert!(
            found.iter().any(|e| e.starts_with("m.toml:10: there is no variable `sesion_id`") && e.ends_with("did you mean `session_id`?")),
            "{found:#?}"
        );
        assert!(found.iter().any(|e| e.starts_with("m.toml:11: `$.a[` is no JSONPath")), "{found:#?}");
    }

    #[test]
    fn an_unknown_key_has_its_place_and_the_nearest_name() {
        let found = errors("[system]\nname = \"m\"\nsuite = [\"lifecycle\"]\n[transport]\nkind = \"cli\"\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("m.toml:3: unknown field `suite`") && found[0].ends_with("did you mean `suites`?"), "{found:#?}");
    }

    #[test]
    fn one_server_for_the_whole_run_is_refused_with_what_to_do() {
        let found = errors(&format!("{THREE_LINES}[serve]\ncommand = [\"m\", \"serve\"]\nper = \"run\"\n"));
        let wanted = "m.toml:9: one server for the whole run is not supported: its agents could not be told apart \
                      | write per = \"scenario\", or leave it out: each scenario then has a server of its own";
        assert_eq!(found, [wanted]);
    }

    #[test]
    fn a_server_is_reached_in_exactly_one_way() {
        let found = errors("[system]\nname = \"m\"\n[transport]\nkind = \"mcp\"\ncommand = [\"m\"]\nurl = \"http://127.0.0.1/\"\n");
        assert_eq!(found.len(), 1, "{found:#?}");
    }

    #[test]
    fn an_operations_undoing_belongs_to_its_first_step() {
        let text = format!(
            "{THREE_LINES}[operations.start_session]\nundo = [{{ command = [\"kill\", \"{{{{ pane }}}}\"] }}]\n\
             steps = [{{ command = [\"a\"], result = {{ pane = \"$\" }} }}, {{ command = [\"b\"] }}]\n"
        );
        let manifest = read(&text).unwrap();
        let undone: Vec<usize> = manifest.operations["start_session"].iter().map(|step| step.undo.len()).collect();
        assert_eq!(undone, [1, 0]);
    }

    #[test]
    fn an_operations_result_belongs_to_whichever_step_runs_last() {
        let text = format!(
            "{THREE_LINES}[operations.start_session]\nresult = {{ session_id = \"$\" }}\n\
             steps = [{{ command = [\"a\"] }}, {{ command = [\"b\"], when_given = \"message\" }}]\n"
        );
        let manifest = read(&text).unwrap();
        let start = OperationSpec::find(SESSION_OPERATIONS, "start_session").unwrap();
        for step in &manifest.operations["start_session"] {
            let mut seen = super::super::AnswerSeen { exit: Some(0), stdout: "\"s1\"".into(), ..Default::default() };
            let last = super::super::judge(step, start, true, &mut seen, &Default::default(), &manifest.status).unwrap();
            assert_eq!(last["session_id"], "s1");
        }
    }

    #[test]
    fn a_field_that_an_operation_does_not_have_is_refused() {
        let found = errors(&format!(
            "{THREE_LINES}[operations.get_session_data]\ncommand = [\"show\"]\nresult = {{ txt = \"$\" }}\n\
             [operations.list_sessions]\ncommand = [\"ls\"]\nresult = {{ sessions = \"$\" }}\neach = {{ id = \"$.id\", state = \"$.s\" }}\n"
        ));
        let wanted = [
            "m.toml:9: `txt` is no field of the result of `get_session_data`: wanted text, truncated, pending | did you mean `text`?",
            "m.toml:13: `id` is no field of an item of `list_sessions`: wanted session_id, agent, status, title, request_id, cwd | ",
            "m.toml:13: `state` is no field of an item of `list_sessions`: wanted session_id, agent, status, title, request_id, cwd | ",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_earlier_steps_find_may_have_any_name() {
        let text = format!(
            "{THREE_LINES}[operations.start_session]\n\
             steps = [{{ command = [\"a\"], result = {{ pane = \"$\" }} }}, {{ command = [\"b\", \"{{{{ pane }}}}\"], result = {{ session_id = \"{{{{ pane }}}}\" }} }}]\n"
        );
        assert_eq!(errors(&text), Vec::<String>::new());
    }

    #[test]
    fn a_condition_that_is_none_is_told_at_its_key() {
        let found = errors(&format!(
            "{THREE_LINES}[operations.end_session.errors]\nnot_found = {{ exit = 1 }}\nsession_not_found = {{ msg = \"x\" }}\n"
        ));
        assert!(
            found[0].starts_with("m.toml:8: `not_found` is no error code") && found[0].ends_with("did you mean `session_not_found`?"),
            "{found:?}"
        );
        assert!(found[1].starts_with("m.toml:9: `session_not_found`: unknown field `msg`"), "{found:?}");
        assert!(!found.concat().contains("untagged"), "{found:?}");
    }

    #[test]
    fn a_file_beside_the_manifest_is_meant_where_its_name_is_a_word_of_a_command() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mgr.py"), "").unwrap();
        let text = "[system]\nname = \"m\"\n[transport]\nkind = \"mcp\"\ncommand = [\"python3\", \"mgr.py\", \"other.py\"]\n";
        let claims = [Claim { name: "lifecycle", operations: SESSION_OPERATIONS }];
        let manifest = super::read(&folder.path().join("m.toml"), text, &claims).unwrap();
        let words = super::super::words(&manifest.transport.command, &super::super::Variables::new()).unwrap();
        assert_eq!(words, ["python3", folder.path().join("mgr.py").to_str().unwrap(), "other.py"]);
    }

    #[test]
    fn a_variable_in_any_branch_is_known_or_an_error() {
        let found = errors(&format!(
            "{THREE_LINES}[operations.send_message]\ncommand = [\"x\", \"{{{{ x if message }}}}\", \"{{% if title %}}{{{{ mesage }}}}{{% endif %}}\"]\n"
        ));
        assert!(found.iter().any(|one| one.contains("there is no variable `x`")), "{found:?}");
        assert!(found.iter().any(|one| one.contains("there is no variable `mesage` | did you mean `message`?")), "{found:?}");
    }

    #[test]
    fn errors_keep_the_order_written() {
        let text =
            format!("{THREE_LINES}[operations.end_session.errors]\nsession_ended = {{ exit = 3 }}\nsession_not_found = {{ exit = 1 }}\n");
        let manifest = read(&text).unwrap();
        let codes: Vec<ErrorCode> = manifest.operations["end_session"][0].errors.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, [ErrorCode::SessionEnded, ErrorCode::SessionNotFound]);
    }
}
