//! Suspending the self-heal of a `GitOps` tool, and resuming it: pure functions over the JSON of its object.
//!
//! The mark on the object remembers what was there, so that it can be put back without a journal. Of Argo CD only the
//! self-heal is switched off: a new commit is synchronised as before, which is how Git shows the good version.

use serde_json::{Value, json};

use crate::change::{ObjectRef, annotation_of, pointer_token};
use crate::ids::PlanId;
use crate::target::{OwnerKind, OwnerObject};

/// On the object of a `GitOps` tool: the plan that suspended it.
pub const SUSPENDED_ANNOTATION: &str = "recant.dev/suspended";
/// Where Argo CD runs, unless its Applications say otherwise.
pub const ARGO_CD_NAMESPACE: &str = "argocd";

/// What is to be done to the object as it was read.
#[derive(Debug, Clone, PartialEq)]
pub enum SyncEdit {
    /// A JSON patch with the lock of the read.
    Write(Value),
    /// Nothing would revert anything, or somebody has done it.
    Nothing,
    /// This very plan did it before.
    Done,
    Refused {
        reason: String,
    },
}

/// The object in the words of the API server.
pub fn object_ref(owner: &OwnerObject) -> ObjectRef {
    let api_version = match owner.kind {
        OwnerKind::Application => "argoproj.io/v1alpha1",
        OwnerKind::Kustomization => "kustomize.toolkit.fluxcd.io/v1",
        OwnerKind::HelmRelease => "helm.toolkit.fluxcd.io/v2",
    };
    ObjectRef {
        api_version: api_version.to_owned(),
        kind: owner.kind.to_string(),
        namespace: owner
            .namespace
            .clone()
            .unwrap_or_else(|| ARGO_CD_NAMESPACE.to_owned()),
        name: owner.name.clone(),
    }
}

/// Switches off what would revert a rollback.
pub fn suspend(kind: OwnerKind, plan: &PlanId, object: &Value) -> SyncEdit {
    match annotation_of(object, SUSPENDED_ANNOTATION) {
        Some(mark) if mark == plan.as_str() => return SyncEdit::Done,
        Some(_) => return SyncEdit::Nothing,
        None => {}
    }
    let switch = match kind {
        OwnerKind::Application => {
            if let Some(set) = application_set(object) {
                let reason = format!(
                    "ApplicationSet `{set}` writes the Application and would switch its self-heal on again: \
                     take the release back in Git"
                );
                return SyncEdit::Refused { reason };
            }
            if object.pointer(SELF_HEAL) != Some(&Value::Bool(true)) {
                return SyncEdit::Nothing;
            }
            json!({"op": "replace", "path": SELF_HEAL, "value": false})
        }
        OwnerKind::Kustomization | OwnerKind::HelmRelease => {
            if object.pointer(SUSPEND) == Some(&Value::Bool(true)) {
                return SyncEdit::Nothing;
            }
            json!({"op": "add", "path": SUSPEND, "value": true})
        }
    };
    let mark = if object.pointer("/metadata/annotations").is_some() {
        json!({"op": "add", "path": mark_path(), "value": plan.0})
    } else {
        json!({"op": "add", "path": "/metadata/annotations", "value": {SUSPENDED_ANNOTATION: plan.0}})
    };
    SyncEdit::Write(json!([lock(object), mark, switch]))
}

/// Puts back what was there; what somebody has put back already stays as it is. `plan`: only what that one suspended.
pub fn resume(kind: OwnerKind, plan: Option<&PlanId>, object: &Value) -> SyncEdit {
    let Some(mark) = annotation_of(object, SUSPENDED_ANNOTATION) else {
        return SyncEdit::Nothing;
    };
    if plan.is_some_and(|plan| plan.as_str() != mark) {
        return SyncEdit::Nothing;
    }
    let mut operations = vec![lock(object), json!({"op": "remove", "path": mark_path()})];
    match kind {
        OwnerKind::Application if object.pointer(SELF_HEAL) == Some(&Value::Bool(false)) => {
            operations.push(json!({"op": "replace", "path": SELF_HEAL, "value": true}));
        }
        OwnerKind::Kustomization | OwnerKind::HelmRelease
            if object.pointer(SUSPEND) == Some(&Value::Bool(true)) =>
        {
            operations.push(json!({"op": "remove", "path": SUSPEND}));
        }
        OwnerKind::Application | OwnerKind::Kustomization | OwnerKind::HelmRelease => {}
    }
    SyncEdit::Write(Value::Array(operations))
}

const SELF_HEAL: &str = "/spec/syncPolicy/automated/selfHeal";
const SUSPEND: &str = "/spec/suspend";

fn mark_path() -> String {
    format!(
        "/metadata/annotations/{}",
        pointer_token(SUSPENDED_ANNOTATION)
    )
}

fn lock(object: &Value) -> Value {
    let version = object.pointer("/metadata/resourceVersion");
    json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version})
}

fn application_set(object: &Value) -> Option<&str> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    let set = owners
        .iter()
        .find(|owner| owner.get("kind").and_then(Value::as_str) == Some("ApplicationSet"))?;
    set.get("name")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(spec: &Value) -> Value {
        json!({"metadata": {"name": "shop", "resourceVersion": "7"}, "spec": spec})
    }

    /// What the API server makes of a patch.
    fn written(sync: SyncEdit, mut object: Value) -> Value {
        let SyncEdit::Write(patch) = sync else {
            panic!("nothing is written: {sync:?}");
        };
        for operation in patch.as_array().expect("a list") {
            let path = operation["path"].as_str().expect("a path");
            let (parent, last) = path.rsplit_once('/').expect("a pointer");
            let last = last.replace("~1", "/");
            let parent = object.pointer_mut(parent).expect("it is there");
            let map = parent.as_object_mut().expect("an object");
            match operation["op"].as_str() {
                Some("remove") => drop(map.remove(&last).expect("it was there")),
                _ => drop(map.insert(last, operation["value"].clone())),
            }
        }
        object
    }

    #[test]
    fn what_is_suspended_is_put_back_as_it_was_and_each_once() {
        let plan = PlanId("p1".to_owned());
        let argo =
            application(&json!({"syncPolicy": {"automated": {"prune": true, "selfHeal": true}}}));
        let flux = application(&json!({"interval": "5m"}));
        for (kind, object, suspended) in [
            (
                OwnerKind::Application,
                &argo,
                json!({"syncPolicy": {"automated": {"prune": true, "selfHeal": false}}}),
            ),
            (
                OwnerKind::Kustomization,
                &flux,
                json!({"interval": "5m", "suspend": true}),
            ),
            (
                OwnerKind::HelmRelease,
                &flux,
                json!({"interval": "5m", "suspend": true}),
            ),
        ] {
            let after = written(suspend(kind, &plan, object), object.clone());
            assert_eq!(after["spec"], suspended);
            assert_eq!(suspend(kind, &plan, &after), SyncEdit::Done, "once");
            assert_eq!(
                resume(kind, Some(&PlanId("p2".to_owned())), &after),
                SyncEdit::Nothing
            );
            let back = written(resume(kind, Some(&plan), &after), after);
            assert_eq!(back["spec"], object["spec"]);
            assert_eq!(resume(kind, None, &back), SyncEdit::Nothing, "once");
        }
    }

    #[test]
    fn what_somebody_did_is_left_as_it_is() {
        let plan = PlanId("p1".to_owned());
        let manual = application(&json!({"syncPolicy": {"automated": {"selfHeal": false}}}));
        assert_eq!(
            suspend(OwnerKind::Application, &plan, &manual),
            SyncEdit::Nothing
        );
        assert_eq!(
            suspend(OwnerKind::Application, &plan, &application(&json!({}))),
            SyncEdit::Nothing
        );
        let held = application(&json!({"suspend": true}));
        assert_eq!(
            suspend(OwnerKind::Kustomization, &plan, &held),
            SyncEdit::Nothing
        );
        // Somebody resumed it meanwhile: only our mark goes.
        let mut resumed = application(&json!({"interval": "5m"}));
        resumed["metadata"]["annotations"] = json!({SUSPENDED_ANNOTATION: "p1"});
        let back = written(
            resume(OwnerKind::Kustomization, Some(&plan), &resumed),
            resumed,
        );
        assert_eq!(back["spec"], json!({"interval": "5m"}));
        assert_eq!(back["metadata"]["annotations"], json!({}));
    }

    #[test]
    fn an_application_of_a_set_is_refused_with_the_reason() {
        let mut of_set = application(&json!({"syncPolicy": {"automated": {"selfHeal": true}}}));
        of_set["metadata"]["ownerReferences"] =
            json!([{"kind": "ApplicationSet", "name": "shops"}]);
        let refused = suspend(OwnerKind::Application, &PlanId("p1".to_owned()), &of_set);
        assert!(
            matches!(&refused, SyncEdit::Refused { reason } if reason.contains("`shops`")),
            "{refused:?}"
        );
    }
}
