//! Metrics of what is judged and done.
//!
//! Labels are `&'static str`: names of states, verdicts, guards and steps, which the program has a fixed number of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counts analyses, verdicts, actions and holds; clones share the counters.
#[derive(Debug, Clone, Default)]
pub struct WorkMetrics {
    analyses: Numbers<StateLabel>,
    verdicts: Family<VerdictLabel, Counter>,
    actions: Family<ActionLabels, Counter>,
    holds: Numbers<GuardLabel>,
    incidents: Gauge,
    rules_without_data: Gauge,
    leader: Gauge,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabel {
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    action: &'static str,
    outcome: ActionOutcome,
}

/// What became of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "these names are the label's values")]
pub enum ActionOutcome {
    /// Carried out, by us or before by somebody else.
    done,
    /// The object was no longer what was judged.
    fenced,
    /// It cannot be done.
    refused,
    /// It could not be done in time.
    failed,
}

const OUTCOMES: [ActionOutcome; 4] = [
    ActionOutcome::done,
    ActionOutcome::fenced,
    ActionOutcome::refused,
    ActionOutcome::failed,
];

/// Gauges by one label, set all at once.
#[derive(Debug, Clone, Default)]
struct Numbers<L: Clone + std::hash::Hash + Eq> {
    gauges: Family<L, Gauge>,
    /// Labels that have a gauge: it falls to zero, and does not vanish in the middle of a scrape.
    seen: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl<L: Clone + std::hash::Hash + Eq> Numbers<L> {
    fn set(&self, numbers: &BTreeMap<&'static str, usize>, label: impl Fn(&'static str) -> L) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(numbers.keys());
        for name in &*seen {
            let number = numbers.get(name).copied().unwrap_or_default();
            self.gauges.get_or_create(&label(name)).set(count(number));
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GuardLabel {
    guard: &'static str,
}

impl WorkMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let Self {
            analyses,
            verdicts,
            actions,
            holds,
            incidents,
            rules_without_data,
            leader,
        } = self;
        registry.register("analyses", "Analyses, by state", analyses.gauges.clone());
        registry.register("verdicts", "Analyses that ended", verdicts.clone());
        registry.register(
            "actions",
            "Actions that ended, by what became of them",
            actions.clone(),
        );
        registry.register(
            "holds",
            "Actions that a guard holds back now",
            holds.gauges.clone(),
        );
        registry.register(
            "incidents",
            "Rules between releases that are broken now",
            incidents.clone(),
        );
        registry.register(
            "rules_without_data",
            "Rules of running analyses, and between releases, that have no data",
            rules_without_data.clone(),
        );
        registry.register(
            "leader",
            "1 when this replica holds the lease and acts, else 0",
            leader.clone(),
        );
    }

    /// How many analyses are in each state now; states not named have none.
    pub fn set_analyses(&self, by_state: &BTreeMap<&'static str, usize>) {
        self.analyses.set(by_state, |state| StateLabel { state });
    }

    /// How many actions each guard holds back now; guards not named hold none.
    pub fn set_holds(&self, by_guard: &BTreeMap<&'static str, usize>) {
        self.holds.set(by_guard, |guard| GuardLabel { guard });
    }

    /// How many rules between releases are broken now.
    pub fn set_incidents(&self, number: usize) {
        self.incidents.set(count(number));
    }

    /// How many rules of running analyses, and between releases, have no data now.
    pub fn set_rules_without_data(&self, number: usize) {
        self.rules_without_data.set(count(number));
    }

    /// This replica holds the lease and acts.
    pub fn leads(&self) {
        self.leader.set(1);
    }

    /// This replica does not act.
    pub fn follows(&self) {
        self.leader.set(0);
    }

    /// The verdict is possible: its series exists from now on, so that the first one is an increase.
    pub fn begin_verdict(&self, verdict: &'static str) {
        drop(self.verdicts.get_or_create(&VerdictLabel { verdict }));
    }

    /// An analysis ended.
    pub fn judged(&self, verdict: &'static str) {
        self.verdicts.get_or_create(&VerdictLabel { verdict }).inc();
    }

    /// The action is possible: its series exist from now on, so that the first outcome is an increase.
    pub fn begin_action(&self, action: &'static str) {
        for outcome in OUTCOMES {
            let labels = ActionLabels { action, outcome };
            drop(self.actions.get_or_create(&labels));
        }
    }

    /// An action ended.
    pub fn acted(&self, action: &'static str, outcome: ActionOutcome) {
        let labels = ActionLabels { action, outcome };
        self.actions.get_or_create(&labels).inc();
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
