//! `rules` and `alerts`: what Recant thinks is wrong, as Prometheus would say it, so that what reads alerts there reads
//! these. Each rule is an expression over Recant's own series, and its alerts are what that expression finds now.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use jiff::Timestamp;
use serde::Serialize;

use super::super::Api;
use super::answer::{Answer, Failure};
use super::data::Data;
use super::expression;
use super::parameters::Parameters;
use super::series::Series;

/// One rule: all series of a selector that have this value.
struct Rule {
    name: &'static str,
    selector: &'static str,
    value: f64,
    severity: &'static str,
    summary: &'static str,
}

const RULES: [Rule; 6] = [
    Rule {
        name: "RecantReleaseFailed",
        selector: "recant_verdict",
        value: -1.0,
        severity: "critical",
        summary: "A release is bad",
    },
    Rule {
        name: "RecantIncident",
        selector: "recant_incident",
        value: 1.0,
        severity: "critical",
        summary: "A rule between releases is broken",
    },
    Rule {
        name: "RecantCannotLook",
        selector: "recant_blind",
        value: 1.0,
        severity: "warning",
        summary: "Recant cannot look at a target",
    },
    Rule {
        name: "RecantSourceLost",
        selector: "recant_source_lost",
        value: 1.0,
        severity: "warning",
        summary: "A source cannot be used",
    },
    Rule {
        name: "RecantActionHeld",
        selector: "recant_held",
        value: 1.0,
        severity: "warning",
        summary: "A guard holds an action",
    },
    Rule {
        name: "RecantRuleWithoutData",
        selector: "recant_rule_without_data",
        value: 1.0,
        severity: "info",
        summary: "A rule gets no data",
    },
];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: BTreeMap<&'static str, String>,
    annotations: BTreeMap<&'static str, String>,
    state: &'static str,
    active_at: Timestamp,
    value: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Alerts {
    alerts: Vec<Alert>,
}

#[derive(Debug, Serialize)]
pub(super) struct Groups {
    groups: Vec<Group>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: &'static str,
    file: &'static str,
    interval: u32,
    limit: u32,
    rules: Vec<RuleShown>,
    evaluation_time: u32,
    last_evaluation: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleShown {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    query: String,
    duration: u32,
    keep_firing_for: u32,
    labels: BTreeMap<&'static str, &'static str>,
    annotations: BTreeMap<&'static str, &'static str>,
    alerts: Vec<Alert>,
    health: &'static str,
    evaluation_time: u32,
    last_evaluation: Timestamp,
    state: &'static str,
}

/// What a rule finds now.
fn firing(rule: &Rule, data: &mut Data<'_>, at: Timestamp) -> Result<Vec<Alert>, Failure> {
    let selector = expression::selector(rule.selector)?;
    let series = match data.present(&selector) {
        Ok(series) => series,
        // Everything that it is about is out of sight, which is an alert of its own.
        Err(_) => Vec::new(),
    };
    let alerts = series
        .into_iter()
        .filter(|series| series.value.total_cmp(&rule.value).is_eq())
        .map(|series| alert(rule, series, at));
    Ok(alerts.collect())
}

fn alert(rule: &Rule, series: Series, at: Timestamp) -> Alert {
    let own = series.labels.into_iter();
    let own = own.filter(|(name, _)| *name != "__name__");
    let mut labels: BTreeMap<&str, String> =
        own.map(|(name, value)| (name, value.to_string())).collect();
    labels.insert("alertname", rule.name.to_owned());
    labels.insert("severity", rule.severity.to_owned());
    let mut annotations = BTreeMap::from([("summary", rule.summary.to_owned())]);
    if let Some(says) = series.says {
        annotations.insert("description", says);
    }
    Alert {
        labels,
        annotations,
        state: "firing",
        active_at: series.since.unwrap_or(at),
        value: if rule.value < 0.0 { "-1e+00" } else { "1e+00" }.to_owned(),
    }
}

/// `alerts`: all that fire.
pub(super) async fn alerts(State(api): State<Api>) -> Result<Answer<Alerts>, Failure> {
    let mut data = Data::now(&api)?;
    let at = api.snapshot()?.at;
    let mut all = Vec::new();
    for rule in &RULES {
        all.extend(firing(rule, &mut data, at)?);
    }
    let alerts = Alerts { alerts: all };
    Ok(Answer::new(alerts, data.into_warnings()))
}

/// `rules`: all rules with what each finds.
pub(super) async fn rules(
    State(api): State<Api>,
    request: Request,
) -> Result<Answer<Groups>, Failure> {
    let parameters = Parameters::read(request).await?;
    let wanted = match parameters.get("type") {
        None | Some("alert") => &RULES[..],
        Some("record") => &[],
        Some(_) => {
            return Err(Failure::bad(
                "`type` is none of `alert`, `record`: leave it out for both",
            ));
        }
    };
    let mut data = Data::now(&api)?;
    let at = api.snapshot()?.at;
    let mut rules = Vec::new();
    for rule in wanted {
        let alerts = firing(rule, &mut data, at)?;
        rules.push(RuleShown {
            kind: "alerting",
            name: rule.name,
            query: format!("{} == {}", rule.selector, rule.value),
            duration: 0,
            keep_firing_for: 0,
            labels: BTreeMap::from([("severity", rule.severity)]),
            annotations: BTreeMap::from([("summary", rule.summary)]),
            state: if alerts.is_empty() {
                "inactive"
            } else {
                "firing"
            },
            alerts,
            health: "ok",
            evaluation_time: 0,
            last_evaluation: at,
        });
    }
    let group = Group {
        name: "recant",
        file: "recant",
        interval: 1,
        limit: 0,
        rules,
        evaluation_time: 0,
        last_evaluation: at,
    };
    let groups = if wanted.is_empty() {
        Vec::new()
    } else {
        vec![group]
    };
    Ok(Answer::new(Groups { groups }, data.into_warnings()))
}
