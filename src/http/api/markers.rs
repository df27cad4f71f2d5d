//! Deployment markers from CI: which version was deployed when, signed.
//!
//! The signature is the HMAC-SHA256, with the key of `api.markerKey`, of the header `X-Recant-Timestamp`, a dot, and the
//! body; `X-Recant-Signature: sha256=HEX` carries it. A marker that was taken already changes nothing.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use recant_core::hook::{Hook, Marker};
use recant_core::ids::{TargetId, TargetKind};
use recant_core::wording::short;

use super::Api;
use super::body;
use super::openapi::Operation;
use super::problem::Problem;

const MOST_BYTES: usize = 16 << 10;
/// How far the time of the signature may be from ours: what was listened to cannot be sent again later.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// Characters of each text.
const LONGEST: usize = 512;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Marker")]
struct Document {
    /// Of the target.
    namespace: String,
    /// `Deployment` if it is not given.
    kind: Option<String>,
    /// Of the target.
    name: String,
    version: String,
    commit: Option<String>,
    /// When it was deployed.
    #[schemars(with = "String")]
    time: Timestamp,
    /// Where people find more.
    url: Option<String>,
}

/// What makes a repeat the same marker.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MarkerTaken")]
struct Taken {
    id: String,
}

/// For /openapi.json.
pub(super) fn operation() -> Operation {
    Operation::new("markers.mark", "A deployment, as CI tells of it")
        .header(
            "X-Recant-Timestamp",
            "Seconds of Unix time, not more than 5 minutes from now",
        )
        .takes::<Document>()
        .gives::<Taken>(200, "It is written down, or was before")
        .refuses(400, "The marker cannot be understood")
        .refuses(404, "No Watch names the target")
        .refuses(408, "The marker was not there in time")
        .refuses(413, "The marker is too large")
        .refuses(503, "Not now: send it again")
}

pub(super) async fn mark(State(api): State<Api>, headers: HeaderMap, request: Body) -> Response {
    match take(&api, &headers, request).await {
        Ok(id) => Json(Taken { id }).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn take(api: &Api, headers: &HeaderMap, request: Body) -> Result<String, Problem> {
    let Some(key) = &api.marker_key else {
        let detail = "markers are not taken: `api.markerKey` is not set in the settings";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    };
    let bytes = body::read(request, MOST_BYTES).await?;
    signed(headers, &bytes, key.current().as_bytes(), Timestamp::now())?;
    let document: Document = body::json(&bytes, "marker")?;
    let marker = marker(document)?;
    let snapshot = api.snapshot()?;
    if snapshot.target(&marker.target).is_none() {
        let target = short(&marker.target.to_string(), 400);
        let detail = format!("{target} is not watched: no Watch names it");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    let id = marker.id.clone();
    api.submit(vec![Hook::Marker(marker)]).await?;
    Ok(id)
}

/// Whether whoever knows the key signed this just now.
fn signed(headers: &HeaderMap, body: &Bytes, key: &[u8], now: Timestamp) -> Result<(), Problem> {
    let refused = |detail: &str| Problem::new(StatusCode::UNAUTHORIZED, detail);
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(timestamp), Some(signature)) =
        (text("x-recant-timestamp"), text("x-recant-signature"))
    else {
        return Err(refused(
            "the marker is not signed: send X-Recant-Timestamp (seconds of Unix time) and X-Recant-Signature \
             (`sha256=` and the hexadecimal HMAC-SHA256 of that timestamp, a dot and the body)",
        ));
    };
    let wrong =
        || refused("the signature is not that of this timestamp and body by `api.markerKey`");
    let signature = signature.strip_prefix("sha256=").and_then(from_hex);
    let signature = signature.ok_or_else(wrong)?;
    // A key of any length will do for this.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| wrong())?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.verify_slice(&signature).map_err(|_| wrong())?;
    // Only what is signed is believed.
    let seconds = timestamp.parse().ok();
    let at = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let fresh = at.is_some_and(|at| now.duration_since(at).abs() <= WINDOW);
    if fresh {
        return Ok(());
    }
    Err(refused(
        "the signature is older than 5 minutes, or the clock of one of the machines is wrong: sign again",
    ))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() != 64 {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect()
}

fn marker(document: Document) -> Result<Marker, Problem> {
    let Document {
        namespace,
        kind,
        name,
        version,
        commit,
        time,
        url,
    } = document;
    let kind = match kind.as_deref() {
        None => TargetKind::Deployment,
        Some(kind) => TargetKind::named(kind)
            .ok_or_else(|| Problem::bad(format!("`kind` is none of {}", TargetKind::listed())))?,
    };
    let texts = [
        ("namespace", Some(&namespace)),
        ("name", Some(&name)),
        ("version", Some(&version)),
        ("commit", commit.as_ref()),
        ("url", url.as_ref()),
    ];
    for (field, text) in texts {
        let Some(text) = text else { continue };
        let unusable =
            text.is_empty() || text.chars().count() > LONGEST || text.chars().any(char::is_control);
        if unusable {
            let detail =
                format!("`{field}` is empty, longer than {LONGEST} characters, or no plain text");
            return Err(Problem::bad(detail));
        }
    }
    if url
        .as_ref()
        .is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://"))
    {
        return Err(Problem::bad(
            "`url` begins with neither `https://` nor `http://`",
        ));
    }
    let target = TargetId {
        namespace,
        kind,
        name,
    };
    let mut hash = Sha256::new();
    let commit_text = commit.as_deref().unwrap_or_default();
    for part in [
        &target.to_string(),
        &version,
        commit_text,
        &time.to_string(),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let id = hash
        .finalize()
        .iter()
        .take(12)
        .fold(String::new(), |mut id, byte| {
            use std::fmt::Write as _;
            // Text takes whatever is written to it.
            write!(id, "{byte:02x}").unwrap_or_default();
            id
        });
    Ok(Marker {
        id,
        target,
        version,
        commit,
        at: time,
        url,
        by: Some("markerKey".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_its_body_time_and_key() {
        let body = Bytes::from_static(b"{}");
        let at = Timestamp::from_second(1_767_225_600).expect("a time");
        // By Python's `hmac`, of `1767225600.{}`.
        let right = "sha256=df344de429b8ee672e1863e0008fdbd0080000536fbccdf0e4f89846acbbe872";
        let check = |signature: &str, body: &Bytes, key: &[u8], now: Timestamp| {
            let mut headers = HeaderMap::new();
            let insert = |headers: &mut HeaderMap, name: &'static str, value: &str| {
                headers.insert(name, value.parse().expect("a header"));
            };
            insert(&mut headers, "x-recant-timestamp", "1767225600");
            insert(&mut headers, "x-recant-signature", signature);
            signed(&headers, body, key, now).is_ok()
        };
        let soon = at + SignedDuration::from_mins(4);
        assert!(check(right, &body, b"key", soon));
        assert!(check(
            &right.to_uppercase().replace("SHA", "sha"),
            &body,
            b"key",
            at
        ));
        assert!(!check(right, &body, b"kez", at));
        assert!(!check(right, &Bytes::from_static(b"{ }"), b"key", at));
        assert!(!check(
            right,
            &body,
            b"key",
            at + SignedDuration::from_mins(6)
        ));
        assert!(!check(
            right,
            &body,
            b"key",
            at - SignedDuration::from_mins(6)
        ));
        for wrong in [
            "",
            "sha256=",
            "sha256=00",
            "sha256=é",
            right.trim_start_matches("sha256="),
        ] {
            let wrong: String = wrong.chars().filter(char::is_ascii).collect();
            assert!(!check(&wrong, &body, b"key", at), "{wrong}");
        }
    }
}
