//! What `spec build` and `spec check` cost. Figures with their date are in `docs/measurements.md`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use divan::Bencher;

const PASSMUSTER: &str = env!("CARGO_BIN_EXE_passmuster");

/// The tables that the documents of the large tree ask for, in turn.
const MARKERS: [&str; 8] = [
    "requirements suite=lifecycle columns=id,level,sentence,scenarios,faults",
    "observability agents=codex,claude",
    "operations",
    "errors",
    "timeline agents=codex",
    "measured",
    "kill-matrix columns=requirement,killed,faults",
    "worker-machine",
];

fn main() {
    divan::main();
}

fn run(folder: &Path, arguments: &[&str]) {
    let status = Command::new(PASSMUSTER).args(arguments).current_dir(folder).stdout(Stdio::null()).status();
    assert!(status.expect("the binary runs").success());
}

/// This repository, whose documents are current: the process from start to exit.
#[divan::bench(args = ["build", "check"])]
fn this_repository(bencher: Bencher, command: &str) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let arguments = if command == "build" { vec!["spec", "build", "--check"] } else { vec!["spec", "check"] };
    bencher.bench(|| run(here, &arguments));
}

/// 2,000 documents of 8,000 characters with a table each, none of them drawn yet.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn two_thousand_documents(bencher: Bencher) {
    let tree = || {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..2000 {
            let below = folder.path().join(format!("part-{}", number % 40));
            fs::create_dir_all(&below).expect("a folder");
            let marker = MARKERS[number % MARKERS.len()];
            let prose = "A sentence that stands in nobody's way. ".repeat(200);
            let text = format!("# Page {number}\n\n{prose}\n\n<!-- passmuster:begin table={marker} -->\n<!-- passmuster:end -->\n");
            fs::write(below.join(format!("page-{number}.md")), text).expect("a document");
        }
        folder
    };
    bencher.with_inputs(tree).bench_refs(|folder| run(folder.path(), &["spec", "build"]));
}
