//! Notices about a release that is paused for its evidence: where, why it goes on, and what a person has to do.

use super::{Role, Told, facts, send};
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::notice::{NoticeKind, Severity};
use crate::pause::{Course, PauseEnd, PauseState, Reached};
use crate::wording::capitalised;

/// The pause took hold.
pub(in crate::engine) fn paused(
    turn: &mut Turn<'_>,
    live: &Live,
    pause: &PauseState,
    reached: Reached,
) {
    let target = &pause.pause.fence.target;
    let canary = &pause.pause.fence.judged;
    let Reached { pods, of } = reached;
    let asked = pause.pause.asked;
    let more = usize::try_from(asked).is_ok_and(|asked| asked > 0 && pods > asked);
    let mut sentences = Vec::new();
    if more {
        sentences.push(format!(
            "Asked for {asked}: pausing is a race with the controller, and `maxSurge` and `maxUnavailable` of the \
             Deployment bound what it makes at once."
        ));
    }
    sentences.push(format!(
        "It goes on by itself when every rule is surely kept, is taken back if one fails, and goes on at {:.0} in any \
         other case.",
        pause.pause.until
    ));
    sentences.push(by_hand(live));
    let asked = if more {
        format!("; asked {asked}")
    } else {
        String::new()
    };
    let told = Told {
        kind: NoticeKind::Paused,
        severity: Severity::Info,
        correlation: pause.pause.analysis.as_ref(),
        headline: format!("{target}: revision {canary} is paused at {pods} of {of} pods{asked}"),
        sentences,
        facts: facts(live, &[Role::Plain(canary)], turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

/// It stays paused: it cannot be resumed now, or should not be.
pub(in crate::engine) fn left_paused(
    turn: &mut Turn<'_>,
    live: &Live,
    pause: &PauseState,
    reason: &str,
) {
    let target = &pause.pause.fence.target;
    let canary = &pause.pause.fence.judged;
    let next = match &pause.course {
        Course::Resuming { reason } => {
            format!("It was to go on, because {reason}. Recant tries again every half minute.")
        }
        Course::Pausing | Course::Paused => format!(
            "Recant does not let a bad release out: take it back with `kubectl rollout undo` after a resume, ship a good \
             version, or let it go on. It was paused at {} of its pods.",
            pause.reached.map_or(0, |reached| reached.pods)
        ),
    };
    let told = Told {
        kind: NoticeKind::LeftPaused,
        severity: Severity::Critical,
        correlation: pause.pause.analysis.as_ref(),
        headline: format!("{target} stays paused, and a person has to look"),
        sentences: vec![format!("{}.", capitalised(reason)), next, by_hand(live)],
        facts: facts(live, &[Role::Plain(canary)], turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

/// The pause is over, or never was.
pub(in crate::engine) fn pause_ended(
    turn: &mut Turn<'_>,
    live: &Live,
    pause: &PauseState,
    end: &PauseEnd,
) {
    let target = &pause.pause.fence.target;
    let canary = &pause.pause.fence.judged;
    let (severity, headline, reason) = match (end, &pause.course) {
        (PauseEnd::Resumed, Course::Resuming { reason }) => {
            let known_good = turn
                .known(target)
                .is_some_and(|known| known.known_good(canary) || known.analysis.is_some());
            let severity = if known_good {
                Severity::Info
            } else {
                Severity::Warning
            };
            let headline = format!("{target}: revision {canary} goes on to all pods");
            (severity, headline, reason.clone())
        }
        (PauseEnd::BySomebody { reason }, _) => (
            Severity::Warning,
            format!("{target}: the pause of revision {canary} was ended by somebody"),
            format!("{reason}. Recant does not pause it again, and goes on judging it"),
        ),
        (PauseEnd::NotPaused { reason }, _) => (
            Severity::Warning,
            format!("{target}: revision {canary} was not paused"),
            format!("{reason}. It is judged while it goes on"),
        ),
        // The notice of the rollback tells it.
        (PauseEnd::Undone, _) | (PauseEnd::Resumed, Course::Pausing | Course::Paused) => return,
    };
    let told = Told {
        kind: NoticeKind::PauseEnded,
        severity,
        correlation: pause.pause.analysis.as_ref(),
        headline,
        sentences: vec![format!("{}.", capitalised(&reason))],
        facts: facts(live, &[Role::Plain(canary)], turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}

/// What anybody can do, with Recant or without.
fn by_hand(live: &Live) -> String {
    let target = &live.watch.target;
    let (namespace, name) = (&target.namespace, &target.name);
    format!(
        "By hand: `kubectl -n {namespace} rollout resume deployment/{name}`, or `recant resume --all --namespace {namespace}`."
    )
}
