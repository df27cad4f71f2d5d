//! A Deployment's bad version, from its first bad answer to the spec that has the good one again.

use std::time::Duration;

use futures::future::join_all;
use recant_core::ids::TargetKind;
use serde_json::json;
use tokio::time::sleep;

use super::bad_release::BadRelease;
use super::untouched::Untouched;
use super::{BEFORE, WITHIN, rules, target, timed};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run_timed;
use crate::namespace::Namespace;

/// How long after the rollout completed a late fault begins.
const LATE: Duration = Duration::from_secs(30);

#[test]
fn a_bad_deployment_is_back_within_seconds() {
    run_timed(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("deployments").await;
        let releases = BadRelease::matrix(TargetKind::Deployment, ["first", "late"]);
        let untouched = Untouched::begin(&ns, false).await;
        join_all(
            releases
                .iter()
                .map(|release| ns.deployment(&release.name, "v1", 2)),
        )
        .await;
        let prometheus = ns.prometheus().await;
        let watches: Vec<_> = releases
            .iter()
            .map(|release| (target(&ns, release.kind, &release.name), release.source))
            .collect();
        let watches = watches.iter().map(|(target, source)| (target, *source));
        let rules = rules(watches, "release: {watch: 10m}");
        let options = Options {
            name: "",
            prometheus: Some(prometheus.url()),
            // All of them fail at once, and each is to be timed.
            settings: vec![
                ("guards.actionsPerHour", json!(100)),
                ("guards.atOnce", json!("100%")),
                ("guards.manyAtOnce.targets", json!(0)),
            ],
        };
        let agent = Agent::start(&[&ns], &rules, options).await;
        join_all(releases.iter().map(|release| one(&ns, &agent, release))).await;
        let written: Vec<String> = releases.iter().map(BadRelease::object).collect();
        untouched.end(&ns, &written).await;
    });
}

/// Ships one bad release and follows it until it is gone, and people know.
async fn one(ns: &Namespace, agent: &Agent, release: &BadRelease) {
    let (name, tag) = (&*release.name, &*release.tag());
    let traffic = ns.traffic(name, 20.0);
    traffic.next(BEFORE, WITHIN).await;
    release.behave(ns, !release.late);
    ns.set_image(name, tag).await;
    ns.wait_template(name, tag, WITHIN).await;
    if release.late {
        ns.wait_complete(name, tag).await;
        // The promise is about a fault that begins so much later: this wait is its subject.
        sleep(LATE).await;
        assert_eq!(ns.first_bad(tag), None);
        release.behave(ns, true);
    }
    let patched = ns.wait_template(name, "v1", WITHIN).await;
    let first_bad = ns.first_bad(tag).expect("it gave bad answers");
    timed(
        &format!("Deployment {name}"),
        first_bad,
        patched,
        release.promise(),
    );
    release
        .told(agent, ns, "as `kubectl rollout undo` would")
        .await;
    ns.wait_complete(name, "v1").await;
    let after = traffic.next(40, WITHIN).await;
    assert!(after.error_rate() < 0.1, "{after:?}");
}
