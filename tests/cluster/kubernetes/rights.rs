//! The manifests give exactly what is needed, and what is missing is named.

use recant::cluster::ClusterError;
use recant::cluster::kubernetes::{Missing, Needs, missing_access};
use recant_core::ids::TargetKind;

use super::{AGENT, WITHIN, Watched, agent, client_of, manifest, target, undo};
use crate::bed::Bed;
use crate::case::run;
use crate::wait::wait_for;

#[test]
fn every_manifest_is_what_the_api_server_takes() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("manifests").await;
        let folder = manifest("");
        let files = std::fs::read_dir(&folder).expect("the manifests").count();
        assert!(files >= 6, "{files} files");
        ns.kubectl(&[
            "apply",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            folder.to_str().expect("a path in UTF-8"),
        ])
        .await;
    });
}

/// What is missing, once it is as many as wanted: the authorizer learns of roles by a watch.
async fn missing(client: &kube::Client, needs: &Needs, wanted: usize) -> Vec<Missing> {
    wait_for(
        &format!("{wanted} rights to be missing"),
        WITHIN,
        || async {
            let missing = missing_access(client, needs)
                .await
                .map_err(|error| error.to_string())?;
            if missing.len() == wanted {
                Ok(missing)
            } else {
                Err(format!("{missing:?}"))
            }
        },
    )
    .await
}

#[test]
fn a_verb_that_is_missing_is_named_at_the_start_and_at_the_write() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("verbs").await;
        ns.deployment("checkout", "v1", 1).await;
        ns.set_image("checkout", "v3").await;
        let client = agent(bed, &ns).await;
        let mut watched = Watched::start(client.clone(), target(&ns, TargetKind::Deployment));
        let judged = watched.until_complete("v3").await;

        let role = std::fs::read_to_string(manifest("role.yaml")).expect("the Role");
        let without = role.replace(
            "resources: [deployments]\n  verbs: [patch]",
            "resources: [deployments]\n  verbs: [create]",
        );
        assert_ne!(role, without);
        let apply = ["-n", ns.name(), "apply", "-f", "-"];
        bed.kubectl_as(bed.admin(), &apply, &without)
            .await
            .expect("an administrator may");
        let needs = Needs {
            targets: vec![target(&ns, TargetKind::Deployment)],
            acts: true,
            ..Needs::default()
        };
        let named: Vec<_> = missing(&client, &needs, 1)
            .await
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            named,
            [format!(
                "`patch` on `deployments.apps` in namespace `{}` is missing: add it to the Role `recant` (charts/manifests/role.yaml)",
                ns.name()
            )]
        );
        assert!(
            missing_access(
                &client,
                &Needs {
                    acts: false,
                    ..needs
                }
            )
            .await
            .expect("an answer")
            .is_empty()
        );

        let refused = watched
            .try_execute(&undo(&judged, "v1"))
            .await
            .expect_err("it may not");
        let ClusterError::Forbidden {
            verb,
            resource,
            namespace,
        } = &refused
        else {
            panic!("{refused:?}");
        };
        assert_eq!(
            (verb.as_str(), resource.as_str(), namespace.as_str()),
            ("patch", "deployments.apps", ns.name())
        );
        assert!(!refused.retry());
    });
}

#[test]
fn the_agent_s_own_role_is_enough_for_lease_and_secrets() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("own").await;
        let client = client_of(bed, AGENT).await;
        let needs = Needs {
            lease: Some((ns.name().to_owned(), "recant".to_owned())),
            secrets: vec![(ns.name().to_owned(), "recant-channels".to_owned())],
            ..Needs::default()
        };
        let named = missing(&client, &needs, 4).await;
        assert!(
            named.iter().all(|right| right
                .to_string()
                .contains("charts/manifests/agent-role.yaml")),
            "{named:?}"
        );
        for file in ["agent-role.yaml", "agent-role-binding.yaml"] {
            let path = manifest(file);
            ns.kubectl(&["apply", "-f", path.to_str().expect("a path in UTF-8")])
                .await;
        }
        missing(&client, &needs, 0).await;
        let other = Needs {
            secrets: vec![(ns.name().to_owned(), "somebody-else".to_owned())],
            ..Needs::default()
        };
        let named = missing(&client, &other, 1).await;
        assert!(
            named[0].to_string().contains("`secrets` `somebody-else`"),
            "{}",
            named[0]
        );
    });
}
