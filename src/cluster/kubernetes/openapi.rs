//! The fields of the API server's own kinds, from the schemas that it publishes (`/openapi/v3`). Only reads.

use std::collections::{BTreeMap, BTreeSet};

use futures::AsyncReadExt as _;
use kube::Client;
use recant_core::spec::{ObjectKind, Shape, Shapes, ValueType};
use serde_json::{Map, Value};

use super::api::Call;
use crate::cluster::ClusterError;

/// A group with large custom resources has a few megabytes.
const LONGEST_SCHEMA: u64 = 32 << 20;
const REFERENCE: &str = "#/components/schemas/";

/// The shapes of `kinds`, and those of them that the API server does not serve.
///
/// # Errors
/// The API server does not answer, or its schemas cannot be read.
pub async fn shapes(
    client: &Client,
    kinds: &BTreeSet<ObjectKind>,
) -> Result<(Shapes, BTreeSet<ObjectKind>), ClusterError> {
    let mut shapes = Shapes::default();
    let mut unserved = BTreeSet::new();
    if kinds.is_empty() {
        return Ok((shapes, unserved));
    }
    let index = read(client, "/openapi/v3").await?;
    let versions: BTreeSet<&str> = kinds.iter().map(|kind| kind.api_version.as_str()).collect();
    for version in versions {
        let of_version = || kinds.iter().filter(|kind| kind.api_version == version);
        let path = if version.contains('/') {
            format!("apis/{version}")
        } else {
            format!("api/{version}")
        };
        let address = index
            .get("paths")
            .and_then(|paths| paths.get(&path))
            .and_then(|path| path.get("serverRelativeURL"))
            .and_then(Value::as_str);
        let Some(address) = address else {
            unserved.extend(of_version().cloned());
            continue;
        };
        let document = read(client, address).await?;
        let schemas = document
            .get("components")
            .and_then(|components| components.get("schemas"))
            .and_then(Value::as_object)
            .ok_or_else(|| unreadable(address, "it holds no schemas"))?;
        let named = by_kind(schemas);
        for kind in of_version() {
            match named.get(kind) {
                Some(name) => shapes.add(kind.clone(), Shape::Named((*name).to_owned())),
                None => {
                    unserved.insert(kind.clone());
                }
            }
        }
        for (name, schema) in schemas {
            shapes.define(name.clone(), shape(schema));
        }
    }
    Ok((shapes, unserved))
}

/// The names of the schemas of kinds.
fn by_kind(schemas: &Map<String, Value>) -> BTreeMap<ObjectKind, &str> {
    let mut named = BTreeMap::new();
    for (name, schema) in schemas {
        let kinds = schema
            .get("x-kubernetes-group-version-kind")
            .and_then(Value::as_array);
        for kind in kinds.into_iter().flatten() {
            let text = |key| kind.get(key).and_then(Value::as_str).unwrap_or_default();
            let api_version = match text("group") {
                "" => text("version").to_owned(),
                group => format!("{group}/{}", text("version")),
            };
            named.insert(
                ObjectKind {
                    api_version,
                    kind: text("kind").to_owned(),
                },
                name.as_str(),
            );
        }
    }
    named
}

/// What a schema allows. Its depth is bounded by that of the JSON it was read from.
fn shape(schema: &Value) -> Shape {
    if let Some(name) = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix(REFERENCE))
    {
        return Shape::Named(name.to_owned());
    }
    // A reference with a default or a description beside it is written as `allOf` with one entry.
    if let Some([only]) = schema
        .get("allOf")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        && schema.get("properties").is_none()
    {
        return shape(only);
    }
    let free = [
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
    ]
    .iter()
    .any(|key| schema.get(key).and_then(Value::as_bool) == Some(true));
    if free {
        return Shape::Any;
    }
    if let Some(items) = schema.get("items") {
        return Shape::List(Box::new(shape(items)));
    }
    match (
        schema.get("properties").and_then(Value::as_object),
        schema.get("additionalProperties"),
    ) {
        (Some(fields), None | Some(Value::Bool(false))) => Shape::Fields(
            fields
                .iter()
                .map(|(name, schema)| (name.clone(), shape(schema)))
                .collect(),
        ),
        (None, Some(values @ Value::Object(_))) => Shape::Map(Box::new(shape(values))),
        (None, None) => value(schema).map_or(Shape::Any, Shape::Value),
        (None | Some(_), _) => Shape::Any,
    }
}

/// The type of a single value, where the schema says exactly one.
fn value(schema: &Value) -> Option<ValueType> {
    let is_true = |key| schema.get(key).and_then(Value::as_bool) == Some(true);
    let several = ["oneOf", "anyOf", "allOf", "not"]
        .iter()
        .any(|key| schema.get(key).is_some());
    if several || is_true("x-kubernetes-int-or-string") {
        return None;
    }
    match (
        schema.get("type").and_then(Value::as_str)?,
        schema.get("enum"),
    ) {
        ("string", None) => Some(ValueType::Text),
        ("string", Some(words)) => {
            let words = words.as_array()?.iter().map(Value::as_str);
            let words: Option<BTreeSet<&str>> = words.collect();
            let words = words?.into_iter().filter(|word| !word.is_empty());
            Some(ValueType::OneOf(words.map(str::to_owned).collect()))
        }
        ("integer", _) => Some(ValueType::Integer),
        ("number", _) => Some(ValueType::Number),
        ("boolean", _) => Some(ValueType::Boolean),
        (_, _) => None,
    }
}

async fn read(client: &Client, address: &str) -> Result<Value, ClusterError> {
    let request = http_request(address)?;
    let call = Call {
        verb: "get",
        resource: address.to_owned(),
        namespace: "",
    };
    let bytes = call
        .answer(async {
            let stream = client.request_stream(request).await?;
            let mut bytes = Vec::new();
            futures::pin_mut!(stream);
            stream
                .take(LONGEST_SCHEMA + 1)
                .read_to_end(&mut bytes)
                .await
                .map_err(|error| kube::Error::Service(Box::new(error)))?;
            Ok(bytes)
        })
        .await?
        .ok_or_else(|| unreadable(address, "the API server has no such page"))?;
    if bytes.len() as u64 > LONGEST_SCHEMA {
        return Err(unreadable(address, "it is larger than 32 MiB"));
    }
    serde_json::from_slice(&bytes).map_err(|error| unreadable(address, &error.to_string()))
}

fn http_request(address: &str) -> Result<axum::http::Request<Vec<u8>>, ClusterError> {
    axum::http::Request::get(address)
        .body(Vec::new())
        .map_err(|error| unreadable(address, &error.to_string()))
}

fn unreadable(address: &str, why: &str) -> ClusterError {
    ClusterError::Rejected {
        reason: format!("the schemas at `{address}` cannot be read: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_become_shapes() {
        let check = |schema: Value, expected: Shape| assert_eq!(shape(&schema), expected);
        let named = || Shape::Named("a.B".to_owned());
        check(json!({"$ref": "#/components/schemas/a.B"}), named());
        check(
            json!({"allOf": [{"$ref": "#/components/schemas/a.B"}], "default": {}}),
            named(),
        );
        check(
            json!({"type": "array", "items": {"$ref": "#/components/schemas/a.B"}}),
            Shape::List(Box::new(named())),
        );
        check(
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            Shape::Map(Box::new(Shape::Value(ValueType::Text))),
        );
        check(
            json!({"type": "object", "properties": {"a": {"type": "integer"}}}),
            Shape::Fields([("a".to_owned(), Shape::Value(ValueType::Integer))].into()),
        );
        check(
            json!({"type": "string", "enum": ["a", "b"]}),
            Shape::Value(ValueType::OneOf(["a".to_owned(), "b".to_owned()].into())),
        );
        for free in [
            json!({"type": "object"}),
            json!({"type": "object", "properties": {"a": {}}, "x-kubernetes-preserve-unknown-fields": true}),
            json!({"type": "object", "properties": {"a": {}}, "additionalProperties": true}),
            json!({"x-kubernetes-int-or-string": true}),
            json!({"type": "string", "x-kubernetes-int-or-string": true}),
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
            json!({"type": "string", "enum": ["a", 1]}),
            json!("nonsense"),
        ] {
            check(free, Shape::Any);
        }
    }
}
