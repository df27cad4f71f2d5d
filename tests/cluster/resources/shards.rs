//! Custom resources with the targets divided among shards: each engine says what it knows of its own watches, orders and
//! approvals reach the shard that they are about, and another number of shards is refused while journals of this one are
//! there.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use recant::journal::shard::look;
use recant_core::ids::{TargetId, TargetKind};
use recant_core::record::Record;
use recant_core::share::shard_of;
use serde_json::{Value, json};

use super::WITHIN;
use super::agent::{ROLLBACK, agent_with, object, wait_condition, watch};
use crate::agent::Agent;
use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;
use crate::wait::wait_for;

const SHARDS: u32 = 2;
const TOKEN: &str = "the-secret-token-of-ops";

fn target(team: &Namespace, name: &str) -> TargetId {
    TargetId {
        namespace: team.name().to_owned(),
        kind: TargetKind::Deployment,
        name: name.to_owned(),
    }
}

/// A target of each shard.
fn names(team: &Namespace) -> [String; 2] {
    let mut names = BTreeMap::new();
    for number in 0..100 {
        let name = format!("checkout{number}");
        let shard = shard_of(&target(team, &name), SHARDS);
        names.entry(shard).or_insert(name);
    }
    [names[&0].clone(), names[&1].clone()]
}

async fn records(own: &Namespace, shard: u32) -> Vec<Record> {
    let name = format!("recant-shard-{shard}");
    let state = look(&own.bed().client(), own.name(), &name).await;
    let state = state.expect("an answer").expect("a journal");
    state
        .recent
        .into_iter()
        .map(|recent| recent.record)
        .collect()
}

async fn order(url: &str, path: &str, body: &Value, bed: &Bed) -> Value {
    let request = bed
        .http()
        .post(format!("{url}/api/v1/{path}"))
        .bearer_auth(TOKEN)
        .header("content-type", "application/json")
        .header("idempotency-key", path)
        .body(body.to_string());
    let answer = request.send().await.expect("it answers");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    assert!(status.is_success(), "{path}: {status}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

async fn fixed_number_of_shards(agent: &Agent, own: &Namespace) {
    let settings = std::fs::read_to_string(agent.settings_file()).expect("it was written");
    let mut other: Value = serde_json::from_str(&settings).expect("JSON");
    other["replicas.shards"] = json!(SHARDS + 1);
    let data = async |shard: u32| {
        let maps = own.api::<ConfigMap>();
        let found = maps.get_opt(&format!("recant-shard-{shard}")).await;
        found.expect("an answer").map(|map| map.data)
    };
    let before = (data(0).await, data(1).await);
    agent.write("settings.yaml", &other.to_string());
    agent.launch();
    let ended = agent.wait_end(WITHIN).await;
    assert!(!ended.success());
    let log = agent.log();
    assert!(
        log.contains("is one of 2, and the settings divide the targets among 3")
            && log.contains("set `replicas.shards` to 2 again"),
        "{log}"
    );
    assert_eq!(
        (data(0).await, data(1).await),
        before,
        "they are left untouched"
    );
    assert!(data(2).await.is_none(), "nothing new is begun beside them");
    agent.write("settings.yaml", &settings);
    agent.start_again().await;
}

#[test]
fn documents_work_with_several_shards_and_orders_reach_theirs() {
    run(async {
        let bed = Bed::get().await;
        let (own, team) = (
            bed.namespace("recant").await,
            bed.namespace("divided").await,
        );
        let names = names(&team);
        for name in &names {
            team.deployment(name, "v1", 2).await;
        }
        let folder = bed.folder("divided");
        let write = |file: &str, text: &str| {
            let path = folder.join(file);
            std::fs::write(&path, text).expect("the bed's folder is writable");
            path.display().to_string()
        };
        let token = write("token", TOKEN);
        let callers =
            format!("callers:\n- {{name: ops, scopes: [read, act], token: {{file: {token}}}}}\n");
        let address = format!("127.0.0.1:{}", bed.free_port());
        let url = format!("http://{address}");
        let settings = vec![
            ("replicas.shards", json!(SHARDS)),
            ("api.address", json!(address)),
            ("api.callers", json!(write("callers.yaml", &callers))),
        ];
        let agent = agent_with(&own, &team, settings).await;
        let asks = json!({"rules": ["shared"], "onFail": [{"rollback": {"approval": "required"}}]});
        for name in &names {
            team.apply(&watch(name, &asks)).await;
        }
        // It is of no target: the first shard speaks about it.
        let mut lost = watch("lost", &asks);
        lost["rules"] = json!(["shard"]);
        team.apply(&lost).await;
        agent.launch();
        agent.wait_ready().await;
        for name in &names {
            wait_condition(&team, ("Watch", name), ("Ready", "True", "Watching")).await;
        }
        wait_condition(&team, ("Watch", "lost"), ("Ready", "False", "Invalid")).await;

        // Each status has one writer: nothing happens, and nothing is written.
        let versions = async || {
            let mut versions = Vec::new();
            for name in &names {
                let found = object(&team, "Watch", name).await;
                versions.push(found["metadata"]["resourceVersion"].clone());
            }
            versions
        };
        let before = versions().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(versions().await, before);

        // A hold reaches the shard of its target, and only that one.
        let hold = json!({"target": format!("Deployment/{}", names[0]), "namespace": team.name(), "reason": "looking"});
        order(&url, "hold", &hold, bed).await;
        let commanded = async |shard: u32| {
            let all = records(&own, shard).await;
            all.iter()
                .filter(|record| matches!(record, Record::Commanded { .. }))
                .count()
        };
        wait_for("the order to be in its journal", WITHIN, || async {
            let counts = (commanded(0).await, commanded(1).await);
            (counts == (1, 0))
                .then_some(())
                .ok_or(format!("{counts:?}"))
        })
        .await;

        // A bad release in the other shard asks for an approval, which names a plan and no target.
        let traffic = team.traffic(&names[1], 20.0);
        team.set_image(&names[1], "bad").await;
        let plan = wait_for("somebody to be asked", ROLLBACK, || async {
            let snapshot = agent.snapshot().await;
            let plan = snapshot["approvals"][0]["plan"].as_str().map(str::to_owned);
            plan.ok_or(snapshot["approvals"].to_string())
        })
        .await;
        order(
            &url,
            "approve",
            &json!({"plan": plan, "reason": "yes"}),
            bed,
        )
        .await;
        team.wait_template(&names[1], "v1", ROLLBACK).await;
        let what = "the status to say what was done";
        wait_for(what, ROLLBACK, || async {
            let found = object(&team, "Watch", &names[1]).await;
            let done = found["status"]["lastAction"]["outcome"] == "Done";
            done.then_some(()).ok_or(found["status"].to_string())
        })
        .await;
        let other = object(&team, "Watch", &names[0]).await;
        assert_eq!(other["status"]["lastAction"], Value::Null, "{other:#}");
        let of_plan = |records: &[Record]| {
            let mut all = records.iter();
            all.any(|record| matches!(record, Record::PlanBegan { .. }))
        };
        assert!(!of_plan(&records(&own, 0).await));
        traffic.stop().await;

        agent.terminate(WITHIN).await;
        fixed_number_of_shards(&agent, &own).await;
        wait_condition(&team, ("Watch", &names[1]), ("Ready", "True", "Watching")).await;
    });
}
