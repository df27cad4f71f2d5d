//! Argo's `kayenta` provider with the real controller, the real agent in Kayenta's place, and a real Prometheus: a good
//! version is promoted, a bad one aborted, one in between paused.

use serde_json::{Value, json};

use super::{TOKEN, WITHIN, agent, rollouts, run_of, watches};
use crate::agent::Options;
use crate::bed::Bed;
use crate::case::run;
use crate::services::Behaviour;
use crate::wait::wait_for;

const NAMES: [&str; 3] = ["good", "bad", "between"];

/// The share of errors, which weighs so much, and a metric that never differs.
fn config(name: &str, weight: u32) -> Value {
    let requests =
        |more: &str| format!("sum(rate(http_requests_total{{pod=~\"${{scope}}-.*\"{more}}}[4s]))");
    let errors = requests(",status=~\"5..\"");
    let metric = |name: &str, promql: &str| {
        json!({
            "name": name,
            "query": {"type": "prometheus", "customInlineTemplate": format!("PromQL:{promql}")},
            "groups": [name],
            "analysisConfigurations": {"canary": {"direction": "increase"}},
            "scopeName": "default",
        })
    };
    json!({
        "name": name,
        "applications": [name],
        "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
        "metrics": [
            metric("errors", &format!("({errors} or vector(0)) / {}", requests(""))),
            metric("steady", "vector(1)"),
        ],
        "classifier": {"groupWeights": {"errors": weight, "steady": 100 - weight}},
    })
}

/// What the agent judged by, for who looks at a failure.
async fn judged(bed: &Bed, address: &str, application: &str) -> String {
    let url = format!("http://{address}/kayenta/canary/executions?application={application}");
    let asked = bed.http().get(url).bearer_auth(TOKEN).send().await;
    match asked {
        Ok(answer) => answer.text().await.unwrap_or_default(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn kayenta_s_judge_promotes_aborts_and_pauses() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("argo-kayenta").await;
        let rules = watches(&ns, &NAMES, "http");
        let configs = bed.folder("configs");
        for (name, weight) in [("good", 100), ("bad", 100), ("between", 20)] {
            let text = config(name, weight).to_string();
            std::fs::write(configs.join(format!("{name}.json")), text).expect("it is writable");
        }
        // Without chance, so that what differs is the version.
        for tag in ["v1", "v3"] {
            let behaviour = Behaviour {
                errors: 0.0,
                ..Behaviour::GOOD
            };
            ns.behave(tag, behaviour);
        }
        let address = format!("127.0.0.1:{}", bed.free_port());
        // Of so few samples, one of the time before the first error is one too many for this judge.
        let before = [json!({"pause": {"duration": "4s"}})];
        rollouts(&ns, &NAMES, &rules, &before, |_| {
            vec![
                "--provider=kayenta".to_owned(),
                "--wait=6s".to_owned(),
                format!("--address=http://{address}"),
            ]
        })
        .await;
        let prometheus = ns.prometheus().await;
        let options = Options {
            prometheus: Some(prometheus.url()),
            settings: vec![("api.kayentaFolder", json!(configs))],
            ..Options::default()
        };
        let _agent = agent(&ns, &rules, &address, options).await;
        let _traffic = NAMES.map(|name| ns.traffic(name, 40.0));
        prometheus.wait_scraping(2 * NAMES.len()).await;
        for (name, tag) in [("good", "v3"), ("bad", "v2"), ("between", "v2")] {
            ns.set_rollout_image(name, tag).await;
        }
        let ended = async |name: &str, phase: &str, value: &str| {
            wait_for(&format!("the analysis of `{name}`"), WITHIN, || async {
                let status = run_of(&ns, name).await?;
                if status["phase"] == phase {
                    let measured = &status["metricResults"][0]["measurements"][0]["value"];
                    assert_eq!(measured, value, "{status}");
                    Ok(())
                } else {
                    let judged = judged(bed, &address, name).await;
                    Err(format!("{status}, judged: {judged}"))
                }
            })
            .await;
        };
        let good = async {
            ended("good", "Successful", "100").await;
            ns.wait_phase("good", "Healthy").await;
        };
        let bad = async {
            ended("bad", "Failed", "0").await;
            ns.wait_phase("bad", "Degraded").await;
        };
        let between = async {
            ended("between", "Inconclusive", "80").await;
            ns.wait_phase("between", "Paused").await;
        };
        tokio::join!(good, bad, between);
    });
}
