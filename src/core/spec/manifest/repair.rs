//! What to write in place of a field that is none: what is known of common mistakes, the nearest name, or the place
//! where the field would belong.

use std::collections::{BTreeSet, VecDeque};

use super::super::fields::listed;
use super::super::nearest::nearest;
use super::shape::{Shape, Shapes};
use super::walk::{Step, Walk, pattern};

/// Fields that are named at most when no other help is known.
const MOST_NAMED: usize = 15;
/// Places of a shape that are looked at for a field that may have been put in the wrong one.
const MOST_PLACES: usize = 5_000;
/// Fields within each other on the way there.
const MOST_DEPTH: usize = 12;

/// A field that its mapping does not have.
pub(super) struct Unknown<'u> {
    pub(super) walk: &'u Walk<'u>,
    pub(super) field: &'u str,
    /// Of the mapping.
    pub(super) path: &'u [Step<'u>],
    /// The fields that the mapping has.
    pub(super) known: &'u [&'u str],
}

/// What to tell.
pub(super) struct Repair {
    pub(super) note: Option<String>,
    pub(super) help: String,
}

/// Says what to do about it.
pub(super) fn repair(unknown: &Unknown<'_>) -> Repair {
    let Unknown {
        walk,
        field,
        path,
        known,
    } = unknown;
    if let Some((note, help)) = common(walk.kind, field, &pattern(path)) {
        return Repair {
            note: Some(note.to_owned()),
            help: help.to_owned(),
        };
    }
    let near = nearest(field, known.iter().copied());
    let here = pattern(path);
    let elsewhere = place_of(field, walk.whole, walk.shapes, &here);
    let help = match (near, elsewhere) {
        (Some(near), None) => format!("did you mean `{near}`?"),
        (Some(near), Some(place)) => {
            format!("did you mean `{near}`? (`{field}` is a field of `{place}`)")
        }
        (None, Some(place)) if place.is_empty() => {
            format!("`{field}` stands at the top level of the object: indent it less")
        }
        (None, Some(place)) => {
            let how = if place.starts_with(&here) {
                "indent it further"
            } else {
                "move it there"
            };
            format!("`{field}` is a field of `{place}`: {how}")
        }
        (None, None) => named(known),
    };
    Repair { note: None, help }
}

/// Mistakes that are made again and again, because other programs or older versions have such fields.
fn common(kind: &str, field: &str, path: &str) -> Option<(&'static str, &'static str)> {
    match (kind, field) {
        ("AnalysisTemplate" | "ClusterAnalysisTemplate", "podTemplateHashValue")
            if path.starts_with("spec.args[]") =>
        {
            Some((
                "only a Rollout can pass its pod-template hash: the API server drops this field, or refuses the template",
                "leave `valueFrom` out of the template, and give the argument in the Rollout, where its analysis has `args`: `valueFrom: {podTemplateHashValue: Latest}`",
            ))
        }
        ("DestinationRule", "circuitBreaker") => Some((
            "only Istio's old DestinationPolicy had a `circuitBreaker`, a DestinationRule has none: the API server drops it, or refuses the rule, and no circuit is ever broken",
            "write `outlierDetection` (`consecutive5xxErrors`, `interval`, `baseEjectionTime`) to eject failing pods, and `connectionPool` (`tcp.maxConnections`, `http.http1MaxPendingRequests`) to limit connections, both under `trafficPolicy`",
        )),
        ("HorizontalPodAutoscaler", "targetCPUUtilizationPercentage") => Some((
            "this field is of autoscaling/v1",
            "write a `metrics` entry: `{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}`",
        )),
        ("Ingress", "serviceName" | "servicePort") => Some((
            "this field is of networking.k8s.io/v1beta1, which is served no more",
            "write `service: {name: …, port: {number: …}}` under `backend`",
        )),
        _ => None,
    }
}

fn named(known: &[&str]) -> String {
    let told: Vec<&str> = known
        .iter()
        .copied()
        .filter(|name| !matches!(*name, "apiVersion" | "kind" | "metadata" | "status"))
        .collect();
    match told.as_slice() {
        [] => "leave it out: there are no fields here".to_owned(),
        [only] => format!("the only field here is `{only}`"),
        several if several.len() <= MOST_NAMED => {
            format!("the fields here are {}", listed(several))
        }
        several => {
            let some = several.get(..MOST_NAMED).unwrap_or_default();
            let more = several.len() - some.len();
            format!("the fields here are {}, and {more} more", listed(some))
        }
    }
}

/// The place with such a field that lies nearest to `here`; none when nothing says which is meant.
fn place_of(field: &str, whole: &Shape, shapes: &Shapes, here: &str) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut queue = VecDeque::from([(String::new(), whole, 0)]);
    let mut looked = 0;
    while let Some((place, shape, depth)) = queue.pop_front() {
        looked += 1;
        if looked > MOST_PLACES || depth > MOST_DEPTH {
            break;
        }
        // A type that holds itself is entered once on each way.
        if let Shape::Named(name) = shape
            && !seen.insert(format!("{place} {name}"))
        {
            continue;
        }
        match shapes.resolve(shape) {
            // Under keys of the user's choice there is no field to be found.
            Shape::Any | Shape::Value(_) | Shape::Named(_) | Shape::Map(_) => {}
            Shape::List(inner) => queue.push_back((format!("{place}[]"), inner, depth)),
            Shape::Fields(fields) => {
                if fields.contains_key(field) {
                    let distance = distance(&place, here);
                    if best.as_ref().is_none_or(|(least, _)| distance < *least) {
                        best = Some((distance, place.clone()));
                    }
                }
                for (name, inner) in fields {
                    let inner_place = if place.is_empty() {
                        name.clone()
                    } else {
                        format!("{place}.{name}")
                    };
                    queue.push_back((inner_place, inner, depth + 1));
                }
            }
        }
    }
    // Far away it is a field of the same name, and not the same field.
    best.filter(|(distance, _)| *distance <= 3)
        .map(|(_, place)| place)
}

/// How many fields lie between two places of one object.
fn distance(one: &str, other: &str) -> usize {
    let parts = |path: &str| -> Vec<String> {
        path.split('.')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (one, other) = (parts(one), parts(other));
    let same = one
        .iter()
        .zip(&other)
        .take_while(|(one, other)| one == other)
        .count();
    one.len() + other.len() - 2 * same
}
