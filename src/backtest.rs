//! What rules would have done over history: the engine as it is in production, replayed over what a Prometheus still
//! knows, or what was recorded of it. Nothing is carried out: after a rollback that would have been, history goes on
//! as it was.
//!
//! Each watch is replayed for itself, and only while there is something to judge: time between releases is skipped but
//! for what teaches the judge before the next one.

pub mod alarms;
mod onset;
mod outcome;
mod read;
mod releases;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use recant_core::engine::{Engine, EngineSettings};
use recant_core::guard::GuardSettings;
use recant_core::ids::{PodName, RevisionHash, RuleName, TargetId, TargetKind, WatchName};
use recant_core::ledger::{Ledger, TargetLedger};
use recant_core::rule::{Level, Question, RuleBook, SourceKind, Watch, What};

use crate::replay::Replay;
use crate::source::{NoRange, Source};
use read::Reader;
use releases::{Change, PodLife, changes, stand_in};
use stage::Stage;

pub use outcome::{Outcome, Release};

/// Moments that are read and replayed at once.
const STRETCH: i32 = 120;
/// Ticks before a release from which the judge learns.
const LEARNED: i32 = 300;
/// And some more, so that the interval between samples is known by then.
const SETTLED: i32 = 20;

/// What is to be replayed.
#[derive(Debug, Clone)]
pub struct Task {
    pub watches: Vec<Watch>,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Between two looks; whole seconds.
    pub step: SignedDuration,
    /// What holds rollbacks back.
    pub guards: GuardSettings,
    /// Whether the evidence is wanted look by look, for a drawing.
    pub evidence: bool,
    /// Releases that somebody knows of; for watches that are not named they are found from the series.
    pub given: Vec<Given>,
}

/// A release that somebody knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub watch: WatchName,
    /// Its pod-template hash; or any name, where series have no pods.
    pub revision: RevisionHash,
    pub begin: Timestamp,
    /// When it served no more.
    pub end: Option<Timestamp>,
    /// Whether it was bad, if that is known.
    pub bad: Option<bool>,
}

/// A rule that cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub watch: WatchName,
    pub rule: RuleName,
    pub why: &'static str,
}

/// What would have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub from: Timestamp,
    pub to: Timestamp,
    pub step: SignedDuration,
    /// In the order of their beginning.
    pub releases: Vec<Release>,
    /// Watches of which there is no series.
    pub unseen: Vec<WatchName>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    #[error("{question}: {error}")]
    NoRange { question: String, error: NoRange },
    #[error("{0}")]
    TooMuch(String),
}

/// The watches as they can be replayed: only what judges releases, without channels, and not only observing.
///
/// `expressions`: the history answers `promql` rules.
pub fn prepare(book: &RuleBook, expressions: bool) -> (Vec<Watch>, Vec<LeftOut>) {
    let mut left_out = Vec::new();
    let mut watches = Vec::new();
    for watch in &book.watches {
        let mut watch = watch.clone();
        watch.rules.retain(|rule| {
            let why = names_tell_no_revision(watch.target.kind)
                .or_else(|| why_not(&Question::of(rule), expressions));
            left_out.extend(why.map(|why| LeftOut {
                watch: watch.name.clone(),
                rule: rule.name.clone(),
                why,
            }));
            why.is_none()
        });
        watch.always.clear();
        watch.on_pass.clear();
        watch.on_fail.notify.clear();
        watch.source = None;
        watch.dry_run = false;
        if !watch.rules.is_empty() {
            watches.push(watch);
        }
    }
    (watches, left_out)
}

/// Which pods were of which revision is known from their names alone.
fn names_tell_no_revision(kind: TargetKind) -> Option<&'static str> {
    match kind {
        TargetKind::Deployment | TargetKind::Rollout => None,
        TargetKind::StatefulSet => Some(
            "the names of a StatefulSet's pods do not tell their revision, so its past releases cannot be told apart",
        ),
        TargetKind::DaemonSet => Some(
            "the names of a DaemonSet's pods do not tell their revision, so its past releases cannot be told apart",
        ),
    }
}

fn why_not(question: &Question, expressions: bool) -> Option<&'static str> {
    match &question.what {
        What::Ratio { .. } | What::Histogram { .. } | What::Level(Level::Gauge(_)) => None,
        What::Level(Level::Promql(_)) if !expressions => {
            Some("an expression takes a Prometheus to ask: give --prometheus URL")
        }
        What::Level(Level::Promql(promql)) => promql.range.map(
            |_| "an expression that asks for a range of its own cannot be asked as of the past",
        ),
        What::Level(Level::Kubernetes(_)) => {
            Some("what objects of Kubernetes said is not recorded")
        }
        What::Level(Level::HttpJson(_)) => Some("what documents said is not recorded"),
        What::Level(Level::Redis(_)) => Some("what was in Redis is not recorded"),
        What::Level(Level::Alert(_)) => {
            Some("which alerts Alertmanager would have sent is not recorded")
        }
    }
}

/// Replays all watches.
///
/// # Errors
/// The history cannot be read, or is too much.
pub async fn run(history: &dyn Source, task: &Task) -> Result<Report, BacktestError> {
    let mut reader = Reader::new(history, task);
    let lives = reader.lives().await?;
    let mut releases = Vec::new();
    let mut unseen = Vec::new();
    for (watch, pods) in task.watches.iter().zip(lives) {
        let mut replayed = Replayed::new(task, watch, pods);
        if replayed.stage.changes.is_empty() {
            unseen.push(watch.name.clone());
            continue;
        }
        replayed.run(&mut reader).await?;
        releases.extend(replayed.releases());
    }
    releases.sort_by(|a, b| (a.begin, &a.watch).cmp(&(b.begin, &b.watch)));
    Ok(Report {
        from: task.from,
        to: task.to,
        step: task.step,
        releases,
        unseen,
    })
}

/// One watch on its way through history.
struct Replayed<'t> {
    task: &'t Task,
    watch: &'t Watch,
    stage: Stage,
    replay: Replay,
    questions: Vec<Arc<Question>>,
    given: Vec<&'t Given>,
}

impl<'t> Replayed<'t> {
    fn new(task: &'t Task, watch: &'t Watch, pods: BTreeMap<PodName, PodLife>) -> Self {
        let mut given: Vec<&Given> = task
            .given
            .iter()
            .filter(|given| given.watch == watch.name)
            .collect();
        given.sort_by_key(|given| given.begin);
        let mut questions: Vec<Arc<Question>> = Vec::new();
        for rule in &watch.rules {
            let question = Arc::new(Question::of(rule));
            if !questions.contains(&question) {
                questions.push(question);
            }
        }
        let mut stage = Stage::new(watch, &questions, task.to, task.step);
        stage.pods = pods;
        let mut replayed = Self {
            task,
            watch,
            stage,
            replay: Replay::new(engine(task, watch, Ledger::default())),
            questions,
            given,
        };
        replayed.stand_in();
        replayed.find_changes();
        replayed
    }

    /// Revisions of releases that are given, and have no pod with samples, get one.
    fn stand_in(&mut self) {
        let pods = &mut self.stage.pods;
        let has_pods = |pods: &BTreeMap<PodName, PodLife>, revision: &RevisionHash| {
            pods.values().any(|life| life.revision == *revision)
        };
        let Some(first) = self.given.first() else {
            return;
        };
        let workload = &self.watch.target.name;
        // What served before the first release that is known of.
        if first.begin > self.task.from && !pods.values().any(|life| life.first < first.begin) {
            let revision = RevisionHash::from("before");
            let life = PodLife {
                revision: revision.clone(),
                first: self.task.from,
                last: first.begin,
            };
            pods.insert(stand_in(workload, &revision), life);
        }
        let ends = self.given.iter().skip(1).map(|next| Some(next.begin));
        for (given, next) in self.given.iter().zip(ends.chain([None])) {
            if !has_pods(pods, &given.revision) {
                let life = PodLife {
                    revision: given.revision.clone(),
                    first: given.begin,
                    last: given.end.or(next).unwrap_or(self.task.to),
                };
                pods.insert(stand_in(workload, &given.revision), life);
            }
        }
    }

    fn find_changes(&mut self) {
        let span = (self.task.from, self.task.to);
        let found = changes(&self.stage.pods, span);
        self.stage.changes = match self.given.first() {
            None => found,
            Some(first) => {
                let before = found
                    .into_iter()
                    .take_while(|change| {
                        change.at < first.begin && change.revision != first.revision
                    })
                    .last();
                let given = self.given.iter().map(|given| Change {
                    at: given.begin,
                    revision: given.revision.clone(),
                });
                before.into_iter().chain(given).collect()
            }
        };
    }

    async fn run(&mut self, reader: &mut Reader<'_>) -> Result<(), BacktestError> {
        let (step, end) = (self.task.step, self.task.to);
        let mut now = self.task.from;
        while now <= end {
            if !self.busy() {
                let Some(next) = self.next_release(now) else {
                    break;
                };
                let lead = step
                    .checked_mul(LEARNED + SETTLED)
                    .unwrap_or(SignedDuration::ZERO);
                let from = aligned(next.checked_sub(lead).unwrap_or(next), step);
                if from > now {
                    // As after a restart: what was counted before says nothing of what comes.
                    now = from;
                    let ledger = self.replay.engine().ledger().clone();
                    self.replay = Replay::new(engine(self.task, self.watch, ledger));
                }
            }
            let first = now;
            let last = later(first, step, STRETCH - 1).min(end);
            let answers = reader
                .stretch(
                    self.watch,
                    &self.questions,
                    (first, last),
                    &mut self.stage.pods,
                )
                .await?;
            self.find_changes();
            self.stage.fill(first, answers);
            while now <= last {
                self.replay.tick(now, &mut self.stage);
                if self.task.evidence {
                    self.remember_evidence(now);
                }
                now = later(now, step, 1);
            }
        }
        Ok(())
    }

    fn remember_evidence(&mut self, now: Timestamp) {
        if self.stage.fold.judging().is_none() {
            return;
        }
        let targets = self.replay.engine().snapshot(now).targets;
        let mut analyses = targets.into_iter().filter_map(|target| target.analysis);
        if let (Some(analysis), Some(release)) = (analyses.next(), self.stage.fold.last_mut()) {
            let evidence = outcome::evidence(&analysis.findings);
            release.evidence.push((now, evidence));
        }
    }

    /// Whether something is being judged, or done.
    fn busy(&self) -> bool {
        let known = self
            .replay
            .engine()
            .ledger()
            .targets
            .get(&self.watch.target);
        known.is_some_and(|known: &TargetLedger| {
            known.analysis.is_some() || known.plan.is_some() || known.verification.is_some()
        })
    }

    /// When the next revision comes.
    fn next_release(&self, now: Timestamp) -> Option<Timestamp> {
        let changes = self.stage.changes.iter().map(|change| change.at);
        // What came within the last step has not been shown.
        changes
            .filter(|at| later(*at, self.task.step, 1) > now)
            .min()
    }

    fn releases(self) -> Vec<Release> {
        let mut releases = self.stage.fold.releases();
        for release in &mut releases {
            let said = self
                .given
                .iter()
                .find(|given| given.revision == release.revision && given.begin == release.begin);
            release.known_bad = said.and_then(|given| given.bad);
        }
        releases
    }
}

fn engine(task: &Task, watch: &Watch, ledger: Ledger) -> Engine {
    let book = RuleBook {
        on_request: Vec::new(),
        // What happened has happened: nothing is paused in it, and it had the traffic that it had.
        watches: vec![Watch {
            pause_at: None,
            stepped: None,
            ..watch.clone()
        }],
        channels: BTreeMap::new(),
    };
    let settings = EngineSettings {
        guards: task.guards.clone(),
        source: SourceKind::Prometheus,
        interval: task.step,
        on_request: 0,
        ends_unwatched: true,
    };
    Engine::new(&book, settings, ledger)
}

/// So many steps later.
fn later(at: Timestamp, step: SignedDuration, steps: i32) -> Timestamp {
    let span = step.checked_mul(steps).unwrap_or(SignedDuration::MAX);
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// The last moment that is not after `at`.
pub fn aligned(at: Timestamp, step: SignedDuration) -> Timestamp {
    let step = step.as_secs().max(1);
    Timestamp::from_second(at.as_second().div_euclid(step) * step).unwrap_or(at)
}

/// How targets are named in messages of a question.
fn named(targets: &[&TargetId]) -> String {
    let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
    recant_core::wording::listed(&names)
}
