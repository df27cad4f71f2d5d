//! The façade's paths as /openapi.json describes them. What comes back has Prometheus' own shapes.

use serde_json::Value;

use crate::http::api::openapi::Operation;

/// The id for one of the two methods that a path takes.
fn id(method: &str, get: &'static str, post: &'static str) -> &'static str {
    match method {
        "post" => post,
        _ => get,
    }
}

/// What Prometheus' own errors are here.
fn refusing(operation: Operation) -> Operation {
    operation
        .fails::<Value>(
            400,
            "What cannot be understood, or is not answered here, by its name",
        )
        .fails::<Value>(422, "What has no answer that would not mislead")
        .fails::<Value>(503, "Recant cannot look, or has not looked yet")
}

pub(super) fn query(method: &str) -> Operation {
    let id = id(method, "prometheus.query", "prometheus.queryByForm");
    let operation = Operation::new(
        id,
        "One expression at one moment; parameters may be a form, too",
    )
    .must("query", "A selector, a number, or what is cheap on both")
    .may("time", "Seconds since 1970, or RFC 3339; now without it")
    .may("limit", "Series at most")
    .gives::<Value>(200, "As of Prometheus");
    refusing(operation)
}

pub(super) fn range(method: &str) -> Operation {
    let id = id(
        method,
        "prometheus.queryRange",
        "prometheus.queryRangeByForm",
    );
    let operation = Operation::new(
        id,
        "One expression over time; parameters may be a form, too",
    )
    .must("query", "A selector, a number, or what is cheap on both")
    .must("start", "Seconds since 1970, or RFC 3339")
    .must("end", "The same")
    .must("step", "Seconds, or a duration like `15s`")
    .may("limit", "Series at most")
    .gives::<Value>(200, "As of Prometheus");
    refusing(operation)
}

pub(super) fn series(method: &str) -> Operation {
    let id = id(method, "prometheus.series", "prometheus.seriesByForm");
    let operation = Operation::new(
        id,
        "The label sets of selectors; parameters may be a form, too",
    )
    .must("match[]", "A selector; may be repeated")
    .may("limit", "Series at most")
    .gives::<Value>(200, "As of Prometheus");
    refusing(operation)
}

pub(super) fn labels(method: &str) -> Operation {
    let id = id(method, "prometheus.labels", "prometheus.labelsByForm");
    let operation = Operation::new(id, "The names of labels; parameters may be a form, too")
        .may("match[]", "Only of these series; may be repeated")
        .may("limit", "Names at most")
        .gives::<Value>(200, "As of Prometheus");
    refusing(operation)
}

pub(super) fn values() -> Operation {
    let operation = Operation::new("prometheus.values", "The values of one label")
        .part("name", "Of the label")
        .may("match[]", "Only of these series; may be repeated")
        .may("limit", "Values at most")
        .gives::<Value>(200, "As of Prometheus");
    refusing(operation)
}

pub(super) fn metadata() -> Operation {
    Operation::new("prometheus.metadata", "What each metric is")
        .may("metric", "Only this one")
        .may("limit", "Metrics at most")
        .gives::<Value>(200, "As of Prometheus")
        .fails::<Value>(400, "What cannot be understood")
}

pub(super) fn rules() -> Operation {
    let operation = Operation::new(
        "prometheus.rules",
        "What Recant holds to be wrong, as rules",
    )
    .may("type", "`alert` or `record`")
    .gives::<Value>(200, "As of Prometheus");
    refusing(operation)
}

pub(super) fn alerts() -> Operation {
    let operation = Operation::new(
        "prometheus.alerts",
        "What Recant finds wrong now, as alerts",
    )
    .gives::<Value>(200, "As of Prometheus");
    refusing(operation)
}

pub(super) fn build() -> Operation {
    Operation::new("prometheus.build", "Which program answers")
        .gives::<Value>(200, "As of Prometheus")
}

pub(super) fn ready(id: &'static str) -> Operation {
    Operation::new(id, "Whether questions about now have answers")
        .says(200, "They have")
        .fails::<Value>(503, "They have none")
}
