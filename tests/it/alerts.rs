//! The shipped alerts speak of metrics that exist, and each of them has a test of its own.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use recant::http::metrics::Metrics;
use recant_core::rule::SourceKind;
use regex::Regex;
use serde::Deserialize;

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: String,
    expr: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn text(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn rules() -> Vec<Rule> {
    let file: RuleFile = serde_saphyr::from_str(&text("alerts/recant.yaml")).unwrap();
    file.groups
        .into_iter()
        .flat_map(|group| group.rules)
        .collect()
}

/// Names of series, as `/metrics` shows them when every part is in use: a family without a series is not shown.
fn series() -> BTreeSet<String> {
    let metrics = Metrics::default();
    metrics.source.begin(SourceKind::Prometheus);
    metrics.work.begin_action("rollback");
    metrics.work.begin_verdict("fail");
    metrics.work.set_holds(&BTreeMap::from([("rate", 1)]));
    metrics.work.set_analyses(&BTreeMap::from([("alone", 1)]));
    metrics.notify.begin(&"ops".into());
    let mut exposition = String::new();
    prometheus_client::encoding::text::encode(&mut exposition, &metrics.registry()).unwrap();
    exposition
        .lines()
        .filter_map(|line| {
            let mut words = line.strip_prefix("# TYPE ")?.split(' ');
            Some((words.next()?, words.next()?))
        })
        .flat_map(|(name, kind)| {
            let suffixes: &[&str] = match kind {
                "counter" => &["_total"],
                "info" => &["_info"],
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            suffixes.iter().map(move |suffix| format!("{name}{suffix}"))
        })
        .collect()
}

fn names_in(text: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\brecant_[a-z_]+").unwrap();
    name.find_iter(text)
        .map(|found| found.as_str().to_owned())
        .collect()
}

#[test]
fn every_metric_in_the_alerts_exists() {
    let series = series();
    assert!(series.contains("recant_ticks_total"), "{series:?}");
    for rule in rules() {
        let names = names_in(&rule.expr);
        assert!(!names.is_empty(), "{} asks for nothing", rule.alert);
        let described = rule.annotations.values().flat_map(|text| {
            let names = names_in(text);
            // People are told the name of a histogram, not of its buckets.
            names
                .into_iter()
                .filter(|name| !name.ends_with("_duration_seconds"))
        });
        for name in names.into_iter().chain(described) {
            assert!(
                series.contains(&name),
                "{}: there is no `{name}`",
                rule.alert
            );
        }
    }
    for name in names_in(&text("alerts/recant_test.yaml")) {
        if name != "recant_test" {
            assert!(series.contains(&name), "the tests use `{name}`");
        }
    }
}

#[test]
fn every_alert_has_a_test_and_says_what_to_do() {
    let tests = text("alerts/recant_test.yaml");
    for Rule {
        alert,
        expr: _,
        labels,
        annotations,
    } in rules()
    {
        assert!(tests.contains(&alert), "`{alert}` has no test");
        assert!(
            matches!(labels["severity"].as_str(), "warning" | "critical"),
            "{alert}"
        );
        assert!(!annotations["summary"].is_empty(), "{alert}");
        assert!(annotations["description"].len() > 100, "{alert}");
    }
}
