//! Rules about alerts: a real Alertmanager tells the real agent, which takes a release back, or does not.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use recant_core::ids::{TargetId, TargetKind};
use recant_core::judge::State;
use recant_core::notice::NoticeKind;
use recant_core::record::Record;
use serde_json::{Value, json};

use crate::agent::{Agent, Options};
use crate::alertmanager::Alertmanager;
use crate::bed::Bed;
use crate::case::run;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_mins(1);

const SET: &str = r"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: symptoms}
rules:
- name: errors
  alert: {name: HighErrorRate, labels: {service: '${name}'}}
";

const WATCH: &str = r"
---
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: NAME, namespace: NAMESPACE}
target: {kind: Deployment, name: NAME}
source: scrape
rules: [http, symptoms]
onFail: [{rollback: {}}, {notify: [team]}]
";

fn alert(namespace: &str, service: &str, starts: Timestamp) -> Value {
    json!({
        "labels": {"alertname": "HighErrorRate", "namespace": namespace, "service": service},
        "annotations": {"summary": "errors are high"},
        "startsAt": starts,
        "endsAt": starts + SignedDuration::from_hours(2),
    })
}

#[test]
fn an_alert_takes_back_the_release_that_it_began_with_and_no_other() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("alert-rules").await;
        for name in ["after", "before"] {
            ns.deployment(name, "v1", 1).await;
        }
        let address = format!("127.0.0.1:{}", bed.free_port());
        let options = Options {
            settings: vec![("api.address", json!(address))],
            ..Options::default()
        };
        let watch = |name| WATCH.replace("NAMESPACE", ns.name()).replace("NAME", name);
        let rules = format!("{SET}{}{}", watch("after"), watch("before"));
        let agent = Agent::start(&[&ns], &rules, options).await;
        let webhook = format!("http://{address}/alertmanager/v1/webhook");
        let alertmanager = Alertmanager::start(bed, &webhook).await;
        let fire = |service: &'static str, starts| {
            alertmanager.tell(vec![alert(ns.name(), service, starts)])
        };

        fire("before", Timestamp::now()).await;
        let alerted = |record: &Record| match record {
            Record::Alerted { alert } => Some(alert.labels["service"].clone()),
            _ => None,
        };
        agent
            .wait_record("the alert", WITHIN, |entry| {
                alerted(&entry.record).filter(|service| service == "before")
            })
            .await;
        for name in ["after", "before"] {
            ns.set_image(name, "v2").await;
            ns.wait_complete(name, "v2").await;
        }
        let target = |name: &str| TargetId {
            namespace: ns.name().to_owned(),
            kind: TargetKind::Deployment,
            name: name.to_owned(),
        };
        for name in ["after", "before"] {
            let of = target(name);
            let began = |record: &Record| match record {
                Record::AnalysisBegan { analysis } if analysis.target == of => Some(()),
                _ => None,
            };
            agent
                .wait_record("the analysis", WITHIN, |entry| began(&entry.record))
                .await;
        }
        fire("after", Timestamp::now()).await;
        ns.wait_template("after", "v1", WITHIN).await;
        let notice = agent
            .wait_notice(NoticeKind::RollingBack, Some(&target("after")), WITHIN)
            .await;
        let why = notice.sentences.join(" ");
        assert!(
            why.contains("`symptoms/errors`: the alert `HighErrorRate` fires"),
            "{why}"
        );

        // The other alert fires as well, and is nobody's fault.
        wait_for("the verdict on the other", WITHIN, || async {
            let snapshot = agent.snapshot().await;
            let found = snapshot["targets"].as_array().into_iter().flatten();
            let found = found
                .filter(|of| of["target"]["name"] == "before")
                .flat_map(|of| of["analysis"]["findings"].as_array().into_iter().flatten())
                .find(|finding| finding["rule"] == "symptoms/errors");
            let wanted = json!(State::BaselineAlsoBad);
            match found {
                Some(finding) if finding["state"] == wanted => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        let planned = agent
            .journal()
            .into_iter()
            .filter_map(|entry| match entry.record {
                Record::PlanBegan { plan } => Some(plan.fence.target.name),
                _ => None,
            });
        assert_eq!(planned.collect::<Vec<_>>(), ["after"]);
    });
}
