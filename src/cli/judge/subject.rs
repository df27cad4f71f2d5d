//! What is judged: one rule, or an analysis of several.

use serde::Deserialize;
use serde_json::{Value, json};

use recant_core::sequential::{Analysis, JudgeRule, Reading, RuleParameters, State};

use super::arguments::{Act, apply};

/// Rules of one analysis at most.
const MOST_RULES: usize = 100;

/// What the ticks are given to.
#[derive(Debug)]
pub(super) struct Subject {
    parts: Vec<Part>,
    analysis: Analysis,
    /// Of each part, as of the last tick.
    readings: Vec<Reading>,
    kind: Kind,
}

/// How it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rule,
    Analysis,
}

/// A rule of its own, or the comparison that another one keeps.
#[derive(Debug)]
enum Part {
    Own(Box<JudgeRule>),
    Beside { of: usize },
}

/// An analysis as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnalysisParameters {
    rules: Vec<Value>,
    weights: Option<Vec<f64>>,
    alpha: Option<f64>,
    beta: Option<f64>,
}

/// A comparison that is kept by a limit beside a baseline.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BesideParameters {
    #[serde(rename = "class")]
    _class: String,
    of: usize,
}

const ALPHA: f64 = 0.01;
const BETA: f64 = 0.05;

impl Subject {
    /// A rule with `class`, or an analysis with `rules`. The error says what is wrong with it.
    pub(super) fn read(value: Value) -> Result<Self, String> {
        if value.get("rules").is_some() {
            Self::read_analysis(value)
        } else {
            let parameters: RuleParameters =
                serde_json::from_value(value).map_err(|error| error.to_string())?;
            let rule = parameters.build().map_err(|error| error.to_string())?;
            let (alpha, beta) = parameters.errors();
            let parts = vec![Part::Own(Box::new(rule))];
            Self::new(parts, &[1.0], alpha, beta, Kind::Rule)
        }
    }

    fn read_analysis(value: Value) -> Result<Self, String> {
        let AnalysisParameters {
            rules,
            weights,
            alpha,
            beta,
        } = serde_json::from_value(value).map_err(|error| error.to_string())?;
        if rules.len() > MOST_RULES {
            return Err(format!(
                "{} rules: at most {MOST_RULES} are judged together",
                rules.len()
            ));
        }
        let mut parts = Vec::new();
        for (index, rule) in rules.into_iter().enumerate() {
            let part =
                Part::read(rule).map_err(|error| format!("rule {index}, from 0: {error}"))?;
            parts.push(part);
        }
        for (index, part) in parts.iter().enumerate() {
            if let Part::Beside { of } = part {
                let keeps = match parts.get(*of) {
                    Some(Part::Own(rule)) => rule.beside().is_some(),
                    Some(Part::Beside { .. }) | None => false,
                };
                if !keeps {
                    return Err(format!(
                        "rule {index}, from 0: rule {of} keeps no comparison; `of` names a RatioLimitBeside or a \
                         QuantileLimitBeside"
                    ));
                }
            }
        }
        let weights = weights.unwrap_or_else(|| vec![1.0; parts.len()]);
        if weights.len() != parts.len() {
            return Err(format!(
                "`weights` holds {} numbers for {} rules: give one for each",
                weights.len(),
                parts.len()
            ));
        }
        let (alpha, beta) = (alpha.unwrap_or(ALPHA), beta.unwrap_or(BETA));
        Self::new(parts, &weights, alpha, beta, Kind::Analysis)
    }

    fn new(
        parts: Vec<Part>,
        weights: &[f64],
        alpha: f64,
        beta: f64,
        kind: Kind,
    ) -> Result<Self, String> {
        let analysis = Analysis::new(weights, alpha, beta).map_err(|error| error.to_string())?;
        Ok(Self {
            readings: vec![Reading::SILENT; parts.len()],
            parts,
            analysis,
            kind,
        })
    }

    /// A tick of history: the arguments of one rule, or one array or null per rule.
    pub(super) fn warm(&mut self, history: &Value) -> Result<(), String> {
        self.give(history, Act::Warm)
    }

    /// A tick, and its answer.
    pub(super) fn tick(&mut self, tick: &Value) -> Result<String, String> {
        self.give(tick, Act::Judge)?;
        for index in 0..self.parts.len() {
            let reading = self.reading(index);
            if let Some(kept) = self.readings.get_mut(index) {
                *kept = reading;
            }
        }
        let state = match self.analysis.judge(&self.readings) {
            State::Undecided => "undecided",
            State::Passing => "passing",
            State::Fail => "fail",
        };
        Ok(match (self.kind, self.parts.first()) {
            (Kind::Rule, Some(Part::Own(rule))) => {
                let state = match rule.fires() {
                    None => state,
                    Some(true) => "fires",
                    Some(false) => "quiet",
                };
                let Reading {
                    log_bad, log_good, ..
                } = rule.reading();
                json!([log_bad, log_good, state]).to_string()
            }
            (Kind::Rule | Kind::Analysis, _) => {
                let shares: Vec<f64> = self.analysis.shares(&self.readings).collect();
                let log_bad = self.analysis.log_bad(&self.readings);
                json!([state, log_bad, self.analysis.score(&self.readings), shares]).to_string()
            }
        })
    }

    fn reading(&self, index: usize) -> Reading {
        let silent = Reading::SILENT;
        match self.parts.get(index) {
            Some(Part::Own(rule)) => rule.reading(),
            Some(Part::Beside { of }) => match self.parts.get(*of) {
                Some(Part::Own(rule)) => rule.beside().unwrap_or(silent),
                Some(Part::Beside { .. }) | None => silent,
            },
            None => silent,
        }
    }

    fn give(&mut self, value: &Value, act: Act) -> Result<(), String> {
        match (self.kind, self.parts.as_mut_slice()) {
            // Not asked, in contrast to an empty tick: nothing grows older.
            (Kind::Rule, _) if value.is_null() => Ok(()),
            (Kind::Rule, [Part::Own(rule)]) => apply(rule, value, act),
            (Kind::Rule | Kind::Analysis, parts) => {
                let ticks = value.as_array().filter(|ticks| ticks.len() == parts.len());
                let Some(ticks) = ticks else {
                    return Err(format!(
                        "{value} is no tick of this analysis: it is a list of {}, an array or null per rule",
                        parts.len()
                    ));
                };
                for (index, (part, tick)) in parts.iter_mut().zip(ticks).enumerate() {
                    let of_rule = |error| format!("rule {index}, from 0: {error}");
                    match part {
                        Part::Own(_) | Part::Beside { .. } if tick.is_null() => {}
                        Part::Own(rule) => apply(rule, tick, act).map_err(of_rule)?,
                        Part::Beside { .. } => {
                            return Err(of_rule(
                                "its ticks are those of the rule that keeps it: write null"
                                    .to_owned(),
                            ));
                        }
                    }
                }
                Ok(())
            }
        }
    }
}

impl Part {
    fn read(rule: Value) -> Result<Self, String> {
        if rule.get("class").and_then(Value::as_str) == Some("Beside") {
            let BesideParameters { of, .. } =
                serde_json::from_value(rule).map_err(|error| error.to_string())?;
            return Ok(Self::Beside { of });
        }
        let parameters: RuleParameters =
            serde_json::from_value(rule).map_err(|error| error.to_string())?;
        let rule = parameters.build().map_err(|error| error.to_string())?;
        Ok(Self::Own(Box::new(rule)))
    }
}
