//! What an analysis needs to know of a rule, whatever kind of rule it is.

/// How much the evidence of a rule says now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Evidence against "within what is allowed".
    pub log_bad: f64,
    /// Evidence against "beyond what is allowed".
    pub log_good: f64,
    /// Of rules that are conditions, not tests: how far each side has come.
    pub progress: Option<Progress>,
}

/// How much of the time asked for has passed, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Above the limit without a break.
    pub bad: f64,
    /// Within the limit without a break.
    pub good: f64,
}

impl Reading {
    /// Of a rule without data: it says nothing, and passes nothing.
    pub const SILENT: Self = Self::test(0.0, 0.0);

    /// Of several tests of one rule: the mean of the evidence against it, and only what all say for it.
    pub fn mean(readings: &[Self]) -> Self {
        let most = readings
            .iter()
            .map(|reading| reading.log_bad)
            .fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = readings
            .iter()
            .map(|reading| (reading.log_bad - most).exp())
            .sum();
        Self {
            log_bad: most + (sum / readings.len() as f64).ln(),
            log_good: readings
                .iter()
                .map(|reading| reading.log_good)
                .fold(f64::INFINITY, f64::min),
            progress: None,
        }
    }

    /// Of a statistical rule.
    pub const fn test(log_bad: f64, log_good: f64) -> Self {
        Self {
            log_bad,
            log_good,
            progress: None,
        }
    }
}
