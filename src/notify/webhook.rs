//! Any HTTP receiver, by JSON.
//!
//! The request is a POST with `content-type: application/json` and the header `webhook-id`: the notice's id, the same in
//! every retry, so that a receiver can drop a message it has. The body, at most 20 000 bytes:
//!
//! ```json
//! {
//!   "type": "recant.notice.rollingBack",
//!   "timestamp": "2026-01-01T00:00:00Z",
//!   "data": {
//!     "id": "…", "correlation": "…", "kind": "rollingBack", "severity": "critical", "mayBeRepeat": false,
//!     "watch": {"namespace": "shop", "name": "checkout"},
//!     "target": {"namespace": "shop", "kind": "Deployment", "name": "checkout"},
//!     "headline": "…", "sentences": ["…"], "facts": [{"label": "…", "value": "…"}],
//!     "links": [{"label": "…", "url": "…"}], "shortened": false
//!   }
//! }
//! ```
//!
//! `type` ends with the notice's kind. `correlation` is equal in all messages of one incident, and null without one.
//! `shortened` says that texts were cut or values left out. Later versions may add fields. Any status 2xx means
//! received; 408, 425, 429 and 5xx are tried again, `Retry-After` is respected; every other status ends the delivery.

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Serialize;

use recant_core::ids::{AnalysisId, NoticeId, TargetId, WatchName};
use recant_core::notice::{Fact, Notice, NoticeKind, Severity};
use recant_core::rule::{Link, SecretRef};

use super::client::HttpClient;
use super::text::clip;
use super::{Attempt, Notifier, NotifyError};
use crate::secrets::{Secrets, place};

const MAX_BYTES: usize = 20_000;
const ID_HEADER: HeaderName = HeaderName::from_static("webhook-id");

/// A receiver of JSON; its address is the secret.
#[derive(Debug)]
pub struct Webhook {
    client: HttpClient,
    secrets: Secrets,
    address: SecretRef,
}

impl Webhook {
    /// The receiver whose address is found at `address`, read anew for every message.
    pub fn new(client: HttpClient, secrets: Secrets, address: SecretRef) -> Self {
        Self {
            client,
            secrets,
            address,
        }
    }
}

#[async_trait]
impl Notifier for Webhook {
    async fn send(&self, notice: &Notice, attempt: Attempt) -> Result<(), NotifyError> {
        let address = self.secrets.resolve(&self.address).await?;
        let id = HeaderValue::from_str(&notice.id.0)
            .ok()
            .map(|id| (ID_HEADER, id));
        self.client
            .post(&address, &place(&self.address), id, render(notice, attempt))
            .await?
            // What it says may repeat the address, which nobody may see.
            .into_success(|_| "look into its log for the reason".to_owned())
            .map(drop)
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    id: &'a NoticeId,
    correlation: Option<&'a AnalysisId>,
    kind: NoticeKind,
    severity: Severity,
    may_be_repeat: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    watch: Option<&'a WatchName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a TargetId>,
    headline: String,
    sentences: Vec<String>,
    facts: Vec<Fact>,
    links: Vec<Link>,
    shortened: bool,
}

/// Numbers and lengths of texts, tried in this order until the body is small enough: a UTF-16 unit takes at most six
/// bytes of JSON, so the last one always is.
struct Room {
    number: usize,
    units: usize,
}

const ROOMS: [Room; 5] = [
    Room {
        number: 200,
        units: 4000,
    },
    Room {
        number: 50,
        units: 500,
    },
    Room {
        number: 20,
        units: 200,
    },
    Room {
        number: 10,
        units: 100,
    },
    Room {
        number: 5,
        units: 60,
    },
];

/// The body of the request.
pub fn render(notice: &Notice, attempt: Attempt) -> Vec<u8> {
    let mut bytes = Vec::new();
    for room in &ROOMS {
        bytes = serde_json::to_vec(&body(notice, attempt, room))
            .expect("texts and numbers always become JSON");
        if bytes.len() <= MAX_BYTES {
            break;
        }
    }
    bytes
}

fn body<'a>(notice: &'a Notice, attempt: Attempt, room: &Room) -> Body<'a> {
    let Notice {
        id,
        at,
        kind,
        severity,
        watch,
        target,
        correlation,
        headline,
        sentences,
        facts,
        links,
        channels: _,
    } = notice;
    let mut shortened = false;
    let mut fit = |text: &str| {
        let clipped = clip(text, room.units);
        shortened |= clipped != text;
        clipped
    };
    let data = Data {
        id,
        correlation: correlation.as_ref(),
        kind: *kind,
        severity: *severity,
        may_be_repeat: attempt == Attempt::MayBeRepeat,
        watch: watch.as_ref(),
        target: target.as_ref(),
        headline: fit(headline),
        sentences: sentences
            .iter()
            .take(room.number)
            .map(|sentence| fit(sentence))
            .collect(),
        facts: facts
            .iter()
            .take(room.number)
            .map(|Fact { label, value }| Fact {
                label: fit(label),
                value: fit(value),
            })
            .collect(),
        // Half an address leads nowhere.
        links: links
            .iter()
            .filter(|link| link.url.len() <= 1000.min(room.units * 2))
            .take(room.number)
            .map(|Link { label, url }| Link {
                label: fit(label),
                url: url.clone(),
            })
            .collect(),
        shortened: false,
    };
    let left_out = sentences.len() > data.sentences.len()
        || facts.len() > data.facts.len()
        || links.len() > data.links.len();
    Body {
        r#type: format!("recant.notice.{}", kind_name(*kind)),
        timestamp: *at,
        data: Data {
            shortened: shortened || left_out,
            ..data
        },
    }
}

/// As serde writes it.
fn kind_name(kind: NoticeKind) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests;
