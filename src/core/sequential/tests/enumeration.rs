//! Every outcome of a few events: E[exp(z)] <= 1 at every grid point, on and inside the null, in both directions
//! (judge.md 14.9); what a step is (14.4); and the swap of arms (14.7).

use super::arbitrary::unlearned;
use crate::sequential::grid::{BAD, GOOD, Point};
use crate::sequential::mixture::{Caps, Mixture};
use crate::sequential::ratio::{raw_compare, raw_limit, step};
use crate::sequential::tally::Tally;
use crate::sequential::{RatioLimit, Settings};

const EVENTS: u32 = 6;

fn tally(n: u32, e: u32) -> Tally {
    Tally::read(f64::from(n), f64::from(e)).expect("counts")
}

/// The chance of `e` bad events among `n`.
fn binomial(n: u32, e: u32, p: f64) -> f64 {
    let ways: f64 = (0..e)
        .map(|i| f64::from(n - i) / f64::from(i + 1))
        .product();
    let power = |base: f64, times: u32| (0..times).map(|_| base).product::<f64>();
    ways * power(p, e) * power(1.0 - p, n - e)
}

fn points() -> impl Iterator<Item = Point> {
    BAD.into_iter().chain(GOOD)
}

#[test]
fn no_limit_expects_to_win_on_either_null() {
    let mut checked = 0;
    for n in 1..=EVENTS {
        for p0 in [0.001, 0.01, 0.2, 0.7] {
            for part in [0.0, 0.3, 0.9, 1.0, 1.1, 2.0, 50.0] {
                let p: f64 = p0 * part;
                if p > 1.0 {
                    continue;
                }
                for point in points() {
                    // Fine: at most p0 (points above 1). Harmful: at least p0 (points below).
                    let inside = if point.times > 1.0 {
                        part <= 1.0
                    } else {
                        part >= 1.0
                    };
                    if !inside {
                        continue;
                    }
                    let expected: f64 = (0..=n)
                        .map(|e| binomial(n, e, p) * raw_limit(point, p0, tally(n, e)).exp())
                        .sum();
                    assert!(expected <= 1.0 + 1e-9, "{n} {p0} {p} {point:?}: {expected}");
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 1000, "{checked}");
}

#[test]
fn no_comparison_expects_to_win_on_either_null() {
    let mut checked = 0;
    for (n_c, n_b) in [(1, 1), (1, EVENTS), (EVENTS, 1), (4, 3), (EVENTS, EVENTS)] {
        for (psi0, plus) in [(1.0, 0.0), (1.5, 0.001), (0.7, 0.05), (3.0, 0.01)] {
            for p_b in [0.0, 0.001, 0.1, 0.5, 1.0] {
                for part in [0.0, 0.5, 1.0, 1.5, 4.0] {
                    let p_c: f64 = (psi0 * p_b + plus) * part;
                    if p_c > 1.0 {
                        continue;
                    }
                    for point in points() {
                        let inside = if point.times > 1.0 {
                            part <= 1.0
                        } else {
                            part >= 1.0
                        };
                        if !inside {
                            continue;
                        }
                        let mut expected = 0.0;
                        for e_c in 0..=n_c {
                            for e_b in 0..=n_b {
                                let z = raw_compare(
                                    point,
                                    psi0,
                                    plus,
                                    tally(n_c, e_c),
                                    tally(n_b, e_b),
                                );
                                expected +=
                                    binomial(n_c, e_c, p_c) * binomial(n_b, e_b, p_b) * z.exp();
                            }
                        }
                        assert!(
                            expected <= 1.0 + 1e-9,
                            "{n_c}+{n_b} {psi0} {plus} {p_c} {p_b} {point:?}: {expected}"
                        );
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 1000, "{checked}");
}

#[test]
fn swapping_the_arms_is_the_inverse_point() {
    for times in [0.01, 0.2, 0.8, 1.25, 3.0, 100.0] {
        let point = |times: f64| Point {
            times,
            ln: times.ln(),
        };
        for (c, b) in [((5, 2), (9, 1)), ((1, 1), (200, 0)), ((70, 0), (3, 3))] {
            let (canary, baseline) = (tally(c.0, c.1), tally(b.0, b.1));
            let one = raw_compare(point(times), 1.0, 0.0, canary, baseline);
            let other = raw_compare(point(1.0 / times), 1.0, 0.0, baseline, canary);
            assert!((one - other).abs() < 1e-9, "{times}: {one} and {other}");
        }
    }
}

#[test]
fn a_step_is_the_evidence_divided_by_the_clump_size() {
    for z in [-40.0, -0.5, 0.0, 0.5, 7.0] {
        assert!((step(z, 3.0, 3.0) - z / 3.0).abs() < 1e-12);
    }
    assert!(
        (step(6.0, 2.0, 3.0) - 2.0).abs() < 1e-12,
        "what speaks for a verdict, by the larger"
    );
    assert!(
        (step(-6.0, 2.0, 3.0) + 3.0).abs() < 1e-12,
        "what speaks against one, by that before"
    );
}

#[test]
fn with_a_clump_size_given_a_tick_moves_the_mixture_by_its_share() {
    let settings = Settings {
        clump: 4.0,
        ..unlearned()
    };
    let mut limit = RatioLimit::new(0.02, settings).expect("good parameters");
    let mut mixture = Mixture::<{ BAD.len() }>::late(200);
    for e in [0, 1, 0, 2, 0] {
        limit.update(50.0, f64::from(e));
        let steps = BAD.map(|point| raw_limit(point, 0.02, tally(50, e)) / 4.0);
        mixture.update(&steps, Caps::NONE);
        assert!((limit.log_bad() - mixture.log()).abs() < 1e-12);
    }
}
