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
