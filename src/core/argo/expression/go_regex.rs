//! Regular expressions in Go's syntax (RE2), compiled by the regex crate.
//!
//! The two agree on nearly all; what differs is translated: classes such as `\d` and `\b` are of ASCII only in Go,
//! and brackets inside of a class mean themselves.

use regex::bytes::{Regex, RegexBuilder};

/// Bytes of a pattern.
const MOST_PATTERN: usize = 4096;
/// Bytes of a compiled one.
const MOST_COMPILED: usize = 1 << 20;

/// The compiled pattern, or why it is none.
pub(in crate::argo) fn compile(pattern: &[u8]) -> Result<Regex, String> {
    let Ok(pattern) = std::str::from_utf8(pattern) else {
        return Err("the pattern is no valid UTF-8".to_owned());
    };
    if pattern.len() > MOST_PATTERN {
        return Err(format!(
            "the pattern has {} bytes, more than {MOST_PATTERN}",
            pattern.len()
        ));
    }
    let translated = translate(pattern).ok_or_else(|| {
        format!("the pattern `{pattern}` is no regular expression in Go's syntax")
    })?;
    RegexBuilder::new(&translated)
        .size_limit(MOST_COMPILED)
        .dfa_size_limit(MOST_COMPILED)
        .build()
        .map_err(|_| format!("the pattern `{pattern}` is no regular expression in Go's syntax"))
}

fn translate(pattern: &str) -> Option<String> {
    let characters: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut at = 0;
    while let Some(character) = characters.get(at).copied() {
        at += 1;
        match character {
            '\\' => escape(&characters, &mut at, false, &mut out)?,
            '[' => class(&characters, &mut at, &mut out)?,
            '(' => {
                out.push('(');
                if characters.get(at) == Some(&'?') {
                    group(&characters, &mut at, &mut out)?;
                }
            }
            '{' => repetition(&characters, &mut at, &mut out)?,
            // A second one in a row is an error in Go: `a**`; `a*+` is too.
            '*' | '+' | '?' => {
                out.push(character);
                if characters.get(at) == Some(&'?') {
                    out.push('?');
                    at += 1;
                }
                if matches!(characters.get(at), Some('*' | '+' | '?')) {
                    return None;
                }
            }
            '}' | ']' => {
                out.push('\\');
                out.push(character);
            }
            _ => out.push(character),
        }
    }
    Some(out)
}

/// What follows `(?`: flags of i, m, s and U, or a name.
fn group(characters: &[char], at: &mut usize, out: &mut String) -> Option<()> {
    let rest: String = characters.get(*at..)?.iter().take(3).collect();
    if rest.starts_with("?P<")
        || rest.starts_with("?<") && !rest.starts_with("?<=") && !rest.starts_with("?<!")
    {
        return Some(());
    }
    out.push('?');
    *at += 1;
    loop {
        let character = *characters.get(*at)?;
        *at += 1;
        match character {
            'i' | 'm' | 's' | 'U' | '-' => out.push(character),
            ':' | ')' => {
                out.push(character);
                return Some(());
            }
            _ => return None,
        }
    }
}

/// `{2,5}`; braces that hold anything else mean themselves, as in Go.
fn repetition(characters: &[char], at: &mut usize, out: &mut String) -> Option<()> {
    let rest = characters.get(*at..)?;
    let close = rest.iter().position(|character| *character == '}');
    let inner: String = rest.iter().take(close.unwrap_or(0)).collect();
    let (least, most) = inner.split_once(',').unwrap_or((&inner, &inner));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(least) || !(most.is_empty() || is_number(most)) {
        out.push_str("\\{");
        return Some(());
    }
    // Go allows a thousand.
    for number in [least, most].iter().filter(|text| !text.is_empty()) {
        number
            .parse::<u32>()
            .ok()
            .filter(|number| *number <= 1000)?;
    }
    out.push('{');
    out.push_str(&inner);
    out.push('}');
    *at += inner.chars().count() + 1;
    Some(())
}

fn escape(characters: &[char], at: &mut usize, in_class: bool, out: &mut String) -> Option<()> {
    let character = *characters.get(*at)?;
    *at += 1;
    let plain = match (character, in_class) {
        ('d', false) => "[0-9]",
        ('d', true) => "0-9",
        ('D', _) => "[^0-9]",
        ('w', false) => "[0-9A-Za-z_]",
        ('w', true) => "0-9A-Za-z_",
        ('W', _) => "[^0-9A-Za-z_]",
        ('s', false) => "[\\t\\n\\f\\r ]",
        ('s', true) => "\\t\\n\\f\\r ",
        ('S', _) => "[^\\t\\n\\f\\r ]",
        ('b', false) => "(?-u:\\b)",
        ('B', false) => "(?-u:\\B)",
        ('Q', false) => {
            let rest: String = characters.get(*at..)?.iter().collect();
            let quoted = rest.split("\\E").next().unwrap_or_default();
            out.push_str(&regex::escape(quoted));
            *at += quoted.chars().count();
            if rest.len() > quoted.len() {
                *at += 2;
            }
            return Some(());
        }
        _ => "",
    };
    if !plain.is_empty() {
        out.push_str(plain);
        return Some(());
    }
    match character {
        'A' | 'z' if !in_class => {}
        'a' | 'f' | 'n' | 'r' | 't' | 'v' | 'x' | 'p' | 'P' => {}
        '0'..='7' => {
            // Octal: `\0`, or three digits; other digits would refer back, which Go refuses.
            let mut value = character.to_digit(8)?;
            if character != '0' && !characters.get(*at).is_some_and(|next| next.is_digit(8)) {
                return None;
            }
            for _ in 0..2 {
                let Some(digit) = characters.get(*at).and_then(|next| next.to_digit(8)) else {
                    break;
                };
                value = value * 8 + digit;
                *at += 1;
            }
            out.push_str("\\x{");
            out.push_str(&u32_in_hex(value));
            out.push('}');
            return Some(());
        }
        _ if character.is_ascii_punctuation() => {}
        _ => return None,
    }
    out.push('\\');
    out.push(character);
    Some(())
}

fn u32_in_hex(value: u32) -> String {
    format!("{value:x}")
}

fn class(characters: &[char], at: &mut usize, out: &mut String) -> Option<()> {
    out.push('[');
    if characters.get(*at) == Some(&'^') {
        out.push('^');
        *at += 1;
    }
    let mut first = true;
    loop {
        let character = *characters.get(*at)?;
        *at += 1;
        match character {
            ']' if !first => {
                out.push(']');
                return Some(());
            }
            '\\' => escape(characters, at, true, out)?,
            '[' if characters.get(*at) == Some(&':') => {
                let rest: String = characters.get(*at..)?.iter().collect();
                let length = rest.find(":]")? + 2;
                let name = rest.get(..length)?;
                out.push('[');
                out.push_str(name);
                *at += name.chars().count();
            }
            '[' | ']' | '&' | '~' => {
                out.push('\\');
                out.push(character);
            }
            _ => out.push(character),
        }
        first = false;
    }
}
