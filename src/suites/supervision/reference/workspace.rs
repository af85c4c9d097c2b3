//! The branch that a workspace is on, read off its repository.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a workspace's HEAD is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Head {
    /// A branch.
    Branch(String),
    /// A commit.
    Detached,
    /// It cannot be told: no repository, or one that cannot be read.
    Unknown(String),
}

impl Head {
    /// What it is, for people.
    pub(crate) fn words(&self) -> String {
        match self {
            Head::Branch(name) => format!("on the branch `{name}`"),
            Head::Detached => "on no branch (detached HEAD)".to_owned(),
            Head::Unknown(why) => format!("on an unknown branch: {why}"),
        }
    }
}

/// Reads a workspace's HEAD: from its files, which takes no process; where the repository keeps its references in tables, git
/// is asked.
pub(crate) fn head(workspace: &Path) -> Head {
    read(workspace).unwrap_or_else(Head::Unknown)
}

fn read(workspace: &Path) -> Result<Head, String> {
    let git = git_folder(workspace)?;
    let common = std::fs::read_to_string(git.join("commondir")).map_or_else(|_| git.clone(), |dir| git.join(dir.trim()));
    if common.join("reftable").is_dir() {
        return ask(workspace);
    }
    let path = git.join("HEAD");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(match text.trim().strip_prefix("ref: refs/heads/") {
        Some(branch) => Head::Branch(branch.to_owned()),
        None => Head::Detached,
    })
}

/// The repository's folder, also where a worktree says it in a file.
fn git_folder(workspace: &Path) -> Result<PathBuf, String> {
    let git = workspace.join(".git");
    if git.is_dir() {
        return Ok(git);
    }
    let text = std::fs::read_to_string(&git).map_err(|_| format!("{} is no git repository", workspace.display()))?;
    let place = text.trim().strip_prefix("gitdir: ").ok_or_else(|| format!("{} says no gitdir", git.display()))?;
    Ok(workspace.join(place))
}

fn ask(workspace: &Path) -> Result<Head, String> {
    let asked = Command::new("git").arg("-C").arg(workspace).args(["symbolic-ref", "--quiet", "HEAD"]).output();
    let output = asked.map_err(|error| format!("git cannot be asked: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    match (output.status.code(), said.trim().strip_prefix("refs/heads/")) {
        (Some(0), Some(branch)) => Ok(Head::Branch(branch.to_owned())),
        (Some(1), _) => Ok(Head::Detached),
        _ => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(folder: &Path, args: &[&str]) -> bool {
        let identity = ["-c", "user.name=x", "-c", "user.email=x@x"];
        Command::new("git").arg("-C").arg(folder).args(identity).args(args).output().is_ok_and(|output| output.status.success())
    }

    #[test]
    fn a_branch_is_told_in_every_kind_of_repository() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("main");
        std::fs::create_dir(&main).unwrap();
        assert!(matches!(head(&main), Head::Unknown(_)));
        assert!(git(&main, &["init", "-q", "-b", "work/one"]));
        assert_eq!(head(&main), Head::Branch("work/one".into()));
        assert!(git(&main, &["commit", "-q", "--allow-empty", "-m", "x"]));
        assert!(git(&main, &["worktree", "add", "-q", "-b", "two", "../tree"]));
        assert_eq!(head(&folder.path().join("tree")), Head::Branch("two".into()));
        assert!(git(&main, &["checkout", "-q", "--detach"]));
        assert_eq!(head(&main), Head::Detached);
        // Since git 2.45.
        let tables = folder.path().join("tables");
        std::fs::create_dir(&tables).unwrap();
        if git(&tables, &["init", "-q", "-b", "three", "--ref-format=reftable"]) {
            assert_eq!(head(&tables), Head::Branch("three".into()));
        }
    }
}
