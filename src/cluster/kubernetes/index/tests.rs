//! Watch events in, news out.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::cluster::kubernetes::objects::{ControllerRevision, PodObject, ReplicaSet, Workload};
use crate::cluster::kubernetes::table::TOMBSTONE;

const NS: &str = "shop";

fn target() -> TargetId {
    TargetId {
        namespace: NS.into(),
        kind: TargetKind::Deployment,
        name: "checkout".into(),
    }
}

fn template() -> Value {
    json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"image": "a:1"}]}})
}

fn workload(name: &str, uid: &str) -> SeenWorkload {
    let object: Workload = serde_json::from_value(json!({
        "metadata": {"name": name, "uid": uid, "generation": 1},
        "spec": {"replicas": 1, "template": template()},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    }))
    .expect("a Deployment");
    SeenWorkload {
        name: name.into(),
        facts: WorkloadFacts::of(&object, TargetKind::Deployment),
    }
}

fn set(uid: &str, owner: &str) -> Seen<RevisionFacts> {
    let object: ReplicaSet = serde_json::from_value(json!({
        "metadata": {"name": uid, "uid": uid, "labels": {"pod-template-hash": "h"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout", "uid": owner, "controller": true}]},
        "spec": {"template": template()}, "status": {"replicas": 1},
    }))
    .expect("a ReplicaSet");
    Seen {
        uid: uid.into(),
        facts: RevisionFacts::of_set(&object),
    }
}

fn pod(uid: &str, owner: &str) -> Seen<PodFacts> {
    let object: PodObject = serde_json::from_value(json!({
        "metadata": {"name": uid, "uid": uid, "labels": {"pod-template-hash": "h"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": true}]},
        "spec": {"containers": []},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }))
    .expect("a pod");
    Seen {
        uid: uid.into(),
        facts: PodFacts::of(&object),
    }
}

/// An index that has seen the lists: one Deployment, one `ReplicaSet`, one pod.
fn synced(now: Instant) -> Index {
    let mut index = Index::new(&[target()]);
    // Pods first: the order in which watches answer is not ours to choose.
    index.pod(NS, Change::List, now);
    index.pod(NS, Change::Applied(pod("p1", "rs1")), now);
    index.pod(NS, Change::Listed, now);
    index.replica_set(NS, Change::List, now);
    index.replica_set(NS, Change::Applied(set("rs1", "d1")), now);
    index.replica_set(NS, Change::Listed, now);
    assert!(
        index.news(now).is_empty(),
        "the Deployments are not listed yet"
    );
    index.workload(NS, TargetKind::Deployment, Change::List);
    index.workload(
        NS,
        TargetKind::Deployment,
        Change::Applied(workload("checkout", "d1")),
    );
    assert!(index.news(now).is_empty(), "the list is not whole yet");
    index.workload(NS, TargetKind::Deployment, Change::Listed);
    index
}

fn state(news: Vec<TargetNews>) -> TargetState {
    let [TargetNews::State(state)] = <[_; 1]>::try_from(news).expect("one piece of news") else {
        panic!("the target is gone");
    };
    *state
}

#[test]
fn news_come_once_and_only_of_what_changed() {
    let now = Instant::now();
    let mut index = synced(now);
    let first = state(index.news(now));
    assert_eq!(first.current, Some("h".into()));
    assert!(first.complete);
    assert_eq!(first.pods.len(), 1);
    assert!(!index.has_news());
    assert!(index.news(now).is_empty());
    index.pod(NS, Change::Applied(pod("p1", "rs1")), now);
    index.pod(NS, Change::Applied(pod("other", "rs-of-somebody")), now);
    index.workload(
        NS,
        TargetKind::Deployment,
        Change::Applied(workload("other", "d9")),
    );
    assert!(index.news(now).is_empty(), "nothing of the target changed");
    index.pod(NS, Change::Applied(pod("p2", "rs1")), now);
    index.pod(NS, Change::Applied(pod("p3", "rs1")), now);
    assert!(index.has_news());
    assert_eq!(state(index.news(now)).pods.len(), 3);
}

#[test]
fn a_pod_that_went_stays_as_terminating_for_a_while() {
    let now = Instant::now();
    let mut index = synced(now);
    index.news(now);
    index.pod(NS, Change::Deleted(pod("p1", "rs1")), now);
    let pods = state(index.news(now)).pods;
    assert_eq!(pods.len(), 1);
    assert!(pods[0].terminating && !pods[0].ready);
    assert!(index.news(now + TOMBSTONE).is_empty());
    let later = now + TOMBSTONE + Duration::from_secs(1);
    assert!(state(index.news(later)).pods.is_empty());
}

#[test]
fn pods_of_a_deleted_replica_set_are_still_told() {
    let now = Instant::now();
    let mut index = synced(now);
    index.news(now);
    index.replica_set(NS, Change::Deleted(set("rs1", "d1")), now);
    let state = state(index.news(now));
    assert!(state.revisions.is_empty());
    assert_eq!(state.pods.len(), 1);
    assert!(!state.pods[0].terminating);
}

#[test]
fn a_target_that_is_not_there_is_told_as_gone() {
    let now = Instant::now();
    let mut index = synced(now);
    index.news(now);
    index.workload(
        NS,
        TargetKind::Deployment,
        Change::Deleted(workload("checkout", "d1")),
    );
    assert_eq!(index.news(now), [TargetNews::Gone(target())]);
    assert!(index.news(now).is_empty());
    index.workload(
        NS,
        TargetKind::Deployment,
        Change::Applied(workload("checkout", "d2")),
    );
    let again = state(index.news(now));
    assert_eq!(again.uid, "d2");
    assert!(again.pods.is_empty(), "they are of the deleted one");
    // From now on only what belongs to the new one counts.
    index.pod(NS, Change::Applied(pod("p2", "rs1")), now);
    assert!(index.news(now).is_empty());
}

#[test]
fn a_target_that_never_was_is_told_once() {
    let now = Instant::now();
    let mut index = Index::new(&[target()]);
    index.pod(NS, Change::Listed, now);
    index.replica_set(NS, Change::Listed, now);
    index.workload(NS, TargetKind::Deployment, Change::Listed);
    assert_eq!(index.news(now), [TargetNews::Gone(target())]);
    assert!(index.news(now).is_empty());
}

#[test]
fn a_new_list_takes_away_what_it_does_not_name() {
    let now = Instant::now();
    let mut index = synced(now);
    index.news(now);
    index.workload(NS, TargetKind::Deployment, Change::List);
    assert!(
        index.news(now).is_empty(),
        "a list that began proves nothing"
    );
    index.workload(NS, TargetKind::Deployment, Change::Listed);
    assert_eq!(index.news(now), [TargetNews::Gone(target())]);
}

#[test]
fn the_kill_switch_of_the_namespace_reaches_its_targets() {
    let now = Instant::now();
    let mut index = synced(now);
    index.news(now);
    index.kill_switch(NS, false);
    assert!(!index.has_news());
    index.kill_switch(NS, true);
    assert_eq!(
        state(index.news(now)).kill_switch.as_deref(),
        Some("namespace shop")
    );
    index.kill_switch("elsewhere", true);
    assert!(!index.has_news());
}

#[test]
fn targets_that_come_and_go_while_it_watches() {
    let now = Instant::now();
    let mut index = Index::new(&[target()]);
    let list = |index: &mut Index, names: &[(&str, &str)]| {
        index.workload(NS, TargetKind::Deployment, Change::List);
        for (name, uid) in names {
            index.workload(
                NS,
                TargetKind::Deployment,
                Change::Applied(workload(name, uid)),
            );
        }
        index.workload(NS, TargetKind::Deployment, Change::Listed);
    };
    index.replica_set(NS, Change::List, now);
    index.replica_set(NS, Change::Listed, now);
    index.pod(NS, Change::List, now);
    index.pod(NS, Change::Listed, now);
    let all = [("checkout", "u1"), ("payments", "u2")];
    list(&mut index, &all);
    assert_eq!(index.news(now).len(), 1, "the other is no target");

    let payments = TargetId {
        name: "payments".into(),
        ..target()
    };
    let none = BTreeSet::new();
    let anew = index.follow(&[target(), payments.clone()], &none);
    assert_eq!(anew.len(), 1);
    assert!(
        index.news(now).is_empty(),
        "what was not listed yet is not gone"
    );
    list(&mut index, &all);
    let news = index.news(now);
    assert!(
        matches!(&news[..], [TargetNews::State(state)] if state.id == payments),
        "{news:?}"
    );

    assert!(
        index
            .follow(std::slice::from_ref(&payments), &none)
            .is_empty()
    );
    list(&mut index, &[("payments", "u2")]);
    assert!(index.news(now).is_empty(), "of what went there is no news");
    assert_eq!(index.follow(&[target(), payments], &none).len(), 1);
    list(&mut index, &all);
    assert_eq!(index.news(now).len(), 1, "and all of it when it is back");
    index.follow(&[], &none);
    assert!(!index.has_news() && index.namespaces.is_empty());
}

#[test]
fn where_any_workload_may_be_asked_about_all_are_known() {
    let now = Instant::now();
    let places = BTreeSet::from([(NS.to_owned(), TargetKind::Deployment)]);
    let mut index = Index::default();
    assert_eq!(index.follow(&[], &places), places, "they are to be listed");
    let feed = |index: &mut Index, change| index.workload(NS, TargetKind::Deployment, change);
    let naming = |name: Option<&str>, service: Option<&str>, app: Option<&str>| Naming {
        namespace: NS.to_owned(),
        kind: TargetKind::Deployment,
        name: name.map(str::to_owned),
        service: service.map(str::to_owned),
        labels: app
            .map(|app| ("app".to_owned(), app.to_owned()))
            .into_iter()
            .collect(),
    };
    let by_name = naming(Some("checkout"), None, None);
    assert!(index.find(&by_name).is_err(), "nothing was listed yet");
    feed(&mut index, Change::List);
    for (name, uid, app) in [
        ("checkout", "u1", "shop"),
        ("basket", "u2", "shop"),
        ("payments", "u3", "pay"),
    ] {
        let mut seen = workload(name, uid);
        seen.facts.names.labels = [("app".to_owned(), app.to_owned())].into();
        seen.facts.names.services = [format!("{name}-canary")].into();
        feed(&mut index, Change::Applied(seen));
    }
    feed(&mut index, Change::Listed);
    index.replica_set(NS, Change::List, now);
    index.replica_set(NS, Change::Listed, now);
    index.pod(NS, Change::List, now);
    index.pod(NS, Change::Listed, now);
    let found = |index: &Index, naming: &Naming| -> Vec<String> {
        let found = index.find(naming).expect("they were listed");
        found.into_iter().map(|named| named.target.name).collect()
    };
    let of_shop = naming(None, None, Some("shop"));
    assert_eq!(found(&index, &by_name), ["checkout"]);
    assert_eq!(found(&index, &of_shop), ["basket", "checkout"]);
    let canary = naming(None, Some("payments-canary"), None);
    assert_eq!(found(&index, &canary), ["payments"]);
    assert!(found(&index, &naming(Some("stranger"), None, None)).is_empty());
    assert!(index.news(now).is_empty(), "none of them is a target");

    // One becomes a target: known at once, without another list.
    let anew = index.follow(&[target()], &places);
    assert!(anew.is_empty(), "{anew:?}");
    let news = index.news(now);
    assert!(
        matches!(&news[..], [TargetNews::State(state)] if state.id == target()),
        "{news:?}"
    );
    let mut both = found(&index, &of_shop);
    both.sort();
    assert_eq!(both, ["basket", "checkout"]);
    feed(&mut index, Change::Deleted(workload("basket", "u2")));
    assert_eq!(found(&index, &of_shop), ["checkout"]);
    // And is none again: still known, and without news.
    assert!(index.follow(&[], &places).is_empty());
    assert_eq!(found(&index, &of_shop), ["checkout"]);
    feed(&mut index, Change::Deleted(workload("checkout", "u1")));
    assert!(index.news(now).is_empty() && found(&index, &of_shop).is_empty());
    index.follow(&[], &BTreeSet::new());
    assert!(index.namespaces.is_empty());
}

#[test]
fn a_rollout_is_known_by_the_services_of_its_strategy() {
    let object: Workload = serde_json::from_value(json!({
        "metadata": {"name": "checkout", "uid": "u", "labels": {"app": "checkout"}},
        "spec": {"strategy": {"canary": {"canaryService": "a", "stableService": "b", "steps": []},
            "blueGreen": {"activeService": "c", "previewService": ""}}},
    }))
    .expect("a Rollout");
    let names = WorkloadFacts::of(&object, TargetKind::Rollout).names;
    let services: Vec<_> = names.services.into_iter().collect();
    assert_eq!(services, ["a", "b", "c"]);
    assert_eq!(names.labels["app"], "checkout");
}

#[test]
fn pods_of_a_stateful_set_are_its_own_and_a_name_is_one_pod() {
    let now = Instant::now();
    let id = TargetId {
        namespace: NS.to_owned(),
        kind: TargetKind::StatefulSet,
        name: "web".to_owned(),
    };
    let template = |tag: &str| json!({"spec": {"containers": [{"image": format!("a:{tag}")}]}});
    let revision = |hash: &str, number: u64, tag: &str| {
        let mut template = template(tag);
        template["$patch"] = json!("replace");
        let object: ControllerRevision = serde_json::from_value(json!({
            "metadata": {
                "name": format!("web-{hash}"), "uid": hash,
                "ownerReferences": [{"kind": "StatefulSet", "uid": "s1", "controller": true,
                    "name": "web", "apiVersion": "apps/v1"}],
            },
            "revision": number,
            "data": {"spec": {"template": template}},
        }))
        .expect("a ControllerRevision");
        Seen {
            uid: hash.to_owned(),
            facts: RevisionFacts::of_revision(&object),
        }
    };
    let pod = |uid: &str, hash: &str, created: &str| {
        let object: PodObject = serde_json::from_value(json!({
            "metadata": {
                "name": "web-0", "uid": uid, "creationTimestamp": created,
                "labels": {"controller-revision-hash": format!("web-{hash}")},
                "ownerReferences": [{"kind": "StatefulSet", "uid": "s1", "controller": true,
                    "name": "web", "apiVersion": "apps/v1"}],
            },
            "spec": {"containers": []},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }))
        .expect("a pod");
        Seen {
            uid: uid.to_owned(),
            facts: PodFacts::of(&object),
        }
    };
    let set: Workload = serde_json::from_value(json!({
        "metadata": {"name": "web", "uid": "s1", "generation": 2},
        "spec": {"replicas": 1, "template": template("2")},
        "status": {"observedGeneration": 2, "updateRevision": "web-bbb", "replicas": 1,
            "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    }))
    .expect("a StatefulSet");
    let mut index = Index::new(&[id]);
    for change in [
        Change::List,
        Change::Applied(pod("p1", "aaa", "2026-01-01T00:00:00Z")),
        Change::Listed,
    ] {
        index.pod(NS, change, now);
    }
    for change in [
        Change::List,
        Change::Applied(revision("aaa", 1, "1")),
        Change::Applied(revision("bbb", 2, "2")),
        Change::Listed,
    ] {
        index.controller_revision(NS, change, now);
    }
    index.workload(NS, TargetKind::StatefulSet, Change::List);
    index.workload(
        NS,
        TargetKind::StatefulSet,
        Change::Applied(SeenWorkload {
            name: "web".to_owned(),
            facts: WorkloadFacts::of(&set, TargetKind::StatefulSet),
        }),
    );
    // No ReplicaSets are watched for it.
    index.workload(NS, TargetKind::StatefulSet, Change::Listed);
    let first = state(index.news(now));
    assert_eq!(first.current, Some("bbb".into()));
    assert_eq!(first.pods[0].hash, "aaa".into());
    assert!(first.for_rollback.replacement.waits_for_ready && !first.complete);
    let images: Vec<_> = first.revisions.iter().map(|seen| &seen.images[0]).collect();
    assert_eq!(images, ["a:1", "a:2"]);
    // Within the same second another pod takes over the name.
    index.pod(
        NS,
        Change::Deleted(pod("p1", "aaa", "2026-01-01T00:00:00Z")),
        now,
    );
    index.pod(
        NS,
        Change::Applied(pod("p0", "bbb", "2026-01-01T00:00:00Z")),
        now,
    );
    let next = state(index.news(now));
    assert_eq!(next.pods.len(), 1, "{:#?}", next.pods);
    assert!(next.pods[0].ready && next.pods[0].hash == "bbb".into());
    assert!(next.complete);
}
