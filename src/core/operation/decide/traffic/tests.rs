use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::change::{Edit, ObjectRef, ObjectState};
use crate::guard::Guard;
use crate::operation::{Choice, Looks, Step, choose, choose_undo};
use crate::rule::{Colour, Runbook, ScaleKind, ScaleTarget, ScaleUp, Task, WhenStuck};
use crate::scaling::ScaleState;
use crate::traffic::{Route, RouteKind};

fn service() -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        namespace: "shop".to_owned(),
        name: "checkout".to_owned(),
    }
}

fn workload(name: &str) -> ScaleTarget {
    ScaleTarget {
        namespace: "shop".to_owned(),
        kind: ScaleKind::Deployment,
        name: name.to_owned(),
    }
}

fn runbook(task: Task) -> Runbook {
    Runbook {
        name: "switch".to_owned(),
        steps: vec![task],
        undo_after: None,
        when_stuck: WhenStuck::Stop,
    }
}

fn to_blue(least: u32) -> Runbook {
    runbook(Task::Switch {
        object: service(),
        to: Colour::Labels {
            labels: BTreeMap::from([("color".to_owned(), "blue".to_owned())]),
        },
        up: Some(ScaleUp {
            target: workload("blue"),
            present: Some(workload("green")),
            least,
            within: Duration::from_mins(5),
            then_down: None,
        }),
    })
}

fn scale(replicas: u32) -> ScaleState {
    ScaleState {
        uid: "u".to_owned(),
        replicas,
        ready: replicas,
        paused: false,
        labels: BTreeMap::new(),
        kill_switch: None,
        last_scaling: None,
        autoscalers: Vec::new(),
        budgets: Vec::new(),
    }
}

fn state(of: &ObjectRef, spec: &Value) -> ObjectState {
    let object = json!({"metadata": {"uid": "s", "resourceVersion": "1"}, "spec": spec});
    ObjectState::new(of, object, false)
}

/// What is decided when the colours have so many replicas.
fn chosen(runbook: &Runbook, selector: &Value, green: u32, blue: Option<u32>) -> Choice {
    let (object, green, blue) = (service(), scale(green), blue.map(scale));
    let found = state(&object, &json!({"selector": selector}));
    let targets = (workload("green"), workload("blue"));
    let looks = Looks {
        objects: BTreeMap::from([(&object, Some(&found))]),
        scales: BTreeMap::from([(&targets.0, Some(&green)), (&targets.1, blue.as_ref())]),
        ..Looks::default()
    };
    choose(&"i-run".into(), runbook, &looks)
}

fn steps(choice: Choice) -> Vec<Step> {
    match choice {
        Choice::Act(chosen) => chosen.steps,
        other => panic!("{other:?}"),
    }
}

fn words(choice: Choice) -> Vec<String> {
    steps(choice).iter().map(Step::in_words).collect()
}

#[test]
fn a_colour_is_scaled_up_and_ready_before_it_gets_the_traffic() {
    let green = json!({"app": "checkout", "color": "green"});
    assert_eq!(
        words(chosen(&to_blue(3), &green, 5, Some(0))),
        [
            "scale Deployment shop/blue from 0 to 5 replicas",
            "wait until 5 pods of Deployment shop/blue are ready",
            "Service shop/checkout: select `color: blue` in place of `color: green`",
        ]
    );
    // Large enough already: it is waited for all the same.
    assert_eq!(
        words(chosen(&to_blue(3), &green, 1, Some(4))),
        [
            "wait until 3 pods of Deployment shop/blue are ready",
            "Service shop/checkout: select `color: blue` in place of `color: green`",
        ]
    );
    // There already.
    let blue = json!({"app": "checkout", "color": "blue"});
    let nothing = chosen(&to_blue(3), &blue, 5, Some(5));
    assert!(matches!(nothing, Choice::Nothing { .. }), "{nothing:?}");
}

#[test]
fn without_the_colour_or_its_label_nothing_is_begun() {
    let green = json!({"app": "checkout", "color": "green"});
    let held = chosen(&to_blue(3), &green, 5, None);
    let Choice::Held { guard, why } = held else {
        panic!("{held:?}");
    };
    assert_eq!(guard, Guard::ObjectChanged);
    assert!(why.contains("Deployment shop/blue does not exist"), "{why}");
    let held = chosen(&to_blue(3), &json!({"app": "checkout"}), 5, Some(5));
    let Choice::Held { why, .. } = held else {
        panic!("{held:?}");
    };
    assert!(why.contains("does not select by label `color`"), "{why}");
}

#[test]
fn what_got_the_traffic_stays_as_large_when_the_switch_is_taken_back() {
    let green = json!({"app": "checkout", "color": "green"});
    let done = steps(chosen(&to_blue(3), &green, 5, Some(0)));
    let (object, blue) = (service(), scale(5));
    let now = json!({"selector": {"app": "checkout", "color": "blue"}});
    let found = state(&object, &now);
    let target = workload("blue");
    let looks = Looks {
        objects: BTreeMap::from([(&object, Some(&found))]),
        scales: BTreeMap::from([(&target, Some(&blue))]),
        ..Looks::default()
    };
    let Choice::Act(back) = choose_undo(done.iter(), &looks) else {
        panic!("there is something to take back");
    };
    let words: Vec<String> = back.steps.iter().map(Step::in_words).collect();
    assert_eq!(
        words,
        ["Service shop/checkout: select `color: green` in place of `color: blue`"]
    );
    assert!(back.notes[0].contains("traffic was led to it"), "{back:?}");
}

#[test]
fn a_share_is_set_on_its_route() {
    let route = Route {
        namespace: "shop".to_owned(),
        kind: RouteKind::HttpRoute,
        name: "checkout".to_owned(),
        rule: None,
        canary: Some("canary".to_owned()),
        stable: None,
    };
    let object = ObjectRef::from(&route);
    let found = state(
        &object,
        &json!({"rules": [{"backendRefs": [{"name": "stable", "weight": 90}, {"name": "canary", "weight": 10}]}]}),
    );
    let looks = Looks {
        objects: BTreeMap::from([(&object, Some(&found))]),
        ..Looks::default()
    };
    let to_nothing = runbook(Task::Shift { route, percent: 0 });
    let steps = steps(choose(&"i-run".into(), &to_nothing, &looks));
    let [Step::Change { change }] = steps.as_slice() else {
        panic!("{steps:?}");
    };
    assert!(matches!(change.edit, Edit::Weights(_)), "{change:?}");
    assert_eq!(
        change.in_words(),
        "HTTPRoute shop/checkout: set the weights of `canary` and the rest from 10/90 to 0/100"
    );
}
