//! The e-process of a rule: a mixture over a grid of sizes, and over the tick with which the fault begins (judge.md 3.2).
//!
//! Each start gives an e-process that is 1 before it, and a mixture of these with prior weights that sum to 1 is one;
//! caps and lift only lower it. Late starts are there because evidence from the first tick on would first have to undo
//! all that good hours had said; their price, ln(2T), is what every test of the same size has to pay (Lorden,
//! "Procedures for reacting to a change in distribution", 1971).

use serde::{Deserialize, Serialize};

use super::array;
use super::logs::{NEVER, log_add, log_sum};

/// What one tick may add at most. All infinite: no bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Caps {
    /// To a fault of the first tick, per grid point.
    pub(super) first: f64,
    /// To a fault that began later, per grid point.
    pub(super) late: f64,
    /// To the logarithm of the whole, above 0 or where it was.
    pub(super) lift: f64,
}

impl Caps {
    pub(super) const NONE: Self = Self {
        first: f64::INFINITY,
        late: f64::INFINITY,
        lift: f64::INFINITY,
    };
}

/// An e-process over `K` grid points, as logarithms. It starts at 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mixture<const K: usize> {
    /// Ticks with evidence.
    ticks: u64,
    /// The logarithm of the whole.
    total: f64,
    /// Of a fault that is there from the first tick on.
    #[serde(with = "array")]
    first: [f64; K],
    starts: Starts<K>,
}

/// When a fault may begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Starts<const K: usize> {
    /// With the first tick (weight 1/2), or with any of the `horizon` ticks of the watch (together 1/2).
    Late {
        horizon: u64,
        #[serde(with = "array")]
        late: [f64; K],
    },
    /// With the first tick.
    First,
    /// With every tick, weight 1 each: an e-detector (Shin, Ramdas, Rinaldo, "E-detectors", 2022).
    Endless,
}

impl<const K: usize> Mixture<K> {
    pub(super) fn late(horizon: u64) -> Self {
        Self::new(Starts::Late {
            horizon,
            late: [NEVER; K],
        })
    }

    pub(super) fn first() -> Self {
        Self::new(Starts::First)
    }

    pub(super) fn endless() -> Self {
        Self::new(Starts::Endless)
    }

    fn new(starts: Starts<K>) -> Self {
        Self {
            ticks: 0,
            total: 0.0,
            first: [NEVER; K],
            starts,
        }
    }

    /// The logarithm of the e-process.
    pub(super) fn log(&self) -> f64 {
        self.total
    }

    /// Ticks with evidence so far.
    pub(super) fn ticks(&self) -> u64 {
        self.ticks
    }

    /// One tick with evidence: a step per grid point.
    pub(super) fn update(&mut self, steps: &[f64; K], caps: Caps) {
        let before = self.ticks;
        let size = K as f64;
        let begins = match &self.starts {
            Starts::Late { .. } if before == 0 => 0.5,
            Starts::First if before == 0 => 1.0,
            Starts::Late { .. } | Starts::First => 0.0,
            Starts::Endless => 1.0,
        };
        advance(&mut self.first, (begins / size).ln(), steps, caps.first);
        // Weight of the faults that have not begun yet.
        let mut rest = 0.0;
        if let Starts::Late { horizon, late } = &mut self.starts {
            let length = *horizon as f64;
            let begins = if (1..=*horizon).contains(&before) {
                0.5 / length
            } else {
                0.0
            };
            advance(late, (begins / size).ln(), steps, caps.late);
            rest = 0.5 * (1.0 - before as f64 / length).max(0.0);
        }
        self.sum(rest, self.total.max(0.0) + caps.lift);
        self.ticks = self.ticks.saturating_add(1);
    }

    /// Sums it all up; what lies above `top` is taken from the faults that have begun.
    fn sum(&mut self, rest: f64, top: f64) {
        let begun = match &self.starts {
            Starts::Late { late, .. } => log_sum(self.first.iter().chain(late).copied()),
            Starts::First | Starts::Endless => log_sum(self.first.iter().copied()),
        };
        self.total = log_add(begun, rest.ln());
        if self.total > top {
            let above = begun - top - (-rest * (-top).exp()).ln_1p();
            for log in &mut self.first {
                *log -= above;
            }
            if let Starts::Late { late, .. } = &mut self.starts {
                for log in late {
                    *log -= above;
                }
            }
            self.total = top;
        }
    }
}

fn advance<const K: usize>(logs: &mut [f64; K], prior: f64, steps: &[f64; K], cap: f64) {
    for (log, step) in logs.iter_mut().zip(steps) {
        *log = log_add(*log, prior) + step.min(cap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_learned_leaves_it_at_one() {
        for mut mixture in [Mixture::<3>::late(10), Mixture::first()] {
            for _ in 0..30 {
                mixture.update(&[0.0; 3], Caps::NONE);
                assert!(mixture.log().abs() < 1e-12, "{}", mixture.log());
            }
        }
    }

    #[test]
    fn an_endless_watch_gains_a_start_with_every_tick() {
        let mut mixture = Mixture::<2>::endless();
        for tick in 1..=50_u32 {
            mixture.update(&[0.0; 2], Caps::NONE);
            assert!((mixture.log() - f64::from(tick).ln()).abs() < 1e-12);
        }
    }

    #[test]
    fn a_tick_lifts_it_no_higher_than_allowed() {
        let caps = Caps {
            lift: 2.5,
            ..Caps::NONE
        };
        let mut mixture = Mixture::<2>::late(100);
        mixture.update(&[50.0, 60.0], caps);
        assert!((mixture.log() - 2.5).abs() < 1e-12);
        mixture.update(&[50.0, 60.0], caps);
        assert!((mixture.log() - 5.0).abs() < 1e-12);
        let parts = match &mixture.starts {
            Starts::Late { late, .. } => log_sum(mixture.first.iter().chain(late).copied()),
            Starts::First | Starts::Endless => f64::NAN,
        };
        let whole = log_add(parts, (0.5_f64 * 0.99).ln());
        assert!((whole - 5.0).abs() < 1e-12, "the parts sum up to {whole}");
    }

    #[test]
    fn the_order_of_the_grid_does_not_matter() {
        let (mut one, mut other) = (Mixture::<4>::late(50), Mixture::<4>::late(50));
        for tick in 0..80_u32 {
            let steps = [0.3, -1.5, 2.0, -0.1].map(|step| step * f64::from(tick % 3) - 0.4);
            let mut reversed = steps;
            reversed.reverse();
            one.update(&steps, Caps::NONE);
            other.update(&reversed, Caps::NONE);
            assert!((one.log() - other.log()).abs() < 1e-9);
        }
    }

    #[test]
    fn a_checkpoint_of_the_wrong_size_is_refused() {
        let text = r#"{"ticks":0,"total":0.0,"first":[0.0,0.0],"starts":"first"}"#;
        assert!(serde_json::from_str::<Mixture<2>>(text).is_ok());
        assert!(serde_json::from_str::<Mixture<3>>(text).is_err());
        assert!(serde_json::from_str::<Mixture<1>>(text).is_err());
    }
}
