//! Where the demo shows itself: lines that stay, and below them on a terminal a block that is drawn anew.
//!
//! Each change is one write, so nothing flickers; a line longer than the terminal is cut, never wrapped into the next.

use std::io::{self, IsTerminal as _, Write as _};

use jiff::Timestamp;

/// Lines for people are no longer than this, on whatever terminal.
const WIDTH: usize = 80;
/// Beneath the time that a line begins with.
const INDENT: usize = 12;

const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// What a line means; shown as a colour where there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Bad,
}

/// Standard output.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: bool,
    colour: bool,
    /// The block as it was drawn last.
    block: Vec<String>,
    /// The reader went away.
    gone: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        let terminal = io::stdout().is_terminal()
            && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb");
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            terminal,
            colour: terminal && !no_colour,
            block: Vec::new(),
            gone: false,
        }
    }

    /// Whether a block is shown at all.
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether nobody reads any more.
    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    /// A line that stays, with the time before it.
    pub(super) fn say(&mut self, at: Timestamp, tone: Tone, text: &str) {
        let mut lines = wrap(text, WIDTH - INDENT);
        if !self.terminal {
            lines = vec![text.to_owned()];
        }
        let mut said = String::new();
        for (index, line) in lines.iter().enumerate() {
            let margin = match index {
                0 => format!("{}  ", at.strftime("%H:%M:%S%.1f")),
                _ => " ".repeat(INDENT),
            };
            let line = self.painted(tone, line);
            said.extend([margin.as_str(), &line, self.clear_line(), "\n"]);
        }
        let text = format!("{}{said}{}", self.up(), self.drawn());
        self.write(&text);
    }

    /// Replaces the block.
    pub(super) fn draw(&mut self, block: Vec<String>) {
        if !self.terminal {
            return;
        }
        let up = self.up();
        self.block = block;
        let text = format!("{up}{}", self.drawn());
        self.write(&text);
    }

    /// Takes the block away and closes with a paragraph.
    pub(super) fn close(&mut self, tone: Tone, text: &str) {
        let up = self.up();
        let clear = if self.terminal { CLEAR_BELOW } else { "" };
        self.block.clear();
        let lines: Vec<String> = wrap(text, WIDTH)
            .iter()
            .map(|line| self.painted(tone, line))
            .collect();
        self.write(&format!("{up}{clear}\n{}\n", lines.join("\n")));
    }

    /// One line as it is, for scripts.
    pub(super) fn print(&mut self, line: &str) {
        self.write(&format!("{line}\n"));
    }

    fn up(&self) -> String {
        match self.block.len() {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r"),
        }
    }

    fn drawn(&self) -> String {
        if !self.terminal {
            return String::new();
        }
        let lines: String = self
            .block
            .iter()
            .flat_map(|line| [line.as_str(), CLEAR_LINE, "\n"])
            .collect();
        format!("{NO_WRAP}{lines}{CLEAR_BELOW}{WRAP}")
    }

    fn clear_line(&self) -> &'static str {
        if self.terminal { CLEAR_LINE } else { "" }
    }

    fn painted(&self, tone: Tone, text: &str) -> String {
        let colour = match tone {
            Tone::Good if self.colour => "32",
            Tone::Bad if self.colour => "31",
            Tone::Plain | Tone::Good | Tone::Bad => return text.to_owned(),
        };
        format!("\x1b[{colour}m{text}\x1b[0m")
    }

    fn write(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        if out
            .write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            self.gone = true;
        }
    }
}

/// Breaks a text between words.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        let line = lines.last_mut().expect("there is at least one line");
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_between_words() {
        let check = |text: &str, width, expected: &[&str]| {
            assert_eq!(wrap(text, width), expected, "{text}");
        };
        check("", 10, &[""]);
        check("one two", 7, &["one two"]);
        check("one two", 6, &["one", "two"]);
        check(
            "a-word-that-is-too-long b",
            8,
            &["a-word-that-is-too-long", "b"],
        );
        check("über öde", 8, &["über öde"]);
    }
}
