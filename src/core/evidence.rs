//! Evidence that is kept before pods go: their last logs and their states, in a `ConfigMap` or a file of
//! bounded size.
//!
//! The journal holds where it lies and its digest; what it says stays out of the journal and of messages.

use serde::{Deserialize, Serialize};

use crate::change::ObjectRef;
use crate::rule::ScaleTarget;

/// What is kept, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeepEvidence {
    /// Whose pods.
    pub evidence_of: ScaleTarget,
    /// Of the workload.
    pub uid: String,
    /// The `ConfigMap` that is made.
    pub into: ObjectRef,
    /// Of the log of each container, the last lines.
    pub lines: u32,
    /// A file of that name in this folder of the agent's, in place of the `ConfigMap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

impl KeepEvidence {
    /// The evidence of an operation, in an object of its own.
    pub fn new(of: ScaleTarget, uid: String, operation: &str, lines: u32) -> Self {
        const LONGEST: usize = 200;
        let safe = |c: char| {
            let c = c.to_ascii_lowercase();
            if c.is_ascii_alphanumeric() { c } else { '-' }
        };
        let name: String = format!("recant-evidence-{}-{operation}", of.name)
            .chars()
            .map(safe)
            .take(LONGEST)
            .collect();
        let into = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: of.namespace.clone(),
            name: name.trim_end_matches('-').to_owned(),
        };
        Self {
            evidence_of: of,
            uid,
            into,
            lines,
            folder: None,
        }
    }

    /// What is done, for people.
    pub fn in_words(&self) -> String {
        format!(
            "keep the last logs and the states of the pods of {} in {}",
            self.evidence_of,
            self.place()
        )
    }

    /// Where it lies, for people: an object, or the path of a file.
    pub fn place(&self) -> String {
        match &self.folder {
            Some(folder) => format!("{}/{}.json", folder.trim_end_matches('/'), self.into.name),
            None => self.into.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::ScaleKind;

    #[test]
    fn its_object_has_a_name_that_the_api_server_takes() {
        let of = ScaleTarget {
            namespace: "shop".to_owned(),
            kind: ScaleKind::Deployment,
            name: "api".to_owned(),
        };
        let kept = KeepEvidence::new(of.clone(), "u".to_owned(), "api-Http_x/y-1-run", 10);
        assert_eq!(kept.into.name, "recant-evidence-api-api-http-x-y-1-run");
        let long = KeepEvidence::new(of, "u".to_owned(), &"-é".repeat(300), 10);
        assert!(long.into.name.len() <= 253 && long.into.name.ends_with(|c| c != '-'));
    }
}
