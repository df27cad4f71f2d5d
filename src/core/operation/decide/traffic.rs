//! What leads traffic elsewhere: shares of a route, and switches to another colour, which is scaled up first and has to be
//! ready before anything is led to it.

use super::super::Step;
use super::{Looks, One, edit, guard};
use crate::change::{Edit, ObjectRef, ObjectState};
use crate::rule::{Colour, Scale, ScaleTarget, ScaleTo, ScaleUp};
use crate::scaling::{self, Decided, ScaleState};
use crate::traffic::{IngressBackend, Route, Selector, Shift};

/// A share of a route.
pub(super) fn shift(route: &Route, percent: u32, looks: &Looks<'_>) -> One {
    edit(&ObjectRef::from(route), looks, |state| {
        Ok(match route.shift(percent, &state.object)? {
            Shift::Weights(edit) => Some(Edit::Weights(edit)),
            Shift::CanaryWeight(edit) => Some(Edit::CanaryWeight(edit)),
            Shift::Nothing => None,
        })
    })
}

/// Another colour.
pub(super) fn switch(
    object: &ObjectRef,
    to: &Colour,
    up: Option<&ScaleUp>,
    looks: &Looks<'_>,
) -> One {
    let led = edit(object, looks, |state| lead(to, state));
    let (One::Steps(led, mut notes), Some(up)) = (led.clone(), up) else {
        return led;
    };
    let present = up
        .present
        .as_ref()
        .and_then(|present| known(looks, present));
    let wanted = present
        .map_or(0, |present| present.replicas)
        .max(up.least)
        .max(1);
    let scale = Scale {
        target: up.target.clone(),
        to: ScaleTo::Replicas(wanted),
        ceiling: None,
        undo_after: None,
    };
    let mut steps = Vec::new();
    let mut replicas = wanted;
    match scaling::decide(&scale, known(looks, &up.target)) {
        Decided::Held { obstacle, why } => return One::Held(guard(obstacle), why),
        Decided::Nothing { .. } => {}
        Decided::Change {
            change,
            notes: more,
        } => {
            replicas = change.to;
            notes.extend(more);
            let change = Box::new(change);
            steps.push(Step::Scale { change });
        }
    }
    steps.push(Step::Ready {
        target: up.target.clone(),
        replicas,
        within: up.within,
    });
    steps.extend(led);
    One::Steps(steps, notes)
}

fn known<'a>(looks: &Looks<'a>, target: &ScaleTarget) -> Option<&'a ScaleState> {
    looks.scales.get(target).copied().flatten()
}

fn lead(to: &Colour, state: &ObjectState) -> Result<Option<Edit>, String> {
    let object = &state.object;
    Ok(match to {
        Colour::Labels { labels } => Selector::decide(labels, object)?.map(Edit::Selector),
        Colour::Service {
            host,
            path,
            service,
        } => IngressBackend::decide(host.as_deref(), path.as_deref(), service, object)?
            .map(Edit::IngressBackend),
    })
}

#[cfg(test)]
mod tests;
