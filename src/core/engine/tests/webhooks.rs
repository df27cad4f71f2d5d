//! Actions that call somebody outside: behind the guards, with what the rules found, and repeated with the same key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::always::{always, breaks};
use super::rules::Setup;
use super::world::World;
use crate::change::ObjectRef;
use crate::guard::Guard;
use crate::notice::NoticeKind;
use crate::operation::{OperationEnd, OperationEvent};
use crate::plan::{Action, StepResult};
use crate::record::Record;
use crate::rule::{Always, Runbook, Task, Webhook, WebhookUrl, WhenStuck};

fn settled() -> World {
    let webhook = Webhook {
        url: WebhookUrl::Plain("https://hooks.example.org/drain".into()),
        headers: BTreeMap::new(),
        timeout: Duration::from_secs(5),
    };
    let runbook = Runbook {
        name: "drain".into(),
        steps: vec![Task::Webhook { webhook }],
        undo_after: Some(Duration::from_mins(1)),
        when_stuck: WhenStuck::Stop,
    };
    let mut world = World::settled(Setup {
        always: vec![Always {
            run: Some(Arc::new(runbook)),
            ..always(None)
        }],
        ..Setup::default()
    });
    let about = ObjectRef::from(&world.setup.id("checkout"));
    let object = json!({"kind": "Deployment", "metadata": {"uid": "u1"}});
    world.objects.all.insert(about, object);
    world
}

fn ends(world: &World) -> Vec<OperationEnd> {
    let ends = world.records(|record| match record {
        Record::Operation(OperationEvent::Ended { end, .. }) => Some(end.clone()),
        _ => None,
    });
    ends.map(|(_, end)| end).collect()
}

#[test]
fn it_is_called_once_in_an_incident_and_told_what_is_broken() {
    let mut world = settled();
    breaks(&mut world);
    world.run_until(30, |world| ends(world).len() == 1);
    assert_eq!(ends(&world), [OperationEnd::Done], "{}", world.transcript());
    world.run(120);
    let [body] = world.objects.calls.as_slice() else {
        panic!("{:?}", world.objects.calls);
    };
    assert_eq!(body["mayBeRepeat"], false);
    let key = body["idempotencyKey"].as_str().expect("a key");
    assert!(key.ends_with("-run/0"), "{key}");
    let data = &body["data"];
    assert_eq!(data["verdict"], "broken");
    assert_eq!(data["target"]["name"], "checkout");
    assert_eq!(data["action"], "drain");
    assert!(
        data["evidence"][0]
            .as_str()
            .is_some_and(|said| said.contains('%')),
        "{data}"
    );
    let notice = world.read(NoticeKind::OperationBegan);
    assert!(
        notice.contains("call the webhook https://hooks.example.org"),
        "{notice}"
    );
    assert!(
        !notice.contains("/drain"),
        "the rest of the URL is not told: {notice}"
    );
}

#[test]
fn after_a_crash_it_is_called_again_with_the_same_key_and_people_are_told() {
    let mut world = settled();
    world.executor_takes = 20;
    breaks(&mut world);
    world.run_until(60, |world| world.objects.calls.len() == 1);
    world.restart();
    world.executor_takes = 1;
    world.run_until(120, |world| ends(world).len() == 1);
    let [first, second] = world.objects.calls.as_slice() else {
        panic!("{:?}", world.objects.calls);
    };
    assert_eq!(first["idempotencyKey"], second["idempotencyKey"]);
    assert_eq!(first["data"], second["data"], "the same words");
    assert_eq!(
        (&first["mayBeRepeat"], &second["mayBeRepeat"]),
        (&json!(false), &json!(true))
    );
    let notice = world.read(NoticeKind::OperationEnded);
    assert!(
        notice.contains("may have been called twice, with the same `idempotency-key`"),
        "{notice}"
    );
}

#[test]
fn one_that_fails_is_told_as_not_known_and_not_called_again() {
    let mut world = settled();
    world.step_result = Some(Box::new(|command| {
        matches!(command.action, Action::Webhook(_)).then(|| StepResult::Failed {
            reason: "https://hooks.example.org did not answer within 5s".into(),
        })
    }));
    breaks(&mut world);
    world.run_until(60, |world| ends(world).len() == 1);
    assert!(matches!(
        ends(&world).as_slice(),
        [OperationEnd::Partly { .. }]
    ));
    let notice = world.read(NoticeKind::OperationEnded);
    assert!(
        notice.contains("Not known whether it was done: call the webhook"),
        "{notice}"
    );
    let begun = world.commands.len();
    world.run(120);
    assert_eq!(world.commands.len(), begun);
}

#[test]
fn a_kill_switch_on_the_target_holds_it() {
    let mut world = settled();
    let about = ObjectRef::from(&world.setup.id("checkout"));
    let annotations = json!({"recant.dev/kill-switch": "true"});
    let object =
        json!({"kind": "Deployment", "metadata": {"uid": "u1", "annotations": annotations}});
    world.objects.all.insert(about, object);
    breaks(&mut world);
    world.run(30);
    assert!(world.objects.calls.is_empty());
    let held = world.count(|record| {
        matches!(record, Record::Operation(OperationEvent::Held { hold, .. }) if hold.guard == Guard::KillSwitch)
    });
    assert_eq!(held, 1, "{}", world.transcript());
}
