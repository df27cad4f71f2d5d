//! How a service answers: decided by its image's tag, and by what a test says while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::{Rng, RngExt as _};

/// What one version of a service does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Behaviour {
    /// The part of all answers that are a 500, 0..=1.
    pub(crate) errors: f64,
    /// How many answers in a row are one when one is: as with retries, or requests in flight.
    pub(crate) clump: u32,
    /// How many times longer than a good version an answer takes.
    pub(crate) slower: f64,
}

/// What the answers of one service are drawn with.
#[derive(Debug)]
pub(super) struct Dice<R> {
    pub(super) random: R,
    /// Errors left of the clump that has begun.
    pub(super) left: u32,
}

impl Behaviour {
    /// Answers in 20 to 60 ms; one answer in a thousand is a 500, as in real life.
    pub(crate) const GOOD: Self = Self {
        errors: 0.001,
        clump: 1,
        slower: 1.0,
    };
    /// Three answers of ten are a 500.
    pub(crate) const FAILING: Self = Self {
        errors: 0.3,
        clump: 1,
        slower: 1.0,
    };
    /// Answers take four times as long.
    pub(crate) const SLOW: Self = Self {
        errors: 0.001,
        clump: 1,
        slower: 4.0,
    };

    /// What a tag stands for until a test says otherwise.
    fn of_tag(tag: &str) -> Self {
        if tag.starts_with("slow") {
            Self::SLOW
        } else if tag == "v2" || tag.starts_with("bad") {
            Self::FAILING
        } else {
            Self::GOOD
        }
    }

    /// Draws how long one answer takes, and whether it is an error.
    pub(super) fn draw(self, dice: &mut Dice<impl Rng>) -> (Duration, bool) {
        let random = &mut dice.random;
        // Two dice: most answers are near the middle, as latencies are.
        let spread = random.random::<f64>() + random.random::<f64>();
        let seconds = (0.020 + 0.020 * spread) * self.slower;
        let begins = random.random::<f64>() < self.errors / f64::from(self.clump);
        if begins && dice.left == 0 {
            dice.left = self.clump;
        }
        let failed = dice.left > 0;
        dice.left = dice.left.saturating_sub(1);
        (Duration::from_secs_f64(seconds), failed)
    }
}

/// The behaviours that tests have set, by namespace and tag. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behaviours {
    set: Arc<Mutex<BTreeMap<(String, String), Behaviour>>>,
}

impl Behaviours {
    /// From the next request on.
    pub(crate) fn set(&self, namespace: &str, tag: &str, behaviour: Behaviour) {
        self.set
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((namespace.to_owned(), tag.to_owned()), behaviour);
    }

    pub(super) fn get(&self, namespace: &str, tag: &str) -> Behaviour {
        self.set
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(namespace.to_owned(), tag.to_owned()))
            .copied()
            .unwrap_or_else(|| Behaviour::of_tag(tag))
    }
}
