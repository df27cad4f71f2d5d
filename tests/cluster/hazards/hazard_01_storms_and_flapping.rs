//! A target that is shipped bad versions again and again: after so many rollbacks it is left to a person, people are told,
//! and only a person lets Recant go on. A bad revision that comes back is not taken back a second time.

use recant_core::guard::Guard;
use recant_core::ids::TargetKind;
use recant_core::notice::NoticeKind;
use serde_json::json;

use crate::case::run;
use crate::people::{Scene, WITHIN, rules, target};
use crate::services::Behaviour;

#[test]
fn hazard_01_a_flapping_target_is_latched_until_a_person_resumes_it() {
    run(async {
        let targets = [(TargetKind::Deployment, "flapping")];
        let settings = vec![("guards.flapping.rollbacks", json!(1))];
        let scene = Scene::with(
            "hazard-01",
            &targets,
            "v1",
            |ns| rules(ns, &targets),
            settings,
        )
        .await;
        let ns = &scene.ns;
        let flapping = target(ns, TargetKind::Deployment, "flapping");
        let _traffic = ns.traffic("flapping", 20.0);
        for tag in ["v2", "v3"] {
            ns.behave(tag, Behaviour::FAILING);
        }
        ns.set_image("flapping", "v2").await;
        ns.wait_template("flapping", "v2", WITHIN).await;
        ns.wait_template("flapping", "v1", WITHIN).await;
        scene.restored(&flapping).await;
        // The same bad version once more, by a GitOps tool perhaps: told, and not fought.
        ns.set_image("flapping", "v2").await;
        scene
            .agent
            .wait_notice(NoticeKind::FailedRevisionBack, Some(&flapping), WITHIN)
            .await;
        assert_eq!(scene.plans(&flapping), 1);
        // Another bad one: held, by name, until somebody has looked.
        ns.set_image("flapping", "v3").await;
        let latched = |known: &recant_core::ledger::TargetLedger| {
            known.holds.iter().any(|hold| hold.guard == Guard::Flapping)
        };
        scene
            .agent
            .wait_target("the latch", &flapping, WITHIN, latched)
            .await;
        scene.agent.wait_slack("flapping", WITHIN).await;
        assert_eq!(scene.plans(&flapping), 1);
        let said = scene
            .done(&[
                "resume",
                "Deployment/flapping",
                "--reason",
                "the image was rebuilt",
            ])
            .await;
        assert!(said.contains("guard `flapping`"), "{said}");
        ns.wait_template("flapping", "v1", WITHIN).await;
        assert_eq!(scene.plans(&flapping), 2);
    });
}
