//! `recant once` where it cannot begin: each reason in one line, with its exit code.

use std::fs;

use tempfile::TempDir;

use crate::program::{Ran, recant};

const WATCH: &str = "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {name: w, namespace: shop}\ntarget: {kind: Deployment, name: w}\nrules: [http]\n";

const QUEUE: &str = "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: shop}\nrules:\n- {name: queue, redis: {address: '127.0.0.1:1', list: q}, max: 100, for: 10m}\n---\napiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {name: team}\nslack: {url: {env: TEAM_SLACK}}\n---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {name: w, namespace: shop}\ntarget: {kind: Deployment, name: w}\nalways: [{rule: shop/queue, onFail: [{notify: [team]}]}]\n";

const ALERT: &str = "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: shop}\nrules:\n- {name: errors, alert: HighErrorRate}\n---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {name: w, namespace: shop}\ntarget: {kind: Deployment, name: w}\nrules: [http, shop]\n";

fn folder() -> TempDir {
    let folder = TempDir::new().expect("a folder for the test");
    let kubeconfig = "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: \"http://127.0.0.1:1\"}}]\n\
         contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\ncurrent-context: a\n";
    let scrape = WATCH.to_owned() + "source: scrape\n";
    let stepped = WATCH.to_owned()
        + "release: {traffic: {route: {kind: HTTPRoute, name: w}, canary: w-canary, steps: [10%, 100%]}}\n";
    for (name, text) in [
        ("stepped.yaml", &*stepped),
        ("kubeconfig", kubeconfig),
        ("watch.yaml", WATCH),
        ("scrape.yaml", &scrape),
        ("queue.yaml", QUEUE),
        ("alert.yaml", ALERT),
    ] {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn once(folder: &TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let arguments = [&["once"], arguments].concat();
    let environment = [&[("KUBECONFIG", "kubeconfig")], environment].concat();
    recant(folder.path(), &arguments, &environment)
}

#[test]
fn what_cannot_be_used_is_2_and_says_what_to_do() {
    let folder = folder();
    let prometheus = "--prometheus=http://127.0.0.1:1";
    for (arguments, words) in [
        (&[prometheus][..], "the environment variable APP_NAME"),
        (&["--rules=watch.yaml"], "give --prometheus URL"),
        (
            &["--rules=scrape.yaml", prometheus],
            "the watch `shop/w` has the source `scrape`, which `recant once` cannot use",
        ),
        (
            &["--rules=queue.yaml", prometheus],
            "the rule `shop/queue` has to be broken for 600 s, and what it reads has no past",
        ),
        (
            &["--rules=alert.yaml", prometheus],
            "the rule `shop/errors` is about an alert, which `recant once` cannot hear of",
        ),
        (
            &["--rules=stepped.yaml", prometheus],
            "the watch `shop/w` steps the traffic of its releases (`release.traffic`), which `recant once` cannot do",
        ),
        (
            &["--rules=stepped.yaml", prometheus, "--wait=1h"],
            "Use `recant run`, or give `recant once` a Watch without",
        ),
        (
            &["--rules=watch.yaml", prometheus, "--wait=soon"],
            "give a duration like 90s or 10m",
        ),
        (
            &["--rules=watch.yaml", prometheus, "--when-unclear=pass"],
            "--wait <DURATION>",
        ),
        (
            &[
                "--rules=watch.yaml",
                prometheus,
                "--junit=nowhere/report.xml",
            ],
            "--junit nowhere/report.xml",
        ),
        (
            &["--rules=nowhere.yaml", prometheus],
            "there is no such file",
        ),
    ] {
        let ran = once(&folder, arguments, &[]);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (2, ""),
            "{arguments:?}: {}",
            ran.err
        );
        assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn a_variable_that_is_no_number_is_named() {
    let folder = folder();
    for (name, value) in [
        ("ERROR_THRESHOLD", "5%"),
        ("ERROR_THRESHOLD", "1.5"),
        ("RESPONSE_TIME_THRESHOLD", "1s"),
    ] {
        let environment = [("APP_NAME", "checkout"), (name, value)];
        let ran = once(&folder, &["--prometheus=http://127.0.0.1:1"], &environment);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        assert!(
            ran.err.contains(&format!("{name} is `{value}`")),
            "{}",
            ran.err
        );
    }
    let ran = once(&folder, &[], &[("APP_NAME", "checkout")]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("give --prometheus URL"), "{}", ran.err);
}

#[test]
fn without_a_cluster_it_could_not_look() {
    let folder = folder();
    for (arguments, environment) in [
        (&["--rules=watch.yaml"][..], &[][..]),
        (&[], &[("APP_NAME", "checkout"), ("NAMESPACE", "shop")]),
    ] {
        let arguments = [&["--prometheus=http://127.0.0.1:1"], arguments].concat();
        let ran = once(&folder, &arguments, environment);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{}", ran.err);
        assert!(
            ran.err.contains("the API server did not answer"),
            "{}",
            ran.err
        );
    }
    // A Job knows only zero and non-zero: who says what is unclear says it of this, too. CI is told all the same.
    for (unclear, code) in [("pass", 0), ("fail", 1), ("inconclusive", 3)] {
        let unclear = format!("--when-unclear={unclear}");
        let arguments = [
            "--prometheus=http://127.0.0.1:1",
            "--rules=watch.yaml",
            "--wait=1m",
            "--annotations=github",
            &unclear,
        ];
        let ran = once(&folder, &arguments, &[]);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{}", ran.err);
        assert!(
            ran.err
                .contains("\n::error title=COULD NOT LOOK::asking the API server"),
            "{}",
            ran.err
        );
    }
}
