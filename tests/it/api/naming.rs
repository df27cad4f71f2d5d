//! What can be asked about by other names, and what is taken up because somebody asked about it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use recant::http::api::Access;
use recant::http::reports::Reported;
use recant_core::hook::Hook;
use recant_core::ids::{TargetId, TargetKind, WatchName};
use recant_core::rule::Scope;
use recant_core::snapshot::{RequestSnapshot, Room};
use recant_core::target::naming::{Named, Names, Naming};

use super::bed::{Answer, Bed, with};

fn target(name: &str) -> TargetId {
    TargetId {
        namespace: "shop".to_owned(),
        kind: TargetKind::Rollout,
        name: name.to_owned(),
    }
}

/// Name, labels and Services of the workloads that the cluster shows.
fn cluster() -> BTreeMap<&'static str, Names> {
    let of = |app: &str, team: &str, service: &str| Names {
        labels: [("app", app), ("team", team)]
            .map(|(label, value)| (label.to_owned(), value.to_owned()))
            .into(),
        services: [service.to_owned()].into(),
    };
    BTreeMap::from([
        ("watched", of("watched", "a", "watched-canary")),
        ("twin", of("watched", "a", "twin-canary")),
        ("allowed", of("allowed", "b", "allowed-canary")),
        ("forbidden", of("forbidden", "c", "forbidden-canary")),
    ])
}

/// A port before which `watched` is watched, and workloads of team b are taken up; and what was asked of the engine.
async fn bed(room: Room) -> (Bed, Arc<Mutex<Vec<Hook>>>) {
    let (bed, mut queue) = Bed::start_with(Access::default(), None).await;
    bed.ops.finder.set(|naming: &Naming| {
        assert_eq!(naming.namespace, "shop");
        if naming.kind != TargetKind::Rollout {
            return Err("the Deployments were not listed yet".to_owned());
        }
        let all = cluster().into_iter();
        let meant = all.filter(|(name, names)| naming.means(name, names));
        Ok(meant
            .map(|(name, names)| Named {
                target: target(name),
                labels: names.labels,
            })
            .collect())
    });
    let scope = Scope {
        namespaces: ["shop".to_owned()].into(),
        kinds: [TargetKind::Rollout].into(),
        labels: [("team".to_owned(), "b".to_owned())].into(),
    };
    let watch = WatchName {
        namespace: "shop".to_owned(),
        name: "asked".to_owned(),
    };
    let watched = with("watched", |analysis| analysis.passing = true);
    bed.show_on_request(vec![watched], RequestSnapshot { watch, scope }, room);
    let taken = Arc::new(Mutex::new(Vec::new()));
    let into = taken.clone();
    tokio::spawn(async move {
        while let Some(Reported { hooks, durable }) = queue.recv().await {
            into.lock().expect("nobody panics").extend(hooks);
            durable.send(Ok(())).expect("somebody waits");
        }
    });
    (bed, taken)
}

const FREE: Room = Room {
    taken: 1,
    most: 2,
    free: true,
};

async fn ask(bed: &Bed, query: &str) -> Answer {
    bed.get(&format!(
        "/argo/v1/analysis?namespace=shop&hash=new&{query}"
    ))
    .await
}

#[tokio::test]
async fn a_target_is_found_by_any_name_that_means_only_it() {
    let (bed, taken) = bed(FREE).await;
    for query in [
        "name=watched",
        "service=watched-canary",
        "label.app=watched&service=watched-canary",
        "label.app=watched&name=watched",
    ] {
        let answer = ask(&bed, query).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        assert_eq!(answer.json()["data"]["phase"], "Successful", "{answer:?}");
    }
    for (query, status, says) in [
        ("label.app=watched", 409, "`twin`, `watched`"),
        (
            "label.app=nobody",
            404,
            "there is no Rollout in namespace `shop` with label `app=nobody`",
        ),
        ("service=watched", 404, "Service `watched`"),
        (
            "name=watched&service=twin-canary",
            404,
            "there is no Rollout",
        ),
        ("service=forbidden-canary", 404, "none on request allows it"),
        ("name=forbidden", 404, "none on request allows it"),
        (
            "name=stranger",
            404,
            "there is no Rollout in namespace `shop` with name `stranger`",
        ),
        ("label.app=x&kind=Deployment", 503, "were not listed yet"),
        ("name=x&kind=Deployment", 404, "no Watch names it"),
        ("app=x", 400, "there is no parameter `app`"),
    ] {
        let answer = ask(&bed, query).await;
        assert_eq!(answer.status, status, "{query}: {answer:?}");
        let json = answer.json();
        assert_eq!(json["data"]["phase"], "Error", "{answer:?}");
        let detail = json["detail"].as_str().expect("a detail");
        assert!(detail.contains(says), "{query}: {detail}");
    }
    assert!(taken.lock().expect("nobody panics").is_empty());
}

#[tokio::test]
async fn what_a_watch_allows_is_taken_up_when_it_is_asked_about() {
    let (bed, taken) = bed(FREE).await;
    for query in ["name=allowed", "service=allowed-canary", "label.team=b"] {
        let answer = ask(&bed, query).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        let data = &answer.json()["data"];
        assert_eq!(data["phase"], "Running", "{answer:?}");
        let reason = data["reason"].as_str().unwrap_or_default();
        assert_eq!(
            reason,
            "Rollout shop/allowed is watched from now on, by Watch shop/asked"
        );
    }
    let taken = taken.lock().expect("nobody panics");
    let wanted = |hook: &Hook| matches!(hook, Hook::Wanted { target: wanted, .. } if *wanted == target("allowed"));
    assert!(taken.len() == 3 && taken.iter().all(wanted), "{taken:?}");
}

#[tokio::test]
async fn without_room_the_answer_is_undecided_and_nothing_is_asked_of_the_engine() {
    let full = Room {
        taken: 2,
        most: 2,
        free: false,
    };
    let (bed, taken) = bed(full).await;
    let answer = ask(&bed, "name=allowed").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let data = &answer.json()["data"];
    assert_eq!(data["phase"], "Running", "{answer:?}");
    let reason = data["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("2 targets are watched on request, and 2 may be (`onRequest.most`)"),
        "{reason}"
    );
    assert!(taken.lock().expect("nobody panics").is_empty());
}
