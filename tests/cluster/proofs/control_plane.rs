//! Identities have the rights that RBAC gives and no others; children go with the process.

use std::time::Duration;

use crate::bed::Bed;
use crate::case::run;
use crate::wait::wait_for;

#[test]
fn a_user_may_do_what_a_role_says_and_nothing_else() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("rights").await;
        ns.deployment("checkout", "v1", 1).await;
        let agent = bed.kubeconfig_for("system:serviceaccount:recant:recant");
        let get = ["-n", ns.name(), "get", "deployment/checkout", "-o", "name"];
        let scale = [
            "-n",
            ns.name(),
            "scale",
            "deployment/checkout",
            "--replicas=0",
        ];

        let refused = bed
            .kubectl_as(&agent, &get, "")
            .await
            .expect_err("it has no role yet");
        assert!(refused.contains("Forbidden"), "{refused}");

        ns.kubectl(&[
            "create",
            "role",
            "look",
            "--verb=get,list,watch",
            "--resource=deployments",
        ])
        .await;
        ns.kubectl(&[
            "create",
            "rolebinding",
            "look",
            "--role=look",
            "--serviceaccount=recant:recant",
        ])
        .await;
        // The authorizer learns of roles by a watch.
        let seen = wait_for("the role to be in force", Duration::from_secs(10), || {
            bed.kubectl_as(&agent, &get, "")
        })
        .await;
        assert_eq!(seen.trim(), "deployment.apps/checkout");
        let refused = bed
            .kubectl_as(&agent, &scale, "")
            .await
            .expect_err("the role only looks");
        assert!(refused.contains("Forbidden"), "{refused}");
    });
}

#[test]
fn a_child_that_is_told_to_stop_ends_and_says_how() {
    run(async {
        let bed = Bed::get().await;
        let script =
            "trap 'echo bye; exit 7' TERM; echo \"$GREETING\"; while :; do sleep 0.05; done";
        let shell = std::path::Path::new("/bin/sh");
        let mut child = bed.process("greeter", shell, &["-c", script], &[("GREETING", "hello")]);
        let printed = |wanted: &'static str| {
            let text = child.printed();
            async move {
                if text.contains(wanted) {
                    Ok(())
                } else {
                    Err(text)
                }
            }
        };
        wait_for("the greeting", Duration::from_secs(10), || printed("hello")).await;
        child.signal("TERM");
        let status = child.wait(Duration::from_secs(10)).await;
        assert_eq!(status.code(), Some(7));
        assert!(child.printed().contains("bye"), "{}", child.printed());
        let end = child.check().expect_err("it has ended");
        assert!(end.contains("greeter") && end.contains("hello"), "{end}");
    });
}
