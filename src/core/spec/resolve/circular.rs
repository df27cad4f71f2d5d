//! Watches whose actions go round in a circle: one changes what the other watches, and the other what it watches.
//! Each step of such a circle looks like a cause for the next one, so that it would not come to an end by itself.
//!
//! A watch may change its own target: that is once per incident.

use std::collections::{BTreeMap, BTreeSet};

use super::super::drafts::Site;
use super::super::report::Report;
use crate::ids::TargetId;
use crate::rule::{ScaleTarget, Task, Watch};

/// Namespace, kind and name.
type Workload = (String, String, String);

/// What the watches so far lead to.
#[derive(Debug, Default)]
pub(super) struct Circles {
    leads_to: BTreeMap<Workload, BTreeSet<Workload>>,
}

fn watched(target: &TargetId) -> Workload {
    let TargetId {
        namespace,
        kind,
        name,
    } = target;
    (namespace.clone(), kind.to_string(), name.clone())
}

fn scaled(target: &ScaleTarget) -> Workload {
    let ScaleTarget {
        namespace,
        kind,
        name,
    } = target;
    (namespace.clone(), kind.to_string(), name.clone())
}

impl Circles {
    /// Takes a watch in, or reports that it closes a circle; false: it does.
    pub(super) fn add(&mut self, watch: &Watch, site: Site, reports: &mut [Report<'_>]) -> bool {
        let own = watched(&watch.target);
        let leads_to: BTreeSet<Workload> = watch
            .always
            .iter()
            .filter_map(|always| always.scale.as_ref())
            .map(|scale| scaled(&scale.target))
            .chain(watch.runbooks().flat_map(|runbook| {
                let steps = runbook.steps.iter().filter_map(Task::object);
                steps.map(|object| (object.namespace, object.kind, object.name))
            }))
            .filter(|other| *other != own)
            .collect();
        if let Some(through) = leads_to.iter().find(|next| self.reaches(next, &own)) {
            let (_, kind, name) = through;
            if let Some(report) = reports.get_mut(site.file) {
                report
                    .error(
                        site.span,
                        format!("the actions of this watch go round in a circle: it changes {kind}/{name}, and what follows from that changes {}/{}, its target", own.1, own.2),
                    )
                    .help("leave one of the actions out: each would give cause for the other");
            }
            return false;
        }
        self.leads_to.entry(own).or_default().extend(leads_to);
        true
    }

    fn reaches(&self, from: &Workload, to: &Workload) -> bool {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![from];
        while let Some(workload) = waiting.pop() {
            if workload == to {
                return true;
            }
            if seen.insert(workload) {
                waiting.extend(self.leads_to.get(workload).into_iter().flatten());
            }
        }
        false
    }
}
