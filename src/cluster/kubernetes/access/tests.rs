use recant_core::rule::ScaleKind;

use super::*;

fn target(kind: TargetKind, name: &str) -> TargetId {
    TargetId {
        namespace: "shop".into(),
        kind,
        name: name.into(),
    }
}

fn asked(needs: &Needs) -> Vec<String> {
    let mut asked: Vec<_> = rights(needs)
        .into_iter()
        .map(|right| format!("{} {}", right.verb, right.resource))
        .collect();
    asked.sort();
    asked
}

#[test]
fn a_process_that_only_looks_needs_no_write() {
    let needs = Needs {
        targets: vec![
            target(TargetKind::Deployment, "a"),
            target(TargetKind::Deployment, "b"),
        ],
        ..Needs::default()
    };
    assert_eq!(
        asked(&needs),
        [
            "get deployments.apps",
            "get namespaces",
            "list deployments.apps",
            "list pods",
            "list replicasets.apps",
            "watch deployments.apps",
            "watch pods",
            "watch replicasets.apps",
        ]
    );
}

#[test]
fn one_that_acts_needs_a_patch_of_what_it_changes() {
    let needs = Needs {
        targets: vec![target(TargetKind::Rollout, "a")],
        acts: true,
        lease: Some(("recant".into(), "recant".into())),
        secrets: vec![("recant".into(), "slack".into())],
        ..Needs::default()
    };
    let asked = asked(&needs);
    for right in [
        "patch rollouts.argoproj.io",
        "patch rollouts.argoproj.io/status",
        "create leases.coordination.k8s.io",
        "update leases.coordination.k8s.io",
        "get secrets",
    ] {
        assert!(
            asked.iter().any(|asked| asked == right),
            "{right}: {asked:?}"
        );
    }
    assert!(
        !asked.iter().any(|right| right.contains("deployments")),
        "{asked:?}"
    );
}

#[test]
fn only_a_watch_that_scales_needs_rights_for_it() {
    let scales = vec![ScaleTarget {
        namespace: "shop".into(),
        kind: ScaleKind::StatefulSet,
        name: "worker".into(),
    }];
    let mut needs = Needs {
        scales,
        acts: true,
        ..Needs::default()
    };
    assert_eq!(
        asked(&needs),
        [
            "get statefulsets.apps",
            "list horizontalpodautoscalers.autoscaling",
            "list poddisruptionbudgets.policy",
            "patch horizontalpodautoscalers.autoscaling",
            "patch statefulsets.apps",
        ]
    );
    needs.acts = false;
    assert!(asked(&needs).is_empty());
}

#[test]
fn only_a_watch_that_steps_its_traffic_needs_rights_for_it() {
    let route = |kind| Route {
        namespace: "shop".into(),
        kind,
        name: "checkout".into(),
        rule: None,
        canary: None,
        stable: None,
    };
    let mut needs = Needs {
        routes: vec![route(RouteKind::Ingress)],
        acts: true,
        ..Needs::default()
    };
    assert_eq!(
        asked(&needs),
        [
            "get ingresses.networking.k8s.io",
            "get services",
            "patch ingresses.networking.k8s.io",
        ]
    );
    needs.routes = vec![route(RouteKind::VirtualService)];
    assert_eq!(
        asked(&needs),
        [
            "get services",
            "get virtualservices.networking.istio.io",
            "list destinationrules.networking.istio.io",
            "patch virtualservices.networking.istio.io",
        ]
    );
    needs.acts = false;
    assert!(asked(&needs).is_empty());
}

#[test]
fn rights_that_most_do_without_are_asked_for_only_where_they_are_used() {
    let mut needs = Needs {
        targets: vec![target(TargetKind::StatefulSet, "a")],
        acts: true,
        ..Needs::default()
    };
    let plain = asked(&needs);
    for right in [
        "get configmaps",
        "list jobs.batch",
        "watch controllerrevisions.apps",
    ] {
        assert!(
            plain.iter().any(|asked| asked == right),
            "{right}: {plain:?}"
        );
    }
    for right in ["get secrets", "delete pods", "list replicasets.apps"] {
        assert!(
            !plain.iter().any(|asked| asked == right),
            "{right}: {plain:?}"
        );
    }
    needs.checks_secrets = true;
    needs.deletes_pods = BTreeSet::from(["shop".to_owned()]);
    let all = asked(&needs);
    let new: Vec<_> = all.iter().filter(|right| !plain.contains(right)).collect();
    assert_eq!(new, ["delete pods", "get secrets"]);
    let texts: Vec<_> = rights(&needs).iter().map(ToString::to_string).collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("charts/manifests/delete-pods-role.yaml")),
        "{texts:#?}"
    );
}

#[test]
fn what_is_missing_says_where_to_add_it() {
    let needs = Needs {
        targets: vec![target(TargetKind::Deployment, "a")],
        acts: true,
        lease: Some(("recant".into(), "recant-lock".into())),
        reviews_tokens: true,
        ..Needs::default()
    };
    let texts: Vec<_> = rights(&needs).iter().map(ToString::to_string).collect();
    for text in [
        "`patch` on `deployments.apps` in namespace `shop` is missing: add it to the Role `recant` (charts/manifests/role.yaml)",
        "`get` on `namespaces` in namespace `shop` is missing: add it to the Role `recant` (charts/manifests/role.yaml)",
        "`create` on `tokenreviews.authentication.k8s.io` is missing: add the ClusterRole `recant-token-review` and its binding (charts/manifests/token-review.yaml), or leave `api.tokenReview` out",
        "`update` on `leases.coordination.k8s.io` `recant-lock` in namespace `recant` is missing: add it to the Role `recant-agent` (charts/manifests/agent-role.yaml)",
    ] {
        assert!(
            texts.iter().any(|found| found == text),
            "{text}\n{texts:#?}"
        );
    }
}
