//! The description of the API port: it says what there is, all of it, and what each path needs.

use std::sync::Arc;

use recant::http::api::{Access, Token};
use secrecy::SecretString;
use serde_json::Value;

use super::bed::{Bed, read};

fn guarded() -> Access {
    let token = |text: &str| Some(Arc::new(Token::fixed(SecretString::from(text))));
    Access {
        read: token("reads"),
        hook: token("reports"),
        ..Access::default()
    }
}

async fn document() -> (Bed, Value) {
    let bed = Bed::start(guarded()).await;
    let request = bed.http.get(bed.url("/openapi.json")).bearer_auth("reads");
    let answer = read(request).await;
    assert_eq!((answer.status, &*answer.kind), (200, "application/json"));
    let document = answer.json();
    (bed, document)
}

/// Method, path, scope (`None`: signed) of everything that is described.
fn operations(document: &Value) -> Vec<(String, String, Option<String>)> {
    let paths = document["paths"].as_object().expect("paths");
    let mut operations = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("methods") {
            let scope = operation["x-recant-scope"].as_str().map(str::to_owned);
            operations.push((method.to_uppercase(), path.clone(), scope));
        }
    }
    operations
}

#[tokio::test]
async fn the_document_is_as_it_was() {
    let (_bed, document) = document().await;
    let mut document = document;
    document["info"]["version"] = "VERSION".into();
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_json_snapshot!("openapi", document);
    });
}

#[tokio::test]
async fn what_is_described_is_there_and_needs_its_scope() {
    let (bed, document) = document().await;
    let operations = operations(&document);
    assert!(operations.len() >= 20, "{operations:#?}");
    for (method, path, scope) in &operations {
        let place = path.replace("{hook}", "rollback").replace("{id}", "x");
        let url = bed.url(&place.replace("{name}", "x"));
        let verb: reqwest::Method = method.parse().expect("a method");
        let asked = |token: Option<&str>| {
            let request = bed.http.request(verb.clone(), &url);
            match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            }
        };
        let may = match scope.as_deref() {
            Some("read") => [401, 0, 0],
            Some("hooks") => [401, 403, 0],
            Some("act" | "administer") => [401, 403, 403],
            // A signature: no token helps.
            None => [403, 403, 403],
            other => panic!("{method} {path} needs {other:?}"),
        };
        for (token, refused) in [None, Some("reads"), Some("reports")].into_iter().zip(may) {
            let answer = read(asked(token)).await;
            if refused == 0 {
                assert!(
                    ![401, 403, 405].contains(&answer.status),
                    "{method} {path}: {answer:?}"
                );
                assert!(
                    !answer.text.contains("there is nothing here"),
                    "{method} {path}: {answer:?}"
                );
            } else {
                assert_eq!(
                    answer.status, refused,
                    "{method} {path} with {token:?}: {answer:?}"
                );
                // Who opens a link is a person with a browser.
                let form = match path.as_str() {
                    "/approve" => "text/html; charset=utf-8",
                    _ => "application/problem+json",
                };
                assert_eq!(answer.kind, form);
            }
        }
        // No other method gets anywhere on the same path, whoever asks.
        for other in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let described = operations
                .iter()
                .any(|(method, known, _)| method == other && known == path);
            if described || (path == "/flagger/{hook}" && other == "POST") {
                continue;
            }
            let verb: reqwest::Method = other.parse().expect("a method");
            let answer = read(bed.http.request(verb, &url).bearer_auth("reports")).await;
            assert_eq!(answer.status, 405, "{other} {path}: {answer:?}");
            assert_eq!(answer.kind, "application/problem+json", "{other} {path}");
            assert!(answer.text.contains("`Allow`"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn its_schemas_are_schemas_and_nothing_hangs_in_the_air() {
    let (_bed, document) = document().await;
    let schemas = document["components"]["schemas"]
        .as_object()
        .expect("schemas");
    for (name, schema) in schemas {
        let valid = jsonschema::draft202012::meta::validate(schema);
        assert!(valid.is_ok(), "{name}: {valid:?}");
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 20, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("of this document");
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
    let mut ids: Vec<&str> = Vec::new();
    for methods in document["paths"].as_object().expect("paths").values() {
        for operation in methods.as_object().expect("methods").values() {
            ids.push(operation["operationId"].as_str().expect("an id"));
        }
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id is there twice: {ids:?}");
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == "$ref" => references.push(text.to_owned()),
                    _ => collect(value, references),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                collect(value, references);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
