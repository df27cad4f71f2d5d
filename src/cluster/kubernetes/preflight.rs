//! The look at a way back before it is taken: whether what its template names is there, whether a Job of the release
//! runs, and what autoscalers and disruption budgets mean for it. Of objects that it names only the metadata is read.

use futures::StreamExt as _;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ListParams, ObjectMeta};
use kube::core::{Selector, SelectorExt as _};
use kube::{Api, Client};
use recant_core::preflight::{Preflight, WayBackQuestion};
use serde_json::Value;

use super::api::Call;
use super::execute::{Fresh, read};
use super::objects::annotations;
use super::references::{self, Kind};
use crate::cluster::ClusterError;

/// Questions under way at once.
const AT_ONCE: usize = 8;
/// Jobs, autoscalers and budgets that are looked at in one namespace.
const MOST: u32 = 500;
/// On a Job: the name of the workload whose data it migrates.
const MIGRATION: &str = "recant.dev/migration-of";
/// Deployment tools mark the Jobs that belong to a release, which have the same instance as its workloads.
const HOOKS: [&str; 2] = ["helm.sh/hook", "argocd.argoproj.io/hook"];
const INSTANCE: &str = "app.kubernetes.io/instance";

pub(super) async fn look(
    client: &Client,
    question: &WayBackQuestion,
) -> Result<Preflight, ClusterError> {
    let mut seen = Preflight::default();
    let Some(fresh) = read(client, &question.target).await? else {
        // The fence tells it better.
        return Ok(seen);
    };
    let template = fresh.template(&question.target, &question.revision);
    if let Some(template) = &template {
        missing(client, question, template, &mut seen).await?;
    }
    jobs(client, question, &fresh, &mut seen).await?;
    besides(client, question, template.as_ref(), &mut seen).await;
    Ok(seen)
}

async fn missing(
    client: &Client,
    question: &WayBackQuestion,
    template: &Value,
    seen: &mut Preflight,
) -> Result<(), ClusterError> {
    let namespace = &question.target.namespace;
    let asked = references::of(template)
        .into_iter()
        .filter(|((kind, _), _)| match kind {
            Kind::ConfigMap => true,
            Kind::Secret => question.secrets,
        })
        .map(|((kind, name), place)| async move {
            let there = exists(client, namespace, kind, &name).await;
            let what = format!("{} `{name}` ({place})", kind.as_str());
            (kind, what, there)
        });
    let mut answers = futures::stream::iter(asked).buffered(AT_ONCE);
    while let Some((kind, what, there)) = answers.next().await {
        match there {
            Ok(true) => {}
            Ok(false) => seen.missing.push(what),
            Err(error) if error.retry() => return Err(error),
            Err(error) => seen.notes.push(format!(
                "Whether {what}, which the earlier template names, still exists is not known: {error}{}.",
                remedy(kind, &error)
            )),
        }
    }
    Ok(())
}

/// What to do about a look that is not allowed.
fn remedy(kind: Kind, error: &ClusterError) -> &'static str {
    match (kind, error) {
        (Kind::Secret, ClusterError::Forbidden { .. }) => {
            "; give the agent that right, or set `guards.checkSecrets: false`"
        }
        (Kind::ConfigMap | Kind::Secret, _) => "",
    }
}

async fn exists(
    client: &Client,
    namespace: &str,
    kind: Kind,
    name: &str,
) -> Result<bool, ClusterError> {
    let call = |resource: &str| Call {
        verb: "get",
        resource: resource.to_owned(),
        namespace,
    };
    Ok(match kind {
        Kind::ConfigMap => {
            let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
            let found = call("configmaps").answer(api.get_metadata(name)).await?;
            found.is_some()
        }
        Kind::Secret => {
            let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
            let found = call("secrets").answer(api.get_metadata(name)).await?;
            found.is_some()
        }
    })
}

/// Jobs of the release that are running.
async fn jobs(
    client: &Client,
    question: &WayBackQuestion,
    fresh: &Fresh,
    seen: &mut Preflight,
) -> Result<(), ClusterError> {
    let target = &question.target;
    let api: Api<Job> = Api::namespaced(client.clone(), &target.namespace);
    let call = Call {
        verb: "list",
        resource: "jobs.batch".to_owned(),
        namespace: &target.namespace,
    };
    let listed = call
        .answer(api.list(&ListParams::default().limit(MOST)))
        .await;
    let jobs = match listed {
        Ok(jobs) => jobs,
        Err(error) if error.retry() => return Err(error),
        Err(error) => {
            seen.notes.push(format!(
                "Whether a Job of this release is still running is not known: {error}."
            ));
            None
        }
    };
    for job in jobs.into_iter().flatten() {
        let active = job.status.as_ref().and_then(|status| status.active);
        if active.unwrap_or(0) > 0
            && is_of_release(&job.metadata, &fresh.workload.metadata, &target.name)
        {
            let name = job.metadata.name.unwrap_or_default();
            seen.jobs.push(format!("Job `{name}`"));
        }
    }
    Ok(())
}

fn is_of_release(job: &ObjectMeta, workload: &ObjectMeta, name: &str) -> bool {
    let label = |of: &ObjectMeta, label: &str| of.labels.as_ref()?.get(label).cloned();
    let annotated = annotations(job);
    let named = annotated.get(MIGRATION).cloned();
    if named.or_else(|| label(job, MIGRATION)).as_deref() == Some(name) {
        return true;
    }
    let instance = label(job, INSTANCE);
    HOOKS.iter().any(|hook| annotated.contains_key(*hook))
        && instance.is_some()
        && instance == label(workload, INSTANCE)
}

/// Autoscalers and disruption budgets hold nothing back: what they mean is told. The rights to see them are optional.
async fn besides(
    client: &Client,
    question: &WayBackQuestion,
    template: Option<&Value>,
    seen: &mut Preflight,
) {
    let target = &question.target;
    let call = |resource: &str| Call {
        verb: "list",
        resource: resource.to_owned(),
        namespace: &target.namespace,
    };
    let few = ListParams::default().limit(MOST);
    let autoscalers: Api<HorizontalPodAutoscaler> =
        Api::namespaced(client.clone(), &target.namespace);
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(client.clone(), &target.namespace);
    let (autoscalers, budgets) = tokio::join!(
        call("horizontalpodautoscalers.autoscaling").answer(autoscalers.list(&few)),
        call("poddisruptionbudgets.policy").answer(budgets.list(&few)),
    );
    let kind = target.kind.to_string();
    for autoscaler in autoscalers.ok().flatten().into_iter().flatten() {
        let scaled = autoscaler.spec.map(|spec| spec.scale_target_ref);
        if scaled.is_some_and(|scaled| scaled.kind == kind && scaled.name == target.name) {
            let name = autoscaler.metadata.name.unwrap_or_default();
            seen.notes.push(format!(
                "HorizontalPodAutoscaler `{name}` scales the {kind}: replicas are left to it."
            ));
        }
    }
    let labels = template
        .and_then(|template| template.pointer("/metadata/labels"))
        .and_then(|labels| serde_json::from_value(labels.clone()).ok())
        .unwrap_or_default();
    for budget in budgets.ok().flatten().into_iter().flatten() {
        let none = budget
            .status
            .as_ref()
            .is_some_and(|status| status.disruptions_allowed == 0);
        let selector = budget.spec.and_then(|spec| spec.selector);
        let selects = selector
            .and_then(|selector| Selector::try_from(selector).ok())
            .is_some_and(|selector| selector.matches(&labels));
        if none && selects {
            let name = budget.metadata.name.unwrap_or_default();
            seen.notes.push(format!(
                "PodDisruptionBudget `{name}` allows no eviction now: a rollback evicts nothing, it goes by the \
                 update strategy of the {kind}."
            ));
        }
    }
}
