//! What valid documents with rules about values become.

use std::time::Duration;

use recant::config::rules::shipped;
use recant_core::rule::{
    AlertScope, AlertSelector, Check, HttpJson, KubernetesFact, Level, LevelCheck, LevelCompare,
    LevelLimit, LevelUnit, Over, PromqlRange, Question, Redis, RedisKey, Rule, Sampled, SecretRef,
    SourceKind, What,
};
use recant_core::spec::{self, SourceFile};

const WATCH: &str = "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {name: checkout, namespace: shop}\ntarget: {kind: Deployment, name: checkout}\nrules: [shop]\n";

/// The rule with these fields behind its name.
fn rule(fields: &str) -> Rule {
    let fields = fields.replace('\n', "\n  ");
    let files = [SourceFile {
        name: "rules.yaml".to_owned(),
        text: format!(
            "{WATCH}---\napiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {{name: shop}}\nrules:\n- name: level\n  {fields}\n"
        ),
    }];
    let loaded = spec::load(&files, &shipped());
    let shown: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{fields}:\n{}", shown.join("\n"));
    let book = loaded.book.expect("there are no diagnostics");
    let rules = &book.watches.first().expect("one watch").rules;
    assert_eq!(rules.len(), 1);
    Rule::clone(rules.first().expect("one rule"))
}

fn level(rule: &Rule) -> &LevelCheck {
    match &rule.check {
        Check::Level(check) => check,
        Check::Counts(check) => panic!("a rule about counts: {check:?}"),
    }
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

#[test]
fn limits_have_units_and_defaults() {
    for (fields, limit, unit, over, lasting) in [
        (
            "gauge: queue\nmax: 100",
            LevelLimit::Max(100.0),
            LevelUnit::Number,
            Over::Max,
            minutes(1),
        ),
        (
            "gauge: cpu_ratio\nmax: 80%\nfor: 10m",
            LevelLimit::Max(0.8),
            LevelUnit::Percent,
            Over::Max,
            minutes(10),
        ),
        (
            "gauge: workers\nmin: 2",
            LevelLimit::Min(2.0),
            LevelUnit::Number,
            Over::Min,
            minutes(1),
        ),
        (
            "gauge: heap_bytes\nmax: 1.5GiB\nover: mean",
            LevelLimit::Max(1.5 * 1_073_741_824.0),
            LevelUnit::Bytes,
            Over::Mean,
            minutes(1),
        ),
        (
            "gauge: age_seconds\nmax: 500ms\nover: sum",
            LevelLimit::Max(0.5),
            LevelUnit::Seconds,
            Over::Sum,
            minutes(1),
        ),
        (
            "rate: {counter: errors_total, per: 5m}\nmax: 10",
            LevelLimit::Max(10.0),
            LevelUnit::Number,
            Over::Sum,
            minutes(0),
        ),
        (
            "rate: {counter: errors_total, per: 5m}\nmax: 10\nfor: 2m",
            LevelLimit::Max(10.0),
            LevelUnit::Number,
            Over::Sum,
            minutes(2),
        ),
        (
            "promql: 'up == 0'\nmin: 1\nfor: 2m",
            LevelLimit::Min(1.0),
            LevelUnit::Number,
            Over::Min,
            minutes(2),
        ),
        (
            "kubernetes: restarts\nmax: 3",
            LevelLimit::Max(3.0),
            LevelUnit::Number,
            Over::Max,
            minutes(0),
        ),
        (
            "kubernetes: unreadyPods\nmax: 1",
            LevelLimit::Max(1.0),
            LevelUnit::Number,
            Over::Sum,
            minutes(1),
        ),
        (
            "kubernetes: unreadyPods\nmax: 50%",
            LevelLimit::Max(0.5),
            LevelUnit::Percent,
            Over::Mean,
            minutes(1),
        ),
        (
            "kubernetes: failedProgress",
            LevelLimit::Max(0.0),
            LevelUnit::Number,
            Over::Max,
            minutes(0),
        ),
    ] {
        let rule = rule(fields);
        let check = level(&rule);
        assert_eq!(check.limit, limit, "{fields}");
        assert_eq!(
            (check.metric.unit, check.metric.over),
            (unit, over),
            "{fields}"
        );
        assert_eq!(rule.lasting, lasting, "{fields}");
    }
}

#[test]
fn a_value_may_be_compared_beside_its_limit() {
    let default = LevelCompare {
        margin: 0.5,
        plus: 0.0,
        decides: false,
    };
    for (fields, compare, over) in [
        ("gauge: queue\nmax: 100\ncompare: {}", default, Over::Max),
        (
            "gauge: heap_bytes\nmax: 1GiB\ncompare: {margin: 20%, plus: 100MiB}",
            LevelCompare {
                margin: 0.2,
                plus: 100.0 * 1_048_576.0,
                ..default
            },
            Over::Max,
        ),
        (
            "gauge: workers\nmin: 2\ncompare: {margin: 20%, decides: true}",
            LevelCompare {
                margin: 0.2,
                decides: true,
                ..default
            },
            Over::Min,
        ),
        (
            "rate: {counter: errors_total, per: 5m}\nmax: 10\ncompare: {plus: 3}",
            LevelCompare {
                plus: 3.0,
                ..default
            },
            Over::Sum,
        ),
        (
            "promql: heap_bytes\nmax: 1GiB\ncompare: {plus: 0}\nover: mean",
            default,
            Over::Mean,
        ),
    ] {
        let rule = rule(fields);
        let check = level(&rule);
        assert_eq!(check.compare, Some(compare), "{fields}");
        assert_eq!(check.metric.over, over, "{fields}");
    }
}

#[test]
fn a_rule_about_counts_may_have_to_last() {
    let plain = rule("ratio: {bad: 'm{a=\"1\"}', total: m}\nmax: 5%");
    assert_eq!(plain.lasting, Duration::ZERO);
    let lasting = rule("ratio: {bad: 'm{a=\"1\"}', total: m}\nmax: 5%\nfor: 2m");
    assert_eq!(lasting.lasting, minutes(2));
}

#[test]
fn each_metric_asks_its_source() {
    let gauge = rule("gauge: 'queue{key=\"a\"}'\nmax: 1");
    assert_eq!(Question::of(&gauge).source(), None);
    let rate = rule("rate: {counter: 'e_total{code=~\"5..\"}', per: 5m}\nmax: 10");
    let What::Ratio { part, total } = Question::of(&rate).what else {
        panic!("a rate is counted");
    };
    assert_eq!(
        (part.metric.as_str(), total.metric.as_str()),
        ("e_total", "e_total")
    );

    let promql =
        rule("promql: {query: ' up{namespace=\"${namespace}\"} ', range: 10m, step: 15s}\nmax: 1");
    let Sampled::Level(Level::Promql(asked)) = &level(&promql).metric.sampled else {
        panic!("an expression");
    };
    assert_eq!(asked.query, "up{namespace=\"${namespace}\"}");
    assert!(asked.names_target());
    let range = PromqlRange {
        range: minutes(10),
        step: Duration::from_secs(15),
    };
    assert_eq!(asked.range, Some(range));
    assert_eq!(Question::of(&promql).source(), Some(SourceKind::Prometheus));

    for (fields, fact) in [
        (
            "kubernetes: outOfMemoryKills\nmax: 0",
            KubernetesFact::OutOfMemoryKills { per: minutes(10) },
        ),
        (
            "kubernetes: {fact: restarts, per: 1h}\nmax: 3",
            KubernetesFact::Restarts { per: minutes(60) },
        ),
        (
            "kubernetes: {fact: pendingPods}\nmax: 3",
            KubernetesFact::PendingPods,
        ),
    ] {
        let rule = rule(fields);
        assert_eq!(
            level(&rule).metric.sampled,
            Sampled::Level(Level::Kubernetes(fact))
        );
        assert_eq!(Question::of(&rule).source(), Some(SourceKind::Kubernetes));
    }

    let json = rule(
        "httpJson: {url: 'https://stats.shop/q?a=b', path: '$.length', authorization: {env: STATS}}\nmax: 100",
    );
    let wanted = HttpJson {
        url: "https://stats.shop/q?a=b".to_owned(),
        path: "$.length".to_owned(),
        authorization: Some(SecretRef::Env("STATS".to_owned())),
    };
    assert_eq!(
        level(&json).metric.sampled,
        Sampled::Level(Level::HttpJson(wanted))
    );
    assert_eq!(Question::of(&json).source(), Some(SourceKind::HttpJson));

    let redis = rule(
        "redis: {address: '[::1]:6379', stream: events, database: 3, username: me, password: {file: /etc/p}}\nmax: 100",
    );
    let wanted = Redis {
        address: "[::1]:6379".to_owned(),
        database: 3,
        key: RedisKey::Stream("events".to_owned()),
        username: Some("me".to_owned()),
        password: Some(SecretRef::File("/etc/p".to_owned())),
    };
    assert_eq!(
        level(&redis).metric.sampled,
        Sampled::Level(Level::Redis(wanted))
    );
    assert_eq!(Question::of(&redis).source(), Some(SourceKind::Redis));
}

#[test]
fn alerts_are_symptoms() {
    let short = rule("alert: HighErrorRate");
    let wanted = AlertSelector {
        name: "HighErrorRate".to_owned(),
        labels: std::collections::BTreeMap::new(),
        scope: AlertScope::Target,
        pending: Duration::ZERO,
    };
    let check = level(&short);
    assert_eq!(
        check.metric.sampled,
        Sampled::Level(Level::Alert(wanted.clone()))
    );
    // One that fires is one too many, and Prometheus has waited already.
    assert_eq!(check.limit, LevelLimit::Max(0.0));
    assert_eq!(
        (short.lasting, short.only_accuses()),
        (Duration::ZERO, true)
    );
    let question = Question::of(&short);
    assert_eq!(question.source(), Some(SourceKind::Alerts));
    assert!(!question.has_past());

    let long = rule(
        "alert: {name: HighErrorRate, labels: {service: '${namespace}-${name}', severity: page}, scope: namespace, pending: 5m}\nfor: 1m",
    );
    let labels = [("service", "${namespace}-${name}"), ("severity", "page")];
    let labels = labels.map(|(label, value)| (label.to_owned(), value.to_owned()));
    let wanted = AlertSelector {
        labels: labels.into(),
        scope: AlertScope::Namespace,
        pending: minutes(5),
        ..wanted
    };
    assert_eq!(
        level(&long).metric.sampled,
        Sampled::Level(Level::Alert(wanted))
    );
    assert_eq!(long.lasting, minutes(1));
}
