//! What a notice means for the trouble it is about: it begins or goes on, it is over, or it is only told.
//!
//! All of it is derived from the notice, so that nothing more has to be recorded. A new kind of notice has to be given
//! its place in [`Notice::status`] before anything compiles.

use super::{Notice, NoticeKind, Severity};

/// Trouble that lasts until a notice says that it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Problem {
    /// A bad revision serves, or its symptom goes on after it was taken back. One for each watch.
    BadRelease,
    /// A rule that must always hold is broken. One for each incident, since a watch has several such rules.
    RuleBroken,
    /// A source cannot be asked. One for each source.
    SourceUnavailable,
    /// Rules or settings were changed to what cannot be used.
    ReloadFailed,
}

impl Problem {
    /// Fixed for each problem, and so fit to tell alerts apart by: what is said on the way may be more or less urgent.
    pub fn severity(self) -> Severity {
        match self {
            Self::BadRelease | Self::RuleBroken => Severity::Critical,
            Self::SourceUnavailable | Self::ReloadFailed => Severity::Warning,
        }
    }

    /// In one word, as a name in other systems.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRelease => "BadRelease",
            Self::RuleBroken => "RuleBroken",
            Self::ReloadFailed => "ReloadFailed",
            Self::SourceUnavailable => "SourceUnavailable",
        }
    }

    /// Whether two of them at the same time on one watch are told apart by their correlation id.
    fn by_correlation(self) -> bool {
        match self {
            // A second bad release of the same target goes on with the incident of the first.
            Self::BadRelease | Self::ReloadFailed => false,
            Self::RuleBroken | Self::SourceUnavailable => true,
        }
    }
}

/// What a notice means for its incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The trouble began, or goes on.
    Firing(Problem),
    /// The trouble is over, if there was any.
    Resolved(Problem),
    /// Something happened; nothing lasts.
    Event,
}

/// One incident: equal in the notices that tell of its beginning, its course and its end, and in no other at the same
/// time. It never names a revision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incident {
    pub problem: Problem,
    /// Watch and target, or what else the trouble is with; the empty text if that is not said.
    pub subject: String,
}

impl Notice {
    /// What it means for its incident.
    pub fn status(&self) -> Status {
        match self.kind {
            NoticeKind::RollingBack
            | NoticeKind::NotRestored
            | NoticeKind::RollbackFailed
            | NoticeKind::FailedRevisionBack => Status::Firing(Problem::BadRelease),
            // A release that is known to be bad and stays is told as critical; all other holds are in case of a verdict.
            NoticeKind::Held => match self.severity {
                Severity::Critical => Status::Firing(Problem::BadRelease),
                Severity::Warning | Severity::Info => Status::Event,
            },
            // A revision that passed is also what ends the trouble with the one before it.
            NoticeKind::Restored | NoticeKind::Passed => Status::Resolved(Problem::BadRelease),
            NoticeKind::IncidentBegan | NoticeKind::Scaled => Status::Firing(Problem::RuleBroken),
            // What cannot be taken back after the incident is told as less than critical.
            NoticeKind::ScalingHeld | NoticeKind::ScalingFailed => match self.severity {
                Severity::Critical => Status::Firing(Problem::RuleBroken),
                Severity::Warning | Severity::Info => Status::Event,
            },
            NoticeKind::IncidentEnded => Status::Resolved(Problem::RuleBroken),
            NoticeKind::SourceUnavailable => Status::Firing(Problem::SourceUnavailable),
            NoticeKind::SourceRecovered => Status::Resolved(Problem::SourceUnavailable),
            NoticeKind::ReloadFailed => Status::Firing(Problem::ReloadFailed),
            NoticeKind::Reloaded => Status::Resolved(Problem::ReloadFailed),
            // That data came back is not told, so this may not last.
            NoticeKind::RuleWithoutData
            | NoticeKind::Inconclusive
            | NoticeKind::ScalingUndone
            | NoticeKind::Paused
            | NoticeKind::PauseEnded
            | NoticeKind::LeftPaused
            | NoticeKind::HeldAgainstGit
            | NoticeKind::Traffic
            | NoticeKind::TrafficHeld
            // Why they are made, or were to be made, is told by notices of its own.
            | NoticeKind::OperationBegan
            | NoticeKind::OperationEnded
            | NoticeKind::OperationHeld
            | NoticeKind::OperationUndone
            | NoticeKind::Ordered => Status::Event,
        }
    }

    /// The incident that it belongs to; `None` for an event.
    pub fn incident(&self) -> Option<Incident> {
        let problem = match self.status() {
            Status::Firing(problem) | Status::Resolved(problem) => problem,
            Status::Event => return None,
        };
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.watch.as_ref().map(ToString::to_string));
        parts.extend(self.target.as_ref().map(ToString::to_string));
        if problem.by_correlation() {
            parts.extend(self.correlation.as_ref().map(ToString::to_string));
        }
        Some(Incident {
            problem,
            subject: parts.join(" "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{TargetId, TargetKind, WatchName};

    fn notice(kind: NoticeKind, severity: Severity, correlation: &str) -> Notice {
        Notice {
            id: "n-1".into(),
            at: "2026-01-01T00:00:00Z".parse().expect("a time"),
            kind,
            severity,
            watch: Some(WatchName {
                namespace: "shop".to_owned(),
                name: "checkout".to_owned(),
            }),
            target: Some(TargetId {
                namespace: "shop".to_owned(),
                kind: TargetKind::Deployment,
                name: "checkout".to_owned(),
            }),
            correlation: Some(correlation.into()),
            headline: String::new(),
            sentences: vec![],
            facts: vec![],
            links: vec![],
            channels: vec![],
        }
    }

    #[test]
    fn a_rollback_and_what_came_of_it_are_one_incident_whatever_the_revision() {
        let begin = notice(NoticeKind::RollingBack, Severity::Critical, "checkout-v2-1");
        let end = notice(NoticeKind::Restored, Severity::Info, "checkout-v2-1");
        let later = notice(NoticeKind::Passed, Severity::Info, "checkout-v3-2");
        assert_eq!(begin.status(), Status::Firing(Problem::BadRelease));
        assert_eq!(end.status(), Status::Resolved(Problem::BadRelease));
        assert_eq!(later.status(), Status::Resolved(Problem::BadRelease));
        assert!(begin.incident().is_some());
        assert_eq!(begin.incident(), end.incident());
        assert_eq!(begin.incident(), later.incident());
    }

    #[test]
    fn only_a_hold_of_a_bad_release_lasts() {
        for (severity, expected) in [
            (Severity::Critical, Status::Firing(Problem::BadRelease)),
            (Severity::Warning, Status::Event),
            (Severity::Info, Status::Event),
        ] {
            assert_eq!(notice(NoticeKind::Held, severity, "a").status(), expected);
        }
    }

    #[test]
    fn each_broken_rule_is_an_incident_until_it_is_kept_again() {
        let told = |kind, severity, id| notice(kind, severity, id);
        let began = told(
            NoticeKind::IncidentBegan,
            Severity::Critical,
            "checkout-queue-1",
        );
        let held = told(
            NoticeKind::ScalingHeld,
            Severity::Critical,
            "checkout-queue-1",
        );
        let ended = told(
            NoticeKind::IncidentEnded,
            Severity::Info,
            "checkout-queue-1",
        );
        let other = told(
            NoticeKind::IncidentBegan,
            Severity::Critical,
            "checkout-errors-2",
        );
        assert_eq!(began.incident(), held.incident());
        assert_eq!(began.incident(), ended.incident());
        assert_ne!(began.incident(), other.incident());
        assert_eq!(ended.status(), Status::Resolved(Problem::RuleBroken));
        // The undo comes after the end: it must not fire again.
        for kind in [
            NoticeKind::ScalingHeld,
            NoticeKind::ScalingFailed,
            NoticeKind::ScalingUndone,
        ] {
            let late = told(kind, Severity::Warning, "checkout-queue-1");
            assert_eq!(late.status(), Status::Event);
        }
    }

    #[test]
    fn sources_are_lost_each_by_itself() {
        let lost = |id| notice(NoticeKind::SourceUnavailable, Severity::Warning, id).incident();
        let back = |id| notice(NoticeKind::SourceRecovered, Severity::Info, id).incident();
        assert_eq!(lost("source-prometheus"), back("source-prometheus"));
        assert_ne!(lost("source-prometheus"), back("source-scrape"));
    }

    #[test]
    fn whatever_fires_can_be_resolved() {
        let all = |severity| {
            NoticeKind::ALL
                .iter()
                .map(move |kind| notice(*kind, severity, "a"))
        };
        let resolved: Vec<_> = all(Severity::Info)
            .filter(|notice| matches!(notice.status(), Status::Resolved(_)))
            .filter_map(|notice| notice.incident())
            .collect();
        for notice in all(Severity::Critical) {
            if let Status::Firing(_) = notice.status() {
                let incident = notice.incident().expect("it fires");
                assert!(resolved.contains(&incident), "{:?}", notice.kind);
            }
        }
    }
}
