//! Looking back: what happened between two short runs is judged at the times when it happened.
//!
//! Past answers go through the same rooms as those of now, in their order and at their own times, so that a verdict is
//! the one that an agent which runs all the time would have come to. But nothing is begun or told in the past: a
//! release that failed stays failed, and whether something is done about it is left to the tick of now, whose guards
//! see whether it still fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Answer, Engine, Output, Turn, always, decide, observe, releases, resume, verify};
use crate::history::DEPTH;
use crate::ids::TargetId;
use crate::record::Record;
use crate::rule::{Question, SourceKind};
use crate::share::Sharing;
use crate::target::{TargetNews, TargetState};
use crate::time::later;

/// How far the first look at a target reaches back.
const FIRST: SignedDuration = SignedDuration::from_mins(5);
/// No look reaches back further, however long ago the last one was.
const FURTHEST: SignedDuration = SignedDuration::from_hours(6);

/// What is to be read of the past of one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Back {
    /// As it is now; the revisions tell whose the pods were that are gone.
    pub state: TargetState,
    /// Those that a history can answer, each with its source. The others are looked at from now on only.
    pub questions: Vec<(SourceKind, Arc<Question>)>,
    /// From when on, up to now.
    pub from: Timestamp,
    /// From when on it is about the release, or what the next one is compared with; `None`: nothing of one is judged.
    release: Option<Timestamp>,
    /// From when on it is about the rules between releases; `None`: there are none.
    always: Option<Timestamp>,
    looked: Option<Timestamp>,
    /// When a new revision came since the last look.
    pub came: Option<Timestamp>,
}

impl Engine {
    /// What must be read before the first tick, given the first news and when each target was last looked at.
    ///
    /// Of targets of which nothing is judged, that are at the revision they were at, and that have no rules between
    /// releases: as much as `history` says. It teaches the judge of the next release how failures come.
    pub fn looks_back(
        &self,
        now: Timestamp,
        looked: &BTreeMap<TargetId, Timestamp>,
        history: Option<SignedDuration>,
        news: &[TargetNews],
    ) -> Vec<Back> {
        let states = news.iter().filter_map(|news| match news {
            TargetNews::State(state) => Some(&**state),
            TargetNews::Gone(_) => None,
        });
        states
            .filter_map(|state| self.back(now, looked.get(&state.id).copied(), history, state))
            .collect()
    }

    fn back(
        &self,
        now: Timestamp,
        looked: Option<Timestamp>,
        history: Option<SignedDuration>,
        state: &TargetState,
    ) -> Option<Back> {
        let live = self.live.get(&state.id)?;
        let known = self.ledger.targets.get(&state.id);
        if known.is_some_and(|known| known.plan.is_some()) {
            return None;
        }
        let furthest = later(now, -FURTHEST);
        let last = looked.unwrap_or_else(|| later(now, -FIRST)).max(furthest);
        let came = releases::came(known, state, last).map(|came| came.min(now));
        let under_way = known.filter(|known| {
            known.uid == state.uid && (known.analysis.is_some() || known.verification.is_some())
        });
        let bounded = |from: Timestamp| from.max(furthest).min(now);
        let release = match (under_way, came) {
            // The counters of the last checkpoint are counted on from.
            (Some(known), _) => Some(known.checkpoint.as_ref().map_or(last, |last| last.at)),
            // What the release is compared with.
            (None, Some(came)) => Some(later(came, -DEPTH.max(history.unwrap_or_default()))),
            (None, None) => history.map(|history| later(now, -history)),
        }
        .map(bounded);
        let recorded = self.ledger.always.get(&state.id);
        let always = always::looks_back(live, recorded, looked, last).map(bounded);
        let of_release = live.measurements.keys().filter(|_| release.is_some());
        let of_always = live.always.measurements.keys();
        let questions: BTreeSet<&Arc<Question>> = of_release.chain(of_always).collect();
        Some(Back {
            state: state.clone(),
            questions: questions
                .into_iter()
                .filter(|question| question.has_past())
                .map(|question| (live.source_of(question, &self.settings), question.clone()))
                .collect(),
            from: release.into_iter().chain(always).min()?,
            release,
            always,
            looked,
            came,
        })
    }

    /// Takes in the past answers, each at its time: what is to be written down, by time. The effects are handed out by
    /// the next tick, when that is durable.
    pub fn look_back(
        &mut self,
        now: Timestamp,
        backs: Vec<Back>,
        answers: BTreeMap<Timestamp, Vec<Answer>>,
    ) -> Vec<(Timestamp, Vec<Record>)> {
        let mut written = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            let (settings, channels) = (self.settings.clone(), &self.channels);
            let mut turn = Turn {
                now,
                past: false,
                settings,
                ledger: &mut self.ledger,
                output: Output::default(),
                wishes: Vec::new(),
                // What is looked back at begins nothing.
                sharing: &Sharing::Alone,
                asking: Vec::new(),
                asked: BTreeSet::new(),
            };
            resume::begin(&mut turn, &self.live, channels);
            let output = turn.output;
            self.keep(now, output, &mut written);
        }
        let mut coming: Vec<(Timestamp, TargetId)> = Vec::new();
        for back in backs {
            let target = back.state.id.clone();
            let turn = Turn {
                now: back.release.unwrap_or(now),
                past: true,
                settings: self.settings.clone(),
                ledger: &mut self.ledger,
                output: Output::default(),
                wishes: Vec::new(),
                // What is looked back at begins nothing.
                sharing: &Sharing::Alone,
                asking: Vec::new(),
                asked: BTreeSet::new(),
            };
            let Some(live) = self.live.get_mut(&target) else {
                continue;
            };
            resume::restore(&turn, &target, live);
            live.past_from = back.release;
            always::restore_back(&turn, &target, live, back.always, back.looked);
            live.see_back(back.state);
            coming.extend(back.came.map(|came| (came, target)));
        }
        coming.sort();
        let mut coming = coming.into_iter().peekable();
        for (at, answers) in answers {
            while let Some((came, target)) = coming.next_if(|(came, _)| *came <= at) {
                self.came(came, &target, &mut written);
            }
            self.past(at, answers, &mut written);
        }
        for (came, target) in coming {
            self.came(came, &target, &mut written);
        }
        written
    }

    fn came(
        &mut self,
        at: Timestamp,
        target: &TargetId,
        written: &mut Vec<(Timestamp, Vec<Record>)>,
    ) {
        let Some(live) = self.live.get_mut(target) else {
            return;
        };
        let mut turn = Turn {
            now: at,
            past: true,
            settings: self.settings.clone(),
            ledger: &mut self.ledger,
            output: Output::default(),
            wishes: Vec::new(),
            // What is looked back at begins nothing.
            sharing: &Sharing::Alone,
            asking: Vec::new(),
            asked: BTreeSet::new(),
        };
        releases::see_back(&mut turn, live, target);
        let output = turn.output;
        self.keep(at, output, written);
    }

    fn past(
        &mut self,
        at: Timestamp,
        answers: Vec<Answer>,
        written: &mut Vec<(Timestamp, Vec<Record>)>,
    ) {
        let targets: BTreeSet<TargetId> =
            answers.iter().map(|answer| answer.target.clone()).collect();
        let mut turn = Turn {
            now: at,
            past: true,
            settings: self.settings.clone(),
            ledger: &mut self.ledger,
            output: Output::default(),
            wishes: Vec::new(),
            // What is looked back at begins nothing.
            sharing: &Sharing::Alone,
            asking: Vec::new(),
            asked: BTreeSet::new(),
        };
        // Whether the source works is a matter of now.
        drop(observe::take_in(&mut turn, &mut self.live, answers));
        for target in &targets {
            if let Some(live) = self.live.get_mut(target) {
                // Older answers are about the rules between releases alone.
                if live.past_from.is_some_and(|from| at >= from) {
                    decide::judge(&mut turn, target, live);
                    verify::verify(&mut turn, target, live);
                }
                always::tend_past(&mut turn, target, live);
            }
        }
        let output = turn.output;
        self.keep(at, output, written);
    }

    fn keep(&mut self, at: Timestamp, output: Output, written: &mut Vec<(Timestamp, Vec<Record>)>) {
        self.deferred.extend(output.effects);
        if !output.records.is_empty() {
            written.push((at, output.records));
        }
    }
}
