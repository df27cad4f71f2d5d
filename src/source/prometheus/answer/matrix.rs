//! The matrix that a range query is answered with: the rows of many instants.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::super::native::Native;
use super::{Row, buckets, data_of, sample, wrong_type};
use crate::source::http::Fault;

/// Samples of one answer, over all its series.
const MOST_SAMPLES: usize = 500_000;

#[derive(Deserialize)]
struct Matrix {
    #[serde(rename = "resultType")]
    result_type: String,
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<(f64, String)>,
    #[serde(default)]
    histograms: Vec<(f64, Native)>,
}

/// Reads a body that came with a good status: the rows of each instant.
pub(in super::super) fn decode_matrix(body: &[u8]) -> Result<BTreeMap<Timestamp, Vec<Row>>, Fault> {
    let data: Matrix = data_of(body, "matrix")?;
    if data.result_type != "matrix" {
        return Err(wrong_type(&data.result_type, "matrix"));
    }
    let mut instants: BTreeMap<Timestamp, Vec<Row>> = BTreeMap::new();
    let mut samples = 0;
    for series in data.result {
        samples += series.values.len() + series.histograms.len();
        if samples > MOST_SAMPLES {
            return Err(Fault::malformed(format!(
                "answered with more than {MOST_SAMPLES} samples: narrow the rule's selector"
            )));
        }
        for (seconds, value) in series.values {
            let row = sample(series.metric.clone(), seconds, &value)?;
            instants.entry(row.evaluated).or_default().push(row);
        }
        for (seconds, native) in series.histograms {
            let row = buckets(series.metric.clone(), seconds, native)?;
            instants.entry(row.evaluated).or_default().push(row);
        }
    }
    Ok(instants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_by_their_instants() {
        let body = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"pod":"a"},"values":[[10,"1"],[15,"2"]]},
            {"metric":{"pod":"b"},"values":[[15,"7"]]}]}}"#;
        let instants = decode_matrix(body.as_bytes()).expect("is a matrix");
        let counted: Vec<_> = instants
            .iter()
            .map(|(at, rows)| (at.as_second(), rows.len()))
            .collect();
        assert_eq!(counted, [(10, 1), (15, 2)]);
    }

    #[test]
    fn what_is_no_whole_answer_is_refused() {
        let faulty = |body: &str| {
            decode_matrix(body.as_bytes())
                .expect_err("is faulty")
                .reason
        };
        let vector = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        assert!(faulty(vector).contains("a `vector` where a matrix"));
        let partial =
            r#"{"status":"success","data":{"resultType":"matrix","result":[]},"warnings":["x"]}"#;
        assert!(faulty(partial).contains("partial"));
        assert!(faulty("nonsense").contains("no answer of Prometheus"));
    }
}
