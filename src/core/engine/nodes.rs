//! The nodes under a target's pods: looked at just before it is acted upon, and only where other targets fail as well.
//!
//! The right to read nodes is optional: what cannot be known holds nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::live::Live;
use super::{Effect, Turn};
use crate::analysis::Analysis;
use crate::ids::{PodName, TargetId};
use crate::target::NodeReport;
use crate::time::{elapsed, later};

/// Failures of other targets that are this recent are looked at as one.
const TOGETHER: SignedDuration = SignedDuration::from_mins(5);
/// What nodes said counts for this long.
const FRESH: SignedDuration = SignedDuration::from_secs(60);
/// An answer is waited for this long: a bad release serves meanwhile.
const PATIENCE: SignedDuration = SignedDuration::from_secs(15);
/// Pods whose nodes are looked at.
const MOST_PODS: usize = 30;

/// What the nodes under the pods of a target say, or why that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAnswer {
    pub target: TargetId,
    pub report: Result<NodeReport, String>,
}

/// What is known of the nodes under one target.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    asked: Option<Timestamp>,
    seen: Option<(Timestamp, NodeReport)>,
    /// Until then nothing is known of them, and nothing is asked.
    unknown: Option<Timestamp>,
}

impl Nodes {
    /// What they said just now.
    pub(super) fn fresh(&self, now: Timestamp) -> Option<&NodeReport> {
        let (at, report) = self.seen.as_ref()?;
        (elapsed(*at, now) < FRESH).then_some(report)
    }
}

pub(super) fn take_in(
    turn: &Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    answers: Vec<NodeAnswer>,
) {
    for NodeAnswer { target, report } in answers {
        let Some(live) = lives.get_mut(&target) else {
            continue;
        };
        live.news = true;
        live.nodes.asked = None;
        match report {
            Ok(report) => live.nodes.seen = Some((turn.now, report)),
            Err(_) => live.nodes.unknown = Some(later(turn.now, FRESH)),
        }
    }
}

/// Whether an action has to wait for what the nodes say.
pub(super) fn waits(
    turn: &mut Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    analysis: &Analysis,
) -> bool {
    let now = turn.now;
    let others = turn.ledger.failures.iter();
    let mut others = others.filter(|(at, other)| other != target && elapsed(*at, now) < TOGETHER);
    if others.next().is_none() {
        return false;
    }
    let nodes = &mut live.nodes;
    if nodes.fresh(now).is_some() || nodes.unknown.is_some_and(|until| now < until) {
        return false;
    }
    match nodes.asked {
        Some(asked) if elapsed(asked, now) < PATIENCE => true,
        Some(_) => {
            nodes.asked = None;
            nodes.unknown = Some(later(now, FRESH));
            false
        }
        None => {
            let pods = live.state.iter().flat_map(|state| &state.pods);
            let pods: Vec<PodName> = pods
                .filter(|pod| pod.hash == analysis.canary && !pod.terminating)
                .take(MOST_PODS)
                .map(|pod| pod.name.clone())
                .collect();
            if pods.is_empty() {
                return false;
            }
            nodes.asked = Some(now);
            turn.output.effects.push(Effect::LookAtNodes {
                target: target.clone(),
                pods,
            });
            true
        }
    }
}
