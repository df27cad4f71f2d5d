//! Setting or removing one environment variable of one container, in the pod template of a workload.
//!
//! The whole entry is kept, so that a variable that came from elsewhere (`valueFrom`) is put back as it was. Values that
//! were there before are never shown to people: they may be secret.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::json::pod_template;
use super::{Edit, Seen};
use crate::wording::{listed, short};

/// Of a value, people are shown this many characters.
const SHOWN: usize = 100;

/// One environment variable; `None`: it is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    pub container: String,
    pub name: String,
    /// The entry of the container's `env`: `{"name": …, "value": …}`.
    #[serde(default)]
    pub from: Option<Value>,
    #[serde(default)]
    pub to: Option<Value>,
    /// It puts back what was there before us, which is not shown to people.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub back: bool,
}

/// Where the entry is, or would be.
struct Place<'a> {
    /// JSON pointer to the container.
    container: String,
    /// Whether it has a list `env`.
    has_list: bool,
    /// Its place in the list, and what it is.
    entry: Option<(usize, &'a Value)>,
}

impl Environment {
    /// The edit that sets a variable; `None`: it is set so already. Without a container, the only one, or the one that
    /// `kubectl` would take (annotation `kubectl.kubernetes.io/default-container`).
    ///
    /// # Errors
    /// It is not possible on this object; a sentence for people.
    pub fn decide(
        object: &Value,
        container: Option<&str>,
        name: &str,
        value: &str,
    ) -> Result<Option<Edit>, String> {
        let container = match container {
            Some(container) => container.to_owned(),
            None => default_container(object)?,
        };
        let from = place(object, &container, name)?
            .entry
            .map(|(_, entry)| entry.clone());
        let to = Some(json!({"name": name, "value": value}));
        Ok((from != to).then(|| {
            Edit::Environment(Self {
                container,
                name: name.to_owned(),
                from,
                to,
                back: false,
            })
        }))
    }

    pub(super) fn seen(&self, object: &Value) -> Seen {
        if object.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
            let reason = "it was paused by somebody: new pods would not come".to_owned();
            return Seen::Impossible { reason };
        }
        let place = match place(object, &self.container, &self.name) {
            Ok(place) => place,
            Err(reason) => return Seen::Impossible { reason },
        };
        let now = place.entry.map(|(_, entry)| entry);
        if now == self.from.as_ref() {
            Seen::From
        } else if now == self.to.as_ref() {
            Seen::To
        } else {
            let Self {
                container, name, ..
            } = self;
            let now = match now {
                Some(_) => format!("has another {name} in container `{container}`"),
                None => format!("has no {name} in container `{container}` any more"),
            };
            Seen::Other { now }
        }
    }

    pub(super) fn operations(&self, object: &Value) -> Result<Vec<Value>, String> {
        let Place {
            container,
            has_list,
            entry,
        } = place(object, &self.container, &self.name)?;
        let operation = match (&self.to, entry) {
            (Some(to), Some((index, _))) => {
                json!({"op": "replace", "path": format!("{container}/env/{index}"), "value": to})
            }
            (Some(to), None) if has_list => {
                json!({"op": "add", "path": format!("{container}/env/-"), "value": to})
            }
            (Some(to), None) => {
                json!({"op": "add", "path": format!("{container}/env"), "value": [to]})
            }
            (None, Some((index, _))) => {
                json!({"op": "remove", "path": format!("{container}/env/{index}")})
            }
            (None, None) => return Ok(Vec::new()),
        };
        Ok(vec![operation])
    }

    pub(super) fn undo(&self) -> Self {
        Self {
            from: self.to.clone(),
            to: self.from.clone(),
            back: !self.back,
            ..self.clone()
        }
    }

    pub(super) fn in_words(&self) -> String {
        let Self {
            container, name, ..
        } = self;
        let value = self.to.as_ref().and_then(|to| to.get("value"));
        match (&self.to, value.and_then(Value::as_str)) {
            (None, _) => format!("remove {name} from container `{container}`"),
            (Some(_), Some(value)) if !self.back => {
                let value = short(value, SHOWN);
                format!("set {name} of container `{container}` to {value:?}")
            }
            (Some(_), _) => format!("put {name} of container `{container}` back"),
        }
    }
}

fn place<'a>(object: &'a Value, container: &str, name: &str) -> Result<Place<'a>, String> {
    let (path, containers) = containers(object)?;
    let named = |found: &&(usize, &Value)| name_of(found.1) == Some(container);
    let all: Vec<(usize, &Value)> = containers.iter().enumerate().collect();
    let Some((index, found)) = all.iter().find(named) else {
        let names: Vec<String> = containers
            .iter()
            .filter_map(name_of)
            .map(|name| format!("`{name}`"))
            .collect();
        return Err(format!(
            "it has no container `{container}`; there is {}",
            listed(&names)
        ));
    };
    let list = found.get("env").and_then(Value::as_array);
    let mut entries = list
        .into_iter()
        .flatten()
        .enumerate()
        .filter(|(_, entry)| name_of(entry) == Some(name));
    let entry = entries.next();
    if entries.next().is_some() {
        return Err(format!(
            "container `{container}` has {name} more than once: leave one"
        ));
    }
    Ok(Place {
        container: format!("{path}/{index}"),
        has_list: list.is_some(),
        entry,
    })
}

fn default_container(object: &Value) -> Result<String, String> {
    let (path, containers) = containers(object)?;
    if let [only] = containers {
        return name_of(only)
            .map(str::to_owned)
            .ok_or_else(|| "its container has no name".to_owned());
    }
    let template = path.trim_end_matches("/spec/containers");
    let chosen = object.pointer(template).and_then(|template| {
        super::json::annotation(template, "kubectl.kubernetes.io/default-container")
    });
    chosen.map(str::to_owned).ok_or_else(|| {
        let names: Vec<String> = containers
            .iter()
            .filter_map(name_of)
            .map(|name| format!("`{name}`"))
            .collect();
        format!(
            "it has more than one container ({}): say which with `container:`",
            listed(&names)
        )
    })
}

fn containers(object: &Value) -> Result<(String, &[Value]), String> {
    let kind = object
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let none = || format!("a {kind} has no pod template that could be changed");
    let path = format!("{}/spec/containers", pod_template(kind).ok_or_else(none)?);
    let found = object
        .pointer(&path)
        .and_then(Value::as_array)
        .filter(|found| !found.is_empty())
        .ok_or_else(none)?;
    Ok((path, found))
}

fn name_of(named: &Value) -> Option<&str> {
    named.get("name")?.as_str()
}
