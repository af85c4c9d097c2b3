//! The order of the layers, and who may name what: read off the code's own `use crate::` lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first; a layer imports itself and those before it.
const LAYERS: [&str; 16] = [
    "core",
    "contract",
    "files",
    "spec",
    "profile",
    "trace",
    "fakes",
    "containers",
    "sut",
    "frontends",
    "results",
    "engine",
    "suites",
    "report",
    "docgen",
    "cli",
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

/// Every source file with its layer's place and its text, tests and all.
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
            Some((PathBuf::from(inside), place, text))
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

#[test]
fn a_lower_layer_imports_no_upper_one() {
    let upward = |(path, place, code): &(PathBuf, usize, String)| -> Vec<String> {
        let upper = named(code).into_iter().filter(|(other, _)| other > place);
        upper.map(|(_, name)| format!("{} imports {name}", path.display())).collect()
    };
    let wrong: Vec<String> = layered().iter().flat_map(upward).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_suite_imports_another() {
    let mut wrong = Vec::new();
    for (path, _, code) in layered() {
        let mut parts = path.iter().map(|part| part.to_string_lossy().into_owned());
        let (layer, own) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if layer == "suites" && !["mod.rs", "tests"].contains(&own.as_str()) {
            let others = suites_named(&code).into_iter().filter(|name| *name != own);
            wrong.extend(others.map(|name| format!("{} imports {name}", path.display())));
        }
    }
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
fn clap_lives_in_the_command_line_alone() {
    for (path, place, code) in layered() {
        assert!(LAYERS[place] == "cli" || !code.contains("clap::"), "{} names clap", path.display());
    }
}

/// The types that a text defines, tests left out.
fn types(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let defined = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().filter(|word| !word.starts_with("pub")).collect();
        let is_own = !line.starts_with(' ') && matches!(words.first(), Some(&("struct" | "enum" | "trait" | "type" | "union")));
        let name: String = words.get(1).filter(|_| is_own)?.chars().take_while(|c| c.is_alphanumeric()).collect();
        Some(name)
    };
    code.lines().filter_map(defined).collect()
}

#[test]
fn no_type_name_means_two_things() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, _, text) in layered() {
        if !path.iter().any(|part| part == "tests" || part == "tests.rs") {
            types(&text).into_iter().for_each(|name| places.entry(name).or_default().push(path.display().to_string()));
        }
    }
    assert!(places.len() > 400, "the types are found: {}", places.len());
    let twice: Vec<String> = places.iter().filter(|(_, at)| at.len() > 1).map(|(name, at)| format!("{name}: {}", at.join(", "))).collect();
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}
