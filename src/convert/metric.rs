//! One metric as one or more rules.

use std::time::Duration;

use promql_parser::label::Matcher;
use promql_parser::parser::{Expr, parse};
use recant_core::argo::json::Json;
use recant_core::argo::metric::{IntOrString, Metric, PROVIDERS};
use regex::Regex;

use super::arguments::{Arguments, names_target};
use super::condition::{Limit, Limits, limits};
use super::expression::{Scaled, scaled, selector};
use super::shape::{Shape, shape};
use super::yaml::{duration, number, quoted};
use super::{Converted, Refused, Rule, label, promql, web};

/// What Recant leaves out of a pod's counts at most.
const MOST_SKIP: Duration = Duration::from_mins(10);
/// The latest that a rule may wait.
const LONGEST_FOR: Duration = Duration::from_hours(24);

/// Labels that series of pods have, and that narrow them to those of one workload.
const OF_PODS: [&str; 10] = [
    "app",
    "app_kubernetes_io_name",
    "container",
    "deployment",
    "job",
    "name",
    "namespace",
    "rollout",
    "service",
    "workload",
];

/// A text of an object; empty if there is none.
pub(super) fn text<'j>(part: &'j Json, name: &str) -> &'j str {
    part.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// Whether a rule of `dryRun` means a metric: names are unanchored regular expressions there.
pub(super) fn matches(rule: &str, name: &str) -> bool {
    Regex::new(rule).is_ok_and(|pattern| pattern.is_match(name))
}

/// Converts a metric, or says why not.
pub(super) fn convert(
    metric: &Metric,
    arguments: &Arguments,
    dry_run: &[String],
    converted: &mut Converted,
) {
    match rules(metric, arguments, &mut converted.notes) {
        Ok(mut rules) => {
            for rule in &mut rules {
                if dry_run.iter().any(|it| matches(it, &metric.name)) {
                    let note =
                        "`dryRun` names this metric: it is judged and told, and takes nothing back";
                    rule.set("dryRun", "true".to_owned(), vec![note.to_owned()]);
                }
            }
            converted.rules.append(&mut rules);
            converted.watch = converted.watch.max(length(metric));
        }
        Err(reason) => converted.refused.push(Refused {
            metric: metric.name.clone(),
            reason,
        }),
    }
}

fn nanoseconds(read: Option<i64>) -> Duration {
    Duration::from_nanos(
        read.and_then(|it| u64::try_from(it).ok())
            .unwrap_or_default(),
    )
}

fn interval(metric: &Metric) -> Duration {
    nanoseconds(metric.interval_nanoseconds().ok().flatten())
}

fn delay(metric: &Metric) -> Duration {
    nanoseconds(metric.initial_delay_nanoseconds().ok().flatten())
}

fn value(number: Option<&IntOrString>) -> Option<i64> {
    number.map(IntOrString::value)
}

/// How long its measurements take; zero if it goes on for ever.
fn length(metric: &Metric) -> Duration {
    match metric.effective_count().map(u32::try_from) {
        Some(Ok(count)) => {
            delay(metric).saturating_add(interval(metric).saturating_mul(count.saturating_sub(1)))
        }
        Some(Err(_)) | None => Duration::ZERO,
    }
}

fn rules(
    metric: &Metric,
    arguments: &Arguments,
    notes: &mut Vec<String>,
) -> Result<Vec<Rule>, String> {
    let has = |name: &str| !matches!(metric.provider.get(name), None | Some(Json::Null));
    let provider = PROVIDERS.iter().chain(&["plugin"]).find(|name| has(name));
    match provider {
        Some(&("prometheus" | "web")) => {}
        Some(&"kayenta") => {
            return Err("Kayenta judges by itself: `recant analyse` asks it as Argo does; in a rule, `compare: {}` compares with the revision before".to_owned());
        }
        Some(other) => {
            return Err(format!(
                "its provider `{other}` is nothing that Recant measures by: leave this metric to Argo, or give its value by `httpJson`"
            ));
        }
        None => return Err("it has no provider".to_owned()),
    }
    let Limits {
        limits: found,
        notes: mut said,
    } = both(metric, arguments)?;
    said.extend(counting(metric));
    let several = found.len() > 1;
    let mut rules = Vec::new();
    for (field, limit) in found {
        let suffix = match (several, limit) {
            (false, _) => "",
            (true, Limit::Max(_)) => "-max",
            (true, Limit::Min(_)) => "-min",
        };
        let mut rule = Rule {
            name: label(&format!("{}{suffix}", metric.name)),
            metric: metric.name.clone(),
            ..Rule::default()
        };
        if rule.name != metric.name {
            rule.notes
                .push(format!("the metric is called `{}`", metric.name));
        }
        if has("prometheus") {
            if !field.is_empty() {
                return Err(format!(
                    "its condition looks at `result{field}`, and what Prometheus answers has no fields"
                ));
            }
            prometheus(metric, arguments, limit, &mut rule, notes)?;
        } else {
            web::convert(metric, arguments, &field, limit, &mut rule)?;
        }
        let at = rule
            .fields
            .iter_mut()
            .find(|it| matches!(it.name, "max" | "min"));
        if let Some(at) = at {
            at.notes.extend(said.iter().cloned());
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// The limits of both conditions: those of the failure condition, if there is one.
fn both(metric: &Metric, arguments: &Arguments) -> Result<Limits, String> {
    let success = arguments.fill(&metric.success_condition)?;
    let failure = arguments.fill(&metric.failure_condition)?;
    match (success.trim(), failure.trim()) {
        ("", "") => {
            Err("it has no condition: Argo calls it Successful whatever is measured".to_owned())
        }
        (success, "") => limits(success, true),
        ("", failure) => limits(failure, false),
        (success, failure) => {
            let mut found = limits(failure, false)?;
            found.notes.push(format!(
                "`successCondition: {success}` is left out: between the two conditions Argo is Inconclusive, and Recant undecided until it is surely beyond the limit"
            ));
            Ok(found)
        }
    }
}

/// What Argo counts and Recant does not.
fn counting(metric: &Metric) -> Vec<String> {
    let mut notes = Vec::new();
    match value(metric.failure_limit.as_ref()) {
        None | Some(0) => {}
        Some(limit) if limit < 0 => notes.push(
            "`failureLimit: -1`: there no number of failures fails it; here it fails when it is surely beyond the limit, unless the rule has `dryRun: true`".to_owned(),
        ),
        Some(limit) => notes.push(format!(
            "`failureLimit: {limit}` allows so many measurements beyond the limit, in a row or not; here chance is allowed for by how sure a verdict has to be"
        )),
    }
    if let Some(limit) = value(metric.inconclusive_limit.as_ref()).filter(|it| *it > 0) {
        notes.push(format!("`inconclusiveLimit: {limit}` has no counterpart: what is unclear stays undecided (`release.whenUnclear` says what an unclear watch ends with)"));
    }
    if let Some(limit) = value(metric.consecutive_error_limit.as_ref()) {
        notes.push(format!("`consecutiveErrorLimit: {limit}` has no counterpart: what cannot be measured fails no release"));
    }
    if let Some(limit) = value(metric.consecutive_success_limit.as_ref()).filter(|it| *it > 0) {
        notes.push(format!("`consecutiveSuccessLimit: {limit}` has no counterpart: a release passes at the end of its watch, and gates open before"));
    }
    notes
}

fn prometheus(
    metric: &Metric,
    arguments: &Arguments,
    limit: Limit,
    rule: &mut Rule,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let part = metric.provider.get("prometheus").unwrap_or(&Json::Null);
    for (name, note) in [
        (
            "address",
            "the addresses of Prometheus are left out: `recant run --prometheus URL`, or the settings, name one for all rules",
        ),
        (
            "headers",
            "`headers` are left out: how Prometheus is asked is a setting of Recant",
        ),
        (
            "authentication",
            "`authentication` is left out: how Prometheus is asked is a setting of Recant",
        ),
        (
            "insecure",
            "`insecure` is left out: how Prometheus is asked is a setting of Recant",
        ),
    ] {
        let set = !matches!(part.get(name), None | Some(Json::Null | Json::Bool(false)));
        if set && !notes.iter().any(|known| known == note) {
            notes.push(note.to_owned());
        }
    }
    if part
        .get("rangeQuery")
        .is_some_and(|range| *range != Json::Null)
    {
        rule.notes.push(
            "`rangeQuery` is left out: Recant asks at every tick, and keeps what it saw before"
                .to_owned(),
        );
    }
    let query = arguments.fill(text(part, "query"))?;
    let expr = parse(&query).map_err(|error| {
        let error = error.to_string();
        format!(
            "its query is no PromQL: {}",
            error.lines().last().unwrap_or_default()
        )
    })?;
    let value = scaled(&expr);
    let mut said = Vec::new();
    let known = shape(value.of, &mut said);
    if let Some(known) = known
        && native(&known, &value, limit, metric, rule, said)
    {
        return Ok(());
    }
    level(&expr, limit, metric, rule)
}

/// Writes one of Recant's own questions; `false`: it cannot be asked that way, and nothing was written.
fn native(
    known: &Shape<'_>,
    value: &Scaled<'_>,
    limit: Limit,
    metric: &Metric,
    rule: &mut Rule,
    mut notes: Vec<String>,
) -> bool {
    let limit = within(value, limit);
    match known {
        Shape::Share { part, total } => {
            let (field, share) = match limit {
                Limit::Max(share) => ("bad", share),
                Limit::Min(share) => ("good", share),
            };
            if !(0.0..1.0).contains(&share) && !(share == 1.0 && field == "good") {
                return false;
            }
            let selectors = (
                selector(part, "", &mut notes),
                selector(total, "", &mut notes),
            );
            let (Some(part), Some(total)) = selectors else {
                return false;
            };
            notes.push(
                "counted from the samples, each event once, without a window of its own".to_owned(),
            );
            let ratio = format!("{{{field}: {}, total: {}}}", quoted(&part), quoted(&total));
            rule.set("ratio", ratio, notes);
            set_limit(rule, limit, |share| format!("{}%", number(share * 100.0)));
            skip(rule, metric);
            true
        }
        Shape::Quantile {
            histogram,
            quantile,
            factor,
        } => {
            let (Limit::Max(most), true) = (limit, *quantile > 0.0 && *quantile < 1.0) else {
                return false;
            };
            let Some(name) = selector(histogram, "_bucket", &mut notes) else {
                return false;
            };
            let metric_name = name.split('{').next().unwrap_or_default();
            let unit = if metric_name.ends_with("_seconds") {
                1000.0
            } else if metric_name.ends_with("_milliseconds") {
                1.0
            } else {
                return false;
            };
            notes.push(
                "the share of slow events is judged, by pods, and not the interpolated quantile"
                    .to_owned(),
            );
            rule.set("histogram", quoted(&name), notes);
            rule.set(
                "quantile",
                format!("{}%", number(quantile * 100.0)),
                Vec::new(),
            );
            let milliseconds = most / factor * unit;
            if milliseconds <= 0.0 {
                rule.fields.clear();
                return false;
            }
            rule.set("max", format!("{}ms", number(milliseconds)), Vec::new());
            skip(rule, metric);
            true
        }
        Shape::Gauge {
            selector: gauge,
            over,
        } => {
            // `group="checkout"` is more likely the name of a consumer group than a label of pods.
            let narrowed = |matcher: &Matcher| {
                matcher.name == "pod"
                    || names_target(&matcher.value) && OF_PODS.contains(&matcher.name.as_str())
            };
            let of_pods = gauge.matchers.matchers.iter().any(narrowed);
            let name = selector(gauge, "", &mut notes);
            let (Some(name), true) = (name, of_pods && !is_negative(limit)) else {
                return false;
            };
            match over {
                Some(_) => notes.push("read from each pod, so that the revisions are told apart".to_owned()),
                None => notes.push("Argo's condition looked at the first series of several; here the worst pod decides".to_owned()),
            }
            rule.set("gauge", quoted(&name), notes);
            if let Some(over) = over {
                rule.set("over", (*over).to_owned(), Vec::new());
            }
            set_level(rule, limit, metric).is_ok()
        }
        Shape::Events {
            counter,
            per,
            seconds,
        } => {
            let events = |limit: f64| limit * seconds;
            let limit = match limit {
                Limit::Max(most) => Limit::Max(events(most)),
                Limit::Min(least) => Limit::Min(events(least)),
            };
            let always = matches!(limit, Limit::Min(least) if least <= 0.0);
            let Some(name) = selector(counter, "", &mut notes) else {
                return false;
            };
            if always || is_negative(limit) {
                return false;
            }
            notes.push(format!(
                "the number of events within {}, over the pods of the new revision",
                duration(*per)
            ));
            let rate = format!("{{counter: {}, per: {}}}", quoted(&name), duration(*per));
            rule.set("rate", rate, notes);
            set_level(rule, limit, metric).is_ok()
        }
    }
}

/// The limit of what stands inside of fixed numbers.
fn within(value: &Scaled<'_>, limit: Limit) -> Limit {
    let (Limit::Max(bound) | Limit::Min(bound)) = limit;
    let (bound, flipped) = value.inside(bound);
    match (limit, flipped) {
        (Limit::Max(_), false) | (Limit::Min(_), true) => Limit::Max(bound),
        (Limit::Min(_), false) | (Limit::Max(_), true) => Limit::Min(bound),
    }
}

fn is_negative(limit: Limit) -> bool {
    let (Limit::Max(bound) | Limit::Min(bound)) = limit;
    bound < 0.0
}

/// Takes the expression as it is.
fn level(expr: &Expr, limit: Limit, metric: &Metric, rule: &mut Rule) -> Result<(), String> {
    let asked = promql::asked(expr)?;
    rule.set("promql", quoted(&asked.query), asked.notes);
    if let Some(over) = asked.over {
        rule.set("over", over.to_owned(), Vec::new());
    }
    if let Some(label) = asked.arms {
        let note = "the value of this label has to be the pod-template hash".to_owned();
        rule.set("arms", format!("{{label: {label}}}"), vec![note]);
    }
    set_level(rule, limit, metric)
}

fn set_limit(rule: &mut Rule, limit: Limit, written: impl Fn(f64) -> String) {
    let (name, bound) = match limit {
        Limit::Max(bound) => ("max", bound),
        Limit::Min(bound) => ("min", bound),
    };
    rule.set(name, written(bound), Vec::new());
}

/// The limit of a value, and how long it has to be beyond it.
pub(super) fn set_level(rule: &mut Rule, limit: Limit, metric: &Metric) -> Result<(), String> {
    if is_negative(limit) {
        return Err("its limit is negative, and limits of Recant are not: ask for a distance, such as `abs(…)`".to_owned());
    }
    set_limit(rule, limit, number);
    let failures = value(metric.failure_limit.as_ref()).unwrap_or(0);
    let every = interval(metric);
    if let (Ok(failures @ 1..), false) = (u32::try_from(failures), every.is_zero()) {
        let lasting = every.saturating_mul(failures).min(LONGEST_FOR);
        let note = format!(
            "the time between the first and the last of {} measurements, which would be one too many; here it has to be beyond the limit for all of it",
            u64::from(failures) + 1
        );
        rule.set("for", duration(lasting), vec![note]);
    }
    if !delay(metric).is_zero() {
        rule.notes.push(format!(
            "`initialDelay: {}` has no counterpart for a value: `for` waits out what is odd at the start",
            metric.initial_delay
        ));
    }
    Ok(())
}

/// A delay, of what is counted, is what each pod's start leaves out.
fn skip(rule: &mut Rule, metric: &Metric) {
    let delay = delay(metric);
    if !delay.is_zero() {
        let note = format!(
            "`initialDelay: {}` counts from the start of the analysis, this from the start of each pod",
            metric.initial_delay
        );
        rule.set("skip", duration(delay.min(MOST_SKIP)), vec![note]);
    }
}
