//! Objects that are changed: what the cluster shows of them, and what is written to them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::change::tests::patched;
use crate::change::{Change, ObjectRef, ObjectState};
use crate::engine::ObjectAnswer;
use crate::plan::{Admission, StepCommand, StepResult};
use crate::webhook::WebhookCall;

#[derive(Default)]
pub(super) struct Objects {
    pub(super) all: BTreeMap<ObjectRef, Value>,
    pub(super) looks: Vec<ObjectRef>,
    /// In words, in their order.
    pub(super) writes: Vec<String>,
    /// What was said to somebody outside.
    pub(super) calls: Vec<Value>,
    /// They cannot be read.
    pub(super) unreadable: bool,
    /// Evidence cannot be kept.
    pub(super) unkept: bool,
}

pub(super) fn api() -> ObjectRef {
    ObjectRef {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: "shop".into(),
        name: "api".into(),
    }
}

impl Objects {
    /// A Deployment with one container.
    pub(super) fn with_api() -> Self {
        let object = json!({
            "kind": "Deployment",
            "metadata": {"uid": "api-1", "resourceVersion": "1"},
            "spec": {"template": {"spec": {"containers": [{"name": "app"}]}}},
        });
        Self {
            all: BTreeMap::from([(api(), object)]),
            ..Self::default()
        }
    }

    /// The environment of the one container.
    pub(super) fn environment(&self) -> Value {
        let env = self.all[&api()].pointer("/spec/template/spec/containers/0/env");
        env.cloned().unwrap_or_else(|| json!([]))
    }

    pub(super) fn seen(&mut self) -> Vec<ObjectAnswer> {
        let looks = std::mem::take(&mut self.looks);
        let see = |object: ObjectRef| ObjectAnswer {
            state: if self.unreadable {
                Err("the API server did not answer".to_owned())
            } else {
                Ok(self.state(&object))
            },
            object,
        };
        looks.into_iter().map(see).collect()
    }

    fn state(&self, object: &ObjectRef) -> Option<ObjectState> {
        let found = self.all.get(object)?.clone();
        Some(ObjectState::new(object, found, false))
    }

    pub(super) fn keep(&mut self, evidence: &crate::evidence::KeepEvidence) -> StepResult {
        if self.unkept {
            return StepResult::Refused {
                reason: "not allowed to create configmaps".to_owned(),
            };
        }
        self.writes.push(evidence.in_words());
        StepResult::Kept {
            place: evidence.into.to_string(),
            sha256: "ab12".to_owned(),
        }
    }

    pub(super) fn call(&mut self, command: &StepCommand, call: &WebhookCall) -> StepResult {
        let key = WebhookCall::key(&command.plan, command.index);
        self.calls.push(call.body(&key, command.again));
        StepResult::Called {
            status: 200,
            repeated: command.again,
        }
    }

    pub(super) fn carry_out(&mut self, command: &StepCommand, change: &Change) -> StepResult {
        let fresh = self.state(&change.object);
        match change.admit(&command.plan, command.index, fresh.as_ref()) {
            Admission::AlreadyDone => return StepResult::AlreadyDone,
            Admission::NotYet { reason } | Admission::Fenced { reason } => {
                return StepResult::Fenced { reason };
            }
            Admission::Write => {}
        }
        let fresh = fresh.expect("it was admitted").object;
        let patch = change.patch(&command.plan, command.index, &fresh);
        let written = patched(&fresh, &patch.expect("it was admitted"));
        self.all.insert(change.object.clone(), written);
        self.writes.push(change.in_words());
        StepResult::Done
    }
}
