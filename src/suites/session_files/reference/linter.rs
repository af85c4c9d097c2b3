//! The linter of session files: gathers, reads, asks the rules, puts right what can be.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::gathering::{GatheredFiles, gather};
use super::{history, placing, repository};
use crate::files::{
    Edit, FileRule, FileText, LintReport, LocatedFinding, ROOT, Repaired, Safety, SessionFile, Surroundings, UncheckedFile, apply, check,
    dangling, mentions, repair,
};

/// The largest file that is read: a session file has some thousand characters.
const LARGEST: u64 = 10 << 20;

/// Checks session files, and puts them right.
pub(crate) struct Linter<'a> {
    /// The time that it is.
    pub now: Timestamp,
    /// Which rules are asked.
    pub wanted: &'a (dyn Fn(&FileRule) -> bool + Sync),
}

/// Whether what was put right is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FixWriting {
    /// It is.
    InPlace,
    /// It is shown alone.
    Shown,
}

/// A file that was put right.
#[derive(Debug, Clone)]
pub(crate) struct ChangedFile {
    /// Its path.
    pub path: String,
    /// What it held.
    pub before: Vec<u8>,
    /// What it holds.
    pub after: Vec<u8>,
    /// Its new path, where it got one.
    pub renamed: Option<String>,
}

/// What is known about the neighbours of a file.
#[derive(Default)]
struct Neighbours {
    names: HashSet<String>,
    earlier: HashMap<String, Vec<String>>,
}

impl Linter<'_> {
    /// Checks what lies at paths.
    pub(crate) fn check(&self, paths: &[PathBuf]) -> LintReport {
        self.run(paths, None).0
    }

    /// Puts right what can be, and checks what is left.
    pub(crate) fn fix(&self, paths: &[PathBuf], safety: Safety, writing: FixWriting) -> (LintReport, Vec<ChangedFile>) {
        self.run(paths, Some((safety, writing)))
    }

    /// Checks a text as if it lay at a path.
    pub(crate) fn check_text(&self, path: &Path, bytes: &[u8], safety: Option<Safety>) -> (LintReport, Repaired) {
        let neighbours = Neighbours {
            names: repository::session_names(&repository::containing(path.parent().unwrap_or(path))),
            ..Neighbours::default()
        };
        let repaired = self.repaired(path, bytes, safety, &neighbours);
        let file = SessionFile::read(&repaired.name, &repaired.bytes);
        let found = repaired.left.iter().map(|finding| LocatedFinding::new(&path.display().to_string(), &file.text, finding.clone()));
        (LintReport { findings: found.collect(), checked: 1, fixed: repaired.fixed, ..LintReport::default() }, repaired)
    }

    fn run(&self, paths: &[PathBuf], fixing: Option<(Safety, FixWriting)>) -> (LintReport, Vec<ChangedFile>) {
        let GatheredFiles { files, unreadable, repositories } = gather(paths);
        let mut report = LintReport { unreadable, ..LintReport::default() };
        let mut neighbours: HashMap<PathBuf, Neighbours> = HashMap::new();
        for file in &files {
            let root = repository::containing(file.parent().unwrap_or(file));
            neighbours
                .entry(root)
                .or_insert_with_key(|root| Neighbours { names: repository::session_names(root), earlier: HashMap::new() });
        }
        let read = in_parallel(&files, |path| read(path));
        if read.iter().flatten().any(|bytes| has_a_log(bytes)) {
            for (root, known) in neighbours.iter_mut().filter(|(root, _)| root.join(".git").exists()) {
                known.earlier = history::earlier(root);
            }
        }
        let jobs: Vec<(&PathBuf, &Result<Vec<u8>, String>)> = files.iter().zip(&read).collect();
        let none = Neighbours::default();
        let done = in_parallel(&jobs, |(path, bytes)| {
            let bytes = bytes.as_ref().map_err(Clone::clone)?;
            let known = neighbours.get(&repository::containing(path.parent().unwrap_or(path))).unwrap_or(&none);
            Ok::<_, String>(self.repaired(path, bytes, fixing.map(|(safety, _)| safety), known))
        });
        let mut changed = Vec::new();
        for ((path, bytes), done) in jobs.into_iter().zip(done) {
            let shown = path.display().to_string();
            let outcome = done.and_then(|repaired| {
                let before = bytes.as_ref().map_err(Clone::clone)?;
                let change = change(path, before, &repaired);
                if let (Some(change), Some((_, FixWriting::InPlace))) = (&change, fixing) {
                    write(path, change, self.repository_of(path)).map_err(|error| format!("it cannot be put right: {error}"))?;
                }
                Ok((repaired, change))
            });
            match outcome {
                Err(why) => report.unreadable.push(UncheckedFile { path: shown, why }),
                Ok((repaired, change)) => {
                    let path = change.as_ref().and_then(|change| change.renamed.clone()).unwrap_or(shown);
                    let file = SessionFile::read(&repaired.name, &repaired.bytes);
                    report.findings.extend(repaired.left.into_iter().map(|finding| LocatedFinding::new(&path, &file.text, finding)));
                    report.checked += 1;
                    report.fixed += repaired.fixed;
                    changed.extend(change);
                }
            }
        }
        for root in &repositories {
            report.findings.extend(self.references(root));
        }
        report.findings.sort_by(|a, b| (&a.path, a.line, a.column).cmp(&(&b.path, b.line, b.column)));
        report.unreadable.sort_by(|a, b| a.path.cmp(&b.path));
        (report, changed)
    }

    fn repository_of(&self, path: &Path) -> PathBuf {
        repository::containing(path.parent().unwrap_or(path))
    }

    fn repaired(&self, path: &Path, bytes: &[u8], safety: Option<Safety>, known: &Neighbours) -> Repaired {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let folder = folder(path);
        let exists = |name: &str| known.names.contains(name);
        let earlier = known.earlier.get(&name).map(Vec::as_slice).unwrap_or_default();
        let around = Surroundings { now: self.now, folder: folder.as_deref(), earlier, exists: Some(&exists) };
        match safety {
            Some(safety) => repair(&name, bytes, &around, safety, self.wanted),
            None => {
                let left = check(&SessionFile::read(&name, bytes), &around, self.wanted);
                Repaired { bytes: bytes.to_vec(), name, fixed: 0, left }
            }
        }
    }

    /// What the other files of a repository name that is gone.
    fn references(&self, root: &Path) -> Vec<LocatedFinding> {
        let rule = crate::files::rule("SF602").expect("the table has it");
        if !(self.wanted)(rule) {
            return Vec::new();
        }
        let names = repository::session_names(root);
        let mut found = Vec::new();
        for file in repository::naming(root) {
            let path = root.join(&file.path).display().to_string();
            let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
            // Examples in programs and data have such names, too: bare ones count where people write.
            let is_prose = file.path.ends_with(".md");
            let beside = root.join(&file.path);
            let exists = |name: &str| names.contains(name) || is_prose && beside.with_file_name(name).exists();
            found
                .extend(dangling(&file.text, &exists, is_prose).into_iter().map(|finding| LocatedFinding::new(&path, &file.text, finding)));
        }
        found
    }
}

/// Whether there may be a log of several entries.
fn has_a_log(bytes: &[u8]) -> bool {
    bytes.windows(5).filter(|window| window == b"\n### ").count() > 2
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    if about.len() > LARGEST {
        return Err(format!("it has {} MB: wanted at most {} MB", about.len() >> 20, LARGEST >> 20));
    }
    fs::read(path).map_err(|error| error.to_string())
}

/// A file's folder from its repository's root.
fn folder(path: &Path) -> Option<String> {
    let parent = path.parent().unwrap_or(Path::new(""));
    let whole = std::path::absolute(if parent.as_os_str().is_empty() { Path::new(".") } else { parent }).ok()?;
    // The file itself may not be there: what is typed into an editor is checked before it is saved.
    let whole = fs::canonicalize(&whole).unwrap_or(whole).to_string_lossy().into_owned();
    match whole.rfind(&format!("/{ROOT}")) {
        Some(at) => Some(whole[at + 1..].to_owned()),
        None => Some(
            whole
                .strip_prefix(repository::containing(Path::new(&whole)).to_str()?)
                .map_or(whole.clone(), |below| below.trim_start_matches('/').to_owned()),
        ),
    }
}

fn change(path: &Path, before: &[u8], repaired: &Repaired) -> Option<ChangedFile> {
    let named = path.file_name().is_some_and(|name| name.to_string_lossy() == repaired.name);
    let renamed = (!named).then(|| path.with_file_name(&repaired.name).display().to_string());
    let change = ChangedFile { path: path.display().to_string(), before: before.to_vec(), after: repaired.bytes.clone(), renamed };
    (change.renamed.is_some() || change.before != change.after).then_some(change)
}

/// Writes what was put right. Whoever names a file that gets another name names the new one.
fn write(path: &Path, change: &ChangedFile, root: PathBuf) -> std::io::Result<()> {
    if change.before != change.after {
        let is_ours = placing::replace(path, &change.before, &change.after)?;
        if !is_ours {
            return Err(std::io::Error::other("somebody saved it meanwhile"));
        }
    }
    let Some(renamed) = &change.renamed else { return Ok(()) };
    let renamed = Path::new(renamed);
    placing::rename_new(path, renamed)?;
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (old, new) = (name(path), name(renamed));
    let others = repository::naming(&root).into_iter().map(|file| (root.join(&file.path), file.text));
    let sessions = repository::session_names(&root).into_iter().map(|name| root.join(ROOT).join(name));
    let sessions = sessions.filter_map(|path| Some((path.clone(), FileText::new(&placing::read(&path).ok()?))));
    for (path, text) in others.chain(sessions).filter(|(_, text)| text.invalid.is_none()) {
        let own = mentions(&text.text).into_iter().filter(|mention| mention.name == old);
        let edits: Vec<Edit> = own.map(|mention| Edit { span: mention.span, text: new.clone() }).collect();
        if !edits.is_empty() {
            placing::replace(&path, text.text.as_bytes(), &apply(text.text.as_bytes(), &edits))?;
        }
    }
    Ok(())
}

/// Does something to each item, on every core, and gives the results in order.
fn in_parallel<T: Sync, R: Send>(items: &[T], job: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len().div_ceil(32));
    if threads < 2 {
        return items.iter().map(job).collect();
    }
    let size = items.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let job = &job;
        let parts: Vec<_> = items.chunks(size).map(|part| scope.spawn(move || part.iter().map(job).collect::<Vec<R>>())).collect();
        parts.into_iter().flat_map(|part| part.join().expect("rules do not panic")).collect()
    })
}
