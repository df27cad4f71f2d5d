//! An execution request: which stretches of time of which arms are compared, and by which thresholds.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use recant_core::kayenta::Thresholds;
use recant_core::wording::short;
use serde::Deserialize;
use serde_json::Value;

/// Samples of one series: what Prometheus allows for one query.
const MOST_POINTS: i64 = 11_000;

/// What is read of a request. Other fields are kept in the status, and ignored.
#[derive(Debug, Clone)]
pub(super) struct ExecutionRequest {
    pub(super) scopes: BTreeMap<String, Pair>,
    pub(super) thresholds: Thresholds,
}

/// Both sides of a scope.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) control: Scope,
    pub(super) experiment: Scope,
}

/// One arm, and when.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) scope: Option<String>,
    pub(super) location: Option<String>,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// Seconds, above 0.
    pub(super) step: i64,
    pub(super) extended_scope_params: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Document {
    scopes: BTreeMap<String, PairDocument>,
    thresholds: Option<Thresholds>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PairDocument {
    control_scope: Value,
    experiment_scope: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeDocument {
    scope: Option<String>,
    location: Option<String>,
    /// What older clients call the location.
    region: Option<String>,
    start: Timestamp,
    end: Timestamp,
    step: i64,
    #[serde(default)]
    extended_scope_params: Option<BTreeMap<String, String>>,
}

impl ExecutionRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// What is missing, or impossible.
    pub(super) fn read(document: &Value) -> Result<Self, String> {
        let Document { scopes, thresholds } = Document::deserialize(document)
            .map_err(|error| format!("it is no canary execution request: {error}"))?;
        let thresholds = thresholds.ok_or("`thresholds` are missing")?;
        let scopes = scopes
            .into_iter()
            .map(|(name, pair)| {
                let pair = Pair {
                    control: Scope::read(&pair.control_scope, "controlScope")?,
                    experiment: Scope::read(&pair.experiment_scope, "experimentScope")?,
                };
                Ok((name, pair))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { scopes, thresholds })
    }

    /// The length of all scopes, if they have one.
    pub(super) fn duration(&self) -> Option<SignedDuration> {
        let mut all = self
            .scopes
            .values()
            .flat_map(|pair| [&pair.control, &pair.experiment])
            .map(|scope| scope.end.duration_since(scope.start));
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    }
}

impl Scope {
    /// Reads one side; `what` names it in errors.
    pub(super) fn read(document: &Value, what: &str) -> Result<Self, String> {
        let ScopeDocument {
            scope,
            location,
            region,
            start,
            end,
            step,
            extended_scope_params,
        } = ScopeDocument::deserialize(document)
            .map_err(|error| format!("`{what}`: {}", short(&error.to_string(), 200)))?;
        if step < 1 {
            return Err(format!(
                "`{what}`: `step` is {step}, and 1 or more seconds are needed"
            ));
        }
        if end <= start {
            return Err(format!(
                "`{what}`: `end` {end} is not after `start` {start}"
            ));
        }
        let read = Self {
            scope,
            location: location.or(region),
            start,
            end,
            step,
            extended_scope_params: extended_scope_params.unwrap_or_default(),
        };
        if read.points() > MOST_POINTS {
            return Err(format!(
                "`{what}`: {} samples of one series are more than {MOST_POINTS}: take a longer `step`",
                read.points()
            ));
        }
        Ok(read)
    }

    /// How many samples a whole series of it has.
    pub(super) fn points(&self) -> i64 {
        self.end.duration_since(self.start).as_secs() / self.step
    }
}
