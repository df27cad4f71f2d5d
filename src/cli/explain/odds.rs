//! How strong evidence is, in words and as a bar (judge.md 9): always "1 in so many if the release were fine", never a
//! probability that it is bad.

use serde::Serialize;

use recant_core::wording::{count, digits};

/// Cells of a bar up to its threshold, and beyond it.
const CELLS: usize = 20;
const BEYOND: usize = 4;

/// More than this is said as "more than": no data are that sure, only the sums are.
const SUREST: f64 = 1e9;

/// Evidence with the threshold at which it decides; both as natural logarithms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Weight {
    pub(super) log: f64,
    pub(super) log_needed: f64,
    /// The same as "1 in …"; `None`: it says nothing.
    pub(super) one_in: Option<f64>,
    pub(super) needed_one_in: f64,
}

impl Weight {
    pub(super) fn new(log: f64, log_needed: f64) -> Self {
        Self {
            log,
            log_needed,
            one_in: (log > 0.0).then(|| log.min(700.0).exp()),
            needed_one_in: log_needed.min(700.0).exp(),
        }
    }

    /// Whether it is enough.
    pub(super) fn decides(&self) -> bool {
        self.log >= self.log_needed
    }

    /// How much of the threshold is reached: 1 is the threshold, 0 is nothing.
    pub(super) fn part(&self) -> f64 {
        if self.log_needed > 0.0 && self.log > 0.0 {
            self.log / self.log_needed
        } else {
            0.0
        }
    }

    /// `[######--------------|    ]`: the threshold is marked, and what lies beyond it is shown up to a fifth.
    pub(super) fn bar(&self) -> String {
        let most = (CELLS + BEYOND) as f64;
        let filled = (self.part() * CELLS as f64).clamp(0.0, most);
        let cell = |index: usize, empty: char| {
            if (index as f64) + 0.5 <= filled {
                '#'
            } else {
                empty
            }
        };
        let before: String = (0..CELLS)
            // What is not enough never looks as if it were.
            .map(|index| {
                if index + 1 == CELLS && !self.decides() {
                    '-'
                } else {
                    cell(index, '-')
                }
            })
            .collect();
        let beyond: String = (CELLS..CELLS + BEYOND)
            .map(|index| {
                if self.decides() {
                    cell(index, ' ')
                } else {
                    ' '
                }
            })
            .collect();
        format!("[{before}|{beyond}]")
    }

    /// `1 in 240`, `nothing yet`.
    pub(super) fn odds(&self) -> String {
        self.one_in
            .map_or_else(|| "nothing so far".to_owned(), one_in)
    }

    /// `1 in 100`.
    pub(super) fn needed(&self) -> String {
        one_in(self.needed_one_in)
    }
}

/// `1 in 1.8`, `1 in 240`.
fn one_in(number: f64) -> String {
    if number > SUREST {
        format!("less than 1 in {}", count(SUREST))
    } else if number >= 100.0 {
        format!("1 in {}", count(number))
    } else {
        format!("1 in {}", digits(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_mark_their_threshold() {
        let needed = 100.0_f64.ln();
        for (log, bar) in [
            (-3.0, "[--------------------|    ]"),
            (0.0, "[--------------------|    ]"),
            (f64::NAN, "[--------------------|    ]"),
            (needed / 2.0, "[##########----------|    ]"),
            (needed * 0.999, "[###################-|    ]"),
            (needed, "[####################|    ]"),
            (needed * 1.1, "[####################|##  ]"),
            (1e6, "[####################|####]"),
        ] {
            assert_eq!(Weight::new(log, needed).bar(), bar, "{log}");
        }
    }

    #[test]
    fn odds_are_those_of_a_release_that_is_fine() {
        let needed = 100.0_f64.ln();
        for (log, odds) in [
            (-1.0, "nothing so far"),
            (1.8_f64.ln(), "1 in 1.8"),
            (240.0_f64.ln(), "1 in 240"),
            (4_200.0_f64.ln(), "1 in 4 200"),
            (700.0, "less than 1 in 1 000 000 000"),
            (1e9, "less than 1 in 1 000 000 000"),
        ] {
            let weight = Weight::new(log, needed);
            assert_eq!(weight.odds(), odds, "{log}");
            assert_eq!(weight.needed(), "1 in 100");
            assert_eq!(weight.decides(), log >= needed);
        }
        assert!(!Weight::new(f64::NAN, needed).decides());
        assert!(Weight::new(f64::NAN, needed).one_in.is_none());
    }
}
