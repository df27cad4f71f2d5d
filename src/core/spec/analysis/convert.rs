//! YAML as the JSON that the API server is sent: plain words are numbers, booleans or nothing where they look so.

use super::super::tree::{Kind, Node, Scalar, Style};
use crate::argo::json::Json;

pub(super) fn json(node: &Node) -> Json {
    match &node.kind {
        Kind::Scalar(scalar) => of_scalar(scalar),
        Kind::List(items) => Json::Array(items.iter().map(json).collect()),
        Kind::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|entry| (entry.key.clone(), json(&entry.value)))
                .collect(),
        ),
        Kind::Reported => Json::Null,
    }
}

fn of_scalar(scalar: &Scalar) -> Json {
    let text = scalar.text.as_str();
    match scalar.style {
        Style::SingleQuoted | Style::DoubleQuoted | Style::Block => {
            return Json::String(text.to_owned());
        }
        Style::Plain => {}
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Json::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Json::Bool(false);
        }
        _ => {}
    }
    let numeric = text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        && text.contains(|digit: char| digit.is_ascii_digit())
        && text
            .chars()
            .all(|next| next.is_ascii_digit() || "+-.eE".contains(next));
    match text.parse::<f64>() {
        Ok(value) if numeric && value.is_finite() => Json::Number(value),
        Ok(_) | Err(_) => Json::String(text.to_owned()),
    }
}
