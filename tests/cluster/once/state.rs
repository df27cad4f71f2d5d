//! The state between runs: kept, guarded, never guessed.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{Once, Ran, deployment, rules, shop, watched};
use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_mins(1);

type ConfigMap = k8s_openapi::api::core::v1::ConfigMap;
type Lease = k8s_openapi::api::coordination::v1::Lease;

async fn patch_state(ns: &Namespace, data: serde_json::Value) {
    let patch = Patch::Merge(json!({"data": data}));
    ns.api::<ConfigMap>()
        .patch("recant-once", &PatchParams::default(), &patch)
        .await
        .expect("an administrator may patch it");
}

/// Without Prometheus nothing is decided, and it is told once; a state that is not ours is left alone.
#[test]
fn what_cannot_be_seen_or_read_is_exit_code_4() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("once").await;
        ns.deployment("checkout", "v1", 1).await;
        let nowhere = format!("http://127.0.0.1:{}", bed.free_port());
        let once = Once::prepare(&ns, nowhere).await;
        let rules = once.rules(&rules(&ns, "checkout", "10m"));
        let told = || {
            let received = once.slack.received().into_iter();
            received
                .filter(|message| message.body.contains("Prometheus"))
                .count()
        };
        for _ in 0..2 {
            let blind = once.run(&[&rules], &[]).await;
            assert_eq!(blind.code, 4, "{blind:#?}");
            assert!(blind.out.contains("COULD NOT LOOK"), "{blind:#?}");
        }
        assert_eq!(told(), 1);
        assert!(once.state().await.ledger.actions.is_empty());

        let good = ns
            .api::<ConfigMap>()
            .get("recant-once")
            .await
            .expect("is there");
        let good = good.data.expect("it has data");
        let edited = good["state"].replace("checkout", "payments");
        for (data, says) in [
            (json!({"format": "99"}), "format 99"),
            (json!({"format": "1", "state": edited}), "was edited"),
        ] {
            patch_state(&ns, data).await;
            let refused = once.run(&[&rules], &[]).await;
            assert_eq!(refused.code, 4, "{refused:#?}");
            let help = "kubectl delete configmap";
            assert!(
                refused.err.contains(says) && refused.err.contains(help),
                "{refused:#?}"
            );
        }
        ns.kubectl(&["delete", "configmap", "recant-once"]).await;
        let anew = once.run(&[&rules], &[]).await;
        assert_eq!(anew.code, 4, "{anew:#?}");
        assert!(anew.out.contains("COULD NOT LOOK"), "{anew:#?}");

        ns.kubectl(&["delete", "rolebinding", "recant-once"]).await;
        let lacking = wait_for("the rights to be gone", WITHIN, || async {
            let ran = once.run(&[&rules], &[]).await;
            let says = ran.err.contains("lacks rights");
            says.then_some(()).ok_or_else(|| format!("{ran:#?}"))?;
            Ok(ran)
        })
        .await;
        assert_eq!(lacking.code, 4, "{lacking:#?}");
        for right in [
            "`list` on `pods`",
            "`patch` on `deployments.apps`",
            "once-role.yaml",
        ] {
            assert!(lacking.err.contains(right), "{lacking:#?}");
        }
    });
}

/// However often and by whom it is run: one rollback.
#[test]
fn runs_that_overlap_or_are_killed_roll_back_once() {
    run(async {
        let (ns, _prometheus, once, rules, traffic) = watched("10m", 30.0).await;
        ns.set_image("checkout", "v2").await;
        ns.wait_complete("checkout", "v2").await;
        traffic.next(400, WITHIN).await;

        // SIGKILL as soon as it was written down that the rollback begins.
        let mut killed = once.command(&[&rules], &[]).spawn().expect("it starts");
        wait_for("the plan to be written down", WITHIN, || async {
            let actions = once.state().await.ledger.actions.len();
            if actions > 0 {
                Ok(())
            } else {
                Err("no action".to_owned())
            }
        })
        .await;
        killed.kill().await.expect("it is killed");

        // Two at once: one waits for the Lease of the killed one, and then for that of the other.
        let quick = ["--deadline=1s", rules.as_str()];
        let plain = [rules.as_str()];
        let (one, two, late): (Ran, Ran, Ran) = tokio::join!(
            once.run(&plain, &[]),
            once.run(&plain, &[]),
            once.run(&quick, &[]),
        );
        assert_eq!(late.code, 4, "{late:#?}");
        assert!(
            late.err.contains("holds it") || late.err.contains("Lease"),
            "{late:#?}"
        );
        assert!(
            [one.code, two.code]
                .iter()
                .all(|code| [0, 1].contains(code)),
            "{one:#?}{two:#?}"
        );
        ns.wait_complete("checkout", "v1").await;
        let state = once.state().await;
        assert_eq!(state.ledger.actions.len(), 1);
        let known = &state.ledger.targets[&deployment(&ns, "checkout")];
        assert!(
            known.plan.is_none() && known.verification.is_none(),
            "{known:#?}"
        );
        let rollbacks = once.slack.received();
        let rollbacks = rollbacks.iter().filter(|message| {
            message.body.contains("olling back") && !message.body.contains("repeat")
        });
        assert!(rollbacks.count() <= 1);
    });
}

/// Told to end, it ends at once, says so, and leaves the Lease to the next.
#[test]
fn a_run_that_is_told_to_end_gives_the_lease_back() {
    run(async {
        let (ns, _prometheus, once) = shop(1).await;
        let rules = once.rules(&rules(&ns, "checkout", "10s"));
        let mut command = once.command(&[&rules, "--wait=60s"], &[]);
        let waiting = command.spawn().expect("it starts");
        let holder = || async {
            let lease = ns.api::<Lease>().get("recant-once").await;
            let lease = lease.map_err(|error| error.to_string())?;
            Ok::<_, String>(lease.spec.and_then(|spec| spec.holder_identity))
        };
        wait_for("the first look", WITHIN, || async {
            match holder().await? {
                Some(holder) if !holder.is_empty() => {}
                other => return Err(format!("{other:?}")),
            }
            let looked = !once.state().await.ledger.targets.is_empty();
            looked.then_some(()).ok_or_else(|| "no look".to_owned())
        })
        .await;
        let begun = std::time::Instant::now();
        let process = waiting.id().expect("it runs").to_string();
        let told = tokio::process::Command::new("kill")
            .args(["-TERM", &process])
            .status();
        assert!(told.await.expect("kill runs").success());
        let ended = waiting.wait_with_output().await.expect("it ends");
        assert!(begun.elapsed() < Duration::from_secs(10), "{ended:?}");
        // No verdict, and one was waited for.
        assert_eq!(ended.status.code(), Some(3), "{ended:?}");
        let out = String::from_utf8_lossy(&ended.stdout);
        assert!(out.contains("it was told to end"), "{ended:?}");
        let holder = holder().await.expect("the Lease is there");
        assert!(holder.is_none_or(|holder| holder.is_empty()));
    });
}
