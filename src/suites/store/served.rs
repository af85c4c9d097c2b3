//! The reference store behind its fronts, as somebody's system.

use crate::contract::{OperationSpec, STORE_OPERATIONS};
use crate::engine::matrix::Over;

/// The manifest of the reference store with a fault. It needs no limits: a store answers, or it has ended. Over the command line its hooks are commands, as agents' settings call them.
pub(super) fn manifest(over: Over, name: &str) -> String {
    let store = |command: &str, more: &str| {
        format!("[\"{{{{ passmuster }}}}\", {command}, \"--root\", \"{{{{ sandbox }}}}/session\", \"--fault\", \"{name}\"{more}]")
    };
    let (command, hooks) = match over {
        Over::Rpc => (store("\"store\"", ", \"serve\", \"rpc\""), String::new()),
        Over::Mcp => (store("\"store\"", ", \"serve\", \"mcp\""), String::new()),
        Over::Cli => {
            let hook = |operation: &OperationSpec| {
                let command = store(&format!("\"hook\", {:?}", operation.verb()), "");
                let result = operation.result.iter().map(|field| format!("{0} = \"$.{0}\"", field.name)).collect::<Vec<_>>().join(", ");
                format!("[operations.{}]\ncommand = {command}\nstdin = \"{{{{ input }}}}\"\nresult = {{ {result} }}\n", operation.name)
            };
            let takes_input = |operation: &&OperationSpec| operation.args.iter().any(|field| field.name == "input");
            (
                store("\"store\"", ""),
                "canonical = true\n".to_owned() + &STORE_OPERATIONS.iter().filter(takes_input).map(hook).collect::<String>(),
            )
        }
    };
    format!(
        "[system]\nname = \"reference store with {name}\"\nsuites = [\"resumption\"]\n\n\
         [transport]\nkind = \"{over}\"\ncommand = {command}\n{hooks}\n\
         [store]\nrecord = \"{{{{ sandbox }}}}/session/{{{{ session_id }}}}/state.json\"\n"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::contract::Claim;
    use crate::suites::store::faults::FAULTS;
    use crate::sut::manifest::Manifest;

    #[test]
    fn every_manifest_can_be_read() {
        let claims = [Claim { name: "resumption", operations: STORE_OPERATIONS }];
        for fault in FAULTS {
            for over in Over::ALL {
                let text = manifest(over, fault.info.name);
                let manifest = Manifest::parse(Path::new("m.toml"), &text, &claims).unwrap_or_else(|errors| panic!("{errors:?}"));
                assert!(manifest.record.is_some() && manifest.offer(&STORE_OPERATIONS[0]).offered);
            }
        }
    }
}
