//! Rule sets and watches as YAML, with the notes as comments beside what they are about.

use std::fmt::Write as _;
use std::time::Duration;

use super::Converted;

/// Columns of a comment.
const WIDTH: usize = 110;

/// A text as one YAML scalar.
pub(super) fn quoted(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it })
        .collect();
    format!("'{}'", text.replace('\'', "''"))
}

/// A duration as people write it.
pub(super) fn duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    match milliseconds {
        0 => "0s".to_owned(),
        _ if milliseconds % 1000 != 0 => format!("{milliseconds}ms"),
        _ if milliseconds % 60_000 != 0 => format!("{}s", milliseconds / 1000),
        _ if milliseconds % 3_600_000 != 0 => format!("{}m", milliseconds / 60_000),
        _ => format!("{}h", milliseconds / 3_600_000),
    }
}

/// A number in digits, without the dust of arithmetic.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.9}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A comment over as many lines as it needs; no word of a text can end it.
fn comment(out: &mut String, indent: &str, text: &str) {
    let mut line = format!("{indent}#");
    let mut words = 0;
    for word in text.split_whitespace() {
        if words > 0 && line.chars().count() + word.chars().count() >= WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = format!("{indent}#");
        }
        line.push(' ');
        line.push_str(word);
        words += 1;
    }
    out.push_str(&line);
    out.push('\n');
}

/// The rule set of a template; nothing if no metric of it became a rule.
pub fn rule_set(converted: &Converted) -> String {
    let mut out = String::new();
    comment(
        &mut out,
        "",
        &format!(
            "From the analysis template `{}`. Argo counts measurements beyond a limit; Recant fails a release when it is surely beyond one.",
            converted.template
        ),
    );
    for note in &converted.notes {
        comment(&mut out, "", &format!("- {note}"));
    }
    for refused in &converted.refused {
        comment(
            &mut out,
            "",
            &format!(
                "NOT CONVERTED: metric `{}`: {}",
                refused.metric, refused.reason
            ),
        );
    }
    if converted.rules.is_empty() {
        return out;
    }
    let mut lines = vec![
        "apiVersion: recant.dev/v1alpha1".to_owned(),
        "kind: RuleSet".to_owned(),
        format!("metadata: {{name: {}}}", scalar(&converted.name)),
        "rules:".to_owned(),
    ];
    for line in lines.drain(..) {
        out.push_str(&line);
        out.push('\n');
    }
    for rule in &converted.rules {
        // Writing to a text does not fail.
        let _ = writeln!(out, "- name: {}", scalar(&rule.name));
        for note in &rule.notes {
            comment(&mut out, "  ", note);
        }
        for field in &rule.fields {
            for note in &field.notes {
                comment(&mut out, "  ", note);
            }
            let _ = writeln!(out, "  {}: {}", field.name, field.value);
        }
    }
    out
}

/// Names that YAML would read as something else are quoted.
fn scalar(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_lowercase())
        && !matches!(
            name,
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain { name.to_owned() } else { quoted(name) }
}

/// A watch of a target by what was converted; `target` is kind and name, none a watch to fill in, in comments.
pub fn watch(
    converted: &[Converted],
    target: Option<(&str, &str)>,
    namespace: Option<&str>,
) -> String {
    let mut rules: Vec<&str> = Vec::new();
    for one in converted {
        let own = (!one.rules.is_empty()).then_some(one.name.as_str());
        let given = |other: &&String| {
            converted
                .iter()
                .any(|it| it.name == **other && !it.rules.is_empty())
        };
        let others = one.others.iter().filter(given).map(String::as_str);
        for name in own.into_iter().chain(others) {
            if !rules.contains(&name) {
                rules.push(name);
            }
        }
    }
    let known = converted.iter().find_map(|one| one.namespace.as_deref());
    let namespace = namespace.or(known).unwrap_or("default");
    let longest = converted.iter().map(|one| one.watch).max();
    let longest = longest.unwrap_or(super::DEFAULT_WATCH);
    let (kind, name) = target.unwrap_or(("Rollout", "NAME"));
    let rules: Vec<String> = rules.into_iter().map(scalar).collect();
    let lines = [
        "apiVersion: recant.dev/v1alpha1".to_owned(),
        "kind: Watch".to_owned(),
        format!(
            "metadata: {{name: {}, namespace: {}}}",
            scalar(name),
            scalar(namespace)
        ),
        format!("target: {{kind: {kind}, name: {}}}", scalar(name)),
        format!("rules: [{}]", rules.join(", ")),
        format!("release: {{watch: {}}}", duration(longest)),
    ];
    let mut out = String::new();
    if target.is_none() {
        comment(
            &mut out,
            "",
            "A template names no workload: fill in the target and take the comment signs away, or name it by --target.",
        );
    }
    comment(
        &mut out,
        "",
        "The watch is as long as the longest of the analyses, counted from the first traffic of the release. A release that fails is taken back; with `dryRun: true` it is only told.",
    );
    let sign = if target.is_none() { "# " } else { "" };
    for line in lines {
        let _ = writeln!(out, "{sign}{line}");
    }
    out
}
