use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

fn route(kind: RouteKind, canary: &str) -> Route {
    Route {
        namespace: "shop".to_owned(),
        kind,
        name: "checkout".to_owned(),
        rule: None,
        canary: Some(canary.to_owned()),
        stable: None,
    }
}

/// The users' file, acceptance/istio-canary.yaml.
fn virtual_service() -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "claude-orchestrator-virtual-service", "namespace": "claude-ecosystem"},
        "spec": {
            "hosts": ["claude-orchestrator"],
            "http": [
                {
                    "match": [{"headers": {"canary": {"exact": "true"}}}],
                    "route": [{"destination": {"host": "claude-orchestrator", "subset": "canary"}}],
                },
                {
                    "route": [
                        {"destination": {"host": "claude-orchestrator", "subset": "stable"}, "weight": 90},
                        {"destination": {"host": "claude-orchestrator", "subset": "canary"}, "weight": 10},
                    ],
                    "timeout": "30s",
                    "retries": {"attempts": 3, "perTryTimeout": "10s"},
                },
            ],
        },
    })
}

fn http_route() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [
                    {"group": "", "kind": "Service", "name": "checkout-stable", "port": 80, "weight": 100},
                    {"group": "", "kind": "Service", "name": "checkout-canary", "port": 80, "weight": 0},
                ],
            },
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/admin"}}],
                "backendRefs": [{"group": "", "kind": "Service", "name": "checkout-stable", "port": 80, "weight": 1}],
            },
        ]},
    })
}

fn canary_ingress(annotations: &Value) -> Value {
    json!({
        "metadata": {"name": "api-ingress", "annotations": annotations},
        "spec": {"rules": [{
            "host": "api.claude-code-bot.com",
            "http": {"paths": [{"path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": "api-service-green", "port": {"number": 80}}}}]},
        }]},
    })
}

fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// What the API server does with the operations that are made here.
fn apply(object: &Value, operations: &[Value]) -> Value {
    let mut object = object.clone();
    for operation in operations {
        let path = operation["path"].as_str().expect("a path");
        let (parent, last) = path.rsplit_once('/').expect("has parts");
        let last = last.replace("~1", "/").replace("~0", "~");
        let parent = object.pointer_mut(parent).expect("is there");
        parent[last.as_str()] = operation["value"].clone();
    }
    object
}

#[track_caller]
fn weights(shift: Shift) -> Weights {
    match shift {
        Shift::Weights(weights) => weights,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_the_weighted_route_of_a_virtual_service_changes() {
    let object = virtual_service();
    let route = route(RouteKind::VirtualService, "canary");
    let edit = weights(route.shift(50, &object).expect("decides"));
    assert_eq!(edit.seen(&object), Ok(Seen::Before));
    let after = apply(&object, &edit.patch(&object).expect("is there"));
    assert_eq!(edit.seen(&after), Ok(Seen::After));
    assert_eq!(after["spec"]["http"][0], object["spec"]["http"][0]);
    assert_eq!(after["spec"]["http"][1]["route"][0]["weight"], 50);
    assert_eq!(after["spec"]["http"][1]["route"][1]["weight"], 50);
    let back = apply(&after, &edit.undo().patch(&after).expect("is there"));
    assert_eq!(back, object);
    assert_eq!(route.shift(10, &object), Ok(Shift::Nothing));
    assert_eq!(route.percent(&object), Ok(10.0));
}

#[test]
fn who_reorders_routes_meanwhile_is_no_hindrance() {
    let object = virtual_service();
    let route = route(RouteKind::VirtualService, "claude-orchestrator/canary");
    let edit = weights(route.shift(0, &object).expect("decides"));
    let mut reordered = object.clone();
    let routes = reordered["spec"]["http"].as_array_mut().expect("a list");
    routes.reverse();
    let after = apply(&reordered, &edit.patch(&reordered).expect("is there"));
    assert_eq!(after["spec"]["http"][0]["route"][1]["weight"], 0);
    assert_eq!(after["spec"]["http"][0]["route"][0]["weight"], 100);
    assert_eq!(after["spec"]["http"][1], object["spec"]["http"][0]);
}

#[test]
fn weights_of_a_gateway_route_keep_their_sum_and_the_others() {
    let mut object = http_route();
    for kind in [RouteKind::HttpRoute, RouteKind::GrpcRoute] {
        let edit = weights(
            route(kind, "checkout-canary")
                .shift(10, &object)
                .expect("decides"),
        );
        let after = apply(&object, &edit.patch(&object).expect("is there"));
        let refs = &after["spec"]["rules"][0]["backendRefs"];
        assert_eq!(
            (&refs[0]["weight"], &refs[1]["weight"]),
            (&json!(90), &json!(10))
        );
        assert_eq!(after["spec"]["rules"][1], object["spec"]["rules"][1]);
        assert_eq!(refs[0]["port"], 80);
    }
    // Of 1000, as some write it.
    object["spec"]["rules"][0]["backendRefs"][0]["weight"] = json!(1000);
    let of = route(RouteKind::HttpRoute, "checkout-canary");
    let edit = weights(of.shift(10, &object).expect("decides"));
    assert_eq!(
        edit.to,
        WeightsOf {
            canary: 100,
            stable: 900
        }
    );
    // Weights that are left out are 1 each: 10 % is not to be had of 2.
    for backend in object["spec"]["rules"][0]["backendRefs"]
        .as_array_mut()
        .expect("a list")
    {
        backend.as_object_mut().expect("an object").remove("weight");
    }
    let edit = weights(of.shift(10, &object).expect("decides"));
    assert_eq!(
        edit.from,
        WeightsOf {
            canary: 1,
            stable: 1
        }
    );
    assert_eq!(
        edit.to,
        WeightsOf {
            canary: 10,
            stable: 90
        }
    );
    let after = apply(&object, &edit.patch(&object).expect("is there"));
    assert_eq!(edit.seen(&after), Ok(Seen::After));
}

#[test]
fn more_than_two_backends_need_a_name_and_the_third_stays() {
    let mut object = http_route();
    let refs = object["spec"]["rules"][0]["backendRefs"]
        .as_array_mut()
        .expect("a list");
    refs.push(json!({"name": "checkout-next", "port": 80, "weight": 7}));
    let mut of = route(RouteKind::HttpRoute, "checkout-canary");
    let why = of.shift(10, &object).expect_err("three");
    assert!(
        why.contains("has 3 backends") && why.contains("`stable`"),
        "{why}"
    );
    of.stable = Some("checkout-stable".to_owned());
    let edit = weights(of.shift(10, &object).expect("decides"));
    let after = apply(&object, &edit.patch(&object).expect("is there"));
    let refs = &after["spec"]["rules"][0]["backendRefs"];
    assert_eq!(
        refs[2],
        json!({"name": "checkout-next", "port": 80, "weight": 7})
    );
    assert_eq!(
        (&refs[0]["weight"], &refs[1]["weight"]),
        (&json!(90), &json!(10))
    );
    // With others beside them the sum may not change.
    object["spec"]["rules"][0]["backendRefs"][0]["weight"] = json!(3);
    let why = of.shift(10, &object).expect_err("of 3");
    assert!(why.contains("weigh 3 together"), "{why}");
}

#[test]
fn what_is_not_clear_is_refused_with_the_reason() {
    let mut object = virtual_service();
    let why = |canary: &str, object: &Value| {
        route(RouteKind::VirtualService, canary)
            .shift(0, object)
            .expect_err("is refused")
    };
    let unknown = why("kanary", &object);
    assert!(unknown.contains("`kanary` is no backend"), "{unknown}");
    assert!(
        unknown.contains("`claude-orchestrator/canary`"),
        "{unknown}"
    );
    let host = why("claude-orchestrator", &object);
    assert!(host.contains("more than one backend"), "{host}");
    // A second weighted route without a condition.
    let second = object["spec"]["http"][1].clone();
    object["spec"]["http"]
        .as_array_mut()
        .expect("a list")
        .push(second);
    let two = why("canary", &object);
    assert!(
        two.contains("more than one rule (number 2 and number 3)"),
        "{two}"
    );
    let mut named = route(RouteKind::VirtualService, "canary");
    named.rule = Some("3".to_owned());
    assert!(named.shift(0, &object).is_ok());
    named.rule = Some("1".to_owned());
    let one = named.shift(0, &object).expect_err("no second backend");
    assert!(one.contains("no second backend"), "{one}");
    named.rule = Some("primary".to_owned());
    let primary = named.shift(0, &object).expect_err("no such rule");
    assert!(
        primary.contains("no rule `primary`; it has number 1"),
        "{primary}"
    );
    for broken in [
        json!({}),
        json!(null),
        json!({"spec": {"http": [{"route": 3}]}}),
    ] {
        assert!(why("canary", &broken).contains("splits no traffic"));
    }
    let mut negative = virtual_service();
    negative["spec"]["http"][1]["route"][0]["weight"] = json!(-1);
    assert!(why("canary", &negative).contains("no number"));
    let mut none = virtual_service();
    for at in [0, 1] {
        none["spec"]["http"][1]["route"][at]["weight"] = json!(0);
    }
    assert!(why("canary", &none).contains("both weights are 0"));
}

#[test]
fn what_argo_rollouts_or_flagger_set_is_left_to_them() {
    let marks = [
        (
            json!({"ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "x"}]}),
            "Argo Rollout `x`",
        ),
        (
            json!({"ownerReferences": [{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "x"}]}),
            "Flagger's Canary `x`",
        ),
        (
            json!({"labels": {"rollouts.argoproj.io/gatewayapi-canary": "in-progress"}}),
            "Argo Rollouts",
        ),
        (
            json!({"annotations": {"argo-rollouts.argoproj.io/managed-by-rollouts": "x"}}),
            "Argo Rollout `x`",
        ),
        (
            json!({"labels": {"app.kubernetes.io/managed-by": "flagger"}}),
            "Flagger",
        ),
        (
            json!({"managedFields": [{"manager": "rollouts-controller", "fieldsV1": {"f:spec": {}}}]}),
            "Argo Rollouts",
        ),
    ];
    for (metadata, who) in marks {
        let mut object = virtual_service();
        object["metadata"] = metadata;
        assert_eq!(managed_by(&object).as_deref(), Some(who));
        let why = route(RouteKind::VirtualService, "canary")
            .shift(0, &object)
            .expect_err("refused");
        assert!(why.contains(who), "{why}");
    }
    let plain = json!({"metadata": {
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}],
        "managedFields": [{"manager": "flagger", "fieldsV1": {"f:status": {}}}, {"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
    }});
    assert_eq!(managed_by(&plain), None);
}

#[test]
fn the_weight_of_a_canary_ingress_is_its_annotation() {
    let mut of = route(RouteKind::Ingress, "");
    of.canary = None;
    let object = canary_ingress(&json!({
        "nginx.ingress.kubernetes.io/canary": "true",
        "nginx.ingress.kubernetes.io/canary-weight": "0",
    }));
    let Ok(Shift::CanaryWeight(edit)) = of.shift(10, &object) else {
        panic!("decides");
    };
    assert_eq!((edit.from, edit.to), (Some(0), 10));
    let after = apply(&object, &edit.patch(&object).expect("is there"));
    let weight = &after["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"];
    assert_eq!(weight, "10");
    assert_eq!(after["spec"], object["spec"]);
    assert_eq!(edit.seen(&after), Ok(Seen::After));
    assert_eq!(of.percent(&after), Ok(10.0));
    assert_eq!(of.shift(0, &object), Ok(Shift::Nothing));
    let (canary, rest) = of.backing(&object).expect("leads somewhere");
    assert_eq!((canary.service.as_str(), rest), ("api-service-green", None));
    let total = canary_ingress(&json!({
        "nginx.ingress.kubernetes.io/canary": "true",
        "nginx.ingress.kubernetes.io/canary-weight-total": "1000",
    }));
    let Ok(Shift::CanaryWeight(edit)) = of.shift(50, &total) else {
        panic!("decides");
    };
    assert_eq!((edit.from, edit.to), (None, 500));
    of.canary = Some("api-service-blue".to_owned());
    let why = of.shift(10, &object).expect_err("another Service");
    assert!(why.contains("`api-service-blue` is no Service"), "{why}");
    of.canary = None;
    for plain in [
        json!({}),
        json!({"nginx.ingress.kubernetes.io/canary": "false"}),
        json!(null),
    ] {
        let why = of
            .shift(10, &canary_ingress(&plain))
            .expect_err("no canary");
        assert!(why.contains("no canary Ingress"), "{why}");
    }
    let odd = canary_ingress(&json!({
        "nginx.ingress.kubernetes.io/canary": "true",
        "nginx.ingress.kubernetes.io/canary-weight": "ten",
    }));
    assert!(
        of.shift(10, &odd)
            .expect_err("no number")
            .contains("no whole number")
    );
}

#[test]
fn a_path_of_an_ingress_leads_to_another_service() {
    let mut object = canary_ingress(&json!({}));
    let decide =
        |host, path, object: &Value| IngressBackend::decide(host, path, "api-service-blue", object);
    let edit = decide(None, None, &object)
        .expect("decides")
        .expect("a change");
    let after = apply(&object, &edit.patch(&object).expect("is there"));
    let service = &after["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"];
    assert_eq!(
        *service,
        json!({"name": "api-service-blue", "port": {"number": 80}})
    );
    assert_eq!(edit.seen(&after), Ok(Seen::After));
    assert_eq!(decide(None, None, &after), Ok(None));
    assert_eq!(edit.undo().to, "api-service-green");
    let another =
        json!({"path": "/v2", "backend": {"service": {"name": "api-v2", "port": {"number": 80}}}});
    object["spec"]["rules"][0]["http"]["paths"]
        .as_array_mut()
        .expect("a list")
        .push(another);
    let why = decide(None, None, &object).expect_err("two");
    assert!(why.contains("2 paths of the Ingress are meant"), "{why}");
    let edit = decide(None, Some("/v2"), &object)
        .expect("decides")
        .expect("a change");
    assert_eq!(
        (edit.host.as_deref(), edit.from.as_str()),
        (Some("api.claude-code-bot.com"), "api-v2")
    );
    let why = decide(Some("x"), None, &object).expect_err("no such host");
    assert!(
        why.contains("no such path (host `x`, path any); it has 2"),
        "{why}"
    );
    assert!(decide(None, None, &json!({"spec": {"rules": 1}})).is_err());
}

#[test]
fn a_service_selects_another_colour_and_keeps_its_other_labels() {
    let service = json!({"spec": {"selector": {"app": "checkout", "color": "green"}}});
    let to = labels(&[("color", "blue")]);
    let edit = Selector::decide(&to, &service)
        .expect("decides")
        .expect("a change");
    assert_eq!(
        edit.selects,
        labels(&[("app", "checkout"), ("color", "blue")])
    );
    let after = apply(&service, &edit.patch(&service).expect("is there"));
    assert_eq!(
        after["spec"]["selector"],
        json!({"app": "checkout", "color": "blue"})
    );
    assert_eq!(edit.seen(&service), Ok(Seen::Before));
    assert_eq!(edit.seen(&after), Ok(Seen::After));
    assert_eq!(edit.undo().seen(&after), Ok(Seen::Before));
    assert_eq!(Selector::decide(&to, &after), Ok(None));
    let red = json!({"spec": {"selector": {"app": "checkout", "color": "red"}}});
    assert_eq!(
        edit.seen(&red),
        Ok(Seen::Other("`app: checkout, color: red`".to_owned()))
    );
    let other = json!({"spec": {"selector": {"app": "billing", "color": "green"}}});
    let why = edit.seen(&other).expect_err("another app");
    assert!(why.contains("was changed meanwhile"), "{why}");
    let why =
        Selector::decide(&labels(&[("colour", "blue")]), &service).expect_err("no such label");
    assert!(
        why.contains("does not select by label `colour`; it selects by `app`, `color`"),
        "{why}"
    );
    let rollout = json!({"spec": {"selector": {"app": "x", "rollouts-pod-template-hash": "abc", "color": "green"}}});
    assert!(
        Selector::decide(&to, &rollout)
            .expect_err("a Rollout's")
            .contains("Argo Rollout")
    );
    assert!(
        Selector::decide(&to, &json!({"spec": {}}))
            .expect_err("none")
            .contains("no selector")
    );
    assert!(matches(
        &edit.selects,
        &labels(&[("app", "checkout"), ("color", "blue"), ("x", "y")])
    ));
    assert!(!matches(
        &edit.selects,
        &labels(&[("app", "checkout"), ("color", "green")])
    ));
    assert!(!matches(&BTreeMap::new(), &labels(&[("app", "checkout")])));
}
