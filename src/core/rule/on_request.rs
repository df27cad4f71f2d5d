//! Watches of many workloads: each is taken up when somebody asks about it, and let go when its release is over.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{RuleBook, Watch};
use crate::ids::{TargetId, TargetKind, WatchName};

/// Which workloads may be taken up. None of its parts is empty but `labels`, which then allow all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    pub namespaces: BTreeSet<String>,
    pub kinds: BTreeSet<TargetKind>,
    /// Labels of the workload itself, not of its pods; it must have all of them.
    pub labels: BTreeMap<String, String>,
}

impl Scope {
    /// Whether workloads of this kind and namespace are allowed, if they have the labels.
    pub fn reaches(&self, target: &TargetId) -> bool {
        self.kinds.contains(&target.kind) && self.namespaces.contains(&target.namespace)
    }

    /// Whether this workload with these labels is allowed.
    pub fn allows(&self, target: &TargetId, labels: &BTreeMap<String, String>) -> bool {
        let mut wanted = self.labels.iter();
        self.reaches(target) && wanted.all(|(label, value)| labels.get(label) == Some(value))
    }

    /// Whether some workload could be allowed by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let mut both = self.labels.iter();
        let contradict = both.any(|(label, value)| {
            let theirs = other.labels.get(label);
            theirs.is_some_and(|theirs| theirs != value)
        });
        !contradict
            && !self.kinds.is_disjoint(&other.kinds)
            && !self.namespaces.is_disjoint(&other.namespaces)
    }

    /// Every namespace with every kind in it.
    pub fn places(&self) -> impl Iterator<Item = (String, TargetKind)> {
        self.namespaces.iter().flat_map(|namespace| {
            let kinds = self.kinds.iter();
            kinds.map(move |kind| (namespace.clone(), *kind))
        })
    }
}

/// A watch of every workload of its scope that somebody asks about.
#[derive(Debug, Clone, PartialEq)]
pub struct OnRequest {
    pub scope: Scope,
    /// What each of them is watched by; its target is put in.
    pattern: Watch,
}

impl OnRequest {
    /// A watch with the rules of `pattern`, whose target does not matter.
    pub fn new(scope: Scope, pattern: Watch) -> Self {
        Self { scope, pattern }
    }

    /// The name of the document.
    pub fn name(&self) -> &WatchName {
        &self.pattern.name
    }

    /// What a target of its scope is watched by.
    pub fn watch(&self, target: TargetId) -> Watch {
        Watch {
            target,
            ..self.pattern.clone()
        }
    }
}

impl RuleBook {
    /// Nothing is watched, and nothing could be.
    pub fn watches_nothing(&self) -> bool {
        self.watches.is_empty() && self.on_request.is_empty()
    }

    /// All watches, those on request with a target that stands for all of theirs: its name is empty.
    pub fn every_watch(&self) -> impl Iterator<Item = &Watch> {
        let patterns = self.on_request.iter().map(|asked| &asked.pattern);
        self.watches.iter().chain(patterns)
    }

    /// The watch of a target that was taken up by the watch of this name, if that still allows it and no other names it.
    pub fn taken_up(&self, target: &TargetId, by: &WatchName) -> Option<Watch> {
        let named = self.watches.iter().any(|watch| watch.target == *target);
        let mut allowing = self
            .on_request
            .iter()
            .filter(|asked| asked.name() == by && asked.scope.reaches(target));
        let allowing = allowing.next().filter(|_| !named)?;
        Some(allowing.watch(target.clone()))
    }

    /// Where all workloads must be known, so that whoever asks about one finds it.
    pub fn places(&self) -> BTreeSet<(String, TargetKind)> {
        let scopes = self.on_request.iter().map(|asked| &asked.scope);
        scopes.flat_map(Scope::places).collect()
    }
}
