//! From a JSON Schema to the structural schema that a custom resource definition wants: every field has one type, nothing
//! is referred to, every list, text and map is bounded, and there are no floats.
//!
//! A number or a text becomes `x-kubernetes-int-or-string`. A text or a mapping cannot be said: it is kept as it is
//! (`x-kubernetes-preserve-unknown-fields`), and its faults are told by the reader of the documents.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Entries of a list, entries of a map and characters of a text, where the schema does not say. Far above what is
/// meant, and what keeps the cost of CEL within the API server's bounds.
const MOST_ITEMS: u64 = 200;
const MOST_PROPERTIES: u64 = 64;
const MOST_CHARACTERS: u64 = 4096;
/// Characters of what may be a number.
const MOST_OF_A_LIMIT: u64 = 64;
/// Definitions within each other; ours are flat.
const MOST_DEPTH: usize = 16;
/// Fields of every object, which the API server knows.
const OF_EVERY_OBJECT: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

/// The structural schema of one definition, as the root of a custom resource, with this status.
pub(super) fn root(name: &str, whole: &Value, status: Value) -> Value {
    let definitions = whole.get("$defs").cloned().unwrap_or_default();
    let mut root = schema(&json!({"$ref": format!("#/$defs/{name}")}), &definitions, 0);
    let fields = root
        .get_mut("properties")
        .and_then(Value::as_object_mut)
        .expect("a document is a mapping");
    fields.insert("apiVersion".to_owned(), json!({"type": "string"}));
    fields.insert("kind".to_owned(), json!({"type": "string"}));
    fields.insert("metadata".to_owned(), json!({"type": "object"}));
    fields.insert("status".to_owned(), status);
    let object = root.as_object_mut().expect("a schema is a mapping");
    // An API server allows no `oneOf` there beside a status; CEL says the same.
    object.remove("oneOf");
    if let Some(Value::Array(required)) = object.get_mut("required") {
        required.retain(|name| {
            !OF_EVERY_OBJECT
                .iter()
                .any(|known| name.as_str() == Some(*known))
        });
        if required.is_empty() {
            object.remove("required");
        }
    }
    root
}

/// The structural schema of a status, whose definitions are its own.
pub(super) fn status(whole: &Value) -> Value {
    let definitions = whole.get("$defs").cloned().unwrap_or_default();
    schema(whole, &definitions, 0)
}

fn schema(node: &Value, definitions: &Value, depth: usize) -> Value {
    assert!(depth < MOST_DEPTH, "a definition holds itself");
    let node = followed(node, definitions);
    let mut out = Map::new();
    if let Some(description) = node.get("description").and_then(Value::as_str) {
        out.insert(
            "description".to_owned(),
            description.replace('\n', " ").into(),
        );
    }
    if let Some(words) = words(&node) {
        out.insert("type".to_owned(), "string".into());
        out.insert("enum".to_owned(), words);
        return Value::Object(out);
    }
    if let Some(choices) = node.get("anyOf").and_then(Value::as_array) {
        let kinds: BTreeSet<String> = choices
            .iter()
            .map(|choice| kind(&followed(choice, definitions)))
            .collect();
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        let key = match kinds.as_slice() {
            ["number" | "integer", "string"] => "x-kubernetes-int-or-string",
            _ => "x-kubernetes-preserve-unknown-fields",
        };
        out.insert(key.to_owned(), true.into());
        if key == "x-kubernetes-int-or-string" {
            out.insert("maxLength".to_owned(), MOST_OF_A_LIMIT.into());
        }
        return Value::Object(out);
    }
    let kind = kind(&node);
    out.insert("type".to_owned(), kind.clone().into());
    for keyword in ["enum", "minimum", "maximum", "minLength", "pattern"] {
        if let Some(value) = node.get(keyword) {
            out.insert(keyword.to_owned(), value.clone());
        }
    }
    let bound = |keyword: &str, most: u64| node.get(keyword).cloned().unwrap_or(most.into());
    match kind.as_str() {
        "string" if node.get("enum").is_none() => {
            out.insert("maxLength".to_owned(), bound("maxLength", MOST_CHARACTERS));
        }
        "array" => {
            let items = node.get("items").unwrap_or(&Value::Null);
            out.insert("items".to_owned(), schema(items, definitions, depth + 1));
            out.insert("maxItems".to_owned(), bound("maxItems", MOST_ITEMS));
            for keyword in [
                "minItems",
                "x-kubernetes-list-type",
                "x-kubernetes-list-map-keys",
            ] {
                if let Some(value) = node.get(keyword) {
                    out.insert(keyword.to_owned(), value.clone());
                }
            }
        }
        "object" => object(&node, definitions, depth, &mut out),
        _ => {}
    }
    Value::Object(out)
}

fn object(
    node: &Map<String, Value>,
    definitions: &Value,
    depth: usize,
    out: &mut Map<String, Value>,
) {
    if node.get("additionalProperties") == Some(&Value::Bool(true)) {
        // Somebody else's object: all of it counts.
        out.insert(
            "x-kubernetes-preserve-unknown-fields".to_owned(),
            true.into(),
        );
        return;
    }
    if let Some(values @ Value::Object(_)) = node.get("additionalProperties") {
        let values = schema(values, definitions, depth + 1);
        out.insert("additionalProperties".to_owned(), values);
        let most = node.get("maxProperties").cloned();
        out.insert(
            "maxProperties".to_owned(),
            most.unwrap_or(MOST_PROPERTIES.into()),
        );
        return;
    }
    let mut fields = Map::new();
    if let Some(Value::Object(properties)) = node.get("properties") {
        for (name, field) in properties {
            fields.insert(name.clone(), schema(field, definitions, depth + 1));
        }
    }
    if let Some(required) = node.get("required") {
        out.insert("required".to_owned(), required.clone());
    }
    let mut rules = node
        .get("x-kubernetes-validations")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let one_of = exactly_one(node, &fields);
    if let Some(names) = &one_of {
        rules.insert(0, one_of_rule(names, &fields));
        // Where CEL sees all of them it says so alone: what a schema refuses, CEL is not asked about any more.
        let seen = |name: &String| {
            fields
                .get(name)
                .is_some_and(|field| field.get("type").is_some())
        };
        if !names.iter().all(seen) {
            let choices: Vec<Value> = names
                .iter()
                .map(|name| json!({"required": [name]}))
                .collect();
            out.insert("oneOf".to_owned(), choices.into());
        }
    } else if let Some(least) = node.get("minProperties") {
        out.insert("minProperties".to_owned(), least.clone());
    }
    if !rules.is_empty() {
        out.insert("x-kubernetes-validations".to_owned(), rules.into());
    }
    out.insert("properties".to_owned(), fields.into());
}

/// Fields of which exactly one must be there: a `oneOf` of required fields says so, or that as many fields are there as
/// are always there and one more.
fn exactly_one(node: &Map<String, Value>, fields: &Map<String, Value>) -> Option<Vec<String>> {
    if let Some(choices) = node.get("oneOf").and_then(Value::as_array) {
        return choices
            .iter()
            .map(|choice| Some(choice["required"].as_array()?.first()?.as_str()?.to_owned()))
            .collect();
    }
    let required = node
        .get("required")
        .and_then(Value::as_array)
        .map_or(&[] as &[Value], Vec::as_slice);
    let count = |keyword: &str| node.get(keyword).and_then(Value::as_u64);
    let one_more = u64::try_from(required.len()).ok()? + 1;
    if count("minProperties") != Some(one_more) || count("maxProperties") != Some(one_more) {
        return None;
    }
    let optional = |name: &&String| !required.iter().any(|known| known.as_str() == Some(*name));
    Some(fields.keys().filter(optional).cloned().collect())
}

/// The sentence for people: what `oneOf` refuses it says in the words of a schema.
fn one_of_rule(names: &[String], fields: &Map<String, Value>) -> Value {
    // CEL does not see a field that is a text or a mapping.
    let seen: Vec<&String> = names
        .iter()
        .filter(|name| {
            fields
                .get(*name)
                .is_some_and(|field| field.get("type").is_some())
        })
        .collect();
    let there: Vec<String> = seen
        .iter()
        .map(|name| format!("has(self.{name})"))
        .collect();
    let count = format!("[{}].filter(given, given).size()", there.join(", "));
    let listed: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let (is, what) = if seen.len() == names.len() {
        ("== 1", "exactly one")
    } else {
        ("<= 1", "one, and not more,")
    };
    json!({
        "rule": format!("{count} {is}"),
        "message": format!("give {what} of {}", listed.join(", ")),
    })
}

/// A definition in the place of what refers to it; what stands beside the reference wins.
fn followed(node: &Value, definitions: &Value) -> Map<String, Value> {
    let mut node = node.as_object().cloned().unwrap_or_default();
    while let Some(reference) = node.remove("$ref") {
        let name = reference.as_str().unwrap_or_default();
        let name = name.strip_prefix("#/$defs/").unwrap_or_default();
        let definition = definitions.get(name).and_then(Value::as_object);
        let mut definition = definition.expect("it is defined").clone();
        definition.extend(node);
        node = definition;
    }
    node
}

/// The words of an enumeration whose words have descriptions.
fn words(node: &Map<String, Value>) -> Option<Value> {
    let choices = node.get("oneOf")?.as_array()?;
    let mut words = Vec::new();
    for choice in choices {
        // Those without a description come together.
        match (choice.get("const"), choice.get("enum")) {
            (Some(word), _) => words.push(word.clone()),
            (None, Some(Value::Array(several))) => words.extend(several.iter().cloned()),
            (None, _) => return None,
        }
    }
    Some(Value::Array(words))
}

fn kind(node: &Map<String, Value>) -> String {
    match node.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        _ if words(node).is_some() => "string".to_owned(),
        _ => "object".to_owned(),
    }
}
