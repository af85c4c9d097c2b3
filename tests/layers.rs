//! The order of the layers, and who may name what: read off the code's own `use crate::` lines.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first; a layer imports itself and those before it.
const LAYERS: [&str; 14] =
    ["core", "contract", "spec", "profile", "trace", "fakes", "sut", "frontends", "results", "engine", "suites", "report", "docgen", "cli"];

/// What still points upwards, a file and the layer that it names. A line goes when its import does; none is added.
const UPWARDS: &[(&str, &str)] = &[
    ("engine/control.rs", "suites"),
    ("engine/features.rs", "suites"),
    ("engine/matrix/catalogue.rs", "suites"),
    ("engine/matrix/mod.rs", "suites"),
    ("engine/matrix/transport.rs", "suites"),
    ("engine/mod.rs", "suites"),
    ("engine/scenario.rs", "suites"),
    ("engine/simulated.rs", "suites"),
    ("engine/vocabulary.rs", "suites"),
    ("engine/worker.rs", "suites"),
    ("engine/world.rs", "suites"),
];

/// What one suite still imports of another.
const ACROSS: &[(&str, &str)] = &[
    ("suites/manager/faults/mod.rs", "store"),
    ("suites/manager/reference/known.rs", "orchestrator"),
    ("suites/orchestrator/gate/difficult.rs", "manager"),
    ("suites/orchestrator/gate/rehearsal.rs", "manager"),
    ("suites/orchestrator/reference/tests.rs", "manager"),
    ("suites/store/faults.rs", "manager"),
    ("suites/store/in_process.rs", "manager"),
];

fn sources(below: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Every source file with its layer's place and the text before its tests.
fn layered() -> Vec<(PathBuf, usize, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files
        .into_iter()
        .filter_map(|path| {
            let inside = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            let layer = inside.split(['/', '.']).next().unwrap().to_owned();
            let place = LAYERS.iter().position(|known| *known == layer)?;
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
            Some((PathBuf::from(inside), place, code))
        })
        .collect()
}

/// The layers that a text names as `crate::NAME`.
fn named(code: &str) -> Vec<(usize, String)> {
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .filter_map(|rest| {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            LAYERS.iter().position(|known| *known == name).map(|place| (place, name))
        })
        .collect()
}

/// The suites that a text names as `crate::suites::NAME`.
fn suites_named(code: &str) -> Vec<String> {
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::suites::").skip(1))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

/// What is found and was not known, and what was known and is not found any more.
fn differences(found: &BTreeSet<(String, String)>, known: &[(&str, &str)]) -> Vec<String> {
    let known: BTreeSet<(String, String)> = known.iter().map(|(file, layer)| ((*file).to_owned(), (*layer).to_owned())).collect();
    let more = found.difference(&known).map(|(file, layer)| format!("{file} imports {layer}"));
    more.chain(known.difference(found).map(|(file, layer)| format!("{file} imports {layer} no more: take its line out"))).collect()
}

#[test]
fn a_lower_layer_imports_an_upper_one_nowhere_but_where_it_is_known() {
    let found: BTreeSet<(String, String)> = layered()
        .iter()
        .flat_map(|(path, place, code)| {
            let upper = named(code).into_iter().filter(|(other, _)| other > place);
            upper.map(|(_, name)| (path.display().to_string(), name)).collect::<Vec<_>>()
        })
        .collect();
    let wrong = differences(&found, UPWARDS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_suite_imports_another_nowhere_but_where_it_is_known() {
    let mut found = BTreeSet::new();
    for (path, _, code) in layered() {
        let mut parts = path.iter().map(|part| part.to_string_lossy().into_owned());
        if parts.next().as_deref() != Some("suites") {
            continue;
        }
        let own = parts.next().unwrap_or_default();
        let others = suites_named(&code).into_iter().filter(|name| own != *name && own != "mod.rs");
        found.extend(others.map(|name| (path.display().to_string(), name)));
    }
    let wrong = differences(&found, ACROSS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_file_belongs_to_a_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert_eq!(files.len(), layered().len() + 2, "only lib.rs and main.rs stand outside of the layers");
}

#[test]
fn what_speaks_to_systems_never_names_a_reference() {
    for (path, _, code) in layered() {
        assert!(!path.starts_with("sut") || !code.contains("crate::suites"), "{} names a suite", path.display());
    }
}

#[test]
fn clap_lives_in_the_command_line_alone_and_the_engine_never_prints() {
    for (path, place, code) in layered() {
        let layer = LAYERS[place];
        assert!(layer == "cli" || !code.contains("clap::"), "{} names clap", path.display());
        // The worker tells a person who calls it by hand that it is not for people.
        let may_print = matches!(layer, "cli" | "fakes" | "frontends" | "suites" | "report") || path == Path::new("engine/worker.rs");
        assert!(may_print || !(code.contains("println!") || code.contains("eprintln!")), "{} prints", path.display());
    }
}
