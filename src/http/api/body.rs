//! Bodies of requests: bounded in size, and read to the end even where they are too large, so that who sends one gets to
//! see why it is refused.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures::StreamExt as _;
use tokio::time::timeout;

use super::problem::Problem;

/// What is read of a body that is refused, at most: it is thrown away as it comes.
const MOST_READ: usize = 16 << 20;

/// By when the whole body must be there: before the connection's own deadline, so that there is time to say so.
const DEADLINE: Duration = Duration::from_secs(10);

/// The whole body.
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, Problem> {
    timeout(DEADLINE, all(body, most))
        .await
        .unwrap_or_else(|_| {
            let detail = format!("the body was not there within {} s", DEADLINE.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
        })
}

/// Throws the body away as it comes, as much as would be read of one that is too large.
pub(super) async fn drain(body: Body) {
    // What is wrong with it does not matter any more.
    drop(timeout(DEADLINE, all(body, 0)).await);
}

async fn all(body: Body, most: usize) -> Result<Bytes, Problem> {
    let mut kept = Vec::new();
    let mut size = 0_usize;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else {
            return Err(Problem::bad("the body broke off"));
        };
        size = size.saturating_add(chunk.len());
        if size > MOST_READ {
            break;
        }
        if size <= most {
            kept.extend_from_slice(&chunk);
        } else {
            kept = Vec::new();
        }
    }
    if size > most {
        let detail = format!("the body is larger than {} KiB", most / 1024);
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(kept.into())
}

/// The JSON in a body.
pub(super) fn json<'a, T: serde::Deserialize<'a>>(
    body: &'a [u8],
    what: &str,
) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::bad(format!(
            "the body is no {what}: {}",
            recant_core::wording::short(&error.to_string(), 200)
        ))
    })
}
