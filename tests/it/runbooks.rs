//! `Runbook` documents and actions that change something: what valid ones become, and what is said of others.

use std::time::Duration;

use recant::config::rules::shipped;
use recant_core::rule::{RuleBook, Task, WhenStuck};
use recant_core::spec::{self, Loaded, SourceFile};

const BEGIN: &str = r"
apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {name: oncall}
slack: {url: {env: SLACK_WEBHOOK_URL}}
---
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules: [{name: errors, ratio: {bad: b, total: t}, max: 5%}]
---
";
const EMERGENCY: &str = r#"
apiVersion: recant.dev/v1alpha1
kind: Runbook
metadata: {name: emergency}
undo: 30m
whenStuck: goOn
steps:
- scale: {target: Deployment/api, replicas: 10, wait: 2m}
- scale: {target: Deployment/worker, replicas: 8}
- setEnv: {target: Deployment/api, name: MAINTENANCE_MODE, value: "true"}
- notify: [oncall]
---
"#;

fn load(documents: &str, always: &str) -> Loaded {
    let text = format!(
        "{BEGIN}{documents}apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: checkout, namespace: shop}}\n\
         target: {{kind: Deployment, name: checkout}}\nrules: [shop]\n{always}\n"
    );
    let file = SourceFile {
        name: "rules.yaml".to_owned(),
        text,
    };
    spec::load(&[file], &shipped())
}

fn said(loaded: &Loaded) -> String {
    let said: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    said.join("\n")
}

#[track_caller]
fn good(documents: &str, always: &str) -> RuleBook {
    let loaded = load(documents, always);
    assert!(loaded.diagnostics.is_empty(), "{}", said(&loaded));
    loaded.book.expect("there are no diagnostics")
}

fn on_fail(actions: &str) -> String {
    format!("always: [{{rule: shop/errors, onFail: [{actions}]}}]")
}

#[test]
fn the_emergency_set_is_one_operation_in_the_namespace_of_the_watch() {
    let book = good(EMERGENCY, &on_fail("{run: emergency}"));
    let always = &book.watches[0].always[0];
    assert_eq!(always.scale, None);
    assert_eq!(
        always.notify,
        ["oncall".into()],
        "its own channels are told"
    );
    let run = always.run.as_ref().expect("it runs");
    assert_eq!(run.name, "emergency");
    assert_eq!(run.undo_after, Some(Duration::from_mins(30)));
    assert_eq!(run.when_stuck, WhenStuck::GoOn);
    let steps: Vec<String> = run.steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        steps,
        [
            "scale Deployment shop/api to 10 replicas",
            "scale Deployment shop/worker to 8 replicas",
            "set MAINTENANCE_MODE of Deployment shop/api to \"true\"",
        ]
    );
    let Task::Scale { ready, .. } = &run.steps[0] else {
        panic!("{:?}", run.steps[0]);
    };
    assert_eq!(*ready, Some(Duration::from_mins(2)));
    let changed: Vec<String> = book.changed().map(ToString::to_string).collect();
    assert_eq!(changed, ["Deployment shop/api"]);
    assert_eq!(book.scaled().count(), 2);
}

#[test]
fn a_list_of_actions_is_one_operation_and_a_scaling_alone_is_none() {
    let scale = "{scale: {target: Deployment/worker, replicas: 5, undo: 10m}}";
    let book = good("", &on_fail(&format!("{scale}, {{notify: [oncall]}}")));
    let always = &book.watches[0].always[0];
    assert!(always.scale.is_some() && always.run.is_none());

    let set = "{setEnv: {target: StatefulSet/db, container: db, name: LOG_LEVEL, value: DEBUG, undo: 10m}}";
    let note = "{annotate: {target: Widget/w, apiVersion: example.org/v1, key: example.org/mode, undo: 10m}}";
    let book = good("", &on_fail(&format!("{scale}, {set}, {note}")));
    let run = book.watches[0].always[0].run.as_ref().expect("it runs");
    assert_eq!(
        (run.steps.len(), run.undo_after),
        (3, Some(Duration::from_mins(10)))
    );
    assert_eq!(
        run.steps[2].to_string(),
        "remove annotation `example.org/mode` of Widget shop/w"
    );

    let book = good(
        EMERGENCY,
        "onFail: [{rollback: {}}, {run: emergency}, {notify: [oncall]}]",
    );
    let on_fail = &book.watches[0].on_fail;
    assert!(on_fail.rollback);
    assert_eq!(on_fail.run.as_ref().map(|run| run.steps.len()), Some(3));
    assert_eq!(on_fail.notify, ["oncall".into()]);
}

#[test]
fn runbooks_run_others() {
    let outer = "apiVersion: recant.dev/v1alpha1\nkind: Runbook\nmetadata: {name: outer}\nsteps: [{annotate: {target: Service/api, key: a, value: b}}, {run: emergency}]\n---\n";
    let book = good(&format!("{EMERGENCY}{outer}"), &on_fail("{run: outer}"));
    let run = book.watches[0].always[0].run.as_ref().expect("it runs");
    assert_eq!(
        (run.steps.len(), run.undo_after),
        (4, None),
        "the outer one says when"
    );
}

#[test]
fn what_cannot_be_is_refused_with_what_to_write() {
    let runbook = |name: &str, steps: &str| {
        format!(
            "apiVersion: recant.dev/v1alpha1\nkind: Runbook\nmetadata: {{name: {name}}}\nsteps: [{steps}]\n---\n"
        )
    };
    let circle = runbook("a", "{run: b}") + &runbook("b", "{run: c}") + &runbook("c", "{run: b}");
    let set = |fields: &str| on_fail(&format!("{{setEnv: {{{fields}}}}}"));
    let scale = |undo: &str| format!("{{scale: {{target: Deployment/w, replicas: 5{undo}}}}}");
    for (documents, always, says) in [
        (
            String::new(),
            on_fail("{run: emergency}"),
            vec![
                "rules.yaml:17:",
                "there is no runbook `emergency`",
                "kind: Runbook",
            ],
        ),
        (
            EMERGENCY.to_owned(),
            on_fail("{run: emergence}"),
            vec![
                "there is no runbook `emergence`",
                "did you mean `emergency`?",
            ],
        ),
        (
            circle,
            on_fail("{notify: [oncall]}"),
            vec![
                "runbooks run each other in a circle: b → c → b",
                "runbooks run each other in a circle: c → b → c",
            ],
        ),
        (
            runbook("a", "{run: gone}"),
            on_fail("{notify: [oncall]}"),
            vec!["there is no runbook `gone`"],
        ),
        (
            runbook("a", "{notify: [nobody]}, {run: a}"),
            on_fail("{run: a}"),
            vec!["there is no channel `nobody`", "a → a"],
        ),
        (
            runbook("a", "{notify: [oncall]}"),
            on_fail("{run: a}"),
            vec!["this runbook changes nothing"],
        ),
        (
            runbook("a", "{rollback: {}}"),
            on_fail("{notify: [oncall]}"),
            vec!["unknown field `rollback`"],
        ),
        (
            runbook("a", "{annotate: {target: Service/s, key: k, value: v}}")
                + &runbook("a", "{annotate: {target: Service/s, key: k, value: v}}"),
            on_fail("{run: a}"),
            vec!["runbook `a` is defined twice"],
        ),
        (
            String::new(),
            set("target: Service/api, name: A, value: b"),
            vec!["`Service` has no containers", "the kinds are"],
        ),
        (
            String::new(),
            set("target: Deploymnt/api, name: A, value: b"),
            vec!["did you mean `Deployment`?"],
        ),
        (
            String::new(),
            set("target: Deployment/api, name: 1A, value: b"),
            vec!["no variable can be called `1A`"],
        ),
        (
            String::new(),
            set("target: Deployment/api, name: A"),
            vec!["`value`"],
        ),
        (
            String::new(),
            set("target: api, name: A, value: b"),
            vec!["`target` cannot be `api`"],
        ),
        (
            String::new(),
            on_fail("{annotate: {target: Widget/w, key: a, value: b}}"),
            vec![
                "the API version of `Widget` is not known here",
                "apiVersion",
            ],
        ),
        (
            String::new(),
            on_fail("{annotate: {target: Service/w, key: recant.dev/kill-switch, value: b}}"),
            vec!["are Recant's own"],
        ),
        (
            String::new(),
            on_fail("{annotate: {target: Service/w, key: a b, value: b}}"),
            vec!["no annotation can be called"],
        ),
        (
            String::new(),
            on_fail(&format!(
                "{}, {}",
                scale(", undo: 5m"),
                "{setEnv: {target: Deployment/w, name: A, value: b}}"
            )),
            vec!["are taken back together", "the same `undo`"],
        ),
        (
            String::new(),
            on_fail(&format!("{}, {}", scale(""), scale(", ceiling: 9"))),
            vec![
                "the number of replicas of Deployment/w is set twice",
                "first set at `rules.yaml:",
            ],
        ),
        (
            String::new(),
            on_fail("{scale: {target: Deployment/w, replicas: 5, wait: 2h}}"),
            vec!["`wait` is at most 1h"],
        ),
    ] {
        let loaded = load(&documents, &always);
        let said = said(&loaded);
        assert!(loaded.book.is_none(), "{documents}{always}");
        for word in says {
            assert!(
                said.contains(word),
                "{word}\n---\n{said}\n---\n{documents}{always}"
            );
        }
    }
}

#[test]
fn two_watches_that_act_against_each_other_are_named() {
    let other = "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {name: cart, namespace: shop}\n\
         target: {kind: Deployment, name: cart}\nrules: [shop]\n\
         onFail: [{setEnv: {target: Deployment/api, name: LOG_LEVEL, value: DEBUG}}]\n---\n";
    let loaded = load(
        other,
        &on_fail("{setEnv: {target: Deployment/api, name: LOG_LEVEL, value: TRACE}}"),
    );
    let told = said(&loaded);
    assert!(
        told.contains(
            "two watches act against each other: variable LOG_LEVEL of Deployment shop/api"
        ),
        "{told}"
    );
    assert!(told.contains("the other one is at `rules.yaml:"), "{told}");
    good(
        other,
        &on_fail("{setEnv: {target: Deployment/api, name: LOG_LEVEL, value: DEBUG}}"),
    );
}

#[test]
fn a_webhook_is_read_with_secrets_by_reference() {
    let actions = "{webhook: {urlFrom: {secret: {name: hook, key: url}}, headers: {Authorization: {secret: {name: hook, key: token}}}, timeout: 3s}}";
    let book = good("", &on_fail(actions));
    let run = book.watches[0].always[0].run.as_ref().expect("it runs");
    let said =
        "call the webhook the URL in key `url` of the Kubernetes Secret `hook` in namespace `shop`";
    assert_eq!(run.steps[0].to_string(), said);
    let webhook = book.webhooks().next().expect("one");
    assert_eq!(webhook.timeout, Duration::from_secs(3));
    assert_eq!(
        webhook.headers.keys().collect::<Vec<_>>(),
        ["authorization"]
    );
    assert_eq!(webhook.secrets().count(), 2);

    // A runbook for all has the agent's own Secrets.
    let runbook = "apiVersion: recant.dev/v1alpha1\nkind: Runbook\nmetadata: {name: emergency}\n\
         steps: [{webhook: {urlFrom: {secret: {name: hook, key: url}}}}]\n---\n";
    let book = good(runbook, &on_fail("{run: emergency}"));
    let run = book.watches[0].always[0].run.as_ref().expect("it runs");
    assert!(
        !run.steps[0].to_string().contains("namespace"),
        "{}",
        run.steps[0]
    );
}

#[test]
fn what_is_wrong_with_a_webhook_is_said_without_its_secrets() {
    for (webhook, says) in [
        ("{}", "`webhook` has neither `url` nor `urlFrom`"),
        (
            "{url: 'https://a.example', urlFrom: {env: A}}",
            "are both given",
        ),
        ("{url: 'ftp://a.example'}", "no URL that can be asked"),
        (
            "{url: 'https://user:hunter2@a.example/'}",
            "holds a user name or a password",
        ),
        (
            "{url: 'https://a.example/?token=hunter2'}",
            "holds a secret in its query",
        ),
        ("{urlFrom: 'https://a.example/hunter2'}", "is written out"),
        (
            "{url: 'https://a.example', headers: {x-key: hunter2}}",
            "is written out",
        ),
        (
            "{url: 'https://a.example', headers: {Host: {env: A}}}",
            "Recant sets the header `host` itself",
        ),
        (
            "{url: 'https://a.example', headers: {'a b': {env: A}}}",
            "no header can be called",
        ),
        (
            "{url: 'https://a.example', timeout: 1m}",
            "between 100ms and 10s",
        ),
        ("{url: 'https://a.example', retries: 3}", "retries"),
        ("{url: 'http://a.example'}", "called without TLS"),
    ] {
        let loaded = load("", &on_fail(&format!("{{webhook: {webhook}}}")));
        let said = said(&loaded);
        assert!(said.contains(says), "{webhook}: {said}");
        assert!(!said.contains("hunter2"), "{webhook}: {said}");
    }
}

/// Rules in a folder of the test's, with a manifest beside them.
fn with_manifest(apply: &str, manifest: &str) -> Loaded {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = format!(
        "{BEGIN}apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: checkout, namespace: shop}}\n\
         target: {{kind: Deployment, name: checkout}}\nrules: [shop]\n{}\n",
        on_fail(&format!("{{apply: {apply}}}"))
    );
    let write =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("rules.yaml", &rules);
    write("maintenance.manifest", manifest);
    recant::config::rules::load(&[folder.path().to_owned()])
}

#[test]
fn a_manifest_is_read_from_a_file_beside_the_rules_with_its_digest() {
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mode}\ndata: {mode: safe}\n";
    let loaded = with_manifest("{file: maintenance.manifest}", manifest);
    assert!(loaded.diagnostics.is_empty(), "{}", said(&loaded));
    let book = loaded.book.expect("no errors");
    let run = book.watches[0].always[0].run.as_ref().expect("it runs");
    let Task::Apply {
        object,
        manifest,
        from,
    } = &run.steps[0]
    else {
        panic!("{:?}", run.steps[0]);
    };
    assert_eq!(object.to_string(), "ConfigMap shop/mode");
    assert_eq!(manifest["data"]["mode"], "safe");
    let from = from.as_ref().expect("a file");
    assert_eq!(
        (from.path.as_str(), from.sha256.len()),
        ("maintenance.manifest", 64)
    );

    for (apply, manifest, says) in [
        ("{file: gone.yaml}", "", "there is no file"),
        ("{file: /etc/passwd}", "", "no relative path"),
        ("{file: .}", "", "not a regular file"),
        ("{}", "", "neither `manifest` nor `file`"),
        (
            "{file: maintenance.manifest, manifest: {}}",
            "",
            "both given",
        ),
        (
            "{file: maintenance.manifest}",
            "a: 1\n---\nb: 2\n",
            "holds 2 documents",
        ),
        ("{file: maintenance.manifest}", "", "holds 0 documents"),
        (
            "{file: maintenance.manifest}",
            "a: [1\n",
            "`maintenance.manifest`, line",
        ),
        (
            "{file: maintenance.manifest}",
            "a: 1\n",
            "needs `apiVersion`, `kind` and `metadata.name`",
        ),
        (
            "{file: maintenance.manifest}",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n",
            "is no secret any more",
        ),
    ] {
        let loaded = with_manifest(apply, manifest);
        assert!(loaded.book.is_none(), "{apply} {manifest}");
        let said = said(&loaded);
        assert!(said.contains(says), "{apply} {manifest:?}: {said}");
    }
    let large = format!("apiVersion: v1\n# {}\n", "x".repeat(300 << 10));
    let said = said(&with_manifest("{file: maintenance.manifest}", &large));
    assert!(said.contains("larger than 256 KiB"), "{said}");
}

#[test]
fn evidence_goes_into_a_folder_that_is_an_absolute_path() {
    let zero = |evidence: &str| {
        on_fail(&format!(
            "{{scale: {{target: Deployment/worker, replicas: 0, evidence: {evidence}}}}}"
        ))
    };
    let book = good("", &zero("{folder: /var/lib/recant/evidence}"));
    let run = book.watches[0].always[0].run.as_ref().expect("it runs");
    let Task::Scale { evidence, .. } = &run.steps[0] else {
        panic!("{:?}", run.steps[0]);
    };
    let folder = evidence.as_ref().and_then(|rule| rule.folder.as_deref());
    assert_eq!(folder, Some("/var/lib/recant/evidence"));
    for wrong in [
        "{folder: evidence}",
        "{folder: /var/../etc}",
        "{folder: ''}",
    ] {
        let said = said(&load("", &zero(wrong)));
        assert!(said.contains("folder"), "{wrong}: {said}");
    }
}
