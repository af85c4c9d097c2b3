//! What the HTML report of 5,000 scenarios weighs, and how long it takes to draw, to open and to filter in a real Chromium.
//! Figures with their date are in `docs/measurements.md`.
//!
//! Plain, for the browser measures: a filter's time is from the change of a field to the frame that shows it. A number as
//! the argument stands for 5,000. The page is kept, to be looked at.

use std::path::Path;
use std::time::{Duration, Instant};

#[path = "../tests/browser/chromium.rs"]
mod chromium;
#[path = "../tests/browser/pages.rs"]
mod pages;

use chromium::Chromium;

const ROUNDS: usize = 10;

/// What is set, and to what.
const FILTERS: [(&str, &str); 6] = [
    ("agent", "codex"),
    ("verdict", "failed"),
    ("suite", "lifecycle"),
    ("requirement", "LC-CLEAN-1"),
    ("text", "scenario 49"),
    ("agent", ""),
];

fn main() {
    let scenarios = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(5000);
    let report = pages::report(scenarios);
    let began = Instant::now();
    let page = pages::page(&report, Path::new(env!("CARGO_TARGET_TMPDIR")));
    let drawn = began.elapsed();
    let weight = page.metadata().expect("it was written").len() as f64 / 1e6;
    println!("{scenarios} scenarios: {weight:.2} MB, drawn in {drawn:.0?}: {}", page.display());

    let mut browser = Chromium::start();
    let (mut loads, mut frames) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        loads.push(browser.open(&page));
        browser.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))");
        frames.push(began.elapsed());
    }
    tell("loaded", loads);
    tell("first frame after that", frames);
    for (field, value) in FILTERS {
        let times = (0..ROUNDS).map(|_| {
            browser.evaluate("new Promise(done => { document.querySelector('[type=reset]').click(); setTimeout(() => requestAnimationFrame(() => setTimeout(done))) })");
            let ms = browser.evaluate(&format!(
                "new Promise(done => {{ const field = document.querySelector('[name={field}]'); const began = performance.now(); \
                 field.value = {value:?}; field.dispatchEvent(new Event('input', {{ bubbles: true }})); \
                 requestAnimationFrame(() => setTimeout(() => done(performance.now() - began))) }})"
            ));
            Duration::from_secs_f64(ms.as_f64().expect("a number") / 1000.0)
        });
        tell(&format!("filter {field}={value}"), times.collect());
    }
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort();
    println!("{what}: median {:.0?}, slowest {:.0?} (n = {ROUNDS})", times[times.len() / 2], times[times.len() - 1]);
}
