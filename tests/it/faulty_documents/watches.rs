//! Mistakes in watches.

use super::{TARGET, check, watch};

#[test]
fn watches_on_request() {
    let asked = |fields: &str| watch(&format!("targets: {{{fields}}}\nrules: [http]"));
    let second = "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {name: other, namespace: shop}\ntargets: {labels: {team: a}, onRequest: true}\nrules: [http]\n";
    for (name, text) in [
        (
            "targets_not_on_request",
            asked("kinds: [Rollout], onRequest: false"),
        ),
        ("targets_without_on_request", asked("kinds: [Rollout]")),
        (
            "targets_and_target",
            watch(&format!(
                "{TARGET}\ntargets: {{onRequest: true}}\nrules: [http]"
            )),
        ),
        (
            "targets_with_always",
            watch(
                "targets: {onRequest: true}\nrules: [http]\nalways: [{rule: http/error-rate, onFail: [{notify: [oncall]}]}]",
            ),
        ),
        (
            "targets_of_nothing",
            asked(
                "onRequest: true, kinds: [Pod], namespaces: [Shop, a b], labels: {'-a': b, c: [d]}",
            ),
        ),
        (
            "targets_that_overlap",
            format!(
                "{}{second}",
                asked("onRequest: true, namespaces: [pay, shop]")
            ),
        ),
    ] {
        check(name, text);
    }
}

#[test]
fn watches() {
    for (name, text) in [
        (
            "watch_without_anything",
            "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {name: checkout}\n".to_owned(),
        ),
        (
            "dangling_rule_set",
            watch(&format!(
                "{TARGET}\nrules: [htp, http/errorrate, latency-p95, nothing-like-it]"
            )),
        ),
        (
            "dangling_channel",
            watch(&format!(
                "{TARGET}\nrules: [http]\nonFail: [{{rollback: {{}}}}, {{notify: [oncal, deployments]}}]"
            )),
        ),
        (
            "rule_twice_in_a_watch",
            watch(&format!("{TARGET}\nrules: [http, http/error-rate, http]")),
        ),
        (
            "stuck_pods",
            watch(&format!(
                "{TARGET}\nrules: [http]\nonFail: [{{rollback: {{deleteStuckPods: 3, orphans: true}}}}]"
            )),
        ),
        (
            "target_kind",
            watch("target: {kind: CronJob, name: checkout}\nrules: [http]"),
        ),
        (
            "target_misspelt",
            watch("target: {kind: deployment, name: checkout, namespace: shop}\nrules: [http]"),
        ),
        (
            "no_rules_in_a_watch",
            watch(&format!("{TARGET}\nrules: []")),
        ),
        ("rules_as_text", watch(&format!("{TARGET}\nrules: http"))),
        (
            "source_misspelt",
            watch(&format!("{TARGET}\nrules: [http]\nsource: prom")),
        ),
        (
            "watch_too_long",
            watch(&format!("{TARGET}\nrules: [http]\nrelease: {{watch: 2d}}")),
        ),
        (
            "watch_of_no_time",
            watch(&format!("{TARGET}\nrules: [http]\nrelease: {{watch: 0m}}")),
        ),
        (
            "watch_without_unit",
            watch(&format!(
                "{TARGET}\nrules: [http]\nrelease: {{watch: 30, falseAlarms: 1%}}"
            )),
        ),
        (
            "watch_as_iso",
            watch(&format!(
                "{TARGET}\nrules: [http]\nrelease: {{watch: PT30M}}"
            )),
        ),
        (
            "empty_on_fail",
            watch(&format!("{TARGET}\nrules: [http]\nonFail: []")),
        ),
        (
            "on_fail_without_value",
            watch(&format!("{TARGET}\nrules: [http]\nonFail:")),
        ),
        (
            "rollback_as_word",
            watch(&format!(
                "{TARGET}\nrules: [http]\nonFail: [rollback, {{notify: [oncall]}}]"
            )),
        ),
        (
            "rollback_without_value",
            watch(&format!(
                "{TARGET}\nrules: [http]\nonFail:\n- rollback:\n- notify: oncall"
            )),
        ),
        (
            "rollback_twice",
            watch(&format!(
                "{TARGET}\nrules: [http]\nonFail: [{{rollback: {{}}}}, {{rollback: {{to: 3}}}}]"
            )),
        ),
        (
            "two_actions_in_one",
            watch(&format!(
                "{TARGET}\nrules: [http]\nonFail:\n- rollback: {{}}\n  notify: [oncall]"
            )),
        ),
        (
            "later_action",
            watch(&format!(
                "{TARGET}\nrules: [http]\nonFail: [{{scale: {{replicas: 5}}}}]"
            )),
        ),
        (
            "rollback_on_pass",
            watch(&format!(
                "{TARGET}\nrules: [http]\nonPass: [{{rollback: {{}}}}]"
            )),
        ),
        (
            "notify_nobody",
            watch(&format!(
                "{TARGET}\nrules: [http]\nonFail: [{{notify: []}}]"
            )),
        ),
        (
            "scrape_port",
            watch(&format!(
                "{TARGET}\nrules: [http]\nscrape: {{port: http-metrics, path: metrics}}"
            )),
        ),
        (
            "scrape_beside_prometheus",
            watch(&format!(
                "{TARGET}\nrules: [http]\nsource: prometheus\nscrape: {{port: 9090}}"
            )),
        ),
        (
            "links",
            watch(&format!(
                "{TARGET}\nrules: [http]\nlinks: [{{label: D, url: grafana}}, {{label: E, url: 'https://me:secret@grafana/d'}}, {{name: x}}]"
            )),
        ),
        (
            "bad_watch_in_two_ways",
            watch(
                "target: {kind: Deployment, name: Check_Out}\nrules: [http]\nmode: observe\nalways: []",
            ),
        ),
    ] {
        check(name, text);
    }
}
