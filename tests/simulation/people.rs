//! People who order something while everything else goes on. Each gives the order to whoever acts, and gives it again with
//! the same key until there is an answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use recant_core::command::{By, Command, Lasting, Order, Reach};
use recant_core::engine::Given;
use recant_core::guard::Guard;
use recant_core::ids::TargetId;

use crate::random::Random;
use crate::scenario::{Event, HEALED, second};
use crate::world::Sim;

/// What a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Back to where Recant would go, or to the first revision; whatever rates, holds and freezes say, or not.
    Rollback {
        to_first: bool,
        overrides: bool,
    },
    Hold {
        seconds: u64,
    },
    Resume,
    Freeze {
        everything: bool,
        seconds: u64,
    },
    Unfreeze {
        everything: bool,
    },
}

/// What one or two people order in a schedule, and when.
pub(crate) fn draw(random: &mut Random, targets: usize) -> Vec<(i64, Event)> {
    if random.chance(700) {
        return Vec::new();
    }
    let mut events = Vec::new();
    for _ in 0..random.between(1, 4) {
        let everything = random.chance(500);
        let wish = match random.between(0, 8) {
            0..=2 => Wish::Rollback {
                to_first: random.chance(300),
                overrides: random.chance(300),
            },
            3 | 4 => Wish::Hold {
                seconds: random.between(3, 25),
            },
            5 => Wish::Resume,
            6 | 7 => Wish::Freeze {
                everything,
                seconds: random.between(3, 25),
            },
            _ => Wish::Unfreeze { everything },
        };
        let event = Event::Order {
            target: random.index(targets),
            wish,
            twice: random.chance(300),
        };
        events.push((second(random, 5, HEALED - 4), event));
    }
    events
}

/// Gives the order; `twice`: at two places at once, as a client does that has lost patience.
pub(crate) fn order(sim: &Arc<Sim>, target: usize, wish: Wish, twice: bool) {
    let command = {
        let mut world = sim.world();
        world.ordered += 1;
        let number = world.ordered;
        let target = world.target(target).id.clone();
        command(wish, target, number)
    };
    for _ in 0..=usize::from(twice) {
        sim.world().unanswered += 1;
        let (sim, command) = (Arc::clone(sim), command.clone());
        tokio::spawn(async move {
            insist(&sim, &command).await;
            sim.world().unanswered -= 1;
        });
    }
}

fn command(wish: Wish, target: TargetId, number: u64) -> Command {
    let reach = |everything| {
        if everything {
            Reach::Everything
        } else {
            Reach::Namespace {
                namespace: target.namespace.clone(),
            }
        }
    };
    let mut overrides = BTreeSet::new();
    let order = match wish {
        Wish::Rollback {
            to_first,
            overrides: all,
        } => {
            if all {
                overrides.extend([
                    Guard::CoolDown,
                    Guard::ActionRate,
                    Guard::Freeze,
                    Guard::HeldByPerson,
                ]);
            }
            Order::Rollback {
                target,
                to: to_first.then(|| "v1".to_owned()),
            }
        }
        Wish::Hold { seconds } => Order::Hold {
            target,
            lasts: Lasting::Seconds(seconds),
        },
        Wish::Resume => Order::Resume { target },
        Wish::Freeze {
            everything,
            seconds,
        } => Order::Freeze {
            reach: reach(everything),
            lasts: Lasting::Seconds(seconds),
        },
        Wish::Unfreeze { everything } => Order::Unfreeze {
            reach: reach(everything),
        },
    };
    Command {
        key: format!("key-{number}"),
        // Each order has a person of its own: a plan says by whom it was ordered.
        by: By {
            caller: format!("person-{number}"),
            identity: None,
        },
        reason: "as agreed".to_owned(),
        order,
        overrides,
    }
}

async fn insist(sim: &Arc<Sim>, command: &Command) {
    loop {
        let acting = {
            let world = sim.world();
            let mut alive = world.alive.iter().flatten();
            let acting = alive.find(|process| process.holds() && !process.frozen());
            acting.and_then(|process| process.orders())
        };
        if let Some(orders) = acting {
            let given = Given {
                command: command.clone(),
                dry_run: false,
            };
            if let Ok(answer) = orders.give(given).await {
                sim.note(&format!("{} is answered: {:?}", command.by, answer.outcome));
                let check = sim.world().oracle.answered(command, &answer.outcome);
                sim.hold(check);
                return;
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
