//! What the controller checks of a run's metrics before it measures. The texts are its own: they become the run's
//! message.

use thiserror::Error;

use super::expression::{DurationError, matches_pattern};
use super::json::Json;
use super::metric::{IntOrString, Metric, PROVIDERS};

/// Why a spec is invalid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Invalid {
    #[error("no metrics specified")]
    NoMetrics,
    #[error("metrics[{index}]: duplicate name '{name}'")]
    DuplicateName { index: usize, name: String },
    #[error("metrics[{index}]: {fault}")]
    Metric { index: usize, fault: Fault },
    #[error("{rules}[{index}]: Rule didn't match any metric name(s)")]
    RuleMatchesNothing { rules: &'static str, index: usize },
}

/// What is wrong with one metric.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("consecutiveSuccessLimit must be >= 0")]
    NegativeConsecutiveSuccessLimit,
    #[error("failureLimit must be >= 0, or -1 to be disabled")]
    NegativeFailureLimit,
    #[error("failureLimit and consecutiveSuccessLimit cannot both be disabled")]
    BothDisabled,
    #[error("inconclusiveLimit must be >= 0")]
    NegativeInconclusiveLimit,
    #[error("consecutiveErrorLimit must be >= 0")]
    NegativeConsecutiveErrorLimit,
    #[error(
        "count ({count}) must be >= failureLimit + consecutiveSuccessLimit ({failure} + {success}) if both >= 0"
    )]
    CountBelowLimits {
        count: i64,
        failure: i64,
        success: i64,
    },
    #[error("count must be >= consecutiveSuccessLimit")]
    CountBelowConsecutiveSuccessLimit,
    #[error("count must be >= inconclusiveLimit")]
    CountBelowInconclusiveLimit,
    #[error("interval must be specified when count > 1")]
    NoInterval,
    #[error("invalid interval string: {0}")]
    BadInterval(DurationError),
    #[error("invalid startDelay string: {0}")]
    BadInitialDelay(DurationError),
    #[error("no provider specified")]
    NoProvider,
    #[error("multiple providers specified")]
    SeveralProviders,
}

impl Invalid {
    /// The kind of the fault, as in recordings.
    pub fn class(&self) -> &'static str {
        match self {
            Self::NoMetrics => "no-metrics",
            Self::DuplicateName { .. } => "duplicate-metric",
            Self::RuleMatchesNothing { .. } => "rule-matches-nothing",
            Self::Metric { fault, .. } => match fault {
                Fault::NegativeConsecutiveSuccessLimit
                | Fault::NegativeFailureLimit
                | Fault::BothDisabled
                | Fault::NegativeInconclusiveLimit
                | Fault::NegativeConsecutiveErrorLimit
                | Fault::CountBelowLimits { .. }
                | Fault::CountBelowConsecutiveSuccessLimit
                | Fault::CountBelowInconclusiveLimit
                | Fault::NoInterval => "bad-limit",
                Fault::BadInterval(_) | Fault::BadInitialDelay(_) => "bad-duration",
                Fault::NoProvider => "no-provider",
                Fault::SeveralProviders => "several-providers",
            },
        }
    }
}

/// Checks metrics in the controller's order.
///
/// # Errors
/// The first fault.
pub fn validate(metrics: &[Metric]) -> Result<(), Invalid> {
    if metrics.is_empty() {
        return Err(Invalid::NoMetrics);
    }
    for (index, metric) in metrics.iter().enumerate() {
        let named_before = metrics
            .iter()
            .take(index)
            .any(|other| other.name == metric.name);
        if named_before {
            let name = metric.name.clone();
            return Err(Invalid::DuplicateName { index, name });
        }
        check(metric).map_err(|fault| Invalid::Metric { index, fault })?;
    }
    Ok(())
}

fn check(metric: &Metric) -> Result<(), Fault> {
    let count = metric.count.as_ref().map_or(0, IntOrString::value);
    let failure = metric.failure_limit_or_default();
    let success = metric.success_limit_or_default();
    let inconclusive = metric.inconclusive_limit_or_default();
    if success < 0 {
        return Err(Fault::NegativeConsecutiveSuccessLimit);
    }
    if failure < -1 {
        return Err(Fault::NegativeFailureLimit);
    }
    if success == 0 && failure == -1 {
        return Err(Fault::BothDisabled);
    }
    if inconclusive < 0 {
        return Err(Fault::NegativeInconclusiveLimit);
    }
    if metric.error_limit_or_default() < 0 {
        return Err(Fault::NegativeConsecutiveErrorLimit);
    }
    if count > 0 {
        if failure >= 0 && count < failure.saturating_add(success) {
            return Err(Fault::CountBelowLimits {
                count,
                failure,
                success,
            });
        }
        if failure < 0 && count < success {
            return Err(Fault::CountBelowConsecutiveSuccessLimit);
        }
        if count < inconclusive {
            return Err(Fault::CountBelowInconclusiveLimit);
        }
    }
    if count > 1 && metric.interval.is_empty() {
        return Err(Fault::NoInterval);
    }
    metric.interval_nanoseconds().map_err(Fault::BadInterval)?;
    metric
        .initial_delay_nanoseconds()
        .map_err(Fault::BadInitialDelay)?;
    match providers(&metric.provider) {
        0 => Err(Fault::NoProvider),
        1 => Ok(()),
        _ => Err(Fault::SeveralProviders),
    }
}

/// How many providers a metric names; every plugin is one.
fn providers(provider: &Json) -> usize {
    let set = |name: &&str| !matches!(provider.get(name), None | Some(Json::Null));
    let known = PROVIDERS.iter().filter(|name| set(name)).count();
    let plugins = match provider.get("plugin") {
        Some(Json::Object(plugins)) => plugins.len(),
        Some(_) | None => 0,
    };
    known + plugins
}

/// The rule of each name that one applies to: the last one that matches. Names are unanchored regular expressions; an
/// invalid one (`*`) matches nothing.
///
/// # Errors
/// A rule that applies to no metric.
pub(super) fn matching<'r, R>(
    rules: &'r [R],
    field: &'static str,
    pattern: impl Fn(&R) -> &str,
    names: &[&str],
) -> Result<Vec<(String, &'r R)>, Invalid> {
    let mut found: Vec<(String, &R)> = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let mut matched = false;
        for name in names {
            if matches_pattern(pattern(rule), name) {
                matched = true;
                found.retain(|(known, _)| known != name);
                found.push(((*name).to_owned(), rule));
            }
        }
        if !matched {
            return Err(Invalid::RuleMatchesNothing {
                rules: field,
                index,
            });
        }
    }
    Ok(found)
}
