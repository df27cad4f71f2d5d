//! Argo's analysis documents: `AnalysisTemplate`, `ClusterAnalysisTemplate` and `AnalysisRun`, with every fault at its
//! place.
//!
//! What the API server would drop is a warning, and so is what makes the controller end a run as Error: the run is to
//! end the same way here. What has a wrong type, or cannot be honoured, is an error.

mod arguments;
mod convert;
mod metric;
mod part;
mod provider;
#[cfg(test)]
mod tests;

use super::checks::Checks;
use super::diagnostic::{Diagnostic, Severity, SourceFile};
use super::report::Report;
use super::tree::{self, Kind, Node};
use crate::argo::run::{Retention, RunSpec, TtlStrategy};
use crate::argo::template::{Template, TemplateRef};

use self::part::Part;

/// What some files hold of Argo's analyses.
#[derive(Debug, Clone, PartialEq)]
pub struct Analyses {
    pub templates: Vec<Template>,
    /// The `AnalysisRun` documents, by name.
    pub runs: Vec<(String, RunSpec)>,
    pub diagnostics: Vec<Diagnostic>,
}

impl Analyses {
    /// Whether nothing may be run before something is mended.
    pub fn has_errors(&self) -> bool {
        let is_error = |found: &Diagnostic| found.severity == Severity::Error;
        self.diagnostics.iter().any(is_error)
    }
}

/// Reads the analysis documents of all files; other documents among them are left alone.
pub fn analyses(files: &[SourceFile]) -> Analyses {
    let mut found = Analyses {
        templates: Vec::new(),
        runs: Vec::new(),
        diagnostics: Vec::new(),
    };
    for file in files {
        let mut report = Report::new(file, Checks::default());
        let documents = tree::parse(&mut report);
        let before = found.templates.len() + found.runs.len();
        for root in &documents.roots {
            for unfollowed in &root.unfollowed {
                unfollowed.refuse(&mut report);
            }
            document(&root.node, &mut found, &mut report);
        }
        if before == found.templates.len() + found.runs.len() && report.errors() == 0 {
            report
                .file_error(
                    "the file holds no AnalysisTemplate, ClusterAnalysisTemplate or AnalysisRun",
                )
                .help("name a file with `apiVersion: argoproj.io/v1alpha1` and one of these kinds");
        }
        found.diagnostics.extend(report.finish());
    }
    found
}

fn document(node: &Node, found: &mut Analyses, report: &mut Report<'_>) {
    let Kind::Map(entries) = &node.kind else {
        return;
    };
    let text = |name: &str| {
        let entry = entries.iter().find(|entry| entry.key == name);
        match entry.map(|entry| &entry.value.kind) {
            Some(Kind::Scalar(scalar)) => scalar.text.as_str(),
            _ => "",
        }
    };
    if !text("apiVersion").starts_with("argoproj.io/") {
        return;
    }
    let (is_run, cluster) = match text("kind") {
        "AnalysisTemplate" => (false, false),
        "ClusterAnalysisTemplate" => (false, true),
        "AnalysisRun" => (true, false),
        _ => return,
    };
    let known = ["apiVersion", "kind", "metadata", "spec", "status"];
    let Some(whole) = Part::open(node, "the document", &known, report) else {
        return;
    };
    let metadata = whole
        .get("metadata")
        .and_then(|metadata| Part::any(metadata, "`metadata`", report));
    let namespace = metadata
        .as_ref()
        .and_then(|metadata| metadata.text("namespace", report));
    let name = metadata.and_then(|metadata| {
        let name = metadata.text("name", report);
        name.or_else(|| metadata.text("generateName", report))
    });
    let Some(name) = name else {
        report
            .error(whole.span, "the document has no `metadata.name`")
            .help("name it: others refer to it by its name");
        return;
    };
    let Some(node) = whole.get("spec") else {
        report
            .error(whole.span, "the document has no `spec`")
            .help("write its metrics below `spec`");
        return;
    };
    let known: &[&str] = if is_run {
        &[
            "metrics",
            "args",
            "dryRun",
            "measurementRetention",
            "terminate",
            "ttlStrategy",
        ]
    } else {
        &[
            "metrics",
            "args",
            "dryRun",
            "measurementRetention",
            "templates",
        ]
    };
    let Some(spec) = Part::open(node, "`spec`", known, report) else {
        return;
    };
    let args = arguments::read(&spec, report);
    let metrics = metric::read(&spec, report);
    let dry_run = rules(&spec, "dryRun", &["metricName"], report)
        .iter()
        .filter_map(|rule| rule.text("metricName", report))
        .collect();
    let measurement_retention = rules(
        &spec,
        "measurementRetention",
        &["metricName", "limit"],
        report,
    )
    .iter()
    .filter_map(|rule| {
        Some(Retention {
            metric_name: rule.text("metricName", report)?,
            limit: rule.whole("limit", report).unwrap_or(0),
        })
    })
    .collect();
    if is_run {
        let run = RunSpec {
            metrics,
            args,
            dry_run,
            measurement_retention,
            terminate: spec.boolean("terminate", report).unwrap_or(false),
            ttl_strategy: ttl(&spec, report),
        };
        found.runs.push((name, run));
        return;
    }
    let templates = rules(
        &spec,
        "templates",
        &["templateName", "clusterScope"],
        report,
    )
    .iter()
    .filter_map(|rule| {
        Some(TemplateRef {
            name: rule.text("templateName", report)?,
            cluster: rule.boolean("clusterScope", report).unwrap_or(false),
        })
    })
    .collect();
    found.templates.push(Template {
        own: TemplateRef { name, cluster },
        namespace,
        metrics,
        args,
        dry_run,
        measurement_retention,
        templates,
    });
}

/// The entries of a list of small objects.
fn rules<'n>(
    spec: &Part<'n>,
    name: &'static str,
    known: &[&str],
    report: &mut Report<'_>,
) -> Vec<Part<'n>> {
    let items = spec.list(name, report);
    items
        .iter()
        .filter_map(|item| Part::open(item, name, known, report))
        .collect()
}

fn ttl(spec: &Part<'_>, report: &mut Report<'_>) -> Option<TtlStrategy> {
    let known = [
        "secondsAfterCompletion",
        "secondsAfterFailure",
        "secondsAfterSuccess",
    ];
    let part = Part::open(spec.get("ttlStrategy")?, "`ttlStrategy`", &known, report)?;
    let mut seconds = |name: &'static str| {
        let value = part.whole(name, report)?;
        i32::try_from(value).ok()
    };
    Some(TtlStrategy {
        after_completion: seconds("secondsAfterCompletion"),
        after_failure: seconds("secondsAfterFailure"),
        after_success: seconds("secondsAfterSuccess"),
    })
}
