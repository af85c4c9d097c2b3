//! Ctrl-C and SIGTERM: the first asks for an orderly end, a second one ends at once.

use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::watch;

use crate::fakes::processes::{ProcFs, start_no_more};
use crate::sut::sandbox;

/// How long after a signal the same one is not taken for a second.
const ONCE: Duration = Duration::from_secs(1);

/// Becomes true when the user, or the system, asks for the end.
#[allow(clippy::disallowed_methods, reason = "it ends at once: what is to be cleaned up was")]
pub(crate) fn watch() -> watch::Receiver<bool> {
    let (asked, watched) = watch::channel(false);
    if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) {
        std::thread::spawn(move || {
            let mut first: Option<(i32, Instant)> = None;
            for signal in signals.forever() {
                // `timeout` signals the process, and then its group: both times it means the same.
                if first.is_some_and(|(same, at)| same == signal && at.elapsed() < ONCE) {
                    continue;
                }
                first.get_or_insert((signal, Instant::now()));
                if asked.send_replace(true) {
                    start_no_more();
                    ProcFs::end_descendants_of(std::process::id(), &[]);
                    sandbox::sweep_own();
                    sandbox::sweep();
                    std::process::exit(130);
                }
            }
        });
    }
    watched
}
