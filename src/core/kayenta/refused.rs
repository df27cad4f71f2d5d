//! Requests that get no answer: Kayenta throws for them, or they are too large.

use thiserror::Error;

/// Why a request is not judged; no part of it is, as in Kayenta.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// A setting of a metric has the wrong type.
    #[error(
        "metric `{metric}`: `analysisConfigurations.canary.{setting}` is {found}, and {wanted} is needed; Kayenta takes \
         no other type and refuses the whole request: write it without quotes"
    )]
    WrongType {
        metric: String,
        /// Its path, such as `effectSize.allowedIncrease`.
        setting: String,
        /// What it is, in words.
        found: &'static str,
        /// What it should be, in words.
        wanted: &'static str,
        /// What Kayenta says.
        exception: String,
    },
    /// The outlier factor is not above zero.
    #[error(
        "metric `{metric}`: `analysisConfigurations.canary.outliers.outlierFactor` is {factor}, and must be above 0; \
         Kayenta refuses the whole request: leave it out for 3"
    )]
    OutlierFactor { metric: String, factor: String },
    /// Weights so large that the score is infinite, which Kayenta cannot round.
    #[error(
        "the weights of the groups give no finite score; Kayenta refuses the request: let them add up to 100"
    )]
    ScoreNotFinite,
    /// More metrics than are judged at once.
    #[error("{found} metrics are more than the {most} that are judged at once: split the request")]
    TooManyMetrics { found: usize, most: usize },
    /// More samples than are judged.
    #[error(
        "metric `{metric}`: {found} samples on one side are more than the {most} that are judged: take a longer step"
    )]
    TooManySamples {
        metric: String,
        found: usize,
        most: usize,
    },
}

impl Refused {
    /// What Kayenta says, where it refuses the request, too.
    pub fn exception(&self) -> Option<&str> {
        match self {
            Self::WrongType { exception, .. } => Some(exception),
            Self::OutlierFactor { .. } => Some(
                "java.lang.IllegalArgumentException: requirement failed: factor must be greater than zero",
            ),
            Self::ScoreNotFinite => Some("java.lang.NumberFormatException"),
            Self::TooManyMetrics { .. } | Self::TooManySamples { .. } => None,
        }
    }
}
