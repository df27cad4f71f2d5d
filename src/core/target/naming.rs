//! How others name a workload: by its own name, by a Service of it, by its labels.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{TargetId, TargetKind};

/// What of a workload others can name it by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Of the object itself.
    pub labels: BTreeMap<String, String>,
    /// The Services that its own spec names: those of a Rollout's strategy.
    pub services: BTreeSet<String>,
}

/// A workload as somebody else names it. All that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    pub namespace: String,
    pub kind: TargetKind,
    pub name: Option<String>,
    pub service: Option<String>,
    pub labels: BTreeMap<String, String>,
}

impl Naming {
    /// Whether it means a workload of its namespace and kind.
    pub fn means(&self, name: &str, names: &Names) -> bool {
        let named = self.name.as_ref().is_none_or(|wanted| wanted == name);
        let of_service = |service| names.services.contains(service);
        let labelled = |(label, value): (&String, &String)| names.labels.get(label) == Some(value);
        named && self.service.as_ref().is_none_or(of_service) && self.labels.iter().all(labelled)
    }
}

/// A workload that was named, with its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub target: TargetId,
    pub labels: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_given_must_hold() {
        let label = |label: &str, value: &str| (label.to_owned(), value.to_owned());
        let names = Names {
            labels: BTreeMap::from([label("app", "checkout"), label("team", "shop")]),
            services: BTreeSet::from(["checkout-canary".to_owned()]),
        };
        let check = |name: Option<&str>, service: Option<&str>, labels: &[(&str, &str)]| {
            let naming = Naming {
                namespace: "shop".to_owned(),
                kind: TargetKind::Rollout,
                name: name.map(str::to_owned),
                service: service.map(str::to_owned),
                labels: labels
                    .iter()
                    .map(|(key, value)| label(key, value))
                    .collect(),
            };
            naming.means("checkout", &names)
        };
        assert!(check(Some("checkout"), None, &[]));
        assert!(check(None, Some("checkout-canary"), &[("app", "checkout")]));
        assert!(check(None, None, &[("app", "checkout"), ("team", "shop")]));
        assert!(!check(Some("basket"), Some("checkout-canary"), &[]));
        assert!(!check(None, Some("checkout"), &[]));
        assert!(!check(None, None, &[("app", "checkout"), ("team", "pay")]));
        assert!(!check(None, None, &[("tier", "")]));
    }
}
