//! The definitions on a real API server: it takes every good document as it is, and refuses wrong ones.

use std::path::Path;
use std::sync::LazyLock;

use kube::api::{Patch, PatchParams};
use recant_core::spec::{self, SourceFile};
use serde_json::{Value, json};

use super::{api, define};
use crate::bed::Bed;
use crate::case::{figure, run};

/// A document of each kind with everything in it.
const WHOLE: &str = include_str!("../../documents/whole.yaml");

/// All documents of a text that can be resources.
fn documents(text: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    let ours = |document: &Value| {
        matches!(
            document["kind"].as_str(),
            Some("Watch" | "RuleSet" | "Runbook" | "Channel")
        )
    };
    all.into_iter().filter(ours).collect()
}

/// Those of files and of the README.
fn shipped() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| std::fs::read_to_string(path).expect("a file of the checkout");
    let mut found = documents(WHOLE);
    for entry in std::fs::read_dir(root.join("rules")).expect("rules") {
        found.extend(documents(&read(&entry.expect("an entry").path())));
    }
    let readme = read(&root.join("README.md"));
    let blocks = readme.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("\n```").next());
    for block in blocks.filter(|block| block.starts_with("apiVersion: recant.dev/")) {
        found.extend(documents(block));
    }
    found
}

/// Puts the document into a namespace and asks the API server what it makes of it; nothing is kept.
async fn ask(bed: &'static Bed, namespace: &str, document: &Value) -> Result<Value, String> {
    let mut document = document.clone();
    let Some(kind) = document["kind"].as_str().map(str::to_owned) else {
        return Err("no kind".to_owned());
    };
    document["metadata"]["namespace"] = json!(namespace);
    let name = document["metadata"]["name"]
        .as_str()
        .unwrap_or("x")
        .to_owned();
    let params = PatchParams::apply("test")
        .dry_run()
        .validation_strict()
        .force();
    let answer = api(bed, &kind, namespace)
        .patch(&name, &params, &Patch::Apply(&document))
        .await;
    match answer {
        Ok(object) => Ok(serde_json::to_value(object).expect("JSON")),
        Err(kube::Error::Api(status)) => Err(status.message.clone()),
        Err(other) => panic!("{other}"),
    }
}

fn without_metadata(document: &Value) -> Value {
    let mut document = document.clone();
    document
        .as_object_mut()
        .expect("a mapping")
        .remove("metadata");
    document
}

#[test]
fn an_api_server_keeps_every_good_document_as_it_is() {
    run(async {
        let bed = Bed::get().await;
        define(bed).await;
        let ns = bed.namespace("definitions").await;
        let documents = shipped();
        for document in &documents {
            let kept = ask(bed, ns.name(), document).await;
            let kept = kept.unwrap_or_else(|error| panic!("{error}\n{document:#}"));
            assert_eq!(without_metadata(&kept), without_metadata(document));
        }
        assert!(documents.len() > 15, "{}", documents.len());
    });
}

/// What CEL refuses, with its sentence.
#[test]
fn what_a_schema_cannot_say_is_refused_with_a_sentence() {
    let rule = |rule: Value| {
        let mut rule = rule;
        rule["name"] = json!("a");
        json!({"apiVersion": "recant.dev/v1alpha1", "kind": "RuleSet", "metadata": {"name": "a"}, "rules": [rule]})
    };
    let watch = |fields: Value| {
        let mut watch = json!({"apiVersion": "recant.dev/v1alpha1", "kind": "Watch", "metadata": {"name": "a"}});
        let all = watch.as_object_mut().expect("a mapping");
        all.extend(fields.as_object().expect("a mapping").clone());
        watch
    };
    let target = json!({"kind": "Deployment", "name": "a"});
    let ratio = json!({"bad": "a", "total": "b"});
    let channel = |fields: Value| {
        let mut channel = json!({"apiVersion": "recant.dev/v1alpha1", "kind": "Channel", "metadata": {"name": "a"}});
        let all = channel.as_object_mut().expect("a mapping");
        all.extend(fields.as_object().expect("a mapping").clone());
        channel
    };
    let url = json!({"url": {"env": "A"}});
    let cases = [
        (
            rule(json!({"ratio": ratio, "gauge": "a", "max": "5%"})),
            "give one, and not more, of `ratio`",
        ),
        (rule(json!({"max": "5%"})), "rules[0]"),
        (rule(json!({"ratio": ratio})), "says nothing that must hold"),
        (
            rule(json!({"ratio": ratio, "max": 5})),
            "is a percentage above 0% and below 100%",
        ),
        (
            rule(json!({"ratio": ratio, "max": "100%"})),
            "is a percentage above 0% and below 100%",
        ),
        (
            rule(json!({"ratio": ratio, "max": "5"})),
            "is a percentage above 0% and below 100%",
        ),
        (
            rule(json!({"ratio": {"bad": "a", "good": "b", "total": "c"}, "max": "5%"})),
            "exactly one of `bad`, `good`",
        ),
        (
            rule(json!({"histogram": "a", "max": "1s"})),
            "`histogram` and `quantile` go together",
        ),
        (
            rule(json!({"gauge": "a", "max": 1, "min": 1})),
            "a value has one limit",
        ),
        (
            rule(json!({"gauge": "a", "max": 1, "least": 5})),
            "`least` belongs to rules that count events",
        ),
        (
            rule(json!({"gauge": "a", "max": 1, "for": "5"})),
            "rules[0].for",
        ),
        (rule(json!({"gauge": "a", "max": 1.5})), "rules[0].max"),
        (
            watch(json!({"target": target})),
            "a watch without rules does nothing",
        ),
        (
            watch(json!({"rules": ["http"]})),
            "exactly one of `target`, `targets`",
        ),
        (
            watch(json!({"rules": ["http"], "target": {"kind": "Job", "name": "a"}})),
            "target.kind",
        ),
        (
            watch(json!({"rules": ["http"], "target": target, "release": {"watch": "soon"}})),
            "release.watch",
        ),
        (
            watch(
                json!({"rules": ["http"], "target": target, "onFail": [{"rollback": {}, "notify": ["a"]}]}),
            ),
            "onFail[0]: Invalid value: give exactly one of `",
        ),
        (channel(json!({})), "exactly one of"),
        (
            channel(json!({"slack": url, "teams": url})),
            "exactly one of",
        ),
        (
            channel(json!({"slack": {"url": {}}})),
            "exactly one of `env`, `file`, `secret`",
        ),
        (
            channel(json!({"slack": {"url": "https://hooks.slack.com/x"}})),
            "slack.url",
        ),
    ];
    run(async {
        let bed = Bed::get().await;
        define(bed).await;
        let ns = bed.namespace("definitions").await;
        for (document, says) in &cases {
            match ask(bed, ns.name(), document).await {
                Err(said) => assert!(said.contains(says), "{said}\ndoes not say {says}"),
                Ok(_) => panic!("it was taken: {document:#}"),
            }
        }
    });
}

/// The shipped rules that the documents name.
static SHIPPED: LazyLock<Vec<SourceFile>> = LazyLock::new(|| {
    let mut shipped = recant::config::rules::shipped();
    shipped.retain(|file| file.name.ends_with("/http.yaml"));
    shipped
});

/// Whether the reader of the documents takes it, beside the rule sets and channels that it may name.
fn is_read(document: &Value, beside: &[Value]) -> bool {
    let mut document = document.clone();
    if document["kind"] == "Watch" && document["metadata"].is_object() {
        document["metadata"]["namespace"] = json!("shop");
    }
    let others = beside.iter().filter(|other| {
        other["kind"] != document["kind"]
            || other["metadata"]["name"] != document["metadata"]["name"]
    });
    let others = others.filter(|other| document["kind"] != "Watch" || other["kind"] != "Watch");
    let files: Vec<SourceFile> = others
        .chain([&document])
        .enumerate()
        .map(|(index, document)| SourceFile {
            name: format!("{index}.json"),
            text: document.to_string(),
        })
        .collect();
    spec::load(&files, &SHIPPED).book.is_some()
}

/// The document with one place changed: another value, or none.
fn changed(document: &Value, pointer: &str, value: Option<Value>) -> Value {
    let mut document = document.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let place = document.pointer_mut(parent).expect("its parent");
    match (place, value) {
        (Value::Object(fields), Some(value)) => {
            fields.insert(name.replace("~1", "/"), value);
        }
        (Value::Object(fields), None) => {
            fields.remove(&name.replace("~1", "/"));
        }
        (Value::Array(items), Some(value)) => {
            items[name.parse::<usize>().expect("an index")] = value;
        }
        (Value::Array(items), None) => {
            items.remove(name.parse().expect("an index"));
        }
        (_, _) => panic!("no place {pointer}"),
    }
    document
}

fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut add = |name: String, value: &Value| {
        let pointer = format!("{at}/{name}");
        pointers(value, &pointer, found);
        found.push(pointer);
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if !matches!(name.as_str(), "apiVersion" | "kind" | "metadata") || !at.is_empty() {
                    add(name.replace('/', "~1"), value);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                add(index.to_string(), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every field in turn is taken away, is of another type, empty, senseless, or has an unknown one beside: what the API
/// server takes, the reader refuses, so that a condition says it. And it never refuses what the reader takes.
#[test]
fn every_field_wrong_in_turn_is_refused_by_the_server_or_by_the_reader() {
    run(async {
        let bed = Bed::get().await;
        define(bed).await;
        let ns = bed.namespace("definitions").await;
        let good = documents(WHOLE);
        let (mut refused, mut told, mut fine) = (0, 0, 0);
        for document in &good {
            assert!(is_read(document, &good), "{document:#}");
            let mut places = Vec::new();
            pointers(document, "", &mut places);
            // What a manifest holds is for others to judge.
            places.retain(|place| !place.contains("/manifest/"));
            for place in &places {
                let is = document.pointer(place).expect("it is there");
                let mut wrong = vec![(Some(json!([[1]])), true), (None, false)];
                match is {
                    Value::Object(_) => {
                        let mut more = is.clone();
                        more["zzqqxxkk"] = json!("1");
                        // Any label may be there.
                        let free = place.ends_with("/labels") || place.ends_with("/manifest");
                        // `promql: 7` is an expression.
                        let text = ["promql", "kubernetes", "alert"];
                        let text = text.iter().any(|name| place.ends_with(name));
                        wrong.extend([(Some(more), !free), (Some(json!(7)), !text)]);
                    }
                    Value::Array(_) => {
                        wrong.extend([(Some(json!("a")), true), (Some(json!({"a": "b"})), true)]);
                    }
                    Value::String(_) => wrong.extend([
                        (Some(json!({"zz": "1"})), true),
                        (Some(json!("")), false),
                        (Some(json!("a b!\u{7}")), false),
                        (Some(json!("5")), false),
                        (Some(json!("-1s")), false),
                    ]),
                    Value::Number(_) => wrong.extend([
                        (Some(json!({"zz": "1"})), true),
                        (Some(json!(-1)), true),
                        (Some(json!(1.5)), false),
                        (Some(json!("many")), true),
                        (Some(json!(9_000_000_000_000_000_000_u64)), false),
                    ]),
                    Value::Bool(_) => {
                        wrong.extend([(Some(json!("yes")), true), (Some(json!(1)), true)]);
                    }
                    Value::Null => {}
                }
                let asked = wrong.into_iter().map(|(value, surely)| {
                    let wrong = changed(document, place, value.clone());
                    let ns = ns.name();
                    async move {
                        let server = ask(bed, ns, &wrong).await;
                        (value, surely, wrong, server)
                    }
                });
                for (value, surely, wrong, server) in futures::future::join_all(asked).await {
                    // What the server refuses the reader is not asked about, where nobody could take it.
                    let reader = !(server.is_err() && surely) && is_read(&wrong, &good);
                    let what = || format!("{place} = {value:?} in {}", document["kind"]);
                    match (&server, reader) {
                        (Err(_), false) => refused += 1,
                        (Ok(_), false) => told += 1,
                        (Ok(_), true) => {
                            assert!(!surely, "nobody refuses {}", what());
                            fine += 1;
                        }
                        // A document has no float: what a file may say by one, a resource says by a text.
                        (Err(_), true) if value == Some(json!(1.5)) => refused += 1,
                        (Err(said), true) => panic!("the reader takes {}: {said}", what()),
                    }
                }
            }
        }
        figure(&format!(
            "DOCUMENTS wrong in one field: {refused} refused by the API server, {told} left to the condition, {fine} not wrong"
        ));
        assert!(refused > 300, "{refused}");
    });
}
