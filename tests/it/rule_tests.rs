//! `recant test`, and the tests of the shipped rules.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use recant::config::rules::shipped;
use recant_core::spec::{self, SourceFile};
use recant_core::testcase::{ExpectedAction, ExpectedState, TestCase};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::recant;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files of `rules/`.
fn files() -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = fs::read_dir(root().join("rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| SourceFile {
            name: format!("rules/{}", path.file_name().unwrap().display()),
            text: fs::read_to_string(&path).unwrap(),
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(files.len() >= 4, "rules/ holds rule sets and their tests");
    files
}

/// Rules that no test of `tests` expects to fail, and to keep what they ask for.
fn untested(sets: &[SourceFile], tests: &[TestCase]) -> Vec<String> {
    let mut missing = Vec::new();
    for file in sets {
        let set: Value = serde_saphyr::from_str(&file.text).unwrap();
        let name = set["metadata"]["name"].as_str().unwrap();
        for rule in set["rules"].as_array().unwrap() {
            let rule = format!("{name}/{}", rule["name"].as_str().unwrap());
            for wanted in [ExpectedState::Failing, ExpectedState::Within] {
                let expected = tests
                    .iter()
                    .flat_map(|test| &test.expect)
                    .flat_map(|expectation| &expectation.rules)
                    .any(|(name, state)| name.as_str() == rule && *state == wanted);
                if !expected {
                    missing.push(format!("{rule}: {}", wanted.as_str()));
                }
            }
        }
    }
    missing
}

#[test]
fn each_shipped_rule_is_seen_to_fail_and_to_keep_its_limit() {
    let files = files();
    let (tests, sets): (Vec<SourceFile>, Vec<SourceFile>) = files
        .iter()
        .cloned()
        .partition(|file| file.name.ends_with("_test.yaml"));
    let loaded = spec::load(&files, &[]);
    let shown: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    assert_eq!(untested(&sets, &loaded.tests), Vec::<String>::new());
    // And nothing lies in rules/ that no watch can name, or that has no tests beside it.
    let names: Vec<&str> = sets.iter().map(|file| file.name.as_str()).collect();
    let known = shipped();
    let mut known: Vec<&str> = known.iter().map(|file| file.name.as_str()).collect();
    known.sort_unstable();
    assert_eq!(names, known);
    let beside: Vec<String> = tests
        .iter()
        .map(|file| file.name.replace("_test.yaml", ".yaml"))
        .collect();
    assert_eq!(names, beside);
    // The check itself sees a rule without tests.
    let first = sets.first().unwrap();
    assert!(!untested(std::slice::from_ref(first), &[]).is_empty());
}

#[test]
fn the_tests_of_the_shipped_rules_pass() {
    let ran = recant(&root(), &["test", "rules"], &[]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (0, ""),
        "{}\n{}",
        ran.out,
        ran.err
    );
    let last = ran.out.lines().last().unwrap();
    assert!(last.ends_with(" passed, 0 failed"), "{last}");
}

const ALERTS: &str = "apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules:
- {name: queue, redis: {address: 'redis:6379', list: q}, max: 100}
- {name: errors, alert: {name: HighErrorRate, labels: {service: '${name}'}}}
---
apiVersion: recant.dev/v1alpha1
kind: Test
metadata: {name: an-alert-that-begins-with-a-release-takes-it-back}
revisions: {v1: [web-1], v2: [web-2]}
releases: [{revision: v2, at: 5m, completes: 6m}]
answers:
- {rule: queue, values: '3x60'}
- {rule: errors, values: '0x28 1x30'}
expect:
- {at: 6m, verdict: undecided, rules: {errors: no-data}, actions: []}
- {at: 8m, verdict: fail, rules: {errors: failing}, says: the alert `HighErrorRate` fires, actions: [rollback to v1]}
---
apiVersion: recant.dev/v1alpha1
kind: Test
metadata: {name: one-from-before-does-not}
revisions: {v1: [web-1], v2: [web-2]}
releases: [{revision: v2, at: 5m, completes: 6m}]
answers:
- {rule: queue, values: '3x60'}
- {rule: errors, values: '0x10 1x30 0x10'}
expect:
- {at: 8m, verdict: undecided, rules: {errors: baseline-also-bad}}
- {at: 12m, verdict: undecided, rules: {errors: within}}
never: [rollback]
---
apiVersion: recant.dev/v1alpha1
kind: Test
metadata: {name: a-pod-of-the-new-revision}
watch: {target: {kind: Rollout, name: web}, rules: [shop]}
revisions: {v1: [web-1], v2: [web-2]}
releases: [{revision: v2, at: 5m}]
answers:
- {rule: queue, values: '3x60'}
- {rule: errors, pod: web-2, values: '0x28 1x30'}
expect:
- {at: 8m, verdict: fail, rules: {errors: failing}}
";

#[test]
fn alerts_are_written_down_as_answers() {
    let folder = folder(&[("rules.yaml", ALERTS)]);
    let (code, out, err) = shown(folder.path(), &["test", "rules.yaml"]);
    assert_eq!(code, 0, "{out}\n{err}");
    assert!(out.contains("3 tests passed, 0 failed"), "{out}");
    // And they are no proof by themselves.
    let wrong = ALERTS.replace("errors: no-data", "errors: within");
    fs::write(folder.path().join("rules.yaml"), wrong).unwrap();
    let (code, out, err) = shown(folder.path(), &["test", "rules.yaml"]);
    assert_eq!(code, 1, "{out}\n{err}");
}

const RULES: &str = "apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules:
- {name: errors, ratio: {bad: 'failed_total', total: 'orders_total'}, max: 5%}
";

const TESTS: &str = "apiVersion: recant.dev/v1alpha1
kind: Test
metadata: {name: a-good-release}
revisions: {v1: [shop-1], v2: [shop-2]}
releases: [{revision: v2, at: 5m}]
series:
- {series: 'orders_total{pod=\"shop-1\"}', values: '0+150x60'}
- {series: 'failed_total{pod=\"shop-1\"}', values: '0x60'}
- {series: 'orders_total{pod=\"shop-2\"}', values: '_x20 0+150x60'}
- {series: 'failed_total{pod=\"shop-2\"}', values: '_x20 0+60x60'}
expect:
- {at: 4m, verdict: none}
- {at: 9m, verdict: undecided, rules: {errors: within}, says: no such words, actions: []}
never: [rollback]
";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn shown(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let ran = recant(folder, arguments, &[]);
    (ran.code, ran.out, ran.err)
}

#[test]
fn what_was_not_expected_is_shown_with_its_place_and_what_the_rule_says() {
    let folder = folder(&[("shop.yaml", RULES), ("shop_test.yaml", TESTS)]);
    // Whichever of the two is named, both are read.
    let (code, out, err) = shown(
        folder.path(),
        &["test", "shop.yaml", "--junit", "results.xml"],
    );
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("rule_tests__failures", out);
    });
    assert_eq!(shown(folder.path(), &["test", "shop_test.yaml"]).1, out);
    let junit = fs::read_to_string(folder.path().join("results.xml")).unwrap();
    for part in [
        "tests=\"1\"",
        "failures=\"1\"",
        "<testsuite name=\"shop_test.yaml\"",
        "<testcase name=\"a-good-release\"",
        "shop_test.yaml:13:3: at 9m, verdict:",
    ] {
        assert!(junit.contains(part), "{part} is not in:\n{junit}");
    }
    let (_, _, annotated) = shown(
        folder.path(),
        &["test", "shop.yaml", "--annotations=github"],
    );
    assert!(
        annotated.starts_with("::error file=shop_test.yaml,line=13,col=3,title=recant test%3A a-good-release::at 9m, verdict: expected "),
        "{annotated}"
    );
    let (_, told, _) = shown(folder.path(), &["test", "shop.yaml", "--verbose"]);
    assert!(told.contains("decided: act"), "{told}");
}

#[test]
fn nothing_to_test_is_no_success() {
    let folder = folder(&[("shop.yaml", RULES), ("other_test.yaml", TESTS)]);
    let (code, out, err) = shown(folder.path(), &["test", "shop.yaml"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("there is no test there"), "{err}");
    let (code, out, err) = shown(folder.path(), &["test", "other_test.yaml"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(
        err.contains("there is no rule set beside this test"),
        "{err}"
    );
    let (code, _, err) = shown(folder.path(), &["test", "missing.yaml"]);
    assert_eq!(code, 2);
    assert!(err.contains("there is no such file"), "{err}");
}

const FAULTY: &str = "apiVersion: recant.dev/v1alpha1
kind: Test
metadata: {name: faulty}
watch: {rules: [shop, nothing]}
interval: 1500ms
revisions: {v1: [shop-1], v2: [shop-2, shop-1], V3: []}
releases:
- {revision: v4, at: 5m}
- {revision: v2, at: 4m, completes: 3m}
series:
- {series: 'orders_total{pod=\"shop-7\"}', values: '0+150x60'}
- {series: 'orders_total{pod=~\"shop-.*\"}', values: '0+150x60'}
- {series: 'orders_total', values: '0 plus 150'}
- {series: 'orders_total', values: '0x99999999'}
answers:
- {rule: errors, pod: shop-1, label: canary, values: 3}
expect:
- {at: 5m}
- {at: 4m, verdict: failed, rules: {errors: fails}, actions: [rollback to v9, restart]}
- {verdict: pass}
never: [undo]
";

const UNRESOLVED: &str = "apiVersion: recant.dev/v1alpha1
kind: Test
metadata: {name: unresolved}
revisions: {v1: [shop-1]}
series: [{series: 'order_total{pod=\"shop-1\"}', values: '1x10'}]
answers: [{rule: errors, values: 3}]
expect: [{at: 1m, rules: {error: failing}}]
---
apiVersion: recant.dev/v1alpha1
kind: Test
metadata: {name: unresolved}
watch: shop/checkout
revisions: {v1: [shop-1]}
never: [rollback]
";

#[test]
fn faults_of_a_test_are_reported_all_at_once() {
    for (name, text) in [("faulty", FAULTY), ("unresolved", UNRESOLVED)] {
        let folder = folder(&[("shop.yaml", RULES), ("shop_test.yaml", text)]);
        let (code, out, err) = shown(folder.path(), &["test", "shop.yaml"]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(format!("rule_tests__{name}"), err);
        });
        // `recant check` says the same, and how many tests there are.
        let (code, _, checked) = shown(folder.path(), &["check", "shop.yaml", "shop_test.yaml"]);
        assert_eq!(code, 2);
        for line in err.lines().filter(|line| line.starts_with("error: ")) {
            assert!(checked.contains(line), "{line}\n{checked}");
        }
    }
    let folder = folder(&[("shop.yaml", RULES), ("shop_test.yaml", TESTS)]);
    let (code, out, err) = shown(folder.path(), &["check", "shop.yaml", "shop_test.yaml"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains(", 1 test:"), "{out}");
}

/// A test speaks of a watch of the files as well, with its own target and namespace.
#[test]
fn a_watch_of_the_files_can_be_tested() {
    let watch = "apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: checkout, namespace: shop}
target: {kind: Rollout, name: checkout}
rules: [shop]
dryRun: true
---
apiVersion: recant.dev/v1alpha1
kind: Test
metadata: {name: a-dry-watch-does-nothing}
watch: shop/checkout
revisions: {v1: [shop-1], v2: [shop-2]}
releases: [{revision: v2, at: 5m}]
series:
- {series: 'orders_total{pod=\"shop-1\"}', values: '0+150x60'}
- {series: 'failed_total{pod=\"shop-1\"}', values: '0x60'}
- {series: 'orders_total{pod=\"shop-2\",namespace=\"shop\"}', values: '_x20 0+150x60'}
- {series: 'failed_total{pod=\"shop-2\"}', values: '_x20 0+60x60'}
expect: [{at: 9m, verdict: fail, says: 'dryRun: true', actions: []}]
never: [rollback]
";
    let folder = folder(&[("shop.yaml", RULES), ("watch.yaml", watch)]);
    let (code, out, err) = shown(folder.path(), &["test", "shop.yaml", "watch.yaml"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
}

#[test]
fn results_do_not_depend_on_the_run() {
    let files = files();
    let loaded = spec::load(&files, &[]);
    let book = loaded.book.unwrap();
    let mut acted: BTreeMap<&str, usize> = BTreeMap::new();
    for test in loaded.tests.iter().take(4) {
        let run = || recant::ruletest::run(test, book.channels.values());
        assert_eq!(run(), run(), "{}", test.name);
        let actions = test
            .expect
            .iter()
            .filter_map(|expectation| expectation.actions.as_ref());
        let rollbacks = actions
            .flatten()
            .filter(|action| matches!(action, ExpectedAction::Rollback { .. }))
            .count();
        acted.insert(&test.name, rollbacks);
    }
    assert!(acted.values().any(|count| *count > 0), "{acted:?}");
}
