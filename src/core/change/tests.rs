//! Edits over the JSON of objects: what is seen, what is written, and that it is taken back whole.

use proptest::prelude::*;

use super::*;

fn deployment(containers: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "shop", "uid": "u1", "resourceVersion": "7"},
        "spec": {"template": {"metadata": {}, "spec": {"containers": containers}}},
    })
}

fn set(object: &Value, container: Option<&str>, value: &str) -> Result<Option<Edit>, String> {
    Environment::decide(object, container, "LOG_LEVEL", value)
}

fn edit(object: &Value, value: &str) -> Edit {
    set(object, None, value)
        .expect("possible")
        .expect("a change")
}

fn change(edit: Edit) -> Change {
    Change {
        object: ObjectRef {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: "shop".into(),
            name: "api".into(),
        },
        uid: "u1".into(),
        edit,
    }
}

/// What the API server makes of the patch, as far as these patches go.
fn applied(change: &Change, object: &Value) -> Value {
    let patch = change.patch(&"p1".into(), 2, object).expect("possible");
    patched(object, &patch)
}

/// What the API server makes of such a patch.
pub(crate) fn patched(object: &Value, patch: &Value) -> Value {
    let mut object = object.clone();
    for operation in patch.as_array().expect("a list") {
        let path = operation["path"].as_str().expect("a path");
        let (parent, last) = path.rsplit_once('/').expect("a pointer");
        let last = last.replace("~1", "/").replace("~0", "~");
        let parent = object.pointer_mut(parent).expect("it is there");
        match (operation["op"].as_str().expect("an op"), parent) {
            ("add" | "replace", Value::Object(map)) => {
                map.insert(last, operation["value"].clone());
            }
            ("remove", Value::Object(map)) => {
                map.remove(&last).expect("it was there");
            }
            ("add", Value::Array(list)) if last == "-" => list.push(operation["value"].clone()),
            ("replace", Value::Array(list)) => {
                list[last.parse::<usize>().expect("an index")] = operation["value"].clone();
            }
            ("remove", Value::Array(list)) => {
                list.remove(last.parse().expect("an index"));
            }
            other => panic!("{other:?}"),
        }
    }
    object
}

#[test]
fn a_variable_is_added_replaced_and_taken_back_as_it_was() {
    let secret =
        json!({"name": "LOG_LEVEL", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}});
    for (environment, operation, in_words) in [
        (
            json!(null),
            json!({"op": "add", "path": "/spec/template/spec/containers/0/env", "value": [{"name": "LOG_LEVEL", "value": "DEBUG"}]}),
            "remove LOG_LEVEL from container `app`",
        ),
        (
            json!([{"name": "A", "value": "b"}]),
            json!({"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "LOG_LEVEL", "value": "DEBUG"}}),
            "remove LOG_LEVEL from container `app`",
        ),
        (
            json!([{"name": "A", "value": "b"}, secret]),
            json!({"op": "replace", "path": "/spec/template/spec/containers/0/env/1", "value": {"name": "LOG_LEVEL", "value": "DEBUG"}}),
            "put LOG_LEVEL of container `app` back",
        ),
    ] {
        let mut container = json!({"name": "app"});
        if !environment.is_null() {
            container["env"] = environment.clone();
        }
        let before = deployment(&json!([container]));
        let up = change(edit(&before, "DEBUG"));
        assert_eq!(
            up.edit.in_words(),
            "set LOG_LEVEL of container `app` to \"DEBUG\""
        );
        assert_eq!(up.edit.seen(&before), Seen::From);
        let patch = up.patch(&"p1".into(), 2, &before).expect("possible");
        assert_eq!(
            patch.as_array().expect("a list").as_slice(),
            [
                json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}),
                json!({"op": "add", "path": "/metadata/annotations", "value": {"recant.dev/change": "p1/2"}}),
                operation,
            ]
        );
        let after = applied(&up, &before);
        assert_eq!(up.edit.seen(&after), Seen::To);
        assert_eq!(
            set(&after, None, "DEBUG"),
            Ok(None),
            "nothing is left to do"
        );
        assert!(up.shows_on(&"p1".into(), 2, &after));
        assert!(!up.shows_on(&"p1".into(), 1, &after) && !up.shows_on(&"p".into(), 2, &after));

        let back = up.undo();
        assert_eq!(back.edit.in_words(), in_words);
        assert_eq!(back.edit.seen(&after), Seen::From);
        let restored = applied(&back, &after);
        let now = restored.pointer("/spec/template/spec/containers/0/env");
        let empty = json!([]);
        assert_eq!(
            now,
            Some(if environment.is_null() {
                &empty
            } else {
                &environment
            })
        );
        assert_eq!(back.undo(), up);
        let told = back.in_words() + &up.in_words();
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn what_cannot_be_changed_says_why() {
    let two = json!([{"name": "app"}, {"name": "proxy"}]);
    let several = deployment(&two);
    let error = set(&several, None, "DEBUG").expect_err("which?");
    assert_eq!(
        error,
        "it has more than one container (`app` and `proxy`): say which with `container:`"
    );
    let error = set(&several, Some("db"), "DEBUG").expect_err("none");
    assert_eq!(
        error,
        "it has no container `db`; there is `app` and `proxy`"
    );
    let mut chosen = several.clone();
    chosen["spec"]["template"]["metadata"]["annotations"] =
        json!({"kubectl.kubernetes.io/default-container": "proxy"});
    assert!(
        edit(&chosen, "DEBUG")
            .in_words()
            .contains("container `proxy`")
    );
    let twice = json!({"name": "LOG_LEVEL", "value": "x"});
    let error = set(
        &deployment(&json!([{"name": "app", "env": [twice, twice]}])),
        None,
        "DEBUG",
    );
    assert!(
        error
            .expect_err("which?")
            .contains("LOG_LEVEL more than once")
    );
    let service = json!({"kind": "Service", "spec": {}});
    let error = set(&service, None, "DEBUG").expect_err("no pods");
    assert_eq!(error, "a Service has no pod template that could be changed");

    let before = deployment(&json!([{"name": "app"}]));
    let up = edit(&before, "DEBUG");
    let mut paused = before.clone();
    paused["spec"]["paused"] = json!(true);
    assert!(matches!(up.seen(&paused), Seen::Impossible { .. }));
    let other =
        deployment(&json!([{"name": "app", "env": [{"name": "LOG_LEVEL", "value": "TRACE"}]}]));
    let Seen::Other { now } = up.seen(&other) else {
        panic!("another value");
    };
    assert_eq!(now, "has another LOG_LEVEL in container `app`");
    assert!(matches!(up.seen(&several), Seen::From));
    let gone = deployment(&json!([{"name": "proxy"}]));
    assert!(matches!(up.seen(&gone), Seen::Impossible { .. }));
}

#[test]
fn annotations_are_set_and_removed_beside_the_mark() {
    let bare = json!({"kind": "Service", "metadata": {"resourceVersion": "7"}});
    let with = json!({"kind": "Service", "metadata": {
        "resourceVersion": "7", "annotations": {"team/on-call": "b", "x": "y"},
    }});
    for before in [bare, with] {
        for to in [Some("a"), None] {
            let Some(edit) = Annotation::decide(&before, "team/on-call", to) else {
                assert_eq!(to, annotation_of(&before, "team/on-call"));
                continue;
            };
            let up = change(edit);
            let after = applied(&up, &before);
            assert_eq!(annotation_of(&after, "team/on-call"), to);
            assert_eq!(annotation_of(&after, CHANGE_ANNOTATION), Some("p1/2"));
            assert_eq!(annotation_of(&after, "x"), annotation_of(&before, "x"));
            let restored = applied(&up.undo(), &after);
            assert_eq!(
                annotation_of(&restored, "team/on-call"),
                annotation_of(&before, "team/on-call")
            );
            let mut other = before.clone();
            other["metadata"]["annotations"] = json!({"team/on-call": "c"});
            assert!(matches!(up.edit.seen(&other), Seen::Other { .. }));
        }
    }
}

#[test]
fn a_change_is_written_and_read_back() {
    let before = deployment(&json!([{"name": "app"}]));
    for edit in [
        edit(&before, "DEBUG"),
        edit(&before, "DEBUG").undo(),
        Annotation::decide(&before, "a", Some("b")).expect("a change"),
    ] {
        let change = change(edit);
        let text = serde_json::to_string(&change).expect("written");
        assert_eq!(serde_json::from_str::<Change>(&text).expect("read"), change);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(app|LOG_LEVEL|name|)".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 4, |inner| {
        let key = "(kind|metadata|annotations|spec|template|containers|env|name|value|a)";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Objects come from outside: whatever they are, nothing panics, and who may write has a patch.
    #[test]
    fn no_object_is_too_odd(odd in any_json(), containers in any_json()) {
        let sound = deployment(&json!([{"name": "app"}]));
        let edits = [edit(&sound, "DEBUG"), Annotation::decide(&sound, "a", Some("b")).expect("a change")];
        for object in [odd, deployment(&containers)] {
            for edit in &edits {
                if edit.seen(&object) == Seen::From {
                    prop_assert!(change(edit.clone()).patch(&"p".into(), 0, &object).is_ok());
                }
            }
            let made = set(&object, Some("app"), "DEBUG");
            if let Ok(Some(edit)) = made {
                prop_assert!(edit.operations(&object).is_ok());
            }
        }
    }
}
