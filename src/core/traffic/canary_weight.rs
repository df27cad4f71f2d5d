//! The weight of a canary Ingress, as ingress-nginx reads it from its annotations.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Seen, annotation, escaped};

const CANARY: &str = "nginx.ingress.kubernetes.io/canary";
const WEIGHT: &str = "nginx.ingress.kubernetes.io/canary-weight";
/// What the weight is a part of; 100 when it is left out.
const TOTAL: &str = "nginx.ingress.kubernetes.io/canary-weight-total";

/// Sets the annotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryWeight {
    /// `None`: there is no such annotation, which nginx takes for 0.
    pub from: Option<u32>,
    pub to: u32,
}

/// What the annotations say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    pub(super) weight: Option<u32>,
    total: u32,
}

impl Read {
    pub(super) fn of_percent(self, percent: u32) -> Result<u32, String> {
        let product = u64::from(self.total) * u64::from(percent);
        if !product.is_multiple_of(100) {
            return Err(format!(
                "{percent} % of annotation `{TOTAL}: \"{}\"` is no whole number",
                self.total
            ));
        }
        u32::try_from(product / 100).map_err(|_| format!("annotation `{TOTAL}` is too large"))
    }

    pub(super) fn percent(self) -> f64 {
        f64::from(self.weight.unwrap_or(0)) * 100.0 / f64::from(self.total)
    }
}

/// Reads the annotations of a canary Ingress.
pub(super) fn read(object: &Value) -> Result<Read, String> {
    match annotation(object, CANARY) {
        Some("true") => {}
        Some(_) | None => {
            return Err(format!(
                "it is no canary Ingress of ingress-nginx: annotation `{CANARY}: \"true\"` is missing"
            ));
        }
    }
    let number = |key: &str| match annotation(object, key) {
        None => Ok(None),
        Some(text) => text
            .trim()
            .parse::<u32>()
            .map(Some)
            .map_err(|_| format!("its annotation `{key}` is no whole number")),
    };
    let total = number(TOTAL)?.unwrap_or(100);
    if total == 0 {
        return Err(format!("its annotation `{TOTAL}` is 0"));
    }
    let weight = number(WEIGHT)?;
    Ok(Read { weight, total })
}

/// The one Service that the Ingress leads to; `wanted` must be that one.
pub(super) fn serves<'a>(object: &'a Value, wanted: Option<&str>) -> Result<&'a str, String> {
    let mut services: Vec<&str> = super::backend::services(object);
    services.sort_unstable();
    services.dedup();
    match (services.as_slice(), wanted) {
        ([], _) => Err("it leads to no Service".to_owned()),
        (services, Some(wanted)) => {
            let found = services.iter().find(|service| **service == wanted);
            found.copied().ok_or_else(|| {
                format!(
                    "`{wanted}` is no Service that it leads to; it leads to `{}`",
                    services.join("`, `")
                )
            })
        }
        ([only], None) => Ok(only),
        (several, None) => Err(format!(
            "it leads to several Services (`{}`): say with `canary` which one is meant",
            several.join("`, `")
        )),
    }
}

impl CanaryWeight {
    /// What an object that was read just now shows of it.
    ///
    /// # Errors
    /// It is no canary Ingress any more: a sentence without a full stop.
    pub fn seen(&self, object: &Value) -> Result<Seen, String> {
        let now = read(object)?.weight;
        Ok(if now == Some(self.to) {
            Seen::After
        } else if now == self.from {
            Seen::Before
        } else {
            Seen::Other(now.map_or_else(|| "none".to_owned(), |now| now.to_string()))
        })
    }

    /// The operations of a JSON patch (RFC 6902) that set it.
    ///
    /// # Errors
    /// As [`Self::seen`].
    pub fn patch(&self, object: &Value) -> Result<Vec<Value>, String> {
        read(object)?;
        Ok(vec![json!({
            "op": "add",
            "path": format!("/metadata/annotations/{}", escaped(WEIGHT)),
            "value": self.to.to_string(),
        })])
    }

    /// The Service behind it, if that is one.
    pub fn serves(object: &Value) -> Option<String> {
        serves(object, None).ok().map(ToOwned::to_owned)
    }

    /// What is done, for people.
    pub fn in_words(&self) -> String {
        match self.from {
            Some(from) => format!("set the canary weight from {from} to {}", self.to),
            None => format!("set the canary weight to {}", self.to),
        }
    }

    /// From what this sets to nothing for the canary.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self {
            from: Some(self.to),
            to: 0,
        }
    }

    /// The same, back.
    #[must_use]
    pub fn undo(&self) -> Self {
        Self {
            from: Some(self.to),
            to: self.from.unwrap_or(0),
        }
    }
}
