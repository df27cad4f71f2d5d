//! A stand-in for the controller of horizontal pod autoscalers, which needs metrics that nobody collects here: what its
//! metrics would ask for is said by the test. Everything else is as the real one does it: once a second or so it writes
//! the scale subresource of its target, within minReplicas and maxReplicas, and its own status.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::namespace::Namespace;

/// The real one looks every 15 s.
const PERIOD: Duration = Duration::from_secs(1);

/// A running stand-in for one autoscaler; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Autoscaler {
    wanted: Arc<AtomicI32>,
    _stop: DropGuard,
}

impl Autoscaler {
    /// Follows the HPA of this name, whose metrics ask for so many replicas.
    pub(crate) fn start(ns: &Namespace, name: &str, wanted: i32) -> Self {
        let wanted = Arc::new(AtomicI32::new(wanted));
        let stop = CancellationToken::new();
        let one = One {
            api: ns.api(),
            name: name.to_owned(),
            client: ns.bed().client(),
            namespace: ns.name().to_owned(),
            wanted: Arc::clone(&wanted),
        };
        let follow = async move {
            loop {
                // A conflict or a target that is not there yet: the next round is soon.
                drop(one.round().await);
                tokio::time::sleep(PERIOD).await;
            }
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(follow));
        Self {
            wanted,
            _stop: stop.drop_guard(),
        }
    }

    /// From the next round on its metrics ask for so many replicas.
    pub(crate) fn want(&self, replicas: i32) {
        self.wanted.store(replicas, Ordering::Relaxed);
    }
}

struct One {
    api: Api<HorizontalPodAutoscaler>,
    name: String,
    client: kube::Client,
    namespace: String,
    wanted: Arc<AtomicI32>,
}

impl One {
    async fn round(&self) -> Result<(), kube::Error> {
        let autoscaler = self.api.get(&self.name).await?;
        let Some(spec) = autoscaler.spec else {
            return Ok(());
        };
        let target = spec.scale_target_ref;
        let version = target.api_version.unwrap_or_default();
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: format!("{group}/{version}"),
            plural: format!("{}s", target.kind.to_lowercase()),
            kind: target.kind,
        };
        let targets: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let scale = targets.get_scale(&target.name).await?;
        let current = scale
            .spec
            .and_then(|spec| spec.replicas)
            .unwrap_or_default();
        // Whoever scales to 0 switches autoscaling off.
        if current == 0 {
            return Ok(());
        }
        let least = spec.min_replicas.unwrap_or(1);
        let wanted = self.wanted.load(Ordering::Relaxed);
        let desired = wanted.clamp(least, spec.max_replicas.max(least));
        let parameters = PatchParams::default();
        if desired != current {
            let patch = Patch::Merge(json!({"spec": {"replicas": desired}}));
            targets
                .patch_scale(&target.name, &parameters, &patch)
                .await?;
        }
        let status = json!({"currentReplicas": current, "desiredReplicas": desired});
        let patch = Patch::Merge(json!({"status": status}));
        self.api
            .patch_status(&self.name, &parameters, &patch)
            .await?;
        Ok(())
    }
}
