//! Answers of a hundred megabytes take no memory. In a process of its own: what other tests hold would be counted.

use std::path::Path;
use std::rc::Rc;

use passmuster::contract::{Args, OperationSpec, SESSION_OPERATIONS};
use passmuster::engine::suite::claims;
use passmuster::profile::{Choice, Profiles};
use passmuster::suites::SUITES;
use passmuster::sut::manifest::Manifest;
use passmuster::sut::sandbox::{Sandbox, SandboxOptions};
use passmuster::sut::transports::process::too_long;
use serde_json::json;

/// An answer's limit, doubled by a growing buffer, once more for its text; and some for the rest.
const BOUND_KB: u64 = 60_000;

#[tokio::test]
async fn an_answer_of_a_hundred_megabytes_takes_no_memory() {
    let get = OperationSpec::find(SESSION_OPERATIONS, "get_session_data").unwrap();
    let args: Args = json!({ "session_id": "s1" }).as_object().unwrap().clone();
    let before = status_kb("VmRSS");
    for kind in ["cli", "rpc", "mcp"] {
        let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/peers/{kind}.py"));
        let text = format!(
            "[system]\nname = \"peer\"\n[transport]\nkind = \"{kind}\"\ncommand = [\"{}\", \"huge\"]\n[limits]\ncall = 60.0\n",
            peer.display()
        );
        let manifest = Manifest::parse(Path::new("passmuster.toml"), &text, &claims(SUITES)).unwrap();
        let options = SandboxOptions {
            id: uuid::Uuid::new_v4().simple().to_string(),
            profiles: Profiles::load(&Choice::Spec).unwrap(),
            passmuster: env!("CARGO_BIN_EXE_passmuster").into(),
            keep: false,
        };
        let driver = passmuster::sut::open(&manifest, Rc::new(Sandbox::create(&options).unwrap())).await.unwrap();
        assert_eq!(driver.call(get, &args).await.unwrap_err(), too_long(), "{kind}");
        driver.close().await;
    }
    let grown = status_kb("VmHWM").saturating_sub(before);
    assert!(grown < BOUND_KB, "grew by {grown} kB");
}

fn status_kb(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
