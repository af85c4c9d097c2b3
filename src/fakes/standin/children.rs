//! The processes that a stand-in starts when it is told to. Each ends by itself after ten minutes.

use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use crate::fakes::control::Child;
use crate::fakes::processes::RUN_MARK;

const SECONDS: &str = "600";

/// Starts a process in one of the ways; gives its pid.
pub(crate) fn start(how: Child) -> io::Result<u32> {
    let mut command = match how {
        Child::Background | Child::Setsid => {
            let mut command = Command::new("sleep");
            command.arg(SECONDS);
            command
        }
        // What a shell ignores, the program that it becomes ignores as well.
        Child::Stubborn => shell(&format!("trap '' HUP TERM INT; exec sleep {SECONDS}")),
        // As with `nohup`: what outlives its parent outlives the hangup of its terminal, too.
        Child::Reparented => shell(&format!("trap '' HUP; sleep {SECONDS} >/dev/null 2>&1 & echo $!")),
    };
    command.env(RUN_MARK, std::process::id().to_string()).stdin(Stdio::null()).stderr(Stdio::null());
    command.stdout(if how == Child::Reparented { Stdio::piped() } else { Stdio::null() });
    if how == Child::Setsid {
        // SAFETY: setsid is async-signal-safe and touches no memory of this process.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(|| rustix::process::setsid().map(drop).map_err(io::Error::from));
        }
    }
    let mut child = command.spawn()?;
    if how != Child::Reparented {
        return Ok(child.id());
    }
    let mut pid = String::new();
    if let Some(out) = &mut child.stdout {
        out.read_to_string(&mut pid)?;
    }
    child.wait()?;
    pid.trim().parse().map_err(|_| io::Error::other(format!("the shell named no process: `{pid}`")))
}

fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    command
}
