//! Conditions as limits: `result[0] >= 0.95` is a lowest value, `result[0] > 500` in a failure condition a highest one.

use regex::Regex;

/// What must hold of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Limit {
    /// It fails above.
    Max(f64),
    /// It fails below.
    Min(f64),
}

/// The limits of one condition.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Limits {
    /// With the field of the result that is held against it (`.data.score`, empty: the result itself).
    pub(super) limits: Vec<(String, Limit)>,
    pub(super) notes: Vec<String>,
}

/// Operators of comparisons as an expression writes them, with the one that says the same from the other side.
const MIRRORED: [(&str, &str); 5] = [
    (">=", "<="),
    ("<=", ">="),
    ("==", "=="),
    (">", "<"),
    ("<", ">"),
];

/// Reads a condition; `success`: it says what is good, else what is bad.
///
/// # Errors
/// A condition that is no limit of a number.
pub(super) fn limits(condition: &str, success: bool) -> Result<Limits, String> {
    let mut found = Limits::default();
    // What joins limits, and what guards them: good is all of several, bad is any.
    let (joins, guards) = if success {
        (["&&", " and "], ["||", " or "])
    } else {
        (["||", " or "], ["&&", " and "])
    };
    let condition = stripped(condition);
    for alternative in parts(condition, &joins) {
        let (rest, guarding): (Vec<&str>, Vec<&str>) = parts(alternative, &guards)
            .into_iter()
            .map(stripped)
            .partition(|part| !is_guard(part));
        for guard in guarding {
            found.notes.push(format!(
                "`{guard}` is left out: without data Recant decides nothing"
            ));
        }
        match rest.as_slice() {
            [] => {}
            [one] => {
                let (field, limit) = comparison(one, success, &mut found.notes)?;
                found.limits.push((field, limit));
            }
            several => {
                return Err(format!(
                    "the condition weighs several things against each other (`{}`), and a rule has one limit",
                    several.join("`, `")
                ));
            }
        }
    }
    if found.limits.is_empty() {
        return Err(format!("the condition `{condition}` is no limit"));
    }
    Ok(found)
}

/// Looks for data, and for nothing else.
fn is_guard(part: &str) -> bool {
    let pattern = r"^!?\s*(not\s+)?(isNaN|isInf|isNil)\(.*\)$|^len\(result\)\s*(==|!=|>|>=|<)\s*[01]$|^result\s*(==|!=)\s*nil$";
    Regex::new(pattern).is_ok_and(|guard| guard.is_match(part))
}

/// Without blanks around it, and without parentheses that hold all of it.
fn stripped(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(inner) = text.strip_prefix('(').and_then(|it| it.strip_suffix(')')) {
        let mut depth = 0_i32;
        let closes_early = inner.chars().any(|character| {
            depth += i32::from(character == '(') - i32::from(character == ')');
            depth < 0
        });
        if closes_early {
            break;
        }
        text = inner.trim();
    }
    text
}

/// The parts of a text between separators that stand in no parentheses and no quotes.
fn parts<'t>(text: &'t str, separators: &[&str]) -> Vec<&'t str> {
    let mut found = Vec::new();
    let (mut depth, mut quote, mut start, mut at) = (0_i32, None, 0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let character = rest.chars().next().unwrap_or_default();
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(character),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, _) => {
                let separator = separators.iter().find(|it| rest.starts_with(**it));
                if let (Some(separator), 0) = (separator, depth) {
                    found.extend(text.get(start..at));
                    at += separator.len();
                    start = at;
                    continue;
                }
            }
        }
        at += character.len_utf8();
    }
    found.extend(text.get(start..));
    found
}

/// `result[0] >= 0.95`, `0.95 <= result`, `all(result, # < 5)`.
fn comparison(
    part: &str,
    success: bool,
    notes: &mut Vec<String>,
) -> Result<(String, Limit), String> {
    let other = || {
        format!(
            "`{part}` compares no number of the result with a fixed one, and a rule does nothing else"
        )
    };
    let mut part = part;
    let whole = if success { "all" } else { "any" };
    let within = part
        .strip_prefix(whole)
        .and_then(|rest| rest.trim_start().strip_prefix('('))
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|rest| rest.trim_start().strip_prefix("result"))
        .and_then(|rest| rest.trim_start().strip_prefix(','));
    if let Some(within) = within {
        part = within
            .trim()
            .trim_start_matches('{')
            .trim_end_matches('}')
            .trim();
        notes.push(format!(
            "`{whole}(result, …)`: the worst of all values decides, as there"
        ));
    }
    for (operator, mirrored) in MIRRORED {
        let Some((left, right)) = part.split_once(operator) else {
            continue;
        };
        let (left, right) = (stripped(left), stripped(right));
        let (subject, operator, number) = match (number(left), number(right)) {
            (None, Some(number)) => (left, operator, number),
            (Some(number), None) => (right, mirrored, number),
            (None, None) | (Some(_), Some(_)) => return Err(other()),
        };
        let field = field(subject, notes).ok_or_else(other)?;
        let limit = match (operator, success) {
            (">=" | ">", true) | ("<=" | "<", false) => Limit::Min(number),
            ("<=" | "<", true) | (">=" | ">", false) => Limit::Max(number),
            ("==", true) if number == 0.0 => {
                notes.push(
                    "`== 0` became a highest value: it is taken to be never negative".to_owned(),
                );
                Limit::Max(0.0)
            }
            ("==", true) if number == 1.0 => {
                notes.push("`== 1` became a lowest value: it is taken to be 0 or 1".to_owned());
                Limit::Min(1.0)
            }
            _ => {
                return Err(format!(
                    "`{part}` asks for one exact value, and a limit is a highest or a lowest one"
                ));
            }
        };
        return Ok((field, limit));
    }
    Err(other())
}

fn number(text: &str) -> Option<f64> {
    let plain = text
        .chars()
        .all(|character| character.is_ascii_digit() || "+-.eE_".contains(character));
    let value: f64 = text.replace('_', "").parse().ok()?;
    (plain && value.is_finite()).then_some(value)
}

/// The field of the result that is compared; `None`: it is something else.
fn field(subject: &str, notes: &mut Vec<String>) -> Option<String> {
    let pattern = r"^(?:(asFloat|asInt|default|float|int)\(\s*)?(?:#|result)(\[0\])?((?:\.[A-Za-z_]\w*)*)(?:\s*,\s*(-?[0-9.]+))?\s*\)?$";
    let groups = Regex::new(pattern).ok()?.captures(subject)?;
    let text = |group: usize| groups.get(group).map_or("", |found| found.as_str());
    if text(1) == "default" {
        notes.push(format!(
            "the default `{}` is left out: without data Recant decides nothing",
            text(4)
        ));
    }
    Some(text(3).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_limits() {
        for (condition, success, expected) in [
            ("result[0] >= 0.95", true, vec![Limit::Min(0.95)]),
            ("result < 500", true, vec![Limit::Max(500.0)]),
            ("(0.05 >= result[0])", true, vec![Limit::Max(0.05)]),
            ("result[0] > 0.05", false, vec![Limit::Max(0.05)]),
            (
                "result[0] < 0.9 || result[0] > 2",
                false,
                vec![Limit::Min(0.9), Limit::Max(2.0)],
            ),
            (
                "result[0] >= 1 && result[0] <= 3",
                true,
                vec![Limit::Min(1.0), Limit::Max(3.0)],
            ),
            (
                "len(result) == 0 || isNaN(result[0]) || result[0] <= 0.05",
                true,
                vec![Limit::Max(0.05)],
            ),
            (
                "len(result) > 0 && result[0] > 0.05",
                false,
                vec![Limit::Max(0.05)],
            ),
            ("all(result, # < 5)", true, vec![Limit::Max(5.0)]),
            ("any(result, {# > 5})", false, vec![Limit::Max(5.0)]),
            ("default(result, 0) < 5", true, vec![Limit::Max(5.0)]),
            ("result[0] == 0", true, vec![Limit::Max(0.0)]),
            ("asFloat(result) >= 1e-2", true, vec![Limit::Min(0.01)]),
        ] {
            let found = limits(condition, success).expect(condition);
            let found: Vec<Limit> = found.limits.into_iter().map(|(_, limit)| limit).collect();
            assert_eq!(found, expected, "{condition}");
        }
        let found = limits("result.data.score >= 90", true).expect("a limit");
        assert_eq!(found.limits, [(".data.score".to_owned(), Limit::Min(90.0))]);
        for none in [
            "result[0] >= 0.95 || result[1] < 3",
            "result == \"ok\"",
            "result[0] == 3",
            "result[0] != 0",
            "true",
            "result[0] > result[1]",
            "result[0] in [1, 2]",
            "",
            "((((",
            "1 < 2",
        ] {
            assert!(limits(none, true).is_err(), "{none}");
        }
    }
}
