//! What `verify` costs, and how soon a stand-in is up. Figures with their date are in `docs/measurements.md`.

use std::cell::Cell;
use std::process::{Command, Stdio};

use divan::Bencher;
use passmuster::contract::AgentKind;
use passmuster::core::clock::Clock;
use passmuster::fakes::control_server::ControlServer;
use passmuster::fakes::registry::AgentRegistry;
use passmuster::profile::{Choice, Profiles};
use passmuster::sut::sandbox::{Sandbox, SandboxOptions};
use passmuster::trace::Log;

const PASSMUSTER: &str = env!("CARGO_BIN_EXE_passmuster");

fn main() {
    divan::main();
}

/// Both suites, whole, on the built-in reference: the process from start to exit.
#[divan::bench(sample_count = 20)]
fn both_suites_on_the_built_in_reference(bencher: Bencher) {
    bencher.bench(|| {
        let status = Command::new(PASSMUSTER).args(["verify", "--format", "json"]).stdout(Stdio::null()).status();
        assert!(status.expect("the binary runs").success());
    });
}

/// From the start of a stand-in's process to the moment when it reported itself. Its profile says how long it waits
/// before it writes; that is not in it.
#[divan::bench(sample_count = 100, args = [AgentKind::CLAUDE, AgentKind::CODEX, AgentKind::GEMINI])]
fn a_stand_in_is_up(bencher: Bencher, agent: AgentKind) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let id = uuid::Uuid::new_v4().simple().to_string();
    let profiles = Profiles::load(&Choice::Spec).expect("the embedded profiles");
    let sandbox = Sandbox::create(&SandboxOptions { id, profiles, passmuster: PASSMUSTER.into(), keep: false }).expect("a sandbox");
    let registry = AgentRegistry::new(Log::new(Clock::start()));
    let _stage = ControlServer::open(&sandbox.control_socket(), registry.clone()).expect("a stage");
    let started = Cell::new(0);
    bencher.bench_local(|| {
        let mut child = Command::new(sandbox.agent_command(agent))
            .current_dir(sandbox.work_folder(1).expect("a folder"))
            .env_clear()
            .envs(sandbox.env())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a stand-in");
        started.set(started.get() + 1);
        runtime.block_on(registry.until(|runs| (runs.len() >= started.get()).then_some(())));
        // Its input ends, and with it the stand-in; that is not measured: the value is dropped after the sample.
        drop(child.stdin.take());
        Waited(child)
    });
}

/// Waits for a child when it is dropped.
struct Waited(std::process::Child);

impl Drop for Waited {
    fn drop(&mut self) {
        let _ = self.0.wait();
    }
}
