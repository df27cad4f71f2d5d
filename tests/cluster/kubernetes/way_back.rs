//! The look at a way back on the real API server: Secrets are looked for where the agent has the right, and never taken for
//! there where it has not.

use recant::cluster::Cluster as _;
use recant_core::ids::TargetKind;
use recant_core::preflight::{Preflight, WayBackQuestion};
use serde_json::json;

use super::{AGENT, WITHIN, Watched, agent, hash_of, target};
use crate::bed::Bed;
use crate::case::run;
use crate::manifests;
use crate::wait::wait_for;

#[test]
fn a_secret_of_the_way_back_is_looked_for_with_the_right_and_else_said_to_be_unknown() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("check-secrets").await;
        let secret = ["create", "secret", "generic", "tls", "--from-literal=a=b"];
        ns.kubectl(&secret).await;
        let mut v1 = manifests::deployment("checkout", "v1", 1);
        v1["spec"]["template"]["spec"]["volumes"] =
            json!([{"name": "keys", "secret": {"secretName": "tls"}}]);
        ns.apply(&v1).await;
        ns.wait_complete("checkout", "v1").await;
        let client = agent(bed, &ns).await;
        let mut watched = Watched::start(client, target(&ns, TargetKind::Deployment));
        ns.set_image("checkout", "v3").await;
        let state = watched.until_complete("v3").await;
        let question = |secrets| WayBackQuestion {
            target: target(&ns, TargetKind::Deployment),
            revision: hash_of(&state, "v1").expect("it is still there"),
            secrets,
        };
        let look = async |secrets| -> Preflight {
            let seen = watched.cluster.preflight(&question(secrets)).await;
            seen.expect("an answer")
        };
        assert_eq!(look(false).await, Preflight::default());

        let seen = look(true).await;
        assert!(seen.missing.is_empty(), "it is not known: {seen:?}");
        let note = seen.notes.join(" ");
        let right = format!("not allowed to get secrets in namespace `{}`", ns.name());
        assert!(
            note.contains("Secret `tls` (volume `keys`)")
                && note.contains("is not known")
                && note.contains(&right)
                && note.contains("guards.checkSecrets"),
            "{note}"
        );

        ns.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "secrets"},
            "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
        }))
        .await;
        ns.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "secrets"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "secrets"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": AGENT}],
        }))
        .await;
        wait_for("the Secret to be seen", WITHIN, || async {
            let seen = look(true).await;
            let known = seen == Preflight::default();
            known.then_some(()).ok_or(format!("{seen:?}"))
        })
        .await;
        ns.kubectl(&["delete", "secret", "tls"]).await;
        let seen = look(true).await;
        assert_eq!(seen.missing, ["Secret `tls` (volume `keys`)"]);
        assert_eq!(look(false).await, Preflight::default(), "it is opt-in");
    });
}
