//! Where a route splits its traffic: the one list of weighted backends that holds the canary.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::weights::WeightsOf;
use super::{Route, RouteKind};
use crate::wording::listed;

/// Names of others in a message, at most.
const MOST_NAMED: usize = 8;

/// What stands behind a backend: pods are found by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backing {
    /// The Service.
    pub service: String,
    /// Of which namespace; `None`: that of the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The subset of Istio, whose labels a `DestinationRule` of that host says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
}

impl Backing {
    /// A Service of the route's own namespace.
    pub fn service(name: &str) -> Self {
        Self {
            service: name.to_owned(),
            namespace: None,
            subset: None,
        }
    }
}

/// The split that a route is about.
#[derive(Debug)]
pub(super) struct Found {
    /// JSON pointers to the two backends.
    pub(super) canary_at: String,
    pub(super) stable_at: String,
    pub(super) canary: Backing,
    pub(super) stable: Backing,
    pub(super) weights: WeightsOf,
    /// There are no others in that list.
    pub(super) alone: bool,
}

/// One list of backends.
struct Place {
    pointer: String,
    name: Option<String>,
    /// Counted from 1.
    number: usize,
    /// Only for requests that a condition selects.
    conditional: bool,
    backends: Vec<Backend>,
}

struct Backend {
    at: String,
    /// As it is written: a host may have dots.
    host: String,
    backing: Backing,
    weight: u32,
}

impl Backend {
    /// The names by which people may mean it.
    fn is(&self, name: &str) -> bool {
        let Backing {
            service,
            namespace: _,
            subset,
        } = &self.backing;
        match subset {
            None => service == name || self.host == name,
            Some(subset) => {
                subset == name
                    || service == name
                    || self.host == name
                    || name
                        .split_once('/')
                        .is_some_and(|(host, part)| host == service && part == subset)
            }
        }
    }

    fn in_words(&self) -> String {
        match &self.backing.subset {
            Some(subset) => format!("`{}/{subset}`", self.backing.service),
            None => format!("`{}`", self.backing.service),
        }
    }
}

impl Place {
    fn in_words(&self) -> String {
        match &self.name {
            Some(name) => format!("`{name}`"),
            None => format!("number {}", self.number),
        }
    }

    fn is(&self, rule: &str) -> bool {
        self.name.as_deref() == Some(rule) || rule.parse() == Ok(self.number)
    }
}

/// Finds the split of a route on its object.
pub(super) fn find(route: &Route, object: &Value) -> Result<Found, String> {
    let Some(canary) = route.canary.as_deref() else {
        return Err(format!("{route} names no `canary` among its backends"));
    };
    let places = places(route, object)?;
    let place = choose(route, canary, &places)?;
    let one = |name: &str| one(route, place, name);
    let canary = one(canary)?;
    let stable = if let Some(name) = route.stable.as_deref() {
        one(name)?
    } else {
        let mut others = place.backends.iter().filter(|other| other.at != canary.at);
        let (Some(other), None) = (others.next(), others.next()) else {
            return Err(format!(
                "rule {} of {route} has {} backends: say with `stable` which one gets the rest",
                place.in_words(),
                place.backends.len()
            ));
        };
        other
    };
    if canary.at == stable.at {
        return Err(format!(
            "`canary` and `stable` are the same backend of {route}"
        ));
    }
    Ok(Found {
        canary_at: format!("{}/{}", place.pointer, canary.at),
        stable_at: format!("{}/{}", place.pointer, stable.at),
        canary: canary.backing.clone(),
        stable: stable.backing.clone(),
        weights: WeightsOf {
            canary: canary.weight,
            stable: stable.weight,
        },
        alone: place.backends.len() == 2,
    })
}

fn choose<'p>(route: &Route, canary: &str, places: &'p [Place]) -> Result<&'p Place, String> {
    let splits = || places.iter().filter(|place| place.backends.len() > 1);
    if let Some(rule) = route.rule.as_deref() {
        let Some(place) = places.iter().find(|place| place.is(rule)) else {
            return Err(format!(
                "{route} has no rule `{rule}`; it has {}",
                named(places.iter().map(Place::in_words))
            ));
        };
        if place.backends.len() < 2 {
            return Err(format!(
                "rule `{rule}` of {route} splits no traffic: it has no second backend"
            ));
        }
        return Ok(place);
    }
    if splits().next().is_none() {
        return Err(format!(
            "{route} splits no traffic: no rule of it has a second backend"
        ));
    }
    let with: Vec<&Place> = splits()
        .filter(|place| place.backends.iter().any(|backend| backend.is(canary)))
        .collect();
    let plain: Vec<&Place> = with
        .iter()
        .copied()
        .filter(|place| !place.conditional)
        .collect();
    match (with.as_slice(), plain.as_slice()) {
        ([], _) => {
            let backends = splits().flat_map(|place| place.backends.iter().map(Backend::in_words));
            Err(format!(
                "`{canary}` is no backend between which {route} splits traffic; these are {}",
                named(backends)
            ))
        }
        // Conditions single requests out, such as those of testers: they stay as they are.
        ([only], _) | (_, [only]) => Ok(*only),
        _ => Err(format!(
            "{route} splits traffic with `{canary}` in more than one rule ({}): say with `rule` which one",
            named(with.iter().map(|place| place.in_words()))
        )),
    }
}

fn one<'p>(route: &Route, place: &'p Place, name: &str) -> Result<&'p Backend, String> {
    let mut found = place.backends.iter().filter(|backend| backend.is(name));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(format!(
            "`{name}` is no backend of rule {} of {route}; these are {}",
            place.in_words(),
            named(place.backends.iter().map(Backend::in_words))
        )),
        (Some(_), Some(_)) => Err(format!(
            "`{name}` means more than one backend of rule {} of {route}: {}",
            place.in_words(),
            named(place.backends.iter().map(Backend::in_words))
        )),
    }
}

fn named(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    let more = names.len().saturating_sub(MOST_NAMED);
    names.truncate(MOST_NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    if names.is_empty() {
        return "none".to_owned();
    }
    listed(&names)
}

/// Every list of backends of the object.
fn places(route: &Route, object: &Value) -> Result<Vec<Place>, String> {
    let (rules, list) = match route.kind {
        RouteKind::Ingress => return Ok(Vec::new()),
        RouteKind::HttpRoute | RouteKind::GrpcRoute => ("rules", "backendRefs"),
        RouteKind::VirtualService => ("http", "route"),
    };
    let all = object
        .get("spec")
        .and_then(|spec| spec.get(rules))
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut places = Vec::with_capacity(all.len());
    for (index, rule) in all.iter().enumerate() {
        let refs = rule.get(list).and_then(Value::as_array);
        let refs = refs.map_or(&[][..], Vec::as_slice);
        let mut backends = Vec::with_capacity(refs.len());
        for (at, backend) in refs.iter().enumerate() {
            backends.push(read(route, at, backend)?);
        }
        places.push(Place {
            pointer: format!("/spec/{rules}/{index}/{list}"),
            name: text(rule, "name"),
            number: index + 1,
            conditional: conditional(route.kind, rule),
            backends,
        });
    }
    Ok(places)
}

fn read(route: &Route, at: usize, backend: &Value) -> Result<Backend, String> {
    let (host, backing, default) = match route.kind {
        RouteKind::HttpRoute | RouteKind::GrpcRoute | RouteKind::Ingress => {
            let backing = Backing {
                service: text(backend, "name").unwrap_or_default(),
                namespace: text(backend, "namespace"),
                subset: None,
            };
            // Gateway API: "If unspecified, weight defaults to 1".
            (backing.service.clone(), backing, 1)
        }
        RouteKind::VirtualService => {
            let destination = backend.get("destination").unwrap_or(&Value::Null);
            let host = text(destination, "host").unwrap_or_default();
            // A short name, or `name.namespace.svc.cluster.local`.
            let mut parts = host.split('.');
            let backing = Backing {
                service: parts.next().unwrap_or_default().to_owned(),
                namespace: parts.next().map(ToOwned::to_owned),
                subset: text(destination, "subset"),
            };
            (host, backing, 0)
        }
    };
    let weight = match backend.get("weight") {
        None | Some(Value::Null) => default,
        Some(weight) => weight
            .as_u64()
            .and_then(|weight| u32::try_from(weight).ok())
            .ok_or_else(|| format!("a weight of {route} is no number that can be used"))?,
    };
    Ok(Backend {
        at: at.to_string(),
        host,
        backing,
        weight,
    })
}

/// Whether a rule is only for some requests. A path alone is how routes are usually written.
fn conditional(kind: RouteKind, rule: &Value) -> bool {
    let (list, plain): (_, &[&str]) = match kind {
        RouteKind::HttpRoute => ("matches", &["path"]),
        RouteKind::GrpcRoute => ("matches", &["method"]),
        RouteKind::VirtualService => ("match", &["uri", "name", "port", "authority", "gateways"]),
        RouteKind::Ingress => return false,
    };
    let matches = rule.get(list).and_then(Value::as_array);
    matches.is_some_and(|matches| {
        matches
            .iter()
            .filter_map(Value::as_object)
            .any(|one| one.keys().any(|key| !plain.contains(&key.as_str())))
    })
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(ToOwned::to_owned)
}
