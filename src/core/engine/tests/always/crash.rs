//! Incidents and scalings survive a crash at every record, and any schedule.

use std::time::Duration;

use proptest::prelude::*;

use super::{ended, incidents, numbers, settled, setup, undone_after};
use crate::engine::tests::target::{BAD, GOOD};
use crate::engine::tests::workers::{autoscaler, worker};
use crate::engine::tests::world::World;
use crate::notice::NoticeKind;
use crate::record::Record;
use crate::rule::{Scale, ScaleTo};
use crate::scaling::{Budget, ScaleObject};

/// From the first error to the undo.
fn story(prepare: impl Fn(&mut World)) -> World {
    let mut world = settled(setup(Some(undone_after(90))));
    prepare(&mut world);
    world.target().behave("v1", BAD);
    world.run(80);
    world.target().behave("v1", GOOD);
    world.run(280);
    world
}

#[test]
fn an_incident_survives_a_crash_at_every_record() {
    let whole = story(|_| {});
    assert_eq!(numbers(&whole), [(2, 5), (5, 2)], "{}", whole.transcript());
    let records = whole.journal.len();
    let begin = settled(setup(Some(undone_after(90)))).journal.len();
    for cut in begin + 1..=records {
        for effects_leave in [false, true] {
            let world = story(|world| {
                world.crash_at = Some(cut);
                world.effects_leave = effects_leave;
            });
            let case = format!(
                "cut behind record {cut} of {records}, effects had left: {effects_leave}\n{}",
                world.transcript()
            );
            assert_eq!(world.crashes, 1, "{case}");
            assert_eq!(numbers(&world), [(2, 5), (5, 2)], "{case}");
            assert_eq!(incidents(&world), 1, "{case}");
            assert_eq!(ended(&world).len(), 1, "{case}");
            let mut noticed: Vec<NoticeKind> = world
                .records(|record| match record {
                    Record::Noticed(notice) => Some(notice.kind),
                    _ => None,
                })
                .map(|(_, kind)| kind)
                .collect();
            noticed.sort_unstable();
            assert_eq!(
                noticed,
                [
                    NoticeKind::IncidentBegan,
                    NoticeKind::Scaled,
                    NoticeKind::ScalingUndone,
                    NoticeKind::IncidentEnded,
                ],
                "{case}"
            );
            assert!(world.engine.ledger().pending.is_empty(), "{case}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever happens: at most one scaling per incident, no scaling lowers, an undo never goes below where it began;
    /// and (asserted by the world in every tick) the journal folds to the live state.
    #[test]
    fn scalings_never_lower_and_never_repeat(
        seed in any::<u64>(),
        asked in prop_oneof![(1..9_u32).prop_map(ScaleTo::Replicas), (101..400_u32).prop_map(ScaleTo::Factor)],
        ceiling in prop::option::of(1..12_u32),
        with_autoscaler in any::<bool>(),
        needs in 0..5_u32,
        events in prop::collection::vec((0..8_u8, 1..90_i64), 1..25),
    ) {
        let scale = Scale { target: worker(), to: asked, ceiling, undo_after: Some(Duration::from_mins(1)) };
        let mut setup = setup(Some(scale));
        setup.seed = seed;
        setup.guards.actions_per_hour = 1_000;
        let mut world = settled(setup);
        let workers = world.workers.state.as_mut().expect("it is there");
        workers.budgets.push(Budget { name: "worker".to_owned(), needs });
        if with_autoscaler {
            workers.autoscalers.push(autoscaler(1, 6));
        }
        let mut version = 1;
        for (event, seconds) in events {
            match event {
                0 | 1 => world.target().behave("v1", BAD),
                2 | 3 => world.target().behave("v1", GOOD),
                4 => world.restart(),
                5 => world.workers.meanwhile = Some(|state| state.replicas += 1),
                6 => if let Some(state) = &mut world.workers.state { state.replicas = 3 },
                _ => {
                    version += 1;
                    let hash = format!("v{version}");
                    world.ship(&hash);
                }
            }
            world.run(seconds);
        }
        let plans: Vec<_> = world
            .records(|record| match record {
                Record::ScalingBegan { plan } => Some((**plan).clone()),
                _ => None,
            })
            .map(|(_, plan)| plan)
            .collect();
        let mut ids: Vec<_> = plans.iter().map(|plan| plan.id.clone()).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), plans.len(), "a plan twice: {}", world.transcript());
        prop_assert!(world.workers.writes.len() <= plans.len());
        for plan in &plans {
            let change = &plan.change;
            prop_assert_eq!(change.to > change.from, !plan.undo, "{:?}", plan);
            if plan.undo {
                prop_assert!(change.to >= needs, "{:?}", plan);
            } else {
                prop_assert!(ceiling.is_none_or(|ceiling| change.to <= ceiling), "{:?}", plan);
            }
            if with_autoscaler {
                let by_it = matches!(change.object, ScaleObject::Autoscaler { .. });
                prop_assert!(by_it && change.to <= 6, "{:?}", plan);
            }
        }
    }
}
