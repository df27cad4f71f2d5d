//! What happened in a schedule, line by line: its last lines explain a violation, and a hash over all of them shows
//! that the same seed is the same schedule.

use std::collections::VecDeque;
use std::fmt::Write as _;

/// Lines that a violation is shown with.
const SHOWN: usize = 40;

#[derive(Debug)]
pub(crate) struct Trace {
    lines: VecDeque<String>,
    whole: bool,
    hash: u64,
    pub(crate) steps: u64,
}

impl Trace {
    /// `whole`: every line is kept, not only the last ones.
    pub(crate) fn new(whole: bool) -> Self {
        Self {
            lines: VecDeque::new(),
            whole,
            hash: 0xcbf2_9ce4_8422_2325,
            steps: 0,
        }
    }

    pub(crate) fn line(&mut self, line: String) {
        for byte in line.bytes() {
            // FNV-1a (Fowler, Noll, Vo).
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if !self.whole && self.lines.len() >= SHOWN {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            writeln!(text, "  {line}").expect("is memory");
        }
        text
    }
}
