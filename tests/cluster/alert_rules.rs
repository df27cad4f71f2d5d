//! Rules about alerts, and silences: a real Alertmanager tells the real agent, which takes a release back, or does not, or
//! waits.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use recant_core::guard::Guard;
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

#[test]
fn a_silence_holds_what_is_told_and_done_until_it_is_taken_back() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("silences").await;
        ns.deployment("quiet", "v1", 1).await;
        let address = format!("127.0.0.1:{}", bed.free_port());
        let webhook = format!("http://{address}/alertmanager/v1/webhook");
        let alertmanager = Alertmanager::start(bed, &webhook).await;
        let url = bed.folder("secret").join("url");
        std::fs::write(&url, alertmanager.url()).expect("the bed's folder is writable");
        let silence = alertmanager
            .silence(&[("namespace", ns.name()), ("deployment", "quiet")])
            .await;
        // Most silences are about other things.
        alertmanager.silence(&[("alertname", "HighLoad")]).await;

        let options = Options {
            settings: vec![
                ("api.address", json!(address)),
                ("silences.actions", json!("hold")),
            ],
            ..Options::default()
        };
        let watch = WATCH
            .replace("NAMESPACE", ns.name())
            .replace("NAME", "quiet");
        let channel = format!(
            "---\napiVersion: recant.dev/v1alpha1\nkind: Channel\nmetadata: {{name: pager}}\nalertmanager: {{url: {{file: {}}}}}\n",
            url.display()
        );
        let agent = Agent::start(&[&ns], &format!("{SET}{watch}{channel}"), options).await;
        let silenced = |record: &Record| match record {
            Record::Silenced { silences, .. } => Some(silences.len()),
            _ => None,
        };
        let known = agent
            .wait_record("the silence", WITHIN, |entry| silenced(&entry.record))
            .await;
        assert_eq!(known, 1);

        ns.set_image("quiet", "v2").await;
        ns.wait_complete("quiet", "v2").await;
        let began = |record: &Record| matches!(record, Record::AnalysisBegan { .. }).then_some(());
        agent
            .wait_record("the analysis", WITHIN, |entry| began(&entry.record))
            .await;
        let now = Timestamp::now();
        alertmanager
            .tell(vec![alert(ns.name(), "quiet", now)])
            .await;
        let hold = agent
            .wait_record("the hold", WITHIN, |entry| match &entry.record {
                Record::HoldBegan { hold, .. } if hold.guard == Guard::Silence => {
                    Some(hold.clone())
                }
                _ => None,
            })
            .await;
        assert!(
            hold.reason.contains("by alice until") && hold.until.is_some(),
            "{hold:?}"
        );
        // The journal is ahead of what is shown by a moment.
        wait_for("the held notice to be shown", WITHIN, || async {
            let snapshot = agent.snapshot().await;
            let held = snapshot["heldNotices"].as_array().map(Vec::len);
            let shown = held == Some(1) && snapshot["silences"][0]["id"] == json!(silence);
            shown.then_some(()).ok_or_else(|| snapshot.to_string())
        })
        .await;
        assert!(agent.notices().is_empty(), "{:?}", agent.notices());
        assert_eq!(agent.slack().received().len(), 0);

        alertmanager.unsilence(&silence).await;
        ns.wait_template("quiet", "v1", WITHIN).await;
        let told = agent.wait_slack("the rollback is held", WITHIN).await;
        let told = told.json().to_string();
        assert!(told.contains("This message was held back since"), "{told}");
        agent.wait_slack("Rolling back", WITHIN).await;
    });
}
