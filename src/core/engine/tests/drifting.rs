//! Targets that Argo CD or Flux keeps as Git says: told, acted upon, and never fought over.

use super::rules::Setup;
use super::target::BAD;
use super::world::World;
use crate::drift::DriftNews;
use crate::guard::Guard;
use crate::notice::NoticeKind;
use crate::plan::{Step, StepResult, SyncSwitch};
use crate::record::Record;
use crate::rule::GitOps;
use crate::target::{GitOwner, GitTool, OwnerKind, OwnerObject};

const CONTROLLER: &str = "argocd-controller";

/// A world in which Argo CD has the target, and a bad release comes.
fn shipped(setup: Setup) -> World {
    let mut world = World::settled(setup);
    kept_by_git(&mut world);
    let target = world.target();
    target.behave("v2", BAD);
    target.behave("v3", BAD);
    world.ship("v2");
    world
}

/// Argo CD has the target.
pub(super) fn kept_by_git(world: &mut World) {
    let target = world.target();
    target.owner = Some(GitOwner {
        tool: GitTool::ArgoCd,
        object: Some(OwnerObject {
            kind: OwnerKind::Application,
            namespace: None,
            name: "shop".to_owned(),
        }),
        agrees: false,
    });
    target.shipped_by = Some(CONTROLLER.to_owned());
}

/// Argo CD writes what Git says.
fn git(world: &mut World, hash: &str) {
    world.target().shipped_by = Some(CONTROLLER.to_owned());
    world.ship(hash);
}

fn news(world: &World) -> Vec<DriftNews> {
    let news = world.records(|record| match record {
        Record::Drift { news, .. } => Some((**news).clone()),
        _ => None,
    });
    news.map(|(_, news)| news).collect()
}

fn undone(world: &World) -> bool {
    !world.plan_ends().is_empty()
}

fn held_by(world: &World, guard: Guard) -> bool {
    let mut holds = world.records(|record| match record {
        Record::HoldBegan { hold, .. } => Some(hold.guard),
        _ => None,
    });
    holds.any(|(_, held)| held == guard)
}

#[test]
fn a_rollback_that_holds_for_a_sync_period_is_told_with_what_to_commit() {
    let mut world = shipped(Setup::default());
    world.run_until(60, undone);
    world.run(400);
    let news = news(&world);
    assert!(
        matches!(news.as_slice(), [DriftNews::Began { .. }, DriftNews::Held]),
        "{news:?}"
    );
    assert_eq!(
        world.kinds(),
        [
            NoticeKind::RollingBack,
            NoticeKind::Restored,
            NoticeKind::HeldAgainstGit
        ]
    );
    insta::assert_snapshot!(format!(
        "{}{}",
        world.read(NoticeKind::RollingBack),
        world.read(NoticeKind::HeldAgainstGit)
    ));
}

/// Hazard 6: Argo CD writes the bad version back. Recant says who, and leaves this target to Git from then on.
#[test]
fn a_rollback_that_is_reverted_is_not_fought_over() {
    let mut world = shipped(Setup::default());
    world.run_until(60, undone);
    git(&mut world, "v2");
    world.run(60);
    assert!(
        news(&world).contains(&DriftNews::Reverted {
            by: CONTROLLER.to_owned()
        }),
        "{}",
        world.transcript()
    );
    let told = world.read(NoticeKind::FailedRevisionBack);
    assert!(
        told.contains("Field manager `argocd-controller` shipped it again"),
        "{told}"
    );
    assert!(
        told.contains("Commit `image: registry.example/checkout:v1`"),
        "{told}"
    );
    // Another bad release by the same way: judged, told, and left alone.
    world.run(700);
    git(&mut world, "v3");
    world.run(120);
    assert_eq!(world.plans().len(), 1, "{}", world.transcript());
    assert_eq!(world.target().writes.len(), 1);
    assert!(held_by(&world, Guard::GitOps), "{}", world.transcript());
    let held = world.read(NoticeKind::Held);
    assert!(held.contains("reverted by `argocd-controller`"), "{held}");
    // Git shows a good version: the next bad one is acted upon again.
    git(&mut world, "v4");
    world.run(320);
    world.target().behave("v5", BAD);
    git(&mut world, "v5");
    world.run(60);
    assert_eq!(world.plans().len(), 2, "{}", world.transcript());
}

#[test]
fn a_policy_of_telling_writes_nothing_and_says_what_to_commit() {
    let mut setup = Setup::default();
    setup.guards.gitops = GitOps::Tell;
    let mut world = shipped(setup);
    world.run(120);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    assert!(world.target().writes.is_empty());
    assert!(held_by(&world, Guard::GitOps));
    insta::assert_snapshot!(world.read(NoticeKind::Held));
}

/// The spec of an aborted Rollout stays what Git says: neither policy stands in its way, and there is nothing to watch.
#[test]
fn an_abort_makes_no_drift() {
    let mut setup = Setup::rollout();
    setup.guards.gitops = GitOps::Tell;
    let mut world = shipped(setup);
    world.run(120);
    assert_eq!(world.plans().len(), 1, "{}", world.transcript());
    assert_eq!(world.step(0), Step::AbortRollout);
    assert!(news(&world).is_empty());
    let told = world.read(NoticeKind::RollingBack);
    assert!(
        told.contains("an abort changes nothing that Git says"),
        "{told}"
    );
}

/// The process dies behind any record: one rollback, and the revert is remembered.
#[test]
fn a_revert_is_remembered_whenever_the_process_dies() {
    let story = |prepare: &dyn Fn(&mut World)| {
        let mut world = shipped(Setup::default());
        prepare(&mut world);
        world.run(40);
        git(&mut world, "v2");
        world.run(700);
        git(&mut world, "v3");
        world.run(60);
        world
    };
    let whole = story(&|_| {});
    let begins = whole
        .journal
        .iter()
        .position(|(second, _)| *second > 61)
        .expect("the release");
    for cut in begins..whole.journal.len() {
        let mut world = story(&|world| world.crash_at = Some(cut));
        let case = format!("cut behind record {cut}\n{}", world.transcript());
        assert_eq!(world.plans().len(), 1, "{case}");
        assert_eq!(world.target().writes.len(), 1, "{case}");
    }
}

pub(super) fn suspending() -> Setup {
    let mut setup = Setup::default();
    setup.guards.gitops = GitOps::Suspend;
    setup
}

fn switches(world: &mut World) -> Vec<SyncSwitch> {
    let switches = world.target().syncs.iter();
    switches.map(|(_, switch)| *switch).collect()
}

#[test]
fn self_heal_is_suspended_before_the_rollback_and_resumed_when_git_shows_a_good_version() {
    let mut world = shipped(suspending());
    world.run_until(60, undone);
    let suspended = world.target().syncs[0].0;
    let undo = world.target().writes[0].0;
    assert!(suspended <= undo, "{}", world.transcript());
    world.run(600);
    assert_eq!(switches(&mut world), [SyncSwitch::Suspend]);
    assert!(!world.target().self_heal);
    let told = world.read(NoticeKind::RollingBack);
    assert!(
        told.contains("self-heal is suspended until Git shows another version"),
        "{told}"
    );
    // Every six hours people are reminded, with what to commit.
    world.run(6 * 3600);
    let reminded = world.read(NoticeKind::HeldAgainstGit);
    assert!(
        reminded.contains("is still suspended"),
        "{reminded}\n{}\n{:?}",
        world.transcript(),
        world
            .engine
            .ledger()
            .targets
            .values()
            .map(|known| &known.suspension)
            .collect::<Vec<_>>()
    );
    assert!(
        reminded.contains("Commit `image: registry.example/checkout:v1`"),
        "{reminded}"
    );
    // The revert is committed: Argo CD writes v1 itself.
    world.target().shipped_by = Some(CONTROLLER.to_owned());
    world.run(10);
    assert_eq!(
        switches(&mut world),
        [SyncSwitch::Suspend, SyncSwitch::Resume]
    );
    assert!(world.target().self_heal);
    assert!(
        world
            .engine
            .ledger()
            .targets
            .values()
            .all(|known| known.suspension.is_none())
    );
}

#[test]
fn without_self_heal_nothing_is_switched() {
    let mut world = shipped(suspending());
    world.target().self_heal = false;
    world.run_until(60, undone);
    world.run(60);
    assert!(switches(&mut world).is_empty());
    world.target().shipped_by = Some(CONTROLLER.to_owned());
    world.run(10);
    assert!(
        switches(&mut world).is_empty(),
        "what somebody switched off stays off"
    );
}

#[test]
fn what_cannot_be_suspended_is_not_rolled_back_and_that_is_told() {
    let mut world = shipped(suspending());
    world.step_result = Some(Box::new(|command| {
        command
            .plan
            .as_str()
            .ends_with("-sync")
            .then(|| StepResult::Refused {
                reason: "not allowed to patch applications.argoproj.io in namespace `argocd`"
                    .to_owned(),
            })
    }));
    world.run(120);
    assert!(world.plans().is_empty(), "{}", world.transcript());
    let held = world.read(NoticeKind::Held);
    assert!(
        held.contains("could not be suspended: not allowed to patch"),
        "{held}"
    );
    assert!(held.contains("Commit `image:"), "{held}");
}

/// The process dies behind any record: suspended once, undone once, resumed once.
#[test]
fn suspend_and_resume_are_each_done_exactly_once_whenever_the_process_dies() {
    let story = |prepare: &dyn Fn(&mut World)| {
        let mut world = shipped(suspending());
        prepare(&mut world);
        world.run(90);
        world.target().shipped_by = Some(CONTROLLER.to_owned());
        world.run(120);
        world
    };
    let whole = story(&|_| {});
    let begins = whole
        .journal
        .iter()
        .position(|(second, _)| *second > 61)
        .expect("the release");
    for cut in begins..whole.journal.len() {
        for effects_leave in [false, true] {
            let mut world = story(&|world| {
                world.crash_at = Some(cut);
                world.effects_leave = effects_leave;
            });
            let case = format!(
                "cut behind record {cut}, {effects_leave}\n{}",
                world.transcript()
            );
            assert_eq!(
                switches(&mut world),
                [SyncSwitch::Suspend, SyncSwitch::Resume],
                "{case}"
            );
            assert_eq!(world.target().writes.len(), 1, "{case}");
            assert!(world.target().self_heal, "{case}");
        }
    }
}
