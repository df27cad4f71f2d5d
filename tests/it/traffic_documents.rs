//! `release.traffic` of a watch: what is read, and what a person reads who made a mistake in it, with its place.

use std::time::Duration;

use recant::config::rules::shipped;
use recant_core::rule::RuleBook;
use recant_core::spec::{self, SourceFile};
use recant_core::traffic::RouteKind;

fn watch(target: &str, traffic: &str) -> String {
    format!(
        "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: checkout, namespace: shop}}\n\
         {target}\nrules: [http]\nrelease:\n  traffic: {traffic}\n"
    )
}

const TARGET: &str = "target: {kind: Deployment, name: checkout}";

fn load(text: String) -> (Option<RuleBook>, String) {
    let file = SourceFile {
        name: "rules.yaml".to_owned(),
        text,
    };
    let loaded = spec::load(&[file], &shipped());
    let shown: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    (loaded.book, shown.join("\n\n"))
}

#[test]
fn steps_and_routes_are_read() {
    let (book, said) = load(watch(
        TARGET,
        "{route: {kind: HTTPRoute, name: checkout}, canary: checkout-canary, steps: [10%, 50%, 100%]}",
    ));
    assert_eq!(said, "");
    let stepped = book.expect("loads").watches[0]
        .stepped
        .clone()
        .expect("steps");
    assert_eq!(stepped.steps, [10, 50, 100]);
    assert_eq!(stepped.each, Duration::from_mins(5));
    let route = &stepped.route;
    assert_eq!(route.to_string(), "HTTPRoute shop/checkout");
    assert_eq!(route.canary.as_deref(), Some("checkout-canary"));
    let (book, said) = load(watch(
        TARGET,
        "{route: {kind: VirtualService, name: v, rule: primary}, canary: orders/canary, stable: stable, steps: [5%], each: 30s}",
    ));
    assert!(said.contains("the last step is 5%"), "{said}");
    let stepped = book.expect("loads").watches[0]
        .stepped
        .clone()
        .expect("steps");
    assert_eq!(stepped.route.kind, RouteKind::VirtualService);
    assert_eq!(stepped.route.rule.as_deref(), Some("primary"));
    assert_eq!(stepped.each, Duration::from_secs(30));
    // A canary Ingress leads to one Service, which needs no name.
    let (book, said) = load(watch(
        TARGET,
        "{route: {kind: Ingress, name: api}, steps: [10%, 100%]}",
    ));
    assert_eq!(said, "");
    assert!(book.is_some());
}

#[test]
fn each_mistake_is_said_with_its_place() {
    const ROUTE: &str = "route: {kind: HTTPRoute, name: checkout}, canary: c";
    let rollout = "target: {kind: Rollout, name: checkout}";
    let on_request = "targets: {onRequest: true}";
    let mut shown = String::new();
    for (target, traffic) in [
        (TARGET, "10%".to_owned()),
        (TARGET, "{}".to_owned()),
        (TARGET, format!("{{{ROUTE}, step: [10%]}}")),
        (TARGET, format!("{{{ROUTE}, steps: []}}")),
        (TARGET, format!("{{{ROUTE}, steps: [0%, 50%]}}")),
        (TARGET, format!("{{{ROUTE}, steps: [50%, 10%]}}")),
        (TARGET, format!("{{{ROUTE}, steps: [10, 12.5%, 110%]}}")),
        (TARGET, format!("{{{ROUTE}, steps: [10%, 100%], each: 0s}}")),
        (
            TARGET,
            format!("{{{ROUTE}, steps: [10%, 100%], each: 12h}}"),
        ),
        (TARGET, format!("{{{ROUTE}, stable: c, steps: [100%]}}")),
        (
            TARGET,
            "{route: {kind: HttpRoute, name: a}, canary: c, steps: [100%]}".to_owned(),
        ),
        (
            TARGET,
            "{route: {kind: HTTPRoute, name: A_B}, canary: a/b, steps: [100%]}".to_owned(),
        ),
        (
            TARGET,
            "{route: {kind: HTTPRoute, name: a}, steps: [100%]}".to_owned(),
        ),
        (
            TARGET,
            "{route: {kind: Ingress, name: a, rule: 1}, stable: b, steps: [100%]}".to_owned(),
        ),
        (rollout, format!("{{{ROUTE}, steps: [10%, 100%]}}")),
        (on_request, format!("{{{ROUTE}, steps: [10%, 100%]}}")),
    ] {
        let (book, said) = load(watch(target, &traffic));
        assert!(book.is_none(), "{traffic} is refused: {said}");
        shown.extend(["## ", &traffic, "\n", &said, "\n\n"]);
    }
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("traffic_documents__mistakes", shown);
    });
}

fn acting(action: &str) -> String {
    format!(
        "apiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: checkout, namespace: shop}}\n\
         {TARGET}\nrules: [http]\nonFail:\n- {action}\n"
    )
}

#[test]
fn shifts_and_switches_are_read() {
    for action in [
        "shift: {route: {kind: HTTPRoute, name: checkout}, canary: c, to: 0}",
        "shift: {route: {kind: Ingress, name: api-ingress}, to: 0%, undo: 1h}",
        "switch: {service: checkout, to: {color: blue}, target: Deployment/checkout-blue}",
        "switch: {service: checkout, to: {color: blue}, target: Deployment/blue, present: Deployment/green, min: 3, wait: 2m}",
        "switch: {service: checkout, to: {color: blue}, target: Deployment/blue, present: Deployment/green, thenScaleDown: {after: 30m}}",
        "switch: {ingress: api, host: api.example.com, path: /, to: {service: api-blue}, target: StatefulSet/api-blue}",
    ] {
        let (book, said) = load(acting(action));
        assert_eq!(said, "", "{action}");
        let book = book.expect("loads");
        let run = book.watches[0].on_fail.run.as_ref().expect("a runbook");
        assert_eq!(run.steps.len(), 1, "{action}");
    }
}

#[test]
fn each_mistake_in_a_shift_or_a_switch_is_said_with_its_place() {
    let mut shown = String::new();
    for action in [
        "shift: {route: {kind: HTTPRoute, name: checkout}, to: 0%}",
        "shift: {route: {kind: HTTPRoute, name: checkout}, canary: c}",
        "shift: {route: {kind: HTTPRoute, name: checkout}, canary: c, to: half}",
        "switch: {to: {color: blue}}",
        "switch: {service: a, ingress: b, to: {color: blue}}",
        "switch: {service: checkout}",
        "switch: {service: checkout, to: {color: blue}}",
        "switch: {ingress: api, to: {service: api-blue}}",
        "switch: {service: checkout, to: blue}",
        "switch: {service: checkout, to: {}}",
        "switch: {service: checkout, to: {color: 'light blue'}}",
        "switch: {service: checkout, to: {color: blue}, min: 3}",
        "switch: {service: checkout, to: {color: blue}, target: blue, min: 3}",
        "switch: {service: checkout, to: {color: blue}, target: Deployment/blue, min: 0}",
        "switch: {service: checkout, to: {color: blue}, target: Deployment/blue, wait: 2h}",
        "switch: {service: checkout, to: {color: blue}, target: Deployment/blue, thenScaleDown: {after: 30m}}",
        "switch: {service: checkout, to: {color: blue}, target: Deployment/blue, present: Deployment/green, thenScaleDown: {after: 30d}}",
        "switch: {service: checkout, to: {color: blue}, target: Deployment/blue, present: Deployment/green, thenScaleDown: 30m}",
        "switch: {service: checkout, path: /, to: {color: blue}}",
        "switch: {ingress: api, to: {color: blue}}",
    ] {
        let (book, said) = load(acting(action));
        assert!(book.is_none(), "{action} is refused: {said}");
        shown.extend(["## ", action, "\n", &said, "\n\n"]);
    }
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("traffic_documents__mistakes_in_actions", shown);
    });
}
