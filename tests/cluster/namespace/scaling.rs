//! Replicas: reading and writing them as people do.

use std::time::Duration;

use super::Namespace;
use crate::wait::wait_for;

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

    /// Waits until the spec asks for so many replicas.
    pub(crate) async fn wait_replicas(&self, object: &str, replicas: u32, within: Duration) {
        let what = format!("`{object}` to have {replicas} replicas");
        wait_for(&what, within, || async {
            match self.replicas(object).await {
                seen if seen == replicas => Ok(()),
                seen => Err(seen.to_string()),
            }
        })
        .await;
    }
}
