//! What valid documents become: the shipped rule sets, all fields, defaults, JSON, other line endings.

use std::time::Duration;

use recant::config::rules::shipped;
use recant_core::ids::{ChannelName, TargetId, TargetKind};
use recant_core::rule::{
    ArmsBy, ChannelKind, Compare, Metric, Part, Rule, RuleBook, SecretRef, SourceKind, Unit,
};
use recant_core::spec::{self, SourceFile};

fn load(text: &str) -> RuleBook {
    let files = [SourceFile {
        name: "rules.yaml".to_owned(),
        text: text.to_owned(),
    }];
    let loaded = spec::load(&files, &shipped());
    let shown: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    assert!(loaded.diagnostics.is_empty(), "{}", shown.join("\n"));
    loaded.book.expect("there are no diagnostics")
}

fn rules_of(text: &str) -> Vec<Rule> {
    let book = load(text);
    let watch = book.watches.first().expect("there is a watch");
    watch.rules.iter().map(|rule| (**rule).clone()).collect()
}

fn watch_of(rules: &str) -> String {
    format!(
        "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: checkout, namespace: shop}}\ntarget: {{kind: Deployment, name: checkout}}\nrules: {rules}\n"
    )
}

fn close(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() < 1e-12)
}

#[test]
fn shipped_rules_are_known_without_files() {
    let rules = rules_of(&watch_of("[http, istio]"));
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "http/error-rate",
            "http/latency-p95",
            "istio/error-rate",
            "istio/latency-p95"
        ]
    );
    for rule in &rules {
        let check = rule.counts().expect("a rule about counts");
        let (max, compare) = (check.max, check.compare.expect("a comparison"));
        match &check.metric {
            Metric::Ratio(ratio) => {
                assert!(close(max, 0.05), "{}: {max:?}", rule.name);
                assert!((compare.margin - 0.5).abs() < 1e-12);
                assert!((compare.plus - 0.001).abs() < 1e-12);
                assert_eq!(ratio.part_is, Part::Bad);
                assert_eq!(ratio.part.metric, ratio.total.metric);
            }
            Metric::Histogram(histogram) => {
                assert_eq!(histogram.quantile_millionths, 950_000);
                assert!((compare.margin - 1.0).abs() < 1e-12);
                assert!((compare.plus - 0.05).abs() < 1e-12);
                let second = match histogram.unit {
                    Unit::Seconds => 1.0,
                    Unit::Milliseconds => 1000.0,
                };
                assert!(close(max, second), "{}: {max:?}", rule.name);
            }
        }
        assert_eq!((check.least, rule.dry_run), (20, false));
        assert_eq!(rule.arms, ArmsBy::Pod);
    }
}

#[test]
fn a_watch_on_request_is_of_every_workload_of_its_scope() {
    let watch = |name: &str, targets: &str| {
        format!(
            "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: {name}, namespace: shop}}\n\
             targets: {{{targets}}}\nrules: [http]\n"
        )
    };
    // Other labels, or other namespaces: no workload is allowed by two of them.
    let book = load(
        &[
            watch("a", "onRequest: true, labels: {example.com/team: a}"),
            watch("b", "onRequest: true, labels: {example.com/team: b}"),
            watch(
                "c",
                "onRequest: true, namespaces: [pay, web], kinds: [Deployment, Rollout]",
            ),
        ]
        .concat(),
    );
    assert!(book.watches.is_empty() && !book.watches_nothing());
    assert_eq!(book.every_watch().count(), 3);
    let places: Vec<String> = book
        .places()
        .iter()
        .map(|(namespace, kind)| format!("{kind} {namespace}"))
        .collect();
    assert_eq!(
        places,
        [
            "Deployment pay",
            "Rollout pay",
            "Rollout shop",
            "Deployment web",
            "Rollout web"
        ]
    );
    let target = TargetId {
        namespace: "shop".to_owned(),
        kind: TargetKind::Rollout,
        name: "checkout".to_owned(),
    };
    let labels = |team: &str| [("example.com/team".to_owned(), team.to_owned())].into();
    let [a, b, _] = book.on_request.as_slice() else {
        panic!("three");
    };
    assert!(a.scope.allows(&target, &labels("a")) && !b.scope.allows(&target, &labels("a")));
    assert!(!a.scope.allows(&target, &[].into()));
    let watch = a.watch(target.clone());
    assert_eq!((&watch.target, watch.rules.len()), (&target, 2));
}

#[test]
fn istio_counts_where_the_target_receives() {
    for rule in rules_of(&watch_of("[istio]")) {
        let selectors = match &rule.counts().expect("a rule about counts").metric {
            Metric::Ratio(ratio) => vec![&ratio.part, &ratio.total],
            Metric::Histogram(histogram) => vec![&histogram.histogram],
        };
        for selector in selectors {
            assert!(
                selector
                    .matchers
                    .iter()
                    .any(|m| m.label == "reporter" && m.value == "destination"),
                "{}: {selector:?}",
                rule.name
            );
        }
    }
}

#[test]
fn a_set_of_the_users_takes_the_place_of_a_shipped_one() {
    let rules = rules_of(&format!(
        "{}---\napiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {{name: http}}\nrules: [{{name: mine, ratio: {{good: g, total: t}}, min: 99.9%}}]\n",
        watch_of("[http]")
    ));
    let [rule] = rules.as_slice() else {
        panic!("{rules:?}")
    };
    assert_eq!(rule.name.as_str(), "http/mine");
    let min = rule.counts().and_then(|check| check.min);
    assert!(close(min, 0.999), "{min:?}");
}

#[test]
fn every_field_is_read() {
    let book = load(
        r#"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: shop, labels: {team: a}, annotations: {note: b}}
rules:
- name: pay
  ratio: {bad: 'pay_total{result="error"}', total: pay_total, absentBad: zero}
  max: 0.5%
  compare: {margin: 20%, plus: 0.05%}
  least: 50
  arms: {label: version, canary: v2, baseline: v1}
  dryRun: true
- name: slow
  histogram: pay_latency
  unit: milliseconds
  quantile: 99.9%
  max: 1m30s
  arms: {label: rollouts_pod_template_hash}
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: pay, namespace: shop}
target: {kind: Rollout, name: pay.v1}
rules: [shop/slow, shop/pay]
source: scrape
release: {watch: 1h30m}
onFail:
- rollback: {}
- notify: [oncall, hook]
onPass: [{notify: [hook]}]
dryRun: true
scrape: {port: 9100, path: /stats?format=prometheus}
links: [{label: Dashboard, url: 'https://grafana.example/d/x?var=pay'}]
---
apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {name: oncall}
slack: {url: {secret: {name: slack, key: webhook-url}}}
---
apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {name: hook}
webhook: {url: {file: /etc/recant/hook}}
"#,
    );
    let [watch] = book.watches.as_slice() else {
        panic!("{book:?}")
    };
    assert_eq!(watch.name.to_string(), "shop/pay");
    assert_eq!(watch.target.kind, TargetKind::Rollout);
    assert_eq!(watch.target.name, "pay.v1");
    assert_eq!(watch.source, Some(SourceKind::Scrape));
    assert_eq!(watch.watch, Duration::from_mins(90));
    assert!(watch.on_fail.rollback && watch.dry_run);
    let channels = |names: &[ChannelName]| {
        names
            .iter()
            .map(|name| name.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(channels(&watch.on_fail.notify), ["oncall", "hook"]);
    assert_eq!(channels(&watch.on_pass), ["hook"]);
    let scrape = watch.scrape.as_ref().expect("an endpoint");
    assert_eq!(
        (scrape.port, scrape.path.as_str()),
        (9100, "/stats?format=prometheus")
    );
    assert_eq!(watch.links.len(), 1);

    let [slow, pay] = watch.rules.as_slice() else {
        panic!("{:?}", watch.rules)
    };
    let [slow_check, pay_check] =
        [slow, pay].map(|rule| rule.counts().expect("a rule about counts"));
    assert_eq!(slow_check.max, Some(90_000.0));
    assert_eq!(
        slow.arms,
        ArmsBy::HashLabel("rollouts_pod_template_hash".to_owned())
    );
    assert_eq!(
        pay_check.compare,
        Some(Compare {
            margin: 0.2,
            plus: 0.0005
        })
    );
    assert_eq!(
        (pay_check.max, pay_check.least, pay.dry_run),
        (Some(0.005), 50, true)
    );
    assert_eq!(
        pay.arms,
        ArmsBy::NamedLabel {
            label: "version".to_owned(),
            canary: "v2".to_owned(),
            baseline: "v1".to_owned()
        }
    );
    let Metric::Ratio(ratio) = &pay_check.metric else {
        panic!("{pay:?}")
    };
    assert!(ratio.absent_is_zero);

    let kinds: Vec<_> = book
        .channels
        .values()
        .map(|channel| {
            (
                channel.name.as_str(),
                channel.kind.clone(),
                channel.url.clone(),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            (
                "hook",
                ChannelKind::Webhook,
                SecretRef::File("/etc/recant/hook".to_owned())
            ),
            (
                "oncall",
                ChannelKind::Slack,
                SecretRef::KubernetesSecret {
                    name: "slack".to_owned(),
                    key: "webhook-url".to_owned(),
                    namespace: None,
                }
            ),
        ]
    );
}

#[test]
fn channels_of_every_kind() {
    let book = load(
        r"apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {name: teams}
teams: {url: {env: TEAMS_WEBHOOK_URL}}
---
apiVersion: recant.dev/v1alpha1
kind: Channel
metadata: {name: alerts}
alertmanager:
  url: {file: /etc/recant/alertmanager}
  labels: {team: payments, cluster: eu-1}
  bearer: {secret: {name: alertmanager, key: token}}
",
    );
    let kind = |name: &str| book.channels[&name.into()].kind.clone();
    assert_eq!(kind("teams"), ChannelKind::Teams);
    let ChannelKind::Alertmanager { labels, bearer } = kind("alerts") else {
        panic!("{book:?}")
    };
    let labels: Vec<_> = labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(labels, [("cluster", "eu-1"), ("team", "payments")]);
    let token = SecretRef::KubernetesSecret {
        name: "alertmanager".to_owned(),
        key: "token".to_owned(),
        namespace: None,
    };
    assert_eq!(bearer, Some(token));
}

#[test]
fn a_watch_that_says_little_acts_for_half_an_hour() {
    let book = load(&watch_of("[http]"));
    let watch = book.watches.first().expect("a watch");
    assert!(watch.on_fail.rollback && !watch.dry_run);
    assert!(watch.on_fail.notify.is_empty() && watch.on_pass.is_empty());
    assert_eq!(watch.watch, Duration::from_mins(30));
    assert_eq!((watch.source, watch.scrape.clone()), (None, None));
}

#[test]
fn on_fail_without_rollback_only_tells() {
    let text = format!(
        "{}onFail: [{{notify: [c]}}]\n---\napiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {{name: c}}\nwebhook: {{url: {{env: HOOK}}}}\n",
        watch_of("[http]")
    );
    let book = load(&text);
    let watch = book.watches.first().expect("a watch");
    assert!(!watch.on_fail.rollback);
}

#[test]
fn the_same_documents_mean_the_same_however_they_are_written() {
    let yaml = watch_of("[http]");
    let expected = load(&yaml);
    let json = "{\n\t\"apiVersion\": \"recant.dev/v1alpha1\",\n\t\"kind\": \"Watch\",\n\t\"metadata\": {\"name\": \"checkout\", \"namespace\": \"shop\"},\n\t\"target\": {\"kind\": \"Deployment\", \"name\": \"checkout\"},\n\t\"rules\": [\"http\"]\n}\n";
    let compact: String = json.split_whitespace().collect();
    for text in [
        json.to_owned(),
        compact,
        yaml.replace('\n', "\r\n"),
        format!("\u{feff}{yaml}"),
        format!("---\n{yaml}...\n---\n---\n# the end\n"),
        format!("# a comment\n\n{}", yaml.trim_end()),
    ] {
        assert_eq!(load(&text), expected, "{text:?}");
    }
}

#[test]
fn watches_share_their_rules() {
    let other = watch_of("[http/error-rate]").replace("checkout", "cart");
    let book = load(&format!("{}---\n{other}", watch_of("[http]")));
    let [one, two] = book.watches.as_slice() else {
        panic!("{book:?}")
    };
    let (Some(first), Some(second)) = (one.rules.first(), two.rules.first()) else {
        panic!("{book:?}")
    };
    assert!(std::sync::Arc::ptr_eq(first, second));
}

/// What `kubectl get -o yaml` and `kubectl apply` make of documents.
#[test]
fn documents_are_read_as_a_cluster_shows_them() {
    let text = "apiVersion: v1
kind: List
items:
- apiVersion: recant.dev/v1alpha1
  kind: Watch
  metadata:
    name: checkout
    namespace: shop
    uid: 6f1f8d2c
    generation: 4
    resourceVersion: '81'
    creationTimestamp: '2026-01-01T00:00:00Z'
    annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}'}
    managedFields: [{manager: kubectl, operation: Apply}]
  target: {kind: Deployment, name: checkout}
  rules: [team, http]
  onFail: [{rollback: {}}, {notify: [team]}]
  status: {conditions: [{type: Ready, status: 'True'}]}
- apiVersion: recant.dev/v1alpha1
  kind: RuleSet
  metadata: {name: team, namespace: shop, uid: a}
  rules: [{name: queue, gauge: jobs, max: 100}]
- apiVersion: recant.dev/v1alpha1
  kind: Channel
  metadata: {name: team, namespace: shop}
  slack: {url: {secret: {name: slack, key: url}}}
metadata: {resourceVersion: ''}
";
    let book = load(text);
    let watch = book.watches.first().expect("there is a watch");
    let names: Vec<&str> = watch.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["team/queue", "http/error-rate", "http/latency-p95"]);
    assert_eq!(watch.on_fail.notify, [ChannelName::from("shop/team")]);
    assert!(book.channels.contains_key(&ChannelName::from("shop/team")));
    // Another namespace has none of that.
    let files = [SourceFile {
        name: "rules.yaml".to_owned(),
        text: text.replacen("namespace: shop", "namespace: other", 1),
    }];
    let loaded = spec::load(&files, &shipped());
    let said: Vec<&str> = loaded
        .diagnostics
        .iter()
        .map(|d| d.message.as_str())
        .collect();
    assert_eq!(
        said,
        ["there is no rule set `team`", "there is no channel `team`"]
    );
}

#[test]
fn a_watch_may_observe_ask_and_depend_on_others() {
    let watch = |name: &str, fields: &str| {
        format!(
            "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: {name}, namespace: shop}}\n\
             target: {{kind: Deployment, name: {name}-app}}\nrules: [http]\n{fields}\n---\n"
        )
    };
    let book = load(
        &[
            watch("a", "mode: observe"),
            watch("b", "dryRun: true"),
            watch("c", "mode: act\nonFail: [{rollback: {approval: required}}]"),
            watch(
                "d",
                "dependsOn: [a, shop/b, Deployment/c-app, shop/Deployment/a-app]",
            ),
        ]
        .concat(),
    );
    let told: Vec<_> = book
        .watches
        .iter()
        .map(|watch| (watch.dry_run, watch.on_fail.approval))
        .collect();
    assert_eq!(
        told,
        [(true, false), (true, false), (false, true), (false, false)]
    );
    let depends: Vec<String> = book.watches[3]
        .depends_on
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        depends,
        [
            "watch `shop/a`",
            "watch `shop/b`",
            "Deployment shop/c-app",
            "Deployment shop/a-app"
        ]
    );
}
