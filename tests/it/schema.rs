//! `recant schema`: current, true to the documents that are good, and with the same fields as those who read them.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use jsonschema::Validator;
use recant_core::spec::{self, SourceFile};
use serde_json::Value;

use crate::program::recant;

const COMMITTED: &str = "src/schema/recant.schema.json";
const DEFINITIONS: &str = "charts/crds/recant.yaml";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&recant::schema::schema()).unwrap()
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

/// What the command prints, which must be what the file holds.
fn printed(arguments: &[&str], committed: &str) -> String {
    let ran = recant(&root(), arguments, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let path = root().join(committed);
    if std::env::var_os("RECANT_WRITE_SCHEMA").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &ran.out).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == ran.out,
        "{committed} is old: write the output of `recant {}` into it (RECANT_WRITE_SCHEMA=1 does)",
        arguments.join(" ")
    );
    ran.out
}

#[test]
fn the_committed_schema_is_what_the_command_prints() {
    let committed = printed(&["schema"], COMMITTED);
    let schema: Value = serde_json::from_str(&committed).unwrap();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    jsonschema::meta::validate(&schema).unwrap();
}

#[test]
fn the_committed_definitions_are_what_the_command_prints() {
    let text = printed(&["schema", "--crds"], DEFINITIONS);
    let definitions = documents(&text);
    let kinds: Vec<&Value> = definitions
        .iter()
        .map(|definition| &definition["spec"]["names"]["kind"])
        .collect();
    assert_eq!(kinds, ["Watch", "RuleSet", "Runbook", "Channel"]);
    for definition in &definitions {
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        structural(schema, "");
    }
}

/// Every field has one type, or is of the two kinds that need none; nothing is a float, and everything is bounded.
fn structural(schema: &Value, path: &str) {
    let untyped = [
        "x-kubernetes-int-or-string",
        "x-kubernetes-preserve-unknown-fields",
    ];
    if untyped.iter().any(|key| schema[*key] == true) {
        // Somebody else's object has a type, and is not looked into.
        assert!(
            schema.get("type").is_none_or(|kind| kind == "object"),
            "{path}"
        );
        return;
    }
    match schema["type"]
        .as_str()
        .unwrap_or_else(|| panic!("{path} has no type"))
    {
        "string" => assert!(
            schema.get("enum").is_some() || schema.get("maxLength").is_some(),
            "{path}"
        ),
        "array" => {
            assert!(schema["maxItems"].is_u64(), "{path}");
            structural(&schema["items"], &format!("{path}[]"));
        }
        "object" => {
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                let top =
                    path.is_empty() && matches!(name.as_str(), "apiVersion" | "kind" | "metadata");
                if !top {
                    structural(field, &format!("{path}.{name}"));
                }
            }
        }
        "integer" | "boolean" => {}
        other => panic!("{path} is of type {other}"),
    }
}

/// Every mapping of the documents: what the schema calls it, and a document in which `HERE` stands for its fields.
const MAPPINGS: &[(&str, &str)] = &[
    (
        "Traffic",
        "kind: Watch\nmetadata: {name: a, namespace: a}\nrelease: {traffic: {HERE}}",
    ),
    (
        "Route",
        "kind: Watch\nmetadata: {name: a, namespace: a}\nrelease: {traffic: {route: {HERE}}}",
    ),
    ("RuleSet", "kind: RuleSet\nmetadata: {name: a}\nHERE"),
    (
        "Rule",
        "kind: RuleSet\nmetadata: {name: a}\nrules: [{HERE}]",
    ),
    (
        "Ratio",
        "kind: RuleSet\nmetadata: {name: a}\nrules: [{name: a, ratio: {HERE}}]",
    ),
    (
        "Compare",
        "kind: RuleSet\nmetadata: {name: a}\nrules: [{name: a, ratio: {bad: a, total: b}, compare: {HERE}}]",
    ),
    (
        "Arms",
        "kind: RuleSet\nmetadata: {name: a}\nrules: [{name: a, ratio: {bad: a, total: b}, max: 1%, arms: {HERE}}]",
    ),
    (
        "Rate",
        "kind: RuleSet\nmetadata: {name: a}\nrules: [{name: a, rate: {HERE}}]",
    ),
    (
        "PromqlQuery",
        "kind: RuleSet\nmetadata: {name: a}\nrules: [{name: a, promql: {HERE}}]",
    ),
    (
        "KubernetesFact",
        "kind: RuleSet\nmetadata: {name: a}\nrules: [{name: a, kubernetes: {HERE}}]",
    ),
    (
        "HttpJson",
        "kind: RuleSet\nmetadata: {name: a}\nrules: [{name: a, httpJson: {HERE}}]",
    ),
    (
        "Redis",
        "kind: RuleSet\nmetadata: {name: a}\nrules: [{name: a, redis: {HERE}}]",
    ),
    (
        "AlertSelector",
        "kind: RuleSet\nmetadata: {name: a}\nrules: [{name: a, alert: {HERE}}]",
    ),
    ("Metadata", "kind: Test\nmetadata: {HERE}"),
    ("SharedMetadata", "kind: RuleSet\nmetadata: {HERE}"),
    ("NamespacedMetadata", "kind: Watch\nmetadata: {HERE}"),
    (
        "Watch",
        "kind: Watch\nmetadata: {name: a, namespace: b}\nHERE",
    ),
    ("Target", "kind: Watch\ntarget: {HERE}"),
    ("Targets", "kind: Watch\ntargets: {HERE}"),
    ("Release", "kind: Watch\nrelease: {HERE}"),
    ("OnFail", "kind: Watch\nonFail: [{HERE}]"),
    ("Rollback", "kind: Watch\nonFail: [{rollback: {HERE}}]"),
    ("OnPass", "kind: Watch\nonPass: [{HERE}]"),
    ("Always", "kind: Watch\nalways: [{HERE}]"),
    (
        "AlwaysAction",
        "kind: Watch\nalways: [{rule: a, onFail: [{HERE}]}]",
    ),
    (
        "Scale",
        "kind: Watch\nalways: [{rule: a, onFail: [{scale: {HERE}}]}]",
    ),
    (
        "Evidence",
        "kind: Watch\nalways: [{rule: a, onFail: [{scale: {target: Deployment/a, replicas: 0, evidence: {HERE}}}]}]",
    ),
    (
        "SetEnv",
        "kind: Watch\nalways: [{rule: a, onFail: [{setEnv: {HERE}}]}]",
    ),
    (
        "Annotate",
        "kind: Watch\nalways: [{rule: a, onFail: [{annotate: {HERE}}]}]",
    ),
    (
        "Apply",
        "kind: Watch\nalways: [{rule: a, onFail: [{apply: {HERE}}]}]",
    ),
    (
        "HeaderRef",
        "kind: Watch\nalways: [{rule: a, onFail: [{webhook: {url: 'https://a.example', headers: {a: {HERE}}}}]}]",
    ),
    (
        "Webhook",
        "kind: Watch\nalways: [{rule: a, onFail: [{webhook: {HERE}}]}]",
    ),
    (
        "ShiftTraffic",
        "kind: Watch\nalways: [{rule: a, onFail: [{shift: {HERE}}]}]",
    ),
    (
        "Switch",
        "kind: Watch\nalways: [{rule: a, onFail: [{switch: {HERE}}]}]",
    ),
    (
        "ThenScaleDown",
        "kind: Watch\nalways: [{rule: a, onFail: [{switch: {service: a, to: {b: c}, target: Deployment/d, thenScaleDown: {HERE}}}]}]",
    ),
    ("Runbook", "kind: Runbook\nmetadata: {name: a}\nHERE"),
    (
        "Step",
        "kind: Runbook\nmetadata: {name: a}\nsteps: [{HERE}]",
    ),
    ("Scrape", "kind: Watch\nscrape: {HERE}"),
    ("Link", "kind: Watch\nlinks: [{HERE}]"),
    ("Channel", "kind: Channel\nmetadata: {name: a}\nHERE"),
    (
        "ChannelUrl",
        "kind: Channel\nmetadata: {name: a}\nslack: {HERE}",
    ),
    (
        "Alertmanager",
        "kind: Channel\nmetadata: {name: a}\nalertmanager: {HERE}",
    ),
    (
        "SecretRef",
        "kind: Channel\nmetadata: {name: a}\nslack: {url: {HERE}}",
    ),
    (
        "SecretKey",
        "kind: Channel\nmetadata: {name: a}\nslack: {url: {secret: {HERE}}}",
    ),
    ("Test", "kind: Test\nmetadata: {name: a}\nHERE"),
    ("TestWatch", "kind: Test\nwatch: {HERE}"),
    ("TestRelease", "kind: Test\nreleases: [{HERE}]"),
    ("Series", "kind: Test\nseries: [{HERE}]"),
    ("Answer", "kind: Test\nanswers: [{HERE}]"),
    ("Expectation", "kind: Test\nexpect: [{HERE}]"),
];

/// The fields that the reader of the documents knows, from what it says of one that it does not know.
fn known_to_the_reader(text: &str) -> BTreeSet<String> {
    let unknown = "zzqqxxkk";
    let text = text.replace("HERE", &format!("{unknown}: 1"));
    let files = [SourceFile {
        name: "a.yaml".to_owned(),
        text: format!("apiVersion: recant.dev/v1alpha1\n{text}\n"),
    }];
    let loaded = spec::load(&files, &[]);
    let told = loaded
        .diagnostics
        .iter()
        .find(|found| {
            found
                .message
                .contains(&format!("unknown field `{unknown}`"))
        })
        .unwrap_or_else(|| panic!("nothing is said of the field in:\n{text}"));
    let help = told.help.as_deref().unwrap();
    help.split('`')
        .skip(1)
        .step_by(2)
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn the_schema_has_the_fields_that_are_read() {
    let schema = recant::schema::schema();
    let definitions = schema["$defs"].as_object().unwrap();
    for (name, text) in MAPPINGS {
        let definition = definitions
            .get(*name)
            .unwrap_or_else(|| panic!("the schema has no `{name}`"));
        let fields: BTreeSet<String> = definition["properties"]
            .as_object()
            .unwrap()
            .keys()
            .filter(|field| {
                !matches!(field.as_str(), "apiVersion" | "kind" | "metadata")
                    || matches!(*name, "Target" | "Route")
            })
            .cloned()
            .collect();
        let mut known = known_to_the_reader(text);
        if matches!(*name, "Target" | "Route") {
            // Its `kind` is one of its own, which the reader leaves out of what it tells.
            known.insert("kind".to_owned());
        }
        if *name == "AlwaysAction" {
            // It is read only to say why it cannot be there.
            assert!(known.remove("rollback"));
        }
        assert_eq!(fields, known, "{name}");
    }
    // And no mapping of the schema is left out above, but the empty one.
    let mappings: BTreeSet<&str> = MAPPINGS.iter().map(|(name, _)| *name).collect();
    for (name, definition) in definitions {
        let fields = definition["properties"].as_object();
        if fields.is_some_and(|fields| !fields.is_empty()) {
            assert!(mappings.contains(name.as_str()), "{name} is not compared");
            assert_eq!(definition["additionalProperties"], false, "{name}");
        }
    }
}

/// A document of each kind, with everything in it.
const WHOLE: &str = include_str!("../documents/whole.yaml");

#[test]
fn good_documents_are_good_by_the_schema() {
    let http = fs::read_to_string(root().join("rules/http.yaml")).unwrap();
    let files = [("all.yaml", WHOLE), ("http.yaml", &http)].map(|(name, text)| SourceFile {
        name: name.to_owned(),
        text: text.to_owned(),
    });
    let loaded = spec::load(&files, &[]);
    let errors: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    assert!(loaded.book.is_some(), "{}", errors.join("\n"));

    let mut texts = vec![
        ("the example".to_owned(), WHOLE.to_owned()),
        (
            "the demo".to_owned(),
            fs::read_to_string(root().join("src/demo/rules.yaml")).unwrap(),
        ),
    ];
    for entry in fs::read_dir(root().join("rules")).unwrap() {
        let path = entry.unwrap().path();
        texts.push((
            path.display().to_string(),
            fs::read_to_string(&path).unwrap(),
        ));
    }
    let validator = validator();
    let mut count = 0;
    for (name, text) in &texts {
        for document in documents(text) {
            let errors: Vec<String> = validator
                .iter_errors(&document)
                .map(|error| error.to_string())
                .collect();
            assert!(
                errors.is_empty(),
                "{name}: {}\n{document:#}",
                errors.join("\n")
            );
            count += 1;
        }
    }
    assert!(count > 15, "{count}");
}

/// Whether the reader takes these documents, each as JSON in a file of its own, with the shipped rules beside.
fn is_loaded(documents: &[Value]) -> bool {
    let files: Vec<SourceFile> = documents
        .iter()
        .enumerate()
        .map(|(index, document)| SourceFile {
            name: format!("{index}.json"),
            text: document.to_string(),
        })
        .collect();
    spec::load(&files, &recant::config::rules::shipped())
        .book
        .is_some()
}

#[test]
fn documents_of_the_wrong_shape_are_refused_by_both() {
    let validator = validator();
    let good = documents(WHOLE);
    assert!(is_loaded(&good));
    // Where something is put, and what.
    for (kind, pointer, value) in [
        ("RuleSet", "/apiVersion", Value::from("v1")),
        ("RuleSet", "/kind", Value::from("Rules")),
        ("RuleSet", "/rules", Value::from("http")),
        ("RuleSet", "/rules", serde_json::json!([])),
        ("RuleSet", "/rules/0/max", serde_json::json!(["5%"])),
        ("RuleSet", "/rules/0/least", Value::from("many")),
        ("RuleSet", "/rules/0/dryRun", Value::from("yes")),
        ("RuleSet", "/rules/0/ratio", Value::from("a/b")),
        ("RuleSet", "/rules/2/unit", Value::from("hours")),
        ("RuleSet", "/rules/3/over", Value::from("median")),
        ("RuleSet", "/rules/7/kubernetes", Value::from("happiness")),
        ("Watch", "/target/kind", Value::from("CronJob")),
        ("Watch", "/source", Value::from("graphite")),
        ("Watch", "/scrape/port", Value::from(70_000)),
        (
            "Watch",
            "/onFail/0",
            serde_json::json!({"rollback": {}, "notify": ["a"]}),
        ),
        ("Watch", "/rules", serde_json::json!({"http": {}})),
        (
            "Channel",
            "/slack",
            Value::from("https://hooks.example/T/B"),
        ),
        (
            "Channel",
            "/slack/url",
            serde_json::json!({"env": "A", "file": "b"}),
        ),
        ("Test", "/expect/0/verdict", Value::from("failed")),
        ("Test", "/expect/1/rules/all~1a", Value::from("fails")),
        ("Test", "/never/0", Value::from("undo")),
        ("Test", "/revisions", serde_json::json!({})),
    ] {
        let place = good
            .iter()
            .position(|document| document["kind"] == kind)
            .unwrap();
        let mut documents = good.clone();
        let document = documents.get_mut(place).unwrap();
        assert!(validator.is_valid(document), "{kind}");
        *document
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("{kind} has no {pointer}")) = value;
        assert!(
            !validator.is_valid(document),
            "{kind} {pointer}: {document:#}"
        );
        assert!(!is_loaded(&documents), "{kind} {pointer}");
    }
    for (name, text) in MAPPINGS {
        let text = format!(
            "apiVersion: recant.dev/v1alpha1\n{}\n",
            text.replace("HERE", "zzqqxxkk: 1")
        );
        for document in documents(&text) {
            assert!(!validator.is_valid(&document), "{name}: {document:#}");
        }
    }
}
