//! Arguments that a rollout or an experiment gives to its analyses: values, pod hashes, fields of its own document.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use super::argument::{Argument, Unresolved, fill, go_quoted};
use super::expression::{DurationError, duration, matches_pattern, parse_int};
use super::json::Json;

/// An argument as a rollout writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RolloutArgument {
    pub name: String,
    pub value: String,
    pub from: Option<RolloutSource>,
}

/// Where a rollout's argument comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RolloutSource {
    /// `Stable` or `Latest`; anything else leaves the value as it is.
    PodTemplateHash(String),
    FieldRef(String),
    Nothing,
}

/// The pod-template hashes of a rollout's two revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    pub stable: String,
    pub latest: String,
}

/// A path that does not lead to a value. The texts are the controller's, but for the last.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PathError {
    #[error("unsupported fieldPath: {0}")]
    Unsupported(String),
    #[error("fieldPath \"{0}\" does not support subscript")]
    NoSubscript(String),
    #[error("invalid key subscript in {0}")]
    BadKey(String),
    #[error("invalid index '{0}'")]
    BadIndex(String),
    #[error("index {0} out of range")]
    OutOfRange(i64),
    #[error("invalid path {0} in rollout")]
    Invalid(String),
    #[error("path {0} in rollout must terminate in a primitive value")]
    NoPrimitive(String),
    #[error("index {0} is negative, at which the controller itself ends: count from 0")]
    Negative(i64),
}

/// The arguments of an analysis of a rollout, whose document is `rollout`.
///
/// # Errors
/// A path under `metadata` that leads nowhere; another one only if no later path leads somewhere, else its value is
/// empty (recorded).
pub fn arguments(
    args: &[RolloutArgument],
    hashes: &Hashes,
    rollout: &Json,
) -> Result<Vec<Argument>, PathError> {
    let mut found = Vec::new();
    let mut failed = None;
    for arg in args {
        let value = match &arg.from {
            Some(RolloutSource::PodTemplateHash(which)) => match which.as_str() {
                "Latest" => hashes.latest.clone(),
                "Stable" => hashes.stable.clone(),
                _ => arg.value.clone(),
            },
            Some(RolloutSource::FieldRef(path)) if path.starts_with("metadata") => {
                failed = None;
                metadata(rollout, path)?
            }
            Some(RolloutSource::FieldRef(path)) => match field(rollout, path) {
                Ok(value) => {
                    failed = None;
                    value
                }
                Err(error @ PathError::Negative(_)) => return Err(error),
                Err(error) => {
                    failed = Some(error);
                    String::new()
                }
            },
            Some(RolloutSource::Nothing) | None => arg.value.clone(),
        };
        found.push(Argument::with_value(&arg.name, &value));
    }
    failed.map_or(Ok(found), Err)
}

/// Kubernetes' field paths of metadata: `metadata.name`, `metadata.labels['app']`.
fn metadata(rollout: &Json, path: &str) -> Result<String, PathError> {
    let metadata = rollout.get("metadata").unwrap_or(&Json::Null);
    let texts = |name: &str| match metadata.get(name) {
        Some(Json::Object(fields)) => fields.clone(),
        Some(_) | None => BTreeMap::new(),
    };
    let text = |name: &str| {
        let text = metadata.get(name).and_then(Json::as_str);
        text.unwrap_or_default().to_owned()
    };
    let subscript = path
        .strip_suffix("']")
        .and_then(|path| path.split_once("['"))
        .filter(|(base, _)| !base.is_empty());
    if let Some((base, key)) = subscript {
        let (name, checked) = match base {
            "metadata.annotations" => ("annotations", key.to_lowercase()),
            "metadata.labels" => ("labels", key.to_owned()),
            _ => return Err(PathError::NoSubscript(path.to_owned())),
        };
        if !is_qualified(&checked) {
            return Err(PathError::BadKey(path.to_owned()));
        }
        let found = texts(name);
        let value = found.get(key).and_then(Json::as_str);
        return Ok(value.unwrap_or_default().to_owned());
    }
    let all = |name: &str| {
        let line = |(key, value): (&String, &Json)| {
            format!(
                "{key}=\"{}\"",
                go_quoted(value.as_str().unwrap_or_default())
            )
        };
        texts(name).iter().map(line).collect::<Vec<_>>().join("\n")
    };
    match path {
        "metadata.annotations" => Ok(all("annotations")),
        "metadata.labels" => Ok(all("labels")),
        "metadata.name" => Ok(text("name")),
        "metadata.namespace" => Ok(text("namespace")),
        "metadata.uid" => Ok(text("uid")),
        _ => Err(PathError::Unsupported(path.to_owned())),
    }
}

/// Whether a key is a name that labels and annotations may have, with or without a prefix.
fn is_qualified(key: &str) -> bool {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let subdomain = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    name.len() <= 63
        && matches_pattern("^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$", name)
        && prefix.is_none_or(|prefix| prefix.len() <= 253 && matches_pattern(subdomain, prefix))
}

/// A field anywhere in the document: `spec.template.spec.containers[0].image`.
fn field(rollout: &Json, path: &str) -> Result<String, PathError> {
    let mut at = rollout;
    let invalid = || PathError::Invalid(path.to_owned());
    for section in path.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        at = match at {
            Json::Array(items) => {
                let index =
                    parse_int(section).map_err(|_| PathError::BadIndex(section.to_owned()))?;
                let place = usize::try_from(index).map_err(|_| PathError::Negative(index))?;
                items.get(place).ok_or(PathError::OutOfRange(index))?
            }
            Json::Object(fields) => fields.get(section).unwrap_or(&Json::Null),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
                return Err(invalid());
            }
        };
    }
    match at {
        Json::Null => Err(invalid()),
        Json::Array(_) | Json::Object(_) => Err(PathError::NoPrimitive(path.to_owned())),
        Json::String(text) => Ok(text.clone()),
        Json::Bool(value) => Ok(value.to_string()),
        // As Go's `%v`.
        Json::Number(value) => Ok(super::expression::number_text(*value)),
    }
}

/// What an experiment knows of itself, for the arguments of its analyses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Experiment {
    pub available_at: Option<Timestamp>,
    /// A duration of Go's; empty if there is none.
    pub duration: String,
    /// By the names of its templates: the name of the replica set, and its pod-template hash.
    pub replica_sets: BTreeMap<String, (String, String)>,
}

/// Why an experiment's argument has no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExperimentError {
    #[error(transparent)]
    Duration(#[from] DurationError),
    #[error(transparent)]
    Placeholder(#[from] Unresolved),
}

/// The value of an experiment's argument: `{{templates.canary.podTemplateHash}}`.
///
/// # Errors
/// A duration that is none; a placeholder that is unknown.
pub fn experiment_value(
    template: &str,
    experiment: &Experiment,
) -> Result<String, ExperimentError> {
    let mut values = BTreeMap::new();
    if let Some(at) = experiment.available_at {
        values.insert("experiment.availableAt".to_owned(), seconds(at));
        if !experiment.duration.is_empty() {
            let long = SignedDuration::from_nanos(duration(&experiment.duration)?);
            let end = at.saturating_add(long).unwrap_or(at);
            values.insert("experiment.finishedAt".to_owned(), seconds(end));
        }
    }
    for (name, (replica_set, hash)) in &experiment.replica_sets {
        values.insert(format!("templates.{name}.podTemplateHash"), hash.clone());
        values.insert(
            format!("templates.{name}.replicaset.name"),
            replica_set.clone(),
        );
    }
    Ok(fill(template, &values)?)
}

/// RFC 3339 in whole seconds.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}
