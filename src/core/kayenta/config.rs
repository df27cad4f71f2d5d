//! The settings of one metric: `analysisConfigurations.canary`, with Kayenta's names and defaults.

use super::classify::Band;
use super::effect::Measure;
use super::refused::Refused;
use super::setting::Setting;

/// Which differences count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    Increase,
    Decrease,
    #[default]
    Either,
}

impl Direction {
    pub(super) fn counts_increase(self) -> bool {
        match self {
            Self::Increase | Self::Either => true,
            Self::Decrease => false,
        }
    }

    pub(super) fn counts_decrease(self) -> bool {
        match self {
            Self::Decrease | Self::Either => true,
            Self::Increase => false,
        }
    }
}

/// What becomes of missing samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NanStrategy {
    #[default]
    Remove,
    /// They are 0; and a side without any samples makes the metric pass.
    Replace,
}

/// What becomes of outliers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutlierStrategy {
    #[default]
    Keep,
    Remove,
}

/// The settings of one metric, read.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricConfig {
    pub direction: Direction,
    pub nan_strategy: NanStrategy,
    pub outliers: OutlierStrategy,
    /// Interquartile ranges outside of the quartiles beyond which a sample is an outlier; above 0.
    pub outlier_factor: f64,
    /// A critical metric that fails fails the whole canary.
    pub critical: bool,
    /// Missing data is a failure of the metric.
    pub must_have_data: bool,
    /// Judged and shown, not scored.
    pub muted: bool,
    pub measure: Measure,
    /// Effects within are no failure.
    pub allowed: Band,
    /// Effects within are no critical failure.
    pub critical_band: Band,
}

impl MetricConfig {
    /// Reads `analysisConfigurations`. Unknown words are the default, as are words in other case.
    ///
    /// # Errors
    /// Settings of another type, and an outlier factor that is not above 0: Kayenta throws for the whole request.
    pub fn read(metric: &str, analysis: &Setting) -> Result<Self, Refused> {
        let canary = match analysis {
            Setting::Map(map) => map.get("canary").unwrap_or(&Setting::Null),
            _ => &Setting::Null,
        };
        let text = |path| canary.text(metric, path);
        let measure = match text("effectSize.measure")? {
            Some("cles") => Measure::Cles,
            _ => Measure::MeanRatio,
        };
        let none = match measure {
            Measure::MeanRatio => 1.0,
            Measure::Cles => 0.5,
        };
        let limit = |path| Ok(canary.number(metric, path)?.unwrap_or(none));
        let factor = canary
            .number(metric, "outliers.outlierFactor")?
            .unwrap_or(3.0);
        if factor.is_nan() || factor <= 0.0 {
            return Err(Refused::OutlierFactor {
                metric: metric.to_owned(),
                factor: factor.to_string(),
            });
        }
        Ok(Self {
            direction: match text("direction")? {
                Some("increase") => Direction::Increase,
                Some("decrease") => Direction::Decrease,
                _ => Direction::Either,
            },
            nan_strategy: match text("nanStrategy")? {
                Some("replace") => NanStrategy::Replace,
                _ => NanStrategy::Remove,
            },
            outliers: match text("outliers.strategy")? {
                Some("remove") => OutlierStrategy::Remove,
                _ => OutlierStrategy::Keep,
            },
            outlier_factor: factor,
            critical: canary.flag(metric, "critical")?,
            must_have_data: canary.flag(metric, "mustHaveData")?,
            muted: canary.flag(metric, "muted")?,
            measure,
            allowed: Band {
                decrease: limit("effectSize.allowedDecrease")?,
                increase: limit("effectSize.allowedIncrease")?,
            },
            critical_band: Band {
                decrease: limit("effectSize.criticalDecrease")?,
                increase: limit("effectSize.criticalIncrease")?,
            },
        })
    }
}
