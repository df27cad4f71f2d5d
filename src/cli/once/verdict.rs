//! What a round came to: the verdict of each watch, and the exit code of all of them.

mod watches;

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use jiff::Timestamp;
use serde::Serialize;

use recant_core::analysis::Ending;
use recant_core::ids::TargetId;
use recant_core::judge::{Finding, State};
use recant_core::record::{Record, Standing};
use recant_core::rule::RuleBook;
use recant_core::snapshot::TargetSnapshot;

pub(super) use watches::of_watches;

/// The exit code of what could not look.
const COULD_NOT_LOOK: u8 = 4;
const FAIL: u8 = 1;
const INCONCLUSIVE: u8 = 3;

/// What `--when-unclear` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Unclear {
    /// Exit code 0
    Pass,
    /// Exit code 1
    Fail,
    /// Exit code 3
    Inconclusive,
}

/// What is known of a watch at the end of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Verdict {
    Pass,
    Fail,
    Inconclusive,
    /// An analysis goes on, and every rule is surely kept so far: a gate may open.
    Passing,
    /// An analysis goes on.
    Undecided,
    /// No release is judged.
    Nothing,
    /// The target is not there, or nothing could be measured.
    NotLooked,
}

/// One watch.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) watch: String,
    pub(super) target: TargetId,
    pub(super) revision: Option<String>,
    pub(super) verdict: Verdict,
    /// Why, for people; may be empty.
    pub(super) reason: String,
    pub(super) findings: Vec<Finding>,
    /// Names of all its rules about releases: those without a finding say nothing.
    pub(super) rules: Vec<String>,
    /// Its rules between releases.
    pub(super) always: Vec<Between>,
    pub(super) holds: Vec<String>,
    /// What happened to it in this round, oldest first.
    pub(super) events: Vec<(Timestamp, String)>,
}

/// One rule between releases.
#[derive(Debug)]
pub(super) struct Between {
    pub(super) rule: String,
    /// What it says now, if it was looked at.
    pub(super) finding: Option<Finding>,
    /// Since when its incident has been open, if one is.
    pub(super) broken_since: Option<Timestamp>,
}

/// What one run did.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) watches: Vec<Judged>,
    /// Why it ended before all was done; what is left goes on at the next run.
    pub(super) cut: Option<String>,
    pub(super) pending_notices: usize,
}

/// What the exit code depends on besides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) verdict: bool,
    pub(super) waited: bool,
    pub(super) when_unclear: Option<Unclear>,
    /// A `CronJob`: whatever was found, the round was done.
    pub(super) only_whether_done: bool,
}

/// The worst of all watches.
pub(super) fn exit_code(round: &Round, asked: Asked) -> u8 {
    let codes = round.watches.iter().map(|watch| code(watch.verdict, asked));
    let severity = |code: &u8| match *code {
        FAIL => 3,
        COULD_NOT_LOOK => 2,
        INCONCLUSIVE => 1,
        _ => 0,
    };
    codes.max_by_key(severity).unwrap_or(0)
}

/// The exit code when nothing at all could be looked at: who says what is unclear has said it of this, too.
pub(super) fn of_no_look(when_unclear: Option<Unclear>) -> u8 {
    said(when_unclear, COULD_NOT_LOOK)
}

fn said(when_unclear: Option<Unclear>, otherwise: u8) -> u8 {
    match when_unclear {
        Some(Unclear::Pass) => 0,
        Some(Unclear::Fail) => FAIL,
        Some(Unclear::Inconclusive) => INCONCLUSIVE,
        None => otherwise,
    }
}

fn code(verdict: Verdict, asked: Asked) -> u8 {
    let unclear = |otherwise| said(asked.when_unclear, otherwise);
    if asked.only_whether_done {
        return match verdict {
            Verdict::NotLooked => COULD_NOT_LOOK,
            Verdict::Pass
            | Verdict::Passing
            | Verdict::Fail
            | Verdict::Inconclusive
            | Verdict::Undecided
            | Verdict::Nothing => 0,
        };
    }
    match verdict {
        Verdict::Pass | Verdict::Passing => 0,
        Verdict::Fail => FAIL,
        Verdict::Inconclusive => unclear(INCONCLUSIVE),
        Verdict::NotLooked => unclear(COULD_NOT_LOOK),
        Verdict::Undecided | Verdict::Nothing => unclear(if asked.waited || asked.verdict {
            INCONCLUSIVE
        } else {
            0
        }),
    }
}

/// Why nothing could be measured of a target, by target.
pub(super) type Blind = BTreeMap<TargetId, String>;

/// Targets of which no release is ever judged: all rules of their watch hold between releases.
pub(super) type BetweenOnly = BTreeSet<TargetId>;

pub(super) fn between_only(book: &RuleBook) -> BetweenOnly {
    let watches = book.watches.iter();
    let only = watches.filter(|watch| watch.rules.is_empty());
    only.map(|watch| watch.target.clone()).collect()
}

/// The verdict of one target so far: from what was written down in this run, and what is known of it now.
pub(super) fn of_target(
    target: &TargetSnapshot,
    records: &[(Timestamp, Record)],
    blind: &Blind,
    between: &BetweenOnly,
) -> (Verdict, String) {
    let ended = records.iter().rev().find_map(|(_, record)| match record {
        Record::AnalysisEnded {
            target: of, ending, ..
        } if *of == target.target => Some(ending),
        _ => None,
    });
    match ended {
        Some(Ending::Fail) => return (Verdict::Fail, "the release failed".to_owned()),
        Some(Ending::Pass) => return (Verdict::Pass, "the watch ended".to_owned()),
        Some(Ending::Inconclusive { reason }) => return (Verdict::Inconclusive, reason.clone()),
        Some(Ending::Superseded { .. }) | None => {}
    }
    if target
        .analysis
        .as_ref()
        .is_some_and(|analysis| analysis.failed)
    {
        return (
            Verdict::Fail,
            "the release failed, and the rollback is held back".to_owned(),
        );
    }
    if !target.seen {
        let reason = format!("{} does not exist", target.target);
        return (Verdict::NotLooked, reason);
    }
    if let Some(reason) = blind.get(&target.target) {
        return (Verdict::NotLooked, reason.clone());
    }
    if let Some(analysis) = &target.analysis {
        let watched = format!("the release is watched until {:.0}", analysis.ends);
        if analysis.passing {
            let reason = format!("every rule is surely kept so far; {watched}");
            return (Verdict::Passing, reason);
        }
        return (Verdict::Undecided, watched);
    }
    // No release is judged, so none is to blame.
    let broken: Vec<String> = target
        .always
        .iter()
        .filter_map(|rule| Some((rule, rule.incident.as_ref()?)))
        .map(|(rule, open)| format!("`{}` is broken since {:.0}", rule.rule, open.began))
        .collect();
    if !broken.is_empty() {
        return (
            Verdict::Fail,
            format!("no release is judged; {}", broken.join(", ")),
        );
    }
    if between.contains(&target.target) {
        let silent = target.always.iter().find(|rule| {
            let state = rule.finding.as_ref().map(|finding| finding.state);
            state != Some(State::Within)
        });
        return match silent {
            None => (Verdict::Pass, "its rules are kept".to_owned()),
            Some(rule) => {
                let reason = format!("`{}` does not say yet that it is kept", rule.rule);
                (Verdict::Undecided, reason)
            }
        };
    }
    match target.standing {
        Some(Standing::KnownGood { .. }) => (Verdict::Pass, "it is known good".to_owned()),
        Some(Standing::Failed { at }) => (Verdict::Fail, format!("it failed at {at:.0}")),
        Some(Standing::Inconclusive { .. }) | None => {
            (Verdict::Nothing, "no release is judged".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use recant_core::snapshot::{AlwaysSnapshot, IncidentSnapshot};

    use super::*;

    fn round(verdicts: &[Verdict]) -> Round {
        let watch = |verdict: &Verdict| Judged {
            watch: "shop/checkout".to_owned(),
            target: TargetId {
                namespace: "shop".to_owned(),
                kind: recant_core::ids::TargetKind::Deployment,
                name: "checkout".to_owned(),
            },
            revision: None,
            verdict: *verdict,
            reason: String::new(),
            findings: Vec::new(),
            rules: Vec::new(),
            always: Vec::new(),
            holds: Vec::new(),
            events: Vec::new(),
        };
        Round {
            began: Timestamp::UNIX_EPOCH,
            ended: Timestamp::UNIX_EPOCH,
            watches: verdicts.iter().map(watch).collect(),
            cut: None,
            pending_notices: 0,
        }
    }

    /// A target of which no release is judged, with rules between releases: what each says, and whether it is broken.
    fn target(rules: &[(State, bool)]) -> TargetSnapshot {
        let always = rules.iter().enumerate().map(|(index, (state, open))| {
            let rule = recant_core::ids::RuleName(format!("shop/rule-{index}"));
            let measured = recant_core::judge::Measured {
                events: 10.0,
                bad: 1.0,
                value: Some(1.0),
                or_more: false,
            };
            AlwaysSnapshot {
                finding: Some(Finding {
                    rule: rule.clone(),
                    state: *state,
                    dry_run: false,
                    canary: measured,
                    baseline: None,
                    limits: recant_core::judge::Limits::default(),
                    since: None,
                    reaches_limit_in: None,
                    compared: None,
                    proof: None,
                    sentence: "as it is".to_owned(),
                }),
                without_data: false,
                incident: open.then(|| IncidentSnapshot {
                    id: recant_core::ids::IncidentId("one".to_owned()),
                    began: Timestamp::UNIX_EPOCH,
                    scale: None,
                    scaling: None,
                    settled: None,
                    held: None,
                }),
                scaled: None,
                doing: None,
                rule,
            }
        });
        TargetSnapshot {
            on_request: false,
            watch: recant_core::ids::WatchName {
                namespace: "shop".to_owned(),
                name: "checkout".to_owned(),
            },
            target: TargetId {
                namespace: "shop".to_owned(),
                kind: recant_core::ids::TargetKind::Deployment,
                name: "checkout".to_owned(),
            },
            seen: true,
            current: None,
            standing: None,
            failed: None,
            blind: None,
            analysis: None,
            plan: None,
            verifying: false,
            holds: Vec::new(),
            traffic: None,
            rules_without_data: Vec::new(),
            markers: Vec::new(),
            always: always.collect(),
        }
    }

    #[test]
    fn between_releases_a_broken_rule_is_a_fail_and_kept_ones_are_a_pass() {
        let kept = (State::Within, false);
        // A watch that judges releases too, and one that does not.
        for (rules, both, only) in [
            (vec![kept, kept], Verdict::Nothing, Verdict::Pass),
            (
                vec![kept, (State::NoData, false)],
                Verdict::Nothing,
                Verdict::Undecided,
            ),
            (
                vec![kept, (State::Failing, true)],
                Verdict::Fail,
                Verdict::Fail,
            ),
            // It has not been kept for long enough yet.
            (
                vec![(State::Within, true), kept],
                Verdict::Fail,
                Verdict::Fail,
            ),
        ] {
            let target = target(&rules);
            let between = BetweenOnly::from([target.target.clone()]);
            let says = |between: &BetweenOnly| of_target(&target, &[], &Blind::new(), between);
            assert_eq!(says(&BetweenOnly::new()).0, both, "{rules:?}");
            assert_eq!(says(&between).0, only, "{rules:?}");
        }
    }

    const ROUND: Asked = Asked {
        verdict: false,
        waited: false,
        when_unclear: None,
        only_whether_done: false,
    };

    #[test]
    fn a_round_that_was_done_is_0_unless_a_verdict_is_asked_for() {
        use Verdict::{Fail, Inconclusive, NotLooked, Nothing, Pass, Undecided};
        let verdict = Asked {
            verdict: true,
            ..ROUND
        };
        for (verdicts, plain, asked) in [
            (vec![], 0, 0),
            (vec![Pass], 0, 0),
            (vec![Undecided], 0, 3),
            (vec![Nothing], 0, 3),
            (vec![Inconclusive], 3, 3),
            (vec![Fail], 1, 1),
            (vec![NotLooked], 4, 4),
            (vec![Pass, NotLooked, Fail, Undecided], 1, 1),
            (vec![Pass, Inconclusive, NotLooked], 4, 4),
        ] {
            let round = round(&verdicts);
            assert_eq!(exit_code(&round, ROUND), plain, "{verdicts:?}");
            assert_eq!(exit_code(&round, verdict), asked, "{verdicts:?}");
        }
    }

    #[test]
    fn missing_data_fail_a_pipeline_only_when_it_says_so() {
        let waited = |when_unclear| Asked {
            waited: true,
            when_unclear,
            ..ROUND
        };
        for (when_unclear, unclear, blind) in [
            (None, 3, 4),
            (Some(Unclear::Pass), 0, 0),
            (Some(Unclear::Fail), 1, 1),
            (Some(Unclear::Inconclusive), 3, 3),
        ] {
            let asked = waited(when_unclear);
            assert_eq!(exit_code(&round(&[Verdict::Undecided]), asked), unclear);
            assert_eq!(exit_code(&round(&[Verdict::Inconclusive]), asked), unclear);
            assert_eq!(exit_code(&round(&[Verdict::NotLooked]), asked), blind);
            assert_eq!(exit_code(&round(&[Verdict::Fail]), asked), 1);
            assert_eq!(exit_code(&round(&[Verdict::Pass]), asked), 0);
        }
    }

    #[test]
    fn a_cron_job_that_did_its_round_is_not_run_again() {
        let asked = Asked {
            only_whether_done: true,
            ..ROUND
        };
        for verdict in [Verdict::Fail, Verdict::Inconclusive, Verdict::Nothing] {
            assert_eq!(exit_code(&round(&[verdict]), asked), 0, "{verdict:?}");
        }
        assert_eq!(exit_code(&round(&[Verdict::NotLooked]), asked), 4);
    }
}
