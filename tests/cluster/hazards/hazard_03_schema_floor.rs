//! Schema and protocol: older code may not be able to read what a migration left. A floor on the workload says so.

use recant_core::guard::Guard;

use super::{WITHIN, held, image, watched};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;

#[test]
fn hazard_03_nothing_goes_back_below_the_floor() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("hazard-03").await;
        ns.deployment("checkout", "v1", 2).await;
        let (agent, _traffic) = watched(&ns).await;
        // The release says itself that what came before it cannot run any more.
        let mut release = manifests::deployment("checkout", "v2", 2);
        release["metadata"]["annotations"] = serde_json::json!({"recant.dev/floor": "2"});
        ns.apply(&release).await;
        let hold = held(&agent, &ns, Guard::Floor, "is below the floor `2`").await;
        assert!(hold.reason.contains("take the annotation away"), "{hold:?}");
        // A person knows better.
        ns.kubectl(&["annotate", "deployment", "checkout", "recant.dev/floor-"])
            .await;
        ns.wait_template("checkout", "v1", WITHIN).await;
        assert_eq!(image(&ns).await, manifests::image("checkout", "v1"));
    });
}
