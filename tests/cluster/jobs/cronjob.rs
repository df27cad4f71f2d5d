//! `CronJob`s whose time a test decides: five minutes are too long to wait for.

use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::batch::v1::CronJob;
use kube::Api;
use serde_json::Value;

use crate::bed::Bed;
use crate::namespace::Namespace;

/// What users run today: a `ConfigMap` with a script, and the `CronJob` that runs it.
pub(crate) const USERS_FILE: &str = include_str!("../../acceptance/rollback-cronjob.yaml");

/// The namespace that is written into the users' file.
const USERS_NAMESPACE: &str = "claude-ecosystem";

/// What `kubectl create job --from=cronjob/NAME` makes: the Job that the schedule would have made, with its owner.
/// Returns its name, of which `names` is the last part.
pub(super) async fn trigger(
    bed: &Bed,
    namespace: &str,
    cronjob: &str,
    names: &AtomicUsize,
) -> String {
    let api: Api<CronJob> = Api::namespaced(bed.client(), namespace);
    let found = api.get(cronjob).await.expect("the CronJob is there");
    let policy = found.spec.and_then(|spec| spec.concurrency_policy);
    let policy = policy.unwrap_or_else(|| "Allow".to_owned());
    assert_eq!(policy, "Allow", "other policies are not built here");
    let job = format!("{cronjob}-{}", names.fetch_add(1, Ordering::Relaxed));
    let from = format!("--from=cronjob/{cronjob}");
    bed.kubectl(&["-n", namespace, "create", "job", &job, &from])
        .await;
    job
}

/// Applies the users' file as it is, but for its namespace, by which tests are kept apart; returns the `CronJob`'s name.
pub(crate) async fn users_cronjob(ns: &Namespace, file: &str) -> String {
    apply(ns, &file.replace(USERS_NAMESPACE, ns.name())).await
}

/// Applies the users' file with only image and command of its `CronJob` changed, as a drop-in is promised to work.
pub(crate) async fn cronjob_with_command(ns: &Namespace, image: &str, command: &[&str]) -> String {
    users_cronjob(ns, USERS_FILE).await;
    let text = USERS_FILE.replace(USERS_NAMESPACE, ns.name());
    let document = text
        .split("\n---\n")
        .find(|part| part.contains("kind: CronJob"));
    let document = document.expect("the users' file has a CronJob");
    // Read as kubectl does: to YAML 1.1, which it speaks, `0755` is octal.
    let arguments = ["create", "--dry-run=client", "-o", "json", "-f", "-"];
    let read = ns
        .bed()
        .kubectl_as(ns.bed().admin(), &arguments, document)
        .await;
    let read = read.unwrap_or_else(|error| panic!("{error}"));
    let mut cronjob: Value = serde_json::from_str(&read).expect("kubectl prints JSON");
    let spec = &mut cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let container = &mut spec["containers"][0];
    container["image"] = image.into();
    container["command"] = command.into();
    apply(ns, &cronjob.to_string()).await
}

/// The tests decide when it runs, so its own clock is stopped: a test that runs at five past would see a run more.
async fn apply(ns: &Namespace, text: &str) -> String {
    let bed = ns.bed();
    let arguments = ["-n", ns.name(), "apply", "-f", "-"];
    bed.kubectl_as(bed.admin(), &arguments, text)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let names = ns.kubectl(&["get", "cronjobs", "-o", "name"]).await;
    let name = names
        .trim()
        .rsplit('/')
        .next()
        .expect("one CronJob")
        .to_owned();
    ns.kubectl(&[
        "patch",
        "cronjob",
        &name,
        "-p",
        r#"{"spec": {"suspend": true}}"#,
    ])
    .await;
    name
}
