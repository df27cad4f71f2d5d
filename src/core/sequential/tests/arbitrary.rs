//! Ticks, rules and dice for the tests.

use proptest::prelude::*;

use crate::sequential::{RatioCompare, RatioLimit, RatioLimitBeside, Settings, Span, Tolerance};

pub(super) fn settings() -> Settings {
    Settings {
        span: Span::Release { horizon: 200 },
        ..Settings::default()
    }
}

/// Nothing learned, every error alone.
pub(super) fn unlearned() -> Settings {
    Settings {
        learn: false,
        ..settings()
    }
}

pub(super) fn limit(settings: Settings) -> RatioLimit {
    RatioLimit::new(0.02, settings).expect("good parameters")
}

pub(super) fn compare(settings: Settings) -> RatioCompare {
    RatioCompare::new(Tolerance::default(), settings).expect("good parameters")
}

pub(super) fn beside(settings: Settings) -> RatioLimitBeside {
    RatioLimitBeside::new(0.02, Tolerance::default(), settings).expect("good parameters")
}

/// Counts of one tick: (`n_c`, `e_c`, `n_b`, `e_b`).
pub(super) type Tick = (f64, f64, f64, f64);

fn arm() -> impl Strategy<Value = (f64, f64)> {
    prop_oneof![
        1 => Just((0, 0)),
        3 => (1_u32..60, Just(0_u32)),
        4 => (1_u32..60).prop_flat_map(|n| (Just(n), 0..=n)),
        1 => (1_u32..60).prop_map(|n| (n, n)),
    ]
    .prop_map(|(n, e)| (f64::from(n), f64::from(e)))
}

pub(super) fn tick() -> impl Strategy<Value = Tick> {
    (arm(), arm()).prop_map(|((n_c, e_c), (n_b, e_b))| (n_c, e_c, n_b, e_b))
}

pub(super) fn ticks() -> impl Strategy<Value = Vec<Tick>> {
    prop::collection::vec(tick(), 1..40)
}

/// Anything that can arrive as a number.
pub(super) fn anything() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        (0_u32..1000).prop_map(f64::from),
        prop::sample::select(vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -1.0,
            -0.0,
            0.0,
            0.25,
            1e-320,
            1e-9,
            9_007_199_254_740_993.0,
            1_152_921_504_606_846_976.0,
            1e18,
            1e100,
            1e101,
            f64::MAX,
        ]),
    ]
}

/// Dice that fall the same in every run (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// Bad events among `n`, each with the same chance.
    pub(super) fn bad(&mut self, n: u32, chance: f64) -> f64 {
        (0..n)
            .map(|_| f64::from(u8::from(self.share() < chance)))
            .sum()
    }
}
