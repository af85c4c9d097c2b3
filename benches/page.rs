//! What the HTML report of 5,000 scenarios weighs, and how long it takes to draw, to open and to filter in a real Chromium.
//! Figures with their date are in `docs/measurements.md`.
//!
//! Plain, for the browser measures: a filter's time is from the change of a field to the frame that shows it. A number as
//! the argument stands for 5,000; the page is kept, to be looked at.

use std::path::Path;
use std::time::{Duration, Instant};

#[path = "../tests/browser/chromium.rs"]
mod chromium;
#[path = "../tests/browser/pages.rs"]
mod pages;

use chromium::{Chromium, FRAME};

const ROUNDS: usize = 10;

/// What is set, and to what.
const FILTERS: [(&str, &str); 5] =
    [("agent", "codex"), ("verdict", "failed"), ("suite", "lifecycle"), ("requirement", "LC-CLEAN-1"), ("text", "scenario 49")];

#[allow(clippy::print_stdout, reason = "it is what the program is asked for")]
fn main() {
    let scenarios = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(5000);
    let report = pages::report(scenarios);
    let began = Instant::now();
    let page = pages::page(&report, Path::new(env!("CARGO_TARGET_TMPDIR")));
    let drawn = began.elapsed();
    let weight = page.metadata().expect("it was written").len() as f64 / 1e6;
    println!("{scenarios} scenarios: {weight:.2} MB, drawn in {drawn:.0?}: {}", page.display());

    let mut browser = Chromium::start();
    let opened = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        browser.open(&page);
        browser.evaluate(FRAME);
        (began.elapsed(), browser.thread_time())
    });
    tell("opened", opened.collect());
    let reset = format!("document.querySelector('[type=reset]').click(); {FRAME}");
    for (field, value) in FILTERS {
        let set = format!(
            "{{ const field = document.querySelector('[name={field}]'); field.value = {value:?}; \
             field.dispatchEvent(new Event('input', {{ bubbles: true }})); }} {FRAME}"
        );
        let (filtered, shown) = (0..ROUNDS).map(|_| (timed(&mut browser, &set), timed(&mut browser, &reset))).unzip();
        tell(&format!("filtered by {field}={value}"), filtered);
        tell("all shown again", shown);
    }
}

/// How long a script takes, until the frame that shows what it did, and how much of a processor the page takes for it.
fn timed(browser: &mut Chromium, script: &str) -> (Duration, Duration) {
    let (began, before) = (Instant::now(), browser.thread_time());
    browser.evaluate(script);
    (began.elapsed(), browser.thread_time() - before)
}

#[allow(clippy::print_stdout, reason = "it is what the program is asked for")]
fn tell(what: &str, times: Vec<(Duration, Duration)>) {
    let sorted = |of: fn(&(Duration, Duration)) -> Duration| {
        let mut times: Vec<Duration> = times.iter().map(of).collect();
        times.sort();
        times
    };
    let (clock, processor) = (sorted(|time| time.0), sorted(|time| time.1));
    println!(
        "{what}: median {:.0?}, slowest {:.0?}; of a processor median {:.0?}, slowest {:.0?} (n = {ROUNDS})",
        clock[ROUNDS / 2],
        clock[ROUNDS - 1],
        processor[ROUNDS / 2],
        processor[ROUNDS - 1]
    );
}
