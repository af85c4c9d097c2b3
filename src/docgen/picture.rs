//! The observation timeline as a picture: a lane for each agent, time from left to right.

use std::fmt::Write as _;

use crate::profile::{Phase, Profile};

use super::creation::moment;
use super::tree::PICTURE_MARK;

/// Where the phases stand, from left to right.
const PLACES: [(Phase, &str, u32); 4] = [
    (Phase::Started, "T = 0", 170),
    (Phase::PromptAccepted, "prompt accepted", 285),
    (Phase::FirstTurnCompleted, "T = N: first turn over", 545),
    (Phase::Exited, "exit", 700),
];
const RIGHT: u32 = 760;
const LANE: u32 = 92;
const TOP: u32 = 64;

/// What the picture says, for those who do not see it.
pub(crate) fn alt(agents: &[(String, &Profile)]) -> String {
    let one = |(names, profile): &(String, &Profile)| match profile.observable {
        Phase::Started => format!("{names}: observable from the start"),
        Phase::Never => format!("{names}: never observable"),
        phase => format!("{names}: not observable until {}", moment(phase)),
    };
    format!("Observation timeline. {}", agents.iter().map(one).collect::<Vec<_>>().join("; "))
}

/// Draws the picture. It follows the reader's light or dark scheme.
pub(crate) fn draw(agents: &[(String, &Profile)]) -> String {
    let height = TOP + LANE * agents.len() as u32 + 12;
    let mut svg = format!(
        "{PICTURE_MARK}\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {RIGHT} {height}\" role=\"img\" aria-labelledby=\"t\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<title id=\"t\">{}</title>\n<style>\n\
         .text {{ fill: #1f2328 }} .dim {{ fill: #59636e }} .rule {{ stroke: #d1d9e0 }}\n\
         .name {{ font-weight: 600 }} .hidden {{ fill: #eaeef2 }} .runs {{ fill: #54aeff }} .file {{ fill: #4ac26b }} .seen {{ fill: #2da44e; opacity: .18 }}\n\
         @media (prefers-color-scheme: dark) {{\n  .text {{ fill: #f0f6fc }} .dim {{ fill: #9198a1 }} .rule {{ stroke: #3d444d }}\n  \
         .hidden {{ fill: #262c36 }} .runs {{ fill: #388bfd }} .file {{ fill: #3fb950 }} .seen {{ fill: #3fb950; opacity: .22 }}\n}}\n</style>\n",
        escaped(&alt(agents))
    );
    for (_, name, x) in PLACES {
        writeln!(svg, "<text class=\"dim\" x=\"{x}\" y=\"24\" text-anchor=\"middle\">{}</text>", escaped(name)).expect("a string takes it");
        writeln!(svg, "<line class=\"rule\" x1=\"{x}\" y1=\"50\" x2=\"{x}\" y2=\"{}\" stroke-dasharray=\"3 4\"/>", height - 8)
            .expect("a string takes it");
    }
    let told = place(Phase::FirstTurnCompleted);
    writeln!(svg, "<text class=\"dim\" x=\"{told}\" y=\"42\" text-anchor=\"middle\" font-size=\"11\">turn_completed is announced</text>")
        .expect("a string takes it");
    for (at, (names, profile)) in agents.iter().enumerate() {
        lane(&mut svg, TOP + LANE * at as u32, names, profile);
    }
    svg.push_str("</svg>\n");
    svg
}

/// One lane: from when the session is observable, while the agent runs, while its file is there.
fn lane(svg: &mut String, y: u32, names: &str, profile: &Profile) {
    let (start, exit) = (place(Phase::Started), place(Phase::Exited));
    let observable = place(profile.observable).min(exit);
    let mut rect = |class: &str, x: u32, y: u32, to: u32, height: u32| {
        if to > x {
            writeln!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{height}\" rx=\"3\"/>", to - x)
                .expect("a string takes it");
        }
    };
    rect("hidden", start, y, observable, LANE - 14);
    rect("seen", observable, y, exit, LANE - 14);
    rect("runs", start, y + 30, exit, 14);
    rect("file", place(profile.file_created), y + 52, RIGHT, 14);
    let mut text = |class: &str, x: u32, y: u32, said: &str| {
        writeln!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(said)).expect("a string takes it");
    };
    text("text name", 8, y + 20, names);
    text("dim", 8, y + 42, "the agent runs");
    text("dim", 8, y + 64, "its native file");
    if observable > start {
        text("dim", start + 8, y + 20, "pending, or not found");
    }
    if observable < exit {
        text("text", observable + 8, y + 20, "observable");
    }
}

fn place(phase: Phase) -> u32 {
    PLACES.iter().find(|(at, _, _)| *at == phase).map_or(RIGHT, |(_, _, x)| *x)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
