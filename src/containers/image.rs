//! The image that agents run in: this executable and tools of the host's, with the libraries that each asks for.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::contract::AgentKind;

use super::private_podman::{NoEngine, PrivatePodman, find_program};

/// The folder of programs in the image: stand-ins under their agents' names, and tools.
pub(crate) const PROGRAMS: &str = "/usr/local/bin";
/// Where this executable lies in the image.
const SELF: &str = "/usr/local/bin/passmuster";

/// An image, in the store of a folder that others read.
#[derive(Debug)]
pub(crate) struct AgentImage;

impl AgentImage {
    /// Its name, as an engine knows it.
    pub(crate) const NAME: &'static str = "localhost/passmuster-agents:latest";

    /// Makes the image in a store in `folder`, which others read. `passmuster` is this executable, which every agent is; `tools` are
    /// programs of this machine, by their names.
    ///
    /// # Errors
    /// No engine, or no such tool.
    pub(crate) fn make(folder: &Path, passmuster: &Path, name: &str, tools: &[impl AsRef<str>]) -> Result<(), NoEngine> {
        PrivatePodman::look()?;
        let tree = folder.join("tree");
        Self::lay_out(&tree, passmuster, tools)?;
        let mut tar = Command::new(find_program("tar")?).arg("-C").arg(&tree).args(["-c", "."]).stdout(Stdio::piped()).spawn()?;
        let out = tar.stdout.take().ok_or_else(|| NoEngine::Broken("tar writes nothing".into()))?;
        let settings = [format!("ENV PATH={PROGRAMS}:/usr/bin:/bin"), "ENV LANG=C.UTF-8".into()];
        let imported = PrivatePodman::import(folder, out.into(), name, &settings);
        tar.wait()?;
        imported?;
        fs::remove_dir_all(&tree)?;
        Ok(())
    }

    /// Lays out what is in the image.
    fn lay_out(tree: &Path, passmuster: &Path, tools: &[impl AsRef<str>]) -> Result<(), NoEngine> {
        let inside = |path: &Path| tree.join(path.strip_prefix("/").unwrap_or(path));
        for (folder, mode) in [("tmp", 0o1777), ("root", 0o700), ("etc", 0o755), ("home", 0o755)] {
            fs::create_dir_all(tree.join(folder))?;
            fs::set_permissions(tree.join(folder), fs::Permissions::from_mode(mode))?;
        }
        fs::write(tree.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
        copy(passmuster, &inside(Path::new(SELF)))?;
        let mut libraries = needed_libraries(passmuster)?;
        for agent in AgentKind::all() {
            symlink("passmuster", inside(Path::new(PROGRAMS)).join(agent.name()))?;
        }
        for tool in tools {
            let program = tool_program(tool.as_ref())?;
            libraries.extend(needed_libraries(&program)?);
            copy(&program, &inside(Path::new("/usr/bin")).join(tool.as_ref()))?;
            // Scripts name their shell by its old place.
            fs::create_dir_all(tree.join("bin"))?;
            symlink(Path::new("/usr/bin").join(tool.as_ref()), tree.join("bin").join(tool.as_ref()))?;
        }
        libraries.iter().try_for_each(|library| copy(library, &inside(library)))?;
        Ok(())
    }
}

/// A copy of a file, of what a link leads to, with the folders above it.
fn copy(from: &Path, to: &Path) -> Result<(), NoEngine> {
    let no_copy = |error: io::Error| NoEngine::Broken(format!("{} cannot be put into the image: {error}", from.display()));
    fs::create_dir_all(to.parent().unwrap_or(to)).map_err(no_copy)?;
    fs::copy(from, to).map_err(no_copy)?;
    Ok(())
}

/// A program of this machine.
fn tool_program(name: &str) -> Result<PathBuf, NoEngine> {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|place| place.is_file());
    found.ok_or_else(|| NoEngine::Broken(format!("no tool `{name}` in {path} to put into the image")))
}

/// The libraries that a program asks its loader for, by their paths; none where it is linked whole, or is a script.
fn needed_libraries(program: &Path) -> Result<BTreeSet<PathBuf>, NoEngine> {
    let output = Command::new("ldd").arg(program).stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let of_line = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    Ok(text.lines().filter_map(of_line).filter(|path| path.is_file()).collect())
}
