//! Configuration and code: an older template may name a `ConfigMap` that was cleaned up meanwhile.

use recant_core::guard::Guard;

use super::{WITHIN, config_map, held, watched, with_config};
use crate::bed::Bed;
use crate::case::run;

#[test]
fn hazard_04_a_config_map_that_is_gone_holds_the_way_back() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("hazard-04").await;
        ns.apply(&config_map("config-1")).await;
        ns.apply(&config_map("config-2")).await;
        ns.apply(&with_config("v1", "config-1")).await;
        ns.wait_complete("checkout", "v1").await;
        let (agent, _traffic) = watched(&ns).await;
        // As a tool does that prunes what the new release does not name.
        ns.apply(&with_config("v2", "config-2")).await;
        ns.kubectl(&["delete", "configmap", "config-1"]).await;
        let why = "needs what does not exist: ConfigMap `config-1` (volume `config`)";
        held(&agent, &ns, Guard::Configuration, why).await;
        // It is created again, and the rollback goes on by itself.
        ns.apply(&config_map("config-1")).await;
        ns.wait_template("checkout", "v1", WITHIN).await;
    });
}
