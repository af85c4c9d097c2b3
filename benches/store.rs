//! What the reference store costs, in process and as a whole process.
//!
//! Beside each figure stands what the original of seed 003 (Python) took on the same machine, in process and as a process:
//! create 0.062 ms and 47.6 ms, update 0.129 and 45.8, should-resume 0.020 and 46.7, get 0.016 and 44.1, finalize 0.238 and
//! 46.3, list of 100 sessions 1.85 and 49.2, clean-up of 1,000 expired ones 209 and 286. It lost 694 of 800 concurrent
//! updates; this one loses none. Figures with their date are in `docs/measurements.md`; on a disk, writes are the disk's:
//! `TMPDIR=/dev/shm` shows the store's own.

use std::process::{Command, Stdio};

use divan::Bencher;
use passmuster::contract::Args;
use passmuster::suites::store::reference::{New, StateUpdate, Store, StoreRecord};

const PASSMUSTER: &str = env!("CARGO_BIN_EXE_passmuster");

fn main() {
    divan::main();
}

fn folder() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::new(folder.path());
    (folder, store)
}

fn new() -> New {
    let metadata: Args = serde_json::from_str(r#"{"task_id":"T001","tags":["terraform","infrastructure"]}"#).expect("JSON");
    New { agent_name: "terraform-architect".into(), purpose: "approval_workflow".into(), metadata, session_id: None }
}

fn to(phase: &str) -> StateUpdate {
    StateUpdate { phase: Some(phase.into()), ..StateUpdate::default() }
}

/// A session that waits for approval, as in the seed's example.
fn waiting(store: &Store) -> String {
    let id = store.create(new()).expect("a session");
    store.update(&id, to("investigating")).expect("a change");
    store.update(&id, to("approval")).expect("a change");
    id
}

/// A store with so many sessions, whose last activity was two days ago.
fn many(count: usize) -> (tempfile::TempDir, Store) {
    let (folder, store) = folder();
    for _ in 0..count {
        let id = store.create(new()).expect("a session");
        let record = store.get(&id).expect("its record");
        let then = record.created_at - jiff::SignedDuration::from_hours(48);
        std::fs::write(folder.path().join(id).join("state.json"), StoreRecord { last_updated: then, ..record }.bytes())
            .expect("its record");
    }
    (folder, store)
}

mod in_process {
    use super::*;

    #[divan::bench]
    fn create(bencher: Bencher) {
        let (_folder, store) = folder();
        bencher.with_inputs(new).bench_values(|new| store.create(new));
    }

    /// Each on a session of its own: history grows.
    #[divan::bench]
    fn update(bencher: Bencher) {
        let (_folder, store) = folder();
        bencher.with_inputs(|| waiting(&store)).bench_refs(|id| store.update(id, to("planning")));
    }

    #[divan::bench]
    fn should_resume(bencher: Bencher) {
        let (_folder, store) = folder();
        let id = waiting(&store);
        bencher.bench(|| store.should_resume(&id));
    }

    #[divan::bench]
    fn get(bencher: Bencher) {
        let (_folder, store) = folder();
        let id = waiting(&store);
        bencher.bench(|| store.get(&id));
    }

    #[divan::bench]
    fn finalize(bencher: Bencher) {
        let (_folder, store) = folder();
        bencher.with_inputs(|| waiting(&store)).bench_refs(|id| store.finalize(id, "completed", Some("done")));
    }

    #[divan::bench]
    fn list_100(bencher: Bencher) {
        let (_folder, store) = many(100);
        bencher.bench(|| store.list(false, None));
    }

    #[divan::bench(sample_count = 20)]
    fn cleanup_1000(bencher: Bencher) {
        bencher.with_inputs(|| many(1_000)).bench_refs(|(_, store)| assert_eq!(store.cleanup(24.0).ok(), Some(1_000)));
    }
}

mod whole_process {
    use super::*;

    fn run(folder: &tempfile::TempDir, words: &[&str]) {
        let mut command = Command::new(PASSMUSTER);
        command.arg("store").args(words).arg("--root").arg(folder.path()).stdout(Stdio::null());
        assert!(command.status().expect("the binary runs").success());
    }

    #[divan::bench]
    fn create(bencher: Bencher) {
        let (folder, _) = folder();
        bencher.bench(|| run(&folder, &["create", "terraform-architect", "approval_workflow"]));
    }

    #[divan::bench]
    fn update(bencher: Bencher) {
        let (folder, store) = folder();
        bencher.with_inputs(|| waiting(&store)).bench_refs(|id| run(&folder, &["update", id, "--phase", "planning"]));
    }

    #[divan::bench]
    fn should_resume(bencher: Bencher) {
        let (folder, store) = folder();
        let id = waiting(&store);
        bencher.bench(|| run(&folder, &["should-resume", &id]));
    }

    #[divan::bench]
    fn get(bencher: Bencher) {
        let (folder, store) = folder();
        let id = waiting(&store);
        bencher.bench(|| run(&folder, &["get", &id]));
    }

    #[divan::bench]
    fn finalize(bencher: Bencher) {
        let (folder, store) = folder();
        bencher.with_inputs(|| waiting(&store)).bench_refs(|id| run(&folder, &["finalize", id, "completed"]));
    }

    #[divan::bench]
    fn list_100(bencher: Bencher) {
        let (folder, _store) = many(100);
        bencher.bench(|| run(&folder, &["list"]));
    }

    #[divan::bench(sample_count = 20)]
    fn cleanup_1000(bencher: Bencher) {
        bencher.with_inputs(|| many(1_000)).bench_refs(|(folder, _)| run(folder, &["cleanup", "24"]));
    }
}
