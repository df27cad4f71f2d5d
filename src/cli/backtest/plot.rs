//! The report as a drawing: releases as bars on one axis of time, then, release by release, how the evidence against it
//! grew. Plain SVG with its own style, for light and dark pages; nothing is told by colour alone.

mod evidence;
mod paper;
mod timeline;

use super::Shown;
use super::table::hurry;
use paper::{Paper, WIDTH};

/// The drawing as a document of SVG.
pub(super) fn svg(shown: &Shown) -> String {
    let mut paper = Paper::new();
    let mut y = 30.0;
    for line in wrapped(&hurry(shown), 110) {
        paper.text("title", 20.0, y, &line);
        y += 22.0;
    }
    y = timeline::draw(&mut paper, shown, y + 8.0);
    y = evidence::draw(&mut paper, shown, y + 34.0);
    paper.document(WIDTH, y)
}

/// Lines of at most so many characters, broken at blanks.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < most => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}
