//! Runs tests of rules: the engine as it is in production, with the clock of the data, and series instead of sources.
//!
//! The cluster is a model without surprises (`workload`): every step of a plan succeeds, and pods switch at once.

mod alerts;
mod expect;
mod recorded;
mod scaled;
mod workload;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use recant_core::analysis::Ending;
use recant_core::engine::{Engine, EngineSettings, ScaleAnswer};
use recant_core::explain;
use recant_core::guard::GuardSettings;
use recant_core::hook::Hook;
use recant_core::ids::TargetId;
use recant_core::judge::Finding;
use recant_core::ledger::Ledger;
use recant_core::notice::Notice;
use recant_core::observation::Observation;
use recant_core::plan::{Action, StepCommand, StepResult};
use recant_core::record::Record;
use recant_core::rule::{Channel, Question, RuleBook, ScaleTarget, SourceKind, Watch};
use recant_core::target::TargetNews;
use recant_core::testcase::{ExpectedAction, ExpectedVerdict, Origin, TestCase};

use crate::replay::{self, Replay};
use alerts::Alerts;
use recorded::Recording;
use scaled::Scaled;
use workload::Workload;

/// Between two ticks, and between two looks at a metric at least: the default of the setting `interval`.
const TICK: SignedDuration = SignedDuration::from_secs(5);

/// What came of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// None: the test passed.
    pub failures: Vec<Failure>,
    /// All that happened: time since the beginning, and what.
    pub story: Vec<(SignedDuration, String)>,
    /// The same as the engine wrote it down: what its journal would hold.
    pub records: Vec<(Timestamp, Record)>,
}

/// An expectation that was not met.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub origin: Origin,
    pub at: SignedDuration,
    /// `verdict`, `rule http/error-rate`, `actions`.
    pub what: String,
    pub expected: String,
    pub got: String,
    /// What the rules say then.
    pub sentences: Vec<String>,
}

/// Runs one test; `channels` are those of the rule book that its watch is of.
pub fn run<'c>(test: &TestCase, channels: impl IntoIterator<Item = &'c Channel>) -> Outcome {
    let begin = begin();
    let mut world = World::new(test, begin);
    let mut replay = Replay::new(engine(test, channels));
    let mut failures = Vec::new();
    let mut expectations = test.expect.iter().peekable();
    for second in seconds(test) {
        let now = begin + SignedDuration::from_secs(second);
        replay.tick(now, &mut world);
        world.look(&replay);
        while let Some(expectation) =
            expectations.next_if(|expectation| signed(expectation.at).as_secs() == second)
        {
            failures.extend(expect::compare(expectation, &world));
        }
    }
    failures.extend(expect::never(test, &world));
    Outcome {
        failures,
        story: world.story,
        records: world.records,
    }
}

/// Any time will do, but it must be the same every time.
fn begin() -> Timestamp {
    Timestamp::from_second(1_767_225_600).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// When the engine ticks: regularly, and at every time that the test speaks of.
fn seconds(test: &TestCase) -> BTreeSet<i64> {
    let times = |at: Duration| signed(at).as_secs();
    let releases = test
        .releases
        .iter()
        .flat_map(|release| [Some(release.at), release.completes]);
    let mut seconds: BTreeSet<i64> = releases
        .flatten()
        .chain(test.expect.iter().map(|expectation| expectation.at))
        .map(times)
        .collect();
    let values = test
        .series
        .iter()
        .map(|series| &series.values)
        .chain(test.answers.iter().map(|answer| &answer.values))
        .map(recant_core::testcase::Values::len)
        .max();
    // Without a last expectation the test runs to the end of its series.
    let end = match test.expect.last() {
        Some(last) if test.never.is_empty() => times(last.at),
        last => {
            let series = values.unwrap_or(0).saturating_mul(test.interval.as_secs());
            let series = i64::try_from(series).unwrap_or(LONGEST).min(LONGEST);
            last.map_or(series, |last| times(last.at).max(series))
        }
    };
    let regular = usize::try_from(TICK.as_secs()).unwrap_or(1);
    seconds.extend((0..=end).step_by(regular));
    seconds.retain(|second| *second <= end);
    seconds
}

/// Tests end then at the latest.
const LONGEST: i64 = 48 * 3600;

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// The engine with the watch of the test alone.
fn engine<'c>(test: &TestCase, channels: impl IntoIterator<Item = &'c Channel>) -> Engine {
    let book = RuleBook {
        on_request: Vec::new(),
        // The course of a release is written down: nothing is paused in it, and there are no routes.
        watches: vec![Watch {
            pause_at: None,
            stepped: None,
            ..test.watch.clone()
        }],
        channels: channels
            .into_iter()
            .map(|channel| (channel.name.clone(), channel.clone()))
            .collect(),
    };
    let settings = EngineSettings {
        guards: GuardSettings::only(SignedDuration::from_mins(10), 10),
        source: SourceKind::Prometheus,
        interval: TICK,
        on_request: 0,
        ends_unwatched: true,
    };
    Engine::new(&book, settings, Ledger::default())
}

/// Everything around the engine, and what it made of it.
struct World {
    workload: Workload,
    recording: Recording,
    alerts: Alerts,
    begin: Timestamp,
    now: Timestamp,
    scaled: Scaled,
    verdict: ExpectedVerdict,
    findings: Vec<Finding>,
    notices: Vec<Notice>,
    actions: Vec<ExpectedAction>,
    story: Vec<(SignedDuration, String)>,
    records: Vec<(Timestamp, Record)>,
}

impl World {
    fn new(test: &TestCase, begin: Timestamp) -> Self {
        Self {
            workload: Workload::new(test, begin),
            recording: Recording::new(test, begin),
            alerts: Alerts::new(test, begin),
            begin,
            now: begin,
            scaled: Scaled::default(),
            verdict: ExpectedVerdict::None,
            findings: Vec::new(),
            notices: Vec::new(),
            actions: Vec::new(),
            story: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Keeps what the rules say after a tick.
    fn look(&mut self, replay: &Replay) {
        for target in replay.engine().snapshot(self.now).targets {
            if let Some(analysis) = target.analysis {
                self.findings = analysis.findings;
            }
        }
    }

    /// Keeps what expectations may ask for.
    fn note(&mut self, record: Record) {
        match record {
            Record::AnalysisBegan { .. } => {
                self.verdict = ExpectedVerdict::Undecided;
                self.findings.clear();
            }
            Record::Failed { findings, .. } => {
                self.verdict = ExpectedVerdict::Fail;
                self.findings = findings;
            }
            Record::AnalysisEnded {
                ending, findings, ..
            } => {
                self.verdict = match ending {
                    Ending::Pass => ExpectedVerdict::Pass,
                    Ending::Fail => ExpectedVerdict::Fail,
                    Ending::Inconclusive { .. } => ExpectedVerdict::Inconclusive,
                    Ending::Superseded { .. } => ExpectedVerdict::Superseded,
                };
                self.findings = findings;
            }
            Record::PlanBegan { plan } => self.actions.push(ExpectedAction::Rollback {
                to: plan.to.revision,
            }),
            Record::Noticed(notice) => self.notices.push(*notice),
            _ => {}
        }
    }
}

impl replay::World for World {
    fn news(&mut self, now: Timestamp) -> Vec<TargetNews> {
        self.now = now;
        self.workload.advance(now);
        self.workload.news()
    }

    fn answer(
        &mut self,
        _target: &TargetId,
        question: &Arc<Question>,
        now: Timestamp,
    ) -> Observation {
        let pods = self.workload.pods();
        self.recording.read(question, &pods, now)
    }

    fn reports(&mut self, now: Timestamp) -> Vec<Hook> {
        self.alerts.at(now)
    }

    fn carry_out(&mut self, command: &StepCommand, now: Timestamp) -> Option<StepResult> {
        match &command.action {
            Action::Rollback(rollback) => self.workload.carry_out(&command.plan, rollback, now),
            // The course of a release is written down.
            Action::Pause(_) | Action::Sync(_) => Some(StepResult::Refused {
                reason: "nothing is paused in a test".to_owned(),
            }),
            Action::Scale(change) => {
                self.actions.push(ExpectedAction::Scale {
                    target: format!("{}/{}", change.target.kind, change.target.name),
                    replicas: change.to,
                });
                Some(self.scaled.carry_out(change, &command.plan))
            }
            Action::Apply(apply) => Some(StepResult::Refused {
                reason: format!("there is no {} in a test of rules", apply.applied),
            }),
            Action::Webhook(call) => Some(StepResult::Refused {
                reason: format!("{} is not called in a test of rules", call.called),
            }),
            Action::Evidence(evidence) => Some(StepResult::Refused {
                reason: format!("there is no {} in a test of rules", evidence.into),
            }),
            // No object but workloads with replicas is in a test of rules.
            Action::Change(change) => Some(StepResult::Refused {
                reason: format!("there is no {} in a test of rules", change.object),
            }),
        }
    }

    fn look_at_scale(&mut self, target: ScaleTarget) -> ScaleAnswer {
        self.scaled.look(target)
    }

    fn heard(&mut self, now: Timestamp, record: Record) {
        let at = now.duration_since(self.begin);
        let texts = explain::texts(&record);
        self.story.extend(texts.into_iter().map(|text| (at, text)));
        self.records.push((now, record.clone()));
        self.note(record);
    }
}
