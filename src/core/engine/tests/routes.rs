//! An object that splits traffic in the scripted world: what the cluster shows of it, and what is written to it.

use serde_json::{Value, json};

use crate::change::{Change, ObjectRef, ObjectState};
use crate::ids::PlanId;
use crate::plan::{Admission, StepResult};
use crate::traffic::{Route, RouteKind};

/// Somebody else's hand, just before a write.
pub(super) type Meanwhile = fn(&mut Value);

#[derive(Default)]
pub(super) struct Routes {
    /// `None`: there is no such object.
    pub(super) object: Option<Value>,
    /// The share of the canary after each write.
    pub(super) writes: Vec<u64>,
    pub(super) meanwhile: Option<Meanwhile>,
    /// No pod behind what would get traffic is ready.
    pub(super) empty: bool,
    pub(super) killed: bool,
    version: u64,
}

pub(super) fn route() -> Route {
    Route {
        namespace: "shop".to_owned(),
        kind: RouteKind::HttpRoute,
        name: "checkout".to_owned(),
        rule: None,
        canary: Some("checkout-canary".to_owned()),
        stable: None,
    }
}

pub(super) fn object(canary: u32) -> Value {
    json!({
        "metadata": {"name": "checkout", "namespace": "shop", "uid": "route-1", "resourceVersion": "1"},
        "spec": {"rules": [{"backendRefs": [
            {"name": "checkout-stable", "port": 80, "weight": 100 - canary},
            {"name": "checkout-canary", "port": 80, "weight": canary},
        ]}]},
    })
}

/// Another hand sets the canary's share.
pub(super) fn set(object: &mut Value, canary: u32) {
    let refs = &mut object["spec"]["rules"][0]["backendRefs"];
    refs[0]["weight"] = json!(100 - canary);
    refs[1]["weight"] = json!(canary);
}

impl Routes {
    /// The canary's share in percent; everything goes to it where nothing splits.
    pub(super) fn canary(&self) -> u64 {
        let weight =
            |object: &Value| object["spec"]["rules"][0]["backendRefs"][1]["weight"].as_u64();
        self.object
            .as_ref()
            .map_or(100, |object| weight(object).expect("it has a weight"))
    }

    pub(super) fn look(&self, of: &ObjectRef) -> Option<ObjectState> {
        let object = self.object.clone()?;
        Some(ObjectState::new(of, object, self.killed))
    }

    pub(super) fn carry_out(&mut self, plan: &PlanId, index: usize, change: &Change) -> StepResult {
        if let (Some(object), Some(meanwhile)) = (&mut self.object, self.meanwhile.take()) {
            meanwhile(object);
        }
        let fresh = self.look(&change.object);
        match change.admit(plan, index, fresh.as_ref()) {
            Admission::AlreadyDone => return StepResult::AlreadyDone,
            Admission::NotYet { reason } | Admission::Fenced { reason } => {
                return StepResult::Fenced { reason };
            }
            Admission::Write => {}
        }
        if self.empty {
            let reason = "no pod behind it is ready".to_owned();
            return StepResult::Fenced { reason };
        }
        let object = self.object.as_mut().expect("it was admitted");
        let patch = change.patch(plan, index, object).expect("it is possible");
        for operation in patch.as_array().expect("a list") {
            apply(object, operation);
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.writes.push(self.canary());
        StepResult::Done
    }
}

/// What the API server does with `add` and `replace`.
fn apply(object: &mut Value, operation: &Value) {
    let path = operation["path"].as_str().expect("a path");
    let (parent, last) = path.rsplit_once('/').expect("has parts");
    let last = last.replace("~1", "/").replace("~0", "~");
    let parent = object.pointer_mut(parent).expect("is there");
    parent[last.as_str()] = operation["value"].clone();
}
