//! Scaling: from what a rule asks for and what the cluster shows to a change that leaves nothing to choose (P4).
//!
//! It never lowers, but to no replicas at all where that is asked for. Where an autoscaler has the workload, it raises `minReplicas` and leaves the replicas alone. An undo
//! puts back what was there, if what was set is still there, and never less than a disruption budget needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::PlanId;
use crate::rule::{Scale, ScaleTarget, ScaleTo};
use crate::wording::listed;

/// A workload that can be scaled, as it was read just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaleState {
    pub uid: String,
    /// `spec.replicas`.
    pub replicas: u32,
    /// Pods that are ready.
    pub ready: u32,
    pub paused: bool,
    /// Where the kill switch annotation was found, if anywhere.
    pub kill_switch: Option<String>,
    /// The last scaling that was carried out on the workload, as its annotation says.
    pub last_scaling: Option<PlanId>,
    /// Its own labels, as many as are kept.
    pub labels: BTreeMap<String, String>,
    /// `HorizontalPodAutoscalers` that have the workload.
    pub autoscalers: Vec<Autoscaler>,
    /// `PodDisruptionBudgets` that select its pods.
    pub budgets: Vec<Budget>,
}

/// A `HorizontalPodAutoscaler`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Autoscaler {
    pub name: String,
    pub uid: String,
    /// `spec.minReplicas`; 1 when it is left out.
    pub min: u32,
    pub max: u32,
    /// What it belongs to and would be set back by: `ScaledObject worker`.
    pub owner: Option<String>,
    /// The last scaling that was carried out on it, as its annotation says.
    pub last_scaling: Option<PlanId>,
    /// Its owner, where that is a `ScaledObject` of KEDA.
    pub keda: Option<ScaledObject>,
}

/// A `ScaledObject` of KEDA, which makes an autoscaler and sets it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaledObject {
    pub name: String,
    pub uid: String,
    /// `spec.minReplicaCount`; 0 when it is left out.
    pub min: u32,
    /// `spec.maxReplicaCount`; 100 when it is left out.
    pub max: u32,
    pub last_scaling: Option<PlanId>,
    /// The annotations that hold its numbers back: `autoscaling.keda.sh/paused…`.
    pub paused: bool,
    /// At which number, where the annotation says one.
    pub paused_at: Option<u32>,
}

/// A `PodDisruptionBudget`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    pub name: String,
    /// Fewer replicas than this can never fulfil it: its `minAvailable` as a number; 0 for percentages and
    /// `maxUnavailable`, which go by what there is.
    pub needs: u32,
}

/// On a `ScaledObject`: KEDA holds the workload at this number.
pub const PAUSED_REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";

/// What is written: one number on one object, and what must still be true of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaleChange {
    pub target: ScaleTarget,
    /// Of the workload.
    pub uid: String,
    pub object: ScaleObject,
    /// What is there before the write.
    pub from: u32,
    pub to: u32,
}

/// Which object holds the number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "object")]
pub enum ScaleObject {
    /// `spec.replicas` of the workload.
    Workload,
    /// `spec.minReplicas` of its `HorizontalPodAutoscaler`.
    Autoscaler { name: String, uid: String },
    /// `spec.minReplicaCount` of its `ScaledObject` (KEDA).
    ScaledObject { name: String, uid: String },
    /// The annotation by which its `ScaledObject` (KEDA) holds it at a number, and scales no more.
    PausedScaledObject {
        name: String,
        uid: String,
        /// The annotation is taken away again.
        #[serde(default)]
        lift: bool,
    },
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    Change {
        change: ScaleChange,
        /// Why it is not exactly what the rule asks for. Sentences without a full stop.
        notes: Vec<String>,
    },
    /// Nothing has to be written: there are as many already, or what we set is ours no more.
    Nothing { why: String },
    /// Not now.
    Held { obstacle: Obstacle, why: String },
}

/// What stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    KillSwitch,
    /// Gone, or paused by somebody.
    Object,
    /// An autoscaler that would set it back.
    Autoscaler,
}

/// The number that a change is about, as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    pub replicas: u32,
    pub last_scaling: Option<&'a PlanId>,
}

/// How many replicas there shall be, and where that is written.
pub fn decide(scale: &Scale, state: Option<&ScaleState>) -> Decided {
    let target = &scale.target;
    let (state, autoscaler) = match free(target, state) {
        Ok(found) => found,
        Err((obstacle, why)) => return Decided::Held { obstacle, why },
    };
    let mut notes = Vec::new();
    let mut wanted = match scale.to {
        ScaleTo::Replicas(replicas) => replicas,
        ScaleTo::Factor(hundredths) => {
            let product = u64::from(state.replicas) * u64::from(hundredths);
            u32::try_from(product.div_ceil(100)).unwrap_or(u32::MAX)
        }
        ScaleTo::Zero => return to_zero(target, state, autoscaler),
    };
    if let Some(budget) = neediest(state).filter(|budget| budget.needs > wanted) {
        wanted = budget.needs;
        notes.push(format!(
            "PodDisruptionBudget `{}` needs {wanted}",
            budget.name
        ));
    }
    if let Some(ceiling) = scale.ceiling.filter(|ceiling| *ceiling < wanted) {
        wanted = ceiling;
        notes.push(format!("the rule's ceiling is {ceiling}"));
    }
    let bounds = autoscaler.map(Bounds::of);
    if let Some(bounds) = bounds.as_ref().filter(|bounds| bounds.max < wanted) {
        wanted = bounds.max;
        notes.push(format!("{} allows no more than {wanted}", bounds.name));
    }
    let because = if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", notes.join("; "))
    };
    if state.replicas >= wanted {
        return Decided::Nothing {
            why: format!(
                "{target} has {} already, and {wanted} are wanted{because}",
                replicas(state.replicas)
            ),
        };
    }
    let (object, from) = match bounds {
        None => (ScaleObject::Workload, state.replicas),
        Some(bounds) if bounds.min >= wanted => {
            return Decided::Nothing {
                why: format!(
                    "{} brings {target} to at least {} already, and {wanted} are wanted{because}",
                    bounds.name, bounds.min
                ),
            };
        }
        Some(bounds) => (bounds.object, bounds.min),
    };
    let change = ScaleChange {
        target: target.clone(),
        uid: state.uid.clone(),
        object,
        from,
        to: wanted,
    };
    Decided::Change { change, notes }
}

/// All pods go. An autoscaler of Kubernetes rests at no replicas; KEDA does not, and is paused.
fn to_zero(target: &ScaleTarget, state: &ScaleState, autoscaler: Option<&Autoscaler>) -> Decided {
    if let Some(keda) = autoscaler.and_then(|autoscaler| autoscaler.keda.as_ref()) {
        let change = ScaleChange {
            target: target.clone(),
            uid: state.uid.clone(),
            object: ScaleObject::PausedScaledObject {
                name: keda.name.clone(),
                uid: keda.uid.clone(),
                lift: false,
            },
            from: state.replicas,
            to: 0,
        };
        return Decided::Change {
            change,
            notes: Vec::new(),
        };
    }
    if state.replicas == 0 {
        return Decided::Nothing {
            why: format!("{target} has no replicas already"),
        };
    }
    let change = ScaleChange {
        target: target.clone(),
        uid: state.uid.clone(),
        object: ScaleObject::Workload,
        from: state.replicas,
        to: 0,
    };
    Decided::Change {
        change,
        notes: Vec::new(),
    }
}

/// How what a change did is taken back; only while what it set is still there.
pub fn undo(done: &ScaleChange, state: Option<&ScaleState>) -> Decided {
    let target = &done.target;
    let leave = |why: String| Decided::Nothing { why };
    match state {
        None => return leave(format!("{target} does not exist any more")),
        Some(state) if state.uid != done.uid => {
            return leave(format!("{target} was deleted and created again"));
        }
        Some(state) => {
            if let ScaleObject::PausedScaledObject { name, uid, .. } = &done.object {
                return lift(done, name, uid, state);
            }
        }
    }
    let (state, autoscaler) = match free(target, state) {
        Ok(found) => found,
        Err((obstacle, why)) => return Decided::Held { obstacle, why },
    };
    if let (ScaleObject::Workload, Some(autoscaler), true) = (&done.object, autoscaler, done.to > 0)
    {
        return leave(format!(
            "HorizontalPodAutoscaler `{}` scales {target} now",
            autoscaler.name
        ));
    }
    let Some(seen) = done.seen_on(state) else {
        return leave(format!("{} does not exist any more", done.written()));
    };
    if seen.replicas != done.to {
        return leave(format!(
            "{} is set to {}, no longer to {}: somebody else changed it",
            done.written(),
            seen.replicas,
            done.to
        ));
    }
    let mut back = done.from;
    let mut notes = Vec::new();
    if let Some(budget) = neediest(state).filter(|budget| budget.needs > back) {
        back = budget.needs;
        notes.push(format!(
            "PodDisruptionBudget `{}` needs {back}",
            budget.name
        ));
    }
    if done.to > 0 && back >= done.to {
        return leave(notes.join("; "));
    }
    let change = ScaleChange {
        from: done.to,
        to: back,
        ..done.clone()
    };
    Decided::Change { change, notes }
}

/// KEDA scales again, if it is still paused at what was set.
fn lift(done: &ScaleChange, name: &str, uid: &str, state: &ScaleState) -> Decided {
    if let Some(place) = &state.kill_switch {
        return Decided::Held {
            obstacle: Obstacle::KillSwitch,
            why: format!("the kill switch is on as annotation `recant.dev/kill-switch` on {place}"),
        };
    }
    let Some(found) = state.scaled_object(name, uid) else {
        return Decided::Nothing {
            why: format!("{} does not exist any more", done.written()),
        };
    };
    if found.paused_at != Some(done.to) {
        return Decided::Nothing {
            why: format!(
                "{} is no longer paused at {}: somebody else changed it",
                done.written(),
                done.to
            ),
        };
    }
    let change = ScaleChange {
        object: ScaleObject::PausedScaledObject {
            name: name.to_owned(),
            uid: uid.to_owned(),
            lift: true,
        },
        from: done.to,
        to: done.from,
        ..done.clone()
    };
    Decided::Change {
        change,
        notes: Vec::new(),
    }
}

/// The state, if nothing stands in the way of a write, and the one autoscaler that has the workload.
fn free<'a>(
    target: &ScaleTarget,
    state: Option<&'a ScaleState>,
) -> Result<(&'a ScaleState, Option<&'a Autoscaler>), (Obstacle, String)> {
    let held = |obstacle, why| Err((obstacle, why));
    let Some(state) = state else {
        return held(Obstacle::Object, format!("{target} does not exist"));
    };
    if let Some(place) = &state.kill_switch {
        let why =
            format!("the kill switch is on as annotation `recant.dev/kill-switch` on {place}");
        return held(Obstacle::KillSwitch, why);
    }
    if state.paused {
        let why = format!("{target} was paused by somebody; resume it, or scale it by hand");
        return held(Obstacle::Object, why);
    }
    match state.autoscalers.as_slice() {
        [] => Ok((state, None)),
        [only] => match (&only.owner, &only.keda) {
            (Some(_), Some(keda)) if keda.paused => held(
                Obstacle::Autoscaler,
                format!(
                    "ScaledObject `{}` is paused by an annotation: resume it, or scale it by hand",
                    keda.name
                ),
            ),
            (None, _) | (Some(_), Some(_)) => Ok((state, Some(only))),
            (Some(owner), None) => held(
                Obstacle::Autoscaler,
                format!(
                    "HorizontalPodAutoscaler `{}` belongs to {owner}, which would set it back: change that one by hand",
                    only.name
                ),
            ),
        },
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|autoscaler| format!("`{}`", autoscaler.name))
                .collect();
            let why = format!(
                "{target} has more than one HorizontalPodAutoscaler: {}. Leave one",
                listed(&names)
            );
            held(Obstacle::Autoscaler, why)
        }
    }
}

/// Between which numbers an autoscaler works, and where the lower one is written.
struct Bounds {
    /// For people.
    name: String,
    min: u32,
    max: u32,
    object: ScaleObject,
}

impl Bounds {
    fn of(autoscaler: &Autoscaler) -> Self {
        match &autoscaler.keda {
            None => Self {
                name: format!("HorizontalPodAutoscaler `{}`", autoscaler.name),
                min: autoscaler.min,
                max: autoscaler.max,
                object: ScaleObject::Autoscaler {
                    name: autoscaler.name.clone(),
                    uid: autoscaler.uid.clone(),
                },
            },
            Some(keda) => Self {
                name: format!("ScaledObject `{}`", keda.name),
                min: keda.min,
                max: keda.max,
                object: ScaleObject::ScaledObject {
                    name: keda.name.clone(),
                    uid: keda.uid.clone(),
                },
            },
        }
    }
}

fn neediest(state: &ScaleState) -> Option<&Budget> {
    state.budgets.iter().max_by_key(|budget| budget.needs)
}

fn replicas(number: u32) -> String {
    match number {
        1 => "1 replica".to_owned(),
        number => format!("{number} replicas"),
    }
}

impl ScaleState {
    /// The `ScaledObject` of KEDA that has the workload, if it is this one.
    pub fn scaled_object(&self, name: &str, uid: &str) -> Option<&ScaledObject> {
        let mut all = self
            .autoscalers
            .iter()
            .filter_map(|found| found.keda.as_ref());
        all.find(|found| found.name == name && found.uid == uid)
    }
}

impl ScaleChange {
    /// The object that is written to, for people.
    pub fn written(&self) -> String {
        match &self.object {
            ScaleObject::Workload => self.target.to_string(),
            ScaleObject::Autoscaler { name, .. } => {
                format!("HorizontalPodAutoscaler {}/{name}", self.target.namespace)
            }
            ScaleObject::ScaledObject { name, .. }
            | ScaleObject::PausedScaledObject { name, .. } => {
                format!("ScaledObject {}/{name}", self.target.namespace)
            }
        }
    }

    /// What is done, for people: `Deployment shop/worker from 2 to 5 replicas`.
    pub fn in_words(&self) -> String {
        let Self { from, to, .. } = self;
        match &self.object {
            ScaleObject::Workload => format!("{} from {from} to {}", self.target, replicas(*to)),
            ScaleObject::Autoscaler { name, .. } => format!(
                "{}, by `minReplicas` of its HorizontalPodAutoscaler `{name}`, from {from} to {}",
                self.target,
                replicas(*to)
            ),
            ScaleObject::PausedScaledObject {
                name, lift: true, ..
            } => format!(
                "{}, by taking `{PAUSED_REPLICAS}` away from its ScaledObject `{name}`: KEDA scales it again",
                self.target
            ),
            ScaleObject::PausedScaledObject { name, .. } => format!(
                "{}, by `{PAUSED_REPLICAS}` of its ScaledObject `{name}`, from {from} to {}",
                self.target,
                replicas(*to)
            ),
            ScaleObject::ScaledObject { name, .. } => format!(
                "{}, by `minReplicaCount` of its ScaledObject `{name}`, from {from} to {}",
                self.target,
                replicas(*to)
            ),
        }
    }

    /// The number that this change is about; `None`: its object is not there any more.
    pub fn seen_on<'a>(&self, state: &'a ScaleState) -> Option<Seen<'a>> {
        match &self.object {
            ScaleObject::Workload => Some(Seen {
                replicas: state.replicas,
                last_scaling: state.last_scaling.as_ref(),
            }),
            ScaleObject::Autoscaler { name, uid } => state
                .autoscalers
                .iter()
                .find(|found| found.name == *name && found.uid == *uid)
                .map(|found| Seen {
                    replicas: found.min,
                    last_scaling: found.last_scaling.as_ref(),
                }),
            ScaleObject::ScaledObject { name, uid } => {
                state.scaled_object(name, uid).map(|found| Seen {
                    replicas: found.min,
                    last_scaling: found.last_scaling.as_ref(),
                })
            }
            ScaleObject::PausedScaledObject { name, uid, .. } => {
                state.scaled_object(name, uid).map(|found| Seen {
                    replicas: found.paused_at.unwrap_or(state.replicas),
                    last_scaling: found.last_scaling.as_ref(),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests;
