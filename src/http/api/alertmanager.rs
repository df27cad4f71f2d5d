//! Alertmanager's webhook (version 4): alerts that fire, and alerts that are over.
//!
//! It sends again only after 5xx, so whatever may get better by itself is 503, never 429. Deliveries repeat: the engine
//! knows what it has, by fingerprint and beginning.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use recant_core::hook::{Alert, Hook, MOST_ALERTS};
use recant_core::wording::short;

use super::Api;
use super::body;
use super::openapi::Operation;
use super::problem::Problem;
use super::routes;

const VERSION: &str = "4";
const MOST_BYTES: usize = 2 << 20;
/// Labels of one alert.
const MOST_LABELS: usize = 64;
/// Characters of a label's name or value, of a fingerprint, and of the summary.
const LONGEST: usize = 512;

/// One delivery. More fields may come.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AlertmanagerDelivery")]
struct Delivery {
    /// Absent where a template of the receiver leaves it out.
    #[serde(default)]
    version: Option<String>,
    alerts: Vec<Delivered>,
    #[serde(default)]
    truncated_alerts: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AlertmanagerAlert")]
struct Delivered {
    status: Status,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[schemars(with = "String")]
    starts_at: Timestamp,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    ends_at: Option<Timestamp>,
    fingerprint: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "AlertmanagerStatus")]
enum Status {
    Firing,
    Resolved,
}

/// How many alerts were taken.
#[derive(Debug, Serialize, JsonSchema)]
struct Taken {
    taken: usize,
}

/// For /openapi.json.
pub(super) fn operation() -> Operation {
    Operation::new(
        "alertmanager.webhook",
        "Alerts that fire or are over, as Alertmanager's webhook (version 4) sends them",
    )
    .takes::<Delivery>()
    .gives::<Taken>(200, "All of it is written down")
    .refuses(400, "The delivery cannot be understood")
    .refuses(413, "The delivery is too large, or holds too many alerts")
    .refuses(
        503,
        "Not now, also where it is too much at once: send it again",
    )
}

pub(super) async fn webhook(State(api): State<Api>, request: Request) -> Response {
    match take(&api, request).await {
        Ok(taken) => Json(Taken { taken }).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn take(api: &Api, request: Request) -> Result<usize, Problem> {
    let by = routes::reporter(&request);
    let bytes = match body::read(request.into_body(), MOST_BYTES).await {
        // Slow is not wrong: it may come again.
        Err(problem) if problem.status == StatusCode::REQUEST_TIMEOUT => {
            return Err(Problem::unavailable(problem.detail));
        }
        read => read?,
    };
    let delivery: Delivery = body::json(&bytes, "webhook of Alertmanager, version 4")?;
    let Delivery {
        version,
        alerts,
        truncated_alerts,
    } = delivery;
    if let Some(other) = version.filter(|version| version != VERSION) {
        let other = short(&other, 20);
        return Err(Problem::bad(format!(
            "this is version {other} of the webhook, and version {VERSION} is known: point an Alertmanager here that sends it"
        )));
    }
    if alerts.len() > MOST_ALERTS {
        let detail = format!("the delivery holds more than {MOST_ALERTS} alerts: set `max_alerts`");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    let hooks = alerts
        .into_iter()
        .map(|delivered| alert(delivered, by.as_ref()).map(Hook::Alert))
        .collect::<Result<Vec<_>, _>>()?;
    // Who looks at nothing takes nothing. Whether there is room the engine says: it alone knows what else has come.
    api.snapshot()?;
    if truncated_alerts > 0 {
        tracing::warn!(
            "Alertmanager left {truncated_alerts} alerts out of a delivery: raise `max_alerts`"
        );
    }
    let taken = hooks.len();
    if taken > 0 {
        api.submit(hooks).await?;
    }
    Ok(taken)
}

fn alert(delivered: Delivered, by: Option<&String>) -> Result<Alert, Problem> {
    let Delivered {
        status,
        labels,
        annotations,
        starts_at,
        ends_at,
        fingerprint,
    } = delivered;
    if fingerprint.is_empty() || fingerprint.len() > LONGEST {
        return Err(Problem::bad("an alert has no usable `fingerprint`"));
    }
    let long = |text: &String| text.chars().count() > LONGEST;
    if labels.len() > MOST_LABELS
        || labels
            .iter()
            .any(|(label, value)| long(label) || long(value))
    {
        let detail = format!(
            "an alert has more than {MOST_LABELS} labels, or one of more than {LONGEST} characters"
        );
        return Err(Problem::bad(detail));
    }
    let summary = ["summary", "description", "message"]
        .into_iter()
        .find_map(|name| annotations.get(name))
        .map(|text| short(text, LONGEST));
    let ended = match status {
        Status::Firing => None,
        // The zero time of Go stands for none.
        Status::Resolved => Some(ends_at.unwrap_or(starts_at).max(starts_at)),
    };
    Ok(Alert {
        fingerprint,
        labels,
        summary,
        starts: starts_at,
        ended,
        by: by.cloned(),
    })
}
