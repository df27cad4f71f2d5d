//! Alerts as symptoms: which alert, and how it names the target that it is about.
//!
//! An alert acts on a target only when it says so itself: by a pod, by the workload's name, or by a label that the rule
//! ties to the target. One that only has the same name may be about any other service.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{PodName, TargetId, TargetKind};

/// An alert that Alertmanager reports, by its name and labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertSelector {
    /// The label `alertname`.
    pub name: String,
    /// Labels that it must have; `${namespace}` and `${name}` in a value are those of the target.
    pub labels: BTreeMap<String, String>,
    pub scope: AlertScope,
    /// How long its condition held before it fired: the `for` of the alerting rule. What began that much before a
    /// release is no symptom of it.
    pub pending: Duration,
}

/// What an alert must say to count for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AlertScope {
    /// It names the target: by a pod of it, by its kind and name, or by a label of the rule with a placeholder.
    Target,
    /// It is of the target's namespace: every alert with these labels counts.
    Namespace,
}

/// What of a target an alert is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertOf {
    /// One pod, which the caller knows to be the target's or not.
    Pod {
        pod: PodName,
        /// It names the target besides: if the pod is a stranger (that of an exporter, say), it is about the whole.
        else_whole: bool,
    },
    /// The target as a whole.
    Whole,
}

const NAMESPACE: &str = "namespace";
/// A label that names a workload which is no target: an alert with it is about that.
const OTHER: &str = "job_name";

impl AlertSelector {
    /// What of the target an alert with these labels is about; `None`: it is about something else.
    ///
    /// Whether a pod that is named belongs to the target is for the caller to know.
    pub fn about(&self, labels: &BTreeMap<String, String>, target: &TargetId) -> Option<AlertOf> {
        let is = |label: &str, value: &str| labels.get(label).is_some_and(|own| own == value);
        if !is("alertname", &self.name) {
            return None;
        }
        let wanted = |(label, value): (&String, &String)| is(label, &for_target(value, target));
        if !self.labels.iter().all(wanted) {
            return None;
        }
        let names = |placeholder: &str| {
            let mut values = self.labels.values();
            values.any(|value| value.contains(placeholder))
        };
        // Two namespaces may well have workloads, and pods, of the same name.
        if !is(NAMESPACE, &target.namespace)
            && (labels.contains_key(NAMESPACE) || !names("${namespace}"))
        {
            return None;
        }
        let mut tied = names("${name}") || self.scope == AlertScope::Namespace;
        if labels.contains_key(OTHER) {
            return None;
        }
        for kind in TargetKind::ALL {
            if let Some(name) = labels.get(kind.label()) {
                if kind != target.kind || *name != target.name {
                    return None;
                }
                tied = true;
            }
        }
        match labels.get("pod") {
            Some(pod) => Some(AlertOf::Pod {
                pod: PodName(pod.clone()),
                else_whole: tied,
            }),
            None => tied.then_some(AlertOf::Whole),
        }
    }

    /// Labels of an alert that this selects for a target as a whole: for tests of rules.
    pub fn example(&self, target: &TargetId) -> BTreeMap<String, String> {
        let mut labels: BTreeMap<String, String> = self
            .labels
            .iter()
            .map(|(label, value)| (label.clone(), for_target(value, target)))
            .collect();
        labels.insert("alertname".to_owned(), self.name.clone());
        labels.insert(NAMESPACE.to_owned(), target.namespace.clone());
        if self.about(&labels, target).is_none() {
            labels.insert(target.kind.label().to_owned(), target.name.clone());
        }
        labels
    }
}

fn for_target(value: &str, target: &TargetId) -> String {
    value
        .replace("${namespace}", &target.namespace)
        .replace("${name}", &target.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> TargetId {
        TargetId {
            namespace: "shop".to_owned(),
            kind: TargetKind::Deployment,
            name: "checkout".to_owned(),
        }
    }

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let all = [("alertname", "HighErrorRate"), ("namespace", "shop")];
        let mut labels: BTreeMap<String, String> = all
            .iter()
            .chain(pairs)
            .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
            .collect();
        // An empty one takes one of the first two away.
        labels.retain(|_, value| !value.is_empty());
        labels
    }

    fn selector(wanted: &[(&str, &str)], scope: AlertScope) -> AlertSelector {
        AlertSelector {
            name: "HighErrorRate".to_owned(),
            labels: wanted
                .iter()
                .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
                .collect(),
            scope,
            pending: Duration::ZERO,
        }
    }

    #[test]
    fn an_alert_counts_only_when_it_names_the_target() {
        let plain = selector(&[("severity", "page")], AlertScope::Target);
        let tied = selector(&[("service", "${name}-api")], AlertScope::Target);
        let wide = selector(&[("service", "web")], AlertScope::Namespace);
        let full = selector(&[("app", "${namespace}/${name}")], AlertScope::Target);
        let page = ("severity", "page");
        let whole = Some(AlertOf::Whole);
        let pod = |name: &str, else_whole| {
            Some(AlertOf::Pod {
                pod: PodName(name.to_owned()),
                else_whole,
            })
        };
        for (selector, alert, about) in [
            // Nothing says of which service it is.
            (&plain, vec![page], None),
            (&plain, vec![("deployment", "checkout")], None),
            (
                &plain,
                vec![page, ("deployment", "checkout")],
                whole.clone(),
            ),
            (&plain, vec![page, ("deployment", "cart")], None),
            (&plain, vec![page, ("rollout", "checkout")], None),
            (&plain, vec![page, ("statefulset", "checkout")], None),
            (
                &plain,
                vec![page, ("pod", "checkout-1")],
                pod("checkout-1", false),
            ),
            (
                &plain,
                vec![page, ("deployment", "checkout"), ("namespace", "test")],
                None,
            ),
            (
                &plain,
                vec![page, ("deployment", "checkout"), ("namespace", "")],
                None,
            ),
            (
                &plain,
                vec![
                    ("severity", "page"),
                    ("pod", "x"),
                    ("deployment", "checkout"),
                ],
                pod("x", true),
            ),
            (
                &plain,
                vec![("severity", "page"), ("pod", "x"), ("deployment", "cart")],
                None,
            ),
            (&tied, vec![("service", "checkout-api")], whole.clone()),
            (&tied, vec![("service", "cart-api")], None),
            (
                &tied,
                vec![("service", "checkout-api"), ("deployment", "cart")],
                None,
            ),
            (
                &tied,
                vec![("service", "checkout-api"), ("alertname", "Other")],
                None,
            ),
            (
                &tied,
                vec![("service", "checkout-api"), ("namespace", "")],
                None,
            ),
            (&wide, vec![("service", "web")], whole.clone()),
            (&wide, vec![("service", "web"), ("namespace", "")], None),
            (&wide, vec![("service", "web"), ("daemonset", "x")], None),
            (
                &full,
                vec![("app", "shop/checkout"), ("namespace", "")],
                whole.clone(),
            ),
            (
                &full,
                vec![("app", "shop/checkout"), ("namespace", "other")],
                None,
            ),
        ] {
            let alert = labels(&alert);
            assert_eq!(
                selector.about(&alert, &target()),
                about,
                "{selector:?} {alert:?}"
            );
        }
    }

    #[test]
    fn an_example_is_about_its_target() {
        for scope in [AlertScope::Target, AlertScope::Namespace] {
            for wanted in [&[][..], &[("service", "${name}")], &[("severity", "page")]] {
                let selector = selector(wanted, scope);
                let example = selector.example(&target());
                assert_eq!(
                    selector.about(&example, &target()),
                    Some(AlertOf::Whole),
                    "{example:?}"
                );
            }
        }
    }
}
