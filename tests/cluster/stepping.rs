//! A release whose traffic is stepped, with the real agent and the users' canary Ingress: 10 → 50 → 100 % as the evidence
//! allows, and back to 0 before the release is taken back when it is bad. Requests follow the weight.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use recant_core::notice::NoticeKind;
use recant_core::operation::{OperationEnd, OperationEvent, Step};
use recant_core::record::Record;
use recant_core::stepping::SteppingEnd;
use serde_json::json;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::run;
use crate::namespace::Namespace;
use crate::rules::{always, error_rate};
use crate::services::Behaviour;
use crate::traffic::Traffic;
use crate::wait::wait_for;

const INGRESS: &str = include_str!("../acceptance/nginx-canary-ingress.yaml");
const WEIGHT: &str = "nginx.ingress.kubernetes.io/canary-weight";
const WITHIN: Duration = Duration::from_mins(1);
/// Requests a second to both colours together.
const RATE: f64 = 100.0;

fn rules(ns: &Namespace) -> String {
    let namespace = ns.name();
    let watch = format!(
        "
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {{name: green, namespace: {namespace}}}
target: {{kind: Deployment, name: green}}
source: scrape
rules: [shop]
release:
  watch: 3s
  traffic: {{route: {{kind: Ingress, name: api-ingress}}, steps: [10%, 50%, 100%], each: 2s}}
onFail: [{{rollback: {{}}}}, {{notify: [team]}}]
onPass: [{{notify: [team]}}]
"
    );
    error_rate("10%", "  least: 10") + &watch
}

fn blue_green(ns: &Namespace) -> String {
    let switch = "{switch: {service: checkout, to: {app: blue}, target: Deployment/blue, present: Deployment/green, wait: 1m}}";
    error_rate("5%", "") + &always(ns, "green", switch)
}

async fn weight(ns: &Namespace) -> u32 {
    let ingress: Ingress = ns.api().get("api-ingress").await.expect("it is there");
    let annotations = ingress.metadata.annotations.expect("it has some");
    annotations[WEIGHT].parse().expect("a number")
}

/// What nginx would do: the canary gets its share of the requests, and every weight is noted.
fn follow(ns: &'static Namespace) -> DropGuard {
    let stop = CancellationToken::new();
    let guard = stop.clone().drop_guard();
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let selector = BTreeMap::from([("app".to_owned(), "green".to_owned())]);
        let mut now = (0, None::<Traffic>);
        loop {
            let weight = weight(ns).await;
            if weight != now.0 {
                let rate = RATE * f64::from(weight) / 100.0;
                let traffic = (weight > 0)
                    .then(|| Traffic::start(ns.bed(), ns.name(), selector.clone(), rate));
                now = (weight, traffic);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }));
    guard
}

fn ends(agent: &Agent) -> Vec<SteppingEnd> {
    let journal = agent.journal();
    let end = |record: &Record| match record {
        Record::SteppingEnded { end, .. } => Some(end.clone()),
        _ => None,
    };
    journal
        .iter()
        .filter_map(|entry| end(&entry.record))
        .collect()
}

fn percents(agent: &Agent) -> Vec<u32> {
    let journal = agent.journal();
    let reached = |record: &Record| match record {
        Record::TrafficReached { reached, .. } => Some(reached.percent),
        _ => None,
    };
    journal
        .iter()
        .filter_map(|entry| reached(&entry.record))
        .collect()
}

/// What the program says of the release.
async fn explained(agent: &Agent) -> String {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_recant"))
        .args(["explain", "green", "--journal"])
        .arg(agent.journal_file())
        .output();
    let output = output.await.expect("it starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_good_release_gets_all_the_traffic_and_a_bad_one_loses_it() {
    run(async {
        let bed = Bed::get().await;
        let ns: &'static Namespace = Box::leak(Box::new(bed.namespace("stepped").await));
        ns.apply(&json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "api-service-green"},
            "spec": {"selector": {"app": "green"}, "ports": [{"port": 80, "targetPort": 8080}]},
        }))
        .await;
        let apply = ["-n", ns.name(), "apply", "-f", "-"];
        let applied = bed.kubectl_as(bed.admin(), &apply, INGRESS).await;
        applied.unwrap_or_else(|error| panic!("{error}"));
        traffic_role(ns).await;
        ns.deployment("green", "v1", 2).await;
        let agent = Agent::start(&[ns], &rules(ns), Options::default()).await;
        let _nginx = follow(ns);

        ns.set_image("green", "v3").await;
        wait_for("all steps, and a pass", WITHIN, || async {
            match ends(&agent).as_slice() {
                [SteppingEnd::Passed] => Ok(()),
                other => Err(format!("{other:?}; weight {}", weight(ns).await)),
            }
        })
        .await;
        assert_eq!(percents(&agent), [10, 50, 100]);
        assert_eq!(weight(ns).await, 100);
        let explained = explained(&agent).await;
        assert!(
            explained.contains(
                "traffic    the canary has 100 %, step 3 of 3 (10 %, 50 %, 100 %), on Ingress"
            ),
            "{explained}"
        );

        // The stable colour has got the new version by now, and the canary none of the traffic.
        let none = format!("{WEIGHT}=0");
        ns.kubectl(&["annotate", "--overwrite", "ingress/api-ingress", &none])
            .await;
        ns.set_image("green", "bad").await;
        wait_for("no traffic for the bad release", WITHIN, || async {
            match ends(&agent).as_slice() {
                [_, SteppingEnd::Back] => Ok(()),
                other => Err(format!("{other:?}; weight {}", weight(ns).await)),
            }
        })
        .await;
        assert_eq!(weight(ns).await, 0);
        // A bad release may be found before its first step is written.
        let steps = percents(&agent);
        let of_bad = steps.get(3..).expect("those of the good one came before");
        assert!(of_bad == [10, 0] || of_bad == [0], "{steps:?}");
        ns.wait_template("green", "v3", WITHIN).await;
        let journal = agent.journal();
        let at =
            |wanted: fn(&Record) -> bool| journal.iter().position(|entry| wanted(&entry.record));
        let back =
            at(|record| matches!(record, Record::TrafficBegan { plan } if plan.percent == 0));
        let undo = at(|record| matches!(record, Record::PlanBegan { .. }));
        assert!(back.is_some() && back < undo, "{back:?} {undo:?}");
        agent.wait_slack("has no traffic any more", WITHIN).await;
        let told = agent.notices();
        let of_traffic = told
            .iter()
            .filter(|notice| notice.kind == NoticeKind::Traffic);
        // Each step, and the end of the good one.
        assert!(of_traffic.count() > steps.len(), "{told:#?}");
    });
}

#[test]
fn a_service_that_breaks_is_switched_to_the_other_colour_once_that_is_as_large_and_ready() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("switched").await;
        ns.apply(&json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "checkout"},
            "spec": {"selector": {"app": "green"}, "ports": [{"port": 80, "targetPort": 8080}]},
        }))
        .await;
        traffic_role(&ns).await;
        ns.deployment("green", "v1", 2).await;
        ns.apply(&crate::manifests::deployment("blue", "v3", 0))
            .await;
        let agent = Agent::start(&[&ns], &blue_green(&ns), Options::default()).await;
        let traffic = ns.traffic("green", 40.0);
        traffic.next(60, WITHIN).await;
        ns.behave("v1", Behaviour::FAILING);
        wait_for("the Service to select blue", WITHIN, || async {
            let service: Service = ns.api().get("checkout").await.map_err(|e| e.to_string())?;
            let selector = service
                .spec
                .and_then(|spec| spec.selector)
                .unwrap_or_default();
            // Never before pods of that colour are ready.
            let ready = ns.ready("blue").len();
            match selector["app"].as_str() {
                "blue" if ready >= 2 => Ok(()),
                "blue" => panic!("switched to a colour with {ready} ready pods"),
                other => Err(other.to_owned()),
            }
        })
        .await;
        let end = agent
            .wait_record("the end of the operation", WITHIN, |entry| {
                match &entry.record {
                    Record::Operation(OperationEvent::Ended { end, .. }) => Some(end.clone()),
                    _ => None,
                }
            })
            .await;
        assert_eq!(end, OperationEnd::Done);
        let journal = agent.journal();
        let steps = journal.iter().find_map(|entry| match &entry.record {
            Record::Operation(OperationEvent::Began { operation }) => Some(operation.steps.clone()),
            _ => None,
        });
        let words: Vec<String> = steps.iter().flatten().map(Step::in_words).collect();
        assert_eq!(words.len(), 3, "{words:?}");
        assert!(words[0].contains("from 0 to 2"), "{words:?}");
    });
}

/// Gives the agent the rights of `traffic-role.yaml` in a namespace.
pub(crate) async fn traffic_role(ns: &Namespace) {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/manifests");
    for file in ["traffic-role.yaml", "traffic-role-binding.yaml"] {
        let path = manifests.join(file);
        ns.kubectl(&["apply", "-f", path.to_str().expect("a path in UTF-8")])
            .await;
    }
}
