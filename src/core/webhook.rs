//! A decided call of a webhook: whom it is about, what it says, and the key by which a receiver knows a repeat.
//!
//! A call leaves no mark in the cluster. Whether it was made before a crash is not known then: it is made again with the
//! same key and the same words, and says so.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::change::ObjectRef;
use crate::ids::{PlanId, RuleName, TargetId, WatchName};
use crate::rule::Webhook;
use crate::wording::short;

/// Sentences of evidence that are sent, and characters of each.
const SENTENCES: usize = 10;
const LONGEST: usize = 500;

/// One call with no choice left in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookCall {
    pub called: Webhook,
    /// The target of the watch: it must still be there, and the kill switch must be off.
    pub about: ObjectRef,
    /// Of the target, when it was decided.
    pub uid: String,
    pub says: Says,
}

/// What the body says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Says {
    pub decided: Timestamp,
    /// What people call the list of actions.
    pub title: String,
    pub watch: WatchName,
    pub target: TargetId,
    /// `fail` of a release, `broken` of a rule between releases, `ordered` by a person.
    pub verdict: String,
    /// Equal in all messages about one release or incident.
    pub correlation: String,
    /// The rules that are broken.
    #[serde(default)]
    pub rules: Vec<RuleName>,
    /// What they said, one sentence each.
    #[serde(default)]
    pub evidence: Vec<String>,
}

/// Who wants something done, where what is done is about that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub about: ObjectRef,
    pub says: Says,
}

impl WebhookCall {
    /// By which a receiver knows a repeat: one call of one plan.
    pub fn key(plan: &PlanId, index: usize) -> String {
        format!("{plan}/{index}")
    }

    /// The body, at most about 10 kB. `repeated`: it may have been sent before.
    pub fn body(&self, key: &str, repeated: bool) -> Value {
        let Says {
            decided,
            title,
            watch,
            target,
            verdict,
            correlation,
            rules,
            evidence,
        } = &self.says;
        let rules: Vec<&RuleName> = rules.iter().take(SENTENCES).collect();
        let evidence: Vec<String> = evidence
            .iter()
            .take(SENTENCES)
            .map(|sentence| short(sentence, LONGEST))
            .collect();
        json!({
            "type": "recant.action.webhook",
            "timestamp": decided,
            "idempotencyKey": key,
            "mayBeRepeat": repeated,
            "data": {
                "action": title,
                "watch": watch,
                "target": target,
                "uid": self.uid,
                "verdict": verdict,
                "correlation": correlation,
                "rules": rules,
                "evidence": evidence,
            },
        })
    }

    /// What is done, for people.
    pub fn in_words(&self) -> String {
        format!("call the webhook {}", self.called)
    }
}
