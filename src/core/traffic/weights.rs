//! The weights of two backends of one rule: everything else of the object stays as it is.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::places::{Found, find};
use super::{Route, Seen};

/// Sets the weights of the canary and of what gets the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Weights {
    pub route: Route,
    pub from: WeightsOf,
    pub to: WeightsOf,
}

/// Two weights, as the object counts them: their sum need not be 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeightsOf {
    pub canary: u32,
    pub stable: u32,
}

impl Found {
    /// The weights that give the canary `percent` of what both get.
    pub(super) fn weights_of(&self, percent: u32) -> Result<WeightsOf, String> {
        let sum = u64::from(self.weights.canary) + u64::from(self.weights.stable);
        if sum == 0 {
            return Err("both weights are 0: there is no traffic that could be split".to_owned());
        }
        let product = sum * u64::from(percent);
        let (canary, sum) = if product.is_multiple_of(100) {
            (product / 100, sum)
        } else if self.alone {
            // Only the proportion counts between two: 1 and 1 cannot say 10 %.
            (u64::from(percent), 100)
        } else {
            return Err(format!(
                "the two weigh {sum} together, of which {percent} % cannot be taken; let them weigh 100 together, since the others of that rule stay as they are"
            ));
        };
        let too_large = |_| format!("weights of {sum} together are too large");
        Ok(WeightsOf {
            canary: u32::try_from(canary).map_err(too_large)?,
            stable: u32::try_from(sum - canary).map_err(too_large)?,
        })
    }
}

impl Weights {
    /// What an object that was read just now shows of it.
    ///
    /// # Errors
    /// The rule or a backend is not there any more: a sentence without a full stop.
    pub fn seen(&self, object: &Value) -> Result<Seen, String> {
        let now = find(&self.route, object)?.weights;
        Ok(if now == self.to {
            Seen::After
        } else if now == self.from {
            Seen::Before
        } else {
            Seen::Other(now.in_words())
        })
    }

    /// The operations of a JSON patch (RFC 6902) that set it.
    ///
    /// # Errors
    /// As [`Self::seen`].
    pub fn patch(&self, object: &Value) -> Result<Vec<Value>, String> {
        let found = find(&self.route, object)?;
        // `add` on a member of an object replaces what is there.
        let set = |at: &str, to| json!({"op": "add", "path": format!("{at}/weight"), "value": to});
        Ok(vec![
            set(&found.stable_at, self.to.stable),
            set(&found.canary_at, self.to.canary),
        ])
    }

    /// What is done, for people.
    pub fn in_words(&self) -> String {
        format!(
            "set the weights of {} and the rest from {}/{} to {}/{}",
            self.route.backend(),
            self.from.canary,
            self.from.stable,
            self.to.canary,
            self.to.stable
        )
    }

    /// From what this sets to nothing for the canary.
    #[must_use]
    pub fn emptied(&self) -> Self {
        let to = WeightsOf {
            canary: 0,
            stable: self.to.canary.saturating_add(self.to.stable),
        };
        Self {
            from: self.to,
            to,
            ..self.clone()
        }
    }

    /// The same, back.
    #[must_use]
    pub fn undo(&self) -> Self {
        Self {
            route: self.route.clone(),
            from: self.to,
            to: self.from,
        }
    }
}

impl WeightsOf {
    /// Both, for people.
    pub fn in_words(self) -> String {
        format!(
            "{} for the canary and {} for the rest",
            self.canary, self.stable
        )
    }
}
