//! A single number, which an expression may give as well as a vector.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Envelope, Kind, Row, data_of, decode, sample};
use crate::source::http::Fault;

#[derive(Deserialize)]
struct Scalar {
    result: (f64, String),
}

/// Reads a body that came with a good status: a vector, or a scalar as its only row without labels.
pub(in super::super) fn decode_value(body: &[u8]) -> Result<Vec<Row>, Fault> {
    let kind = serde_json::from_slice::<Envelope<Kind>>(body);
    let is_scalar = kind.is_ok_and(|envelope| {
        envelope
            .data
            .is_some_and(|data| data.result_type == "scalar")
    });
    if !is_scalar {
        return decode(body);
    }
    let Scalar {
        result: (seconds, value),
    } = data_of(body, "vector")?;
    Ok(vec![sample(BTreeMap::new(), seconds, &value)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_is_a_row_without_labels() {
        let body = r#"{"status":"success","data":{"resultType":"scalar","result":[10,"2.5"]}}"#;
        let rows = decode_value(body.as_bytes()).expect("is a scalar");
        let [row] = rows.as_slice() else {
            panic!("{rows:?}");
        };
        assert!(row.labels.is_empty() && (row.value - 2.5).abs() < 1e-9);
    }

    #[test]
    fn strings_and_matrices_are_no_values() {
        for kind in ["string", "matrix"] {
            let body =
                format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":[]}}}}"#);
            let fault = decode_value(body.as_bytes()).expect_err("is no value");
            assert!(
                fault.reason.contains(&format!("`{kind}`")),
                "{}",
                fault.reason
            );
        }
        let warned = r#"{"status":"success","warnings":["store down"],"data":{"resultType":"scalar","result":[10,"2"]}}"#;
        let fault = decode_value(warned.as_bytes()).expect_err("is partial");
        assert!(fault.reason.contains("store down"));
    }
}
