//! What the simulated agents are told to watch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use recant_core::engine::EngineSettings;
use recant_core::guard::GuardSettings;
use recant_core::ids::{ChannelName, RuleName, TargetId, TargetKind, WatchName};
use recant_core::rule::{
    Always, ArmsBy, Assurance, Channel, ChannelKind, Check, Compare, CountsCheck, Judging, Metric,
    OnFail, Part, PauseAt, RatioMetric, Rule, RuleBook, Scale, ScaleKind, ScaleTarget, ScaleTo,
    SecretRef, Selector, SourceKind, StuckPods, Watch,
};

use crate::scenario::Scenario;
use crate::source::{ABSENT, BUSY};

/// Names of the channels.
pub(crate) const CHANNELS: [&str; 2] = ["deployments", "oncall"];

pub(crate) fn settings(scenario: &Scenario) -> EngineSettings {
    EngineSettings {
        guards: GuardSettings {
            kill_switch: scenario.kill_switch,
            ..GuardSettings::only(
                SignedDuration::from_secs(scenario.cool_down),
                scenario.actions_per_hour,
            )
        },
        source: SourceKind::Prometheus,
        interval: SignedDuration::from_secs(1),
        on_request: 0,
        ends_unwatched: true,
    }
}

pub(crate) fn book<'a>(
    scenario: &Scenario,
    targets: impl Iterator<Item = &'a TargetId>,
) -> RuleBook {
    let channels: Vec<ChannelName> = CHANNELS.iter().map(|name| (*name).into()).collect();
    let mut rules = vec![rule("http/errors", "errors_total", Some(0.05), None)];
    if scenario.compares {
        let compare = Compare {
            margin: 0.5,
            plus: 0.02,
        };
        rules.push(rule("http/no-worse", "errors_total", None, Some(compare)));
    }
    if scenario.blind_rule {
        rules.push(rule("http/misspelt", ABSENT, Some(0.05), None));
    }
    let watch = |target: &TargetId| Watch {
        name: WatchName {
            namespace: target.namespace.clone(),
            name: target.name.clone(),
        },
        target: target.clone(),
        source: None,
        rules: rules.clone(),
        watch: Duration::from_secs(scenario.watch),
        assurance: Assurance::default(),
        pause_at: (scenario.pauses && target.kind == TargetKind::Deployment)
            .then_some(PauseAt::Pods(1)),
        gitops: None,
        stepped: None,
        dry_run: scenario.dry_run,
        depends_on: Vec::new(),
        on_fail: OnFail {
            rollback: true,
            stuck_pods: StuckPods::Tell,
            run: None,
            approval: false,
            notify: channels.clone(),
        },
        always: if scenario.scales {
            vec![busy(target, &channels)]
        } else {
            Vec::new()
        },
        on_pass: channels.clone(),
        scrape: None,
        links: Vec::new(),
    };
    let channel = |name: &ChannelName| Channel {
        name: name.clone(),
        kind: ChannelKind::Webhook,
        url: SecretRef::KubernetesSecret {
            name: "channels".to_owned(),
            key: name.to_string(),
            namespace: None,
        },
    };
    RuleBook {
        watches: targets.map(watch).collect(),
        on_request: Vec::new(),
        channels: channels
            .iter()
            .map(|name| (name.clone(), channel(name)))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// Two more replicas when one request in ten has to wait, and back when that is over.
fn busy(target: &TargetId, channels: &[ChannelName]) -> Always {
    let kind = match target.kind {
        TargetKind::Rollout => ScaleKind::Rollout,
        TargetKind::Deployment | TargetKind::StatefulSet | TargetKind::DaemonSet => {
            ScaleKind::Deployment
        }
    };
    Always {
        recovery: Always::RECOVERY,
        rule: rule("http/busy", BUSY, Some(0.1), None),
        window: Duration::from_secs(20),
        scale: Some(Scale {
            target: ScaleTarget {
                namespace: target.namespace.clone(),
                kind,
                name: target.name.clone(),
            },
            to: ScaleTo::Replicas(6),
            ceiling: None,
            undo_after: Some(Duration::from_secs(10)),
        }),
        run: None,
        notify: channels.to_vec(),
    }
}

fn rule(name: &str, part: &str, max: Option<f64>, compare: Option<Compare>) -> Arc<Rule> {
    let selector = |metric: &str| Selector {
        metric: metric.to_owned(),
        matchers: Vec::new(),
    };
    Arc::new(Rule {
        name: RuleName(name.to_owned()),
        arms: ArmsBy::Pod,
        lasting: Duration::ZERO,
        dry_run: false,
        judging: Judging::default(),
        check: Check::Counts(CountsCheck {
            metric: Metric::Ratio(RatioMetric {
                part: selector(part),
                part_is: Part::Bad,
                total: selector("requests_total"),
                absent_is_zero: false,
            }),
            max,
            min: None,
            compare,
            least: 20,
        }),
    })
}
