//! Lines of a file or a pipe, one after the other and bounded: each is answered before the next is read.

use std::io::{BufRead, Read as _};

use anyhow::{Context as _, bail};

/// The lines of an input, counted from 1.
pub(super) struct Lines<'i> {
    input: &'i mut dyn BufRead,
    /// Longest line that is read, in bytes.
    longest: u64,
    number: u64,
    line: Vec<u8>,
}

impl<'i> Lines<'i> {
    pub(super) fn new(input: &'i mut dyn BufRead, longest: u64) -> Self {
        Self {
            input,
            longest,
            number: 0,
            line: Vec::new(),
        }
    }

    /// The next line; `None` at the end. An error says which line.
    pub(super) fn next_line(&mut self) -> anyhow::Result<Option<(u64, &str)>> {
        self.line.clear();
        self.number += 1;
        let (number, longest) = (self.number, self.longest);
        (&mut *self.input)
            .take(longest + 1)
            .read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Ok(None);
        }
        if self.line.len() as u64 > longest {
            bail!("line {number}: it is longer than {longest} bytes");
        }
        let text = std::str::from_utf8(&self.line).with_context(|| format!("line {number}"))?;
        Ok(Some((number, text)))
    }
}
