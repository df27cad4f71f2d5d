//! Notices about the traffic of a release: each step, what holds it, and how it ended.

use jiff::SignedDuration;

use super::{Role, Told, facts, send};
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::ids::{ChannelName, TargetId};
use crate::notice::{NoticeKind, Severity};
use crate::stepping::{Aim, Stepping, SteppingEnd};
use crate::wording::{capitalised, span};

/// What differs between these notices.
struct Words {
    kind: NoticeKind,
    severity: Severity,
    headline: String,
    sentences: Vec<String>,
}

/// Tells what happened and was not told, be it to the process before.
pub(in crate::engine) fn stepping(turn: &mut Turn<'_>, target: &TargetId, live: &Live) {
    let Some(stepping) = turn
        .known(target)
        .and_then(|known| known.stepping.clone())
        .filter(|stepping| stepping.told < stepping.news)
    else {
        return;
    };
    let words = if let Some(end) = &stepping.end {
        ended(&stepping, end)
    } else if let Some(held) = held(&stepping) {
        held
    } else if let Some(reached) = reached(&stepping) {
        reached
    } else {
        return;
    };
    let channels = match words.severity {
        Severity::Info => steps(live),
        Severity::Warning | Severity::Critical => live.watch.on_fail.notify.clone(),
    };
    let role = Role::Plain(&stepping.canary);
    let told = Told {
        kind: words.kind,
        severity: words.severity,
        correlation: Some(&stepping.analysis),
        headline: words.headline,
        sentences: words.sentences,
        facts: facts(live, &[role], turn.now),
    };
    send(turn, live, &channels, told);
}

/// Who hears of steps: who hears that a release passed, else who hears of what failed.
fn steps(live: &Live) -> Vec<ChannelName> {
    if live.watch.on_pass.is_empty() {
        live.watch.on_fail.notify.clone()
    } else {
        live.watch.on_pass.clone()
    }
}

fn reached(stepping: &Stepping) -> Option<Words> {
    let Stepping {
        target,
        canary,
        stepped,
        ..
    } = stepping;
    let found = stepping.reached.as_ref()?;
    let Aim::Step(step) = found.aim else {
        return None;
    };
    let next = match stepping.next() {
        Some((_, percent)) => {
            let each = SignedDuration::try_from(stepped.each).unwrap_or(SignedDuration::MAX);
            format!(
                "The next step is {percent} %, when the release has been passing at this one for {}.",
                span(each)
            )
        }
        None => "That was the last step: the watch of the release counts from here.".to_owned(),
    };
    Some(Words {
        kind: NoticeKind::Traffic,
        severity: Severity::Info,
        headline: format!(
            "{target}: revision {canary} has {} % of the traffic (step {} of {})",
            found.percent,
            step + 1,
            stepped.steps.len()
        ),
        sentences: vec![
            format!("{} of {} has that share.", capitalised(&stepped.route.backend()), stepped.route),
            next,
            "If it fails, its traffic goes back to 0 %. Who sets another weight by hand keeps it: Recant stops stepping then.".to_owned(),
        ],
    })
}

fn held(stepping: &Stepping) -> Option<Words> {
    let Stepping { target, canary, .. } = stepping;
    let hold = stepping.holds.latest.as_ref()?;
    let share = match stepping.percent() {
        Some(percent) => format!("It has {percent} % of the traffic"),
        None => "Recant has not given it any traffic".to_owned(),
    };
    let next = match stepping.next() {
        Some((_, percent)) => format!("{share}; its next step is {percent} %."),
        None => format!("{share}."),
    };
    Some(Words {
        kind: NoticeKind::TrafficHeld,
        severity: Severity::Warning,
        headline: format!(
            "{target}: the traffic of revision {canary} is held ({})",
            hold.guard
        ),
        sentences: vec![
            format!("{}.", capitalised(&hold.reason)),
            next,
            "Recant looks again by itself.".to_owned(),
        ],
    })
}

fn ended(stepping: &Stepping, end: &SteppingEnd) -> Words {
    let Stepping {
        target,
        canary,
        stepped,
        ..
    } = stepping;
    let route = &stepped.route;
    let stays = match stepping.percent() {
        Some(percent) => format!("Recant last set its share to {percent} %."),
        None => "Recant had not given it any traffic.".to_owned(),
    };
    let (severity, headline, sentences) = match end {
        SteppingEnd::Passed => (
            Severity::Info,
            format!("{target}: revision {canary} passed with all its traffic"),
            vec![
                stays,
                format!("The weights of {route} stay so until somebody, or the next release, changes them."),
            ],
        ),
        SteppingEnd::Back => (
            Severity::Warning,
            format!("{target}: revision {canary} has no traffic any more"),
            vec![
                "The release was found bad.".to_owned(),
                format!("{} of {route} has 0 %: the rest gets everything.", capitalised(&route.backend())),
            ],
        ),
        SteppingEnd::Over { reason } => (
            Severity::Warning,
            format!("{target}: the traffic of revision {canary} is stepped no further"),
            vec![
                format!("{}.", capitalised(reason)),
                stays,
                format!("The weights of {route} stay as they are: please look."),
            ],
        ),
        SteppingEnd::TakenOver { reason } => (
            Severity::Warning,
            format!("{target}: somebody else sets the traffic of revision {canary}"),
            vec![
                format!("{}.", capitalised(reason)),
                "Recant leaves it so, steps this release no further, and does not take its traffic back if it fails.".to_owned(),
            ],
        ),
        SteppingEnd::Stuck { reason } => (
            Severity::Critical,
            format!("{target}: the traffic of revision {canary} could not be set"),
            vec![
                format!("{}.", capitalised(reason)),
                stays,
                "Recant does nothing more about it: a person has to look.".to_owned(),
            ],
        ),
    };
    Words {
        kind: NoticeKind::Traffic,
        severity,
        headline,
        sentences,
    }
}
