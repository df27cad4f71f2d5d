//! `recant check` with the settings of the agent, and with a cluster that is not there.

use std::fs;

use tempfile::TempDir;

use crate::program::recant;

const SET: &str = "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: shop}\nrules: [{name: a, ratio: {bad: b, total: t}, max: 5%}]\n";
/// What the program says about `arguments` in a folder; the exit code first.
fn said(files: &[(&str, &[u8])], arguments: &[&str]) -> String {
    let folder = TempDir::new().expect("a folder for the test");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    let arguments: Vec<&str> = ["check"].iter().chain(arguments).copied().collect();
    let ran = recant(folder.path(), &arguments, &[("KUBECONFIG", "kubeconfig")]);
    format!("exit code {}\n{}{}", ran.code, ran.err, ran.out)
}

const TEMPLATE: &[u8] = include_bytes!("../../alerts/messages/teams.jinja");
const SETTINGS: &[u8] = b"rules: [rules]\ntemplates: messages\n";

#[test]
fn settings_are_checked_with_the_rules_and_templates_that_they_name() {
    let files = |settings: &'static [u8], template: &'static [u8]| {
        vec![
            ("settings.yaml", settings),
            ("rules/shop.yaml", SET.as_bytes()),
            ("messages/teams.jinja", template),
        ]
    };
    let only_settings = ["--config", "settings.yaml"];
    let all = [
        said(&files(SETTINGS, TEMPLATE), &only_settings),
        said(&files(SETTINGS, b"{{ headline"), &only_settings),
        said(
            &files(SETTINGS, b"{{ headline"),
            &["rules/shop.yaml", "--config", "settings.yaml", "--json"],
        ),
        said(
            &files(b"rules: [rules]\nlisten: here\nlease: {nam: x}\n", TEMPLATE),
            &only_settings,
        ),
        said(
            &files(b"listen: here\n", TEMPLATE),
            &["rules", "--config", "settings.yaml"],
        ),
        said(&files(b"journal: j\n", TEMPLATE), &only_settings),
    ];
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("check_settings__all", all.join("\n"));
    });
}

#[test]
fn callers_are_checked_with_the_settings_and_no_token_is_shown() {
    let settings =
        b"rules: [rules.yaml]\napi: {address: '127.0.0.1:9465', callers: callers.yaml}\n";
    let said = |callers: &[u8]| {
        let files = [
            ("settings.yaml", settings.as_slice()),
            ("rules.yaml", SET.as_bytes()),
            ("callers.yaml", callers),
        ];
        said(&files, &["--config", "settings.yaml"])
    };
    let good = said(b"callers: [{name: ci, scopes: [hooks], serviceAccount: shop/ci}]\n");
    assert!(good.starts_with("exit code 0"), "{good}");
    let bad = said(b"callers: [{name: ci, scopes: [hooks], token: hunter2}]\n");
    assert!(bad.starts_with("exit code 2"), "{bad}");
    assert!(
        bad.contains("caller 1 (`ci`): `token` must be a mapping"),
        "{bad}"
    );
    assert!(!bad.contains("hunter2"), "{bad}");
}

const NOWHERE: &[u8] = b"apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: a, user: {}}]\ncontexts: [{name: a, context: {cluster: a, user: a, namespace: shop}}]\n";
const RULES: &[u8] = b"apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: shop}\nrules: [{name: queue, gauge: queue_length, max: 100}]\n---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {name: w, namespace: shop}\ntarget: {kind: Deployment, name: w}\nrules: [shop, http]\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, envFrom: [{secretRef: {name: s}}]}]}\n---\napiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {name: office}\nteams: {url: {file: teams.url}}\n";

#[test]
fn a_cluster_that_does_not_answer_leaves_open_what_it_knows() {
    let files = |settings: &'static [u8]| {
        vec![
            ("settings.yaml", settings),
            ("rules.yaml", RULES),
            ("kubeconfig", NOWHERE),
            ("teams.url", b"http://127.0.0.1:1/hook/SECRET\n"),
        ]
    };
    let arguments = ["rules.yaml", "--cluster", "--config", "settings.yaml"];
    let all = [
        said(&files(b"journal: j\n"), &arguments),
        said(&files(b"listen: here\n"), &arguments),
    ];
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("check_settings__no_cluster", all.join("\n"));
    });
}
