//! Rules and watches for the tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::engine::EngineSettings;
use crate::guard::GuardSettings;
use crate::ids::{ChannelName, RuleName, TargetId, TargetKind, WatchName};
use crate::rule::{
    AlertSelector, Always, ArmsBy, Assurance, Channel, ChannelKind, Check, Compare, CountsCheck,
    DependsOn, HistogramMetric, Judging, Level, LevelCheck, LevelLimit, LevelMetric, LevelUnit,
    Metric, OnFail, OnRequest, Over, Part, PauseAt, RatioMetric, Rule, RuleBook, Runbook, Sampled,
    Scope, SecretRef, Selector, SourceKind, Stepped, StuckPods, Unit, Watch,
};

pub(super) const CHANNEL: &str = "deployments";

fn selector(metric: &str) -> Selector {
    Selector {
        metric: metric.to_owned(),
        matchers: Vec::new(),
    }
}

fn rule(name: &str, check: CountsCheck) -> Rule {
    Rule {
        name: name.into(),
        arms: ArmsBy::Pod,
        lasting: Duration::ZERO,
        dry_run: false,
        judging: Judging::default(),
        check: Check::Counts(check),
    }
}

fn ratio(part: Part) -> CountsCheck {
    CountsCheck {
        metric: Metric::Ratio(RatioMetric {
            part: selector(match part {
                Part::Bad => "http_errors_total",
                Part::Good => "http_good_total",
            }),
            part_is: part,
            total: selector("http_requests_total"),
            absent_is_zero: false,
        }),
        max: None,
        min: None,
        compare: None,
        least: 20,
    }
}

/// At most this share of errors.
pub(super) fn errors(max: f64) -> Rule {
    let check = CountsCheck {
        max: Some(max),
        ..ratio(Part::Bad)
    };
    rule("http/errors", check)
}

/// At least this share of good answers.
pub(super) fn success(min: f64) -> Rule {
    let check = CountsCheck {
        min: Some(min),
        ..ratio(Part::Good)
    };
    rule("http/success", check)
}

/// No more errors than the baseline, with the usual tolerance.
pub(super) fn no_worse() -> Rule {
    let check = CountsCheck {
        compare: Some(Compare {
            margin: 0.5,
            plus: 0.001,
        }),
        ..ratio(Part::Bad)
    };
    rule("http/no-worse", check)
}

/// The 95th percentile of the latency, in seconds.
pub(super) fn latency(max: Option<f64>) -> Rule {
    let check = CountsCheck {
        metric: Metric::Histogram(HistogramMetric {
            histogram: selector("http_request_duration_seconds"),
            quantile_millionths: 950_000,
            unit: Unit::Seconds,
        }),
        max,
        compare: max.is_none().then_some(Compare {
            margin: 0.5,
            plus: 0.005,
        }),
        ..ratio(Part::Bad)
    };
    rule("http/latency", check)
}

/// At most this value of a gauge, beyond it for at most so many seconds.
pub(super) fn gauge(name: &str, max: f64, lasting: u64) -> Rule {
    level(
        name,
        Sampled::Level(Level::Gauge(selector(name))),
        max,
        lasting,
    )
}

/// No such alert may fire, for at most so many seconds.
pub(super) fn alert(selector: AlertSelector, lasting: u64) -> Rule {
    let rule = level(
        "alert",
        Sampled::Level(Level::Alert(selector)),
        0.0,
        lasting,
    );
    assert!(rule.only_accuses());
    rule
}

/// At most so many errors in so many seconds.
pub(super) fn error_count(max: f64, per: u64) -> Rule {
    let sampled = Sampled::Rate {
        counter: selector("http_errors_total"),
        per: Duration::from_secs(per),
    };
    level("error_count", sampled, max, 0)
}

fn level(name: &str, sampled: Sampled, max: f64, lasting: u64) -> Rule {
    Rule {
        name: RuleName(format!("shop/{name}")),
        arms: ArmsBy::Pod,
        lasting: Duration::from_secs(lasting),
        dry_run: false,
        judging: Judging::default(),
        check: Check::Level(LevelCheck {
            metric: LevelMetric {
                sampled,
                over: Over::Max,
                unit: LevelUnit::Number,
            },
            limit: LevelLimit::Max(max),
            compare: None,
        }),
    }
}

/// Everything that a test may want to be different.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) kind: TargetKind,
    pub(super) rules: Vec<Rule>,
    pub(super) watch: u64,
    pub(super) pause_at: Option<PauseAt>,
    pub(super) dry_run: bool,
    pub(super) rollback: bool,
    pub(super) channels: Vec<&'static str>,
    pub(super) guards: GuardSettings,
    /// Names of the watched targets.
    pub(super) targets: Vec<&'static str>,
    /// Names of targets that are there, and are watched when somebody asks about them.
    pub(super) asked: Vec<&'static str>,
    /// How many of them at once.
    pub(super) most_asked: usize,
    /// Seconds between scrapes.
    pub(super) scrape: i64,
    pub(super) seed: u64,
    pub(super) always: Vec<Always>,
    /// What follows a failed release besides.
    pub(super) run: Option<Arc<Runbook>>,
    pub(super) stepped: Option<Stepped>,
    pub(super) approval: bool,
    /// Which target depends on which other.
    pub(super) depends: Vec<(&'static str, &'static str)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            kind: TargetKind::Deployment,
            rules: vec![errors(0.05)],
            watch: 300,
            pause_at: None,
            dry_run: false,
            rollback: true,
            channels: vec![CHANNEL],
            guards: GuardSettings::only(SignedDuration::from_mins(10), 10),
            targets: vec!["checkout"],
            asked: Vec::new(),
            most_asked: 200,
            scrape: 1,
            seed: 1,
            always: Vec::new(),
            run: None,
            stepped: None,
            approval: false,
            depends: Vec::new(),
        }
    }
}

impl Setup {
    pub(super) fn rollout() -> Self {
        Self {
            kind: TargetKind::Rollout,
            ..Self::default()
        }
    }

    pub(super) fn with(rules: Vec<Rule>) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }

    pub(super) fn id(&self, name: &str) -> TargetId {
        TargetId {
            namespace: "shop".to_owned(),
            kind: self.kind,
            name: name.to_owned(),
        }
    }

    fn depends_on(&self, name: &str) -> Vec<DependsOn> {
        let own = self.depends.iter().filter(|(own, _)| *own == name);
        own.map(|(_, on)| DependsOn::Target {
            target: self.id(on),
        })
        .collect()
    }

    pub(super) fn settings(&self) -> EngineSettings {
        EngineSettings {
            guards: self.guards.clone(),
            source: SourceKind::Prometheus,
            interval: SignedDuration::from_secs(1),
            on_request: self.most_asked,
            ends_unwatched: true,
        }
    }

    pub(super) fn book(&self) -> RuleBook {
        let channels: Vec<ChannelName> = self.channels.iter().map(|name| (*name).into()).collect();
        let watch = |name: &'static str| Watch {
            name: WatchName {
                namespace: "shop".to_owned(),
                name: name.to_owned(),
            },
            target: self.id(name),
            source: None,
            rules: self.rules.iter().cloned().map(Arc::new).collect(),
            watch: Duration::from_secs(self.watch),
            assurance: Assurance::default(),
            pause_at: self.pause_at,
            gitops: None,
            stepped: self.stepped.clone(),
            dry_run: self.dry_run,
            depends_on: self.depends_on(name),
            on_fail: OnFail {
                rollback: self.rollback,
                stuck_pods: StuckPods::Tell,
                run: self.run.clone(),
                approval: self.approval,
                notify: channels.clone(),
            },
            always: self.always.clone(),
            on_pass: channels.clone(),
            scrape: None,
            links: Vec::new(),
        };
        let channel = |name: &ChannelName| Channel {
            name: name.clone(),
            kind: ChannelKind::Slack,
            url: SecretRef::Env("SLACK_URL".to_owned()),
        };
        RuleBook {
            on_request: (!self.asked.is_empty())
                .then(|| {
                    let scope = Scope {
                        namespaces: ["shop".to_owned()].into(),
                        kinds: [self.kind].into(),
                        labels: BTreeMap::new(),
                    };
                    OnRequest::new(scope, watch("asked"))
                })
                .into_iter()
                .collect(),
            watches: self.targets.iter().copied().map(watch).collect(),
            channels: channels
                .iter()
                .map(|name| (name.clone(), channel(name)))
                .collect::<BTreeMap<_, _>>(),
        }
    }
}
