//! What every cluster keeps, whoever simulates it: one set of cases over the seam `Cluster`, with a small driver that sets
//! the scene. The real API server with its controllers, the cluster in memory and the one of the simulation all pass it, so
//! that what is proven on the last two means something.

use std::collections::BTreeSet;

use async_trait::async_trait;
use recant::cluster::Cluster;
use recant_core::change::{Annotation, Change, ObjectRef};
use recant_core::ids::{RevisionHash, TargetId};
use recant_core::plan::{Action, Fence, RollbackStep, Step, StepCommand, StepResult};
use recant_core::rule::{ScaleKind, ScaleTarget};
use recant_core::scaling::{ScaleChange, ScaleObject, ScaleState};
use recant_core::target::{TargetNews, TargetState};

/// Looks at the news before a case gives up.
const LOOKS: usize = 600;
/// Looks without news after which nothing more is expected.
const QUIET: usize = 12;

/// Sets the scene: what people and controllers do. A scene begins with a Deployment `checkout` whose pods of image tag
/// `v1` are all ready.
#[async_trait]
pub(crate) trait Scene: Send + Sync {
    fn cluster(&self) -> &dyn Cluster;
    fn target(&self) -> TargetId;
    /// A person ships this tag.
    async fn ship(&self, tag: &str);
    async fn pause(&self, on: bool);
    /// The annotation on the workload.
    async fn kill_switch(&self, on: bool);
    /// A person sets `spec.replicas`.
    async fn scale(&self, replicas: u32);
    /// Deletes the Deployment, and waits until that is through.
    async fn delete(&self);
    /// Creates it again at this tag.
    async fn create(&self, tag: &str);
    /// Lets a moment pass, long enough for a controller to do something.
    async fn moment(&self);
}

/// All cases, one after the other on one object.
pub(crate) async fn keeps_the_contract(scene: &dyn Scene) {
    let mut case = Case {
        scene,
        latest: None,
        gone: false,
    };
    let first = case.is_shown_once_and_then_left_alone().await;
    let judged = case.a_release_replaces_the_pods(&first).await;
    case.a_fence_that_does_not_hold_writes_nothing(&judged)
        .await;
    case.an_undo_is_done_once(&judged).await;
    case.a_scaling_is_done_once().await;
    case.a_change_is_done_once().await;
    case.what_was_created_again_is_another_object(&judged).await;
}

struct Case<'a> {
    scene: &'a dyn Scene,
    latest: Option<TargetState>,
    /// The last news of the target said that it does not exist.
    gone: bool,
}

impl Case<'_> {
    /// Takes what news there is; how much.
    fn look(&mut self) -> usize {
        let news = self.scene.cluster().news();
        let count = news.len();
        for news in news {
            match news {
                TargetNews::State(state) => {
                    assert_eq!(state.id, self.scene.target(), "news of something else");
                    self.gone = false;
                    self.latest = Some(*state);
                }
                TargetNews::Gone(target) => {
                    assert_eq!(target, self.scene.target(), "news of something else");
                    self.gone = true;
                }
            }
        }
        count
    }

    async fn until(&mut self, what: &str, wanted: impl Fn(&TargetState) -> bool) -> TargetState {
        for _ in 0..LOOKS {
            self.look();
            if let Some(state) = self
                .latest
                .as_ref()
                .filter(|state| !self.gone && wanted(state))
            {
                return state.clone();
            }
            self.scene.moment().await;
        }
        panic!("waited in vain for {what}; last seen: {:#?}", self.latest);
    }

    async fn until_complete(&mut self, tag: &str) -> TargetState {
        let what = format!("{tag} to be complete");
        self.until(&what, |state| {
            state.complete && state.current.is_some() && state.current == hash_of(state, tag)
        })
        .await
    }

    /// Carries a step out; again while the controller lags or somebody wrote in between, as the executor does.
    async fn execute(&self, command: &StepCommand) -> StepResult {
        let mut last = None;
        for _ in 0..LOOKS {
            match self.scene.cluster().execute(command).await {
                Ok(result) => return result,
                Err(error) if error.retry() => last = Some(error),
                Err(error) => panic!("{command:?}: {error}"),
            }
            self.scene.moment().await;
        }
        panic!("{command:?} has no result: {last:?}");
    }

    /// The step is not written, and says why.
    async fn held_back(&self, command: &StepCommand, says: &str) {
        match self.execute(command).await {
            StepResult::Fenced { reason } | StepResult::Refused { reason } => {
                assert!(reason.contains(says), "`{says}` is not in `{reason}`");
            }
            other => panic!("{command:?} was not held back ({says}): {other:?}"),
        }
    }

    async fn is_shown_once_and_then_left_alone(&mut self) -> TargetState {
        let first = self.until_complete("v1").await;
        assert!(!first.uid.is_empty());
        assert!(!first.paused && first.kill_switch.is_none() && first.last_plan.is_none());
        assert!(first.rollout.is_none(), "it is a Deployment");
        let mut quiet = 0;
        for _ in 0..LOOKS {
            quiet = if self.look() == 0 { quiet + 1 } else { 0 };
            if quiet >= QUIET {
                break;
            }
            self.scene.moment().await;
        }
        assert!(quiet >= QUIET, "news without end, although nothing happens");
        let calm = self.latest.clone().expect("it was seen");
        let serving = calm.pods.iter().filter(|pod| pod.ready);
        assert!(serving.count() >= 2 && calm.uid == first.uid);
        calm
    }

    async fn a_release_replaces_the_pods(&mut self, before: &TargetState) -> TargetState {
        self.scene.ship("v2").await;
        let after = self.until_complete("v2").await;
        assert_eq!(after.uid, before.uid);
        assert_ne!(
            after.current, before.current,
            "another template, another hash"
        );
        let number = |tag: &str| {
            let hash = hash_of(&after, tag);
            let revision = after
                .revisions
                .iter()
                .find(|revision| Some(&revision.hash) == hash.as_ref());
            revision.expect("both are there").number
        };
        assert!(number("v2") > number("v1"));
        let ready = after.pods.iter().filter(|pod| pod.ready);
        let hashes: BTreeSet<&RevisionHash> = ready.map(|pod| &pod.hash).collect();
        assert_eq!(
            hashes.into_iter().collect::<Vec<_>>(),
            [after.current.as_ref().expect("it has one")]
        );
        let names: BTreeSet<_> = after.pods.iter().map(|pod| &pod.name).collect();
        assert_eq!(
            names.len(),
            after.pods.len(),
            "names of pods are not used twice"
        );
        after
    }

    async fn a_fence_that_does_not_hold_writes_nothing(&mut self, judged: &TargetState) {
        let undo = undo("p-held", judged, "v1");
        self.scene.pause(true).await;
        self.until("the pause", |state| state.paused).await;
        self.held_back(&undo, "paused").await;
        self.scene.pause(false).await;
        self.scene.kill_switch(true).await;
        self.until("the kill switch", |state| state.kill_switch.is_some())
            .await;
        self.held_back(&undo, "kill switch").await;
        self.scene.kill_switch(false).await;
        self.until("the end of pause and kill switch", |state| {
            !state.paused && state.kill_switch.is_none()
        })
        .await;

        let fenced = |change: &dyn Fn(&mut Fence)| {
            let mut command = undo.clone();
            if let Action::Rollback(rollback) = &mut command.action {
                change(&mut rollback.fence);
            }
            command
        };
        let other_uid = fenced(&|fence| "another".clone_into(&mut fence.uid));
        self.held_back(&other_uid, "deleted and created again")
            .await;
        let other_revision = fenced(&|fence| fence.judged = "another".into());
        self.held_back(&other_revision, "no longer at").await;
        let nowhere = rollback(
            "p-held",
            judged,
            Step::UndoDeployment {
                to: "nowhere".into(),
            },
        );
        self.held_back(&nowhere, "gone").await;
        let abort = rollback("p-held", judged, Step::AbortRollout);
        self.held_back(&abort, "Rollout").await;

        let after = self.until_complete("v2").await;
        assert_eq!(after.current, judged.current);
        assert_eq!(after.last_plan, None, "nothing was written");
    }

    async fn an_undo_is_done_once(&mut self, judged: &TargetState) {
        let undo = undo("p-undo", judged, "v1");
        assert_eq!(self.execute(&undo).await, StepResult::Done);
        assert_eq!(self.execute(&undo).await, StepResult::AlreadyDone);
        let back = self.until_complete("v1").await;
        assert_eq!(back.uid, judged.uid);
        assert_eq!(back.last_plan, Some("p-undo".into()), "it carries our mark");
        let number = |state: &TargetState, tag: &str| {
            let hash = hash_of(state, tag);
            let revision = state.revisions.iter();
            let revision = revision
                .max_by_key(|revision| (Some(&revision.hash) == hash.as_ref(), revision.number));
            revision.expect("there are revisions").number
        };
        assert!(
            number(&back, "v1") > number(judged, "v2"),
            "an undo gives an old revision a new number"
        );
        let again = rollback(
            "p-other",
            judged,
            Step::UndoDeployment {
                to: back.current.clone().expect("it has one"),
            },
        );
        self.held_back(&again, "already").await;
        self.scene.ship("v3").await;
        self.held_back(&again, "no longer at").await;
        self.until_complete("v3").await;
        assert_eq!(
            self.execute(&undo).await,
            StepResult::AlreadyDone,
            "also when somebody shipped since"
        );
    }

    async fn scale_state(&self) -> ScaleState {
        let state = self.scene.cluster().scale_state(&self.scaled()).await;
        state.expect("it can be read").expect("it is there")
    }

    fn scaled(&self) -> ScaleTarget {
        let target = self.scene.target();
        ScaleTarget {
            namespace: target.namespace,
            kind: ScaleKind::Deployment,
            name: target.name,
        }
    }

    async fn a_scaling_is_done_once(&mut self) {
        let before = self.scale_state().await;
        assert!(before.replicas >= 2 && before.autoscalers.is_empty());
        let change = ScaleChange {
            target: self.scaled(),
            uid: before.uid.clone(),
            object: ScaleObject::Workload,
            from: before.replicas,
            to: before.replicas + 1,
        };
        let of = |plan: &str, change: &ScaleChange| command(plan, Action::Scale(change.clone()));
        let other_uid = ScaleChange {
            uid: "another".to_owned(),
            ..change.clone()
        };
        self.held_back(&of("s-held", &other_uid), "deleted and created again")
            .await;
        assert_eq!(self.scale_state().await.replicas, before.replicas);
        assert_eq!(self.execute(&of("s-up", &change)).await, StepResult::Done);
        assert_eq!(
            self.execute(&of("s-up", &change)).await,
            StepResult::AlreadyDone
        );
        let mut after = self.scale_state().await;
        assert_eq!(after.last_scaling, Some("s-up".into()));
        for _ in 0..LOOKS {
            if after.ready == change.to {
                break;
            }
            self.scene.moment().await;
            after = self.scale_state().await;
        }
        assert_eq!((after.replicas, after.ready), (change.to, change.to));
        self.scene.scale(before.replicas).await;
        assert_eq!(self.scale_state().await.replicas, before.replicas);
        let lower = ScaleChange {
            from: change.to,
            to: change.to + 1,
            ..change.clone()
        };
        self.held_back(&of("s-more", &lower), "somebody else changed it")
            .await;
        let mut nobody = self.scaled();
        "nobody".clone_into(&mut nobody.name);
        let nothing = self.scene.cluster().scale_state(&nobody).await;
        assert_eq!(nothing.expect("it can be looked"), None);
    }

    async fn a_change_is_done_once(&mut self) {
        let target = self.scene.target();
        let object = ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: target.namespace,
            name: target.name,
        };
        let read = self.scene.cluster().object(&object).await;
        let before = read.expect("it can be read").expect("it is there");
        let edit = Annotation::decide(&before.object, "shop/mode", Some("maintenance"));
        let change = Change {
            object: object.clone(),
            uid: before.uid().to_owned(),
            edit: edit.expect("it is not there yet"),
        };
        let of =
            |plan: &str, change: &Change| command(plan, Action::Change(Box::new(change.clone())));
        let other_uid = Change {
            uid: "another".to_owned(),
            ..change.clone()
        };
        self.held_back(&of("c-held", &other_uid), "created again")
            .await;
        assert_eq!(self.execute(&of("c-set", &change)).await, StepResult::Done);
        assert_eq!(
            self.execute(&of("c-set", &change)).await,
            StepResult::AlreadyDone
        );
        let read = self.scene.cluster().object(&object).await;
        let after = read.expect("it can be read").expect("it is there");
        let annotations = &after.object["metadata"]["annotations"];
        assert_eq!(annotations["shop/mode"], "maintenance");
        assert_eq!(annotations["recant.dev/change"], "c-set/0");
        assert_eq!(
            self.execute(&of("c-back", &change.undo())).await,
            StepResult::Done
        );
        let nobody = ObjectRef {
            name: "nobody".to_owned(),
            ..object
        };
        let nothing = self.scene.cluster().object(&nobody).await;
        assert_eq!(nothing.expect("it can be looked"), None);
    }

    async fn what_was_created_again_is_another_object(&mut self, judged: &TargetState) {
        let undo = undo("p-late", judged, "v1");
        self.scene.delete().await;
        self.held_back(&undo, "not exist").await;
        for _ in 0..LOOKS {
            self.look();
            if self.gone {
                break;
            }
            self.scene.moment().await;
        }
        assert!(self.gone, "that it is gone is news");
        self.scene.create("v2").await;
        let again = self.until_complete("v2").await;
        assert_ne!(again.uid, judged.uid);
        assert_eq!(again.last_plan, None);
        self.held_back(&undo, "deleted and created again").await;
    }
}

/// Hash of the newest revision whose image has this tag.
fn hash_of(state: &TargetState, tag: &str) -> Option<RevisionHash> {
    let ending = format!(":{tag}");
    let with_tag = state
        .revisions
        .iter()
        .filter(|revision| revision.images.iter().any(|image| image.ends_with(&ending)));
    with_tag
        .max_by_key(|revision| revision.number)
        .map(|revision| revision.hash.clone())
}

fn command(plan: &str, action: Action) -> StepCommand {
    StepCommand {
        plan: plan.into(),
        index: 0,
        action,
        deadline: jiff::Timestamp::now() + std::time::Duration::from_mins(1),
        again: false,
    }
}

fn rollback(plan: &str, judged: &TargetState, step: Step) -> StepCommand {
    let fence = Fence {
        target: judged.id.clone(),
        uid: judged.uid.clone(),
        judged: judged.current.clone().expect("a current revision"),
        number: None,
    };
    command(plan, Action::Rollback(RollbackStep { fence, step }))
}

fn undo(plan: &str, judged: &TargetState, tag: &str) -> StepCommand {
    let to = hash_of(judged, tag).expect("the revision is there");
    rollback(plan, judged, Step::UndoDeployment { to })
}
