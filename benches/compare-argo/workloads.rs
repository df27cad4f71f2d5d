//! The workloads that both sides analyse: Deployments of one pod with real requests, and the four metrics of each.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::PostParams;
use serde_json::json;

use crate::WITHIN;
use crate::manifests;
use crate::namespace::Namespace;
use crate::services::{Behaviour, Line};
use crate::traffic::Traffic;
use crate::wait::wait_for;

/// Requests to the API server at once.
const AT_ONCE: usize = 16;
/// Carried by all of them, so that one stream of requests serves them all.
const LABEL: &str = "fleet";
/// Requests a second to all of them together: every pod has some in each minute.
const REQUESTS: f64 = 60.0;

/// The name of one.
pub(crate) fn name(index: usize) -> String {
    format!("w{index:04}")
}

/// Creates so many, or ships the next version of all, and waits until only that serves.
pub(crate) async fn ship(ns: &Namespace, workloads: usize, tag: &str) {
    // A good version: an analysis of it goes on, on both sides.
    let good = Behaviour {
        errors: 0.0,
        ..Behaviour::GOOD
    };
    ns.behave(tag, good);
    remember(ns, tag);
    let exists = !ns.services().is_empty();
    stream::iter(0..workloads)
        .for_each_concurrent(AT_ONCE, async |index| {
            let name = name(index);
            if exists {
                ns.set_image(&name, tag).await;
                return;
            }
            let mut manifest = manifests::deployment(&name, tag, 1);
            manifest["spec"]["template"]["metadata"]["labels"][LABEL] = json!("all");
            let deployment: Deployment = serde_json::from_value(manifest).expect("a Deployment");
            let created = ns.api().create(&PostParams::default(), &deployment).await;
            created.expect("an administrator may create a Deployment");
        })
        .await;
    let what = format!("only {tag} to serve, in {workloads} pods");
    wait_for(&what, WITHIN, || async {
        let ready = ns.bed().services().ready(ns.name(), &selector());
        let new = ready.iter().filter(|service| service.tag == tag).count();
        if new == workloads && ready.len() == workloads {
            Ok(())
        } else {
            Err(format!("{new} of {} that serve", ready.len()))
        }
    })
    .await;
}

/// What the pods of this version say of their memory.
pub(crate) fn remember(ns: &Namespace, tag: &str) {
    let memory = Line::flat(100.0 * 1_048_576.0);
    ns.set_metric(tag, "process_resident_memory_bytes", memory);
}

/// Requests to all of them.
pub(crate) fn traffic(ns: &Namespace, workloads: usize) -> Traffic {
    let rate = REQUESTS.max(workloads as f64 / 5.0);
    Traffic::start(ns.bed(), ns.name(), selector(), rate)
}

fn selector() -> BTreeMap<String, String> {
    BTreeMap::from([(LABEL.to_owned(), "all".to_owned())])
}
