//! What a person reads who made a mistake in a rule file: one snapshot for each mistake.

mod watches;

use recant::config::rules::shipped;
use recant_core::spec::{self, SourceFile};

/// A rule set with one rule, of which the fields behind `name` are given.
fn rule(fields: &str) -> String {
    let fields = fields.replace('\n', "\n  ");
    format!(
        "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {{name: shop}}\nrules:\n- name: errors\n  {fields}\n"
    )
}

/// A watch of Deployment shop/checkout with the fields given, and a channel `oncall`.
fn watch(fields: &str) -> String {
    format!(
        "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: checkout, namespace: shop}}\n{fields}\n---\n{CHANNEL}"
    )
}

const CHANNEL: &str = "apiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {name: oncall}\nslack: {url: {env: SLACK_WEBHOOK_URL}}\n";
const TARGET: &str = "target: {kind: Deployment, name: checkout}";
const RATIO: &str = "ratio: {bad: 'm{code=~\"5..\"}', total: m}";
const HISTOGRAM: &str = "histogram: http_request_duration_seconds\nquantile: 95%";

fn channel(fields: &str) -> String {
    format!(
        "apiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {{name: oncall}}\n{fields}\n"
    )
}

/// Mappings within each other, one a line.
fn staircase(depth: usize) -> String {
    let lines: Vec<String> = (0..depth)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    lines.concat()
}

fn render(files: &[(&str, String)]) -> String {
    let files: Vec<SourceFile> = files
        .iter()
        .map(|(name, text)| SourceFile {
            name: (*name).to_owned(),
            text: text.clone(),
        })
        .collect();
    let loaded = spec::load(&files, &shipped());
    let shown: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    let end = match loaded.book {
        Some(_) => "loaded",
        None => "refused",
    };
    format!("{}\n\n{end}", shown.join("\n\n"))
}

/// Compares what is said about a document with the snapshot `name`.
fn check(name: &str, text: String) {
    check_files(name, &[("rules.yaml", text)]);
}

fn check_files(name: &str, files: &[(&str, String)]) {
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(format!("faulty__{name}"), render(files));
    });
}

#[test]
fn fields_and_documents() {
    for (name, text) in [
        ("unknown_field", rule(&format!("{RATIO}\nmaxx: 5%"))),
        ("field_of_a_later_version", rule(&format!("{RATIO}\nmax: 5%\nburnRate: 14.4"))),
        ("duplicate_key", rule(&format!("{RATIO}\nmax: 5%\nmax: 6%"))),
        ("spec_around_the_fields", "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: shop}\nspec:\n  rules: []\n".to_owned()),
        ("document_of_others", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: checkout}\n".to_owned()),
        ("version_of_another_time", "apiVersion: recant.dev/v1\nkind: RuleSet\nmetadata: {name: shop}\nrules: [{name: a, ratio: {bad: b, total: t}, max: 5}]\n".to_owned()),
        ("misspelt_kind", "apiVersion: recant.dev/v1alpha1\nkind: Ruleset\nmetadata: {name: shop}\n".to_owned()),
        ("no_kind", "metadata: {name: shop}\n".to_owned()),
        ("a_list_at_the_top", "- a\n- b\n".to_owned()),
        ("no_document", "# nothing here\n".to_owned()),
        ("bad_names", "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: My Rules}\nrules:\n- {name: Error_Rate, ratio: {bad: b, total: t}, max: 5%}\n".to_owned()),
        ("no_rules", "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: shop, namespace: shop}\nrules: []\n".to_owned()),
        ("rule_named_twice", format!("{}- name: errors\n  {}\n  max: 1%\n", rule(&format!("{RATIO}\nmax: 5%")), RATIO)),
    ] {
        check(name, text);
    }
}

#[test]
fn metrics() {
    for (name, text) in [
        ("rule_without_metric", rule("max: 5%")),
        (
            "ratio_and_histogram",
            rule(&format!("{RATIO}\n{HISTOGRAM}\nmax: 5%")),
        ),
        ("ratio_without_total", rule("ratio: {bad: m}\nmax: 5%")),
        ("ratio_without_part", rule("ratio: {total: m}\nmax: 5%")),
        (
            "bad_and_good",
            rule("ratio: {bad: b, good: g, total: m}\nmax: 5%"),
        ),
        (
            "bad_equals_total",
            rule("ratio: {bad: 'm{a=\"1\",b=\"2\"}', total: 'm{b=\"2\", a=\"1\"}'}\nmax: 5%"),
        ),
        (
            "total_narrower_than_bad",
            rule("ratio: {bad: 'm{code=~\"5..\"}', total: 'm{path=\"/pay\"}'}\nmax: 5%"),
        ),
        (
            "absent_bad_of_good",
            rule("ratio: {good: g, total: m, absentBad: zero}\nmin: 95%"),
        ),
        (
            "absent_bad_value",
            rule("ratio: {bad: b, total: m, absentBad: yes}\nmax: 5%"),
        ),
        (
            "quantile_on_a_ratio",
            rule(&format!("{RATIO}\nquantile: 95%\nmax: 5%")),
        ),
        ("quantile_missing", rule("histogram: h_seconds\nmax: 1s")),
        (
            "quantile_as_fraction",
            rule("histogram: h_seconds\nquantile: 0.95\nmax: 1s"),
        ),
        (
            "quantile_of_100",
            rule("histogram: h_seconds\nquantile: 100%\nmax: 1s"),
        ),
        (
            "quantile_of_0",
            rule("histogram: h_seconds\nquantile: 0%\nmax: 1s"),
        ),
        (
            "quantile_too_fine",
            rule("histogram: h_seconds\nquantile: 99.99999%\nmax: 1s"),
        ),
        (
            "histogram_with_bucket",
            rule("histogram: http_request_duration_seconds_bucket\nquantile: 95%\nmax: 1s"),
        ),
        (
            "histogram_with_le",
            rule("histogram: 'h_seconds{le=\"0.5\"}'\nquantile: 95%\nmax: 1s"),
        ),
        (
            "unit_not_known",
            rule("histogram: request_latency\nquantile: 95%\nmax: 1s"),
        ),
        (
            "unit_contradicts_name",
            rule("histogram: h_seconds\nunit: milliseconds\nquantile: 95%\nmax: 1s"),
        ),
        (
            "unit_unheard_of",
            rule("histogram: request_latency\nunit: minutes\nquantile: 95%\nmax: 1s"),
        ),
        (
            "arms_half_given",
            rule(&format!(
                "{RATIO}\nmax: 5%\narms: {{label: version, canary: v2}}"
            )),
        ),
        (
            "arms_alike",
            rule(&format!(
                "{RATIO}\nmax: 5%\narms: {{label: version, canary: v2, baseline: v2}}"
            )),
        ),
        (
            "arms_by_pod",
            rule(&format!("{RATIO}\nmax: 5%\narms: {{label: pod}}")),
        ),
        (
            "arms_label_impossible",
            rule(&format!(
                "{RATIO}\nmax: 5%\narms: {{label: app.kubernetes.io/version}}"
            )),
        ),
    ] {
        check(name, text);
    }
}

#[test]
fn selectors() {
    for (name, text) in [
        (
            "selector_with_a_function",
            rule("ratio: {bad: 'rate(m{code=~\"5..\"}[5m])', total: m}\nmax: 5%"),
        ),
        (
            "selector_with_a_range",
            rule("ratio:\n  bad: m{code=~\"5..\"}[5m]\n  total: m\nmax: 5%"),
        ),
        (
            "selector_with_an_operator",
            rule("ratio: {bad: 'a + b', total: m}\nmax: 5%"),
        ),
        (
            "selector_with_a_bad_pattern",
            rule("ratio: {bad: 'm{path=~\"/pay(\"}', total: m}\nmax: 5%"),
        ),
        (
            "selector_without_quotes",
            rule("ratio: {bad: 'm{code=500}', total: m}\nmax: 5%"),
        ),
        (
            "selector_in_double_quotes",
            rule("ratio: {bad: \"m{code=\\\"500\\\" path=\\\"/\\\"}\", total: m}\nmax: 5%"),
        ),
        (
            "selector_in_single_quotes",
            rule("ratio: {bad: 'm{code=''500'' path=''/''}', total: m}\nmax: 5%"),
        ),
        (
            "selector_in_a_block",
            rule("ratio:\n  bad: |\n    m{code=\"500\"\n  total: m\nmax: 5%"),
        ),
        (
            "selector_with_a_word",
            rule("ratio: {bad: errors-total, total: m}\nmax: 5%"),
        ),
        (
            "selector_that_yaml_takes_apart",
            rule("ratio: {bad: m{code=~\"5..\"}, total: m}\nmax: 5%"),
        ),
    ] {
        check(name, text);
    }
}

#[test]
fn limits() {
    for (name, text) in [
        ("rule_without_limit", rule(RATIO)),
        ("max_as_fraction", rule(&format!("{RATIO}\nmax: 0.05"))),
        ("max_without_unit", rule(&format!("{RATIO}\nmax: 5"))),
        ("max_of_100", rule(&format!("{RATIO}\nmax: 100%"))),
        ("max_of_0", rule(&format!("{RATIO}\nmax: 0%"))),
        ("max_as_duration", rule(&format!("{RATIO}\nmax: 500ms"))),
        ("max_on_good", rule("ratio: {good: g, total: m}\nmax: 95%")),
        ("min_on_bad", rule(&format!("{RATIO}\nmin: 5%"))),
        ("min_of_100", rule("ratio: {good: g, total: m}\nmin: 100%")),
        ("min_of_0", rule("ratio: {good: g, total: m}\nmin: 0%")),
        (
            "min_on_a_histogram",
            rule(&format!("{HISTOGRAM}\nmin: 10ms")),
        ),
        (
            "latency_without_unit",
            rule(&format!("{HISTOGRAM}\nmax: 500")),
        ),
        ("latency_as_share", rule(&format!("{HISTOGRAM}\nmax: 5%"))),
        ("latency_of_0", rule(&format!("{HISTOGRAM}\nmax: 0s"))),
        (
            "latency_in_words",
            rule(&format!("{HISTOGRAM}\nmax: 2 seconds")),
        ),
        ("compare_empty", rule(&format!("{RATIO}\ncompare:"))),
        ("compare_as_text", rule(&format!("{RATIO}\ncompare: true"))),
        (
            "compare_margins",
            rule(&format!("{RATIO}\ncompare: {{margin: -5%, plus: 100%}}")),
        ),
        (
            "compare_huge_margin",
            rule(&format!("{RATIO}\ncompare: {{margin: 5000%}}")),
        ),
        (
            "compare_no_tolerance",
            rule(&format!("{RATIO}\ncompare: {{margin: 0%, plus: 0%}}")),
        ),
        (
            "compare_plus_as_duration",
            rule(&format!("{HISTOGRAM}\ncompare: {{plus: 50ms}}")),
        ),
        (
            "compare_later_field",
            rule(&format!("{HISTOGRAM}\ncompare: {{factor: 1.5}}")),
        ),
        ("least_of_0", rule(&format!("{RATIO}\nmax: 5%\nleast: 0"))),
        (
            "least_in_quotes",
            rule(&format!("{RATIO}\nmax: 5%\nleast: \"20\"")),
        ),
        (
            "dry_run_as_word",
            rule(&format!("{RATIO}\nmax: 5%\ndryRun: yes")),
        ),
    ] {
        check(name, text);
    }
}

#[test]
fn channels() {
    for (name, text) in [
        (
            "url_written_out",
            channel("slack: {url: 'https://hooks.slack.com/services/T000/B000/verysecret'}"),
        ),
        (
            "url_written_out_without_scheme",
            channel("slack:\n  url: hooks.slack.com/services/T000/B000/verysecret"),
        ),
        (
            "url_as_variable_name",
            channel("slack: {url: {env: 'https://hooks.slack.com/services/T000/B000/verysecret'}}"),
        ),
        (
            "url_twice",
            channel("slack: {url: {env: SLACK}, url: verysecret}"),
        ),
        (
            "url_in_two_ways",
            channel("slack: {url: {env: SLACK, file: /run/slack}}"),
        ),
        ("url_nowhere", channel("slack: {url: {}}")),
        (
            "token_beside_url",
            channel("slack: {url: {env: SLACK}, token: xoxb-verysecret}"),
        ),
        (
            "secret_without_key",
            channel("webhook: {url: {secret: {name: hooks}}}"),
        ),
        (
            "secret_as_text",
            channel("webhook: {url: {secret: verysecret/x}}"),
        ),
        ("channel_of_nothing", channel("email: {to: me}")),
        ("channel_leads_nowhere", channel("")),
        (
            "channel_of_two",
            channel("slack: {url: {env: A}}\nwebhook: {url: {env: B}}"),
        ),
        (
            "channel_of_teams_and_alertmanager",
            channel("teams: {url: {env: A}}\nalertmanager: {url: {env: B}}"),
        ),
        (
            "labels_of_an_alert",
            channel(
                "alertmanager:\n  url: {env: A}\n  labels: {alertname: Other, 1st: x, team: '', tem-a: y, region: [eu]}",
            ),
        ),
        (
            "labels_as_a_list",
            channel("alertmanager: {url: {env: A}, labels: [team]}"),
        ),
        (
            "bearer_written_out",
            channel("alertmanager: {url: {env: A}, bearer: verysecret}"),
        ),
        (
            "labels_for_teams",
            channel("teams: {url: {env: A}, labels: {team: x}}"),
        ),
        (
            "secret_in_broken_yaml",
            channel("slack: {url: 'https://hooks.slack.com/services/T000/B000/verysecret}"),
        ),
    ] {
        let shown = render(&[("rules.yaml", text.clone())]);
        assert!(
            !shown.contains("verysecret"),
            "{name} shows a secret:\n{shown}"
        );
        check(name, text);
    }
}

#[test]
fn yaml() {
    for (name, text) in [
        ("tab_indentation", "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata:\n\tname: shop\n".to_owned()),
        ("unclosed_quote", rule("ratio: {bad: 'm{code=\"5\"}, total: m}\nmax: 5%")),
        ("unclosed_brace", rule("ratio: {bad: m, total: t\nmax: 5%")),
        ("bad_indentation", "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\n metadata: {name: shop}\n".to_owned()),
        ("anchors_and_aliases", "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: shop}\nrules:\n- &base {name: a, ratio: {bad: b, total: t}, max: 5%}\n- {<<: *base, name: b}\n".to_owned()),
        ("tags", rule(&format!("{RATIO}\nmax: !!str 5%"))),
        ("directive", "%YAML 1.1\n---\na: b\n".to_owned()),
        ("key_that_is_a_template", "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: {{ .Release.Name }}}\nrules: []\n".to_owned()),
        ("broken_document_before_a_good_one", format!("apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {{name: shop\n---\n{}", watch(&format!("{TARGET}\nrules: [shop, http]\nmaxx: 1")))),
        ("deep_nesting", format!("{}x{}", "[".repeat(40), "]".repeat(40))),
        ("deep_nesting_by_indentation", staircase(40)),
        ("mixed_nesting", format!("{}{}{}x{}", staircase(20), " ".repeat(20), "[".repeat(20), "]".repeat(20))),
        ("long_line", rule(&format!("ratio: {{bad: 'm{{a=~\"{}\"}}', totl: m}}\nmax: 5%", "x|".repeat(400)))),
        ("control_characters", rule(&format!("{RATIO}\n\"ma\\u001b[31mx\": 5%"))),
    ] {
        check(name, text);
    }
}

#[test]
fn several_files() {
    let set = rule(&format!("{RATIO}\nmax: 5%"));
    let one = watch(&format!("{TARGET}\nrules: [shop]"));
    check_files(
        "duplicates_across_files",
        &[
            ("a.yaml", format!("{set}---\n{one}")),
            ("b.yaml", format!("{set}---\n{one}")),
        ],
    );
    let other = one.replace("name: checkout, namespace", "name: other, namespace");
    let other = other.split("---").next().expect("a document").to_owned();
    check_files(
        "two_watches_on_one_target",
        &[("a.yaml", format!("{set}---\n{one}")), ("b.yaml", other)],
    );
}

#[test]
fn design_example_with_fields_of_later_versions() {
    check(
        "design_example",
        r#"apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: http}
rules:
- name: error-rate
  ratio: {bad: 'http_requests_total{status=~"5.."}', total: http_requests_total}
  max: 1%                       # a limit: fails when surely above
  compare: {margin: 50%, plus: 0.1%}   # and against the baseline: fails when surely worse than 1.5x + 0.1 points
- name: latency-p95
  histogram: http_request_duration_seconds
  quantile: 95%
  max: 500ms
- name: queue
  gauge: redis_list_length{key="integration_queue"}
  max: 100
  for: 1m
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: checkout, namespace: shop}
target: {kind: Deployment, name: checkout}
rules: [http, kubernetes-saturation]
release: {watch: 30m, falseAlarms: 1%}
onFail: [{rollback: {}}, {notify: [deployments]}]
always:                          # between releases
- {rule: queue, onFail: [{scale: {target: Deployment/worker, replicas: 5}}, {notify: [oncall]}]}
"#
        .to_owned(),
    );
}

#[test]
fn watches_that_ask_and_depend() {
    let fields = |fields: &str| watch(&format!("{TARGET}\nrules: [http]\n{fields}"));
    let cases = [
        "mode: dry",
        "mode: act\ndryRun: true",
        "onFail: [{rollback: {approval: yes}}]",
        "onFail: [{rollback: {approved: required}}]",
        "dependsOn: []",
        "dependsOn: [checkout]",
        "dependsOn: [Deployment/checkout]",
        "dependsOn: [databse, Node/a, a/b/c/d]",
        "dependsOn: [shop/database, shop/database]",
    ];
    let shown: Vec<String> = cases
        .iter()
        .map(|case| {
            let files = [("rules.yaml", fields(case))];
            format!("### {case}\n{}", render(&files))
        })
        .collect();
    insta::assert_snapshot!("watches_that_ask_and_depend", shown.join("\n\n"));
}
