//! What the status of a document says, from how it stands, what the engine shows, and what was done. Pure: the same in, the
//! same out, and nothing in it that counts on from tick to tick.

use jiff::Timestamp;
use recant_core::snapshot::{Doing, TargetSnapshot};
use recant_core::wording::short;

use super::history::{History, second};
use super::load::Standing;
use crate::schema::status::{Condition, DocumentStatus, LastAction, Truth, WatchStatus};

const LONGEST_MESSAGE: usize = 20_000;
/// Names that a sentence lists.
const MOST_NAMES: usize = 5;

/// A condition before it is known when it changed last.
type Said = (&'static str, Truth, &'static str, String);

/// How the target of a watch is doing, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown<'s> {
    /// The engine has not taken the watch up yet, or the cluster has not been asked: say nothing new.
    NotYet,
    /// The watch does not hold, and nothing is watched by it.
    Nothing,
    /// What is watched on request has no target of its own.
    OnRequest,
    Target(&'s TargetSnapshot),
}

/// The status of a Watch; `None`: nothing new can be said yet.
pub(super) fn of_watch(
    standing: &Standing,
    shown: Shown<'_>,
    history: &History,
    before: &WatchStatus,
    now: Timestamp,
) -> Option<WatchStatus> {
    let generation = Some(standing.generation);
    let mut said = Vec::new();
    let mut status = WatchStatus {
        observed_generation: generation,
        target: before.target.clone(),
        conditions: Vec::new(),
        last_verdict: before.last_verdict.clone(),
        last_action: before.last_action.clone(),
    };
    match shown {
        Shown::NotYet => {
            // What is wrong with the document is known all the same.
            said.push(refused(standing)?);
            let kept = ["Judging", "Healthy", "Acting"];
            let rest = before.conditions.iter();
            let rest = rest.filter(|condition| kept.contains(&condition.kind.as_str()));
            status.conditions.extend(rest.cloned());
        }
        Shown::Nothing => {
            let unknown = || "it is not watched".to_owned();
            said.extend([
                refused(standing)?,
                ("Judging", Truth::False, "NotWatched", unknown()),
                ("Healthy", Truth::Unknown, "NotWatched", unknown()),
                ("Acting", Truth::False, "NotWatched", unknown()),
            ]);
        }
        Shown::OnRequest => {
            let good = || {
                let what = "workloads are taken up when somebody asks about them".to_owned();
                ("Ready", Truth::True, "OnRequest", what)
            };
            said.push(refused(standing).unwrap_or_else(good));
        }
        Shown::Target(target) => {
            status.target = Some(format!("{}/{}", target.target.kind, target.target.name));
            if let Some(verdict) = history.verdict(&target.target) {
                status.last_verdict = Some(verdict.clone());
            }
            if let Some(action) = history.action(&target.target) {
                status.last_action = Some(action.clone());
            }
            said.extend([
                refused(standing).unwrap_or_else(|| watching(standing, target)),
                judging(target),
                healthy(target),
                acting(target, history.action(&target.target)),
            ]);
        }
    }
    let conditions = said
        .into_iter()
        .map(|said| condition(said, &before.conditions, generation, now));
    status.conditions.extend(conditions);
    status
        .conditions
        .sort_by_key(|condition| place(&condition.kind));
    Some(status)
}

/// The status of a rule set or a channel.
pub(super) fn of_document(
    standing: &Standing,
    before: &DocumentStatus,
    now: Timestamp,
) -> DocumentStatus {
    let generation = Some(standing.generation);
    let said = refused(standing).unwrap_or_else(|| {
        let message = match warned(standing) {
            Some(warnings) => format!("it is in use, but: {warnings}"),
            None => "it is in use".to_owned(),
        };
        ("Ready", Truth::True, "Valid", message)
    });
    DocumentStatus {
        observed_generation: generation,
        conditions: vec![condition(said, &before.conditions, generation, now)],
    }
}

/// Why the document does not hold; `None`: it does.
fn refused(standing: &Standing) -> Option<Said> {
    let Standing {
        good,
        kept,
        faults,
        lacking,
        ..
    } = standing;
    if !*good {
        let (reason, tail) = if *kept {
            ("InvalidKeptLast", "\nIts last good form goes on to hold")
        } else {
            ("Invalid", "\nIt does not hold")
        };
        let message = format!("{}{tail}", short(&faults.join("\n"), LONGEST_MESSAGE));
        return Some(("Ready", Truth::False, reason, message));
    }
    if !lacking.is_empty() {
        let message = format!(
            "this agent lacks rights for it:\n{}",
            short(&lacking.join("\n"), LONGEST_MESSAGE)
        );
        return Some(("Ready", Truth::False, "Forbidden", message));
    }
    None
}

fn warned(standing: &Standing) -> Option<String> {
    let warnings = &standing.warnings;
    (!warnings.is_empty()).then(|| short(&warnings.join("\n"), LONGEST_MESSAGE))
}

fn watching(standing: &Standing, target: &TargetSnapshot) -> Said {
    let id = &target.target;
    if !target.seen {
        let message = format!(
            "there is no {} `{}` in this namespace: create it, or mend `target`",
            id.kind, id.name
        );
        return ("Ready", Truth::False, "TargetMissing", message);
    }
    let message = format!("watching {}/{}", id.kind, id.name);
    let message = match warned(standing) {
        Some(warnings) => format!("{message}, but: {warnings}"),
        None => message,
    };
    ("Ready", Truth::True, "Watching", message)
}

fn judging(target: &TargetSnapshot) -> Said {
    let Some(analysis) = &target.analysis else {
        let message = "no release is being judged".to_owned();
        return ("Judging", Truth::False, "Idle", message);
    };
    let against = match &analysis.baseline {
        Some(baseline) => format!(", compared with {baseline} while that runs"),
        None => String::new(),
    };
    let message = format!("revision {}{against}", analysis.canary);
    ("Judging", Truth::True, "Judging", message)
}

fn healthy(target: &TargetSnapshot) -> Said {
    let broken: Vec<String> = target
        .always
        .iter()
        .filter(|always| always.incident.is_some())
        .map(|always| format!("`{}`", always.rule))
        .collect();
    if !broken.is_empty() {
        let message = format!("broken between releases: {}", some(&broken));
        return ("Healthy", Truth::False, "RuleBroken", message);
    }
    let failing = target.analysis.as_ref().filter(|analysis| analysis.failed);
    let failed = target
        .failed
        .as_ref()
        .filter(|f| target.current.as_ref() == Some(*f));
    if let Some(revision) = failing.map(|analysis| &analysis.canary).or(failed) {
        let message = format!("revision {revision} has failed");
        return ("Healthy", Truth::False, "ReleaseFailed", message);
    }
    if !target.seen {
        let message = "the cluster has not shown the target".to_owned();
        return ("Healthy", Truth::Unknown, "TargetMissing", message);
    }
    if target.blind.is_some() {
        let message = "a source that its rules ask cannot be used".to_owned();
        return ("Healthy", Truth::Unknown, "SourceUnavailable", message);
    }
    let message = "no rule is known to be broken".to_owned();
    ("Healthy", Truth::True, "NothingBroken", message)
}

fn acting(target: &TargetSnapshot, last: Option<&LastAction>) -> Said {
    if let Some(plan) = &target.plan {
        let message = format!("plan `{}`", plan.id);
        return ("Acting", Truth::True, "RollingBack", message);
    }
    if target.verifying {
        let message = "looking whether the symptom is gone".to_owned();
        return ("Acting", Truth::True, "Verifying", message);
    }
    let scaling = |doing: &Option<Doing>| *doing == Some(Doing::Acting);
    if let Some(always) = target.always.iter().find(|always| scaling(&always.doing)) {
        let message = format!("because of `{}`", always.rule);
        return ("Acting", Truth::True, "Scaling", message);
    }
    let of_releases = target.holds.iter().filter(|hold| hold.rule.is_none());
    let of_incidents = target
        .always
        .iter()
        .filter_map(|always| always.incident.as_ref()?.held.as_ref());
    let mut guards: Vec<String> = of_releases
        .chain(of_incidents)
        .map(|hold| hold.guard.to_string())
        .collect();
    guards.sort();
    guards.dedup();
    if !guards.is_empty() {
        let message = format!("held back by: {}", some(&guards));
        return ("Acting", Truth::False, "Held", message);
    }
    if let Some(failed) = last.filter(|last| last.outcome == "Failed") {
        let message = format!("the last action failed: {}", failed.message);
        return ("Acting", Truth::False, "ActionFailed", message);
    }
    let message = "nothing is being done".to_owned();
    ("Acting", Truth::False, "Idle", message)
}

fn some(names: &[String]) -> String {
    let shown = names.get(..MOST_NAMES).unwrap_or(names).join(", ");
    match names.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn condition(
    (kind, status, reason, message): Said,
    before: &[Condition],
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let same = before
        .iter()
        .find(|condition| condition.kind == kind && condition.status == status);
    Condition {
        kind: kind.to_owned(),
        status,
        reason: reason.to_owned(),
        message,
        last_transition_time: same
            .map_or_else(|| second(now), |same| same.last_transition_time.clone()),
        observed_generation: generation,
    }
}

fn place(kind: &str) -> usize {
    ["Ready", "Judging", "Healthy", "Acting"]
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
