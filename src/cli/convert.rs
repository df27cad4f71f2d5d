//! `recant convert FILE…`: analysis templates of Argo as rules of Recant's own.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use recant_core::spec::{self, Severity, SourceFile};

use crate::config::{files, rules};
use crate::convert::{self, Converted, Refused, Rule};

/// Turns Argo's analysis templates into rules of Recant's own, with a note for everything that differs
///
/// A share of counted events, a quantile of a histogram and a value of the pods become Recant's own questions, so that
/// the new revision is judged apart from the old one; any other expression is taken as it is. Arguments without a value
/// that name the service or the namespace become those of the target. Nothing is asked of anybody.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  all metrics were converted
  1  some were not: they are named, with the reason; the others are printed
  2  the files, or how the command is used, have errors, or no metric could be converted")]
pub struct ConvertArgs {
    /// Files with `AnalysisTemplate`, `ClusterAnalysisTemplate` or `AnalysisRun` documents
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The value of an argument
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = super::assignment)]
    args: Vec<(String, String)>,
    /// What is watched: a watch of it is printed too
    #[arg(long, value_name = "KIND/NAME", value_parser = target)]
    target: Option<(String, String)>,
    /// The namespace of the target; left out, that of the first template that has one
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Prints documents, notes and refusals as one JSON document
    #[arg(long)]
    json: bool,
}

fn target(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((kind @ ("Deployment" | "Rollout"), name)) if !name.is_empty() => {
            Ok((kind.to_owned(), name.to_owned()))
        }
        Some(_) | None => Err("write Deployment/NAME or Rollout/NAME".to_owned()),
    }
}

/// Converts what the arguments name.
pub fn convert(
    args: &ConvertArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let collected = files::collect(&args.files);
    let found = spec::analyses(&collected.files);
    for diagnostic in collected.problems.iter().chain(&found.diagnostics) {
        writeln!(err, "{diagnostic}\n")?;
    }
    if !collected.problems.is_empty() || found.templates.is_empty() && found.runs.is_empty() {
        writeln!(err, "nothing was converted: mend the errors above first")?;
        return Ok(ExitCode::from(2));
    }
    let templates = found.templates.iter();
    let mut converted: Vec<Converted> = templates
        .map(|template| convert::template(template, &args.args))
        .collect();
    let runs = found.runs.iter();
    converted.extend(runs.map(|(name, run)| convert::run(name, run, &args.args)));
    for one in &mut converted {
        keep_valid(one);
    }
    convert::name_apart(&mut converted);
    let target = args.target.as_ref();
    let target = target.map(|(kind, name)| (kind.as_str(), name.as_str()));
    let watch = convert::watch(&converted, target, args.namespace.as_deref());
    let documents: Vec<String> = converted.iter().map(convert::rule_set).collect();
    if args.json {
        writeln!(out, "{:#}", as_json(&converted, &documents, &watch))?;
    } else {
        writeln!(out, "{}---\n{watch}", documents.join("---\n"))?;
    }
    let refused: Vec<(&str, &Refused)> = converted
        .iter()
        .flat_map(|one| one.refused.iter().map(|it| (one.template.as_str(), it)))
        .collect();
    for (template, refused) in &refused {
        writeln!(
            err,
            "not converted: metric `{}` of `{template}`: {}",
            refused.metric, refused.reason
        )?;
    }
    let empty = converted.iter().all(|one| one.rules.is_empty());
    Ok(ExitCode::from(match (empty, refused.is_empty()) {
        (true, _) => 2,
        (false, false) => 1,
        (false, true) => 0,
    }))
}

/// Reads each rule as `recant check` does: one with errors is refused, and warnings become notes.
fn keep_valid(converted: &mut Converted) {
    let rules = std::mem::take(&mut converted.rules);
    for mut rule in rules {
        let alone = Converted {
            notes: Vec::new(),
            refused: Vec::new(),
            rules: vec![rule.clone()],
            ..converted.clone()
        };
        let file = SourceFile {
            name: "converted".to_owned(),
            text: convert::rule_set(&alone),
        };
        let loaded = rules::load_texts(&[file]);
        let of = |severity: Severity| {
            let found = loaded.diagnostics.iter();
            found.filter(move |it| it.severity == severity)
        };
        let error = of(Severity::Error).next().map(|it| it.message.clone());
        if let Some(message) = error {
            converted.refused.push(Refused {
                metric: rule.metric,
                reason: format!("no rule of Recant can say it: {message}"),
            });
            continue;
        }
        let warnings = of(Severity::Warning).map(|it| it.message.clone());
        rule.notes.extend(warnings);
        converted.rules.push(rule);
    }
}

fn as_json(converted: &[Converted], documents: &[String], watch: &str) -> Value {
    let rule = |rule: &Rule| {
        let notes = rule.fields.iter().flat_map(|field| {
            let note = |note: &String| json!({"field": field.name, "note": note});
            field.notes.iter().map(note)
        });
        let of_rule = rule.notes.iter().map(|note| json!({"note": note}));
        let notes: Vec<Value> = of_rule.chain(notes).collect();
        json!({"name": rule.name, "metric": rule.metric, "notes": notes})
    };
    let templates: Vec<Value> = converted
        .iter()
        .map(|one| {
            let rules: Vec<Value> = one.rules.iter().map(rule).collect();
            let refused: Vec<Value> = one
                .refused
                .iter()
                .map(|it| json!({"metric": it.metric, "reason": it.reason}))
                .collect();
            json!({
                "template": one.template,
                "ruleSet": one.name,
                "notes": one.notes,
                "rules": rules,
                "refused": refused,
            })
        })
        .collect();
    json!({"templates": templates, "documents": documents, "watch": watch})
}
