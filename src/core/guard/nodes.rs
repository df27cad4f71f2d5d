//! Several targets fail, and the nodes under this one's pods are not ready or under pressure: then it is the machines, and
//! going back would only move pods about. One target alone is not held for it: its release may be what presses the node.

use super::{ActionContext, Guard, Hold};
use crate::wording::{listed, plural, short};

/// Characters of what a node says.
const SHOWN: usize = 120;

pub(super) fn check(context: &ActionContext<'_>) -> Option<Hold> {
    let report = context.nodes?;
    // Half of them: the rest may well fail because of what those do not carry any more.
    if report.pods == 0 || report.troubled.len() * 2 < report.pods {
        return None;
    }
    let mut nodes: Vec<String> = report
        .troubled
        .iter()
        .map(|troubled| format!("`{}` ({})", troubled.node, short(&troubled.why, SHOWN)))
        .collect();
    nodes.sort();
    nodes.dedup();
    let reason = format!(
        "other targets fail as well, and {} of its {} run on nodes that are not well: {}",
        report.troubled.len(),
        plural(report.pods, "pod"),
        listed(&nodes)
    );
    Some(Hold::action(Guard::Nodes, reason, None))
}
