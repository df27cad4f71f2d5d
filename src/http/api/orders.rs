//! What people order: rollbacks, holds, freezes. Each is taken by the engine, held by its guards, and answered when what
//! came of it is durable. `Idempotency-Key` makes a repeat do nothing twice.

mod answer;
mod body;
mod change;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use recant_core::access::Scope;
use recant_core::command::{By, Command, LONGEST_KEY};
use recant_core::engine::Given;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Api;
use super::access::{Access, Caller};
use super::openapi::Operation;
use super::problem::Problem;
use super::routes::{Needs, Routes};
use answer::OrderAnswer;
use body::{Approve, Freeze, Hold, Ordering, Resume, Rollback, Unfreeze};
use change::{Scale, Switch};

const MOST_BYTES: usize = 16 << 10;
const KEY: &str = "Idempotency-Key";

/// The paths below `/api/v1`.
pub(super) fn routes(access: &Access) -> Routes<Api> {
    let needs = Needs::scope(Scope::Act);
    Routes::new(access, "/api/v1")
        .post(
            "/rollback",
            needs,
            operation::<Rollback>(
                "orders.rollback",
                "Take a target back, whatever the evidence",
            ),
            take::<Rollback>,
        )
        .post(
            "/scale",
            needs,
            operation::<Scale>("orders.scale", "Give a workload more replicas"),
            take::<Scale>,
        )
        .post(
            "/switch",
            needs,
            operation::<Switch>("orders.switch", "Lead traffic to another colour"),
            take::<Switch>,
        )
        .post(
            "/hold",
            needs,
            operation::<Hold>("orders.hold", "Do nothing to a target"),
            take::<Hold>,
        )
        .post(
            "/resume",
            needs,
            operation::<Resume>(
                "orders.resume",
                "End a hold, and what is latched: flapping, the circuit breaker",
            ),
            take::<Resume>,
        )
        .post(
            "/freeze",
            needs,
            operation::<Freeze>("orders.freeze", "Do nothing to anything in reach"),
            take::<Freeze>,
        )
        .post(
            "/unfreeze",
            needs,
            operation::<Unfreeze>("orders.unfreeze", "End a freeze that was ordered"),
            take::<Unfreeze>,
        )
        .post(
            "/approve",
            needs,
            operation::<Approve>("orders.approve", "Agree to a rollback that waits for it"),
            take::<Approve>,
        )
}

fn operation<T: schemars::JsonSchema>(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary)
        .header(
            KEY,
            "What makes a repeat the same order: the same key does nothing twice",
        )
        .takes::<T>()
        .gives::<OrderAnswer>(
            200,
            "It is done, or its plan has begun; a dry run always is this",
        )
        .refuses(400, "The order cannot be understood")
        .gives::<OrderAnswer>(409, "Guards hold it; nothing was done")
        .gives::<OrderAnswer>(422, "It cannot be done; `said` is why, and what to do")
        .refuses(
            503,
            "Not now, or not here: another replica acts. The same key may be sent again",
        )
}

async fn take<T: Ordering + DeserializeOwned>(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    request: Body,
) -> Response {
    if let Some(elsewhere) = elsewhere(&api) {
        return elsewhere;
    }
    match order::<T>(&api, &caller, &headers, request).await {
        Ok(answer) => answer.into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Another replica acts: who that is.
fn elsewhere(api: &Api) -> Option<Response> {
    let detail = not_acting(api)?;
    let acting = api.readiness.reasons().remove("lease");
    Some(Problem::unavailable(detail).with(Some(json!({"acting": acting}))))
}

/// The same in words.
pub(super) fn not_acting(api: &Api) -> Option<String> {
    let reason = api.readiness.reasons().remove("lease")?;
    Some(format!(
        "this replica does not act ({reason}): send it to the one that does"
    ))
}

async fn order<T: Ordering + DeserializeOwned>(
    api: &Api,
    caller: &Caller,
    headers: &HeaderMap,
    request: Body,
) -> Result<OrderAnswer, Problem> {
    let key = headers.get(KEY).and_then(|key| key.to_str().ok());
    let usable = |key: &&str| {
        (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let key = key.filter(usable).ok_or_else(|| {
        Problem::bad(format!(
            "send `{KEY}`: 1 to {LONGEST_KEY} printable characters of your own, new for each order and the same for its \
             repeats"
        ))
    })?;
    let bytes = super::body::read(request, MOST_BYTES).await?;
    let body: T = super::body::json(&bytes, T::WHAT)?;
    let read = body.read()?;
    let command = Command {
        key: key.to_owned(),
        by: By {
            caller: caller.name.to_string(),
            identity: caller.identity.as_deref().map(str::to_owned),
        },
        reason: read.reason,
        order: read.order,
        overrides: read.overrides,
    };
    // Who looks at nothing takes nothing.
    api.snapshot()?;
    let Some(orders) = &api.orders else {
        return Err(Problem::unavailable("orders are not taken here"));
    };
    let given = Given {
        command,
        dry_run: read.dry_run,
    };
    let answer = orders.give(given).await.map_err(|why| {
        Problem::unavailable(format!(
            "{why}: send it again with the same `{KEY}`, which tells what became of it"
        ))
    })?;
    Ok(OrderAnswer::new(answer, read.dry_run))
}

impl IntoResponse for OrderAnswer {
    fn into_response(self) -> Response {
        (self.status(), axum::Json(self)).into_response()
    }
}
