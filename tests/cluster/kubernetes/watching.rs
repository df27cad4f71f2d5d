//! What the watches say, live, with the rights of the manifests.

use std::sync::Arc;
use std::time::Duration;

use recant_core::ids::TargetKind;

use super::wire::Wire;
use super::{WITHIN, Watched, agent, client_of, hash_of, target};
use crate::bed::Bed;
use crate::case::run;
use crate::wait::wait_for;

#[test]
fn a_release_is_seen_from_its_first_pod_to_its_last() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("watch").await;
        ns.deployment("checkout", "v1", 2).await;
        let mut watched =
            Watched::start(agent(bed, &ns).await, target(&ns, TargetKind::Deployment));
        let v1 = watched.until_complete("v1").await;
        assert_eq!(v1.revisions.len(), 1);
        assert_eq!(v1.revisions[0].images, ["shop/checkout:v1"]);
        assert_eq!(v1.pods.len(), 2);
        for pod in &v1.pods {
            assert!(pod.ready && !pod.terminating, "{pod:?}");
            assert!(pod.ip.is_some_and(|ip| ip.is_loopback()), "{pod:?}");
            assert_eq!(pod.metrics, Some((8080, "/metrics".to_owned())));
        }

        ns.set_image("checkout", "v2").await;
        let during = watched
            .until("both revisions to have pods", |state| {
                let live = |tag| {
                    let hash = hash_of(state, tag);
                    state
                        .pods
                        .iter()
                        .any(|pod| Some(&pod.hash) == hash.as_ref() && !pod.terminating)
                };
                state.current.is_some() && live("v1") && live("v2")
            })
            .await;
        assert!(!during.complete);
        assert_eq!(during.current, hash_of(&during, "v2"));
        let v2 = watched.until_complete("v2").await;
        assert_eq!(v2.uid, v1.uid);
        // Those of v1 are gone, and remembered.
        let gone: Vec<_> = v2.pods.iter().filter(|pod| pod.terminating).collect();
        assert_eq!(gone.len(), 2, "{:#?}", v2.pods);
        assert!(
            gone.iter()
                .all(|pod| Some(&pod.hash) == v1.current.as_ref())
        );

        ns.kubectl(&["scale", "deployment/checkout", "--replicas=1"])
            .await;
        let scaled = watched
            .until("one pod to be left", |state| {
                state.complete && state.pods.iter().filter(|pod| !pod.terminating).count() == 1
            })
            .await;
        assert_eq!(scaled.current, v2.current, "scaling is no release");

        ns.kubectl(&["delete", "deployment", "checkout"]).await;
        wait_for("the target to be told as gone", WITHIN, || {
            let seen = watched.look().cloned();
            async move {
                match seen {
                    Some(None) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            }
        })
        .await;
    });
}

#[test]
fn kill_switches_are_seen_on_target_and_namespace() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("switch").await;
        ns.deployment("checkout", "v1", 1).await;
        let mut watched =
            Watched::start(agent(bed, &ns).await, target(&ns, TargetKind::Deployment));
        watched.until_complete("v1").await;
        ns.kubectl(&[
            "annotate",
            "deployment/checkout",
            "recant.dev/kill-switch=true",
        ])
        .await;
        let on = watched
            .until("the switch of the target", |state| {
                state.kill_switch.is_some()
            })
            .await;
        assert_eq!(on.kill_switch, Some(on.id.to_string()));
        ns.kubectl(&["annotate", "deployment/checkout", "recant.dev/kill-switch-"])
            .await;
        watched
            .until("the switch to be off", |state| state.kill_switch.is_none())
            .await;
        bed.kubectl(&[
            "annotate",
            "namespace",
            ns.name(),
            "recant.dev/kill-switch=true",
        ])
        .await;
        let on = watched
            .until("the switch of the namespace", |state| {
                state.kill_switch.is_some()
            })
            .await;
        assert_eq!(on.kill_switch, Some(format!("namespace {}", ns.name())));
    });
}

#[test]
fn watches_come_up_by_themselves_once_the_api_server_answers() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("outage").await;
        ns.deployment("checkout", "v1", 1).await;
        let wire = Arc::new(Wire::default());
        wire.set_down(true);
        let client = wire.client(agent(bed, &ns).await);
        let mut watched = Watched::start(client, target(&ns, TargetKind::Deployment));
        wait_for("every watch to say what is wrong", WITHIN, || {
            let watches = watched.cluster.watches();
            async move {
                let told = |watch: &recant::cluster::kubernetes::WatchStatus| {
                    watch
                        .error
                        .as_ref()
                        .is_some_and(|error| error.contains("the wire is down"))
                };
                if watches.len() == 4 && watches.iter().all(told) {
                    Ok(())
                } else {
                    Err(format!("{watches:#?}"))
                }
            }
        })
        .await;
        assert!(watched.look().is_none(), "nothing is known yet");
        wire.set_down(false);
        watched.until_complete("v1").await;
        wait_for("the watches to be well", Duration::from_secs(10), || {
            let watches = watched.cluster.watches();
            async move {
                if watches
                    .iter()
                    .all(|watch| watch.synced && watch.error.is_none())
                {
                    Ok(())
                } else {
                    Err(format!("{watches:#?}"))
                }
            }
        })
        .await;
    });
}

#[test]
fn a_watch_without_rights_says_which_and_where_to_add_them() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("blind").await;
        ns.deployment("checkout", "v1", 1).await;
        let client = client_of(bed, "system:serviceaccount:recant:nobody").await;
        let watched = Watched::start(client, target(&ns, TargetKind::Deployment));
        wait_for("the watch to be refused", WITHIN, || {
            let watches = watched.cluster.watches();
            async move {
                let told = watches
                    .iter()
                    .filter_map(|watch| watch.error.as_deref())
                    .any(|error| {
                        error.contains("not allowed to list `deployments.apps`")
                            && error.contains("charts/manifests/role.yaml")
                    });
                if told {
                    Ok(())
                } else {
                    Err(format!("{watches:#?}"))
                }
            }
        })
        .await;
    });
}
