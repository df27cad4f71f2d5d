//! What a short run judges of the past is what an agent that runs all the time would have judged.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::always::always;
use super::rules::{Setup, errors, gauge, latency, no_worse};
use super::target::{BAD, GOOD};
use super::world::{World, at};
use crate::analysis::Ending;
use crate::engine::{Effect, Engine, Inputs, Output};
use crate::ids::TargetId;
use crate::judge::Before;
use crate::ledger::Ledger;
use crate::notice::NoticeKind;
use crate::preflight::{Preflight, WayBackAnswer};
use crate::record::Record;
use crate::rule::Always;
use crate::target::{TargetNews, TargetState};

/// An agent that ran all the time and was not allowed to act, and what a short run at its end says of the same time.
struct Both {
    world: World,
    engine: Engine,
    back: Vec<(Timestamp, Vec<Record>)>,
    state: TargetState,
}

/// `story` happens between two looks; the first was when v1 had served for a minute.
fn both(setup: Setup, story: impl Fn(&mut World)) -> Both {
    let mut watched = setup;
    watched.guards.kill_switch = true;
    let mut world = World::settled(watched);
    let ledger = world.engine.ledger().clone();
    let last = world.now;
    story(&mut world);
    look(world, ledger, last)
}

fn look(mut world: World, ledger: Ledger, last: i64) -> Both {
    let now = world.now;
    let mut state = world.target().state(now);
    // Those have gone meanwhile: only their names in the series say whose they were.
    state.pods.retain(|pod| !pod.terminating);
    let mut settings = world.setup.settings();
    settings.guards.kill_switch = false;
    let mut engine = Engine::new(&world.setup.book(), settings, ledger);
    let looked: BTreeMap<TargetId, Timestamp> = [(state.id.clone(), at(last))].into();
    let news = [TargetNews::State(Box::new(state.clone()))];
    let backs = engine.looks_back(at(now), &looked, None, &news);
    let from = backs.first().map_or(at(now), |back| back.from);
    let answers = world
        .answered
        .iter()
        .map(|(second, answers)| (at(*second), answers.clone()))
        .filter(|(second, _)| *second >= from)
        .collect();
    let back = engine.look_back(at(now), backs, answers);
    Both {
        world,
        engine,
        back,
        state,
    }
}

impl Both {
    /// When the short run wrote such a record, of what time it says it is.
    fn when(&self, wanted: impl Fn(&Record) -> bool) -> Option<Timestamp> {
        let mut found = self.back.iter();
        found
            .find(|(_, records)| records.iter().any(&wanted))
            .map(|(at, _)| *at)
    }

    /// The first tick of now, with fresh answers.
    fn tick(&mut self) -> Output {
        self.world.second();
        let now = self.world.now;
        let answers = self.world.answered[&now].clone();
        self.engine.tick(
            at(now),
            Inputs {
                cluster: vec![TargetNews::State(Box::new(self.state.clone()))],
                answers,
                ..Inputs::default()
            },
        )
    }

    #[track_caller]
    fn close(&self, wanted: impl Fn(&Record) -> bool + Copy) {
        let live = at(self.world.when(wanted));
        let back = self.when(wanted).expect("it was found looking back");
        let apart = back.duration_since(live).abs().as_secs();
        assert!(apart <= 10, "live at {live}, looking back at {back}");
    }
}

fn failed(record: &Record) -> bool {
    matches!(record, Record::Failed { .. })
}

fn passed(record: &Record) -> bool {
    let Record::AnalysisEnded { ending, .. } = record else {
        return false;
    };
    *ending == Ending::Pass
}

#[test]
fn a_bad_release_is_found_as_early_and_taken_back_only_now() {
    for seed in 1..=5 {
        let setup = Setup {
            seed,
            ..Setup::default()
        };
        let mut both = both(setup, |world| {
            world.target().behave("v2", BAD);
            world.run(30);
            world.ship("v2");
            world.run(120);
        });
        both.close(|record| matches!(record, Record::AnalysisBegan { .. }));
        both.close(failed);
        let early =
            |record: &Record| matches!(record, Record::PlanBegan { .. } | Record::Noticed(_));
        assert_eq!(both.when(early), None, "seed {seed}");
        let output = both.tick();
        let [Effect::LookAtWayBack(question)] = &output.effects[..] else {
            panic!("seed {seed}: {output:?}");
        };
        let output = both.engine.tick(
            at(both.world.now),
            Inputs {
                ways_back: vec![WayBackAnswer {
                    question: question.clone(),
                    seen: Ok(Preflight::default()),
                }],
                ..Inputs::default()
            },
        );
        let steps = output
            .effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Step(_)));
        assert_eq!(steps.count(), 1, "seed {seed}: {output:?}");
    }
}

#[test]
fn every_kind_of_rule_judges_the_past_as_it_judges_now() {
    for rule in [errors(0.05), latency(Some(0.5)), no_worse()] {
        let name = rule.name.clone();
        for (behaviour, bad) in [
            (GOOD, false),
            (super::target::Behaviour { slow: 10.0, ..BAD }, true),
        ] {
            let both = both(Setup::with(vec![rule.clone()]), |world| {
                world.target().behave("v2", behaviour);
                world.run(60);
                world.ship("v2");
                world.run(150);
            });
            let live = both.world.count(failed) > 0;
            assert_eq!((live, both.when(failed).is_some()), (bad, bad), "{name}");
        }
    }
}

#[test]
fn a_value_that_was_too_high_for_too_long_between_two_looks_is_found_in_them() {
    let both = both(Setup::with(vec![gauge("memory", 100.0, 60)]), |world| {
        world.target().rate = 0;
        let values = &mut world.target().values;
        values.insert("v1".to_owned(), |_, _| Some(50.0));
        values.insert("v2".to_owned(), |age, _| Some(50.0 + age as f64));
        world.run(30);
        world.ship("v2");
        world.run(180);
    });
    both.close(failed);

    let always = Always {
        recovery: Always::RECOVERY,
        rule: std::sync::Arc::new(gauge("memory", 100.0, 60)),
        ..always(None)
    };
    let setup = Setup {
        always: vec![always],
        ..Setup::default()
    };
    let both = super::look_back::both(setup, |world| {
        let values = &mut world.target().values;
        values.insert("v1".to_owned(), |_, now| Some(now as f64));
        world.run(240);
    });
    both.close(incident);
}

#[test]
fn a_release_soon_after_another_is_compared_with_what_was_before_it() {
    let mut setup = Setup {
        watch: 60,
        ..Setup::with(vec![no_worse()])
    };
    setup.guards.kill_switch = true;
    let mut world = World::settled(setup);
    world.ship("v2");
    world.run_until(200, |world| world.count(passed) > 0);
    let (ledger, last) = (world.engine.ledger().clone(), world.now);
    world.run(15);
    world.target().behave("v3", BAD);
    world.ship("v3");
    world.run(30);
    let both = look(world, ledger, last);
    both.close(failed);
    let before = |engine: &Engine| {
        let target = engine.live.values().next().expect("there is one");
        match target.rules[0].evidence.before() {
            Before::Counts(Some(counts)) => counts.total(),
            other => panic!("{other:?}"),
        }
    };
    // What an agent counted outside of the analysis before is the least.
    let (live, back) = (before(&both.world.engine), before(&both.engine));
    assert!(back >= live, "live {live}, looking back {back}");
}

#[test]
fn a_fault_that_is_over_is_a_fail_that_a_guard_holds() {
    let mut both = both(Setup::default(), |world| {
        world.target().behave("v2", BAD);
        world.ship("v2");
        world.run(60);
        world.target().behave("v2", GOOD);
        world.run(120);
    });
    both.close(failed);
    for _ in 0..12 {
        let output = both.tick();
        let steps = output
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Step(_)));
        assert!(!steps, "{output:?}");
    }
    let known = both
        .engine
        .ledger()
        .targets
        .values()
        .next()
        .expect("is known");
    let guards: Vec<_> = known.holds.iter().map(|hold| hold.guard.as_str()).collect();
    assert_eq!(guards, ["symptom gone"]);
}

#[test]
fn a_watch_that_ended_between_two_looks_passed_then_and_is_told_now() {
    let setup = Setup {
        watch: 60,
        ..Setup::default()
    };
    let mut both = both(setup, |world| {
        world.ship("v2");
        world.run(200);
    });
    both.close(passed);
    let output = both.tick();
    assert_eq!(told(&output), [NoticeKind::Passed]);
}

/// The kinds of the notices that a tick sends.
fn told(output: &Output) -> Vec<NoticeKind> {
    let notices = output.effects.iter().filter_map(|effect| match effect {
        Effect::Notify { notice, .. } => Some(notice.kind),
        Effect::Step(_)
        | Effect::LookAtScale { .. }
        | Effect::LookAtObject { .. }
        | Effect::LookAtWayBack(_)
        | Effect::LookAtNodes { .. } => None,
    });
    notices.collect()
}

fn incident(record: &Record) -> bool {
    matches!(record, Record::IncidentBegan { .. })
}

fn with_always() -> Setup {
    Setup {
        always: vec![always(None)],
        ..Setup::default()
    }
}

#[test]
fn what_broke_between_two_looks_is_an_incident_since_then_and_is_told_now() {
    let mut lasting = both(with_always(), |world| {
        world.run(60);
        world.target().behave("v1", BAD);
        world.run(120);
    });
    lasting.close(incident);
    assert_eq!(
        lasting.when(|record| matches!(record, Record::Noticed(_))),
        None
    );
    assert_eq!(told(&lasting.tick()), [NoticeKind::IncidentBegan]);

    let mut over = both(with_always(), |world| {
        world.target().behave("v1", BAD);
        world.run(60);
        world.target().behave("v1", GOOD);
        world.run(180);
    });
    over.close(incident);
    let kinds = [NoticeKind::IncidentBegan, NoticeKind::IncidentEnded];
    assert_eq!(told(&over.tick()), kinds);
    assert_eq!(told(&over.tick()), []);

    let good = both(with_always(), |world| world.run(200));
    assert_eq!(good.when(incident), None);
}

#[test]
fn the_errors_of_a_release_that_was_taken_back_are_no_incident_of_the_next_look() {
    let mut setup = with_always();
    setup.always[0].window = std::time::Duration::from_mins(5);
    let mut world = World::settled(setup);
    world.target().behave("v2", BAD);
    world.ship("v2");
    let verified = |record: &Record| matches!(record, Record::VerificationEnded { .. });
    world.run_until(200, |world| world.count(verified) > 0);
    world.run(5);
    let (ledger, last) = (world.engine.ledger().clone(), world.now);
    world.run(60);
    let mut both = look(world, ledger, last);
    assert_eq!(both.when(incident), None);
    assert_eq!(told(&both.tick()), []);
    let rule = &both
        .engine
        .live
        .values()
        .next()
        .expect("is there")
        .always
        .rules[0];
    assert_eq!(rule.state(), Some(crate::judge::State::Within));
}

#[test]
fn nothing_is_counted_twice_or_missed_between_two_runs() {
    let mut setup = Setup::default();
    setup.guards.kill_switch = true;
    let mut world = World::settled(setup);
    world.ship("v2");
    world.run(47);
    // The process ends somewhere between two checkpoints, and the next one looks four minutes later.
    let ledger = world.engine.ledger().clone();
    let last = world.now;
    world.run(193);
    let both = look(world, ledger, last);
    let events = |engine: &Engine| {
        let target = engine.live.values().next().expect("there is one");
        (
            target.rules[0].evidence.events(),
            target.rules[0].evidence.bad(),
        )
    };
    let (live, back) = (events(&both.world.engine), events(&both.engine));
    assert!(live.0 > 1000.0, "{live:?}");
    assert_eq!(live, back);
}

#[test]
fn one_revision_at_first_sight_is_not_judged_and_nothing_is_read() {
    let mut world = World::settled(Setup::default());
    let state = world.target().state(60);
    let engine = Engine::new(
        &world.setup.book(),
        world.setup.settings(),
        Ledger::default(),
    );
    let news = [TargetNews::State(Box::new(state))];
    assert_eq!(engine.looks_back(at(60), &BTreeMap::new(), None, &news), []);
}

#[test]
fn an_old_revision_that_is_back_is_not_one_that_came() {
    let mut setup = Setup::default();
    setup.guards.kill_switch = true;
    let mut world = World::settled(setup);
    world.ship("v2");
    world.run(60);
    let ledger = world.engine.ledger().clone();
    let last = world.now;
    world.run(20);
    world.ship("v1");
    world.run(60);
    let both = look(world, ledger, last);
    let began = |record: &Record| matches!(record, Record::AnalysisBegan { .. });
    assert_eq!(both.when(began), None);
}

#[test]
fn targets_that_others_watch_are_kept() {
    let mut world = World::settled(Setup::default());
    world.ship("v2");
    world.run(30);
    let ledger = world.engine.ledger().clone();
    for ends_unwatched in [false, true] {
        let mut settings = world.setup.settings();
        settings.ends_unwatched = ends_unwatched;
        let book = crate::rule::RuleBook::default();
        let mut engine = Engine::new(&book, settings, ledger.clone());
        engine.tick(at(100), Inputs::default());
        let known = engine.ledger().targets.values().next().expect("is known");
        assert_eq!(known.analysis.is_none(), ends_unwatched);
    }
}

/// Short runs every few seconds, each with the ledger of the one before; what they all wrote down, by time.
struct Rounds {
    world: World,
    ledger: Ledger,
    looked: Option<i64>,
    written: Vec<(Timestamp, Record)>,
}

impl Rounds {
    fn new(mut setup: Setup) -> Self {
        // The agent beside them only watches.
        setup.guards.kill_switch = true;
        let world = World::settled(setup);
        Self {
            ledger: Ledger::default(),
            looked: None,
            written: Vec::new(),
            world,
        }
    }

    fn go_on(&mut self, rounds: usize, period: i64) {
        for _ in 0..rounds {
            self.world.run(period);
            self.round();
        }
    }

    fn round(&mut self) {
        let now = self.world.now;
        let mut state = self.world.target().state(now);
        state.pods.retain(|pod| !pod.terminating);
        let mut settings = self.world.setup.settings();
        settings.guards.dry_run = true;
        settings.guards.kill_switch = false;
        let mut engine = Engine::new(&self.world.setup.book(), settings, self.ledger.clone());
        let looked = self.looked.map(|looked| (state.id.clone(), at(looked)));
        let news = vec![TargetNews::State(Box::new(state))];
        let backs = engine.looks_back(at(now), &looked.into_iter().collect(), None, &news);
        let from = backs.iter().map(|back| back.from).min();
        let all = self.world.answered.iter();
        let steps = all.filter(|(second, _)| **second % 5 == 0 && **second <= now);
        let past = steps
            .map(|(second, answers)| (at(*second), answers.clone()))
            .filter(|(second, _)| from.is_some_and(|from| *second >= from))
            .collect();
        let written = engine.look_back(at(now), backs, past);
        let output = engine.tick(
            at(now),
            Inputs {
                cluster: news,
                answers: self.world.answered[&now].clone(),
                ..Inputs::default()
            },
        );
        let written = written.into_iter().chain([(at(now), output.records)]);
        self.written.extend(written.flat_map(|(at, records)| {
            let each = move |record| (at, record);
            records.into_iter().map(each)
        }));
        let checkpoint = |ledger: &Ledger| {
            let known = ledger.targets.values().next()?;
            Some(known.checkpoint.as_ref()?.at)
        };
        let (before, after) = (checkpoint(&self.ledger), checkpoint(engine.ledger()));
        assert!(before <= after, "counters of later as those of {after:?}");
        self.ledger = engine.ledger().clone();
        self.looked = Some(now);
    }

    fn when(&self, wanted: impl Fn(&Record) -> bool) -> Option<Timestamp> {
        let found = self.written.iter().find(|(_, record)| wanted(record));
        found.map(|(at, _)| *at)
    }
}

#[test]
fn many_short_runs_find_what_an_agent_finds_and_when() {
    for (times, period) in [(40, 3), (17, 7), (2, 60)] {
        let mut rounds = Rounds::new(with_always());
        rounds.go_on(1, 1);
        rounds.world.ship("v3");
        rounds.go_on(4, 3);
        assert_eq!(rounds.when(failed), None, "period {period}");
        rounds.world.target().behave("v2", BAD);
        rounds.world.ship("v2");
        rounds.go_on(times, period);
        let live = at(rounds.world.when(failed));
        let short = rounds.when(failed).expect("it was found");
        let apart = short.duration_since(live).as_secs();
        // What failures clump like is learned from what was seen before, and short runs have seen less.
        assert!(apart.abs() <= 20, "period {period}: {apart} s apart");
    }
}
