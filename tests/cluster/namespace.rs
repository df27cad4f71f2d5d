//! One test's namespace, and what a test does in it.

mod created;
mod pods;
mod scaling;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Resource};
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::cluster_metrics::ClusterMetrics;
use crate::manifests;
use crate::prometheus::Prometheus;
use crate::services::{Behaviour, Line, Service};
use crate::traffic::Traffic;
use crate::wait::{wait_object, wait_until};

/// How long a rolling update of a few pods may take on a busy machine.
const ROLLOUT_DEADLINE: Duration = Duration::from_mins(1);

/// A namespace of the bed.
pub(crate) struct Namespace {
    bed: &'static Bed,
    name: String,
}

impl Namespace {
    pub(crate) fn new(bed: &'static Bed, name: String) -> Self {
        Self { bed, name }
    }

    pub(crate) fn bed(&self) -> &'static Bed {
        self.bed
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The API of a kind in this namespace, as administrator.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.bed.client(), &self.name)
    }

    /// The API of Rollouts in this namespace, as administrator.
    pub(crate) fn rollouts(&self) -> Api<DynamicObject> {
        let resource = ApiResource {
            group: "argoproj.io".to_owned(),
            version: "v1alpha1".to_owned(),
            api_version: "argoproj.io/v1alpha1".to_owned(),
            kind: "Rollout".to_owned(),
            plural: "rollouts".to_owned(),
        };
        Api::namespaced_with(self.bed.client(), &self.name, &resource)
    }

    /// Runs kubectl in this namespace, as administrator.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> String {
        let all = [&["-n", &self.name], arguments].concat();
        self.bed.kubectl(&all).await
    }

    /// `kubectl apply` of a manifest. Of an object that is not there yet it is a POST, which is sent without starting a
    /// program for it.
    pub(crate) async fn apply(&self, manifest: &Value) {
        if created::create(self, manifest).await {
            return;
        }
        let arguments = ["-n", &self.name, "apply", "-f", "-"];
        self.bed
            .kubectl_as(self.bed.admin(), &arguments, &manifest.to_string())
            .await
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// A Deployment of `shop/NAME:TAG`, once all of its pods answer.
    pub(crate) async fn deployment(&self, name: &str, tag: &str, replicas: u32) {
        self.apply(&manifests::deployment(name, tag, replicas))
            .await;
        self.wait_complete(name, tag).await;
    }

    /// A Rollout of `shop/NAME:TAG` with these canary steps, once all of its pods answer.
    pub(crate) async fn rollout(&self, name: &str, tag: &str, replicas: u32, steps: &Value) {
        self.bed.rollouts().await;
        self.apply(&manifests::rollout(name, tag, replicas, steps))
            .await;
        self.wait_phase(name, "Healthy").await;
        self.wait_serving(name, tag).await;
    }

    /// Ships another version of a Deployment; does not wait.
    pub(crate) async fn set_image(&self, name: &str, tag: &str) {
        let api = self.api::<Deployment>();
        api.patch(
            name,
            &PatchParams::default(),
            &Patch::Strategic(image_patch(name, tag)),
        )
        .await
        .expect("an administrator may patch a Deployment");
    }

    /// Ships another version of a Rollout; does not wait.
    pub(crate) async fn set_rollout_image(&self, name: &str, tag: &str) {
        let api = self.rollouts();
        let rollout = api.get(name).await.expect("the Rollout is there");
        // A merge patch replaces lists as a whole, and strategic ones are not known for custom resources.
        let mut containers = rollout.data["spec"]["template"]["spec"]["containers"].clone();
        containers[0]["image"] = json!(manifests::image(name, tag));
        let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .expect("an administrator may patch a Rollout");
    }

    /// Waits until a Deployment's newest template is this version, and only its pods serve.
    pub(crate) async fn wait_complete(&self, name: &str, tag: &str) {
        let api = self.api::<Deployment>();
        let what = format!("Deployment `{name}` to be complete");
        wait_object(&api, name, &what, ROLLOUT_DEADLINE, |deployment| {
            let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas);
            let status = deployment.status.clone().unwrap_or_default();
            let complete = status.observed_generation == deployment.metadata.generation
                && status.updated_replicas == wanted
                && status.replicas == wanted
                && status.available_replicas == wanted;
            if complete {
                Ok(())
            } else {
                Err(format!("{status:?}"))
            }
        })
        .await;
        self.wait_serving(name, tag).await;
    }

    /// Waits until a Rollout's status is of its newest spec and has this phase: Progressing, Paused, Healthy, Degraded.
    pub(crate) async fn wait_phase(&self, name: &str, phase: &str) {
        let api = self.rollouts();
        let what = format!("Rollout `{name}` to be {phase}");
        wait_object(&api, name, &what, ROLLOUT_DEADLINE, |rollout| {
            let status = rollout.data.get("status").cloned().unwrap_or_default();
            // The controller writes the generation as a string.
            let observed = status["observedGeneration"]
                .as_str()
                .and_then(|text| text.parse().ok());
            if observed == rollout.metadata.generation && status["phase"] == phase {
                Ok(())
            } else {
                Err(format!(
                    "generation {:?}, status {status}",
                    rollout.metadata.generation
                ))
            }
        })
        .await;
    }

    /// Waits until pods answer, and all that do are of this version.
    pub(crate) async fn wait_serving(&self, name: &str, tag: &str) {
        let look = || {
            let services = self.ready(name);
            let all = services.iter().all(|service| service.tag == tag);
            (all && !services.is_empty()).then_some(())
        };
        let seen = || {
            let services = self.ready(name);
            let tags: Vec<&str> = services.iter().map(|service| &*service.tag).collect();
            format!("{tags:?} serve")
        };
        let what = format!("only `{name}:{tag}` to serve");
        wait_until(&what, ROLLOUT_DEADLINE, look, seen).await;
    }

    /// Waits until a Deployment's template has this version again, and says when that was seen.
    pub(crate) async fn wait_template(&self, name: &str, tag: &str, within: Duration) -> Timestamp {
        let wanted = manifests::image(name, tag);
        let what = format!("the template of `{name}` to have `{wanted}`");
        wait_object(
            &self.api::<Deployment>(),
            name,
            &what,
            within,
            |deployment| {
                let spec = deployment.spec.as_ref();
                let pod = spec.and_then(|spec| spec.template.spec.as_ref());
                let container = pod.and_then(|pod| pod.containers.first());
                let image = container.and_then(|container| container.image.as_ref());
                if image == Some(&wanted) {
                    Ok(Timestamp::now())
                } else {
                    Err(format!("{image:?}"))
                }
            },
        )
        .await
    }

    /// Changes how all pods with this image tag answer, from now on.
    pub(crate) fn behave(&self, tag: &str, behaviour: Behaviour) {
        self.bed.services().behave(&self.name, tag, behaviour);
    }

    /// Sets a series that the pods of an image tag, or one pod, show from the next scrape on.
    pub(crate) fn set_metric(&self, tag_or_pod: &str, series: &str, line: Line) {
        let services = self.bed.services();
        services.set_metric(&self.name, tag_or_pod, series, Some(line));
    }

    /// Takes such a series away again.
    pub(crate) fn forget_metric(&self, tag_or_pod: &str, series: &str) {
        let services = self.bed.services();
        services.set_metric(&self.name, tag_or_pod, series, None);
    }

    /// When a pod of this version gave its first bad answer.
    pub(crate) fn first_bad(&self, tag: &str) -> Option<Timestamp> {
        self.bed.services().first_bad(&self.name, tag)
    }

    /// All services that ever were in this namespace, in the order of their start.
    pub(crate) fn services(&self) -> Vec<std::sync::Arc<Service>> {
        self.bed.services().all(&self.name)
    }

    /// The services of a workload that traffic would be sent to now.
    pub(crate) fn ready(&self, name: &str) -> Vec<std::sync::Arc<Service>> {
        self.bed.services().ready(&self.name, &selector(name))
    }

    /// Sends so many requests a second to the workload, until the value is dropped.
    pub(crate) fn traffic(&self, name: &str, per_second: f64) -> Traffic {
        Traffic::start(self.bed, &self.name, selector(name), per_second)
    }

    /// A Prometheus that scrapes the pods of this namespace every second.
    pub(crate) async fn prometheus(&self) -> Prometheus {
        Prometheus::start(self.bed, &self.name, "").await
    }

    /// A Prometheus that scrapes what cAdvisor and kube-state-metrics would say, too.
    pub(crate) async fn prometheus_beside(&self, metrics: &ClusterMetrics) -> Prometheus {
        Prometheus::start(self.bed, &self.name, &metrics.scrape_configs()).await
    }
}

/// The selector of the workloads in `manifests`.
fn selector(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("app".to_owned(), name.to_owned())])
}

fn image_patch(name: &str, tag: &str) -> Value {
    let containers = json!([{"name": name, "image": manifests::image(name, tag)}]);
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}
