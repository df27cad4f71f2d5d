//! Reports to the real agent: alerts by a real Alertmanager, markers as CI sends them. Each is in the journal once,
//! whatever is repeated, and what happens while the agent is down is not lost.

use std::fmt::Write as _;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use recant_core::record::Record;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::agent::{Agent, Options};
use crate::alertmanager::Alertmanager;
use crate::bed::Bed;
use crate::case::run;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_mins(1);
const TOKEN: &str = "a-token-of-this-test";

const RULES: &str = r"
apiVersion: recant.dev/v1alpha1
kind: Watch
metadata: {name: checkout, namespace: NAMESPACE}
target: {kind: Deployment, name: checkout}
source: scrape
rules: [http]
";

/// The alerts that the journal tells of: name, and whether it fires.
fn alerted(agent: &Agent) -> Vec<(String, bool)> {
    let records = agent.journal().into_iter();
    records
        .filter_map(|entry| match entry.record {
            Record::Alerted { alert } => {
                Some((alert.labels["alertname"].clone(), alert.ended.is_none()))
            }
            _ => None,
        })
        .collect()
}

async fn wait_alerted(agent: &Agent, wanted: &[(&str, bool)]) {
    wait_for("the alerts to be in the journal", WITHIN, || async {
        let found = alerted(agent);
        let same = found.len() == wanted.len()
            && found
                .iter()
                .zip(wanted)
                .all(|(found, wanted)| (found.0.as_str(), found.1) == *wanted);
        if same {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
}

/// Tells Alertmanager of an alert, as Prometheus does.
async fn tell(bed: &Bed, alertmanager: &Alertmanager, name: &str, ends: Option<Timestamp>) {
    let mut alert = json!({"labels": {"alertname": name, "namespace": "shop"},
        "annotations": {"summary": "errors are high"}});
    if let Some(ends) = ends {
        alert["endsAt"] = json!(ends);
    }
    let url = format!("{}/api/v2/alerts", alertmanager.url());
    let answer = bed.http().post(url).json(&json!([alert])).send().await;
    answer
        .expect("it answers")
        .error_for_status()
        .expect("it takes it");
}

async fn mark(bed: &Bed, url: &str, key: &str, body: &str) -> (u16, Value) {
    let at = Timestamp::now().as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key will do");
    mac.update(format!("{at}.{body}").as_bytes());
    let mut signature = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(signature, "{byte:02x}").expect("a String takes everything");
    }
    let answer = bed
        .http()
        .post(format!("{url}/markers"))
        .header("x-recant-timestamp", at)
        .header("x-recant-signature", format!("sha256={signature}"))
        .body(body.to_owned())
        .send()
        .await
        .expect("it answers");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[test]
fn alerts_and_markers_are_written_down_once_and_survive_a_restart() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("reports").await;
        ns.deployment("checkout", "v1", 1).await;
        let address = format!("127.0.0.1:{}", bed.free_port());
        let secret = bed.folder("secret");
        let file = |name: &str| {
            let file = secret.join(name);
            std::fs::write(&file, TOKEN).expect("the bed's folder is writable");
            json!(file)
        };
        let options = Options {
            settings: vec![
                ("api.address", json!(address)),
                ("api.readToken.file", file("read")),
                ("api.hookToken.file", file("hook")),
                ("api.markerKey.file", file("key")),
            ],
            ..Options::default()
        };
        let rules = RULES.replace("NAMESPACE", ns.name());
        let agent = Agent::start(&[&ns], &rules, options).await;
        let webhook = format!("http://recant:{TOKEN}@{address}/alertmanager/v1/webhook");
        let alertmanager = Alertmanager::start(bed, &webhook).await;

        tell(bed, &alertmanager, "HighErrorRate", None).await;
        wait_alerted(&agent, &[("HighErrorRate", true)]).await;
        wait_for("the alert to be shown", WITHIN, || async {
            let shown = agent.snapshot().await["alerts"].clone();
            let alert = &shown[0];
            if alert["labels"]["alertname"] == "HighErrorRate"
                && alert["summary"] == "errors are high"
            {
                Ok(())
            } else {
                Err(shown.to_string())
            }
        })
        .await;

        let marker = format!(
            r#"{{"namespace": "{}", "name": "checkout", "version": "1.4.2", "time": "2026-01-01T00:00:00Z"}}"#,
            ns.name()
        );
        let url = format!("http://{address}");
        let (status, first) = mark(bed, &url, TOKEN, &marker).await;
        assert_eq!(status, 200, "{first}");

        // What happens while it is down comes when it is back: Alertmanager tries again.
        agent.kill();
        tell(bed, &alertmanager, "HighErrorRate", Some(Timestamp::now())).await;
        tell(bed, &alertmanager, "SlowAnswers", None).await;
        agent.start_again().await;
        wait_for("both to be in the journal", WITHIN, || async {
            let found = alerted(&agent);
            let over = found.contains(&("HighErrorRate".to_owned(), false));
            let new = found.contains(&("SlowAnswers".to_owned(), true));
            if over && new {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        })
        .await;
        assert_eq!(alerted(&agent).len(), 3, "{:?}", alerted(&agent));

        // CI did not get its answer, and sends the marker again: after the restart it is known still.
        let (status, again) = mark(bed, &url, TOKEN, &marker).await;
        assert_eq!((status, &again["id"]), (200, &first["id"]));
        let (status, _) = mark(bed, &url, "another key", &marker).await;
        assert_eq!(status, 401);
        let markers = agent.snapshot().await["targets"][0]["markers"].clone();
        assert_eq!(markers.as_array().map(Vec::len), Some(1), "{markers}");
        assert_eq!(markers[0]["version"], "1.4.2");
        let marked = agent.journal().into_iter();
        let marked = marked.filter(|entry| matches!(entry.record, Record::Marked { .. }));
        assert_eq!(marked.count(), 1);

        // As many as can be kept are kept; what comes beyond is not taken, until there is room.
        let deliver = async |status: &str, numbers: Vec<usize>| {
            let alert = |number: &usize| {
                json!({"status": status, "labels": {"alertname": "Many", "number": number.to_string()},
                    "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
                    "fingerprint": format!("n{number}")})
            };
            let alerts: Vec<Value> = numbers.iter().map(alert).collect();
            let request = bed
                .http()
                .post(format!("{url}/alertmanager/v1/webhook"))
                .bearer_auth(TOKEN)
                .json(&json!({"version": "4", "alerts": alerts}));
            let answer = request.send().await.expect("it answers");
            (
                answer.status().as_u16(),
                answer.text().await.expect("a text"),
            )
        };
        // One of Alertmanager's fires.
        assert_eq!(deliver("firing", (0..999).collect()).await.0, 200);
        let (status, why) = deliver("firing", vec![1_000, 1_001]).await;
        assert_eq!(status, 503, "{why}");
        assert_eq!(deliver("firing", (0..999).collect()).await.0, 200);
        assert_eq!(deliver("resolved", vec![3]).await.0, 200);
        assert_eq!(deliver("firing", vec![1_000]).await.0, 200);
        assert_eq!(deliver("firing", vec![1_001]).await.0, 503);
        let shown = agent.snapshot().await["alerts"].clone();
        assert_eq!(shown.as_array().map(Vec::len), Some(1_000));
        let log = agent.log();
        assert!(!log.contains(TOKEN), "the log shows a secret");
    });
}
