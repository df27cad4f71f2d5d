//! A queue in a real Redis passes 100: its workers are scaled to five, once, by themselves or by their autoscaler's
//! minimum, and back when it is short again. No request, no Prometheus, no release is needed for it.

use std::time::Duration;

use futures::future::join;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use redis::AsyncCommands as _;

use recant_core::ids::{TargetId, TargetKind};
use recant_core::notice::NoticeKind;

use crate::agent::{Agent, Options};
use crate::autoscaler::Autoscaler;
use crate::bed::Bed;
use crate::case::run_waiting;
use crate::manifests;
use crate::namespace::Namespace;
use crate::redis::Redis;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_secs(30);
/// The rule has recovered when it has been kept for ten seconds; the undo comes five seconds later.
const BACK_WITHIN: Duration = Duration::from_secs(40);
const PASSWORD: &str = "let-me-in";

/// Workers without an autoscaler, and workers with one.
const PLAIN: &str = "packers";
const SCALED: &str = "sorters";

fn rule_set(redis: &Redis, password: &str) -> String {
    let url = redis.url();
    let address = url.trim_start_matches("redis://");
    format!(
        "apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {{name: shop}}
rules:
- name: queue
  redis: {{address: '{address}', list: integration_queue, password: {{file: {password}}}}}
  max: 100
  for: 2s
"
    )
}

fn watch(ns: &Namespace, name: &str) -> String {
    format!(
        "---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: {name}, namespace: {}}}
target: {{kind: Deployment, name: {name}}}
always:
- rule: shop/queue
  recovery: 10s
  onFail: [{{scale: {{target: Deployment/{name}, replicas: 5, undo: 5s}}}}, {{notify: [team]}}]
",
        ns.name()
    )
}

fn target(ns: &Namespace, name: &str) -> TargetId {
    TargetId {
        namespace: ns.name().to_owned(),
        kind: TargetKind::Deployment,
        name: name.to_owned(),
    }
}

/// What the autoscaler may not go below.
async fn minimum(ns: &Namespace) -> i32 {
    let autoscaler: HorizontalPodAutoscaler = ns.api().get(SCALED).await.expect("it is there");
    let spec = autoscaler.spec.expect("it has a spec");
    spec.min_replicas.expect("the test sets it")
}

async fn generation(ns: &Namespace, name: &str) -> i64 {
    let of = [
        "get",
        "deployment",
        name,
        "-o",
        "jsonpath={.metadata.generation}",
    ];
    let text = ns.kubectl(&of).await;
    text.parse().expect("a number")
}

#[test]
fn a_long_queue_scales_its_workers_once_and_back() {
    run_waiting(async {
        let bed = Bed::get().await;
        let ns = &bed.namespace("queue").await;
        let redis = Redis::start(bed, Some(PASSWORD)).await;
        join(
            ns.deployment(PLAIN, "v1", 1),
            ns.deployment(SCALED, "v1", 1),
        )
        .await;
        ns.apply(&manifests::autoscaler(SCALED, 1, 6)).await;
        let _autoscaler = Autoscaler::start(ns, SCALED, 1);
        let file = bed.folder("queue").join("redis-password");
        std::fs::write(&file, format!("{PASSWORD}\n")).expect("the bed's folder is writable");
        let rules =
            rule_set(&redis, &file.display().to_string()) + &watch(ns, PLAIN) + &watch(ns, SCALED);
        let agent = Agent::start(&[ns], &rules, Options::default()).await;

        redis.push("integration_queue", 100).await;
        redis.wait_asked(4, WITHIN).await;
        assert!(agent.notices().is_empty(), "100 is not above 100");
        let before = generation(ns, PLAIN).await;
        redis.push("integration_queue", 1).await;
        let plain = format!("deployment/{PLAIN}");
        let scaled = format!("deployment/{SCALED}");
        join(
            ns.wait_replicas(&plain, 5, WITHIN),
            ns.wait_replicas(&scaled, 5, WITHIN),
        )
        .await;
        assert_eq!(
            minimum(ns).await,
            5,
            "its minimum was raised, within which it scales"
        );
        for name in [PLAIN, SCALED] {
            let target = target(ns, name);
            let told = agent
                .wait_notice(NoticeKind::IncidentBegan, Some(&target), WITHIN)
                .await;
            let text = told.sentences.join(" ");
            assert!(text.contains("101 now, the limit is 100"), "{text}");
            agent
                .wait_notice(NoticeKind::Scaled, Some(&target), WITHIN)
                .await;
        }
        assert_eq!(generation(ns, PLAIN).await, before + 1, "written once");

        let mut connection = redis.connect().await;
        let _: () = connection
            .ltrim("integration_queue", 0, 9)
            .await
            .expect("a list can be cut");
        join(
            ns.wait_replicas(&plain, 1, BACK_WITHIN),
            wait_for(
                "the autoscaler's minimum to be put back",
                BACK_WITHIN,
                || async {
                    match minimum(ns).await {
                        1 => Ok(()),
                        other => Err(other.to_string()),
                    }
                },
            ),
        )
        .await;
        ns.wait_replicas(&scaled, 1, WITHIN).await;
        for name in [PLAIN, SCALED] {
            let kinds: Vec<NoticeKind> = agent
                .notices()
                .iter()
                .filter(|notice| notice.target == Some(target(ns, name)))
                .map(|notice| notice.kind)
                .collect();
            let whole = [
                NoticeKind::IncidentBegan,
                NoticeKind::Scaled,
                NoticeKind::IncidentEnded,
                NoticeKind::ScalingUndone,
            ];
            assert_eq!(kinds, whole, "{name}");
        }
        assert_eq!(
            generation(ns, PLAIN).await,
            before + 2,
            "and taken back once"
        );
        assert!(
            !agent.log().contains(PASSWORD),
            "the password is in the log"
        );
    });
}
