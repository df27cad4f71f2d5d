//! What a service depends on is down, and its own new release fails as well: nothing is taken back while that lasts, people
//! are told what it is, and when the dependency is well again and only the release fails, it goes.

use recant_core::guard::Guard;
use recant_core::ids::TargetKind;
use recant_core::ledger::TargetLedger;

use crate::case::run;
use crate::namespace::Namespace;
use crate::people::{RULES, Scene, WITHIN, target};
use crate::services::Behaviour;

fn rules(ns: &Namespace) -> String {
    let namespace = ns.name();
    let watch = |name: &str, more: &str| {
        format!(
            "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             target: {{kind: Deployment, name: {name}}}\nsource: scrape\nrules: [shop]\nrelease: {{watch: 10m}}\n\
             onFail: [{{rollback: {{}}}}, {{notify: [team]}}]\n{more}"
        )
    };
    let database = watch("database", "");
    RULES.to_owned() + &database + &watch("checkout", "dependsOn: [database]\n")
}

#[test]
fn hazard_07_nothing_is_taken_back_while_a_shared_dependency_is_down() {
    run(async {
        let targets = [
            (TargetKind::Deployment, "database"),
            (TargetKind::Deployment, "checkout"),
        ];
        let scene = Scene::with("hazard-07", &targets, "v1", rules, Vec::new()).await;
        let (ns, agent) = (&scene.ns, &scene.agent);
        let [database, checkout] =
            ["database", "checkout"].map(|name| target(ns, TargetKind::Deployment, name));
        let _traffic = ["database", "checkout"].map(|name| ns.traffic(name, 20.0));
        // The database is down, and stays so: somebody works on it, and keeps Recant's hands off.
        scene
            .done(&["hold", "Deployment/database", "--reason=working on it"])
            .await;
        for tag in ["db2", "v2"] {
            ns.behave(tag, Behaviour::FAILING);
        }
        ns.set_image("database", "db2").await;
        let failed = |known: &TargetLedger| {
            let analysis = known.analysis.as_ref();
            analysis.is_some_and(|analysis| analysis.failed.is_some())
        };
        agent
            .wait_target("the database to fail", &database, WITHIN, failed)
            .await;
        ns.set_image("checkout", "v2").await;
        let held = |known: &TargetLedger| {
            let mut holds = known.holds.iter();
            holds.any(|hold| hold.guard == Guard::Dependency)
        };
        agent
            .wait_target("the release to be held", &checkout, WITHIN, held)
            .await;
        agent.wait_slack("depends on watch", WITHIN).await;
        assert_eq!((scene.plans(&checkout), scene.plans(&database)), (0, 0));
        // The database comes back: the release fails all the same, so it was the release.
        scene.done(&["resume", "Deployment/database"]).await;
        ns.wait_template("database", "v1", WITHIN).await;
        scene.restored(&database).await;
        ns.wait_template("checkout", "v1", WITHIN).await;
        assert_eq!((scene.plans(&checkout), scene.plans(&database)), (1, 1));
    });
}
