//! Files that are no rule files, or are made to hurt: refused with a message, quickly, without a panic.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use recant::config::rules::shipped;
use recant_core::spec::{self, Diagnostic, Loaded, MOST_BYTES, SourceFile};

fn load(text: String) -> Loaded {
    load_with(text, &shipped())
}

fn load_with(text: String, shipped: &[SourceFile]) -> Loaded {
    let files = [SourceFile {
        name: "rules.yaml".to_owned(),
        text,
    }];
    spec::load(&files, shipped)
}

/// Loads and expects errors: quickly, few, and short ones.
fn refused(what: &str, text: String) -> Vec<Diagnostic> {
    let begun = Instant::now();
    let loaded = load(text);
    // Debug builds on a busy machine: what is bounded takes well below a second in release.
    assert!(
        begun.elapsed() < Duration::from_mins(1),
        "{what} took {:?}",
        begun.elapsed()
    );
    assert_eq!(loaded.book, None, "{what} was accepted");
    assert!(!loaded.diagnostics.is_empty(), "{what} without a word");
    assert!(
        loaded.diagnostics.len() <= 101,
        "{what}: {} diagnostics",
        loaded.diagnostics.len()
    );
    for diagnostic in &loaded.diagnostics {
        let shown = diagnostic.to_string();
        assert!(shown.len() < 2_000, "{what}: {shown}");
    }
    loaded.diagnostics
}

#[test]
fn yaml_bombs_do_not_go_off() {
    let mut laughs = vec!["a: &a [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n".to_owned()];
    for (previous, name) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        let references = vec![format!("*{previous}"); 9].join(",");
        laughs.push(format!("{name}: &{name} [{references}]\n"));
    }
    let shown = refused("a billion laughs", laughs.concat());
    let aliases = shown.iter().filter(|d| d.message.contains("alias")).count();
    assert_eq!(aliases, 72, "{shown:?}");
    refused("an endless alias", "a: &a [*a]\n".to_owned());
    refused(
        "quadratic blow-up",
        format!(
            "a: &a {}\nb: [{}]\n",
            "x".repeat(50_000),
            "*a,".repeat(50_000)
        ),
    );
}

#[test]
fn large_files_are_not_read() {
    let shown = refused("10 MB", "a: b\n".repeat(2 * MOST_BYTES));
    assert!(
        shown
            .iter()
            .any(|d| d.message.contains("more than 1048576")),
        "{shown:?}"
    );
    let shown = refused("many values", "- a\n".repeat(MOST_BYTES / 4));
    assert!(
        shown.iter().any(|d| d.message.contains("100000 values")),
        "{shown:?}"
    );
}

#[test]
fn a_megabyte_of_anything_is_read_in_time() {
    for (what, unit) in [
        ("open brackets", "["),
        ("open braces", "{"),
        ("dashes", "- "),
        ("keys in keys", "? "),
        ("colons", ": "),
        ("quotes", "'"),
        ("documents", "---\n"),
        ("broken documents", "a: [\n---\n"),
        ("keys", "k: v\n"),
        ("tabs", "\t"),
        ("comments", "# c\n"),
        ("nul", "\0"),
        ("bars", "|\n"),
        ("percent", "%"),
        ("anchors", "- &a b\n"),
        ("tags", "- !t b\n"),
        (
            "watches",
            "{apiVersion: recant.dev/v1alpha1, kind: Watch, metadata: {name: a, namespace: a}, target: {kind: Deployment, name: a}, rules: [a]}\n---\n",
        ),
        (
            "rule sets",
            "{apiVersion: recant.dev/v1alpha1, kind: RuleSet, metadata: {name: a}, rules: [{name: a}, {name: a}]}\n---\n",
        ),
    ] {
        let text = unit.repeat(MOST_BYTES / unit.len());
        let begun = Instant::now();
        let loaded = load(text);
        assert!(loaded.diagnostics.len() <= 101, "{what}");
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "{what} took {:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn a_long_list_of_the_same_name_is_read_in_time() {
    let names = "nothing,".repeat(90_000);
    refused(
        "rules of a watch",
        format!(
            "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: a, namespace: a}}\ntarget: {{kind: Deployment, name: a}}\nrules: [{names}]\n"
        ),
    );
    let rules = "{name: a, ratio: {bad: b, total: t}, max: 1%},".repeat(10_000);
    refused(
        "rules of a set",
        format!(
            "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {{name: a}}\nrules: [{rules}]\n"
        ),
    );
    let fields: Vec<String> = (0..60_000).map(|index| format!("f{index}: 1\n")).collect();
    let fields = fields.concat();
    refused(
        "unknown fields",
        format!("apiVersion: recant.dev/v1alpha1\nkind: RuleSet\n{fields}"),
    );
}

#[test]
fn many_errors_are_counted_not_shown() {
    let rules: Vec<String> = (0..150)
        .map(|index| format!("- {{name: r{index}, ratio: {{bad: b, total: t}}, max: {index}}}\n"))
        .collect();
    let rules = rules.concat();
    let shown = refused(
        "150 limits without unit",
        format!(
            "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {{name: a}}\nrules:\n{rules}"
        ),
    );
    assert_eq!(shown.len(), 101);
    let last = shown.last().expect("there are many").to_string();
    assert!(
        last.contains("50 more problems in this file are not shown"),
        "{last}"
    );
}

const GOOD: &str = r#"apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules:
- name: errors
  ratio: {bad: 'm{code=~"5.."}', total: m, absentBad: zero}
  max: 5%
  compare: {margin: 50%, plus: 0.1%}
  arms: {label: version, canary: a, baseline: b}
- name: slow
  histogram: h_seconds
  quantile: 99.9%
  max: 1m30s
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: checkout, namespace: shop}
target: {kind: Deployment, name: checkout}
rules: [shop/slow, shop/errors]
onFail: [{rollback: {}}, {notify: [oncall]}]
scrape: {port: 9090, path: /metrics}
links: [{label: D, url: "https://g.example/d"}]
---
apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {name: oncall}
slack: {url: {secret: {name: slack, key: url}}}
"#;

#[test]
fn the_document_that_is_mutated_is_good() {
    assert_eq!(load(GOOD.to_owned()).diagnostics, []);
}

/// Whatever it is, it ends with a book or with errors, and every diagnostic can be shown.
fn survives(text: String) {
    let loaded = load_with(text, &[]);
    let errors = loaded
        .diagnostics
        .iter()
        .filter(|d| d.severity == spec::Severity::Error)
        .count();
    assert_eq!(loaded.book.is_none(), errors > 0);
    for diagnostic in &loaded.diagnostics {
        assert!(
            !diagnostic
                .to_string()
                .chars()
                .any(|c| c.is_control() && c != '\n')
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn arbitrary_text_does_no_harm(text in any::<String>()) {
        survives(text);
    }

    #[test]
    fn text_of_yaml_characters_does_no_harm(text in "[-a{}:,'\"\\[\\]&*!|>#%?@ \n\r\t\u{feff}é\u{85}.]{0,60}") {
        survives(text);
    }

    #[test]
    fn mutated_documents_do_no_harm(
        changes in prop::collection::vec((0..GOOD.len(), 0..12_usize, "[-a5%{}:,'\"\\[\\]&*!|># \n\té/]{0,4}"), 1..4)
    ) {
        let mut text = GOOD.to_owned();
        for (at, length, insert) in changes {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, &insert);
            }
        }
        survives(text);
    }
}
