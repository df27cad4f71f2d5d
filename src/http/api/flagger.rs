//! Flagger's webhooks. A status up to 202 is a yes, and everything else a no; of a no below 500 it shows the text.
//!
//! | hook | yes | a no means |
//! |---|---|---|
//! | `confirm-rollout` | the newest revision is not known bad | it waits |
//! | `pre-rollout`, `rollout` | the same, and also when Recant cannot look | one failed check more |
//! | `confirm-traffic-increase` | it is judged, and not bad | it waits |
//! | `confirm-promotion` | it is surely kept | it waits |
//! | `rollback` | it is bad: roll back now | nothing |
//! | `event`, `post-rollout` | always | nothing |
//!
//! Failed checks are never forgotten during a release, and enough of them roll back: what cannot be measured must not be
//! one. What a check lets through then is stopped by the gates.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use recant_core::gate::{self, Answer, Gate};
use recant_core::ids::{TargetId, TargetKind};
use recant_core::wording::short;

use super::Api;
use super::access::OverLimit;
use super::body;
use super::openapi::Operation;
use super::problem::{InDialect, Problem};
use super::routes;

/// Flagger's own are well below one.
const MOST_BYTES: usize = 64 << 10;

/// What Flagger sends. More fields may come.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "FlaggerPayload")]
struct Payload {
    /// Of the Canary, which mostly is that of its target.
    name: String,
    /// Of the Canary, and of its target.
    namespace: String,
    /// How far Flagger is.
    #[serde(default)]
    phase: String,
    /// `target` names another target than the Canary: `NAME`, `Deployment/NAME` or `Rollout/NAME`.
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

/// A hook that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hook {
    ConfirmRollout,
    Check,
    ConfirmTrafficIncrease,
    ConfirmPromotion,
    Rollback,
}

fn hook(name: &str) -> Option<Hook> {
    match name {
        "confirm-rollout" => Some(Hook::ConfirmRollout),
        "pre-rollout" | "rollout" => Some(Hook::Check),
        "confirm-traffic-increase" => Some(Hook::ConfirmTrafficIncrease),
        "confirm-promotion" => Some(Hook::ConfirmPromotion),
        "rollback" => Some(Hook::Rollback),
        _ => None,
    }
}

/// For /openapi.json.
pub(super) fn asking() -> Operation {
    Operation::new("flagger.ask", "Flagger's hooks that ask: yes or no")
        .part_of(
            "hook",
            "Which hook asks",
            &[
                "confirm-rollout",
                "pre-rollout",
                "rollout",
                "confirm-traffic-increase",
                "confirm-promotion",
                "rollback",
            ],
        )
        .takes::<Payload>()
        .says(200, "Yes, with why; to `rollback`: roll back now")
        .says(400, "The payload cannot be understood")
        .says(403, "No, with why; as a problem: who asks may not")
        .says(404, "No Watch names the target, or there is no such hook")
        .says(408, "The payload was not there in time")
        .says(413, "The payload is too large")
        .says(
            503,
            "Recant cannot look; for a check that would count as failed it is 200",
        )
}

/// For /openapi.json.
pub(super) fn hearing(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary)
        .takes::<Payload>()
        .says(200, "Heard; nothing is decided by it")
        .says(400, "The payload cannot be understood")
        .says(408, "The payload was not there in time")
        .says(413, "The payload is too large")
}

/// Answers a hook that asks.
pub(super) async fn ask(
    State(api): State<Api>,
    Path(name): Path<String>,
    over_limit: Option<Extension<OverLimit>>,
    request: Body,
) -> Response {
    let Some(hook) = hook(&name) else {
        let detail = format!(
            "Flagger has no hook `{}` here; there are confirm-rollout, pre-rollout, rollout, \
             confirm-traffic-increase, confirm-promotion, rollback, event and post-rollout",
            short(&name, 40)
        );
        return said(StatusCode::NOT_FOUND, &detail);
    };
    if over_limit.is_some() {
        let blind = Answer {
            gate: Gate::Blind,
            score: None,
            reason: "not looked at: too many requests at once".to_owned(),
        };
        body::drain(request).await;
        return match decide(&api, hook, blind) {
            Ok(reason) => said(StatusCode::OK, &reason),
            Err(problem) => said(problem.status, &problem.detail),
        };
    }
    match answer(&api, hook, request).await {
        Ok(reason) => said(StatusCode::OK, &reason),
        Err(problem) => said(problem.status, &problem.detail),
    }
}

/// Takes what Flagger tells. Nothing is decided by it.
pub(super) async fn hear(request: Request) -> Response {
    let name = request.uri().path().rsplit('/').next();
    let name = name.unwrap_or_default().to_owned();
    let caller = routes::reporter(&request).unwrap_or_default();
    match payload(request.into_body()).await {
        Ok(payload) => {
            let message = payload.metadata.as_ref();
            let message = message.and_then(|metadata| metadata.get("eventMessage"));
            tracing::info!(
                canary.name = %short(&payload.name, 253),
                canary.namespace = %short(&payload.namespace, 63),
                phase = %short(&payload.phase, 40),
                caller,
                "Flagger tells ({}): {}",
                short(&name, 40),
                short(message.map_or("", String::as_str), 300),
            );
            said(StatusCode::OK, "heard; nothing is decided by it")
        }
        Err(problem) => said(problem.status, &problem.detail),
    }
}

fn said(status: StatusCode, text: &str) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    let mut response = (status, kind, format!("{text}\n")).into_response();
    // Flagger shows the text to people as it is.
    response.extensions_mut().insert(InDialect);
    response
}

async fn payload(request: Body) -> Result<Payload, Problem> {
    let bytes = body::read(request, MOST_BYTES).await?;
    body::json(&bytes, "payload of a Flagger webhook")
}

async fn answer(api: &Api, hook: Hook, request: Body) -> Result<String, Problem> {
    let payload = payload(request).await?;
    let id = target(&payload)?;
    let answer = match api.snapshot() {
        Ok(snapshot) => {
            let Some(target) = snapshot.target(&id) else {
                let detail = format!(
                    "{} is not watched: write a Watch for it, or name another target as `target` in the metadata of \
                     the webhook, such as `Deployment/checkout`",
                    short(&id.to_string(), 400)
                );
                return Err(Problem::new(StatusCode::NOT_FOUND, detail));
            };
            gate::of_newest(target)
        }
        Err(problem) => Answer {
            gate: Gate::Blind,
            score: None,
            reason: problem.detail,
        },
    };
    decide(api, hook, answer)
}

/// The name of the target: that of the Canary, unless the webhook's metadata say otherwise.
fn target(payload: &Payload) -> Result<TargetId, Problem> {
    let named = payload.metadata.as_ref();
    let named = named.and_then(|metadata| metadata.get("target"));
    let (kind, name) = match named.map(|named| named.split_once('/')) {
        None => (TargetKind::Deployment, payload.name.as_str()),
        Some(None) => (
            TargetKind::Deployment,
            named.map_or(payload.name.as_str(), String::as_str),
        ),
        Some(Some((kind, name))) => {
            let known = TargetKind::named(kind).ok_or_else(|| {
                let (kind, kinds) = (short(kind, 40), TargetKind::listed());
                Problem::bad(format!("`{kind}` in metadata `target` is none of {kinds}"))
            })?;
            (known, name)
        }
    };
    Ok(TargetId {
        namespace: payload.namespace.clone(),
        kind,
        name: name.to_owned(),
    })
}

/// Yes, with its reason, or why not.
fn decide(api: &Api, hook: Hook, answer: Answer) -> Result<String, Problem> {
    let Answer {
        gate,
        score: _,
        reason,
    } = answer;
    let yes = match hook {
        Hook::ConfirmRollout => match gate {
            Gate::Running | Gate::Held | Gate::Open | Gate::Inconclusive => true,
            Gate::Failed | Gate::Blind => false,
        },
        Hook::Check => match gate {
            Gate::Running | Gate::Held | Gate::Open | Gate::Inconclusive | Gate::Blind => true,
            Gate::Failed => false,
        },
        Hook::ConfirmTrafficIncrease => match gate {
            Gate::Running | Gate::Open => true,
            Gate::Held | Gate::Inconclusive | Gate::Failed | Gate::Blind => false,
        },
        Hook::ConfirmPromotion => match gate {
            Gate::Open => true,
            Gate::Running | Gate::Held | Gate::Inconclusive | Gate::Failed | Gate::Blind => false,
        },
        Hook::Rollback => match gate {
            Gate::Failed => {
                // A picture of the cluster that is behind may still show the revision before.
                if let Some((part, why)) = api.readiness.reasons().first_key_value() {
                    let detail = format!("it may be another revision by now: {part}: {why}");
                    return Err(Problem::unavailable(detail));
                }
                true
            }
            Gate::Running | Gate::Held | Gate::Open | Gate::Inconclusive | Gate::Blind => false,
        },
    };
    if yes {
        return Ok(reason);
    }
    let status = if gate == Gate::Blind {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::FORBIDDEN
    };
    Err(Problem::new(status, reason))
}
