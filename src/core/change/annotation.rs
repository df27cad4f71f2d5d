//! Setting or removing one annotation of an object.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::json::{annotation, pointer_token};
use super::{Edit, Seen};
use crate::wording::short;

/// Of a value, people are shown this many characters.
const SHOWN: usize = 100;

/// One annotation; `None`: it is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotation {
    pub key: String,
    #[serde(default)]
    pub from: Option<String>,
    #[serde(default)]
    pub to: Option<String>,
}

impl Annotation {
    /// The edit that gives the object this annotation; `None`: it has it already.
    pub fn decide(object: &Value, key: &str, to: Option<&str>) -> Option<Edit> {
        let from = annotation(object, key);
        (from != to).then(|| {
            Edit::Annotation(Self {
                key: key.to_owned(),
                from: from.map(str::to_owned),
                to: to.map(str::to_owned),
            })
        })
    }

    pub(super) fn seen(&self, object: &Value) -> Seen {
        let now = annotation(object, &self.key);
        if now == self.from.as_deref() {
            Seen::From
        } else if now == self.to.as_deref() {
            Seen::To
        } else {
            let now = match now {
                Some(now) => format!("has `{}` set to {:?}", self.key, short(now, SHOWN)),
                None => format!("has no `{}` any more", self.key),
            };
            Seen::Other { now }
        }
    }

    /// The object has annotations when this is applied: the mark came before.
    pub(super) fn operations(&self, object: &Value) -> Vec<Value> {
        let path = format!("/metadata/annotations/{}", pointer_token(&self.key));
        match &self.to {
            Some(to) => vec![json!({"op": "add", "path": path, "value": to})],
            None if annotation(object, &self.key).is_some() => {
                vec![json!({"op": "remove", "path": path})]
            }
            None => Vec::new(),
        }
    }

    pub(super) fn undo(&self) -> Self {
        Self {
            key: self.key.clone(),
            from: self.to.clone(),
            to: self.from.clone(),
        }
    }

    pub(super) fn in_words(&self) -> String {
        match &self.to {
            Some(to) => format!("set annotation `{}` to {:?}", self.key, short(to, SHOWN)),
            None => format!("remove annotation `{}`", self.key),
        }
    }
}
