//! A judge rule as it is written in JSON, for `recant judge` and for the vectors that check us: a class and its numbers.

use std::sync::Arc;

use serde::Deserialize;

use super::gauge::{GaugeCompare, GaugeLimit};
use super::quantile::{QuantileCompare, QuantileLimit, QuantileLimitBeside, QuantileTolerance};
use super::ratio::{RatioCompare, RatioLimit, RatioLimitBeside, Tolerance};
use super::rule::JudgeRule;
use super::settings::{ParameterError, Settings, Span};

/// The kinds of judge rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Class {
    RatioLimit,
    RatioCompare,
    RatioLimitBeside,
    QuantileLimit,
    QuantileCompare,
    QuantileLimitBeside,
    GaugeLimit,
    GaugeCompare,
    EndlessLimit,
    EndlessCompare,
}

/// A rule with its parameters; what is absent or null has its default.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleParameters {
    pub class: Class,
    pub p0: Option<f64>,
    pub psi0: Option<f64>,
    pub plus: Option<f64>,
    pub wait: Option<u64>,
    pub q: Option<f64>,
    pub limit: Option<f64>,
    pub bounds: Option<Vec<f64>>,
    pub r: Option<f64>,
    #[serde(rename = "use")]
    pub used: Option<Vec<usize>>,
    pub hold: Option<f64>,
    pub gap: Option<f64>,
    pub block: Option<u32>,
    pub longest: Option<u32>,
    pub alpha: Option<f64>,
    pub beta: Option<f64>,
    pub clump: Option<f64>,
    pub learn: Option<bool>,
    pub confirm: Option<u8>,
    pub tick: Option<f64>,
    pub horizon: Option<u64>,
    pub ticks: Option<u64>,
}

/// Parameters that every statistical rule of a release has.
const COMMON: [&str; 7] = [
    "alpha", "beta", "clump", "learn", "confirm", "tick", "horizon",
];

impl Class {
    pub const fn name(self) -> &'static str {
        match self {
            Self::RatioLimit => "RatioLimit",
            Self::RatioCompare => "RatioCompare",
            Self::RatioLimitBeside => "RatioLimitBeside",
            Self::QuantileLimit => "QuantileLimit",
            Self::QuantileCompare => "QuantileCompare",
            Self::QuantileLimitBeside => "QuantileLimitBeside",
            Self::GaugeLimit => "GaugeLimit",
            Self::GaugeCompare => "GaugeCompare",
            Self::EndlessLimit => "EndlessLimit",
            Self::EndlessCompare => "EndlessCompare",
        }
    }

    /// The parameters of its own.
    const fn own(self) -> &'static [&'static str] {
        match self {
            Self::RatioLimit => &["p0"],
            Self::RatioCompare => &["psi0", "plus", "wait"],
            Self::RatioLimitBeside => &["p0", "psi0", "plus", "wait"],
            Self::QuantileLimit => &["q", "limit", "bounds"],
            Self::QuantileCompare => &["q", "bounds", "r", "psi0", "plus", "use", "wait"],
            Self::QuantileLimitBeside => {
                &["q", "limit", "bounds", "r", "psi0", "plus", "use", "wait"]
            }
            Self::GaugeLimit => &["limit", "hold", "gap", "alpha", "beta"],
            Self::GaugeCompare => &["r", "plus", "block", "longest"],
            Self::EndlessLimit => &["p0", "ticks"],
            Self::EndlessCompare => &["psi0", "plus", "wait", "ticks"],
        }
    }

    fn has(self, name: &str) -> bool {
        let common = match self {
            Self::GaugeLimit => false,
            Self::RatioLimit
            | Self::RatioCompare
            | Self::RatioLimitBeside
            | Self::QuantileLimit
            | Self::QuantileCompare
            | Self::QuantileLimitBeside
            | Self::GaugeCompare
            | Self::EndlessLimit
            | Self::EndlessCompare => true,
        };
        self.own().contains(&name) || common && COMMON.contains(&name)
    }
}

impl RuleParameters {
    /// The error rates of the rule.
    pub fn errors(&self) -> (f64, f64) {
        let Settings { alpha, beta, .. } = Settings::default();
        (self.alpha.unwrap_or(alpha), self.beta.unwrap_or(beta))
    }

    /// The rule, without evidence.
    pub fn build(&self) -> Result<JudgeRule, ParameterError> {
        self.refuse_foreign()?;
        let settings = self.settings();
        let rule = match self.class {
            Class::RatioLimit | Class::EndlessLimit => {
                JudgeRule::RatioLimit(RatioLimit::new(self.need("p0", self.p0)?, settings)?)
            }
            Class::RatioCompare | Class::EndlessCompare => {
                self.need("psi0", self.psi0)?;
                // A comparison by itself adds nothing unless it is told to.
                let tolerance = Tolerance {
                    plus: self.plus.unwrap_or(0.0),
                    ..self.tolerance()
                };
                JudgeRule::RatioCompare(RatioCompare::new(tolerance, settings)?)
            }
            Class::RatioLimitBeside => JudgeRule::RatioLimitBeside(RatioLimitBeside::new(
                self.need("p0", self.p0)?,
                self.tolerance(),
                settings,
            )?),
            Class::QuantileLimit => JudgeRule::QuantileLimit(QuantileLimit::new(
                self.need("q", self.q)?,
                self.need("limit", self.limit)?,
                self.bounds()?,
                settings,
            )?),
            Class::QuantileCompare => JudgeRule::QuantileCompare(QuantileCompare::new(
                self.need("q", self.q)?,
                self.bounds()?,
                &self.quantile_tolerance(),
                settings,
            )?),
            Class::QuantileLimitBeside => JudgeRule::QuantileLimitBeside(QuantileLimitBeside::new(
                self.need("q", self.q)?,
                self.need("limit", self.limit)?,
                self.bounds()?,
                self.quantile_tolerance(),
                settings,
            )?),
            Class::GaugeLimit => JudgeRule::GaugeLimit(GaugeLimit::new(
                self.need("limit", self.limit)?,
                self.need("hold", self.hold)?,
                self.gap,
            )?),
            Class::GaugeCompare => {
                settings.check()?;
                let Span::Release { horizon } = settings.span else {
                    return Err(ParameterError::Unknown {
                        class: self.class.name(),
                        name: "ticks",
                    });
                };
                JudgeRule::GaugeCompare(GaugeCompare::new(
                    self.r.unwrap_or(1.0),
                    self.plus.unwrap_or(0.0),
                    self.block.unwrap_or(4),
                    self.longest.unwrap_or(240),
                    horizon,
                )?)
            }
        };
        Ok(rule)
    }

    fn settings(&self) -> Settings {
        let default = Settings::default();
        let span = match self.class {
            Class::EndlessLimit | Class::EndlessCompare => self
                .ticks
                .map_or(Span::ENDLESS, |ticks| Span::Endless { ticks }),
            Class::RatioLimit
            | Class::RatioCompare
            | Class::RatioLimitBeside
            | Class::QuantileLimit
            | Class::QuantileCompare
            | Class::QuantileLimitBeside
            | Class::GaugeLimit
            | Class::GaugeCompare => self
                .horizon
                .map_or(default.span, |horizon| Span::Release { horizon }),
        };
        Settings {
            alpha: self.alpha.unwrap_or(default.alpha),
            beta: self.beta.unwrap_or(default.beta),
            clump: self.clump.unwrap_or(default.clump),
            learn: self.learn.unwrap_or(default.learn),
            confirm: self.confirm,
            tick: self.tick.unwrap_or(default.tick),
            span,
        }
    }

    fn tolerance(&self) -> Tolerance {
        let default = Tolerance::default();
        Tolerance {
            psi0: self.psi0.unwrap_or(default.psi0),
            plus: self.plus.unwrap_or(default.plus),
            wait: self.wait,
        }
    }

    fn quantile_tolerance(&self) -> QuantileTolerance {
        let default = QuantileTolerance::default();
        QuantileTolerance {
            psi0: self.psi0.unwrap_or(default.psi0),
            plus: self.plus,
            wait: self.wait,
            r: self.r.unwrap_or(default.r),
            used: self.used.clone(),
        }
    }

    fn bounds(&self) -> Result<Arc<[f64]>, ParameterError> {
        let bounds = self.bounds.as_deref();
        Ok(bounds.ok_or_else(|| self.missing("bounds"))?.into())
    }

    fn need(&self, name: &'static str, value: Option<f64>) -> Result<f64, ParameterError> {
        value.ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &'static str) -> ParameterError {
        ParameterError::Missing {
            class: self.class.name(),
            name,
        }
    }

    /// A parameter that the class does not have would be silently without effect.
    fn refuse_foreign(&self) -> Result<(), ParameterError> {
        let given = [
            ("p0", self.p0.is_some()),
            ("psi0", self.psi0.is_some()),
            ("plus", self.plus.is_some()),
            ("wait", self.wait.is_some()),
            ("q", self.q.is_some()),
            ("limit", self.limit.is_some()),
            ("bounds", self.bounds.is_some()),
            ("r", self.r.is_some()),
            ("use", self.used.is_some()),
            ("hold", self.hold.is_some()),
            ("gap", self.gap.is_some()),
            ("block", self.block.is_some()),
            ("longest", self.longest.is_some()),
            ("alpha", self.alpha.is_some()),
            ("beta", self.beta.is_some()),
            ("clump", self.clump.is_some()),
            ("learn", self.learn.is_some()),
            ("confirm", self.confirm.is_some()),
            ("tick", self.tick.is_some()),
            ("horizon", self.horizon.is_some()),
            ("ticks", self.ticks.is_some()),
        ];
        for (name, given) in given {
            if given && !self.class.has(name) {
                return Err(ParameterError::Unknown {
                    class: self.class.name(),
                    name,
                });
            }
        }
        Ok(())
    }
}
