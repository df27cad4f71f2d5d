//! What the watch of one kind of workload in one namespace has shown: of the targets, and where any workload may be
//! asked about, of the others as well.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, SeenWorkload};
use crate::cluster::kubernetes::facts::WorkloadFacts;

/// Workloads of one kind in one namespace that are kept besides the targets: about 500 bytes each.
const MOST_OTHERS: usize = 10_000;

/// The targets of one kind in one namespace. Other workloads are kept only where any of them may be asked about.
#[derive(Debug, Default)]
pub(super) struct Workloads {
    pub(super) by_name: BTreeMap<String, Option<WorkloadFacts>>,
    /// Those that are no targets; `None`: they are not kept.
    pub(super) others: Option<BTreeMap<String, WorkloadFacts>>,
    pub(super) listing: Option<BTreeSet<String>>,
    pub(super) synced: bool,
}

/// A target whose object changed; its uid before and after.
pub(super) struct Moved {
    pub(super) name: String,
    pub(super) was: Option<String>,
    pub(super) is: Option<String>,
}

impl Workloads {
    /// What is known of a workload that was no target so far; it is one from now on.
    pub(super) fn known(&mut self, name: &str) -> Option<WorkloadFacts> {
        let synced = self.synced;
        self.others.as_mut().filter(|_| synced)?.remove(name)
    }

    /// Targets and others.
    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &WorkloadFacts)> {
        let targets = self.by_name.iter();
        let targets = targets.filter_map(|(name, facts)| Some((name, facts.as_ref()?)));
        targets.chain(self.others.iter().flatten())
    }

    pub(super) fn change(&mut self, change: Change<SeenWorkload>) -> Vec<Moved> {
        match change {
            Change::List => {
                self.listing = Some(BTreeSet::new());
                Vec::new()
            }
            Change::Applied(SeenWorkload { name, facts }) => {
                if let Some(named) = &mut self.listing {
                    named.insert(name.clone());
                }
                self.set(&name, Some(facts)).into_iter().collect()
            }
            Change::Deleted(SeenWorkload { name, .. }) => {
                self.set(&name, None).into_iter().collect()
            }
            Change::Listed => {
                self.synced = true;
                let Some(named) = self.listing.take() else {
                    return Vec::new();
                };
                if let Some(others) = &mut self.others {
                    others.retain(|name, _| named.contains(name));
                }
                let unseen: Vec<_> = self
                    .by_name
                    .keys()
                    .filter(|name| !named.contains(*name))
                    .cloned()
                    .collect();
                unseen
                    .iter()
                    .filter_map(|name| self.set(name, None))
                    .collect()
            }
        }
    }

    /// `None`: no target has this name, or nothing changed.
    fn set(&mut self, name: &str, facts: Option<WorkloadFacts>) -> Option<Moved> {
        let Some(slot) = self.by_name.get_mut(name) else {
            self.keep(name, facts);
            return None;
        };
        if *slot == facts {
            return None;
        }
        let is = facts.as_ref().map(|facts| facts.uid.clone());
        let was = std::mem::replace(slot, facts).map(|facts| facts.uid);
        Some(Moved {
            name: name.to_owned(),
            was,
            is,
        })
    }
}

impl Workloads {
    /// Keeps what is known of a workload that is no target, where others are kept.
    fn keep(&mut self, name: &str, facts: Option<WorkloadFacts>) {
        let Some(others) = &mut self.others else {
            return;
        };
        match facts {
            Some(facts) if others.len() < MOST_OTHERS || others.contains_key(name) => {
                others.insert(name.to_owned(), facts);
            }
            Some(_) => {}
            None => {
                others.remove(name);
            }
        }
    }
}
