//! What is drawn from a seed before a schedule begins: who watches what, what people do, and what goes wrong when.

use recant_core::ids::TargetKind;

use crate::people::{self, Wish};
use crate::random::Random;

/// Seconds after which nothing more goes wrong on purpose.
pub(crate) const HEALED: i64 = 46;

/// One schedule.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
pub(crate) struct Scenario {
    pub(crate) kinds: Vec<TargetKind>,
    /// Replicas of the agent.
    pub(crate) replicas: usize,
    /// Seconds that a release is watched.
    pub(crate) watch: u64,
    pub(crate) cool_down: i64,
    pub(crate) actions_per_hour: usize,
    pub(crate) kill_switch: bool,
    pub(crate) dry_run: bool,
    /// A second rule compares with the baseline, a third one never has data.
    pub(crate) compares: bool,
    pub(crate) blind_rule: bool,
    /// A rule between releases scales what is busy; an autoscaler has it, too.
    pub(crate) scales: bool,
    pub(crate) autoscaled: bool,
    /// Releases of Deployments are paused at their first pods.
    pub(crate) pauses: bool,
    /// A frozen agent keeps its lock on the journal; else the volume is taken from it.
    pub(crate) locks: bool,
    pub(crate) odds: Odds,
    /// Seconds that the agent's picture of the cluster lags behind, at most.
    pub(crate) lag: i64,
    pub(crate) events: Vec<(i64, Event)>,
    pub(crate) arms: Vec<Arm>,
}

/// In a thousand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Odds {
    /// A call to the cluster goes wrong.
    pub(crate) cluster: u64,
    /// A message goes wrong.
    pub(crate) message: u64,
    /// The journal cannot be written.
    pub(crate) journal: u64,
}

/// What happens at a time. Targets and replicas are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Ship {
        target: usize,
        good: bool,
    },
    /// A person takes back what was shipped last.
    Undo {
        target: usize,
    },
    ShipAgain {
        target: usize,
    },
    Pause {
        target: usize,
    },
    Resume {
        target: usize,
    },
    PromoteFull {
        target: usize,
    },
    Abort {
        target: usize,
    },
    Recreate {
        target: usize,
    },
    KillSwitch {
        target: usize,
        on: bool,
    },
    /// It is busy for so long: what a rule between releases scales for.
    Busy {
        target: usize,
        seconds: i64,
    },
    /// An autoscaler, or a person, sets the replicas.
    Replicas {
        target: usize,
        replicas: u32,
    },
    Source {
        mode: Mode,
        seconds: i64,
    },
    /// The journal's disk is full.
    DiskFull {
        seconds: i64,
    },
    /// The API server does not answer.
    ClusterDown {
        seconds: i64,
    },
    /// No channel takes anything.
    ChannelsDown {
        seconds: i64,
    },
    Freeze {
        replica: usize,
        seconds: i64,
    },
    /// The Lease cannot be renewed by this one.
    Partition {
        replica: usize,
        seconds: i64,
    },
    Kill {
        replica: usize,
    },
    Terminate {
        replica: usize,
    },
    /// A person tells the agent to do something about a target, perhaps at two places at once.
    Order {
        target: usize,
        wish: Wish,
        twice: bool,
    },
    /// The clock of this one leaps.
    Leap {
        replica: usize,
        seconds: i64,
    },
}

/// How the source answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Well,
    Down,
    Empty,
    Garbage,
    Partial,
    /// It does not answer at all.
    Hangs,
    /// It answers with what it sampled before.
    Stale,
    /// It takes this many seconds.
    Slow,
}

/// A boundary between a record and its effect, or between an effect and its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// Nothing of the append is durable.
    BeforeAppend,
    /// Part of it.
    TornAppend,
    /// All of it, and no effect has left.
    AfterAppend,
    /// The executor has taken the step, and the cluster was not asked.
    BeforeRead,
    /// The object was read, and the write has not left.
    BeforeWrite,
    /// The write has left, and there is no answer yet.
    BeforeAnswer,
    /// There is an answer, and nobody has heard it.
    AfterAnswer,
    BeforeMessage,
    /// The message has arrived, and there is no answer yet.
    AfterMessage,
    /// The source was asked.
    InQuestion,
}

/// The `countdown`th time that an agent comes to a point, it dies or stops for some seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arm {
    pub(crate) point: Point,
    pub(crate) countdown: u64,
    pub(crate) freeze: Option<i64>,
}

impl Scenario {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let targets = match random.between(0, 9) {
            0..=5 => 1,
            6..=8 => 2,
            _ => 3,
        };
        let kinds = (0..targets)
            .map(|_| {
                if random.chance(500) {
                    TargetKind::Deployment
                } else {
                    TargetKind::Rollout
                }
            })
            .collect();
        let replicas = match random.between(0, 9) {
            0..=4 => 1,
            5..=8 => 2,
            _ => 3,
        };
        let calm = |random: &mut Random, most: u64| {
            if random.chance(400) {
                0
            } else {
                random.between(1, most)
            }
        };
        let odds = Odds {
            cluster: calm(random, 500),
            message: calm(random, 400),
            journal: calm(random, 150),
        };
        let mut scenario = Self {
            kinds,
            replicas,
            watch: random.between(12, 25),
            cool_down: i64::try_from(random.between(5, 40)).unwrap_or(5),
            actions_per_hour: usize::try_from(random.between(1, 4)).unwrap_or(1),
            kill_switch: random.chance(30),
            dry_run: random.chance(30),
            compares: random.chance(300),
            blind_rule: random.chance(150),
            scales: random.chance(150),
            autoscaled: random.chance(400),
            pauses: random.chance(250),
            locks: random.chance(500),
            odds,
            lag: if random.chance(500) {
                0
            } else {
                i64::try_from(random.between(1, 6)).unwrap_or(1)
            },
            events: Vec::new(),
            arms: Vec::new(),
        };
        scenario.draw_people(random, targets);
        scenario.draw_faults(random);
        scenario.draw_arms(random);
        scenario.events.extend(people::draw(random, targets));
        // What happens in the same second happens in the order in which it was drawn.
        scenario.events.sort_by_key(|(at, _)| *at);
        scenario
    }

    /// Nobody interferes, and no guard has a reason to hold the one rollback of a target.
    pub(crate) fn calm(&self) -> bool {
        let events = self.events.iter();
        let shipped = events
            .clone()
            .filter(|(_, event)| matches!(event, Event::Ship { .. }))
            .count();
        let others = events.clone().any(|(_, event)| {
            matches!(
                event,
                Event::Undo { .. }
                    | Event::ShipAgain { .. }
                    | Event::Pause { .. }
                    | Event::Resume { .. }
                    | Event::PromoteFull { .. }
                    | Event::Abort { .. }
                    | Event::Recreate { .. }
                    | Event::KillSwitch { .. }
                    | Event::Order { .. }
                    | Event::Leap { .. }
            )
        });
        // While nothing can be written nothing is decided, and after the watch nothing is taken back: that is told.
        let full: i64 = events
            .map(|(_, event)| match event {
                Event::DiskFull { seconds } => *seconds,
                _ => 0,
            })
            .sum();
        let decides = u64::try_from(full).is_ok_and(|full| full < self.watch);
        decides
            && !others
            && !self.scales
            && shipped == self.kinds.len()
            && shipped <= self.actions_per_hour
    }

    fn draw_people(&mut self, random: &mut Random, targets: usize) {
        for target in 0..targets {
            let at = second(random, 4, 10);
            let good = random.chance(200);
            self.events.push((at, Event::Ship { target, good }));
        }
        self.draw_busy(random, targets);
        if random.chance(550) {
            return;
        }
        for _ in 0..random.between(1, 4) {
            let target = random.index(targets);
            let at = second(random, 6, HEALED - 4);
            let event = match random.between(0, 11) {
                0 | 1 => Event::Ship {
                    target,
                    good: false,
                },
                2 => Event::Ship { target, good: true },
                3 => Event::Undo { target },
                4 => Event::ShipAgain { target },
                5 => {
                    let until = at + second(random, 2, 15);
                    self.events.push((until, Event::Resume { target }));
                    Event::Pause { target }
                }
                6 => Event::PromoteFull { target },
                7 => Event::Abort { target },
                8 => Event::Recreate { target },
                _ => {
                    let until = at + second(random, 2, 20);
                    self.events
                        .push((until, Event::KillSwitch { target, on: false }));
                    Event::KillSwitch { target, on: true }
                }
            };
            self.events.push((at, event));
        }
    }

    fn draw_busy(&mut self, random: &mut Random, targets: usize) {
        if !self.scales {
            return;
        }
        let target = random.index(targets);
        let at = second(random, 2, 20);
        let seconds = second(random, 12, 24);
        self.events.push((at, Event::Busy { target, seconds }));
        if random.chance(500) {
            let replicas = u32::try_from(random.between(3, 8)).unwrap_or(4);
            let at = second(random, at, HEALED - 2);
            self.events.push((at, Event::Replicas { target, replicas }));
        }
    }

    fn draw_faults(&mut self, random: &mut Random) {
        for _ in 0..random.between(0, 4) {
            let at = second(random, 3, HEALED - 8);
            let seconds = second(random, 1, 20).min(HEALED - at);
            let replica = random.index(self.replicas);
            let event = match random.between(0, 14) {
                0..=3 => {
                    let modes = [
                        Mode::Down,
                        Mode::Empty,
                        Mode::Garbage,
                        Mode::Partial,
                        Mode::Hangs,
                        Mode::Stale,
                        Mode::Slow,
                    ];
                    let mode = modes[random.index(modes.len())];
                    Event::Source { mode, seconds }
                }
                4 => Event::DiskFull { seconds },
                5 => Event::ClusterDown { seconds },
                6 => Event::ChannelsDown { seconds },
                7 | 8 => Event::Freeze { replica, seconds },
                9 | 10 => Event::Partition { replica, seconds },
                11 => Event::Kill { replica },
                12 => Event::Terminate { replica },
                _ => {
                    let most = if random.chance(700) { 20 } else { 110 };
                    let seconds = second(random, -most, most);
                    Event::Leap { replica, seconds }
                }
            };
            self.events.push((at, event));
        }
    }

    fn draw_arms(&mut self, random: &mut Random) {
        for _ in 0..random.between(0, 3) {
            let points = [
                Point::BeforeAppend,
                Point::TornAppend,
                Point::AfterAppend,
                Point::BeforeRead,
                Point::BeforeWrite,
                Point::BeforeAnswer,
                Point::AfterAnswer,
                Point::BeforeMessage,
                Point::AfterMessage,
                Point::InQuestion,
            ];
            let point = points[random.index(points.len())];
            let most = match point {
                Point::BeforeAppend | Point::TornAppend | Point::AfterAppend => 14,
                Point::InQuestion => 30,
                Point::BeforeRead
                | Point::BeforeWrite
                | Point::BeforeAnswer
                | Point::AfterAnswer
                | Point::BeforeMessage
                | Point::AfterMessage => 3,
            };
            self.arms.push(Arm {
                point,
                countdown: random.between(1, most),
                freeze: random.chance(350).then(|| second(random, 1, 20)),
            });
        }
    }
}

/// A whole number of seconds in `from..=to`.
pub(crate) fn second(random: &mut Random, from: i64, to: i64) -> i64 {
    let width = u64::try_from(to - from).unwrap_or(0);
    from + i64::try_from(random.between(0, width)).unwrap_or(0)
}
