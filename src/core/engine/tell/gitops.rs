//! What people have to know where a `GitOps` tool keeps the target: who would write it back, and what to commit.

use super::{Role, Told, facts, send};
use crate::drift::Drift;
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::ids::RevisionHash;
use crate::notice::{NoticeKind, Severity};
use crate::plan::Step;
use crate::saga::Plan;
use crate::wording::{listed, short, span};

/// Of an image, this many characters are shown.
const SHOWN: usize = 200;

/// What a rollback means where there is an owner.
pub(in crate::engine) fn before_rollback(
    turn: &Turn<'_>,
    live: &Live,
    plan: &Plan,
) -> Option<String> {
    let owner = live.state.as_ref()?.owner.as_ref()?;
    if let Some(Step::AbortRollout) = plan.steps.first() {
        return Some(format!(
            "It belongs to {owner}: an abort changes nothing that Git says, so that is not reverted."
        ));
    }
    let suspended = turn
        .known(&plan.fence.target)
        .is_some_and(|known| known.suspension.is_some());
    let commit = lines(live, &plan.fence.judged, &plan.to.revision).unwrap_or_default();
    if suspended {
        return Some(format!(
            "It belongs to {owner}, whose self-heal is suspended until Git shows another version. {commit}"
        ));
    }
    Some(format!(
        "It belongs to {owner}, which still asks for the bad revision and may write it back: Recant watches that for {}, and \
         does not fight. {commit}",
        span(turn.settings.guards.sync_period)
    ))
}

/// The images of Git that are to be changed: `commit image x:1 in place of x:2`.
pub(in crate::engine) fn lines(
    live: &Live,
    bad: &RevisionHash,
    good: &RevisionHash,
) -> Option<String> {
    let state = live.state.as_ref()?;
    let images = |hash: &RevisionHash| {
        let mut revisions = state.revisions.iter();
        revisions
            .find(|revision| revision.hash == *hash)
            .map(|revision| &revision.images)
    };
    let (bad, good) = (images(bad)?, images(good)?);
    let differ: Vec<String> = bad
        .iter()
        .zip(good)
        .filter(|(bad, good)| bad != good)
        .map(|(bad, good)| {
            format!(
                "`image: {}` in place of `image: {}`",
                short(good, SHOWN),
                short(bad, SHOWN)
            )
        })
        .collect();
    if differ.is_empty() {
        return Some(
            "The images are the same: commit the earlier pod template, which differs elsewhere."
                .to_owned(),
        );
    }
    Some(format!("Commit {}.", listed(&differ)))
}

/// A revision that failed was shipped again: by whom.
pub(in crate::engine) fn shipped_again(live: &Live) -> String {
    let state = live.state.as_ref();
    let by = state.and_then(|state| state.shipped_by.as_ref());
    let owner = state.and_then(|state| state.owner.as_ref());
    let who = match (by, owner) {
        (Some(by), Some(owner)) => {
            format!("Field manager `{by}` shipped it again; it belongs to {owner}.")
        }
        (Some(by), None) => format!("Field manager `{by}` shipped it again."),
        (None, Some(owner)) => format!("It was shipped again; it belongs to {owner}."),
        (None, None) => "Somebody, or a GitOps tool, shipped it again.".to_owned(),
    };
    format!(
        "{who} Recant does not judge it a second time, and does not take it back: do it by hand, or ship a good version."
    )
}

/// What to commit where the target has an owner.
pub(in crate::engine) fn what_to_commit(
    turn: &Turn<'_>,
    live: &Live,
    bad: &RevisionHash,
) -> Option<String> {
    live.state.as_ref()?.owner.as_ref()?;
    let good = turn.known(&live.watch.target)?.way_back(bad)?;
    lines(live, bad, &good.revision)
}

/// The rollback has held for a sync period, and Git is still to be mended.
pub(in crate::engine) fn held_against_git(turn: &mut Turn<'_>, live: &Live, drift: &Drift) {
    let target = &live.watch.target;
    let Drift {
        analysis,
        owner,
        bad,
        good,
        until: _,
    } = drift;
    let mut sentences = vec![format!(
        "It belongs to {owner}, which has not written revision {bad} back within {}.",
        span(turn.settings.guards.sync_period)
    )];
    sentences.extend(lines(live, bad, good));
    sentences
        .push("Until that is committed the next sync may bring the bad revision back.".to_owned());
    let told = Told {
        kind: NoticeKind::HeldAgainstGit,
        severity: Severity::Warning,
        correlation: Some(analysis),
        headline: format!("{target}: the rollback has held, and Git still has to be mended"),
        sentences,
        facts: facts(live, &[Role::Good(good), Role::Bad(bad)], turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}
