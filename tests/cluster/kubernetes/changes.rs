//! Changes of objects on the real API server: written once under a mark, taken back, and held back by their fences.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace as Object};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use recant::cluster::{Cluster as _, ClusterError};
use recant_core::change::{Annotation, Apply, Change, Edit, Environment, ObjectRef, ObjectState};
use recant_core::ids::TargetKind;
use recant_core::plan::{Action, StepCommand, StepResult};
use serde_json::{Value, json};

use super::{Watched, agent, reason, target};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;

struct Objects {
    ns: Namespace,
    admin: Client,
    watched: Watched,
}

impl Objects {
    async fn of(name: &str) -> Self {
        let bed = Bed::get().await;
        let ns = bed.namespace(name).await;
        ns.apply(&manifests::deployment("checkout", "v1", 1)).await;
        let watched = Watched::start(agent(bed, &ns).await, target(&ns, TargetKind::Deployment));
        let admin = ns.api::<Deployment>().into_client();
        Self { ns, admin, watched }
    }

    fn named(&self, api_version: &str, kind: &str, name: &str) -> ObjectRef {
        ObjectRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: self.ns.name().to_owned(),
            name: name.to_owned(),
        }
    }

    fn deployment(&self) -> ObjectRef {
        self.named("apps/v1", "Deployment", "checkout")
    }

    async fn read(&self, named: &ObjectRef) -> Option<ObjectState> {
        let read = self.watched.cluster.object(named).await;
        read.unwrap_or_else(|error| panic!("{error}"))
    }

    /// What sets a variable, decided from what is there now.
    async fn maintenance(&self) -> Change {
        let object = self.deployment();
        let state = self.read(&object).await.expect("it is there");
        let edit = Environment::decide(&state.object, None, "MAINTENANCE_MODE", "true");
        let edit = edit.expect("possible").expect("a change");
        Change {
            uid: state.uid().to_owned(),
            object,
            edit,
        }
    }

    async fn execute(&self, plan: &str, change: &Change) -> StepResult {
        self.watched.execute_settled(&command(plan, change)).await
    }

    async fn patch(&self, patch: &Value) {
        let api = self.ns.api::<Deployment>();
        let patch = Patch::Merge(patch);
        api.patch("checkout", &PatchParams::default(), &patch)
            .await
            .expect("patched");
    }

    /// The environment of the one container.
    async fn environment(&self) -> Value {
        let state = self.read(&self.deployment()).await.expect("it is there");
        let env = state.object.pointer("/spec/template/spec/containers/0/env");
        env.cloned().unwrap_or_default()
    }
}

fn command(plan: &str, change: &Change) -> StepCommand {
    StepCommand {
        plan: plan.into(),
        index: 0,
        action: Action::Change(Box::new(change.clone())),
        deadline: jiff::Timestamp::now() + std::time::Duration::from_mins(1),
        again: false,
    }
}

#[test]
fn a_variable_is_written_once_under_a_mark_and_taken_back_to_the_same_revision() {
    run(async {
        let objects = Objects::of("change").await;
        let before = objects.environment().await;
        let up = objects.maintenance().await;
        assert_eq!(objects.execute("p1", &up).await, StepResult::Done);
        // At once, as after a crash between the write and the record of it.
        assert_eq!(objects.execute("p1", &up).await, StepResult::AlreadyDone);
        let with = objects.environment().await;
        let ours = json!({"name": "MAINTENANCE_MODE", "value": "true"});
        assert!(with.as_array().expect("a list").contains(&ours), "{with}");
        let object: Deployment = objects.ns.api().get("checkout").await.expect("there");
        let metadata = object.metadata;
        assert_eq!(
            metadata.annotations.expect("some")["recant.dev/change"],
            "p1/0"
        );
        let managers = metadata.managed_fields.expect("managed fields");
        let ours = |manager: &Option<String>| manager.as_deref() == Some("recant");
        assert!(managers.iter().any(|entry| ours(&entry.manager)));

        // Another plan does not take that for its own.
        let held = reason(objects.execute("p2", &up).await);
        assert!(held.contains("somebody else did it meanwhile"), "{held}");
        assert_eq!(
            objects.execute("p1-undo", &up.undo()).await,
            StepResult::Done
        );
        assert_eq!(objects.environment().await, before);
    });
}

#[test]
fn a_change_is_held_back_when_the_object_is_not_what_was_decided_about() {
    run(async {
        let objects = Objects::of("change-held").await;
        let up = objects.maintenance().await;
        for (patch, says) in [
            (
                json!({"metadata": {"annotations": {"recant.dev/kill-switch": "on"}}}),
                "kill switch is on: annotation `recant.dev/kill-switch` of Deployment",
            ),
            (
                json!({"spec": {"paused": true}}),
                "it was paused by somebody",
            ),
        ] {
            objects.patch(&patch).await;
            let held = reason(objects.execute("p1", &up).await);
            assert!(held.contains(says), "{held}");
            objects
                .patch(&json!({
                    "metadata": {"annotations": {"recant.dev/kill-switch": null}},
                    "spec": {"paused": false},
                }))
                .await;
        }
        let namespaces: Api<Object> = Api::all(objects.admin.clone());
        let name = objects.ns.name();
        for (value, says) in [
            (json!("true"), Some(format!("of namespace {name}"))),
            (Value::Null, None),
        ] {
            let patch = json!({"metadata": {"annotations": {"recant.dev/kill-switch": value}}});
            namespaces
                .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
                .await
                .expect("patched");
            if let Some(says) = says {
                let held = reason(objects.execute("p1", &up).await);
                assert!(held.contains(&says), "{held}");
            }
        }
        let another = Change {
            uid: "another".into(),
            ..up.clone()
        };
        let held = reason(objects.execute("p1", &another).await);
        assert!(held.contains("was deleted and created again"), "{held}");
        assert_eq!(
            objects.environment().await,
            Value::Null,
            "nothing was written"
        );
        assert_eq!(objects.execute("p1", &up).await, StepResult::Done);
    });
}

#[test]
fn a_manifest_is_applied_once_and_takes_nothing_over_from_others() {
    run(async {
        let mut objects = Objects::of("apply").await;
        objects.watched = Watched::start(
            objects.admin.clone(),
            target(&objects.ns, TargetKind::Deployment),
        );
        let object = objects.named("v1", "ConfigMap", "mode");
        let apply = |uid: Option<String>, mode: &str| Apply {
            from: None,
            applied: object.clone(),
            uid,
            manifest: json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mode"},
                "data": {"mode": mode},
            }),
        };
        let command = |plan: &str, apply: &Apply| StepCommand {
            plan: plan.into(),
            index: 0,
            action: Action::Apply(Box::new(apply.clone())),
            deadline: jiff::Timestamp::now() + std::time::Duration::from_mins(1),
            again: false,
        };
        let make = command("p1", &apply(None, "safe"));
        assert_eq!(objects.watched.execute(&make).await, StepResult::Done);
        assert_eq!(
            objects.watched.execute(&make).await,
            StepResult::AlreadyDone
        );
        let held = reason(
            objects
                .watched
                .execute(&command("p2", &apply(None, "safe")))
                .await,
        );
        assert!(held.contains("made by somebody else meanwhile"), "{held}");
        let made: ConfigMap = objects.ns.api().get("mode").await.expect("it is there");
        assert_eq!(made.data.expect("data")["mode"], "safe");
        // A person takes the field: ours is refused, and names the other manager.
        let take = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mode"}, "data": {"mode": "fast"},
        });
        objects
            .ns
            .api::<ConfigMap>()
            .patch(
                "mode",
                &PatchParams::apply("person").force(),
                &Patch::Apply(&take),
            )
            .await
            .expect("by force");
        let again = command("p3", &apply(made.metadata.uid, "safe"));
        let held = reason(objects.watched.execute(&again).await);
        assert!(held.contains("conflict with \"person\""), "{held}");
        let kept: ConfigMap = objects.ns.api().get("mode").await.expect("it is there");
        assert_eq!(kept.data.expect("data")["mode"], "fast");
    });
}

#[test]
fn objects_of_any_kind_are_read_and_what_is_not_possible_says_why() {
    run(async {
        let objects = Objects::of("change-kinds").await;
        let missing = objects.named("apps/v1", "Deployment", "nobody");
        assert_eq!(objects.read(&missing).await, None);
        for (named, says) in [
            (
                objects.named("example.org/v1", "Unicorn", "a"),
                "the API server knows no Unicorn of `example.org/v1`",
            ),
            (
                objects.named("v1", "Namespace", "default"),
                "a Namespace belongs to no namespace",
            ),
        ] {
            let error = objects.watched.cluster.object(&named).await;
            let error = error.expect_err("not possible");
            assert!(matches!(error, ClusterError::Rejected { .. }), "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
        // The Role of charts/manifests has no right to this kind: it is named.
        let account = objects.named("v1", "ServiceAccount", "default");
        let error = objects.watched.cluster.object(&account).await;
        let error = error.expect_err("no right");
        let says = format!(
            "not allowed to get serviceaccounts in namespace `{}`",
            objects.ns.name()
        );
        assert_eq!(error.to_string(), says);

        let mut cluster = Objects::of("change-annotate").await;
        cluster.watched = Watched::start(
            cluster.admin.clone(),
            target(&cluster.ns, TargetKind::Deployment),
        );
        cluster
            .ns
            .apply(
                &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}),
            )
            .await;
        let object = cluster.named("v1", "ConfigMap", "settings");
        let state = cluster.read(&object).await.expect("it is there");
        let edit = Annotation::decide(&state.object, "team/paged", Some("yes"));
        let change = Change {
            uid: state.uid().to_owned(),
            object,
            edit: Edit::clone(edit.as_ref().expect("a change")),
        };
        assert_eq!(cluster.execute("p1", &change).await, StepResult::Done);
        let written: ConfigMap = cluster.ns.api().get("settings").await.expect("there");
        assert_eq!(
            written.metadata.annotations.expect("some")["team/paged"],
            "yes"
        );
    });
}
