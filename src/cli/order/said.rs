//! What the agent says of an order, for people.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::Value;

/// Prints it, and says by the exit code whether it is done.
pub(super) fn say(answer: &Value, json: bool, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let text = if json {
        serde_json::to_string_pretty(answer).context("writing the answer as JSON")?
    } else {
        words(answer)
    };
    match writeln!(out, "{}", text.trim_end()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    Ok(match text_of(answer, "outcome") {
        "done" => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    })
}

fn text_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn words(answer: &Value) -> String {
    let dry = answer.get("dryRun").and_then(Value::as_bool) == Some(true);
    let said = text_of(answer, "said");
    let first = match (text_of(answer, "outcome"), dry) {
        ("done", false) => format!("done: {said}"),
        ("done", true) => format!("dry run, nothing was done: {said}"),
        ("held", true) => "dry run, nothing was done: guards would hold it".to_owned(),
        (_, _) => format!("not done: {said}"),
    };
    // Text takes whatever is written to it.
    let mut text = format!("{first}\n");
    let mut line = |words: String| writeln!(text, "  {words}").unwrap_or_default();
    if let Some(plan) = answer.get("plan").and_then(Value::as_str) {
        line(format!(
            "plan `{plan}`; `recant explain` and `recant journal` follow it"
        ));
    }
    for (field, word) in [("holds", "held by"), ("overridden", "overridden:")] {
        let holds = answer.get(field).and_then(Value::as_array);
        for hold in holds.into_iter().flatten() {
            line(format!("{word} {}", held(hold, field == "holds")));
        }
    }
    if let Some(why) = answer.get("writeUnknown").and_then(Value::as_str) {
        line(format!("what would be written is not known: {why}"));
    }
    if let Some(write) = answer.get("write") {
        written(write, &mut text);
    }
    let then = answer.get("then").and_then(Value::as_array);
    for write in then.into_iter().flatten() {
        written(write, &mut text);
    }
    text
}

fn held(hold: &Value, advice: bool) -> String {
    let (guard, reason) = (text_of(hold, "guard"), text_of(hold, "reason"));
    let until = match text_of(hold, "until") {
        "" => String::new(),
        until => format!(", until {until}"),
    };
    let may = hold.get("mayBeOverridden").and_then(Value::as_bool) == Some(true);
    let how = match (advice, may) {
        (true, true) => format!(" (`--override {guard}` takes that upon you)"),
        (true, false) => " (nobody can override that)".to_owned(),
        (false, _) => String::new(),
    };
    format!("`{guard}`: {reason}{until}{how}")
}

fn written(write: &Value, text: &mut String) {
    let object = text_of(write, "object");
    let mut line = |words: String| writeln!(text, "{words}").unwrap_or_default();
    if let Some(unknown) = write.get("unknown").and_then(Value::as_str) {
        return line(format!(
            "  what would be written then is not known: {unknown}"
        ));
    }
    if let Some(nothing) = write.get("nothing").and_then(Value::as_str) {
        return line(format!("  nothing would be written to {object}: {nothing}"));
    }
    line(format!(
        "would be written to {object}, as {}:",
        text_of(write, "contentType")
    ));
    let patch = write.get("patch").unwrap_or(&Value::Null);
    line(serde_json::to_string_pretty(patch).unwrap_or_default());
}
