//! What a user is promised, shown with the real agent on real parts: a bad release is out within seconds, people have
//! read why, and nothing else was touched.

mod deployment;

use std::time::Duration;

use recant_core::ids::{TargetId, TargetKind};

use crate::namespace::Namespace;

/// Nothing that is waited for in a scenario takes longer, on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);

fn target(ns: &Namespace, kind: TargetKind) -> TargetId {
    TargetId {
        namespace: ns.name().to_owned(),
        kind,
        name: "checkout".to_owned(),
    }
}

/// A watch of `checkout` with the shipped rules, told to the agent's Slack.
fn watch(ns: &Namespace, kind: TargetKind, more: &str) -> String {
    let name = ns.name();
    format!(
        r"
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: checkout, namespace: {name}}}
target: {{kind: {kind}, name: checkout}}
rules: [http]
onFail: [{{rollback: {{}}}}, {{notify: [team]}}]
{more}
"
    )
}
