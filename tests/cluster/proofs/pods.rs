//! Pods in trouble look to the API as they do in a cluster, and the real controllers believe it.

use k8s_openapi::api::core::v1::Pod;

use crate::bed::Bed;
use crate::case::run;

fn container(pod: &Pod) -> &k8s_openapi::api::core::v1::ContainerStatus {
    let status = pod.status.as_ref().expect("kwok writes a status");
    &status
        .container_statuses
        .as_ref()
        .expect("of its container")[0]
}

#[test]
fn pods_restart_are_killed_crash_and_do_not_fit() {
    run(async {
        let ns = Bed::get().await.namespace("trouble").await;
        ns.deployment("checkout", "v1", 2).await;
        let pods = ns.pods("checkout").await;
        let name = |index: usize| pods[index].metadata.name.clone().expect("pods have names");
        ns.set_restarts(&name(0), 4).await;
        ns.oom_kill(&name(0)).await;
        ns.crash_loop(&name(1), 7).await;

        let pods = ns.pods("checkout").await;
        let killed = container(&pods[0]);
        let last = killed
            .last_state
            .as_ref()
            .and_then(|state| state.terminated.as_ref());
        let last = last.expect("it was terminated");
        assert_eq!(
            (killed.restart_count, last.reason.as_deref()),
            (5, Some("OOMKilled"))
        );
        assert_eq!(last.exit_code, 137);
        let crashing = container(&pods[1]);
        let waits = crashing
            .state
            .as_ref()
            .and_then(|state| state.waiting.as_ref());
        let waits = waits.and_then(|waiting| waiting.reason.as_deref());
        assert_eq!(
            (crashing.restart_count, waits),
            (7, Some("CrashLoopBackOff"))
        );

        // The controller counts it out, and no traffic goes there.
        crate::wait::wait_for(
            "one pod to be left",
            std::time::Duration::from_secs(15),
            || async {
                let available = "jsonpath={.status.availableReplicas}";
                let seen = ns
                    .kubectl(&["get", "deployment", "checkout", "-o", available])
                    .await;
                let serving = ns.ready("checkout").len();
                if seen == "1" && serving == 1 {
                    Ok(())
                } else {
                    Err(format!("{seen}, {serving}"))
                }
            },
        )
        .await;
        ns.set_ready(&name(1), true).await;
        ns.wait_complete("checkout", "v1").await;

        ns.stuck_release("checkout", "v9").await;
        let pods = ns.pods("checkout").await;
        let phases: Vec<&str> = pods
            .iter()
            .filter_map(|pod| pod.status.as_ref()?.phase.as_deref())
            .collect();
        assert!(phases.contains(&"Pending"), "{phases:?}");
    });
}
