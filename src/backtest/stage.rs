//! The world of one watch in a backtest: pods as their samples tell, and answers as they were. Nothing is carried out.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use recant_core::engine::ScaleAnswer;
use recant_core::ids::{PodName, TargetId, TargetKind};
use recant_core::observation::Observation;
use recant_core::plan::{StepCommand, StepResult};
use recant_core::record::Record;
use recant_core::rule::{Question, ScaleTarget, Watch};
use recant_core::target::{ForRollback, Pod, Revision, RolloutStatus, TargetNews, TargetState};

use super::onset::Onset;
use super::outcome::{Fold, evidence};
use super::releases::{Change, PodLife};
use crate::replay::World;

/// A pod that has gone is shown so long, so that its last counts are still its own.
const GOING: SignedDuration = SignedDuration::from_mins(1);
/// Revisions that are shown.
const MOST_REVISIONS: usize = 20;
/// What a step of a plan is answered with.
const NOTHING_DONE: &str = "this is a backtest: nothing is carried out";

pub(super) struct Stage {
    target: TargetId,
    /// When the history ends.
    end: Timestamp,
    pub(super) pods: BTreeMap<PodName, PodLife>,
    pub(super) changes: Vec<Change>,
    /// When pods or revisions change next; `None`: they were not shown yet.
    shown_until: Option<Timestamp>,
    /// The answers of the stretch that is replayed, one for each moment.
    answers: Vec<Vec<Observation>>,
    first: Timestamp,
    step: SignedDuration,
    /// In the order of `answers`.
    questions: Vec<Arc<Question>>,
    /// The questions as the engine holds them, with their places: to compare them anew at each look takes time.
    places: Vec<(Arc<Question>, usize)>,
    onset: Onset,
    pub(super) fold: Fold,
}

impl Stage {
    pub(super) fn new(
        watch: &Watch,
        questions: &[Arc<Question>],
        end: Timestamp,
        step: SignedDuration,
    ) -> Self {
        Self {
            target: watch.target.clone(),
            end,
            pods: BTreeMap::new(),
            changes: Vec::new(),
            shown_until: None,
            answers: Vec::new(),
            questions: questions.to_vec(),
            places: Vec::new(),
            first: Timestamp::UNIX_EPOCH,
            step,
            onset: Onset::new(watch, questions),
            fold: Fold::new(&watch.name, &watch.target),
        }
    }

    /// The answers of the next stretch, which begins at `first`: for each question those of all moments.
    pub(super) fn fill(&mut self, first: Timestamp, answers: Vec<Vec<Observation>>) {
        self.first = first;
        self.answers = answers;
        self.show_again();
    }

    fn place(&mut self, question: &Arc<Question>) -> Option<usize> {
        let mut known = self.places.iter();
        if let Some((_, place)) = known.find(|(known, _)| Arc::ptr_eq(known, question)) {
            return Some(*place);
        }
        let place = self.questions.iter().position(|known| known == question)?;
        // Every engine has its own.
        if self.places.len() >= 2 * self.questions.len() {
            self.places.clear();
        }
        self.places.push((question.clone(), place));
        Some(place)
    }

    /// Pods or revisions are not as they were said to be.
    pub(super) fn show_again(&mut self) {
        self.shown_until = None;
    }

    /// The revision at a time, and when it came.
    fn current(&self, now: Timestamp) -> Option<&Change> {
        let come = self.changes.partition_point(|change| change.at <= now);
        self.changes.get(come.checked_sub(1)?)
    }

    fn next_change(&self, now: Timestamp) -> Timestamp {
        let of_pods = self.pods.values().flat_map(|life| {
            let went = life.ended(self.end).then_some(life.last);
            let gone = went.and_then(|went| went.checked_add(GOING).ok());
            [Some(life.first), went, gone]
        });
        let changes = self.changes.iter().map(|change| change.at);
        let later = of_pods.flatten().chain(changes).filter(|at| *at > now);
        later.min().unwrap_or(Timestamp::MAX)
    }

    fn state(&self, now: Timestamp) -> Option<TargetState> {
        let current = self.current(now)?.revision.clone();
        let mut pods = Vec::new();
        for (name, life) in &self.pods {
            let going = life.ended(self.end) && now > life.last;
            if life.first > now || (going && life.last.duration_until(now) > GOING) {
                continue;
            }
            pods.push(Pod {
                name: name.clone(),
                hash: life.revision.clone(),
                created: life.first,
                ready: !going,
                terminating: going,
                ip: None,
                metrics: None,
                unready_reason: None,
            });
        }
        let others = |pod: &&Pod| pod.hash != current && !pod.terminating;
        let older = pods.iter().find(others).map(|pod| pod.hash.clone());
        let complete = older.is_none();
        Some(TargetState {
            id: self.target.clone(),
            uid: "recorded".to_owned(),
            rollout: match self.target.kind {
                TargetKind::Deployment | TargetKind::StatefulSet | TargetKind::DaemonSet => None,
                TargetKind::Rollout => Some(RolloutStatus {
                    stable: Some(
                        self.before(now)
                            .filter(|_| !complete)
                            .unwrap_or_else(|| current.clone()),
                    ),
                    aborted: false,
                    promote_full: false,
                    phase: if complete { "Healthy" } else { "Progressing" }.to_owned(),
                    message: String::new(),
                    workload_ref: false,
                    active: None,
                }),
            },
            current: Some(current),
            paused: false,
            complete,
            revisions: self.revisions(now),
            pods,
            kill_switch: None,
            last_plan: None,
            labels: std::collections::BTreeMap::new(),
            for_rollback: ForRollback::default(),
            pause: None,
            rolling: None,
            owner: None,
            shipped_by: None,
        })
    }

    /// The revision before the current one.
    fn before(&self, now: Timestamp) -> Option<recant_core::ids::RevisionHash> {
        let come = self.changes.partition_point(|change| change.at <= now);
        let before = self.changes.get(come.checked_sub(2)?)?;
        Some(before.revision.clone())
    }

    /// The latest revisions, each with the number that its last coming gave it.
    fn revisions(&self, now: Timestamp) -> Vec<Revision> {
        let come = self.changes.partition_point(|change| change.at <= now);
        let mut revisions: Vec<Revision> = Vec::new();
        let come = self.changes.get(..come).unwrap_or_default();
        for (index, change) in come.iter().enumerate().rev() {
            if revisions.len() >= MOST_REVISIONS {
                break;
            }
            if revisions.iter().all(|known| known.hash != change.revision) {
                revisions.push(Revision {
                    hash: change.revision.clone(),
                    number: index as u64 + 1,
                    images: Vec::new(),
                    created: change.at,
                });
            }
        }
        revisions
    }
}

impl World for Stage {
    fn news(&mut self, now: Timestamp) -> Vec<TargetNews> {
        if self.shown_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        self.shown_until = Some(self.next_change(now));
        let state = self.state(now);
        let news = state.map(|state| TargetNews::State(Box::new(state)));
        news.into_iter().collect()
    }

    fn answer(&mut self, _: &TargetId, question: &Arc<Question>, now: Timestamp) -> Observation {
        let nothing = |reason: &str| Observation::NoData {
            reason: reason.to_owned(),
        };
        let passed = self.first.duration_until(now).as_secs() / self.step.as_secs().max(1);
        let (Some(place), Ok(moment)) = (self.place(question), usize::try_from(passed)) else {
            return nothing("this is not asked of the history");
        };
        let of_question = self.answers.get_mut(place);
        let answer = match of_question.and_then(|answers| answers.get_mut(moment)) {
            // Each is asked for once.
            Some(answer) => std::mem::replace(answer, nothing("")),
            None => nothing("the history ends before"),
        };
        let canary = self.fold.judging();
        self.onset.see(place, &answer, canary, &self.pods);
        answer
    }

    fn carry_out(&mut self, _: &StepCommand, _: Timestamp) -> Option<StepResult> {
        Some(StepResult::Fenced {
            reason: NOTHING_DONE.to_owned(),
        })
    }

    fn look_at_scale(&mut self, target: ScaleTarget) -> ScaleAnswer {
        ScaleAnswer {
            target,
            state: Err(NOTHING_DONE.to_owned()),
        }
    }

    fn heard(&mut self, now: Timestamp, record: Record) {
        if let Record::AnalysisBegan { .. } = record {
            self.onset.clear();
        }
        let failed = matches!(record, Record::Failed { .. });
        let begin = self.current(now).map_or(now, |change| change.at);
        self.fold.take(now, begin, record);
        if let Some(release) = self.fold.last_mut().filter(|_| failed) {
            release.evidence.push((now, evidence(&release.findings)));
            let first = release
                .decisive()
                .and_then(|finding| self.onset.first_bad(finding));
            release.bad_since = first.map(|first| first.max(release.begin));
        }
    }
}
