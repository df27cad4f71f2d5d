//! Where traffic goes: the objects that split it (canary Ingress, `HTTPRoute`, `GRPCRoute`, `VirtualService`) or point at
//! one colour (the selector of a Service, the backend of an Ingress), and the edits that change that.
//!
//! All of it are pure functions over an object's JSON. A place is found again by its names at every look, never by a
//! remembered index: who reorders rules between a decision and its write is not in the way of it.

mod backend;
mod canary_weight;
mod owner;
mod places;
mod selector;
mod weights;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use backend::IngressBackend;
pub use canary_weight::CanaryWeight;
pub use owner::managed_by;
pub use places::Backing;
pub use selector::{Selector, matches};
pub use weights::{Weights, WeightsOf};

/// One backend of an object that splits traffic, whose share is set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    pub namespace: String,
    pub kind: RouteKind,
    pub name: String,
    /// The rule that splits traffic, by its name, or its number counted from 1; `None`: the only one with that backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The backend; `None`: that of a canary Ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
    /// What gets the rest; `None`: the only other one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<String>,
}

/// Kinds of object that split traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RouteKind {
    /// A canary Ingress of ingress-nginx.
    Ingress,
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
    #[serde(rename = "GRPCRoute")]
    GrpcRoute,
    /// Of Istio.
    VirtualService,
}

/// How a share is set on an object that was read just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shift {
    Weights(Weights),
    CanaryWeight(CanaryWeight),
    /// The backend has that share already.
    Nothing,
}

/// What an object shows of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// What was there when it was decided.
    Before,
    /// What the edit sets.
    After,
    /// Something else: what, for people.
    Other(String),
}

impl RouteKind {
    pub const ALL: [Self; 4] = [
        Self::Ingress,
        Self::HttpRoute,
        Self::GrpcRoute,
        Self::VirtualService,
    ];

    /// As Kubernetes spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::HttpRoute => "HTTPRoute",
            Self::GrpcRoute => "GRPCRoute",
            Self::VirtualService => "VirtualService",
        }
    }

    /// The group and version that it is read and written by: `istio-canary.yaml` says v1alpha3, and the server converts.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Ingress => "networking.k8s.io/v1",
            Self::HttpRoute | Self::GrpcRoute => "gateway.networking.k8s.io/v1",
            Self::VirtualService => "networking.istio.io/v1",
        }
    }
}

impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl Route {
    /// The backend, for people.
    pub fn backend(&self) -> String {
        match &self.canary {
            Some(canary) => format!("`{canary}`"),
            None => "the canary".to_owned(),
        }
    }

    /// How the backend gets `percent` (0 to 100) of the traffic.
    ///
    /// # Errors
    /// Why it cannot be decided: a sentence without a full stop.
    pub fn shift(&self, percent: u32, object: &Value) -> Result<Shift, String> {
        if let Some(owner) = managed_by(object) {
            return Err(format!(
                "{self} belongs to {owner}, which sets its weights and would set them back"
            ));
        }
        let percent = percent.min(100);
        match self.kind {
            RouteKind::Ingress => {
                let now = canary_weight::read(object)?;
                canary_weight::serves(object, self.canary.as_deref())?;
                let to = now.of_percent(percent)?;
                Ok(if now.weight == Some(to) {
                    Shift::Nothing
                } else {
                    Shift::CanaryWeight(CanaryWeight {
                        from: now.weight,
                        to,
                    })
                })
            }
            RouteKind::HttpRoute | RouteKind::GrpcRoute | RouteKind::VirtualService => {
                let found = places::find(self, object)?;
                let (from, to) = (found.weights, found.weights_of(percent)?);
                Ok(if from == to {
                    Shift::Nothing
                } else {
                    Shift::Weights(Weights {
                        route: self.clone(),
                        from,
                        to,
                    })
                })
            }
        }
    }

    /// The share that the backend has now, in percent.
    ///
    /// # Errors
    /// Why that cannot be said: a sentence without a full stop.
    pub fn percent(&self, object: &Value) -> Result<f64, String> {
        match self.kind {
            RouteKind::Ingress => Ok(canary_weight::read(object)?.percent()),
            RouteKind::HttpRoute | RouteKind::GrpcRoute | RouteKind::VirtualService => {
                let of = places::find(self, object)?.weights;
                let sum = u64::from(of.canary) + u64::from(of.stable);
                if sum == 0 {
                    return Ok(0.0);
                }
                Ok(f64::from(of.canary) * 100.0 / sum as f64)
            }
        }
    }

    /// What stands behind the canary and behind what gets the rest (a canary Ingress does not name that).
    ///
    /// # Errors
    /// As [`Self::percent`].
    pub fn backing(&self, object: &Value) -> Result<(Backing, Option<Backing>), String> {
        match self.kind {
            RouteKind::Ingress => {
                let service = canary_weight::serves(object, self.canary.as_deref())?;
                Ok((Backing::service(service), None))
            }
            RouteKind::HttpRoute | RouteKind::GrpcRoute | RouteKind::VirtualService => {
                let found = places::find(self, object)?;
                Ok((found.canary, Some(found.stable)))
            }
        }
    }
}

/// An annotation of an object.
fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object
        .get("metadata")?
        .get("annotations")?
        .get(key)?
        .as_str()
}

/// A name as one part of a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
