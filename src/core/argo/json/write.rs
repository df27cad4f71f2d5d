//! Writes JSON as Go's `encoding/json` does: sorted keys, `<`, `>`, `&`, U+2028 and U+2029 escaped, numbers without
//! an exponent from 1e-6 up to, but not with, 1e21.

use super::Json;

/// Without blanks, as `json.Marshal`. Numbers that JSON lacks are written as Go's `%v` does, which no caller lets happen.
pub fn compact(value: &Json) -> String {
    let mut text = String::new();
    write(value, None, 0, &mut text);
    text
}

/// With two blanks for each level, as `json.MarshalIndent(value, "", "  ")`.
pub fn indented(value: &Json) -> String {
    let mut text = String::new();
    write(value, Some("  "), 0, &mut text);
    text
}

fn write(value: &Json, indent: Option<&str>, level: usize, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(value) => out.push_str(&number(*value)),
        Json::String(text) => out.push_str(&quoted(text)),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                new_line(indent, level + 1, out);
                write(item, indent, level + 1, out);
            }
            if !items.is_empty() {
                new_line(indent, level, out);
            }
            out.push(']');
        }
        Json::Object(fields) => {
            out.push('{');
            for (index, (key, value)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                new_line(indent, level + 1, out);
                out.push_str(&quoted(key));
                out.push(':');
                if indent.is_some() {
                    out.push(' ');
                }
                write(value, indent, level + 1, out);
            }
            if !fields.is_empty() {
                new_line(indent, level, out);
            }
            out.push('}');
        }
    }
}

fn new_line(indent: Option<&str>, level: usize, out: &mut String) {
    if let Some(indent) = indent {
        out.push('\n');
        for _ in 0..level {
            out.push_str(indent);
        }
    }
}

/// A text in quotes, escaped.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let code = format!("{:04x}", u32::from(character));
                out.push_str("\\u");
                out.push_str(&code);
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// A number as JSON: the shortest text that reads back as the same number.
pub fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        // Rust writes `1e21` and `1e-7`; Go `1e+21` and `1e-7`.
        let text = format!("{value:e}");
        return match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => {
                format!("{digits}e+{exponent}")
            }
            Some(_) | None => text,
        };
    }
    format!("{value}")
}
