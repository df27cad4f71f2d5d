//! The envelope of Prometheus' HTTP API, and the vector in it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Unit};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use recant_core::observation::Cause;

use super::native::Native;
use crate::source::http::{Fault, excerpt};

mod matrix;
mod scalar;

pub(super) use matrix::decode_matrix;
pub(super) use scalar::decode_value;

/// One element of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) labels: BTreeMap<String, String>,
    /// When the server evaluated the query.
    pub(super) evaluated: Timestamp,
    pub(super) value: f64,
    /// It has buckets instead of a value, which is then no number.
    pub(super) native: Option<Native>,
}

#[derive(Deserialize)]
struct Envelope<D> {
    status: String,
    data: Option<D>,
    error: Option<String>,
    #[serde(rename = "errorType")]
    error_type: Option<String>,
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Vector {
    #[serde(rename = "resultType")]
    result_type: String,
    result: Vec<Element>,
}

/// What is read when the answer is not the expected vector.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "resultType")]
    result_type: String,
}

#[derive(Deserialize)]
struct Element {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    value: Option<(f64, String)>,
    histogram: Option<(f64, Native)>,
}

/// Reads a body that came with a good status.
pub(super) fn decode(body: &[u8]) -> Result<Vec<Row>, Fault> {
    let data: Vector = data_of(body, "vector")?;
    if data.result_type != "vector" {
        return Err(wrong_type(&data.result_type, "vector"));
    }
    data.result.into_iter().map(row).collect()
}

/// Some of the native histograms that were added up have begun anew and others have not. Nothing is missing for that.
const RESETS: &str = "conflicting counter resets during histogram";

/// The data of an answer that says nothing bad of itself.
fn data_of<D: DeserializeOwned>(body: &[u8], wanted: &str) -> Result<D, Fault> {
    let envelope = match serde_json::from_slice::<Envelope<D>>(body) {
        Ok(envelope) => envelope,
        Err(error) => return Err(misfit(body, &error, wanted)),
    };
    if envelope.status != "success" {
        return Err(refused(&envelope));
    }
    let warnings = envelope.warnings.as_deref().unwrap_or_default();
    if let Some(first) = warnings.iter().find(|warning| !warning.contains(RESETS)) {
        return Err(Fault {
            cause: Cause::Partial,
            reason: format!(
                "warns that its answer may be partial: \"{}\"",
                excerpt(first)
            ),
        });
    }
    envelope
        .data
        .ok_or_else(|| Fault::malformed("answered without data"))
}

/// What a body says that came with a bad status, if it is Prometheus' own.
pub(super) fn error_text(body: &[u8]) -> String {
    match serde_json::from_slice::<Envelope<IgnoredAny>>(body) {
        Ok(Envelope {
            error: Some(error), ..
        }) => excerpt(&error),
        Ok(_) | Err(_) => excerpt(&String::from_utf8_lossy(body)),
    }
}

/// Seconds since 1970 as Prometheus writes them: milliseconds are all it keeps.
pub(super) fn timestamp(seconds: f64) -> Option<Timestamp> {
    let since_epoch = SignedDuration::try_from_secs_f64(seconds).ok()?;
    let exact = Timestamp::from_duration(since_epoch).ok()?;
    exact.round(Unit::Millisecond).ok()
}

fn row(element: Element) -> Result<Row, Fault> {
    match (element.value, element.histogram) {
        (Some((seconds, value)), _) => sample(element.metric, seconds, &value),
        (None, Some((seconds, native))) => buckets(element.metric, seconds, native),
        (None, None) => Err(Fault::malformed("answered with a series that has no value")),
    }
}

fn buckets(labels: BTreeMap<String, String>, seconds: f64, native: Native) -> Result<Row, Fault> {
    Ok(Row {
        native: Some(native),
        ..sample(labels, seconds, "NaN")?
    })
}

fn sample(labels: BTreeMap<String, String>, seconds: f64, value: &str) -> Result<Row, Fault> {
    let evaluated = timestamp(seconds)
        .ok_or_else(|| Fault::malformed(format!("answered with the impossible time {seconds}")))?;
    let value = value.parse().map_err(|_| {
        Fault::malformed(format!(
            "answered with a value that is no number: `{}`",
            excerpt(value)
        ))
    })?;
    Ok(Row {
        labels,
        evaluated,
        value,
        native: None,
    })
}

/// The body is no vector: says what it is instead.
fn misfit(body: &[u8], error: &serde_json::Error, wanted: &str) -> Fault {
    match serde_json::from_slice::<Envelope<Kind>>(body) {
        Ok(envelope) if envelope.status != "success" => refused(&envelope),
        Ok(Envelope {
            data: Some(kind), ..
        }) if kind.result_type != wanted => wrong_type(&kind.result_type, wanted),
        Ok(_) | Err(_) => {
            let start = body.get(..60).unwrap_or(body);
            Fault::malformed(format!(
                "answered with something that is no answer of Prometheus' API ({error}); it begins with `{}`",
                excerpt(&String::from_utf8_lossy(start))
            ))
        }
    }
}

fn wrong_type(result_type: &str, wanted: &str) -> Fault {
    Fault::malformed(format!(
        "answered with a `{}` where a {wanted} was asked for",
        excerpt(result_type)
    ))
}

fn refused<D>(envelope: &Envelope<D>) -> Fault {
    Fault::down(format!(
        "answered with an error ({}): {}",
        excerpt(envelope.error_type.as_deref().unwrap_or("of no type")),
        excerpt(envelope.error.as_deref().unwrap_or("it does not say why"))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn faulty(body: &str, cause: Cause, reason: &str) {
        let fault = decode(body.as_bytes()).expect_err("is faulty");
        assert_eq!(fault.cause, cause, "{body}");
        assert!(
            fault.reason.contains(reason),
            "`{}` lacks `{reason}`",
            fault.reason
        );
    }

    #[test]
    fn reads_a_vector_with_all_the_numbers_prometheus_writes() {
        let body = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"pod":"a"},"value":[1767225600.123,"NaN"]},
            {"metric":{},"value":[1767225600,"+Inf"]},
            {"metric":{},"value":[1767225600.1,"1e+06"]}]},"infos":["may not be a counter"]}"#;
        let rows = decode(body.as_bytes()).expect("is an answer");
        assert!(rows[0].value.is_nan());
        assert_eq!(rows[0].labels["pod"], "a");
        assert_eq!(rows[0].evaluated.as_millisecond(), 1_767_225_600_123);
        assert!(rows[1].value.is_infinite());
        assert!((rows[2].value - 1e6).abs() < 1e-9);
    }

    #[test]
    fn says_what_is_wrong_with_an_answer() {
        use Cause::{Down, Malformed, Partial};
        let result = |result: &str| format!(r#"{{"status":"success","data":{result}}}"#);
        faulty("", Malformed, "no answer of Prometheus");
        faulty(
            "<!doctype html><p>",
            Malformed,
            "begins with `<!doctype html>",
        );
        faulty("\u{1}\u{2}garbage", Malformed, "garbage");
        faulty("null", Malformed, "no answer");
        faulty(
            r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
            Down,
            "(bad_data): parse error",
        );
        faulty(
            r#"{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["store down"]}"#,
            Partial,
            "store down",
        );
        faulty(r#"{"status":"success"}"#, Malformed, "without data");
        let scalar = result(r#"{"resultType":"scalar","result":[1,"2"]}"#);
        faulty(&scalar, Malformed, "`scalar`");
        let matrix = result(r#"{"resultType":"matrix","result":[]}"#);
        faulty(&matrix, Malformed, "`matrix`");
        let native = result(
            r#"{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"buckets":7}]}]}"#,
        );
        faulty(&native, Malformed, "no answer of Prometheus");
        let none = result(r#"{"resultType":"vector","result":[{"metric":{}}]}"#);
        faulty(&none, Malformed, "no value");
        let words = result(r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}"#);
        faulty(&words, Malformed, "no number: `x`");
        let time =
            result(r#"{"resultType":"vector","result":[{"metric":{},"value":[1e300,"1"]}]}"#);
        faulty(&time, Malformed, "impossible time");
    }
}
