//! What the runner has to know of a manifest's system.

use std::rc::Rc;

use crate::contract::SessionId;
use crate::engine::world::RecordPlace;
use crate::profile::Profiles;
use crate::results::model::System;
use crate::sut::Tail;
use crate::sut::manifest::{Manifest, Template, Variables};
use crate::sut::recorder::shortened;
use crate::sut::sandbox::Sandbox;
use crate::sut::transports::process::{Launch, run};
use crate::trace::settings::{Processes, Settings};

use super::plan::Capabilities;

/// What the system offers, read off its manifest.
pub(crate) fn capabilities(manifest: &Manifest) -> Capabilities {
    let mapped = manifest.clone();
    Capabilities {
        suites: manifest.suites.clone(),
        agents: manifest.agents.clone(),
        offer: Box::new(move |operation| mapped.offer(operation)),
        announces: manifest.announces(),
        can_restart: manifest.serve.is_some(),
        can_kill: manifest.serve.is_some() || (manifest.transport.url.is_none() && manifest.transport.socket.is_none()),
        has_record: record_template(manifest).is_some(),
        processes: match manifest.processes {
            Processes::Session => "session",
            Processes::Turn => "turn",
            Processes::Shared => "shared",
        }
        .into(),
        is_virtual: false,
    }
}

/// What the rules have to know of it.
pub(crate) fn settings(manifest: &Manifest, profiles: &Profiles) -> Settings {
    let mut settings = Settings { limits: manifest.limits, processes: manifest.processes, ..Settings::of(profiles) };
    if let Some(timeout) = manifest.default_timeout_s.and_then(|s| std::time::Duration::try_from_secs_f64(s).ok()) {
        settings.timeout = timeout;
    }
    settings
}

/// Where one session's record is: a store's, or that of a manager whose server can be killed.
fn record_template(manifest: &Manifest) -> Option<&Template> {
    manifest.record.as_ref().or_else(|| manifest.serve.as_ref()?.state.as_ref())
}

/// Where one session's record is in a sandbox, if the manifest says it.
pub(crate) fn record(manifest: &Manifest, sandbox: &Rc<Sandbox>) -> Option<RecordPlace> {
    let template = record_template(manifest)?.clone();
    let (sandbox, folder) = (sandbox.clone(), manifest.folder());
    Some(Rc::new(move |id: &SessionId| {
        let variables = Variables::from_iter([
            ("sandbox".to_owned(), sandbox.path().display().to_string().into()),
            ("home".to_owned(), sandbox.home().display().to_string().into()),
            ("manifest_dir".to_owned(), folder.display().to_string().into()),
            ("session_id".to_owned(), id.as_str().into()),
        ]);
        template.text(&variables).unwrap_or_default().into()
    }))
}

/// What reports say of it: its name, and the first line of what its version command prints.
pub(crate) fn about(manifest: &Manifest) -> System {
    let version = manifest.version.as_ref().and_then(|words| {
        let (program, args) = words.split_first()?;
        let program = manifest.program(program).ok()?.display().to_string();
        let launch = Launch {
            argv: std::iter::once(program).chain(args.iter().cloned()).collect(),
            env: std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect(),
            cwd: std::env::current_dir().ok()?,
            stdin: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let output = runtime.block_on(run(&launch, manifest.limits.call, &Tail::new(0))).ok()?;
        output.stdout.lines().next().map(shortened)
    });
    System { name: manifest.name.clone(), version, transport: manifest.transport.kind.name().into() }
}
