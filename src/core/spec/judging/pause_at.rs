//! `release: {pauseAt: 1}`: pods of the new revision, or a share of the replicas, at which a Deployment is paused.

use super::super::excerpt::quoted;
use super::super::fields;
use super::super::report::{Report, Span};
use super::super::tree::Node;
use crate::ids::TargetKind;
use crate::rule::PauseAt;

const HELP: &str = "write how many pods of the new revision there may be until the evidence is in, such as `1`, or a share \
     of the replicas, such as `10%`";
/// Nobody has more replicas of one Deployment.
const MOST_PODS: u32 = 10_000;

/// Reads the number or the share.
pub(super) fn read(node: &Node, report: &mut Report<'_>) -> Option<PauseAt> {
    let text = fields::text(node, "pauseAt", HELP, report)?;
    let read = match text.strip_suffix('%') {
        Some(share) => share
            .parse()
            .ok()
            .filter(|share| (1..=99).contains(share))
            .map(PauseAt::Share),
        None => text
            .parse()
            .ok()
            .filter(|pods| (1..=MOST_PODS).contains(pods))
            .map(PauseAt::Pods),
    };
    if read.is_none() {
        report
            .error(node.span, format!("`pauseAt` cannot be {}", quoted(text)))
            .help(HELP);
    }
    read
}

/// Only a Deployment can be paused between two of its pods.
pub(in crate::spec) fn check(kind: Option<TargetKind>, at: Span, report: &mut Report<'_>) {
    let (message, help) = match kind {
        Some(TargetKind::Deployment) => return,
        Some(TargetKind::Rollout) => (
            "`pauseAt` is for Deployments: a Rollout has steps of its own",
            "leave it out, and pause by a step of the Rollout: `pause: {}`",
        ),
        Some(TargetKind::StatefulSet | TargetKind::DaemonSet) => (
            "`pauseAt` is for Deployments: a StatefulSet or a DaemonSet cannot be paused",
            "leave it out; a StatefulSet stops at a `partition` of its update strategy",
        ),
        None => (
            "`pauseAt` does not go with `targets`",
            "write a Watch with `target` for each Deployment that is to be paused",
        ),
    };
    report.error(at, message).help(help);
}
