//! The page of a signed link: GET shows what is to be agreed to and changes nothing (chat clients fetch links), POST agrees,
//! once, to that plan alone. Small HTML without scripts, images or anything from elsewhere.

mod page;

use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use recant_core::command::{By, Command, CommandOutcome, LONGEST_REASON, Order};
use recant_core::engine::Given;
use recant_core::guard::Approval;
use recant_core::snapshot::Snapshot;
use recant_core::wording::short;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::access::Access;
use super::openapi::Operation;
use super::routes::{Needs, Routes};
use super::{Api, orders};
use crate::http::approval::{Asked, Links};
use page::Page;

const MOST_BYTES: usize = 8 << 10;
/// What a link's caller is called in the journal.
const CALLER: &str = "approvalLink";

/// `GET` and `POST /approve`.
pub(super) fn routes(access: &Access) -> Routes<Api> {
    let needs = Needs::signature_of(CALLER);
    let operation = |id, summary| {
        Operation::new(id, summary)
            .must("plan", "The plan that is to be agreed to")
            .must("target", "Its target, as people read it")
            .must("to", "The revision that it goes back to")
            .must("expires", "When the link is over, in seconds of Unix time")
            .must("signature", "HMAC-SHA256 of all that, by `approval.key`")
    };
    Routes::new(access, "")
        .get(
            "/approve",
            needs,
            operation(
                "approve.show",
                "What a signed link asks to be agreed to, with the evidence",
            )
            .shows(200, "A page; nothing is changed")
            .shows(410, "The link is over, or nobody waits for it any more")
            .shows(503, "Not now, or not here: another replica acts"),
            show,
        )
        .post(
            "/approve",
            needs,
            operation("approve.agree", "Agrees to the plan of a signed link, once")
                .shows(200, "It is approved")
                .shows(410, "The link is over, or nobody waits for it any more")
                .shows(503, "Not now, or not here: another replica acts"),
            agree,
        )
}

async fn show(State(api): State<Api>, uri: Uri) -> Response {
    match asked(&api, &uri) {
        Err(page) => page.into_response(),
        Ok((asked, snapshot)) => match open(&snapshot, &asked) {
            Ok(approval) => Page::question(&snapshot, approval).into_response(),
            Err(page) => page.into_response(),
        },
    }
}

/// What the form sends.
#[derive(Debug, Deserialize)]
struct Form {
    #[serde(default)]
    reason: String,
}

async fn agree(State(api): State<Api>, uri: Uri, body: Body) -> Response {
    // Whether it is open still, the engine says: what is shown may be a second old.
    let asked = match asked(&api, &uri) {
        Ok((asked, _)) => asked,
        Err(page) => return page.into_response(),
    };
    let reason = match super::body::read(body, MOST_BYTES).await {
        Ok(bytes) => reason(&bytes),
        Err(problem) => return Page::failed(problem.status, &problem.detail).into_response(),
    };
    let Some(orders) = &api.orders else {
        let why = "approvals are not taken here";
        return Page::failed(StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    let command = Command {
        // A repeat of the same link is the same order. The journal holds the key, and must not hold the link.
        key: key_of(&asked.signature),
        by: By {
            caller: CALLER.to_owned(),
            identity: None,
        },
        reason,
        order: Order::Approve {
            plan: asked.plan.as_str().into(),
        },
        overrides: std::collections::BTreeSet::new(),
    };
    let given = Given {
        command,
        dry_run: false,
    };
    match orders.give(given).await {
        Ok(answer) => match answer.outcome {
            CommandOutcome::Done { said, .. } => Page::agreed(&said).into_response(),
            CommandOutcome::Refused { reason } => {
                Page::failed(StatusCode::GONE, &reason).into_response()
            }
            CommandOutcome::Held { .. } => {
                Page::failed(StatusCode::GONE, "guards hold it").into_response()
            }
        },
        Err(why) => {
            let why = format!("{why}: send it again, which does nothing twice");
            Page::failed(StatusCode::SERVICE_UNAVAILABLE, &why).into_response()
        }
    }
}

/// What a link of ours asks for, while it is not over.
fn asked(api: &Api, uri: &Uri) -> Result<(Asked, std::sync::Arc<Snapshot>), Page> {
    let Some(links) = &api.links else {
        return Err(Page::failed(
            StatusCode::FORBIDDEN,
            "links approve nothing here: `approval.key` is not set in the settings; use `recant approve`",
        ));
    };
    let wrong = || {
        Page::failed(
            StatusCode::UNAUTHORIZED,
            "this is no link of this Recant, or not the whole of it: copy it again, or use `recant approve`",
        )
    };
    let Query(asked): Query<Asked> = Query::try_from_uri(uri).map_err(|_| wrong())?;
    if !Links::made(links, &asked) {
        return Err(wrong());
    }
    // Only what is signed is believed.
    let expires = asked.expires().ok_or_else(wrong)?;
    if expires <= Timestamp::now() {
        return Err(Page::failed(
            StatusCode::GONE,
            &format!(
                "this link was good until {expires:.0}. While the release still fails, people are asked anew: look for \
                 the newest message"
            ),
        ));
    }
    if let Some(reason) = orders::not_acting(api) {
        return Err(Page::failed(StatusCode::SERVICE_UNAVAILABLE, &reason));
    }
    let snapshot = api
        .snapshot()
        .map_err(|problem| Page::failed(problem.status, &problem.detail))?;
    Ok((asked, snapshot))
}

/// What is waited for; it need not be what the link was made for.
fn open<'s>(snapshot: &'s Snapshot, asked: &Asked) -> Result<&'s Approval, Page> {
    let found = snapshot.approvals.iter().find(|open| {
        open.plan.as_str() == asked.plan
            && open.to.as_str() == asked.to
            && open.expires.as_second() == asked.expires
    });
    match found {
        Some(open) => match &open.given {
            None => Ok(open),
            Some(given) => Err(Page::failed(
                StatusCode::GONE,
                &format!(
                    "it was approved already, by {} at {:.0}",
                    given.by, given.at
                ),
            )),
        },
        None => Err(Page::failed(
            StatusCode::GONE,
            "nobody waits for this approval any more: another release came, it was carried out, or its watch is over",
        )),
    }
}

/// What tells a link from others, and makes nobody able to use it.
fn key_of(signature: &str) -> String {
    let digest = Sha256::digest(signature.to_ascii_lowercase());
    digest.iter().fold(String::new(), |mut key, byte| {
        // Text takes whatever is written to it.
        write!(key, "{byte:02x}").unwrap_or_default();
        key
    })
}

/// What the form says, on one line.
fn reason(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let uri: Option<Uri> = format!("/?{text}").parse().ok();
    let form = uri.and_then(|uri| Query::<Form>::try_from_uri(&uri).ok());
    let text = form.map(|Query(form)| form.reason).unwrap_or_default();
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    short(line.trim(), LONGEST_REASON)
}
