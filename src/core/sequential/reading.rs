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

    /// Of a statistical rule.
    pub const fn test(log_bad: f64, log_good: f64) -> Self {
        Self {
            log_bad,
            log_good,
            progress: None,
        }
    }
}
