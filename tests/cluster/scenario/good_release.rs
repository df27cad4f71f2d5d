//! A good version becomes known good, and nobody touches it: ten times out of ten.

use futures::future::join_all;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::notice::NoticeKind;
use recant_core::record::{Record, Standing};
use serde_json::json;

use super::untouched::Untouched;
use super::{WITHIN, rules, target};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::namespace::Namespace;

#[test]
fn a_good_version_is_promoted_untouched_ten_times_out_of_ten() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("good").await;
        let releases: Vec<TargetId> = (0..10)
            .map(|number| {
                let kind = if number < 8 {
                    TargetKind::Deployment
                } else {
                    TargetKind::Rollout
                };
                target(&ns, kind, &format!("good-{number}"))
            })
            .collect();
        join_all(releases.iter().map(|release| begin(&ns, release))).await;
        let untouched = Untouched::begin(&ns, true).await;
        let prometheus = ns.prometheus().await;
        let sources = ["prometheus", "scrape"].into_iter().cycle();
        let more = "release: {watch: 15s, whenUnclear: pass}\nonPass: [{notify: [team]}]";
        let rules = rules(releases.iter().zip(sources), more);
        let options = Options {
            prometheus: Some(prometheus.url()),
            ..Options::default()
        };
        let agent = Agent::start(&[&ns], &rules, options).await;
        join_all(releases.iter().map(|release| one(&ns, &agent, release))).await;

        for entry in agent.journal() {
            assert!(
                !matches!(
                    entry.record,
                    Record::Failed { .. } | Record::PlanBegan { .. }
                ),
                "{entry:#?}"
            );
        }
        let kinds: Vec<NoticeKind> = agent.notices().iter().map(|notice| notice.kind).collect();
        assert_eq!(kinds, [NoticeKind::Passed; 10]);
        untouched.end(&ns, &[]).await;
    });
}

/// Pauses by itself, as a Rollout that is left alone does.
async fn begin(ns: &Namespace, release: &TargetId) {
    match release.kind {
        TargetKind::Deployment => ns.deployment(&release.name, "v1", 2).await,
        TargetKind::Rollout => {
            let steps = json!([{"setWeight": 50}, {"pause": {"duration": "3s"}}]);
            ns.rollout(&release.name, "v1", 2, &steps).await;
        }
        TargetKind::StatefulSet => {
            ns.apply(&manifests::stateful_set(&release.name, "v1", 2))
                .await;
            ns.wait_serving(&release.name, "v1").await;
        }
        TargetKind::DaemonSet => {
            ns.apply(&manifests::daemon_set(&release.name, "v1")).await;
            ns.wait_serving(&release.name, "v1").await;
        }
    }
}

async fn one(ns: &Namespace, agent: &Agent, release: &TargetId) {
    let name = &*release.name;
    let traffic = ns.traffic(name, 10.0);
    traffic.next(150, WITHIN).await;
    match release.kind {
        TargetKind::Deployment => ns.set_image(name, "v3").await,
        TargetKind::Rollout => ns.set_rollout_image(name, "v3").await,
        TargetKind::StatefulSet => ns.apply(&manifests::stateful_set(name, "v3", 2)).await,
        TargetKind::DaemonSet => ns.apply(&manifests::daemon_set(name, "v3")).await,
    }
    ns.wait_serving(name, "v3").await;
    let hash = ns.ready(name).first().expect("a pod serves").hash.clone();
    let before = generation(ns, release).await;
    agent
        .wait_target("the version to be known good", release, WITHIN, |known| {
            known.current.as_str() == hash
                && known.stable.as_str() == hash
                && matches!(
                    known.standings.get(&known.current),
                    Some(Standing::KnownGood { .. })
                )
        })
        .await;
    agent
        .wait_slack(&format!("{release}: revision {hash} is known good"), WITHIN)
        .await;
    assert_eq!(
        generation(ns, release).await,
        before,
        "the spec was changed"
    );
    assert!(ns.ready(name).iter().all(|pod| pod.tag == "v3"));
}

async fn generation(ns: &Namespace, release: &TargetId) -> String {
    let kind = release.kind.to_string();
    let path = "jsonpath={.metadata.generation}";
    ns.kubectl(&["get", &kind, &release.name, "-o", path]).await
}
