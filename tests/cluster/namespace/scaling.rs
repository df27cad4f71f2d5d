//! Replicas: reading and writing them as people do.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;

use super::Namespace;
use crate::wait::wait_object;

impl Namespace {
    /// `kubectl scale`, of `deployment/NAME` or any other kind that has a scale.
    pub(crate) async fn scale(&self, object: &str, replicas: u32) {
        self.kubectl(&["scale", object, &format!("--replicas={replicas}")])
            .await;
    }

    /// How many replicas the spec of `deployment/NAME`, or of any other kind, asks for.
    pub(crate) async fn replicas(&self, object: &str) -> u32 {
        let text = self
            .kubectl(&["get", object, "-o", "jsonpath={.spec.replicas}"])
            .await;
        text.parse()
            .unwrap_or_else(|_| panic!("`{object}` has no replicas: `{text}`"))
    }

    /// Waits until the spec of `deployment/NAME` asks for so many replicas.
    pub(crate) async fn wait_replicas(&self, object: &str, replicas: i32, within: Duration) {
        let name = object
            .strip_prefix("deployment/")
            .expect("what is waited for is a Deployment");
        let api = self.api::<Deployment>();
        let what = format!("`{object}` to have {replicas} replicas");
        wait_object(&api, name, &what, within, |deployment| {
            let seen = deployment.spec.as_ref().and_then(|spec| spec.replicas);
            if seen == Some(replicas) {
                Ok(())
            } else {
                Err(format!("{seen:?}"))
            }
        })
        .await;
    }
}
