//! P2: a tick cannot fail, whatever comes in.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::rules::{Setup, errors, latency, no_worse, success};
use super::workers::{autoscaler, worker};
use crate::engine::{Answer, Engine, Inputs, ScaleAnswer};
use crate::ids::{TargetId, TargetKind};
use crate::ledger::Ledger;
use crate::notice::{Delivery, DeliveryOutcome};
use crate::observation::{
    Cause, Cumulative, HistogramCounters, Observation, Reading, SeriesKey, SeriesReading,
};
use crate::plan::{StepOutcome, StepResult};
use crate::record::Record;
use crate::rule::{Always, Scale, ScaleTo};
use crate::scaling::ScaleState;
use crate::target::{ForRollback, Pod, Revision, RolloutStatus, TargetNews, TargetState};

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        (0.0..1e6_f64).prop_map(f64::trunc),
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(-1.0),
        Just(1e300),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        4 => 1_767_225_600..1_767_229_200_i64,
        1 => -377_705_023_201..253_402_207_200_i64,
    ]
    .prop_map(|second| Timestamp::from_second(second).unwrap_or(Timestamp::MIN))
}

fn hash() -> impl Strategy<Value = String> {
    prop_oneof![Just("v1"), Just("v2"), Just("v3"), Just("")].prop_map(str::to_owned)
}

fn target() -> impl Strategy<Value = TargetId> {
    let name = prop_oneof![3 => Just("checkout"), 1 => Just("unknown")];
    let kind = prop_oneof![Just(TargetKind::Deployment), Just(TargetKind::Rollout)];
    (name, kind).prop_map(|(name, kind)| TargetId {
        namespace: "shop".to_owned(),
        kind,
        name: name.to_owned(),
    })
}

fn pod() -> impl Strategy<Value = Pod> {
    (0..6_u8, hash(), time(), any::<bool>(), any::<bool>()).prop_map(
        |(name, hash, created, ready, terminating)| Pod {
            name: format!("pod-{name}").as_str().into(),
            hash: hash.as_str().into(),
            created,
            ready,
            terminating,
            ip: None,
            metrics: None,
            unready_reason: None,
        },
    )
}

fn news() -> impl Strategy<Value = TargetNews> {
    let rollout = (prop::option::of(hash()), any::<bool>(), any::<bool>()).prop_map(
        |(stable, aborted, promote_full)| RolloutStatus {
            stable: stable.map(|hash| hash.as_str().into()),
            aborted,
            promote_full,
            phase: String::new(),
            message: String::new(),
            workload_ref: false,
            active: None,
        },
    );
    let state = (
        target(),
        0..2_u8,
        prop::option::weighted(0.9, hash()),
        (any::<bool>(), any::<bool>()),
        prop::option::of(rollout),
        prop::collection::vec((hash(), any::<u64>(), time()), 0..4),
        prop::collection::vec(pod(), 0..6),
        prop::option::weighted(0.1, Just("somewhere".to_owned())),
    )
        .prop_map(
            |(id, uid, current, (paused, complete), rollout, revisions, pods, kill_switch)| {
                TargetNews::State(Box::new(TargetState {
                    id,
                    uid: format!("uid-{uid}"),
                    current: current.map(|hash| hash.as_str().into()),
                    paused,
                    complete,
                    rollout,
                    revisions: revisions
                        .into_iter()
                        .map(|(hash, number, created)| Revision {
                            hash: hash.as_str().into(),
                            number,
                            images: Vec::new(),
                            created,
                        })
                        .collect(),
                    pods,
                    kill_switch,
                    last_plan: None,
                    labels: std::collections::BTreeMap::new(),
                    for_rollback: ForRollback::default(),
                    pause: None,
                    rolling: None,
                    owner: None,
                    shipped_by: None,
                }))
            },
        );
    prop_oneof![9 => state, 1 => target().prop_map(TargetNews::Gone)]
}

fn cumulative() -> impl Strategy<Value = Cumulative> {
    prop_oneof![
        (
            prop::option::of(number()),
            prop::option::of(number()),
            any::<bool>()
        )
            .prop_map(|(part, total, part_shape)| Cumulative::Ratio {
                part,
                total,
                part_shape
            }),
        (
            prop::collection::vec(number(), 0..5),
            prop::collection::vec(number(), 0..6)
        )
            .prop_map(
                |(bounds, counters)| Cumulative::Histogram(HistogramCounters {
                    bounds: bounds.into(),
                    counters
                })
            ),
        Just(Cumulative::Unusable {
            reason: "no `+Inf`".to_owned()
        }),
    ]
}

fn observation() -> impl Strategy<Value = Observation> {
    let key = prop_oneof![
        4 => (0..6_u8).prop_map(|pod| SeriesKey::Pod {
            namespace: "shop".to_owned(),
            pod: format!("pod-{pod}").as_str().into(),
        }),
        1 => hash().prop_map(SeriesKey::Label),
        1 => Just(SeriesKey::Whole),
    ];
    let series = (key, time(), cumulative()).prop_map(|(key, at, value)| SeriesReading {
        key,
        member: None,
        at,
        value,
    });
    prop_oneof![
        6 => prop::collection::vec(series, 0..8)
            .prop_map(|series| Observation::Reading(Reading { series })),
        1 => Just(Observation::NoData { reason: "x".repeat(5000) }),
        1 => Just(Observation::Unavailable { cause: Cause::Down, reason: "gone".to_owned() }),
    ]
}

fn workers() -> impl Strategy<Value = Result<Option<ScaleState>, String>> {
    let state = (
        any::<u32>(),
        0..2_u8,
        any::<bool>(),
        any::<u32>(),
        any::<bool>(),
    );
    let state = state.prop_map(|(replicas, uid, paused, max, automatic)| ScaleState {
        uid: format!("uid-{uid}"),
        paused,
        autoscalers: automatic.then(|| autoscaler(1, max)).into_iter().collect(),
        ..super::workers::state(replicas)
    });
    prop_oneof![
        8 => state.prop_map(|state| Ok(Some(state))),
        1 => Just(Ok(None)),
        1 => Just(Err("x".repeat(5000))),
    ]
}

fn outcome() -> impl Strategy<Value = StepResult> {
    prop_oneof![
        Just(StepResult::Done),
        Just(StepResult::AlreadyDone),
        Just(StepResult::Fenced {
            reason: String::new()
        }),
    ]
}

/// One tick: its time, and what comes in.
type Step = (
    Timestamp,
    Vec<TargetNews>,
    Vec<(TargetId, usize, Observation)>,
    Vec<(usize, StepResult)>,
    bool,
    Result<Option<ScaleState>, String>,
);

fn step() -> impl Strategy<Value = Step> {
    (
        time(),
        prop::collection::vec(news(), 0..3),
        prop::collection::vec((target(), 0..5_usize, observation()), 0..5),
        prop::collection::vec((0..4_usize, outcome()), 0..2),
        prop::bool::weighted(0.1),
        workers(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_input_makes_a_tick_panic(
        kind in prop_oneof![Just(TargetKind::Deployment), Just(TargetKind::Rollout)],
        steps in prop::collection::vec(step(), 1..30),
    ) {
        let always = |rule, to| Always {
            recovery: Always::RECOVERY,
            rule: Arc::new(rule),
            window: Duration::from_mins(1),
            scale: Some(Scale {
                target: worker(),
                to,
                ceiling: None,
                undo_after: Some(Duration::from_secs(1)),
            }),
            run: None,
            notify: Vec::new(),
        };
        let setup = Setup {
            kind,
            always: vec![
                always(errors(0.05), ScaleTo::Replicas(5)),
                always(latency(Some(0.5)), ScaleTo::Factor(u32::MAX)),
            ],
            ..Setup::with(vec![
                errors(0.05), success(0.95), no_worse(), latency(Some(0.5)), latency(None),
            ])
        };
        let book = setup.book();
        let questions: Vec<_> = book.watches[0]
            .rules
            .iter()
            .map(|rule| Arc::new(crate::rule::Question::of(rule)))
            .collect();
        let mut engine = Engine::new(&book, setup.settings(), Ledger::default());
        let mut shadow = Ledger::default();
        for (now, cluster, answers, outcomes, restart, workers) in steps {
            if restart {
                engine = Engine::new(&book, setup.settings(), shadow.clone());
            }
            let plan = engine
                .ledger()
                .targets
                .values()
                .find_map(|known| known.plan.as_ref())
                .map(|plan| plan.plan.id.clone());
            let scaling = engine.ledger().always.values().find_map(|known| {
                let mut open = known.incidents.values();
                let scaling = open.find_map(|state| state.scaling.as_ref())?;
                Some(scaling.plan.id.clone())
            });
            let plan = plan.or(scaling).unwrap_or_else(|| "none".into());
            let notice = engine.ledger().pending.keys().next().cloned();
            let inputs = Inputs {
                cluster,
                answers: answers
                    .into_iter()
                    .map(|(target, question, observation)| Answer {
                        target,
                        question: questions[question % questions.len()].clone(),
                        observation,
                    })
                    .collect(),
                steps: outcomes
                    .into_iter()
                    .map(|(index, result)| StepOutcome {
                        plan: plan.clone(),
                        index,
                        result,
                    })
                    .collect(),
                scales: vec![ScaleAnswer {
                    target: worker(),
                    state: workers,
                }],
                deliveries: notice
                    .into_iter()
                    .map(|notice| Delivery {
                        notice,
                        channel: "deployments".into(),
                        outcome: DeliveryOutcome::Delivered,
                    })
                    .collect(),
                ..Inputs::default()
            };
            let output = engine.tick(now, inputs);
            for record in &output.records {
                let json = serde_json::to_string(record).expect("is JSON");
                prop_assert!(json.len() < 1 << 20);
                let read: Result<Record, _> = serde_json::from_str(&json);
                prop_assert!(read.is_ok(), "{json}: {read:?}");
                // Bounds of seventeen digits lose their last bit in JSON, so the record itself is folded here.
                shadow.apply(now, record);
            }
            prop_assert_eq!(&shadow, engine.ledger());
            engine.questions(now);
            let snapshot = engine.snapshot(now);
            prop_assert!(serde_json::to_string(&snapshot).is_ok());
        }
    }
}
