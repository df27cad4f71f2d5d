//! The JSON Schema of the documents that people write, for editors: what `recant schema` prints.
//!
//! These types say the shape and nothing more: what the documents mean, and every error about them, is
//! `recant_core::spec`, and a test holds that both know the same fields. The descriptions are the doc comments here.

mod cel;
pub mod channel;
pub mod crd;
pub mod metric;
mod pattern;
pub mod rule;
pub mod runbook;
pub mod status;
mod structural;
pub mod test;
pub mod watch;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use channel::Channel;
use rule::RuleSet;
use runbook::Runbook;
use test::Test;
use watch::Watch;

/// A document of Recant: rules, what they watch, where notices go, and tests of rules.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Document {
    RuleSet(RuleSet),
    Watch(Box<Watch>),
    Runbook(Runbook),
    Channel(Box<Channel>),
    Test(Box<Test>),
}

/// The version of the documents.
#[derive(Debug, JsonSchema)]
pub enum ApiVersion {
    #[schemars(rename = "recant.dev/v1alpha1")]
    V1Alpha1,
}

/// Name of a document.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Metadata {
    /// Lower-case letters, digits, `-` and `.`.
    pub name: String,
    /// Not used by Recant.
    pub labels: Option<BTreeMap<String, String>>,
    /// Not used by Recant.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Name of a document that may belong to a namespace.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SharedMetadata {
    /// Lower-case letters, digits, `-` and `.`.
    pub name: String,
    /// Only watches of this namespace can name it; left out, all can.
    pub namespace: Option<String>,
    /// Not used by Recant.
    pub labels: Option<BTreeMap<String, String>>,
    /// Not used by Recant.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Name and namespace of a document.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct NamespacedMetadata {
    /// Lower-case letters, digits, `-` and `.`.
    pub name: String,
    /// The namespace of the target.
    pub namespace: String,
    /// Not used by Recant.
    pub labels: Option<BTreeMap<String, String>>,
    /// Not used by Recant.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// The schema of all documents, as a JSON Schema of 2020-12.
pub fn schema() -> Value {
    schema_of::<Document>()
}

/// The schema of one type with all that it is made of.
fn schema_of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    without_null(&mut schema);
    schema
}

/// The same for editors, to whom what only an API server understands says nothing.
pub fn for_editors() -> Value {
    let mut schema = schema();
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        for definition in definitions.values_mut().filter_map(Value::as_object_mut) {
            definition.remove("x-kubernetes-validations");
        }
    }
    schema
}

/// Fields that may be left out may not be empty: `max:` alone is an error.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = fields.get_mut("enum") {
                choices.retain(|choice| !choice.is_null());
            }
            if let Some(Value::Array(choices)) = fields.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    fields.remove("anyOf");
                    for (name, value) in only {
                        fields.entry(name).or_insert(value);
                    }
                }
            }
            fields.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
