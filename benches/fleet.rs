//! A fleet of watched Deployments with recorded answers: what the benches feed the engine with.
//!
//! Nothing is asked and nothing is written: a tick is timed by itself. The rules are read from YAML, as a user's are.
#![allow(
    dead_code,
    reason = "each bench is a program of its own and uses what it needs"
)]

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use recant_core::engine::{Answer, Engine, EngineSettings, Inputs, Output};
use recant_core::guard::GuardSettings;
use recant_core::ledger::Ledger;
use recant_core::observation::{
    Cumulative, HistogramCounters, Observation, Reading, SeriesKey, SeriesReading,
};
use recant_core::rule::{RuleBook, SourceKind, What};
use recant_core::spec::{self, SourceFile};
use recant_core::target::{ForRollback, Pod, Revision, TargetNews, TargetState};

/// Pods of the old and of the new revision, each.
const PODS: usize = 3;
/// Requests of one pod in a second.
const RATE: f64 = 20.0;
const BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Two shares and two quantiles, each from metrics of its own: four rules that ask four questions.
const RULES: &str = "
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: fleet}
rules:
- name: error-rate
  ratio: {bad: 'http_requests_total{status=~\"5..\"}', total: http_requests_total}
  max: 5%
  compare: {margin: 50%, plus: 1%}
- name: payments
  ratio: {bad: 'payments_total{result=\"error\"}', total: payments_total}
  max: 5%
- name: latency-p95
  histogram: http_request_duration_seconds
  quantile: 95%
  max: 1s
- name: queries-p99
  histogram: db_query_duration_seconds
  quantile: 99%
  max: 1s
  compare: {margin: 100%, plus: 5%}
";

/// The rules of `watches` Deployments.
pub(crate) fn book(watches: usize) -> RuleBook {
    let mut documents = RULES.to_owned();
    let mut files = Vec::new();
    for index in 0..watches {
        write!(
            documents,
            "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: w{index:05}, namespace: shop}}\n\
             target: {{kind: Deployment, name: w{index:05}}}\nrules: [fleet]\nrelease: {{watch: 23h}}\n\
             onFail: [{{rollback: {{}}}}]\n"
        )
        .expect("a String takes text");
        // A file has a largest size.
        if index % 500 == 499 {
            files.push(std::mem::take(&mut documents));
        }
    }
    files.push(documents);
    let files: Vec<SourceFile> = files
        .into_iter()
        .enumerate()
        .map(|(index, text)| SourceFile {
            name: format!("fleet-{index}.yaml"),
            text,
        })
        .collect();
    let loaded = spec::load(&files, &[]);
    loaded
        .book
        .unwrap_or_else(|| panic!("the fleet's rules: {}", loaded.diagnostics[0]))
}

/// Settings of an agent that looks every second.
pub(crate) fn settings() -> EngineSettings {
    EngineSettings {
        guards: GuardSettings::only(SignedDuration::from_mins(10), 6),
        source: SourceKind::Scrape,
        interval: SignedDuration::from_secs(1),
        on_request: 200,
        ends_unwatched: true,
    }
}

/// What the fleet is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// One revision serves everywhere: nothing is judged.
    Resting,
    /// Every target has a release under watch, with both revisions serving.
    Releasing,
}

/// An engine with its targets, and the time.
pub(crate) struct Fleet {
    pub(crate) engine: Engine,
    begin: Timestamp,
    doing: Doing,
    /// Seconds since the beginning.
    second: i64,
}

impl Fleet {
    /// A fleet that has been seen, and has answered for a while.
    pub(crate) fn new(watches: usize, doing: Doing) -> Self {
        let book = book(watches);
        let begin: Timestamp = "2026-01-01T00:00:00Z".parse().expect("is a timestamp");
        let mut fleet = Self {
            engine: Engine::new(&book, settings(), Ledger::default()),
            begin,
            doing,
            second: 0,
        };
        let cluster = book
            .watches
            .iter()
            .map(|watch| TargetNews::State(Box::new(fleet.state(&watch.target))))
            .collect();
        fleet.engine.tick(
            begin,
            Inputs {
                cluster,
                ..Inputs::default()
            },
        );
        for _ in 0..8 {
            let inputs = fleet.answers();
            fleet.tick(inputs);
        }
        fleet
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.begin + SignedDuration::from_secs(self.second)
    }

    pub(crate) fn tick(&mut self, inputs: Inputs) -> Output {
        let now = self.now();
        self.engine.tick(now, inputs)
    }

    /// The next second, with what the sources answer in it to every question.
    pub(crate) fn answers(&mut self) -> Inputs {
        self.second += 1;
        let now = self.now();
        let answers = self
            .engine
            .questions(now)
            .into_iter()
            .flat_map(|asked| {
                let series = self.series(&asked.question.what);
                let question = asked.question.clone();
                asked.targets.into_iter().map(move |target| Answer {
                    observation: Observation::Reading(Reading {
                        series: series
                            .iter()
                            .map(|(pod, value)| SeriesReading {
                                key: SeriesKey::Pod {
                                    namespace: target.namespace.clone(),
                                    pod: format!("{}-{pod}", target.name).as_str().into(),
                                },
                                member: None,
                                at: now,
                                value: value.clone(),
                            })
                            .collect(),
                    }),
                    target,
                    question: question.clone(),
                })
            })
            .collect();
        Inputs {
            answers,
            ..Inputs::default()
        }
    }

    /// The next second, in which nothing came.
    pub(crate) fn nothing(&mut self) -> Inputs {
        self.second += 1;
        Inputs::default()
    }

    fn pods(&self) -> usize {
        match self.doing {
            Doing::Resting => PODS,
            Doing::Releasing => 2 * PODS,
        }
    }

    /// The counters of each pod: 1 % of the answers are bad, and nearly all are quick.
    fn series(&self, what: &What) -> Vec<(usize, Cumulative)> {
        let bounds: Arc<[f64]> = BOUNDS.into();
        (0..self.pods())
            .map(|pod| {
                let total = (self.second as f64) * RATE + pod as f64;
                let value = if matches!(what, What::Histogram { .. }) {
                    let counters = (0..=BOUNDS.len())
                        .map(|bucket| (total * (bucket as f64 / 6.0).min(1.0)).floor())
                        .collect();
                    Cumulative::Histogram(HistogramCounters {
                        bounds: bounds.clone(),
                        counters,
                    })
                } else {
                    Cumulative::Ratio {
                        part: Some((total * 0.01).floor()),
                        total: Some(total),
                        part_shape: true,
                    }
                };
                (pod, value)
            })
            .collect()
    }

    fn state(&self, target: &recant_core::ids::TargetId) -> TargetState {
        let revisions: &[&str] = match self.doing {
            Doing::Resting => &["old"],
            Doing::Releasing => &["old", "new"],
        };
        let born = self.begin - SignedDuration::from_mins(5);
        TargetState {
            id: target.clone(),
            uid: format!("uid-{}", target.name),
            current: revisions.last().map(|hash| (*hash).into()),
            paused: false,
            complete: self.doing == Doing::Resting,
            rollout: None,
            revisions: revisions
                .iter()
                .zip(1..)
                .map(|(hash, number)| Revision {
                    hash: (*hash).into(),
                    number,
                    images: vec![format!("{}:{hash}", target.name)],
                    created: born,
                })
                .collect(),
            pods: (0..self.pods())
                .map(|pod| Pod {
                    name: format!("{}-{pod}", target.name).as_str().into(),
                    hash: revisions[pod / PODS].into(),
                    created: born,
                    ready: true,
                    terminating: false,
                    ip: None,
                    metrics: None,
                    unready_reason: None,
                })
                .collect(),
            kill_switch: None,
            last_plan: None,
            labels: std::collections::BTreeMap::new(),
            for_rollback: ForRollback::default(),
            pause: None,
            rolling: None,
            owner: None,
            shipped_by: None,
        }
    }
}
