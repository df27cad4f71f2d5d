//! What Argo's `web` provider gets: a verdict as 200 with compact JSON, or an answer that nobody can take for success.

use recant::http::api::Access;
use recant_core::record::Standing;
use recant_core::snapshot::TargetSnapshot;
use serde_json::json;

use super::bed::{Bed, judged, with};

fn path(name: &str) -> String {
    format!("/argo/v1/analysis?namespace=shop&kind=Rollout&name={name}&hash=new")
}

#[tokio::test]
async fn each_verdict_is_a_phase() {
    let bed = Bed::start(Access::default()).await;
    let ended = |name: &str, standing| TargetSnapshot {
        analysis: None,
        standing: Some(standing),
        ..judged(name)
    };
    let at = "2026-01-01T00:00:00Z".parse().expect("a time");
    bed.show(vec![
        judged("undecided"),
        with("passing", |analysis| analysis.passing = true),
        with("failed", |analysis| analysis.failed = true),
        ended("good", Standing::KnownGood { at }),
        ended("bad", Standing::Failed { at }),
        ended("unclear", Standing::Inconclusive { at }),
    ]);
    for (name, phase, score) in [
        ("undecided", "Running", json!(61.3)),
        ("passing", "Successful", json!(61.3)),
        ("failed", "Failed", json!(61.3)),
        ("good", "Successful", json!(100.0)),
        ("bad", "Failed", json!(0.0)),
        ("unclear", "Inconclusive", json!(null)),
    ] {
        let answer = bed.get(&path(name)).await;
        assert_eq!((answer.status, &*answer.kind), (200, "application/json"));
        assert!(answer.text.len() < 1024, "{}", answer.text);
        let data = &answer.json()["data"];
        assert_eq!(data["phase"], phase, "{name}: {}", answer.text);
        assert_eq!(data["score"], score, "{name}: {}", answer.text);
        assert!(data["reason"].as_str().is_some_and(|text| text.len() > 10));
    }
    // The kind may be left out: it is mostly a Rollout.
    let answer = bed
        .get("/argo/v1/analysis?namespace=shop&name=passing&hash=new")
        .await;
    assert_eq!(answer.json()["data"]["phase"], "Successful");
}

#[tokio::test]
async fn what_is_no_verdict_can_never_be_taken_for_success() {
    let bed = Bed::start(Access::default()).await;
    let mut asked = vec![(path("checkout"), 503, "nothing was looked at yet")];
    for (path, status, says) in asked.drain(..) {
        refused(&bed, &path, status, says).await;
    }
    let mut blind = with("blind", |analysis| analysis.passing = true);
    blind.blind = Some("Prometheus answers 503".to_owned());
    let mut unseen = with("unseen", |analysis| analysis.passing = true);
    unseen.seen = false;
    bed.show(vec![judged("checkout"), blind, unseen]);
    let base = "/argo/v1/analysis?namespace=shop";
    for (path, status, says) in [
        (path("blind"), 503, "Prometheus answers 503"),
        (path("unseen"), 503, "not seen"),
        (path("stranger"), 404, "is not watched"),
        (
            path("checkout").replace("Rollout", "Deployment"),
            404,
            "is not watched",
        ),
        (
            path("checkout").replace("Rollout", "Pod"),
            400,
            "`kind=Pod`",
        ),
        (
            path("checkout").replace("=new", "="),
            400,
            "`hash` is empty",
        ),
        // Without the hash, the verdict of the revision before could be read as one of the new revision.
        (format!("{base}&name=checkout"), 400, "hash"),
        (format!("{base}&name=checkout&hahs=new"), 400, "hahs"),
        (
            format!("{base}&name=checkout&hash=new&hash=old"),
            400,
            "hash",
        ),
        (format!("{base}&name=%ff&hash=new"), 404, "is not watched"),
    ] {
        refused(&bed, &path, status, says).await;
    }
    let posted = super::bed::read(bed.http.post(bed.url(&path("checkout")))).await;
    assert_eq!(posted.status, 405, "{posted:?}");
}

async fn refused(bed: &Bed, path: &str, status: u16, says: &str) {
    let answer = bed.get(path).await;
    assert_eq!(answer.status, status, "{path}: {}", answer.text);
    assert_eq!(answer.kind, "application/problem+json");
    let json = answer.json();
    assert_eq!(json["data"]["phase"], "Error", "{}", answer.text);
    let detail = json["detail"].as_str().expect("a detail");
    assert!(detail.contains(says), "{path}: {detail}");
    assert!(!answer.text.contains("Successful"), "{}", answer.text);
}

#[tokio::test]
async fn a_revision_that_was_not_seen_yet_is_undecided() {
    let bed = Bed::start(Access::default()).await;
    bed.show(vec![TargetSnapshot {
        analysis: None,
        current: Some("old".into()),
        standing: Some(Standing::KnownGood {
            at: "2026-01-01T00:00:00Z".parse().expect("a time"),
        }),
        ..judged("checkout")
    }]);
    let answer = bed.get(&path("checkout")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["data"]["phase"], "Running", "{answer:?}");
}
