//! Documents that came from an API server, one by one, beside those of files: a bad one changes nothing but itself.
//!
//! A rule set or a channel that is bad goes on in its last good form; so does a watch, with the rules that it had then.
//! What is in files comes first: it belongs to those who run the agent. Then the older resource comes before the newer.

use std::collections::BTreeMap;
use std::fmt;

use super::checks::Checks;
use super::diagnostic::{Diagnostic, SourceFile};
use super::resolve::resources as resolve;
use crate::rule::{OnRequest, RuleBook, Watch};

/// Kinds of documents that can be custom resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    RuleSet,
    Channel,
    Runbook,
    Watch,
}

impl ResourceKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::RuleSet, Self::Channel, Self::Runbook, Self::Watch];

    /// As paths and Roles name it.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::RuleSet => "rulesets",
            Self::Channel => "channels",
            Self::Runbook => "runbooks",
            Self::Watch => "watches",
        }
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RuleSet => "RuleSet",
            Self::Channel => "Channel",
            Self::Runbook => "Runbook",
            Self::Watch => "Watch",
        })
    }
}

/// Which document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    pub kind: ResourceKind,
    pub namespace: String,
    pub name: String,
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// A document of the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub key: ResourceKey,
    /// Another object of the same name is another document.
    pub uid: String,
    /// It lies in the agent's own namespace: its rule sets and channels are for all, and its secrets are the agent's.
    pub shared: bool,
    /// The document as it is there; the name is for messages.
    pub file: SourceFile,
}

/// How each resource was when it was good.
#[derive(Debug, Clone, Default)]
pub struct LastGood {
    pub(super) of: BTreeMap<ResourceKey, Good>,
}

#[derive(Debug, Clone)]
pub(super) struct Good {
    pub(super) uid: String,
    pub(super) form: Form,
}

/// What is kept of a good document.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// Of a rule set, a channel or a runbook.
    Text(SourceFile),
    Watch(Box<Watch>),
    OnRequest(Box<OnRequest>),
}

/// What became of one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Errors and warnings, in the order of the document.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether it holds as it is.
    pub good: bool,
    /// It has errors, and its last good form goes on to hold.
    pub kept: bool,
}

/// Files and resources together.
#[derive(Debug, Clone)]
pub struct Merged {
    pub book: RuleBook,
    pub found: BTreeMap<ResourceKey, Found>,
}

/// Puts resources beside files that are without errors. `resources` are in the order in which they count: the oldest
/// first. `last` is what was good before, and is brought up to date.
pub fn merge(
    files: &[SourceFile],
    shipped: &[SourceFile],
    resources: &[Resource],
    last: &mut LastGood,
    checks: Checks,
) -> Merged {
    // What is gone, or is another object by now, has no last good form.
    let uids: BTreeMap<&ResourceKey, &str> = resources
        .iter()
        .map(|resource| (&resource.key, resource.uid.as_str()))
        .collect();
    last.of
        .retain(|key, good| uids.get(key).is_some_and(|uid| **uid == *good.uid));
    resolve::merge(files, shipped, resources, last, checks)
}

#[cfg(test)]
mod tests;
