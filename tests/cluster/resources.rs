//! Custom resources: what a real API server makes of their definitions, and the agent that works by them.

mod agent;
mod definitions;
mod shards;
mod webhook;

use std::time::Duration;

use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use recant::schema::crd::{DEFINITIONS, GROUP, VERSION};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::bed::Bed;
use crate::wait::wait_for;

static DEFINED: OnceCell<()> = OnceCell::const_new();

/// How long the API server may take to serve a definition, or the agent to see a change.
const WITHIN: Duration = Duration::from_secs(30);

/// The API server serves the kinds, by the file that users apply.
async fn define(bed: &'static Bed) {
    DEFINED
        .get_or_init(|| async {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/crds/recant.yaml");
            bed.kubectl(&["apply", "--server-side", "-f", file]).await;
            for definition in DEFINITIONS {
                let name = format!("{}.{GROUP}", definition.plural);
                let what = format!("the definition `{name}` to be served");
                wait_for(&what, WITHIN, || async {
                    let text = bed.kubectl(&["get", "crd", &name, "-o", "json"]).await;
                    let crd: Value = serde_json::from_str(&text).expect("JSON");
                    let conditions = crd["status"]["conditions"].clone();
                    let is = |kind: &str| {
                        conditions
                            .as_array()
                            .into_iter()
                            .flatten()
                            .any(|c| c["type"] == kind && c["status"] == "True")
                    };
                    assert!(!is("NonStructuralSchema"), "{name}: {conditions:#}");
                    is("Established")
                        .then_some(())
                        .ok_or(conditions.to_string())
                })
                .await;
            }
        })
        .await;
}

/// The API of a kind, as administrator.
fn api(bed: &'static Bed, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let definition = DEFINITIONS.iter().find(|known| known.kind == kind);
    let plural = definition.expect("a kind of ours").plural;
    let gvk = GroupVersionKind::gvk(GROUP, VERSION, kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
    Api::namespaced_with(bed.client(), namespace, &resource)
}
