//! Targets that Argo CD or Flux keeps as Git says: told, acted upon, and never fought over.

use super::rules::Setup;
use super::target::BAD;
use super::world::World;
use crate::drift::DriftNews;
use crate::guard::Guard;
use crate::notice::NoticeKind;
use crate::plan::Step;
use crate::record::Record;
use crate::rule::GitOps;
use crate::target::{GitOwner, GitTool, OwnerKind, OwnerObject};

const CONTROLLER: &str = "argocd-controller";

/// A world in which Argo CD has the target, and a bad release comes.
fn shipped(setup: Setup) -> World {
    let mut world = World::settled(setup);
    let target = world.target();
    target.owner = Some(GitOwner {
        tool: GitTool::ArgoCd,
        object: Some(OwnerObject {
            kind: OwnerKind::Application,
            namespace: None,
            name: "shop".to_owned(),
        }),
    });
    target.shipped_by = Some(CONTROLLER.to_owned());
    target.behave("v2", BAD);
    target.behave("v3", BAD);
    world.ship("v2");
    world
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
    world.target().shipped_by = Some("recant".to_owned());
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
    world.ship("v2");
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
    world.ship("v3");
    world.run(120);
    assert_eq!(world.plans().len(), 1, "{}", world.transcript());
    assert_eq!(world.target().writes.len(), 1);
    assert!(held_by(&world, Guard::GitOps), "{}", world.transcript());
    let held = world.read(NoticeKind::Held);
    assert!(held.contains("reverted by `argocd-controller`"), "{held}");
    // Git shows a good version: the next bad one is acted upon again.
    world.ship("v4");
    world.run(320);
    world.target().behave("v5", BAD);
    world.ship("v5");
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
        world.ship("v2");
        world.run(700);
        world.ship("v3");
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
