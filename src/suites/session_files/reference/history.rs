//! Earlier versions of session files, as git has them.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::files::ROOT;

/// How far back one looks: commits, and versions of a file.
const COMMITS: &str = "200";
const VERSIONS: usize = 20;

/// Earlier versions by file name, the newest first. Nothing where there is no git, or nothing in it.
pub(crate) fn earlier(repository: &Path) -> HashMap<String, Vec<String>> {
    read(repository).unwrap_or_default()
}

fn read(repository: &Path) -> Option<HashMap<String, Vec<String>>> {
    let log =
        git(repository).args(["log", "-n", COMMITS, "--format=%x00%H", "--name-only", "--diff-filter=AM", "--", ROOT]).output().ok()?;
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    let mut wanted: HashMap<String, Vec<String>> = HashMap::new();
    for commit in log.split('\0').skip(1) {
        let mut lines = commit.lines().filter(|line| !line.is_empty());
        let Some(id) = lines.next() else { continue };
        for path in lines {
            let versions = wanted.entry(path.to_owned()).or_default();
            if versions.len() < VERSIONS {
                versions.push(format!("{id}:{path}"));
            }
        }
    }
    let names: Vec<(&String, &String)> =
        wanted.iter().flat_map(|(path, versions)| versions.iter().map(move |version| (path, version))).collect();
    let texts = blobs(repository, names.iter().map(|(_, version)| version.as_str()))?;
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    for ((path, _), text) in names.into_iter().zip(texts) {
        let name = path.rsplit('/').next().unwrap_or_default();
        found.entry(name.to_owned()).or_default().push(text);
    }
    Some(found)
}

fn git(repository: &Path) -> Command {
    let mut git = Command::new("git");
    // Names come as they are.
    git.arg("-C").arg(repository).args(["-c", "core.quotePath=false"]).stdin(Stdio::null()).stderr(Stdio::null());
    git
}

/// The texts of versions, in order; an empty one for what is not there.
fn blobs<'a>(repository: &Path, versions: impl Iterator<Item = &'a str>) -> Option<Vec<String>> {
    let asked: String = versions.map(|version| format!("{version}\n")).collect();
    let mut child = git(repository).args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let mut input = child.stdin.take()?;
    let count = asked.lines().count();
    let writer = std::thread::spawn(move || input.write_all(asked.as_bytes()));
    let mut output = BufReader::new(child.stdout.take()?);
    let mut texts = Vec::new();
    for _ in 0..count {
        let mut head = String::new();
        if output.read_line(&mut head).ok()? == 0 {
            break;
        }
        let size: Option<usize> = head.split_whitespace().nth(2).and_then(|size| size.parse().ok());
        let mut text = vec![0; size.map_or(0, |size| size + 1)];
        output.read_exact(&mut text).ok()?;
        text.pop();
        texts.push(String::from_utf8_lossy(&text).into_owned());
    }
    // Whatever became of them, what they said has been read.
    let _ = (writer.join(), child.wait());
    Some(texts)
}
