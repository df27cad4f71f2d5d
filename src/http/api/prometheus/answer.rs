//! Answers in Prometheus' shapes: `status`, `data`, `warnings`, and for errors `errorType` and `error`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::ser::SerializeTuple as _;
use serde::{Serialize, Serializer};

use super::super::problem::Problem;
use super::series::Labels;

/// A question without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    status: StatusCode,
    kind: &'static str,
    /// What happened, and what to do next.
    pub(super) text: String,
}

impl Failure {
    /// The question cannot be understood.
    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "bad_data",
            text: text.into(),
        }
    }

    /// It is understood, and has no answer that would not mislead.
    pub(super) fn unanswerable(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            kind: "execution",
            text: text.into(),
        }
    }

    /// Not now.
    pub(super) fn unavailable(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            kind: "unavailable",
            text: text.into(),
        }
    }

    /// There is nothing here.
    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            kind: "not_found",
            text: text.into(),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let kind = match problem.status {
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            _ => "bad_data",
        };
        Self {
            status: problem.status,
            kind,
            text: problem.detail,
        }
    }
}

#[derive(Serialize)]
struct Refused<'a> {
    status: &'static str,
    #[serde(rename = "errorType")]
    kind: &'static str,
    error: &'a str,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = Refused {
            status: "error",
            kind: self.kind,
            error: &self.text,
        };
        (self.status, Json(body)).into_response()
    }
}

/// An answer, with what is missing in it.
#[derive(Debug, Serialize)]
pub(super) struct Answer<T> {
    status: &'static str,
    data: T,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl<T: Serialize> Answer<T> {
    pub(super) fn new(data: T, warnings: Vec<String>) -> Self {
        Self {
            status: "success",
            data,
            warnings,
        }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// What an expression comes to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[serde(tag = "resultType", content = "result")]
pub(super) enum Shaped {
    Scalar(Point),
    Vector(Vec<Instant>),
    Matrix(Vec<Range>),
}

/// One series at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Instant {
    pub(super) metric: Labels,
    pub(super) value: Point,
}

/// One series over time.
#[derive(Debug, Serialize)]
pub(super) struct Range {
    pub(super) metric: Labels,
    pub(super) values: Vec<Point>,
}

/// A moment (milliseconds since 1970) and a value, as `[1435781430.781, "1"]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point(pub(super) i64, pub(super) f64);

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_tuple(2)?;
        if self.0 % 1000 == 0 {
            pair.serialize_element(&(self.0 / 1000))?;
        } else {
            pair.serialize_element(&(self.0 as f64 / 1000.0))?;
        }
        pair.serialize_element(&text(self.1))?;
        pair.end()
    }
}

/// A number as Prometheus writes it.
fn text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_written_as_prometheus_writes_them() {
        for (point, wanted) in [
            (Point(1_435_781_430_781, 1.0), r#"[1435781430.781,"1"]"#),
            (Point(2_000, 0.25), r#"[2,"0.25"]"#),
            (Point(0, f64::NAN), r#"[0,"NaN"]"#),
            (Point(0, f64::INFINITY), r#"[0,"+Inf"]"#),
            (Point(0, f64::NEG_INFINITY), r#"[0,"-Inf"]"#),
            (Point(0, 1e21), r#"[0,"1000000000000000000000"]"#),
            (Point(0, -0.000_001), r#"[0,"-0.000001"]"#),
        ] {
            let text = serde_json::to_string(&point).expect("JSON");
            assert_eq!(text, wanted);
        }
    }
}
