//! Argo Rollouts' `web` provider: one GET, one verdict.
//!
//! Argo takes every answer of 200 to 299 that is no JSON for a success, an answer `null` ends its process, and it shows
//! nothing of other answers but the number. So a verdict is 200 with compact JSON, and whatever is no verdict is none of
//! 200 to 299, with a body that says `Error` even to a reader who does not look at the number.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use recant_core::gate::{self, Answer, Gate};
use recant_core::ids::{RevisionHash, TargetId, TargetKind};
use recant_core::snapshot::Snapshot;
use recant_core::wording::short;

use super::Api;
use super::openapi::Operation;
use super::problem::Problem;

/// Argo keeps ten of them in the object of each analysis.
const MOST_BYTES: usize = 1000;

/// Which revision of which target is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Of the target.
    namespace: String,
    /// `Rollout` if it is not given.
    kind: Option<String>,
    /// Of the target.
    name: String,
    /// The pod-template hash: without it, a verdict of the revision before could be taken for one of the new revision.
    hash: String,
}

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
    .query::<Asked>()
    .gives::<Document>(200, "A verdict, or that there is none yet")
    .refuses(400, "The question cannot be understood")
    .refuses(404, "No Watch names the target")
    .refuses(503, "Recant cannot look, or has not looked yet")
}

pub(super) async fn analysis(
    State(api): State<Api>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let answer = asked
        .map_err(|rejection| Problem::bad(unusable(&rejection)))
        .and_then(|Query(asked)| answer(&*api.snapshot()?, &asked));
    match answer {
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

fn unusable(rejection: &QueryRejection) -> String {
    format!(
        "{}; ask for `?namespace=NAMESPACE&name=NAME&hash=HASH`, and `&kind=Deployment` where it is no Rollout",
        short(&rejection.body_text(), 200)
    )
}

fn answer(snapshot: &Snapshot, asked: &Asked) -> Result<Data, Problem> {
    if asked.hash.is_empty() {
        let detail =
            "`hash` is empty: give the pod-template hash, as by `podTemplateHashValue: Latest`";
        return Err(Problem::bad(detail));
    }
    let kind = match asked.kind.as_deref() {
        None | Some("Rollout") => TargetKind::Rollout,
        Some("Deployment") => TargetKind::Deployment,
        Some(other) => {
            let other = short(other, 40);
            let detail = format!("`kind={other}` is none of `Rollout`, `Deployment`");
            return Err(Problem::bad(detail));
        }
    };
    let id = TargetId {
        namespace: asked.namespace.clone(),
        kind,
        name: asked.name.clone(),
    };
    let Some(target) = snapshot.target(&id) else {
        let (namespace, name) = (short(&id.namespace, 63), short(&id.name, 253));
        let detail = format!("{kind} {namespace}/{name} is not watched: no Watch names it");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    };
    let revision = RevisionHash::from(asked.hash.as_str());
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
