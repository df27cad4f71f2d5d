//! Traffic is never led to nobody: before a write that gives pods traffic, that some of them are ready.
//!
//! Pods are found as traffic finds them: by the selector of the Service, and for a subset of Istio by the labels that the
//! `DestinationRule` of its host gives it. Readiness is that of the pods: endpoints lag behind them.

use std::collections::BTreeMap;

use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::core::{Expression, Selector};
use recant_core::change::{Feeds, ObjectRef};
use recant_core::traffic::Backing;
use serde_json::Value;

use super::api::Call;
use super::change::Objects;
use super::objects::{PodObject, pod_resource, resource_name};
use crate::cluster::ClusterError;

/// Pods that are looked at: one that is ready is enough.
const MOST_PODS: u32 = 500;

type Labels = BTreeMap<String, String>;

/// Who would get the traffic.
enum Fed {
    Pods {
        namespace: String,
        labels: Labels,
    },
    /// Somebody else keeps its endpoints: a Service without a selector.
    Unknown,
    /// Nobody, and why.
    Nobody(String),
}

impl Objects {
    /// Why nobody would answer what an edit of an object in `namespace` leads to; `None`: some pod is ready.
    pub(super) async fn nobody(
        &self,
        feeds: &Feeds,
        namespace: &str,
    ) -> Result<Option<String>, ClusterError> {
        let fed = match feeds {
            Feeds::Labels(labels) => Fed::Pods {
                namespace: namespace.to_owned(),
                labels: labels.clone(),
            },
            Feeds::Backing(backing) => self.behind(backing, namespace).await?,
        };
        match fed {
            Fed::Unknown => Ok(None),
            Fed::Nobody(reason) => Ok(Some(reason)),
            Fed::Pods { namespace, labels } => {
                let ready = self.ready(&namespace, &labels).await?;
                Ok((ready == 0).then(|| {
                    format!(
                        "no pod with {} is ready in namespace `{namespace}`, so nobody would answer",
                        in_words(&labels)
                    )
                }))
            }
        }
    }

    async fn behind(&self, backing: &Backing, namespace: &str) -> Result<Fed, ClusterError> {
        let namespace = backing.namespace.as_deref().unwrap_or(namespace);
        let service = &backing.service;
        let of = object("v1", "Service", namespace, service);
        let Some(found) = self.read(&of).await? else {
            return Ok(Fed::Nobody(format!("{of} does not exist")));
        };
        let mut labels = texts(found.object.pointer("/spec/selector"));
        if labels.is_empty() {
            return Ok(Fed::Unknown);
        }
        if let Some(subset) = &backing.subset {
            let Some(of_subset) = self.subset(service, subset, namespace).await? else {
                return Ok(Fed::Nobody(format!(
                    "no DestinationRule in namespace `{namespace}` defines subset `{subset}` of host `{service}`"
                )));
            };
            labels.extend(of_subset);
        }
        Ok(Fed::Pods {
            namespace: namespace.to_owned(),
            labels,
        })
    }

    /// The labels of a subset.
    async fn subset(
        &self,
        host: &str,
        subset: &str,
        namespace: &str,
    ) -> Result<Option<Labels>, ClusterError> {
        let of = object("networking.istio.io/v1", "DestinationRule", namespace, "");
        let found = self.list(&of).await?;
        let meant = |rule: &&DynamicObject| {
            let written = rule.data.pointer("/spec/host").and_then(Value::as_str);
            written.is_some_and(|written| is_host(written, host, namespace))
        };
        let subsets = found.iter().filter(meant).filter_map(|rule| {
            let subsets = rule.data.pointer("/spec/subsets")?.as_array()?;
            subsets
                .iter()
                .find(|found| found.get("name").and_then(Value::as_str) == Some(subset))
                .cloned()
        });
        Ok(subsets.map(|subset| texts(subset.get("labels"))).next())
    }

    /// How many pods with these labels are ready.
    async fn ready(&self, namespace: &str, labels: &Labels) -> Result<usize, ClusterError> {
        let resource = pod_resource();
        let api: Api<PodObject> = Api::namespaced_with(self.client(), namespace, &resource);
        let selector: Selector = labels
            .iter()
            .map(|(key, value)| Expression::Equal(key.clone(), value.clone()))
            .collect();
        let list = ListParams::default()
            .labels_from(&selector)
            .limit(MOST_PODS);
        let call = Call {
            verb: "list",
            resource: resource_name(&resource),
            namespace,
        };
        let found = call.answer(api.list(&list)).await?;
        let ready = |pod: &&PodObject| {
            let conditions = pod.status.iter().flat_map(|status| &status.conditions);
            pod.metadata.deletion_timestamp.is_none()
                && conditions
                    .flatten()
                    .any(|condition| condition.kind == "Ready" && condition.status == "True")
        };
        Ok(found
            .iter()
            .flat_map(|list| &list.items)
            .filter(ready)
            .count())
    }
}

fn object(api_version: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// `checkout`, `checkout.shop` and `checkout.shop.svc.cluster.local` are the same host in namespace `shop`.
fn is_host(written: &str, service: &str, namespace: &str) -> bool {
    let mut parts = written.split('.');
    parts.next() == Some(service) && parts.next().is_none_or(|of| of == namespace)
}

fn texts(map: Option<&Value>) -> Labels {
    let map = map.and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn in_words(labels: &Labels) -> String {
    let labels: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    format!("`{}`", labels.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_meant_by_its_short_and_its_long_name() {
        for written in [
            "checkout",
            "checkout.shop",
            "checkout.shop.svc.cluster.local",
        ] {
            assert!(is_host(written, "checkout", "shop"), "{written}");
        }
        for written in ["check", "checkout.billing", "*.shop", ""] {
            assert!(!is_host(written, "checkout", "shop"), "{written}");
        }
    }
}
