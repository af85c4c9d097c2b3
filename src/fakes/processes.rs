//! What is alive, whatever anyone claims: the operating system's own account.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{LazyLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, set_child_subreaper, waitid};

use super::registry::FakeRun;

/// A process that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// When it began, in the system's ticks.
    pub ticks: u64,
    /// Its name.
    pub command: String,
    /// Whether it is the agent itself.
    pub is_agent: bool,
}

/// The truth about processes.
pub trait LiveProcesses {
    /// Whether a process lives that began then. A zombie is dead.
    fn alive(&self, pid: u32, ticks: u64) -> bool;

    /// What lives of a run: the agent, what is under it, what it started and what carries its mark.
    fn of_run(&self, run: &FakeRun) -> Vec<Process>;

    /// Stops a process (SIGSTOP).
    fn stop(&self, pid: u32);

    /// Lets a stopped process go on (SIGCONT).
    fn resume(&self, pid: u32);

    /// Kills a process (SIGKILL).
    fn kill(&self, pid: u32);
}

/// The length of a tick in which the system tells processor time, in milliseconds: `USER_HZ` is 100 on every Linux.
const TICK_MS: u64 = 10;

/// The mark in the environment of whatever a stand-in starts.
pub const RUN_MARK: &str = "PASSMUSTER_RUN";

/// Linux's `/proc`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcFs;

/// One line of the process table.
#[derive(Debug, Clone)]
pub struct ProcessEntry {
    /// Its id.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// When it began, in ticks since boot.
    pub ticks: u64,
    /// Its name.
    pub command: String,
    /// Its process group.
    pub group: u32,
}

impl ProcFs {
    /// The process table without the dead: states Z and X.
    pub fn table() -> Vec<ProcessEntry> {
        let Ok(folder) = fs::read_dir("/proc") else { return Vec::new() };
        folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(Self::entry).collect()
    }

    /// One process, unless it is dead.
    pub fn entry(pid: u32) -> Option<ProcessEntry> {
        // A line of numbers and a name of 15 bytes: it is whole in one read, which a file that says it is empty does not get.
        let mut line = [0; 1024];
        let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
        let stat = String::from_utf8_lossy(&line[..length]);
        // The name stands in parentheses and may hold anything, parentheses included.
        let (open, close) = (stat.find('(')?, stat.rfind(')')?);
        let mut rest = stat[close + 1..].split_whitespace();
        let state = rest.next()?;
        if matches!(state, "Z" | "X" | "x") {
            return None;
        }
        let parent = rest.next()?.parse().ok()?;
        let group = rest.next()?.parse().ok()?;
        let ticks = rest.nth(16)?.parse().ok()?;
        Some(ProcessEntry { pid, parent, ticks, command: stat[open + 1..close].to_owned(), group })
    }

    /// Whether a process catches a signal, or ignores it.
    pub fn minds(pid: u32, signal: Signal) -> bool {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let masks = status.lines().filter_map(|line| line.strip_prefix("SigCgt:").or(line.strip_prefix("SigIgn:")));
        let minded = masks.filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok()).fold(0, |all, mask| all | mask);
        minded & (1 << (signal.as_raw() - 1)) != 0
    }

    /// Whether a process is stopped in the middle, as by TSTP.
    pub fn is_stopped(pid: u32) -> bool {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|after| after.trim_start().starts_with(['T', 't']))
    }

    /// The processor time that whatever runs below a process has taken, and what it has taken leave of.
    pub fn time_below(pid: u32) -> Duration {
        let taken = |pid: u32, own: bool| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let after = stat.rfind(')').map_or("", |close| &stat[close + 1..]);
            // From the state on, the 12th and 13th are its own time, the 14th and 15th that of the children it waited for.
            let (skip, take) = if own { (11, 4) } else { (13, 2) };
            after.split_whitespace().skip(skip).take(take).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>()
        };
        let below = Self::walk(pid);
        let ticks = taken(pid, false) + below.iter().map(|entry| taken(entry.pid, true)).sum::<u64>();
        Duration::from_millis(ticks * TICK_MS)
    }

    /// When a process began; 0 where it is dead.
    pub fn ticks(pid: u32) -> u64 {
        Self::entry(pid).map_or(0, |entry| entry.ticks)
    }

    /// Everything under a process, itself left out.
    pub fn descendants(table: &[ProcessEntry], root: u32) -> Vec<ProcessEntry> {
        let mut children: BTreeMap<u32, Vec<&ProcessEntry>> = BTreeMap::new();
        for entry in table {
            children.entry(entry.parent).or_default().push(entry);
        }
        let (mut found, mut queue) = (Vec::new(), vec![root]);
        while let Some(parent) = queue.pop() {
            for child in children.get(&parent).into_iter().flatten() {
                found.push((*child).clone());
                queue.push(child.pid);
            }
        }
        found
    }

    /// Everything under a process, itself left out, found from it downwards as the kernel lists children: what that costs does
    /// not depend on what else runs. A child can be missing from a list while a sibling of it goes: that nothing is under a
    /// process that had a child is taken from the whole table alone.
    pub fn under(root: u32) -> Vec<ProcessEntry> {
        let found = Self::walk(root);
        if found.is_empty() && !Self::children(root).is_some_and(|children| children.is_empty()) {
            return Self::descendants(&Self::table(), root);
        }
        found
    }

    /// As [`ProcFs::under`], unconfirmed: for those to whom it is the same whether there is one more.
    fn walk(root: u32) -> Vec<ProcessEntry> {
        let (mut found, mut queue) = (Vec::new(), vec![root]);
        while let Some(parent) = queue.pop() {
            for child in Self::children(parent).unwrap_or_default().into_iter().filter_map(Self::entry) {
                queue.push(child.pid);
                found.push(child);
            }
        }
        found
    }

    /// The children of a process's threads, the dead too; nothing where the kernel lists none (`CONFIG_PROC_CHILDREN`).
    fn children(pid: u32) -> Option<Vec<u32>> {
        static LISTED: LazyLock<bool> = LazyLock::new(|| Path::new("/proc/thread-self/children").exists());
        if !*LISTED {
            return None;
        }
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Some(Vec::new()) };
        let lists = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        Some(lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect())
    }

    /// Kills a process and what is under it just now.
    pub fn kill_with_descendants(root: u32) {
        let under = Self::under(root);
        kill(root, Signal::KILL);
        under.iter().for_each(|entry| kill(entry.pid, Signal::KILL));
    }

    /// Whether a process's environment has `NAME=value`.
    pub fn has_mark(pid: u32, mark: &str) -> bool {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()))
    }

    /// Kills everything under a process but `except` and what is under those, again and again until twice in a row nothing
    /// was left (at most 200 rounds of 5 ms): what changes its parent while the table is read is not in it. Gives what
    /// there was, for people.
    #[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
    pub fn end_descendants_of(root: u32, except: &[u32]) -> Vec<String> {
        let (mut ended, mut empty) = (BTreeSet::new(), 0);
        for _ in 0..200 {
            let left = if except.is_empty() {
                Self::under(root)
            } else {
                let table: Vec<ProcessEntry> = Self::table().into_iter().filter(|entry| !except.contains(&entry.pid)).collect();
                Self::descendants(&table, root)
            };
            for entry in &left {
                kill(entry.pid, Signal::KILL);
                ended.insert(format!("{} (pid {})", entry.command, entry.pid));
            }
            Self::reap_children_of(root, except);
            empty = if left.is_empty() { empty + 1 } else { 0 };
            if empty == 2 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        ended.into_iter().collect()
    }

    /// Takes leave of dead children that came by adoption. Each is waited for by its own id: a wait for any child would
    /// take away those that somebody else waits for.
    fn reap_children_of(root: u32, except: &[u32]) {
        if root != std::process::id() {
            return;
        }
        for pid in Self::children(root).unwrap_or_default().into_iter().filter(|pid| !except.contains(pid)) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
            }
        }
    }
}

/// Whether this process starts none any more.
static OVER: RwLock<bool> = RwLock::new(false);

/// Asks to start a process; it is started while what is given is held.
///
/// # Errors
/// This process is about to end, and starts none any more.
pub fn starting() -> io::Result<RwLockReadGuard<'static, bool>> {
    let over = OVER.read().unwrap_or_else(PoisonError::into_inner);
    if *over { Err(io::Error::new(io::ErrorKind::Interrupted, "this run was interrupted")) } else { Ok(over) }
}

/// From now on this process starts none: what it ends then is all that there is. Waits for one that is being started.
pub fn start_no_more() {
    *OVER.write().unwrap_or_else(PoisonError::into_inner) = true;
}

/// Makes this process the one to which descendants fall whose parents die.
pub fn become_subreaper() {
    // It fails on no Linux since 3.4; without it the environment mark is still there.
    let _ = set_child_subreaper(Some(rustix::process::getpid()));
}

/// Sends a signal to a process; one that is gone takes none.
pub fn kill(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

impl LiveProcesses for ProcFs {
    fn alive(&self, pid: u32, ticks: u64) -> bool {
        Self::entry(pid).is_some_and(|entry| entry.ticks == ticks)
    }

    fn of_run(&self, run: &FakeRun) -> Vec<Process> {
        let mut found: BTreeMap<u32, ProcessEntry> = BTreeMap::new();
        let reported = run.children.iter().map(|(pid, ticks, _)| (*pid, *ticks));
        for (pid, ticks) in std::iter::once((run.pid, run.started_ticks)).chain(reported) {
            found.extend(Self::entry(pid).filter(|entry| entry.ticks == ticks).map(|entry| (pid, entry)));
        }
        if found.contains_key(&run.pid) {
            found.extend(Self::walk(run.pid).into_iter().map(|entry| (entry.pid, entry)));
        }
        // A child that was reported and is dead may have left children of its own: they carry the mark. They are under this
        // process, to which orphans fall, unless the system under test is not, or nothing is left that would say so.
        if !run.children.is_empty() {
            let near = Self::walk(std::process::id());
            let all_near = !found.is_empty() && found.keys().all(|pid| near.iter().any(|entry| entry.pid == *pid));
            let candidates = if all_near { near } else { Self::table() };
            let mark = format!("{RUN_MARK}={}", run.pid);
            let marked = |entry: &ProcessEntry| entry.ticks >= run.started_ticks && Self::has_mark(entry.pid, &mark);
            found.extend(candidates.into_iter().filter(marked).map(|entry| (entry.pid, entry)));
        }
        found
            .into_values()
            .map(|entry| Process { is_agent: entry.pid == run.pid, pid: entry.pid, ticks: entry.ticks, command: entry.command })
            .collect()
    }

    fn stop(&self, pid: u32) {
        kill(pid, Signal::STOP);
    }

    fn resume(&self, pid: u32) {
        kill(pid, Signal::CONT);
    }

    fn kill(&self, pid: u32) {
        kill(pid, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_zombie_is_dead_and_a_reused_pid_is_somebody_else() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let (pid, ticks) = (child.id(), ProcFs::ticks(child.id()));
        assert!(ProcFs.alive(pid, ticks) && !ProcFs.alive(pid, ticks + 1));
        kill(pid, Signal::KILL);
        // Not yet waited for, it turns into a zombie: dead, as soon as the kernel has carried the signal out.
        while ProcFs.alive(pid, ticks) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }

    #[test]
    fn a_tree_is_found_however_deep() {
        let mut shell = Command::new("sh").args(["-c", "sh -c 'sleep 60 & wait' & wait"]).stdin(Stdio::null()).spawn().unwrap();
        let found = loop {
            let found = ProcFs::under(shell.id());
            if found.iter().any(|entry| entry.command == "sleep") {
                break found;
            }
            std::thread::yield_now();
        };
        let pids = |entries: Vec<ProcessEntry>| entries.into_iter().map(|entry| entry.pid).collect::<BTreeSet<_>>();
        assert!(found.len() >= 2);
        assert_eq!(pids(ProcFs::descendants(&ProcFs::table(), shell.id())), pids(found.clone()), "from below as from the whole table");
        ProcFs::end_descendants_of(shell.id(), &[]);
        shell.wait().unwrap();
        assert!(found.iter().all(|entry| !ProcFs.alive(entry.pid, entry.ticks)));
    }
}
