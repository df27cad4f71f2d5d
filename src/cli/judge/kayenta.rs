//! `recant judge --kayenta`: one request of Kayenta's judge per line in, its result document per line out.

use std::io::{self, BufRead, Read as _, Write};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde::Serialize;

use recant_core::kayenta::{self, JudgeResult, Refused, Request};

/// A longer line is refused rather than kept in memory: a million samples are about 20 MB.
const MAX_LINE: u64 = 64 << 20;

/// What is written for a request.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Judged(JudgeResult),
    /// Kayenta throws for it, too.
    Refused {
        /// What Kayenta says.
        exception: String,
        /// What that means, and what to do.
        explanation: String,
    },
}

/// Answers each line of `input` on `output`. Blank lines have no answer.
///
/// # Errors
/// At the first line that is no request, or too large; the lines before it are answered.
pub(super) fn run(input: &mut dyn BufRead, output: &mut dyn Write) -> anyhow::Result<ExitCode> {
    answer_lines(input, output, MAX_LINE)
}

fn answer_lines(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    max_line: u64,
) -> anyhow::Result<ExitCode> {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = input
            .take(max_line)
            .read_until(b'\n', &mut line)
            .with_context(|| format!("line {number}"))?;
        if read == 0 {
            break;
        }
        if read as u64 == max_line && !line.ends_with(b"\n") {
            bail!(
                "line {number} is longer than {max_line} bytes: split the request into several lines of fewer metrics"
            );
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let request = request(&line).with_context(|| format!("line {number} is no request"))?;
        let answer = match kayenta::judge(&request) {
            Ok(result) => Answer::Judged(result),
            Err(refused) => refusal(&refused).with_context(|| format!("line {number}"))?,
        };
        if let Answer::Refused { explanation, .. } = &answer {
            crate::cli::eprint_line(&format!("recant: line {number}: {explanation}"));
        }
        let mut text = serde_json::to_vec(&answer).context("writing an answer as JSON")?;
        text.push(b'\n');
        match output.write_all(&text).and_then(|()| output.flush()) {
            Ok(()) => {}
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => return Err(error).context("writing an answer"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads one line; of an error the column, since the line of the file is said by the caller.
fn request(line: &[u8]) -> anyhow::Result<Request> {
    serde_json::from_slice(line).map_err(|error| {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text);
        anyhow::anyhow!(
            "column {}: {what}. A line holds one JSON object with `thresholds` (`pass` and `marginal`) and `metrics` \
             (each with `name`, `control` and `experiment`)",
            error.column()
        )
    })
}

/// Kayenta's own answer to what it refuses; what only we refuse is an error of the whole input.
fn refusal(refused: &Refused) -> anyhow::Result<Answer> {
    match refused.exception() {
        Some(exception) => Ok(Answer::Refused {
            exception: exception.to_owned(),
            explanation: refused.to_string(),
        }),
        None => Err(refused.clone().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_not_kept_in_memory() {
        let mut endless = io::BufReader::new(io::repeat(b' '));
        let mut out = Vec::new();
        let error = answer_lines(&mut endless, &mut out, 1000).expect_err("it is too long");
        assert!(
            error
                .to_string()
                .contains("line 1 is longer than 1000 bytes"),
            "{error}"
        );
    }
}
