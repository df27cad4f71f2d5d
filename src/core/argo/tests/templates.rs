//! All recorded cases of arguments, templates and validation.

use std::collections::BTreeMap;

use serde_json::Value;

use super::oracle::{argument_list, differ, json, json_of, report, retention, set};
use crate::argo::Phase;
use crate::argo::argument::{Argument, Secrets, resolve, resolve_json, resolve_quoted};
use crate::argo::metric::Metric;
use crate::argo::rollout::{
    Experiment, ExperimentError, Hashes, PathError, RolloutArgument, RolloutSource, arguments,
    experiment_value,
};
use crate::argo::run::{Answer, Measurement, Run, RunSpec};
use crate::argo::template::{Analysis, Template, TemplateRef, merge_args, run_spec};
use crate::argo::validate::{matching, validate};

type Outcome = Result<Value, (String, String)>;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn of_args(args: &[Argument]) -> Value {
    use crate::argo::argument::ValueFrom;
    let one = |arg: &Argument| {
        let mut out = serde_json::json!({"name": arg.name});
        if let Some(value) = &arg.value {
            out["value"] = value.clone().into();
        }
        match &arg.value_from {
            Some(ValueFrom::SecretKeyRef { name, key }) => {
                out["valueFrom"] = serde_json::json!({"secretKeyRef": {"name": name, "key": key}});
            }
            Some(ValueFrom::FieldRef { path }) => {
                out["valueFrom"] = serde_json::json!({"fieldRef": {"fieldPath": path}});
            }
            Some(ValueFrom::Nothing) | None => {}
        }
        out
    };
    args.iter().map(one).collect()
}

fn refs(value: &Value) -> Vec<TemplateRef> {
    let one = |value: &Value| TemplateRef {
        name: text(&value["templateName"]),
        cluster: value["clusterScope"].as_bool().unwrap_or(false),
    };
    list(value).iter().map(one).collect()
}

fn rules(value: &Value) -> Vec<String> {
    list(value)
        .iter()
        .map(|rule| text(&rule["metricName"]))
        .collect()
}

fn template(value: &Value, cluster: bool) -> Template {
    let spec = &value["spec"];
    Template {
        own: TemplateRef {
            name: text(&value["metadata"]["name"]),
            cluster,
        },
        namespace: None,
        metrics: list(&spec["metrics"]).iter().map(json).collect(),
        args: argument_list(&spec["args"]),
        dry_run: rules(&spec["dryRun"]),
        measurement_retention: retention(&spec["measurementRetention"]),
        templates: refs(&spec["templates"]),
    }
}

fn build_run(input: &Value) -> Outcome {
    let analysis = Analysis {
        templates: refs(&input["analysis"]["templates"]),
        args: argument_list(&input["args"]),
        dry_run: rules(&input["analysis"]["dryRun"]),
        measurement_retention: retention(&input["analysis"]["measurementRetention"]),
    };
    let mut known: Vec<Template> = Vec::new();
    known.extend(
        list(&input["templates"])
            .iter()
            .map(|it| template(it, false)),
    );
    known.extend(
        list(&input["clusterTemplates"])
            .iter()
            .map(|it| template(it, true)),
    );
    let spec = run_spec(&analysis, &known)
        .map_err(|error| (error.class().to_owned(), error.to_string()))?;
    let mut out = serde_json::json!({"metrics": Value::Null});
    if !spec.metrics.is_empty() {
        out["metrics"] = spec.metrics.iter().map(json_of).collect();
    }
    if !spec.args.is_empty() {
        out["args"] = of_args(&spec.args);
    }
    if !spec.dry_run.is_empty() {
        let rule = |name: &String| serde_json::json!({"metricName": name});
        out["dryRun"] = spec.dry_run.iter().map(rule).collect();
    }
    if !spec.measurement_retention.is_empty() {
        let rule = |rule: &crate::argo::run::Retention| serde_json::json!({"metricName": rule.metric_name, "limit": rule.limit});
        out["measurementRetention"] = spec.measurement_retention.iter().map(rule).collect();
    }
    // Name, labels and annotations of the object are those of whoever makes it: only the spec is ours.
    Ok(out)
}

fn rollout_args(input: &Value) -> Outcome {
    let written = match input.get("args") {
        Some(args) => list(args),
        None => vec![input["arg"].clone()],
    };
    let one = |arg: &Value| {
        let from = arg.get("valueFrom").map(|from| {
            if let Some(which) = from["podTemplateHashValue"].as_str() {
                RolloutSource::PodTemplateHash(which.to_owned())
            } else if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
                RolloutSource::FieldRef(path.to_owned())
            } else {
                RolloutSource::Nothing
            }
        });
        RolloutArgument {
            name: text(&arg["name"]),
            value: text(&arg["value"]),
            from,
        }
    };
    let args: Vec<RolloutArgument> = written.iter().map(one).collect();
    let hashes = Hashes {
        stable: "old".to_owned(),
        latest: "new".to_owned(),
    };
    match arguments(&args, &hashes, &json(&input["rollout"])) {
        Ok(args) => Ok(of_args(&args)),
        // There the recorded code panics; ours says why.
        Err(error @ PathError::Negative(_)) => Err(("panic".to_owned(), error.to_string())),
        Err(error) => Err(("bad-path".to_owned(), error.to_string())),
    }
}

fn experiment_args(input: &Value) -> Outcome {
    let mut replica_sets = BTreeMap::new();
    for name in list(&input["templates"]) {
        let name = text(&name);
        if let Some(set) = input["replicaSets"].get(&name) {
            let both = (text(&set["name"]), text(&set["podTemplateHash"]));
            replica_sets.insert(name, both);
        }
    }
    let experiment = Experiment {
        available_at: input["availableAt"]
            .as_str()
            .map(|at| at.parse().expect("a time")),
        duration: text(&input["duration"]),
        replica_sets,
    };
    experiment_value(&text(&input["template"]), &experiment)
        .map(Value::from)
        .map_err(|error| match &error {
            ExperimentError::Duration(_) => ("bad-duration".to_owned(), error.to_string()),
            ExperimentError::Placeholder(why) => (why.class().to_owned(), error.to_string()),
        })
}

fn run_args(input: &Value) -> Value {
    let mut secrets = Secrets::default();
    for (name, keys) in input["secrets"].as_object().expect("secrets") {
        for (key, value) in keys.as_object().expect("keys") {
            secrets.insert(name, key, value.as_str().expect("a text"));
        }
    }
    let mut run = Run::new(RunSpec {
        metrics: list(&input["spec"]["metrics"]).iter().map(json).collect(),
        args: argument_list(&input["spec"]["args"]),
        ..RunSpec::default()
    });
    let now = "2026-01-01T00:00:00Z".parse().expect("a time");
    let mut given = Vec::new();
    if let Some(round) = run.begin(&secrets, now) {
        let mut answers = Vec::new();
        for task in &round.tasks {
            given.push(metric_json(&task.metric));
            let mut measurement = Measurement::started(now);
            measurement.phase = Phase::Failed;
            measurement.message = text(&input["providerMessage"]);
            answers.push(Answer::Measured(measurement));
        }
        run.finish(&round, answers, now);
    }
    let phase = run.status.phase.expect("a phase").name();
    let mut out = serde_json::json!({"phase": phase, "givenToProvider": given});
    if !run.status.message.is_empty() {
        out["message"] = run.status.message.clone().into();
    }
    let measured = run.status.metric_results.first();
    if let Some(last) = measured.and_then(|result| result.measurements.last()) {
        out["measurementMessage"] = last.message.clone().into();
    }
    out
}

fn metric_json(metric: &Metric) -> Value {
    use crate::argo::metric::IntOrString;
    let mut out = serde_json::json!({"name": metric.name, "provider": json_of(&metric.provider)});
    for (field, value) in [
        ("interval", &metric.interval),
        ("initialDelay", &metric.initial_delay),
        ("successCondition", &metric.success_condition),
        ("failureCondition", &metric.failure_condition),
    ] {
        if !value.is_empty() {
            out[field] = value.clone().into();
        }
    }
    for (field, value) in [
        ("count", &metric.count),
        ("failureLimit", &metric.failure_limit),
        ("inconclusiveLimit", &metric.inconclusive_limit),
        ("consecutiveErrorLimit", &metric.consecutive_error_limit),
        ("consecutiveSuccessLimit", &metric.consecutive_success_limit),
    ] {
        match value {
            Some(IntOrString::Int(value)) => out[field] = (*value).into(),
            Some(IntOrString::Text(value)) => out[field] = value.clone().into(),
            None => {}
        }
    }
    out
}

fn names(input: &Value, group: &str) -> Outcome {
    let names: Vec<String> = list(&input["metricNames"]).iter().map(text).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rules: Vec<String> = list(&input["rules"]).iter().map(text).collect();
    let numbered: Vec<(usize, &String)> = rules.iter().enumerate().collect();
    let dry = group == "dry-run-names";
    let field = if dry {
        "dryRun"
    } else {
        "measurementRetention"
    };
    let found = matching(&numbered, field, |(_, rule)| rule.as_str(), &names)
        .map_err(|error| (error.class().to_owned(), error.to_string()))?;
    let mut out = serde_json::Map::new();
    for (name, (index, rule)) in found {
        let value = if dry {
            true.into()
        } else {
            serde_json::json!({"limit": index + 2, "metricName": rule})
        };
        out.insert(name, value);
    }
    Ok(out.into())
}

fn outcome(group: &str, input: &Value) -> Outcome {
    let unresolved =
        |error: crate::argo::argument::Unresolved| (error.class().to_owned(), error.to_string());
    match group {
        "substitute" => resolve(&text(&input["template"]), &argument_list(&input["args"]))
            .map(Value::from)
            .map_err(unresolved),
        "substitute-quoted" => {
            resolve_quoted(&text(&input["template"]), &argument_list(&input["args"]))
                .map(Value::from)
                .map_err(unresolved)
        }
        "resolve-metric" => {
            let args = argument_list(&input["args"]);
            resolve_json(&json(&input["metric"]), &args)
                .map(|metric| json_of(&metric))
                .map_err(unresolved)
        }
        "merge-args" => merge_args(
            &argument_list(&input["incoming"]),
            &argument_list(&input["template"]),
        )
        .map(|args| of_args(&args))
        .map_err(|error| (error.class().to_owned(), error.to_string())),
        "build-run" => build_run(input),
        "validate" => {
            let metrics: Vec<Metric> = list(&input["metrics"])
                .iter()
                .map(|metric| Metric::of(&json(metric)).expect("a metric"))
                .collect();
            validate(&metrics)
                .map(|()| true.into())
                .map_err(|error| (error.class().to_owned(), error.to_string()))
        }
        "dry-run-names" | "retention-names" => names(input, group),
        "rollout-args" => rollout_args(input),
        "experiment-args" => experiment_args(input),
        "run-args" => Ok(run_args(input)),
        other => panic!("unknown group {other}"),
    }
}

#[test]
fn every_recorded_template_gives_the_recorded_outcome() {
    let mut wrong = Vec::new();
    let cases = set("templates");
    for case in &cases {
        let (id, group) = (text(&case["id"]), text(&case["group"]));
        let got = outcome(&group, &case["input"]);
        let recorded = &case["outcome"];
        match (got, recorded.get("error")) {
            (Ok(got), None) => {
                let ok = if group == "build-run" {
                    &recorded["ok"]["spec"]
                } else {
                    &recorded["ok"]
                };
                differ(&format!("{group} {id}"), &got, ok, &mut wrong);
            }
            (Err((class, _)), Some(error)) if error["class"] == class.as_str() => {}
            (got, _) => wrong.push(format!("{group} {id}: {got:?}, recorded {recorded}")),
        }
    }
    report("templates", cases.len(), &wrong);
    assert_eq!(cases.len(), 170);
}
