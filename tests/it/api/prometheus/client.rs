//! Prometheus' own client, by promtool: it takes our answers for those of a Prometheus.

use std::process::Output;

use recant::http::api::Access;

use super::super::bed::Bed;
use super::targets;
use crate::source::same_counts::binary;

async fn promtool(bed: &Bed, arguments: &[&str]) -> Output {
    let address = bed.url("/prometheus");
    let arguments = arguments
        .iter()
        .map(|argument| argument.replace("ADDRESS", &address));
    tokio::process::Command::new(binary().with_file_name("promtool"))
        .args(arguments)
        .output()
        .await
        .expect("promtool runs")
}

#[tokio::test]
async fn promtool_takes_it_for_a_prometheus() {
    let bed = Bed::start(Access::default()).await;
    bed.show(targets());
    for (arguments, says) in [
        (
            &[
                "query",
                "instant",
                "ADDRESS",
                "recant_verdict{name=\"failed\"}",
            ][..],
            "recant_verdict{hash=\"new\", kind=\"Rollout\", name=\"failed\", namespace=\"shop\", watch=\"shop/failed\"} => -1 @",
        ),
        (&["query", "instant", "ADDRESS", "1+1"], "scalar: 2 @"),
        (&["query", "instant", "ADDRESS", "vector(1)"], "{} => 1 @"),
        (
            &["query", "range", "ADDRESS", "recant_score{name=\"good\"}"],
            "100 @",
        ),
        (
            &[
                "query",
                "series",
                "--match=recant_verdict{name=\"good\"}",
                "ADDRESS",
            ],
            "__name__=\"recant_verdict\"",
        ),
        (&["query", "labels", "ADDRESS", "name"], "passing"),
        (&["check", "healthy", "--url=ADDRESS"], "SUCCESS"),
        (&["check", "ready", "--url=ADDRESS"], "SUCCESS"),
    ] {
        let out = promtool(&bed, arguments).await;
        let text = String::from_utf8_lossy(&out.stdout).into_owned()
            + &String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
    for (expression, says) in [
        ("recant_verdict{name=\"blind\"}", "Prometheus answers 503"),
        (
            "recant_verdict{name=\"stranger\"}",
            "nothing that is watched matches",
        ),
        (
            "rate(recant_score[5m])",
            "the function `rate` is not answered here",
        ),
    ] {
        let out = promtool(&bed, &["query", "instant", "ADDRESS", expression]).await;
        let text = String::from_utf8_lossy(&out.stderr);
        assert!(!out.status.success(), "{expression}: {text}");
        assert!(text.contains(says), "{expression}: {text}");
    }
}
