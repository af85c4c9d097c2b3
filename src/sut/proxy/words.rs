use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::contract::{OperationSpec, SESSION_OPERATIONS};
use crate::sut::manifest::{CallShape, Manifest, Shape, Step, TransportKind, Variables};

/// The words that connections are understood by.
#[derive(Debug)]
pub(crate) struct Words {
    rpc: Arc<Tongue>,
    mcp: Arc<Tongue>,
}

/// What one manifest understands.
#[derive(Debug)]
pub(crate) struct Tongue {
    pub(crate) manifest: Manifest,
    pub(crate) calls: Vec<KnownCall>,
}

/// A call that an operation is known by.
#[derive(Debug)]
pub(crate) struct KnownCall {
    /// The method, or the tool.
    name: String,
    pub(crate) operation: &'static OperationSpec,
    pub(crate) step: Arc<Step>,
}

impl Words {
    /// A manifest's words.
    ///
    /// # Errors
    /// Where it is not for JSON-RPC or MCP.
    pub(crate) fn of(manifest: Manifest) -> Result<Self, String> {
        match manifest.transport.kind {
            TransportKind::Rpc | TransportKind::Mcp => {
                let tongue = Arc::new(Tongue::of(manifest));
                Ok(Self { rpc: tongue.clone(), mcp: tongue })
            }
            kind => {
                Err(format!("{}: recording stands between JSON-RPC or MCP and its client, not {}", manifest.path.display(), kind.name()))
            }
        }
    }

    /// The contract's own words, whichever of the two is spoken.
    pub(crate) fn canonical() -> Self {
        let tongue = |kind: &str| {
            let text = format!("[system]\nname = \"canonical\"\n[transport]\nkind = \"{kind}\"\ncommand = [\"canonical\"]\n");
            Arc::new(Tongue::of(Manifest::parse(Path::new("canonical"), &text, &[]).expect("the canonical words")))
        };
        Self { rpc: tongue("rpc"), mcp: tongue("mcp") }
    }

    /// What is spoken on a connection that begins with that method.
    pub(crate) fn begun_with(&self, method: &str) -> Arc<Tongue> {
        let is_mcp =
            matches!(method, "initialize" | "server/discover") || method.starts_with("tools/") || method.starts_with("notifications/");
        if is_mcp { self.mcp.clone() } else { self.rpc.clone() }
    }
}

impl Tongue {
    fn of(manifest: Manifest) -> Self {
        let call = |operation: &'static OperationSpec| {
            let step = decisive(manifest.operations.get(operation.name)?)?;
            let CallShape::Named(name, _) = &step.call else { return None };
            // A name that is a template is nobody's for certain.
            let name = name.text(&Variables::new()).ok()?;
            Some(KnownCall { name, operation, step: Arc::new(step.clone()) })
        };
        Self { calls: SESSION_OPERATIONS.iter().filter_map(call).collect(), manifest }
    }
}

impl KnownCall {
    /// The variables that it was made with, where it is this one.
    pub(crate) fn read(&self, name: &str, given: &Value) -> Option<Variables> {
        let mut variables = Variables::new();
        let shape: Option<&Shape> = match &self.step.call {
            CallShape::Named(_, shape) => shape.as_ref(),
            CallShape::Command(_) => None,
        };
        (self.name == name && shape.is_none_or(|shape| shape.read(given, &mut variables))).then_some(variables)
    }
}

/// The call that an operation of several is known by: the last that it always makes.
fn decisive(steps: &[Step]) -> Option<&Step> {
    steps.iter().rev().find(|step| step.when_given.is_none()).or(steps.last())
}
