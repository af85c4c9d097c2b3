//! The reference manager behind its fronts, as somebody's system.

use crate::engine::fault::Change;
use crate::engine::matrix::Over;
use crate::trace::settings::Processes;

/// The manifest of the reference with a change: `lacks` is what it does not offer then, `limits` are lines for it.
pub(super) fn manifest(over: Over, change: Change, processes: Processes, lacks: &[&str], limits: &str) -> String {
    let (name, flag) = (change.name(), change.flag());
    let state = "--state\", \"{{ sandbox }}/state";
    let (transport, serve, ready) = match over {
        Over::Cli => (
            format!("kind = \"cli\"\ncommand = [\"{{{{ passmuster }}}}\", \"session\", \"{state}\"]"),
            format!("\"cli\", \"{state}\""),
            "{{ sandbox }}/state/m.sock",
        ),
        Over::Rpc => (
            "kind = \"rpc\"\nsocket = \"{{ sandbox }}/run/m.sock\"".to_owned(),
            format!("\"rpc\", \"--socket\", \"{{{{ sandbox }}}}/run/m.sock\", \"{state}\""),
            "{{ sandbox }}/run/m.sock",
        ),
        Over::Mcp => (
            "kind = \"mcp\"\nurl = \"http://127.0.0.1:{{ port }}/mcp\"".to_owned(),
            format!("\"mcp\", \"--http\", \"127.0.0.1:{{{{ port }}}}\", \"{state}\""),
            "127.0.0.1:{{ port }}",
        ),
    };
    format!(
        "[system]\nname = \"reference with {name}\"\nsuites = [\"lifecycle\", \"codex-observability\"]\n\
         processes = \"{}\"\nmessage_chars = 20000\nlacks = {lacks:?}\n\n\
         [transport]\n{transport}\n\n\
         [serve]\ncommand = [\"{{{{ passmuster }}}}\", \"serve\", {serve}, \"{flag}\", \"{name}\"]\nready = {{ connect = \"{ready}\" }}\n\
         state = \"{{{{ sandbox }}}}/state/sessions/{{{{ session_id }}}}.json\"\n\n[status]\nrunning = [\"cogitating\"]\n\n{limits}",
        processes.name()
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::contract::{Claim, SESSION_OPERATIONS};
    use crate::suites::manager::{faults, variations};
    use crate::sut::manifest::Manifest;

    #[test]
    fn every_manifest_can_be_read() {
        let claims = ["lifecycle", "codex-observability"].map(|name| Claim { name, operations: SESSION_OPERATIONS });
        let faults = faults::faults().map(|fault| Change::Fault(fault.info.name));
        for change in faults.chain(variations::VARIATIONS.iter().map(|one| Change::Variation(one.info.name))) {
            for over in Over::ALL {
                let text = manifest(over, change, Processes::Session, &["events"], "[limits]\ncall = 4\n");
                let manifest = Manifest::parse(Path::new("m.toml"), &text, &claims).unwrap_or_else(|errors| panic!("{errors:?}"));
                assert!(manifest.serve.is_some_and(|serve| serve.state.is_some()));
            }
        }
    }
}
