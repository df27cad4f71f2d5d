//! Templates become the spec of a run: those that are named and those that they name, one after the other.

use thiserror::Error;

use super::argument::Argument;
use super::json::Json;
use super::run::{Retention, RunSpec};

/// Templates within each other. The controller has no bound, and does not come back from a circle.
const MOST_NESTING: usize = 32;
/// Templates that one run may be made of.
const MOST_TEMPLATES: usize = 1000;

/// The name of a template, and whether it is one of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateRef {
    pub name: String,
    pub cluster: bool,
}

/// An `AnalysisTemplate` or `ClusterAnalysisTemplate`.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub own: TemplateRef,
    /// Where it says that it lies.
    pub namespace: Option<String>,
    pub metrics: Vec<Json>,
    pub args: Vec<Argument>,
    pub dry_run: Vec<String>,
    pub measurement_retention: Vec<Retention>,
    pub templates: Vec<TemplateRef>,
}

/// Why templates do not make a run. The texts are the controller's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    #[error("{kind}.argoproj.io \"{name}\" not found", kind = kind(*.cluster))]
    NotFound { name: String, cluster: bool },
    #[error("two metrics have the same name '{0}'")]
    DuplicateMetric(String),
    #[error("Argument `{name}` specified multiple times with different values: '{one}', '{other}'")]
    ConflictingArgument {
        name: String,
        one: String,
        other: String,
    },
    #[error("args.{0} was not resolved")]
    NotSupplied(String),
    #[error("two Dry-Run metric rules have the same name '{0}'")]
    DuplicateDryRun(String),
    #[error("two Measurement Retention metric rules have the same name '{0}'")]
    DuplicateRetention(String),
    #[error(
        "the templates name each other in a circle, or more than {MOST_NESTING} deep, or are more than {MOST_TEMPLATES}: the one that closes it is `{0}`"
    )]
    Circle(String),
}

fn kind(cluster: bool) -> &'static str {
    if cluster {
        "clusteranalysistemplate"
    } else {
        "analysistemplate"
    }
}

impl TemplateError {
    /// The kind of the error, as in recordings.
    pub fn class(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "template-not-found",
            Self::DuplicateMetric(_) => "duplicate-metric",
            Self::ConflictingArgument { .. } => "conflicting-argument",
            Self::NotSupplied(_) => "argument-not-supplied",
            Self::DuplicateDryRun(_) | Self::DuplicateRetention(_) => "duplicate-rule",
            Self::Circle(_) => "circle",
        }
    }
}

/// What the one who starts a run adds to the templates.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Analysis {
    pub templates: Vec<TemplateRef>,
    pub args: Vec<Argument>,
    pub dry_run: Vec<String>,
    pub measurement_retention: Vec<Retention>,
}

/// The spec of the run that an analysis starts.
///
/// # Errors
/// The controller's, and templates that name each other in a circle.
pub fn run_spec(analysis: &Analysis, known: &[Template]) -> Result<RunSpec, TemplateError> {
    let collected = collect(&analysis.templates, known, 0)?;
    // Those of the namespace come first, whatever the order of the references.
    let (cluster, own): (Vec<&Template>, Vec<&Template>) = collected
        .into_iter()
        .partition(|template| template.own.cluster);
    let templates: Vec<&Template> = own.into_iter().chain(cluster).collect();

    let mut spec = RunSpec::default();
    let mut names: Vec<String> = Vec::new();
    for metric in templates.iter().flat_map(|template| &template.metrics) {
        let name = metric
            .get("name")
            .and_then(Json::as_str)
            .unwrap_or_default();
        if names.iter().any(|known| known == name) {
            return Err(TemplateError::DuplicateMetric(name.to_owned()));
        }
        names.push(name.to_owned());
        spec.metrics.push(metric.clone());
    }
    let rules = templates.iter().flat_map(|template| &template.dry_run);
    let dry_run: Vec<String> = rules.cloned().collect();
    unique(&dry_run, String::as_str, TemplateError::DuplicateDryRun)?;
    let rules = templates
        .iter()
        .flat_map(|template| &template.measurement_retention);
    let retention: Vec<Retention> = rules.cloned().collect();
    unique_retention(&retention)?;
    let args = flatten_args(&templates)?;
    spec.args = merge_args(&analysis.args, &args)?;
    spec.dry_run = [analysis.dry_run.as_slice(), &dry_run].concat();
    unique(
        &spec.dry_run,
        String::as_str,
        TemplateError::DuplicateDryRun,
    )?;
    spec.measurement_retention = [analysis.measurement_retention.as_slice(), &retention].concat();
    unique_retention(&spec.measurement_retention)?;
    Ok(spec)
}

fn unique_retention(rules: &[Retention]) -> Result<(), TemplateError> {
    unique(
        rules,
        |rule| rule.metric_name.as_str(),
        TemplateError::DuplicateRetention,
    )
}

fn unique<R>(
    rules: &[R],
    name: impl Fn(&R) -> &str,
    error: impl Fn(String) -> TemplateError,
) -> Result<(), TemplateError> {
    for (index, rule) in rules.iter().enumerate() {
        if rules
            .iter()
            .take(index)
            .any(|other| name(other) == name(rule))
        {
            return Err(error(name(rule).to_owned()));
        }
    }
    Ok(())
}

/// The templates that are named, each followed by those that it names; each only once.
fn collect<'k>(
    refs: &[TemplateRef],
    known: &'k [Template],
    depth: usize,
) -> Result<Vec<&'k Template>, TemplateError> {
    let mut found: Vec<&Template> = Vec::new();
    for wanted in refs {
        let template = known
            .iter()
            .find(|template| template.own == *wanted)
            .ok_or_else(|| TemplateError::NotFound {
                name: wanted.name.clone(),
                cluster: wanted.cluster,
            })?;
        found.push(template);
        if !template.templates.is_empty() {
            if depth >= MOST_NESTING {
                return Err(TemplateError::Circle(wanted.name.clone()));
            }
            found.extend(collect(&template.templates, known, depth + 1)?);
        }
        if found.len() > MOST_TEMPLATES {
            return Err(TemplateError::Circle(wanted.name.clone()));
        }
    }
    let mut unique: Vec<&Template> = Vec::new();
    for template in found {
        if !unique.iter().any(|other| other.own == template.own) {
            unique.push(template);
        }
    }
    Ok(unique)
}

fn flatten_args(templates: &[&Template]) -> Result<Vec<Argument>, TemplateError> {
    let mut combined: Vec<Argument> = Vec::new();
    for arg in templates.iter().flat_map(|template| &template.args) {
        let Some(known) = combined.iter_mut().find(|known| known.name == arg.name) else {
            combined.push(arg.clone());
            continue;
        };
        match (&known.value, &arg.value) {
            (Some(one), Some(other)) if one != other => {
                return Err(TemplateError::ConflictingArgument {
                    name: arg.name.clone(),
                    one: one.clone(),
                    other: other.clone(),
                });
            }
            (None, _) => *known = arg.clone(),
            (Some(_), _) => {}
        }
    }
    Ok(combined)
}

/// The arguments of templates with those that come in. What no template names is dropped.
///
/// # Errors
/// An argument that has no value and no source of one.
pub fn merge_args(
    incoming: &[Argument],
    template: &[Argument],
) -> Result<Vec<Argument>, TemplateError> {
    let mut merged = template.to_vec();
    for arg in incoming {
        if let Some(known) = merged.iter_mut().find(|known| known.name == arg.name) {
            if arg.value.is_some() {
                known.value.clone_from(&arg.value);
            } else if arg.value_from.is_some() {
                known.value_from.clone_from(&arg.value_from);
            }
        }
    }
    let missing = merged
        .iter()
        .find(|arg| arg.value.is_none() && arg.value_from.is_none());
    match missing {
        Some(arg) => Err(TemplateError::NotSupplied(arg.name.clone())),
        None => Ok(merged),
    }
}
