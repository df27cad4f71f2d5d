//! `always` of a watch: what a valid one becomes, and what is said about one that is not.

use std::time::Duration;

use recant::config::rules::shipped;
use recant_core::rule::{Always, Scale, ScaleKind, ScaleTarget, ScaleTo};
use recant_core::spec::{self, Loaded, SourceFile};

const RULES: &str = r"
apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {name: oncall}
slack: {url: {env: SLACK_WEBHOOK_URL}}
---
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop}
rules:
- {name: errors, ratio: {bad: b, total: t}, max: 5%}
- {name: worse, ratio: {bad: b, total: t}, compare: {margin: 50%}}
- {name: queue, gauge: queue, max: 100, compare: {}}
---
";

fn load(always: &str) -> Loaded {
    let watch = format!(
        "{RULES}apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: checkout, namespace: shop}}\n\
         target: {{kind: Deployment, name: checkout}}\nrules: [shop]\nalways: {always}\n"
    );
    let file = SourceFile {
        name: "rules.yaml".to_owned(),
        text: watch,
    };
    spec::load(&[file], &shipped())
}

fn said(always: &str) -> String {
    let loaded = load(always);
    let said: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    said.join("\n")
}

#[track_caller]
fn good(always: &str) -> Vec<Always> {
    let loaded = load(always);
    assert!(loaded.diagnostics.is_empty(), "{}", said(always));
    let book = loaded.book.expect("there are no diagnostics");
    book.watches[0].always.clone()
}

#[test]
fn what_is_written_is_what_is_done() {
    let always = good(
        "[{rule: shop/errors, window: 10m, recovery: 20s, onFail: [{scale: {target: StatefulSet/worker, factor: 150%, ceiling: 9, undo: 30m}}, {notify: [oncall]}]}]",
    );
    let [only] = always.as_slice() else {
        panic!("{always:?}");
    };
    assert_eq!(only.rule.name.as_str(), "shop/errors");
    assert_eq!(only.window, Duration::from_mins(10));
    assert_eq!(only.recovery, Duration::from_secs(20));
    assert_eq!(only.notify, ["oncall".into()]);
    let target = ScaleTarget {
        namespace: "shop".to_owned(),
        kind: ScaleKind::StatefulSet,
        name: "worker".to_owned(),
    };
    assert_eq!(
        only.scale,
        Some(Scale {
            target,
            to: ScaleTo::Factor(150),
            ceiling: Some(9),
            undo_after: Some(Duration::from_mins(30)),
        })
    );
}

#[test]
fn what_is_left_out_has_its_default() {
    assert!(good("[]").is_empty());
    let always =
        good("[{rule: shop/errors, onFail: [{scale: {target: Rollout/worker, replicas: 5}}]}]");
    assert_eq!(always[0].window, Duration::from_mins(5));
    assert_eq!(always[0].recovery, Duration::from_mins(1));
    let scale = always[0].scale.as_ref().expect("it scales");
    assert_eq!(scale.to, ScaleTo::Replicas(5));
    assert_eq!((scale.ceiling, scale.undo_after), (None, None));
}

#[test]
fn what_cannot_be_is_refused_with_what_to_write() {
    let with = |action: &str| format!("[{{rule: shop/errors, onFail: [{action}]}}]");
    for (always, says) in [
        (with("{rollback: {}}"), vec!["between releases there is no `rollback`", "nothing was released that could be taken back"]),
        ("[{rule: shop/worse, onFail: [{notify: [oncall]}]}]".to_owned(), vec!["rule `shop/worse` only compares", "give the rule a `max` or a `min`"]),
        ("[{rule: shop, onFail: [{notify: [oncall]}]}]".to_owned(), vec!["rule `shop/worse` only compares"]),
        ("[{rule: shop/queue, onFail: [{notify: [oncall]}]}]".to_owned(), vec!["rule `shop/queue` compares with a baseline, and between releases there is none", "copy it without its `compare`"]),
        ("[{rule: shop/error, onFail: [{notify: [oncall]}]}]".to_owned(), vec!["has no rule `error`", "did you mean `errors`?"]),
        ("[{rule: shop/errors, onFail: [{notify: [oncal]}]}]".to_owned(), vec!["there is no channel `oncal`"]),
        ("[{rule: shop/errors, onFail: [{notify: [oncall]}]}, {rule: shop/errors, onFail: [{notify: [oncall]}]}]".to_owned(), vec!["named twice in `always`"]),
        ("[{rule: shop/errors, window: 1s, onFail: [{notify: [oncall]}]}]".to_owned(), vec!["less than 30s"]),
        ("[{rule: shop/errors, window: 1d, onFail: [{notify: [oncall]}]}]".to_owned(), vec!["at most 6h"]),
        ("[{rule: shop/errors, recovery: 1s, onFail: [{notify: [oncall]}]}]".to_owned(), vec!["at least 5s and at most 24h", "such as `5m`"]),
        ("[{rule: shop/errors, recovery: 2d, onFail: [{notify: [oncall]}]}]".to_owned(), vec!["at least 5s and at most 24h"]),
        ("[{rule: shop/errors}]".to_owned(), vec!["has no `onFail`"]),
        ("[{onFail: [{notify: [oncall]}]}]".to_owned(), vec!["has no `rule`"]),
        ("{rule: shop/errors}".to_owned(), vec!["`always` must be a list"]),
        (with("{scale: {target: worker, replicas: 5}}"), vec!["`target` cannot be `worker`", "`target: Deployment/worker`"]),
        (with("{scale: {target: Deploymnt/worker, replicas: 5}}"), vec!["`Deploymnt` cannot be scaled", "did you mean `Deployment`?"]),
        (with("{scale: {target: DaemonSet/worker, replicas: 5}}"), vec!["`DaemonSet` cannot be scaled"]),
        (with("{scale: {target: Deployment/Worker, replicas: 5}}"), vec!["`target` cannot be"]),
        (with("{scale: {target: Deployment/worker}}"), vec!["neither `replicas` nor `factor`"]),
        (with("{scale: {target: Deployment/worker, replicas: 5, factor: 150%}}"), vec!["are both given"]),
        (with("{scale: {target: Deployment/worker, factor: 1.5}}"), vec!["write it in percent: `150%`"]),
        (with("{scale: {target: Deployment/worker, factor: 133.3%}}"), vec!["whole percentage"]),
        (with("{scale: {target: Deployment/worker, replicas: -1}}"), vec!["`replicas` cannot be `-1`"]),
        (with("{scale: {target: Deployment/worker, replicas: 5, undo: 30}}"), vec!["`undo` is not a duration"]),
        (with("{scale: {target: Deployment/worker, replicas: 5}}, {scale: {target: Deployment/worker, factor: 150%}}"), vec!["the number of replicas of Deployment/worker is set twice in one list"]),
        (with("scale"), vec!["must be a mapping, and is a single value"]),
    ] {
        let said = said(&always);
        assert!(load(&always).book.is_none(), "{always}\n{said}");
        for says in says {
            assert!(said.contains(says), "{always}\n{says}\n---\n{said}");
        }
        assert!(said.contains("rules.yaml:"), "{said}");
    }
}

#[test]
fn what_never_does_anything_is_warned_of() {
    let with = |scale: &str| {
        format!(
            "[{{rule: shop/errors, onFail: [{{scale: {{target: Deployment/worker, {scale}}}}}]}}]"
        )
    };
    for (always, says) in [
        (
            with("factor: 100%"),
            "with `factor: 100%` nothing is ever scaled",
        ),
        (
            with("replicas: 0"),
            "with `replicas: 0` nothing is ever scaled",
        ),
        (
            with("replicas: 5, ceiling: 3"),
            "the `ceiling` of 3 is below `replicas: 5`",
        ),
        (
            "[{rule: shop/errors, onFail: [{notify: []}]}]".to_owned(),
            "",
        ),
    ] {
        let said = said(&always);
        assert!(said.contains(says), "{always}\n{said}");
        if !says.is_empty() {
            assert!(
                load(&always).book.is_some(),
                "a warning is no error: {said}"
            );
        }
    }
}

#[test]
fn every_error_is_said_at_once() {
    let said = said(
        "[{rule: shop/worse, window: 1s, onFail: [{rollback: {}}, {scale: {target: X/worker, factor: 1.5}}]}]",
    );
    for says in [
        "less than 30s",
        "no `rollback`",
        "cannot be scaled",
        "`150%`",
        "only compares",
    ] {
        assert!(said.contains(says), "{says}\n---\n{said}");
    }
}
