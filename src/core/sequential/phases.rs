//! A baseline that goes in the middle of an analysis (judge.md 10): a rule has evidence beside it, and alone.
//!
//! A process that is 1 until a moment that does not depend on what comes after is an e-process, so the mean of both still
//! is one, and alpha holds over both phases. The price is ln 2 in each.

use super::logs::log_add;
use super::reading::Reading;

/// What a user rule says over both phases of an analysis that began with a baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phased {
    /// Of the rule beside the baseline; it gets no more ticks once the phase alone has begun.
    pub beside: Reading,
    /// Of the rule alone; `None` until that phase begins.
    pub alone: Option<Reading>,
}

impl Phased {
    /// Both as one reading: half the weight each against the release; for it speaks the phase that it is in.
    pub fn reading(&self) -> Reading {
        let alone = self.alone.unwrap_or(Reading::SILENT);
        Reading {
            log_bad: log_add(self.beside.log_bad, alone.log_bad) - std::f64::consts::LN_2,
            log_good: self.alone.unwrap_or(self.beside).log_good,
            progress: self.alone.unwrap_or(self.beside).progress,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_the_baseline_goes_half_the_weight_stands_at_one() {
        let beside = Reading::test(5.0, 1.0);
        let reading = Phased {
            beside,
            alone: None,
        }
        .reading();
        assert!((reading.log_bad - f64::midpoint(5.0_f64.exp(), 1.0).ln()).abs() < 1e-12);
        assert!((reading.log_good - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_was_said_beside_the_baseline_is_kept_and_passes_nothing() {
        let phased = Phased {
            beside: Reading::test(3.0, 9.0),
            alone: Some(Reading::test(4.0, 0.5)),
        };
        let reading = phased.reading();
        let mean = f64::midpoint(3.0_f64.exp(), 4.0_f64.exp()).ln();
        assert!((reading.log_bad - mean).abs() < 1e-12);
        assert!((reading.log_good - 0.5).abs() < 1e-12);
    }
}
