//! The order of the layers, and who may name what: read off the code's own `use crate::` lines.

use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first; a layer imports itself and those before it.
const LAYERS: [&str; 17] = [
    "mistake",
    "clock",
    "contract",
    "spec",
    "profile",
    "trace",
    "rules",
    "agent",
    "reference",
    "driver",
    "steps",
    "results",
    "runner",
    "report",
    "tables",
    "schemas",
    "commands",
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

#[test]
fn a_lower_layer_never_imports_an_upper_one() {
    let wrong: Vec<String> = layered()
        .iter()
        .flat_map(|(path, place, code)| {
            named(code)
                .into_iter()
                .filter(|(other, _)| other > place)
                .map(|(_, name)| format!("{} imports {name}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
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
fn external_drivers_never_name_the_reference() {
    for (path, _, code) in layered() {
        if path.starts_with("driver") && path != Path::new("driver/in_process.rs") {
            assert!(!code.contains("crate::reference"), "{} names the reference", path.display());
        }
    }
}

#[test]
fn clap_lives_in_commands_alone_and_the_runner_never_prints() {
    for (path, place, code) in layered() {
        assert!(LAYERS[place] == "commands" || !code.contains("clap::"), "{} names clap", path.display());
        // The worker tells a person who calls it by hand that it is not for people.
        let may_print = matches!(LAYERS[place], "commands" | "agent" | "reference" | "report") || path == Path::new("runner/real.rs");
        assert!(may_print || !(code.contains("println!") || code.contains("eprintln!")), "{} prints", path.display());
    }
}
