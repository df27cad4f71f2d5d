use jiff::Timestamp;

use recant_core::ids::{PodName, RevisionHash, TargetId, TargetKind};
use recant_core::observation::{Cumulative, SeriesKey, SeriesReading};
use recant_core::rule::{MatchOp, Matcher, Selector, What};
use recant_core::target::Pod;

use super::answer::Row;
use super::reply::skew;
use super::*;

fn selector(metric: &str, matchers: &[(&str, MatchOp, &str)]) -> Selector {
    Selector {
        metric: metric.into(),
        matchers: matchers
            .iter()
            .map(|(label, op, value)| Matcher {
                label: (*label).into(),
                op: *op,
                value: (*value).into(),
            })
            .collect(),
    }
}

fn errors(label: Option<&str>) -> Question {
    Question {
        what: What::Ratio {
            part: selector(
                "http_requests_total",
                &[
                    ("job", MatchOp::Equal, "x"),
                    ("status", MatchOp::Regex, "5.."),
                ],
            ),
            total: selector("http_requests_total", &[("job", MatchOp::Equal, "x")]),
        },
        label: label.map(str::to_owned),
    }
}

fn latency() -> Question {
    Question {
        what: What::Histogram {
            histogram: selector("http_request_duration_seconds", &[]),
        },
        label: None,
    }
}

fn target(namespace: &str, name: &str, pods: &[(&str, &str)]) -> QueryTarget {
    QueryTarget {
        id: TargetId {
            namespace: namespace.into(),
            kind: TargetKind::Deployment,
            name: name.into(),
        },
        pods: pods
            .iter()
            .map(|(name, hash)| Pod {
                name: PodName::from(*name),
                hash: RevisionHash::from(*hash),
                created: Timestamp::UNIX_EPOCH,
                ready: true,
                terminating: false,
                ip: None,
                metrics: None,
                unready_reason: None,
            })
            .collect(),
        scrape: None,
    }
}

fn options() -> PrometheusOptions {
    PrometheusOptions::new("http://prometheus.example:9090")
}

/// The query for these targets; refuses what is no `PromQL`.
#[track_caller]
fn query_of(question: &Question, options: &PrometheusOptions, targets: &[QueryTarget]) -> String {
    let grouping = Grouping::new(options, question);
    let text = query::promql(question, &grouping, targets);
    promql_parser::parser::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    text
}

#[test]
fn both_halves_the_shape_and_the_time_are_asked_in_one_query() {
    let text = query_of(
        &errors(None),
        &options(),
        &[target("shop", "checkout", &[])],
    );
    let scope = r#"namespace="shop",pod=~"checkout-.+|""#;
    let total = format!(r#"http_requests_total{{job="x",{scope}}}"#);
    let expected = [
        format!(
            r#"label_replace(sum by (namespace, pod) (http_requests_total{{job="x",status=~"5..",{scope}}}), "recant", "part", "", "")"#
        ),
        format!(r#"label_replace(sum by (namespace, pod) ({total}), "recant", "total", "", "")"#),
        format!(
            r#"label_replace(count by (namespace, pod) (http_requests_total{{job!="",status!="",{scope}}}), "recant", "shape", "", "")"#
        ),
        format!(
            r#"label_replace(max by (namespace, pod) (timestamp({total})), "recant", "time", "", "")"#
        ),
    ];
    assert_eq!(text, expected.join(" or "));
}

#[test]
fn a_histogram_is_asked_per_bucket() {
    let text = query_of(&latency(), &options(), &[target("shop", "checkout", &[])]);
    assert_eq!(
        text,
        concat!(
            r#"sum by (namespace, pod, le) (http_request_duration_seconds_bucket{namespace="shop",pod=~"checkout-.+|"}) or "#,
            r#"label_replace(max by (namespace, pod) (timestamp(http_request_duration_seconds_bucket{namespace="shop",pod=~"checkout-.+|",le="+Inf"})), "recant", "time", "", "") or "#,
            r#"label_replace(sum by (namespace, pod) (http_request_duration_seconds{namespace="shop",pod=~"checkout-.+|"}), "recant", "native", "", "") or "#,
            r#"label_replace(max by (namespace, pod) (timestamp(http_request_duration_seconds{namespace="shop",pod=~"checkout-.+|"})), "recant", "time", "", "")"#,
        )
    );
}

#[test]
fn the_query_covers_just_the_targets_that_ask() {
    let targets = [
        target("shop", "checkout.eu", &[]),
        target("bank", "cart", &[]),
        target("bank", &"long-".repeat(10), &[]),
    ];
    let text = query_of(&latency(), &options(), &targets);
    let start = "long-".repeat(8);
    let scope = format!(r#"{{namespace=~"bank|shop",pod=~"cart-.+|checkout\\.eu-.+|{start}.+|"}}"#);
    assert!(text.contains(&scope), "{text}");
}

#[test]
fn for_many_targets_the_namespaces_alone_are_named() {
    let targets: Vec<QueryTarget> = (0..51)
        .map(|number| target("shop", &format!("service-{number}"), &[]))
        .collect();
    let text = query_of(&latency(), &options(), &targets);
    assert!(text.contains(r#"_bucket{namespace="shop"}"#), "{text}");
    let text = query_of(&latency(), &options(), &targets[..50]);
    assert!(text.contains("service-49-.+|"), "{text}");
}

#[test]
fn the_label_that_tells_the_arms_apart_is_grouped_by() {
    let question = errors(Some("version"));
    let text = query_of(&question, &options(), &[target("shop", "checkout", &[])]);
    assert!(
        text.starts_with(r#"label_replace(sum by (namespace, version, pod) (http_requests_total{job="x",status=~"5..",namespace="shop"})"#),
        "{text}"
    );
}

#[test]
fn the_names_of_labels_are_settings() {
    let options = PrometheusOptions {
        pod_label: "k8s.pod.name".into(),
        namespace_label: None,
        ..options()
    };
    let text = query_of(&latency(), &options, &[target("shop", "checkout", &[])]);
    assert!(
        text.starts_with(r#"sum by ("k8s.pod.name", le) (http_request_duration_seconds_bucket{"k8s.pod.name"=~"checkout-.+|"})"#),
        "{text}"
    );
}

#[test]
fn a_label_question_that_names_a_namespace_is_taken_at_its_word() {
    let gateway = [("namespace", MatchOp::Equal, "ingress")];
    let question = Question {
        what: What::Ratio {
            part: selector("bad", &gateway),
            total: selector("all", &gateway),
        },
        label: Some("service".into()),
    };
    let text = query_of(&question, &options(), &[target("shop", "checkout", &[])]);
    assert!(
        text.contains(r#"sum by (service, pod) (all{namespace="ingress"})"#),
        "{text}"
    );
    assert!(!text.contains("shop"), "{text}");
}

/// Rows as Prometheus gives them, from labels and value.
fn rows(rows: &[(&[(&str, &str)], f64)]) -> Vec<Row> {
    rows.iter()
        .map(|(labels, value)| Row {
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            evaluated: Timestamp::from_second(1_767_225_600).expect("is a time"),
            value: *value,
            native: None,
        })
        .collect()
}

fn deliver(question: &Question, rows: &[Row], targets: &[QueryTarget]) -> Vec<Observation> {
    let grouping = Grouping::new(&options(), question);
    let targets: Vec<&QueryTarget> = targets.iter().collect();
    let collected = collect::collect(rows, &grouping, question).expect("rows are well formed");
    deliver::deliver(&collected, &grouping, question, &targets)
}

#[track_caller]
fn series(observation: &Observation) -> &[SeriesReading] {
    match observation {
        Observation::Reading(reading) => &reading.series,
        other => panic!("no reading: {other:?}"),
    }
}

#[track_caller]
fn reason(observation: &Observation) -> &str {
    match observation {
        Observation::Unavailable { reason, .. } | Observation::NoData { reason } => reason,
        Observation::Reading(_) | Observation::Levels(_) => panic!("a reading: {observation:?}"),
    }
}

#[test]
fn each_target_gets_the_series_of_its_own_pods() {
    let targets = [
        target("shop", "cart", &[("cart-1", "a")]),
        target(
            "shop",
            "checkout",
            &[("checkout-1", "a"), ("checkout-2", "b")],
        ),
        target("bank", "cart", &[("cart-9", "a")]),
    ];
    let of = |pod, mark| [("namespace", "shop"), ("pod", pod), ("recant", mark)];
    let answer = rows(&[
        (&of("checkout-1", "part"), 3.0),
        (&of("checkout-1", "total"), 10.0),
        (&of("checkout-1", "shape"), 2.0),
        (&of("checkout-1", "time"), 1_767_225_590.25),
        (&of("checkout-2", "total"), 7.0),
        (&of("cart-1", "total"), 5.0),
        // Another workload's, whose name begins the same.
        (&of("checkout-api-77", "total"), 900.0),
    ]);
    let observations = deliver(&errors(None), &answer, &targets);
    let checkout = series(&observations[1]);
    assert_eq!(checkout.len(), 2);
    assert_eq!(checkout[0].at.as_millisecond(), 1_767_225_590_250);
    assert_eq!(
        checkout[0].value,
        Cumulative::Ratio {
            part: Some(3.0),
            total: Some(10.0),
            part_shape: true
        }
    );
    assert_eq!(
        checkout[1].value,
        Cumulative::Ratio {
            part: None,
            total: Some(7.0),
            part_shape: false
        }
    );
    // Without a time of its own, that of the evaluation.
    assert_eq!(checkout[1].at.as_second(), 1_767_225_600);
    assert_eq!(series(&observations[0]).len(), 1);
    assert_eq!(
        reason(&observations[2]),
        "Prometheus has no series of `http_requests_total{job=\"x\"}` for Deployment bank/cart"
    );
}

#[test]
fn a_metric_without_pods_is_the_whole_service_of_the_only_target() {
    let answer = rows(&[(&[("namespace", "shop"), ("recant", "total")], 10.0)]);
    let one = [target("shop", "cart", &[]), target("bank", "cart", &[])];
    let observations = deliver(&errors(None), &answer, &one);
    assert_eq!(series(&observations[0])[0].key, SeriesKey::Whole);
    assert!(matches!(observations[1], Observation::NoData { .. }));

    let two = [target("shop", "cart", &[]), target("shop", "checkout", &[])];
    for observation in deliver(&errors(None), &answer, &two) {
        let said = reason(&observation);
        assert!(said.contains("arms: {label: …}"), "{said}");
        assert!(
            said.contains("Deployment shop/cart, Deployment shop/checkout"),
            "{said}"
        );
    }
}

#[test]
fn beside_series_of_pods_one_without_a_pod_is_something_else() {
    let answer = rows(&[
        (&[("namespace", "shop"), ("recant", "total")], 10.0),
        (
            &[
                ("namespace", "shop"),
                ("pod", "cart-1"),
                ("recant", "total"),
            ],
            4.0,
        ),
    ]);
    let targets = [target("shop", "cart", &[("cart-1", "a")])];
    let observations = deliver(&errors(None), &answer, &targets);
    assert_eq!(series(&observations[0]).len(), 1);
    assert!(matches!(
        series(&observations[0])[0].key,
        SeriesKey::Pod { .. }
    ));
}

#[test]
fn label_values_go_to_the_target_whose_hash_they_are() {
    let of = |version, pod| {
        [
            ("namespace", "shop"),
            ("version", version),
            ("pod", pod),
            ("recant", "total"),
        ]
    };
    let answer = rows(&[
        (&of("aaa", "gate-1"), 1.0),
        (&of("aaa", "gate-2"), 2.0),
        (&of("bbb", "gate-1"), 4.0),
        (&of("old", "gate-1"), 8.0),
    ]);
    let targets = [
        target("shop", "cart", &[("cart-1", "aaa")]),
        target("shop", "checkout", &[("checkout-1", "bbb")]),
    ];
    let observations = deliver(&errors(Some("version")), &answer, &targets);
    let cart = series(&observations[0]);
    assert_eq!(cart.len(), 2);
    assert_eq!(cart[0].key, SeriesKey::Label("aaa".into()));
    assert_eq!(cart[1].member, Some(PodName::from("gate-2")));
    assert_eq!(series(&observations[1]).len(), 1);
    // A single target in a namespace gets all: the engine knows which revisions are its own.
    let alone = deliver(&errors(Some("version")), &answer, &targets[..1]);
    assert_eq!(series(&alone[0]).len(), 4);
}

#[test]
fn label_values_that_could_be_of_two_targets_are_given_to_neither() {
    let answer = rows(&[(
        &[
            ("namespace", "shop"),
            ("version", "canary"),
            ("recant", "total"),
        ],
        1.0,
    )]);
    let targets = [target("shop", "cart", &[]), target("shop", "checkout", &[])];
    for observation in deliver(&errors(Some("version")), &answer, &targets) {
        assert!(
            reason(&observation).contains("names the service"),
            "{observation:?}"
        );
    }
}

#[test]
fn two_series_where_one_is_expected_are_both_named_and_the_others_go_on() {
    let of = |pod| [("namespace", "shop"), ("pod", pod), ("recant", "total")];
    let answer = rows(&[
        (&of("cart-1"), 3.0),
        (&of("cart-1"), 4.0),
        (&of("checkout-1"), 5.0),
    ]);
    let targets = [
        target("shop", "cart", &[("cart-1", "a")]),
        target("shop", "checkout", &[("checkout-1", "a")]),
    ];
    let observations = deliver(&errors(None), &answer, &targets);
    let said = reason(&observations[0]);
    assert!(
        said.contains("with the value 3, and the same with the value 4"),
        "{said}"
    );
    assert!(said.contains(r#"pod="cart-1""#), "{said}");
    assert_eq!(series(&observations[1]).len(), 1);
}

#[test]
fn buckets_become_a_histogram_over_ordered_bounds() {
    let of = |bound| [("namespace", "shop"), ("pod", "cart-1"), ("le", bound)];
    let answer = rows(&[
        (&of("10"), 8.0),
        (&of("+Inf"), 9.0),
        (&of("2.5"), 4.0),
        (
            &[("namespace", "shop"), ("pod", "cart-1"), ("recant", "time")],
            1_767_225_599.0,
        ),
        (
            &[("namespace", "shop"), ("pod", "cart-2"), ("le", "1")],
            4.0,
        ),
    ]);
    let targets = [target("shop", "cart", &[("cart-1", "a"), ("cart-2", "a")])];
    let observations = deliver(&latency(), &answer, &targets);
    let cart = series(&observations[0]);
    let Cumulative::Histogram(histogram) = &cart[0].value else {
        panic!("no histogram: {cart:?}");
    };
    assert_eq!(&*histogram.bounds, [2.5, 10.0]);
    assert_eq!(histogram.counters, vec![4.0, 8.0, 9.0]);
    assert_eq!(cart[0].at.as_second(), 1_767_225_599);
    let Cumulative::Unusable { reason } = &cart[1].value else {
        panic!("usable: {cart:?}");
    };
    assert!(reason.contains("`+Inf`"), "{reason}");
}

#[test]
fn a_series_that_was_not_asked_for_is_refused() {
    let grouping = Grouping::new(&options(), &errors(None));
    let answer = rows(&[(&[("pod", "a")], 1.0)]);
    let fault = collect::collect(&answer, &grouping, &errors(None)).expect_err("is odd");
    assert_eq!(
        fault.reason,
        r#"answered with a series that was not asked for: {pod="a"}"#
    );
}

#[test]
fn addresses_that_cannot_be_asked_are_refused_without_their_secrets() {
    crate::tls::install();
    let clock: Clock = std::sync::Arc::new(|| Timestamp::UNIX_EPOCH);
    for (url, said) in [
        ("prometheus:9090", "no address"),
        ("ftp://prometheus", "no address"),
        ("", "no address"),
        ("http://p:9090/?x=1", "no address"),
        ("http://me:hunter2@p:9090", "take them out"),
        ("http://me:hunter2@p:9090:9090", "no address"),
        ("http://p:9090/?token=hunter2", "no address"),
    ] {
        let error = Prometheus::new(PrometheusOptions::new(url), std::sync::Arc::clone(&clock))
            .expect_err("is refused")
            .to_string();
        assert!(error.contains(said), "{url}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let bad = PrometheusOptions {
        ca: Some(b"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n".to_vec()),
        ..options()
    };
    assert!(Prometheus::new(bad, clock).is_err());
}

#[test]
fn a_clock_is_off_only_beyond_the_time_the_question_took() {
    let at = |second| Timestamp::from_second(second).expect("is a time");
    assert!(skew(at(100), at(129), at(130)).is_ok());
    assert!(skew(at(160), at(129), at(130)).is_ok());
    let behind = skew(at(98), at(129), at(130)).expect_err("is off");
    assert_eq!(behind.cause, Cause::Clock);
    assert!(
        behind.reason.contains("31 s behind ours"),
        "{}",
        behind.reason
    );
    let ahead = skew(at(161), at(129), at(130)).expect_err("is off");
    assert!(
        ahead.reason.contains("31 s ahead of ours"),
        "{}",
        ahead.reason
    );
}
