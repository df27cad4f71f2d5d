//! JSON lines: a rule or an analysis, ticks of history, and ticks, each answered with a line in full precision.

use std::borrow::Cow;
use std::io::{self, BufRead, Write};

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use super::input::Lines;
use super::subject::Subject;

/// Longest line that is read, in bytes: a hundred histograms.
const LONGEST: u64 = 1 << 20;

/// Judges line by line. An error says which line; those before it have their answers.
pub(super) fn run(input: &mut dyn BufRead, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(out);
    let result = answer(input, &mut out);
    out.flush()?;
    result
}

fn answer(input: &mut dyn BufRead, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut subject: Option<Subject> = None;
    let mut lines = Lines::new(input, LONGEST);
    while let Some((number, text)) = lines.next_line()? {
        let at = || format!("line {number}");
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        // Its own line number is that within this one line.
        let value = parsed(text)
            .map_err(|error| anyhow!(error.to_string().replace("at line 1 column", "at column")))
            .with_context(at)?;
        if value.get("class").is_some() || value.get("rules").is_some() {
            subject = Some(
                Subject::read(value)
                    .map_err(|error| anyhow!(error))
                    .with_context(at)?,
            );
            continue;
        }
        let Some(subject) = &mut subject else {
            let what = if value.is_object() {
                "it names neither `class` nor `rules`"
            } else {
                "it comes before any rule"
            };
            bail!(
                "{}: {what}. Begin with a rule, such as {{\"class\": \"RatioLimit\", \"p0\": 0.01}}",
                at()
            );
        };
        if let Some(history) = value.get("warm") {
            subject
                .warm(history)
                .map_err(|error| anyhow!(error))
                .with_context(at)?;
            continue;
        }
        let answer = subject
            .tick(&value)
            .map_err(|error| anyhow!(error))
            .with_context(at)?;
        writeln!(out, "{answer}")?;
        // Whoever waits for this answer before it sends the next tick gets it.
        out.flush()?;
    }
    Ok(())
}

/// JSON, with what Python and JavaScript write for numbers that are none read as null.
fn parsed(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| match without_odd_numbers(text) {
        Cow::Borrowed(_) => Err(error),
        // The error of the line as it was written is the one that people can place.
        Cow::Owned(text) => serde_json::from_str(&text).map_err(|_| error),
    })
}

fn without_odd_numbers(text: &str) -> Cow<'_, str> {
    if text.contains("NaN") || text.contains("Infinity") {
        text.replace("-Infinity", "null")
            .replace("Infinity", "null")
            .replace("NaN", "null")
            .into()
    } else {
        text.into()
    }
}
