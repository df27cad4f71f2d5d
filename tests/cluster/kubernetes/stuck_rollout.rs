//! A rollout that got stuck on pods which no node has room for, past its progress deadline: the undo goes on, and the
//! pods that are pending go.

use recant_core::ids::TargetKind;
use recant_core::plan::StepResult;

use super::{WITHIN, Watched, agent, hash_of, target, undo};
use crate::bed::Bed;
use crate::case::run;
use crate::wait::wait_until;

#[test]
fn pods_that_fit_nowhere_do_not_keep_a_deployment_from_going_back() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("no-room").await;
        ns.deployment("checkout", "v1", 2).await;
        let client = agent(bed, &ns).await;
        let mut watched = Watched::start(client, target(&ns, TargetKind::Deployment));
        watched.until_complete("v1").await;
        ns.stuck_release("checkout", "v3").await;
        let judged = watched
            .until("the pod that is pending", |state| {
                let newest = hash_of(state, "v3");
                let mut pods = state.pods.iter();
                newest.is_some()
                    && state.current == newest
                    && pods.any(|pod| !pod.ready && Some(&pod.hash) == newest.as_ref())
            })
            .await;
        let what = "its progress deadline to be seen";
        let is_late = || {
            let status = watched.cluster.status(&judged.id).expect("it is watched");
            status.failed_progress.then_some(())
        };
        wait_until(what, WITHIN, is_late, || format!("{judged:?}")).await;
        assert_eq!(
            watched.execute_settled(&undo(&judged, "v1")).await,
            StepResult::Done
        );
        let back = watched.until_complete("v1").await;
        let bad = judged.current;
        let left = back
            .pods
            .iter()
            .filter(|pod| !pod.terminating && Some(&pod.hash) == bad.as_ref());
        assert_eq!(left.count(), 0);
    });
}
