//! The selector of a Service: blue-green by one or several of its labels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Seen, escaped};

/// Changes values of labels that are in the selector already; the other labels stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    pub from: BTreeMap<String, String>,
    /// The same labels.
    pub to: BTreeMap<String, String>,
    /// The whole selector as it will be: what its pods have.
    pub selects: BTreeMap<String, String>,
}

/// Whether labels are selected by a selector. An empty one selects nothing, as with a Service.
pub fn matches(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    !selector.is_empty()
        && selector
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
}

/// The selector of a Service.
pub(super) fn read(object: &Value) -> Result<BTreeMap<String, String>, String> {
    let selector = object.pointer("/spec/selector").and_then(Value::as_object);
    let Some(selector) = selector.filter(|selector| !selector.is_empty()) else {
        return Err("the Service has no selector".to_owned());
    };
    Ok(selector
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect())
}

impl Selector {
    /// The edit that makes the Service select `to`; `None`: it does.
    ///
    /// # Errors
    /// The selector has no such label, or is a controller's: a sentence without a full stop.
    pub fn decide(to: &BTreeMap<String, String>, object: &Value) -> Result<Option<Self>, String> {
        if let Some(owner) = super::managed_by(object) {
            return Err(format!(
                "the Service belongs to {owner}, which sets its selector and would set it back"
            ));
        }
        let now = read(object)?;
        if now.contains_key("rollouts-pod-template-hash") {
            return Err(
                "an Argo Rollout sets the selector of the Service (label `rollouts-pod-template-hash`): promote, abort or undo that"
                    .to_owned(),
            );
        }
        let mut from = BTreeMap::new();
        for key in to.keys() {
            let Some(value) = now.get(key) else {
                let known: Vec<&str> = now.keys().map(String::as_str).collect();
                return Err(format!(
                    "the Service does not select by label `{key}`; it selects by `{}`",
                    known.join("`, `")
                ));
            };
            from.insert(key.clone(), value.clone());
        }
        if from == *to {
            return Ok(None);
        }
        let mut selects = now;
        selects.extend(to.iter().map(|(key, value)| (key.clone(), value.clone())));
        Ok(Some(Self {
            from,
            to: to.clone(),
            selects,
        }))
    }

    /// What an object that was read just now shows of it.
    ///
    /// # Errors
    /// There is no selector any more, or its other labels changed: a sentence without a full stop.
    pub fn seen(&self, object: &Value) -> Result<Seen, String> {
        let now = read(object)?;
        let has = |wanted: &BTreeMap<String, String>| {
            wanted
                .iter()
                .all(|(key, value)| now.get(key) == Some(value))
        };
        let mut would = now.clone();
        would.extend(
            self.to
                .iter()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
        if would != self.selects {
            return Err(format!(
                "the selector of the Service was changed meanwhile: it is {}",
                in_words(&now)
            ));
        }
        Ok(if has(&self.to) {
            Seen::After
        } else if has(&self.from) {
            Seen::Before
        } else {
            Seen::Other(in_words(&now))
        })
    }

    /// The operations of a JSON patch (RFC 6902) that set it.
    ///
    /// # Errors
    /// As [`Self::seen`].
    pub fn patch(&self, object: &Value) -> Result<Vec<Value>, String> {
        read(object)?;
        let set = |(key, value): (&String, &String)| json!({"op": "replace", "path": format!("/spec/selector/{}", escaped(key)), "value": value});
        Ok(self.to.iter().map(set).collect())
    }

    /// What is done, for people.
    pub fn in_words(&self) -> String {
        format!(
            "select {} in place of {}",
            in_words(&self.to),
            in_words(&self.from)
        )
    }

    /// The same, back.
    #[must_use]
    pub fn undo(&self) -> Self {
        let mut selects = self.selects.clone();
        selects.extend(self.from.clone());
        Self {
            from: self.to.clone(),
            to: self.from.clone(),
            selects,
        }
    }
}

/// Labels for people: `color: blue`.
fn in_words(labels: &BTreeMap<String, String>) -> String {
    let labels: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    format!("`{}`", labels.join(", "))
}
