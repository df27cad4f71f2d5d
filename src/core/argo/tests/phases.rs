//! All recorded runs: what is asked of providers, phases, counters, messages, times.

use serde_json::Value;

use super::oracle::{differ, json, json_of, report, set};
use crate::argo::replay::answer;

#[test]
fn every_recorded_run_goes_as_recorded() {
    let mut wrong = Vec::new();
    let cases = set("phases");
    let mut steps = 0;
    for case in &cases {
        let got = answer(&json(case), jiff::Timestamp::UNIX_EPOCH).expect("a recording");
        let got = json_of(&got);
        for field in ["steps", "startedAt"] {
            let recorded = case.get(field).unwrap_or(&Value::Null);
            let got = got.get(field).unwrap_or(&Value::Null);
            differ(
                &format!("{} {field}", case["id"]),
                got,
                recorded,
                &mut wrong,
            );
        }
        steps += case["steps"].as_array().map_or(0, Vec::len);
    }
    report("phases", cases.len(), &wrong);
    assert_eq!((cases.len(), steps), (475, 1909));
}
