//! Keeps what may be a secret out of the excerpts of users' files (P10).

use super::super::report::Report;
use super::super::tree::{Entry, Kind, Node};
use super::object::{Object, text};

/// Words in names of fields, variables and headers whose values are not shown.
const SECRET_WORDS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "webhookurl",
    "dsn",
];

/// Masks all of a Secret but its outline, and single values with telling names elsewhere.
pub(super) fn mask(object: &Object, report: &mut Report<'_>) {
    if !object.is("", "Secret") {
        named(&object.root, report);
        return;
    }
    let Kind::Map(entries) = &object.root.kind else {
        return;
    };
    for entry in entries {
        let outline = ["apiVersion", "kind", "metadata", "type", "immutable"];
        if outline.contains(&entry.key.as_str()) {
            // `kubectl apply` keeps the whole object in an annotation.
            named(&entry.value, report);
            if entry.key == "metadata" {
                annotations(&entry.value, report);
            }
        } else {
            all(&entry.value, report);
        }
    }
}

fn annotations(metadata: &Node, report: &mut Report<'_>) {
    if let Some(annotations) = super::object::field(metadata, "annotations") {
        all(annotations, report);
    }
}

fn all(node: &Node, report: &mut Report<'_>) {
    match &node.kind {
        Kind::Scalar(_) => report.mask(node.span),
        Kind::List(items) => {
            for item in items {
                all(item, report);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                all(&entry.value, report);
            }
        }
        // An alias, say: its text is only a name.
        Kind::Reported => {}
    }
}

fn named(node: &Node, report: &mut Report<'_>) {
    match &node.kind {
        Kind::Scalar(_) | Kind::Reported => {}
        Kind::List(items) => {
            for item in items {
                named(item, report);
            }
        }
        Kind::Map(entries) => {
            // `{name: PASSWORD, value: …}`: whatever else stands beside such a name may be the value, misspelt.
            let telling = entries
                .iter()
                .any(|entry| matches!(entry.key.as_str(), "name" | "key") && tells(&entry.value));
            for entry in entries {
                let Entry {
                    key,
                    key_span: _,
                    value,
                } = entry;
                let by_name = telling && !matches!(key.as_str(), "name" | "key");
                if matches!(value.kind, Kind::Scalar(_)) && (by_name || is_telling(key)) {
                    report.mask(value.span);
                } else {
                    named(value, report);
                }
            }
        }
    }
}

fn tells(node: &Node) -> bool {
    text(node).is_some_and(is_telling)
}

/// `secretName`, `tokenUrl` and the like hold names, not secrets.
fn is_telling(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let only_name = [
        "name",
        "ref",
        "kind",
        "namespace",
        "path",
        "expirationseconds",
    ];
    SECRET_WORDS.iter().any(|word| plain.contains(word))
        && !only_name.iter().any(|end| plain.ends_with(end))
}
