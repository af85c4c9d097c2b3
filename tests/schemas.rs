//! The published schemas against the readers: whatever is read is valid, whatever a schema refuses is refused when read, and
//! a key that one of them does not know the other does not know, either.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use passmuster::docgen::schemas::{Published, SCHEMAS, stale};
use passmuster::engine::suite::claims;
use passmuster::files::{SessionFile, Surroundings, check};
use passmuster::profile::{Choice, Profiles};
use passmuster::results::baseline::Baseline;
use passmuster::results::model::{Report, SCHEMA};
use passmuster::suites::SUITES;
use passmuster::sut::manifest::Manifest;
use passmuster::trace::Record;
use rstest::rstest;
use serde_json::{Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const BASELINE: &str = "[[known]]\nrequirement = \"LC-CLEAN-1\"\nscenario = \"lifecycle/*\"\nagent = \"codex\"\nreason = \"r\"\n\
                        link = \"l\"\nexpires = \"2030-01-01\"\n";

fn validator(name: &str) -> Validator {
    let schema = Published::find(name).unwrap().schema().to_value();
    jsonschema::draft7::options().should_validate_formats(true).build(&schema).unwrap()
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(Path::new(ROOT).join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    assert!(!files.is_empty());
    files
}

fn of_toml(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

/// A report with findings in it.
fn report() -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let target = format!("json={}", file.display());
    let trace = Path::new(ROOT).join("fixtures/traces/orchestrator/or-1.fail.jsonl");
    let status = Command::new(env!("CARGO_BIN_EXE_passmuster")).args(["trace", "check", "--report", &target]).arg(trace).output().unwrap();
    assert_eq!(status.status.code(), Some(1));
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// What there is of each kind of file.
fn examples(name: &str) -> Vec<Value> {
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
    match name {
        "manifest" => files("fixtures/manifests", "toml").iter().map(|path| of_toml(&read(path))).collect(),
        "profile" => {
            let one: Vec<Value> = files("fixtures/agents", "toml").iter().map(|path| of_toml(&read(path))).collect();
            one.iter().cloned().chain([json!({ "agents": [one[0]] })]).collect()
        }
        "baseline" => vec![of_toml(""), of_toml(BASELINE)],
        "report" => vec![report()],
        "trace" => {
            let traces = files("fixtures/traces", "jsonl").into_iter().chain(files("fixtures/traces/orchestrator", "jsonl"));
            let lines: Vec<String> = traces.flat_map(|path| read(&path).lines().map(str::to_owned).collect::<Vec<_>>()).collect();
            lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
        "session-file" => vec![json!({
            "session": {
                "title": "t", "status": "paused", "created": "2025-12-04T14:30:00Z", "last_updated": "2025-12-04T14:30:00Z",
                "linear_issue": "BACK-123", "linear_url": "https://linear.app/acme/issue/BACK-123"
            },
            "orchestration": { "current_task": "c", "spawned_agents": [{ "agent": "a", "task": "t", "status": "completed", "summary": "s" }] }
        })],
        other => panic!("there is no example of `{other}`"),
    }
}

/// Whether the reader takes it.
fn is_read(name: &str, value: &Value) -> bool {
    let toml = || toml::to_string(value).unwrap();
    match name {
        "manifest" => Manifest::parse("m.toml".as_ref(), &toml(), &claims(SUITES)).is_ok(),
        "profile" => {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(&file, toml()).unwrap();
            Profiles::load(&Choice::File(file.path().to_owned())).is_ok()
        }
        "baseline" => Baseline::parse("b.toml", &toml()).is_ok(),
        "report" => serde_json::from_value::<Report>(value.clone()).is_ok_and(|report| report.schema == SCHEMA),
        "trace" => serde_json::from_value::<Record>(value.clone()).is_ok(),
        "session-file" => {
            let text = format!("---\n{value}\n---\n");
            let file = SessionFile::read("20251204-143000-x.md", text.as_bytes());
            let around = Surroundings::at("2025-12-04T15:00:00Z".parse().unwrap());
            check(&file, &around, &|rule| rule.is_meant("MATTER") && rule.is_meant("MUST")).is_empty()
        }
        other => panic!("`{other}` has no reader"),
    }
}

/// The places of everything in a value, its own among them.
fn places(value: &Value) -> Vec<String> {
    let below = |key: &str, value: &Value| {
        let key = key.replace('~', "~0").replace('/', "~1");
        places(value).into_iter().map(move |rest| format!("/{key}{rest}")).collect::<Vec<_>>()
    };
    let inside: Vec<String> = match value {
        Value::Object(fields) => fields.iter().flat_map(|(key, value)| below(key, value)).collect(),
        Value::Array(items) => items.iter().enumerate().flat_map(|(at, value)| below(&at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    std::iter::once(String::new()).chain(inside).collect()
}

#[test]
fn the_published_schemas_are_current() {
    let folder = Path::new(ROOT).join("schemas");
    let stale: Vec<_> = stale(&folder).map(Published::file).collect();
    assert_eq!(stale, Vec::<String>::new(), "`passmuster schema --write schemas`");
    assert_eq!(files("schemas", "json").len(), SCHEMAS.len());
}

#[rstest]
fn whatever_is_read_is_valid(#[values("manifest", "baseline", "profile", "report", "trace", "session-file")] name: &str) {
    let validator = validator(name);
    for example in examples(name) {
        assert!(is_read(name, &example), "{example:#}");
        validator.validate(&example).unwrap_or_else(|error| panic!("{error} at {}\n{example:#}", error.instance_path()));
    }
}

#[rstest]
fn an_unknown_key_is_refused_by_both_or_by_none(
    #[values("manifest", "baseline", "profile", "report", "trace", "session-file")] name: &str,
) {
    let validator = validator(name);
    let mut refused = 0;
    for example in examples(name) {
        for place in places(&example) {
            let mut changed = example.clone();
            let Some(table) = changed.pointer_mut(&place).and_then(Value::as_object_mut) else { continue };
            // Which fields an operation's result and its items have, and which step runs last, no schema says: the reader does.
            if place.starts_with("/operations/") && (place.ends_with("/result") || place.ends_with("/each")) {
                continue;
            }
            table.insert("zz-unknown".into(), "x".into());
            let (valid, read) = (validator.is_valid(&changed), is_read(name, &changed));
            assert_eq!(valid, read, "an unknown key in {place} of\n{example:#}");
            refused += usize::from(!valid);
        }
    }
    // Reports and traces may have keys of later versions, session files keys of their own.
    assert_eq!(refused > 0, !["report", "trace", "session-file"].contains(&name));
}

#[rstest]
fn what_a_schema_refuses_is_not_read(#[values("manifest", "baseline", "profile", "report", "trace", "session-file")] name: &str) {
    let validator = validator(name);
    let mut refused = 0;
    for mut example in examples(name) {
        // One row is like another.
        if let Some(rows) = example.pointer_mut("/profile").and_then(Value::as_array_mut) {
            rows.truncate(2);
        }
        for place in places(&example).iter().filter(|place| !place.is_empty()) {
            for other in [json!("zz"), json!(-7), json!([])] {
                let mut changed = example.clone();
                *changed.pointer_mut(place).unwrap() = other;
                if !validator.is_valid(&changed) {
                    refused += 1;
                    assert!(!is_read(name, &changed), "{place} of\n{changed:#}");
                }
            }
            let (table, key) = place.rsplit_once('/').unwrap();
            let mut changed = example.clone();
            if let Some(table) = changed.pointer_mut(table).unwrap().as_object_mut() {
                table.remove(&key.replace("~1", "/").replace("~0", "~"));
            }
            if !validator.is_valid(&changed) {
                refused += 1;
                assert!(!is_read(name, &changed), "{changed:#}\nwithout {place}");
            }
        }
    }
    assert!(refused > 0);
}

#[rstest]
#[case("[orchestrator]\ncommand = [\"my-orch\", \"{{ workers }}\"]\nper = \"scenario\"\n", true)]
#[case("[system]\nname = \"x\"\n", false)]
fn a_manifest_is_of_a_manager_or_of_an_orchestrator(#[case] text: &str, #[case] valid: bool) {
    assert_eq!(validator("manifest").is_valid(&of_toml(text)), valid);
}

#[test]
fn a_new_manifest_names_its_schema_and_lies_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let init = Command::new(env!("CARGO_BIN_EXE_passmuster")).args(["init", "mcp"]).current_dir(&folder).output().unwrap();
    assert!(init.status.success());
    let text = fs::read_to_string(folder.path().join("passmuster.toml")).unwrap();
    let named = text.lines().next().unwrap().strip_prefix("#:schema ").unwrap();
    let schema: Value = serde_json::from_str(&fs::read_to_string(folder.path().join(named)).unwrap()).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    assert!(validator.is_valid(&of_toml(&text)));
    assert!(!validator.is_valid(&of_toml(&text.replace("suites", "suits"))));
}
