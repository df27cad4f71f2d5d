//! What a user is promised, shown with the real agent on real parts: a bad release is out within seconds, people have
//! read why, and nothing else was touched.

mod bad_release;
mod deployment;
mod good_release;
mod rollout;
mod same_totals;
mod sequence;
mod untouched;

use std::io::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use recant_core::ids::{TargetId, TargetKind};

use crate::namespace::Namespace;

/// Nothing that is waited for in a scenario takes longer, on a busy machine.
const WITHIN: Duration = Duration::from_mins(1);

/// From the first bad answer to the patched spec.
const PROMISE: Duration = Duration::from_secs(10);

/// A workload of a namespace.
fn target(ns: &Namespace, kind: TargetKind, name: &str) -> TargetId {
    TargetId {
        namespace: ns.name().to_owned(),
        kind,
        name: name.to_owned(),
    }
}

/// A watch with the shipped rules that takes a bad release back and tells the agent's Slack. `more` are further
/// fields, one a line.
fn watch(target: &TargetId, source: &str, more: &str) -> String {
    let TargetId {
        namespace,
        kind,
        name,
    } = target;
    format!(
        r"
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: {name}, namespace: {namespace}}}
target: {{kind: {kind}, name: {name}}}
source: {source}
rules: [http]
onFail: [{{rollback: {{}}}}, {{notify: [team]}}]
{more}
"
    )
}

/// Prints how long it took, past the harness, which hides what passing tests print; fails when it took too long.
fn timed(scenario: &str, first_bad: Timestamp, patched: Timestamp) {
    let took = patched.duration_since(first_bad);
    let line = format!(
        "TIMING {scenario}: {:.1} s from the first bad answer to the patched spec\n",
        took.as_secs_f64()
    );
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("a line can be printed");
    assert!(
        took.unsigned_abs() < PROMISE,
        "{line}the promise is {PROMISE:?}"
    );
}
