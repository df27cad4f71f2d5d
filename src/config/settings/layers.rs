//! The layers that settings come from, and which of them a key came from.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use config::{Config, Map, Value, ValueKind};

use recant_core::spec::{self, SourceFile, nearest};

use super::errors::Faults;
use super::{Flags, SettingsError, TABLE};

const MOST_BYTES: u64 = 1 << 20;
const PREFIX: &str = "RECANT_";

/// All layers, strongest last.
#[derive(Debug)]
pub(super) struct Layers(Vec<Layer>);

/// Flat keys with their values, from one place.
#[derive(Debug)]
struct Layer {
    values: BTreeMap<String, Value>,
    /// Where each key was given, for messages.
    places: Places,
}

/// Where the keys of a layer are.
#[derive(Debug)]
enum Places {
    File {
        name: String,
        /// Line and column, both from 1.
        lines: BTreeMap<String, (usize, usize)>,
    },
    Environment,
    Flags,
}

impl Places {
    fn of(&self, key: &str) -> String {
        match self {
            Self::File { name, lines } => match lines.get(key) {
                Some((line, column)) => format!("file {name}:{line}:{column}"),
                None => format!("file {name}"),
            },
            Self::Environment => format!("environment {}", variable(key)),
            Self::Flags => "flag".to_owned(),
        }
    }
}

impl Layers {
    /// `None` when the file cannot be read: what is missing then says nothing about the rest.
    pub(super) fn read(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: &Flags,
        faults: &mut Faults,
    ) -> Option<Self> {
        let file = file.map(|path| {
            let layer = from_file(path, faults);
            faults.take(layer)
        });
        let environment = from_environment(environment, faults);
        let flags = from_flags(flags);
        let mut layers = Vec::new();
        if let Some(file) = file {
            layers.push(file?);
        }
        layers.extend([environment, flags]);
        Some(Self(layers))
    }

    /// The strongest value of each key, or its default.
    pub(super) fn merged(&self) -> Result<Config, SettingsError> {
        let mut builder = Config::builder();
        let failed = |key: &str, error: &config::ConfigError| SettingsError::Invalid {
            key: key.to_owned(),
            reason: error.to_string(),
            place: self.origin(key),
        };
        for entry in TABLE {
            let default = match entry.default {
                "[]" => ValueKind::Array(Vec::new()),
                text => ValueKind::String(text.to_owned()),
            };
            builder = builder
                .set_default(entry.key, Value::new(None, default))
                .map_err(|error| failed(entry.key, &error))?;
        }
        for layer in &self.0 {
            for (key, value) in &layer.values {
                builder = builder
                    .set_override(key, value.clone())
                    .map_err(|error| failed(key, &error))?;
            }
        }
        builder.build().map_err(|error| failed("settings", &error))
    }

    /// Where the strongest value of a key came from.
    pub(super) fn origin(&self, key: &str) -> String {
        self.0
            .iter()
            .rev()
            .find(|layer| layer.values.contains_key(key))
            .map_or_else(|| "default".to_owned(), |layer| layer.places.of(key))
    }
}

fn from_flags(flags: &Flags) -> Layer {
    let text = |value: &String| Value::new(None, ValueKind::String(value.clone()));
    let mut values: BTreeMap<String, Value> = BTreeMap::new();
    let mut rules: Vec<Value> = Vec::new();
    for (key, value) in flags {
        if *key == "rules" {
            rules.push(text(value));
        } else {
            values.insert((*key).to_owned(), text(value));
        }
    }
    if !rules.is_empty() {
        values.insert(
            "rules".to_owned(),
            Value::new(None, ValueKind::Array(rules)),
        );
    }
    Layer {
        values,
        places: Places::Flags,
    }
}

fn from_file(path: &Path, faults: &mut Faults) -> Result<Layer, SettingsError> {
    let read = |error: std::io::Error| SettingsError::Read {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let file = std::fs::File::open(path).map_err(read)?;
    let mut text = String::new();
    let size = file
        .take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(read)?;
    if size as u64 > MOST_BYTES {
        return Err(SettingsError::TooLarge {
            path: path.to_owned(),
        });
    }
    // Without the snippet: it would show lines of a file that may hold a secret (P10).
    let options = serde_saphyr::options! { with_snippet: false };
    // `None`: a file of comments only.
    let parsed: Option<serde_json::Map<String, serde_json::Value>> =
        serde_saphyr::from_str_with_options(&text, options).map_err(|error| {
            SettingsError::Syntax {
                path: path.to_owned(),
                reason: error.to_string(),
            }
        })?;
    let name = path.display().to_string();
    let lines = spec::places(&SourceFile {
        name: name.clone(),
        text,
    });
    let mut layer = Layer {
        values: BTreeMap::new(),
        places: Places::File { name, lines },
    };
    flatten("", parsed.unwrap_or_default(), &mut layer, faults);
    Ok(layer)
}

fn flatten(
    prefix: &str,
    mapping: serde_json::Map<String, serde_json::Value>,
    layer: &mut Layer,
    faults: &mut Faults,
) {
    for (name, value) in mapping {
        let key = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}.{name}")
        };
        let known = TABLE.iter().any(|entry| entry.key == key);
        let inner = TABLE.iter().any(|entry| {
            entry
                .key
                .strip_prefix(key.as_str())
                .is_some_and(|rest| rest.starts_with('.'))
        });
        let place = layer.places.of(&key);
        match value {
            serde_json::Value::Object(mapping) if inner => flatten(&key, mapping, layer, faults),
            value if known => {
                layer.values.insert(key, to_value(value));
            }
            _ if inner => faults.add(SettingsError::Invalid {
                key,
                reason: "holds further settings, give a mapping".to_owned(),
                place,
            }),
            _ => {
                let near = nearest(&key, TABLE.iter().map(|entry| entry.key))
                    .map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
                faults.add(SettingsError::Unknown { key, place, near });
            }
        }
    }
}

fn to_value(value: serde_json::Value) -> Value {
    let kind = match value {
        serde_json::Value::Null => ValueKind::String(String::new()),
        serde_json::Value::Bool(value) => ValueKind::String(value.to_string()),
        serde_json::Value::Number(value) => ValueKind::String(value.to_string()),
        serde_json::Value::String(text) => ValueKind::String(text),
        serde_json::Value::Array(values) => {
            ValueKind::Array(values.into_iter().map(to_value).collect())
        }
        serde_json::Value::Object(mapping) => ValueKind::Table(
            mapping
                .into_iter()
                .map(|(key, value)| (key, to_value(value)))
                .collect::<Map<_, _>>(),
        ),
    };
    Value::new(None, kind)
}

/// Variables that name a setting, and an error for those that nearly do.
///
/// Others of the same prefix are left alone: a cluster sets `RECANT_PORT` and its like for a Service called `recant`.
fn from_environment(
    environment: impl Iterator<Item = (String, String)>,
    faults: &mut Faults,
) -> Layer {
    let names: BTreeMap<String, &str> = TABLE
        .iter()
        .map(|entry| (variable(entry.key), entry.key))
        .collect();
    let is_list = |key: &str| {
        let mut lists = TABLE.iter().filter(|entry| entry.default == "[]");
        lists.any(|entry| entry.key == key)
    };
    let mut values = BTreeMap::new();
    for (name, value) in environment {
        let Some(key) = names.get(&name).copied() else {
            if let Err(error) = refuse_misspelt(&name, &names) {
                faults.add(error);
            }
            continue;
        };
        let kind = if is_list(key) {
            // Paths are separated as in PATH; a cron schedule may have commas.
            let separator = if key == "rules" { ':' } else { ';' };
            let parts = value
                .split(separator)
                .map(str::trim)
                .filter(|part| !part.is_empty());
            ValueKind::Array(
                parts
                    .map(|part| Value::new(None, ValueKind::String(part.to_owned())))
                    .collect(),
            )
        } else {
            ValueKind::String(value)
        };
        values.insert(key.to_owned(), Value::new(None, kind));
    }
    Layer {
        values,
        places: Places::Environment,
    }
}

/// A variable that is surely meant as a setting and is none. Its value is not shown: it may be a secret.
fn refuse_misspelt(name: &str, names: &BTreeMap<String, &str>) -> Result<(), SettingsError> {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return Ok(());
    };
    // Without the prefix, which would make any two short names look alike.
    let known = names.keys().filter_map(|name| name.strip_prefix(PREFIX));
    let near = nearest(rest, known);
    // A group of settings: `RECANT_PROMETHEUS__BEARER` for `RECANT_PROMETHEUS__BEARER__ENV`.
    let inner = names.keys().find(|known| {
        known
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with("__"))
    });
    let near = match (near, inner) {
        (_, Some(inner)) => format!(", did you mean `{inner}`?"),
        (Some(near), None) => format!(", did you mean `{PREFIX}{near}`?"),
        (None, None) if rest.contains("__") => String::new(),
        (None, None) => return Ok(()),
    };
    Err(SettingsError::Unknown {
        key: name.to_owned(),
        place: "environment".to_owned(),
        near,
    })
}

/// The environment variable of a key: `guards.coolDown` is `RECANT_GUARDS__COOL_DOWN`.
pub(super) fn variable(key: &str) -> String {
    let mut name = PREFIX.to_owned();
    for character in key.chars() {
        match character {
            '.' => name.push_str("__"),
            upper if upper.is_ascii_uppercase() => {
                name.push('_');
                name.push(upper);
            }
            lower => name.push(lower.to_ascii_uppercase()),
        }
    }
    name
}
