//! Targets, questions and clocks that the tests of the sources share.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use recant::clock::Clock;
use recant::source::QueryTarget;
use recant_core::ids::{PodName, RevisionHash, TargetId, TargetKind};
use recant_core::observation::{Cause, Observation, SeriesReading};
use recant_core::rule::{MatchOp, Matcher, Question, Selector, What};
use recant_core::target::Pod;

/// The system's clock, with the TLS provider installed on the way.
pub(crate) fn clock() -> Clock {
    recant::tls::install();
    Arc::new(Timestamp::now)
}

pub(crate) fn selector(metric: &str, matchers: &[(&str, MatchOp, &str)]) -> Selector {
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

/// The share of 5xx answers of a metric with the label `code`.
pub(crate) fn errors_of(metric: &str) -> Question {
    Question {
        what: What::Ratio {
            part: selector(metric, &[("code", MatchOp::Regex, "5..")]),
            total: selector(metric, &[]),
        },
        label: None,
    }
}

pub(crate) fn errors() -> Question {
    errors_of("http_requests_total")
}

pub(crate) fn latency() -> Question {
    Question {
        what: What::Histogram {
            histogram: selector("http_request_duration_seconds", &[]),
        },
        label: None,
    }
}

/// A Ready pod whose metrics are at `/<name>/metrics` of this server.
pub(crate) fn pod(name: &str, created: Timestamp, server: SocketAddr) -> Pod {
    Pod {
        name: PodName::from(name),
        hash: RevisionHash::from("v1"),
        created,
        ready: true,
        terminating: false,
        ip: Some(server.ip()),
        metrics: Some((server.port(), format!("/{name}/metrics"))),
        unready_reason: None,
    }
}

pub(crate) fn target(name: &str, pods: Vec<Pod>) -> QueryTarget {
    QueryTarget {
        id: TargetId {
            namespace: "shop".into(),
            kind: TargetKind::Deployment,
            name: name.into(),
        },
        pods,
        scrape: None,
    }
}

#[track_caller]
pub(crate) fn series(observation: &Observation) -> &[SeriesReading] {
    match observation {
        Observation::Reading(reading) => &reading.series,
        other => panic!("no reading: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn unavailable(observation: &Observation) -> (Cause, &str) {
    match observation {
        Observation::Unavailable { cause, reason } => (*cause, reason),
        other => panic!("available: {other:?}"),
    }
}
