//! Where the fields of a mapping stand. For settings, whose values others read: messages about them name a place.

use std::collections::BTreeMap;

use super::checks::Checks;
use super::diagnostic::SourceFile;
use super::report::Report;
use super::tree::{self, Kind, Node};

/// Line and column, both from 1, of each field of the first document: `guards.coolDown`. What lies behind an alias, or
/// in a file that is no YAML, has none.
pub fn places(file: &SourceFile) -> BTreeMap<String, (usize, usize)> {
    let mut report = Report::new(file, Checks::default());
    let documents = tree::parse(&mut report);
    let mut found = Vec::new();
    if let Some(root) = documents.roots.first() {
        add("", &root.node, &mut found);
    }
    // Counted on from place to place: each from the start would take for ever in a file of many short fields.
    found.sort_unstable();
    let (mut at, mut line, mut column) = (0, 1, 1);
    let mut places = BTreeMap::new();
    for (start, key) in found {
        for character in file.text.get(at..start).unwrap_or("").chars() {
            if character == '\n' {
                (line, column) = (line + 1, 1);
            } else {
                column += 1;
            }
        }
        at = start;
        places.insert(key, (line, column));
    }
    places
}

/// What stands on each line of a document that has one value a line, as JSON with line breaks has: `rules[0].max`.
pub fn fields_by_line(file: &SourceFile) -> BTreeMap<usize, String> {
    let mut report = Report::new(file, Checks::default());
    let documents = tree::parse(&mut report);
    let mut found = Vec::new();
    if let Some(root) = documents.roots.first() {
        add_all("", &root.node, &mut found);
    }
    found.sort();
    let (mut at, mut line) = (0, 1);
    let mut fields = BTreeMap::new();
    for (start, path) in found {
        let between = file.text.get(at..start).unwrap_or("");
        line += between.bytes().filter(|byte| *byte == b'\n').count();
        at = start;
        fields.entry(line).or_insert(path);
    }
    fields
}

/// Entries of lists, too.
fn add_all(path: &str, node: &Node, found: &mut Vec<(usize, String)>) {
    match &node.kind {
        Kind::Map(entries) => {
            for entry in entries.iter().filter(|entry| !entry.key.is_empty()) {
                let inner = if path.is_empty() {
                    entry.key.clone()
                } else {
                    format!("{path}.{}", entry.key)
                };
                add_all(&inner, &entry.value, found);
                found.push((entry.key_span.start, inner));
            }
        }
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let inner = format!("{path}[{index}]");
                add_all(&inner, item, found);
                found.push((item.span.start, inner));
            }
        }
        Kind::Scalar(_) | Kind::Reported => {}
    }
}

/// Its depth is that of the tree, which is bounded.
fn add(prefix: &str, node: &Node, found: &mut Vec<(usize, String)>) {
    let Kind::Map(entries) = &node.kind else {
        return;
    };
    for entry in entries.iter().filter(|entry| !entry.key.is_empty()) {
        let key = if prefix.is_empty() {
            entry.key.clone()
        } else {
            format!("{prefix}.{}", entry.key)
        };
        add(&key, &entry.value, found);
        found.push((entry.key_span.start, key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_path() {
        let places = |text: &str| {
            places(&SourceFile {
                name: "settings.yaml".to_owned(),
                text: text.to_owned(),
            })
        };
        let found = places("# settings\n\nguards:\n  coolDown: 1m\n  ä: {b: c, d: [{e: f}]}\n");
        let expected = [
            ("guards", (3, 1)),
            ("guards.coolDown", (4, 3)),
            ("guards.ä", (5, 3)),
            ("guards.ä.b", (5, 7)),
            ("guards.ä.d", (5, 13)),
        ];
        let expected: BTreeMap<String, (usize, usize)> = expected
            .into_iter()
            .map(|(key, place)| (key.to_owned(), place))
            .collect();
        assert_eq!(found, expected);
        for none in ["", "- a\n", "a: [", "\u{0}"] {
            assert!(places(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn many_fields_take_no_time() {
        let lines: Vec<String> = (0..40_000).map(|n| format!("a{n}: 1")).collect();
        let file = SourceFile {
            name: "settings.yaml".to_owned(),
            text: lines.join("\n"),
        };
        assert_eq!(places(&file).len(), 40_000);
    }
}
