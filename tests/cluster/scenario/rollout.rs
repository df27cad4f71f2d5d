//! A Rollout's bad version with the real controller: aborted in flight; undone and promoted in full once promoted.

use futures::future::join_all;
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use recant_core::ids::TargetKind;
use serde_json::{Value, json};

use super::bad_release::BadRelease;
use super::untouched::Untouched;
use super::{BEFORE, PROMISE, WITHIN, rules, target, timed};
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run_timed;
use crate::manifests;
use crate::namespace::Namespace;
use crate::wait::wait_object;

#[test]
fn a_bad_rollout_is_aborted_in_flight_and_undone_when_promoted() {
    run_timed(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("rollouts").await;
        let releases = BadRelease::matrix(TargetKind::Rollout, ["flight", "promoted"]);
        // A person's pause after the first half: a plain undo would stay there, with the bad version serving.
        let steps = json!([{"setWeight": 50}, {"pause": {}}]);
        join_all(
            releases
                .iter()
                .map(|release| ns.rollout(&release.name, "v1", 2, &steps)),
        )
        .await;
        let untouched = Untouched::begin(&ns, true).await;
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
        join_all(releases.iter().map(|release| async {
            if release.late {
                promoted(&ns, &agent, release).await;
            } else {
                in_flight(&ns, &agent, release).await;
            }
        }))
        .await;
        let written: Vec<String> = releases.iter().map(BadRelease::object).collect();
        untouched.end(&ns, &written).await;
    });
}

/// The bad version has half of the traffic when it is aborted.
async fn in_flight(ns: &Namespace, agent: &Agent, release: &BadRelease) {
    let (name, tag) = (&*release.name, &*release.tag());
    let traffic = ns.traffic(name, 20.0);
    traffic.next(BEFORE, WITHIN).await;
    release.behave(ns, true);
    ns.set_rollout_image(name, tag).await;
    let patched = wait_rollout(ns, name, "the abort", |rollout| {
        rollout["status"]["abort"] == true
    })
    .await;
    let first_bad = ns.first_bad(tag).expect("it gave bad answers");
    timed(
        &format!("Rollout {name}"),
        first_bad,
        patched,
        release.promise(),
    );
    // What stays behind is said.
    release
        .told(agent, ns, "The bad template is still in the Rollout's spec")
        .await;
    ns.wait_phase(name, "Degraded").await;
    ns.wait_serving(name, "v1").await;
    let rollout = ns.rollouts().get(name).await.expect("it is there");
    let image = &rollout.data["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, manifests::image(name, tag));
    let after = traffic.next(40, WITHIN).await;
    assert!(after.error_rate() < 0.1, "{after:?}");
}

/// The bad version has all of the traffic, and is the stable one, when its fault begins.
async fn promoted(ns: &Namespace, agent: &Agent, release: &BadRelease) {
    let (name, tag) = (&*release.name, &*release.tag());
    let traffic = ns.traffic(name, 20.0);
    traffic.next(BEFORE, WITHIN).await;
    release.behave(ns, false);
    ns.set_rollout_image(name, tag).await;
    ns.wait_phase(name, "Paused").await;
    promote(ns, name).await;
    ns.wait_phase(name, "Healthy").await;
    ns.wait_serving(name, tag).await;
    traffic.next(100, WITHIN).await;
    assert_eq!(ns.first_bad(tag), None);

    release.behave(ns, true);
    let good = manifests::image(name, "v1");
    let patched = wait_rollout(ns, name, "the good template", |rollout| {
        rollout["spec"]["template"]["spec"]["containers"][0]["image"] == *good
    })
    .await;
    let first_bad = ns.first_bad(tag).expect("it gave bad answers");
    timed(
        &format!("Rollout {name}"),
        first_bad,
        patched,
        release.promise(),
    );
    // Without promoteFull it would wait here for a person.
    ns.wait_serving(name, "v1").await;
    let served = Timestamp::now().duration_since(patched);
    assert!(
        served.unsigned_abs() < PROMISE,
        "the bad version served for another {served:#} after the undo"
    );
    ns.wait_phase(name, "Healthy").await;
    release.told(agent, ns, "in full, without its steps").await;
    let after = traffic.next(40, WITHIN).await;
    assert!(after.error_rate() < 0.1, "{after:?}");
}

/// What `kubectl argo rollouts promote --full` sends.
async fn promote(ns: &Namespace, name: &str) {
    let promote = json!({"status": {"promoteFull": true}});
    ns.rollouts()
        .patch_status(name, &PatchParams::default(), &Patch::Merge(promote))
        .await
        .expect("an administrator may promote");
}

/// Waits until a Rollout is as wanted, and says when that was seen.
async fn wait_rollout(
    ns: &Namespace,
    name: &str,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Timestamp {
    let what = format!("{what} of `{name}`");
    wait_object(&ns.rollouts(), name, &what, WITHIN, |rollout| {
        if wanted(&rollout.data) {
            Ok(Timestamp::now())
        } else {
            Err(rollout.data["status"].to_string())
        }
    })
    .await
}
