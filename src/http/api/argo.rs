//! Argo Rollouts' `web` provider: one GET, one verdict.
//!
//! Argo takes every answer of 200 to 299 that is no JSON for a success, an answer `null` ends its process, and it shows
//! nothing of other answers but the number. So a verdict is 200 with compact JSON, and whatever is no verdict is none of
//! 200 to 299, with a body that says `Error` even to a reader who does not look at the number.

mod asked;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use recant_core::gate::{self, Answer, Gate};
use recant_core::wording::short;

use super::Api;
use super::look_up::LookedUp;
use super::openapi::Operation;
use super::problem::Problem;
use asked::Asked;

/// Argo keeps ten of them in the object of each analysis.
const MOST_BYTES: usize = 1000;

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ArgoAnalysis")]
struct Document {
    data: Data,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ArgoVerdict")]
struct Data {
    /// `Running`, `Successful`, `Failed`, `Inconclusive`; `Error` where there is no verdict.
    phase: &'static str,
    /// 0 to 100: how sure it is that the revision is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    reason: String,
}

/// For /openapi.json.
pub(super) fn operation() -> Operation {
    Operation::new(
        "argo.analysis",
        "The verdict on one revision, for Argo Rollouts' `web` provider",
    )
    .must("namespace", "Of the workload")
    .must(
        "hash",
        "The pod-template hash: without it, a verdict of the revision before could be taken for one of the new revision",
    )
    .may("kind", "`Rollout`, which it is without it, or `Deployment`")
    .may("name", "Of the workload; this, `service` or a label must be given")
    .may("service", "A Service of the workload")
    .may(
        "label.LABEL",
        "A label of the workload, as `label.app=checkout`; may be given for several labels",
    )
    .gives::<Document>(200, "A verdict, or that there is none yet")
    .refuses(400, "The question cannot be understood")
    .refuses(404, "No Watch names the target, or there is none")
    .refuses(409, "Several workloads are meant")
    .refuses(503, "Recant cannot look, or has not looked yet")
}

pub(super) async fn analysis(
    State(api): State<Api>,
    asked: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Response {
    match answer(&api, asked).await {
        Ok(data) => Json(Document { data }).into_response(),
        Err(problem) => {
            let reason = short(&problem.detail, 500);
            problem.with(Some(Data {
                phase: "Error",
                score: None,
                reason,
            }))
        }
    }
}

async fn answer(
    api: &Api,
    asked: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Data, Problem> {
    let Query(pairs) = asked.map_err(|rejection| asked::unusable(&rejection.body_text()))?;
    let Asked { naming, revision } = Asked::read(pairs)?;
    let snapshot = api.snapshot()?;
    let target = match api.look_up(&snapshot, &naming).await? {
        LookedUp::Watched(target) => target,
        LookedUp::TakenUp { target, by } => {
            let reason = format!("{target} is watched from now on, by Watch {by}");
            return Ok(fitting("Running", None, &reason));
        }
        LookedUp::Later { reason } => return Ok(fitting("Running", None, &reason)),
    };
    let Answer {
        gate,
        score,
        reason,
    } = gate::of_revision(target, &revision);
    let phase = match gate {
        Gate::Running | Gate::Held => "Running",
        Gate::Open => "Successful",
        Gate::Failed => "Failed",
        Gate::Inconclusive => "Inconclusive",
        Gate::Blind => return Err(Problem::unavailable(reason)),
    };
    Ok(fitting(phase, score, &reason))
}

/// Cut where it would be longer than what Argo should keep.
fn fitting(phase: &'static str, score: Option<f64>, reason: &str) -> Data {
    let mut characters = 600;
    loop {
        let data = Data {
            phase,
            score: score.map(|score| (score * 10.0).round() / 10.0),
            reason: short(reason, characters),
        };
        let size = serde_json::to_vec(&data).map_or(0, |bytes| bytes.len());
        if size <= MOST_BYTES || characters < 10 {
            return data;
        }
        characters /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_small_whatever_its_reason_is_made_of() {
        for (text, least) in [("x", 400), ("é", 400), ("\u{1}", 100), ("\"", 300)] {
            let data = fitting("Failed", Some(99.954), &text.repeat(5000));
            let length = serde_json::to_string(&data).expect("JSON").len();
            assert!(length <= MOST_BYTES, "{length}");
            assert!(length >= least, "{length} of `{text}`");
            assert_eq!(data.score, Some(100.0));
        }
    }
}
