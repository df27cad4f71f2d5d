//! What Recant has left paused: found on the objects themselves, and resumed without a journal or an agent.

use jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use recant_core::ids::{PlanId, TargetId, TargetKind};
use serde_json::Value;

use super::api::{Call, namespace_kill_switch};
use super::execute::FIELD_MANAGER;
use super::objects::{Workload, resource_name, workload_resource};
use super::{kill_switch, own_pause};
use crate::cluster::ClusterError;

/// Objects of one answer,
const PAGE: u32 = 500;
/// and answers at most.
const MOST_PAGES: usize = 200;

/// A Deployment that Recant has paused and nobody has resumed.
#[derive(Debug, Clone)]
pub struct Leftover {
    pub target: TargetId,
    /// The plan that paused it.
    pub plan: PlanId,
    /// By when it was to go on; `None`: that cannot be read.
    pub until: Option<Timestamp>,
    workload: Workload,
}

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resumed {
    Done,
    /// Somebody wrote it meanwhile, or it has gone: look again.
    Changed,
    /// The kill switch is on: nothing is written.
    KillSwitch {
        place: String,
    },
}

/// Every Deployment of the namespace, or of all, that is paused by Recant.
///
/// # Errors
/// No right to list Deployments, or no answer.
pub async fn paused(
    client: &Client,
    namespace: Option<&str>,
) -> Result<Vec<Leftover>, ClusterError> {
    let resource = workload_resource(TargetKind::Deployment);
    let api: Api<Workload> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let mut found = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    for _ in 0..MOST_PAGES {
        let call = Call {
            verb: "list",
            resource: resource_name(&resource),
            namespace: namespace.unwrap_or("(all)"),
        };
        let Some(page) = call.answer(api.list(&params)).await? else {
            return Ok(found);
        };
        found.extend(page.items.into_iter().filter_map(leftover));
        match page.metadata.continue_.filter(|more| !more.is_empty()) {
            Some(more) => params = params.continue_token(&more),
            None => return Ok(found),
        }
    }
    Err(ClusterError::Rejected {
        reason: format!(
            "there are more than {} Deployments: name a namespace",
            MOST_PAGES * usize::try_from(PAGE).unwrap_or(usize::MAX)
        ),
    })
}

fn leftover(workload: Workload) -> Option<Leftover> {
    let own = own_pause::read(&workload).filter(|own| own.holds)?;
    let target = TargetId {
        namespace: workload.metadata.namespace.clone()?,
        kind: TargetKind::Deployment,
        name: workload.metadata.name.clone()?,
    };
    Some(Leftover {
        target,
        plan: own.plan,
        until: own.until,
        workload,
    })
}

impl Leftover {
    /// The write that resumes it, as it is sent.
    pub fn patch(&self) -> Value {
        own_pause::resume(&self.workload)
    }

    /// Lets it go on, if it is still as it was found.
    ///
    /// # Errors
    /// No right, or no answer.
    pub async fn resume(&self, client: &Client) -> Result<Resumed, ClusterError> {
        let TargetId {
            namespace, name, ..
        } = &self.target;
        let switched = |place: String| Ok(Resumed::KillSwitch { place });
        if kill_switch::is_on(&self.workload.metadata) {
            return switched(self.target.to_string());
        }
        if namespace_kill_switch(client, namespace).await? {
            return switched(format!("namespace {namespace}"));
        }
        let resource = workload_resource(TargetKind::Deployment);
        let api: Api<Workload> = Api::namespaced_with(client.clone(), namespace, &resource);
        let call = Call {
            verb: "patch",
            resource: resource_name(&resource),
            namespace,
        };
        let params = PatchParams::apply(FIELD_MANAGER);
        let written = call
            .answer(api.patch(name, &params, &Patch::Merge(self.patch())))
            .await;
        match written {
            Ok(Some(_)) => Ok(Resumed::Done),
            Ok(None) | Err(ClusterError::Conflict) => Ok(Resumed::Changed),
            Err(error) => Err(error),
        }
    }
}
