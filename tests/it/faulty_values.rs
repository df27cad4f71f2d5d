//! What a person reads who made a mistake in a rule about a value: one snapshot for each mistake.

use recant::config::rules;

const SET: &str =
    "apiVersion: recant.dev/v1alpha1\nkind: RuleSet\nmetadata: {name: shop}\nrules:\n";

/// A rule set with one rule, of which the fields behind `name` are given.
fn rule(fields: &str) -> String {
    let fields = fields.replace('\n', "\n  ");
    format!("{SET}- name: level\n  {fields}\n")
}

/// Through a file, as `recant check` reads it: with the libraries that know `PromQL` and `JSONPath`.
fn render(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let file = folder.path().join("rules.yaml");
    std::fs::write(&file, text).expect("the file is written");
    let loaded = rules::load(&[file]);
    let shown: Vec<String> = loaded
        .diagnostics
        .iter()
        .map(|diagnostic| {
            diagnostic
                .to_string()
                .replace(&format!("{}/", folder.path().display()), "")
        })
        .collect();
    let end = match loaded.book {
        Some(_) => "loaded",
        None => "refused",
    };
    format!("{}\n\n{end}", shown.join("\n\n"))
}

fn check(name: &str, text: &str) {
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(format!("faulty_value__{name}"), render(text));
    });
}

#[test]
fn limits() {
    for (name, fields) in [
        ("no_limit", "gauge: queue_length"),
        ("two_limits", "gauge: queue_length\nmax: 100\nmin: 1"),
        ("not_a_number", "gauge: queue_length\nmax: .nan"),
        ("infinite", "gauge: queue_length\nmax: .inf"),
        ("exponent", "gauge: queue_length\nmax: 1e400"),
        ("negative", "gauge: queue_length\nmax: -5"),
        ("words", "gauge: queue_length\nmax: many"),
        (
            "share_of_bytes",
            "gauge: container_memory_working_set_bytes\nmax: 80%",
        ),
        ("bytes_of_seconds", "gauge: queue_age_seconds\nmax: 512Mi"),
        ("milliseconds", "gauge: queue_age_milliseconds\nmax: 500ms"),
        ("millicores", "gauge: cpu_cores\nmax: 500m"),
        ("thousand", "gauge: queue_length\nmax: 10k"),
        (
            "share_of_events",
            "rate: {counter: errors_total, per: 5m}\nmax: 5%",
        ),
        (
            "min_of_events",
            "rate: {counter: errors_total, per: 5m}\nmin: 5",
        ),
        (
            "share_of_a_list",
            "redis: {address: 'redis:6379', list: q}\nmax: 80%",
        ),
        (
            "min_of_a_list",
            "redis: {address: 'redis:6379', list: q}\nmin: 0",
        ),
        ("all_pods", "kubernetes: unreadyPods\nmax: 100%"),
        ("failed_progress", "kubernetes: failedProgress\nmax: 1"),
        ("min_of_pods", "kubernetes: pendingPods\nmin: 1"),
        (
            "compared",
            "gauge: queue_length\nmax: 100\ncompare: {}\nleast: 5\nquantile: 95%\nunit: seconds",
        ),
        ("compare_without_limit", "gauge: queue_length\ncompare: {}"),
        (
            "compare_word",
            "gauge: queue_length\nmax: 100\ncompare: 20%",
        ),
        (
            "compare_unit",
            "gauge: heap_bytes\nmax: 1GiB\ncompare: {margin: 20%, plus: 100ms}",
        ),
        (
            "compare_min",
            "gauge: workers\nmin: 2\ncompare: {margin: 100%}",
        ),
        (
            "compare_decides_word",
            "gauge: workers\nmin: 2\ncompare: {decides: always}",
        ),
        (
            "compare_decides_nothing",
            "gauge: workers\nmin: 2\ncompare: {decides: true}\nweight: 0",
        ),
        (
            "compare_field",
            "gauge: workers\nmin: 2\ncompare: {decide: true}",
        ),
        (
            "compare_counts_decides",
            "ratio: {bad: b, total: t}\nmax: 5%\ncompare: {decides: true}",
        ),
        (
            "compare_redis",
            "redis: {address: 'redis:6379', list: q}\nmax: 80\ncompare: {}",
        ),
        (
            "compare_json",
            "httpJson: {url: 'http://stats/q', path: '$.a'}\nmax: 80\ncompare: {}",
        ),
        (
            "compare_kubernetes",
            "kubernetes: unreadyPods\nmax: 1\ncompare: {}",
        ),
        (
            "compare_range",
            "promql: {query: up, range: 10m, step: 15s}\nmin: 1\ncompare: {}",
        ),
    ] {
        check(name, &rule(fields));
    }
}

#[test]
fn how_long_and_over_what() {
    for (name, fields) in [
        ("for_of_nothing", "gauge: queue_length\nmax: 100\nfor: 0s"),
        ("for_without_unit", "gauge: queue_length\nmax: 100\nfor: 60"),
        ("for_days", "gauge: queue_length\nmax: 100\nfor: 2d"),
        ("over_what", "gauge: queue_length\nmax: 100\nover: avg"),
        (
            "over_one_value",
            "redis: {address: 'redis:6379', list: q}\nmax: 100\nover: sum",
        ),
        (
            "over_events",
            "rate: {counter: errors_total, per: 5m}\nmax: 5\nover: max",
        ),
        (
            "over_counts",
            "ratio: {bad: b, total: t}\nmax: 5%\nover: max",
        ),
        (
            "share_over_sum",
            "kubernetes: unreadyPods\nmax: 50%\nover: sum",
        ),
        (
            "arms_of_kubernetes",
            "kubernetes: unreadyPods\nmax: 1\narms: {label: version}",
        ),
        ("gauge_of_a_counter", "gauge: jobs_total\nmax: 100"),
        (
            "gauge_and_rate",
            "gauge: a\nrate: {counter: b, per: 5m}\nmax: 1",
        ),
        ("expression_as_gauge", "gauge: sum(queue_length)\nmax: 1"),
        ("rate_without_per", "rate: {counter: errors_total}\nmax: 5"),
        (
            "rate_of_no_time",
            "rate: {counter: errors_total, per: 0s}\nmax: 5",
        ),
        ("rate_of_a_bare_counter", "rate: errors_total\nmax: 5"),
    ] {
        check(name, &rule(fields));
    }
    let watch = "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {name: a, namespace: b}\ntarget: {kind: Deployment, name: c}\nrules: [shop]\nrelease: {watch: 10m}\n";
    check(
        "for_longer_than_watch",
        &format!(
            "{}---\n{watch}",
            rule("gauge: queue_length\nmax: 100\nfor: 15m")
        ),
    );
}

#[test]
fn expressions() {
    for (name, promql) in [
        ("promql_bracket", "'sum(up{job=\"a\"}'"),
        ("promql_quote", "'up{job=\"a}'"),
        ("promql_grafana", "rate(x[$__rate_interval])"),
        ("promql_placeholder", "'up{pod=~\"${pod}-.*\"}'"),
        (
            "promql_misspelt_placeholder",
            "'up{namespace=\"${namespce}\"}'",
        ),
        ("promql_syntax", "'sum(rate(x[5m]) by'"),
        ("promql_range_alone", "{query: up, range: 10m}"),
        (
            "promql_range_too_short",
            "{query: up, range: 10s, step: 15s}",
        ),
        (
            "promql_too_many_points",
            "{query: up, range: 24h, step: 15s}",
        ),
        ("promql_unknown_field", "{query: up, rnge: 10m, step: 15s}"),
        ("promql_list", "[up]"),
        ("promql_empty", "' '"),
    ] {
        check(name, &rule(&format!("promql: {promql}\nmax: 1")));
    }
}

#[test]
fn values_from_elsewhere() {
    for (name, fields) in [
        ("kubernetes_what", "kubernetes: restart\nmax: 3"),
        ("kubernetes_nothing", "kubernetes: cpu\nmax: 3"),
        (
            "kubernetes_per",
            "kubernetes: {fact: pendingPods, per: 5m}\nmax: 3",
        ),
        (
            "json_credentials",
            "httpJson: {url: 'http://me:hunter2@stats/q', path: '$.a'}\nmax: 3",
        ),
        (
            "json_token",
            "httpJson: {url: 'http://stats/q?api_key=hunter2', path: '$.a'}\nmax: 3",
        ),
        (
            "json_scheme",
            "httpJson: {url: stats/q, path: '$.a'}\nmax: 3",
        ),
        (
            "json_path",
            "httpJson: {url: 'http://stats/q', path: length}\nmax: 3",
        ),
        (
            "json_path_syntax",
            "httpJson: {url: 'http://stats/q', path: '$.a['}\nmax: 3",
        ),
        (
            "json_secret",
            "httpJson: {url: 'http://stats/q', path: '$.a', authorization: hunter2}\nmax: 3",
        ),
        ("redis_what", "redis: {address: 'redis:6379'}\nmax: 3"),
        (
            "redis_both",
            "redis: {address: 'redis:6379', list: a, stream: b}\nmax: 3",
        ),
        (
            "redis_url",
            "redis: {address: 'redis://redis:6379', list: a}\nmax: 3",
        ),
        ("redis_port", "redis: {address: redis, list: a}\nmax: 3"),
        (
            "redis_password",
            "redis: {address: 'redis:6379', list: a, password: hunter2}\nmax: 3",
        ),
        (
            "redis_credentials",
            "redis: {address: 'me:hunter2@redis:6379', list: a}\nmax: 3",
        ),
        (
            "redis_user_alone",
            "redis: {address: 'redis:6379', list: a, username: me}\nmax: 3",
        ),
        (
            "redis_database",
            "redis: {address: 'redis:6379', list: a, database: 999}\nmax: 3",
        ),
    ] {
        let text = rule(fields);
        assert!(
            !render(&text).contains("hunter2"),
            "{name}: a secret is shown:\n{}",
            render(&text)
        );
        check(name, &text);
    }
}

#[test]
fn alerts() {
    for (name, fields) in [
        ("alert_limit", "alert: HighErrorRate\nmax: 3"),
        (
            "alert_of_values",
            "alert: HighErrorRate\ncompare: {}\nover: max\narms: {label: version}\nleast: 5",
        ),
        ("alert_selector", "alert: 'ALERTS{alertname=\"x\"}'"),
        ("alert_empty", "alert: {labels: {service: web}}"),
        ("alert_field", "alert: {name: X, label: {service: web}}"),
        ("alert_labels_word", "alert: {name: X, labels: service}"),
        (
            "alert_labels",
            "alert: {name: X, labels: {alertname: Y, namespace: shop, pod: a, service: ''}}",
        ),
        (
            "alert_template",
            "alert: {name: X, labels: {service: '{{ $labels.name }}'}}",
        ),
        (
            "alert_placeholder",
            "alert: {name: X, labels: {service: '${nmae}'}}",
        ),
        ("alert_scope", "alert: {name: X, scope: namspace}"),
        ("alert_scope_wide", "alert: {name: X, scope: namespace}"),
        ("alert_pending", "alert: {name: X, pending: 2d}"),
    ] {
        check(name, &rule(fields));
    }
}

#[test]
fn all_at_once() {
    let rules = "- name: a\n  gauge: x\n  max: -1\n- name: b\n  rate: {counter: y, per: 1}\n  max: 5%\n- name: c\n  promql: 'sum(z'\n- name: d\n  redis: {list: q}\n  max: 3\n  for: soon\n";
    check("all_at_once", &format!("{SET}{rules}"));
}
