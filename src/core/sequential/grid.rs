//! How many times worse, or better, than allowed: the points over which evidence is mixed, with equal weights
//! (judge.md 3.1).

/// A point of a grid: odds that are `times` the odds allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) times: f64,
    /// ln(times), written out because it is needed at every point of every tick.
    pub(super) ln: f64,
}

const fn at(times: f64, ln: f64) -> Point {
    Point { times, ln }
}

/// Times worse than allowed: what speaks against the release.
pub(super) const BAD: [Point; 8] = [
    at(1.25, 0.223_143_551_314_209_76),
    at(1.6, 0.470_003_629_245_735_6),
    at(2.0, std::f64::consts::LN_2),
    at(3.0, 1.098_612_288_668_109_8),
    at(5.0, 1.609_437_912_434_100_3),
    at(10.0, std::f64::consts::LN_10),
    at(30.0, 3.401_197_381_662_155_5),
    at(100.0, 4.605_170_185_988_092),
];

/// Shares of what is allowed: what speaks for the release.
pub(super) const GOOD: [Point; 6] = [
    at(0.8, -0.223_143_551_314_209_7),
    at(0.6, -0.510_825_623_765_990_7),
    at(0.4, -0.916_290_731_874_155),
    at(0.2, -1.609_437_912_434_100_3),
    at(0.05, -2.995_732_273_553_991),
    at(0.01, -4.605_170_185_988_091),
];

/// Chance that a block of the canary lies above: for gauges.
pub(super) const SIGN: [f64; 4] = [0.6, 0.75, 0.9, 0.98];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_those_of_their_points() {
        for point in BAD.iter().chain(&GOOD) {
            assert!((point.ln - point.times.ln()).abs() < 1e-15, "{point:?}");
        }
    }
}
