//! The Service behind one path of an Ingress: blue-green by its backend.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Seen;

/// Makes one path of an Ingress lead to another Service; the port stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressBackend {
    /// `None`: any host, if only one has that path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `None`: the only path there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub from: String,
    pub to: String,
}

struct Path<'a> {
    pointer: String,
    host: &'a str,
    path: &'a str,
    service: &'a str,
}

/// Every Service that an Ingress leads to.
pub(super) fn services(object: &Value) -> Vec<&str> {
    let default = object
        .pointer("/spec/defaultBackend/service/name")
        .and_then(Value::as_str);
    let all = paths(object).into_iter().map(|path| path.service);
    all.chain(default).filter(|name| !name.is_empty()).collect()
}

fn paths(object: &Value) -> Vec<Path<'_>> {
    let mut found = Vec::new();
    let rules = object.pointer("/spec/rules").and_then(Value::as_array);
    for (rule_at, rule) in rules.into_iter().flatten().enumerate() {
        let host = rule.get("host").and_then(Value::as_str).unwrap_or_default();
        let paths = rule.pointer("/http/paths").and_then(Value::as_array);
        for (path_at, path) in paths.into_iter().flatten().enumerate() {
            let service = path
                .pointer("/backend/service/name")
                .and_then(Value::as_str);
            found.push(Path {
                pointer: format!("/spec/rules/{rule_at}/http/paths/{path_at}/backend/service/name"),
                host,
                path: path.get("path").and_then(Value::as_str).unwrap_or("/"),
                service: service.unwrap_or_default(),
            });
        }
    }
    found
}

/// The one path that is meant.
fn one<'a>(host: Option<&str>, path: Option<&str>, object: &'a Value) -> Result<Path<'a>, String> {
    let meant = |found: &Path<'_>| {
        host.is_none_or(|host| host == found.host) && path.is_none_or(|path| path == found.path)
    };
    let mut found: Vec<Path<'a>> = paths(object);
    let all = found.len();
    found.retain(|path| meant(path));
    match (found.len(), found.pop()) {
        (1, Some(one)) if one.service.is_empty() => Err(format!(
            "path `{}` of host `{}` leads to no Service",
            one.path, one.host
        )),
        (1, Some(one)) => Ok(one),
        (0, _) => Err(format!(
            "the Ingress has no such path (host {}, path {}); it has {all}",
            host.map_or_else(|| "any".to_owned(), |host| format!("`{host}`")),
            path.map_or_else(|| "any".to_owned(), |path| format!("`{path}`")),
        )),
        (several, _) => Err(format!(
            "{several} paths of the Ingress are meant: name one with `host` and `path`"
        )),
    }
}

impl IngressBackend {
    /// The edit that makes the path lead to `to`; `None`: it does.
    ///
    /// # Errors
    /// No path, or more than one, is meant: a sentence without a full stop.
    pub fn decide(
        host: Option<&str>,
        path: Option<&str>,
        to: &str,
        object: &Value,
    ) -> Result<Option<Self>, String> {
        let found = one(host, path, object)?;
        if let Some(owner) = super::managed_by(object) {
            return Err(format!(
                "the Ingress belongs to {owner}, which would set it back"
            ));
        }
        let owned = |text: &str| Some(text.to_owned());
        Ok((found.service != to).then(|| Self {
            // Now that it is known: another path that comes later is not meant.
            host: owned(found.host),
            path: owned(found.path),
            from: found.service.to_owned(),
            to: to.to_owned(),
        }))
    }

    /// What an object that was read just now shows of it.
    ///
    /// # Errors
    /// The path is not there any more: a sentence without a full stop.
    pub fn seen(&self, object: &Value) -> Result<Seen, String> {
        let now = one(self.host.as_deref(), self.path.as_deref(), object)?.service;
        Ok(if now == self.to {
            Seen::After
        } else if now == self.from {
            Seen::Before
        } else {
            Seen::Other(format!("`{now}`"))
        })
    }

    /// The operations of a JSON patch (RFC 6902) that set it.
    ///
    /// # Errors
    /// As [`Self::seen`].
    pub fn patch(&self, object: &Value) -> Result<Vec<Value>, String> {
        let found = one(self.host.as_deref(), self.path.as_deref(), object)?;
        Ok(vec![
            json!({"op": "replace", "path": found.pointer, "value": self.to}),
        ])
    }

    /// What is done, for people.
    pub fn in_words(&self) -> String {
        let Self {
            host,
            path,
            from,
            to,
        } = self;
        let (host, path) = (
            host.as_deref().unwrap_or_default(),
            path.as_deref().unwrap_or_default(),
        );
        format!("lead {host}{path} to Service `{to}` in place of `{from}`")
    }

    /// The same, back.
    #[must_use]
    pub fn undo(&self) -> Self {
        Self {
            from: self.to.clone(),
            to: self.from.clone(),
            ..self.clone()
        }
    }
}
