//! What is done about a release: its traffic, the plan and the verification, in short.

use recant_core::explain::step;
use recant_core::saga::PlanEnd;
use recant_core::stepping::{Stepping, SteppingEnd};
use recant_core::verify::VerificationEnd;

use super::account::{PlanAccount, TrafficAccount};
use super::fold::{PlanSeen, Verified};

pub(super) fn plan(seen: &PlanSeen) -> PlanAccount {
    PlanAccount {
        id: seen.plan.id.to_string(),
        began: seen.began,
        to: seen.plan.to.revision.clone(),
        steps: seen.plan.steps.iter().map(step).collect(),
        ended: seen.end.as_ref().map(|(at, _)| *at),
        state: match &seen.end {
            None => "under way".to_owned(),
            Some((_, PlanEnd::Done)) => "done: no pod of the bad revision serves".to_owned(),
            Some((_, PlanEnd::Fenced { reason })) => {
                format!("stopped, the object was changed: {reason}")
            }
            Some((_, PlanEnd::Stuck { reason })) => format!("stopped: {reason}"),
        },
    }
}

pub(super) fn verification(seen: &Verified) -> String {
    match &seen.end {
        None => format!("under way since {:.0}", seen.began),
        Some((at, VerificationEnd::Gone)) => format!("the symptom is gone ({at:.0})"),
        Some((at, VerificationEnd::Remains { reason })) => {
            format!("the symptom remains ({at:.0}): {reason}")
        }
        Some((at, VerificationEnd::Unknown { reason })) => {
            format!("not verified ({at:.0}): {reason}")
        }
    }
}

pub(super) fn traffic(stepping: &Stepping) -> TrafficAccount {
    let Stepping { stepped, end, .. } = stepping;
    TrafficAccount {
        route: stepped.route.to_string(),
        backend: stepped.route.backend(),
        percent: stepping.percent(),
        step: stepping.step(),
        steps: stepped.steps.clone(),
        next: stepping.next().map(|(_, percent)| percent),
        waits_for: end.is_none().then(|| stepping.waits_for()),
        ended: end.as_ref().map(SteppingEnd::in_words),
    }
}
