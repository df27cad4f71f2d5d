//! Recant's side: `recant run` with a watch for each workload, while a release of all of them is under watch.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::agent::{Agent, Options};
use crate::counted::{Meter, Spent};
use crate::namespace::Namespace;
use crate::program::{launch, observed};
use crate::prometheus::Prometheus;
use crate::wait::wait_for;
use crate::workloads::{self, name};
use crate::{INTERVAL, METRICS, WITHIN};

/// The same four metrics and limits as Argo's queries have.
const RULES: &str = r#"
apiVersion: recant.dev/v1alpha1
kind: RuleSet
metadata: {name: compare}
rules:
- name: error-rate
  ratio: {bad: 'http_requests_total{status=~"5.."}', total: http_requests_total}
  max: 5%
- name: latency-p95
  histogram: http_request_duration_seconds
  quantile: 95%
  max: 1s
- name: mesh-error-rate
  ratio: {bad: 'istio_requests_total{response_code=~"5.."}', total: istio_requests_total}
  max: 5%
- name: memory
  gauge: process_resident_memory_bytes
  max: 1GiB
"#;

/// What was seen.
pub(crate) struct Seen {
    pub(crate) spent: Spent,
    /// How long starts took, ready to print.
    pub(crate) starts: Vec<String>,
}

/// Starts the agent, ships a release of everything, and watches it for a window; then starts it again in its middle.
pub(crate) async fn measure(
    ns: &Namespace,
    meter: &Meter,
    prometheus: &Prometheus,
    runs: usize,
    window: Duration,
) -> Seen {
    let options = Options {
        name: "",
        prometheus: Some(prometheus.url()),
        settings: vec![
            ("interval", json!(format!("{}s", INTERVAL.as_secs()))),
            // The defaults: what the harness sets is for impatient tests.
            ("lease.duration", json!("15s")),
        ],
    };
    let agent = Agent::prepare(&[ns], &rules(ns, runs), options).await;
    let mut process = launch(ns, &agent);
    let ready = || async { agent.get("/readyz").await };
    wait_for("the agent to be ready", WITHIN, ready).await;
    workloads::ship(ns, runs, "v2").await;
    let live = || async {
        let live = analyses(&agent).await?;
        if live == runs {
            Ok(())
        } else {
            Err(format!("{live} analyses"))
        }
    };
    wait_for("an analysis of every release", WITHIN, live).await;
    sleep(INTERVAL * 2).await;
    let spent = meter
        .watch(process.id(), window, || async {
            observed(&agent, "reading").await
        })
        .await;
    assert_eq!(analyses(&agent).await, Ok(runs), "every analysis goes on");
    let mut starts = Vec::new();
    for again in 1..=3 {
        process.signal("TERM");
        process.wait(WITHIN).await;
        let begun = Instant::now();
        process = launch(ns, &agent);
        let all = (runs * METRICS) as f64;
        let enough = |wanted: f64| {
            let agent = &agent;
            async move {
                let seen = observed(agent, "reading").await;
                if seen >= wanted {
                    Ok(())
                } else {
                    Err(format!("{seen} readings"))
                }
            }
        };
        wait_for("the first evaluation", WITHIN, || enough(1.0)).await;
        let first = begun.elapsed();
        wait_for("every rule to be evaluated", WITHIN, || enough(all)).await;
        starts.push(format!(
            "start {again} of 3 amid {runs} analyses: {:.2} s from exec to the first evaluation, {:.2} s to the one \
             that completes all {all} rules",
            first.as_secs_f64(),
            begun.elapsed().as_secs_f64(),
        ));
    }
    process.signal("TERM");
    process.wait(WITHIN).await;
    Seen { spent, starts }
}

/// How many releases are under watch.
async fn analyses(agent: &Agent) -> Result<usize, String> {
    let text = agent.get("/snapshot").await?;
    let snapshot: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let targets = snapshot["targets"].as_array().into_iter().flatten();
    Ok(targets
        .filter(|target| target["analysis"].is_object())
        .count())
}

fn rules(ns: &Namespace, runs: usize) -> String {
    let namespace = ns.name();
    let mut rules = RULES.to_owned();
    for index in 0..runs {
        let name = name(index);
        write!(
            rules,
            "---\napiVersion: recant.dev/v1alpha1\nkind: Watch\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             target: {{kind: Deployment, name: {name}}}\nrules: [compare]\nrelease: {{watch: 30m}}\n\
             onFail: [{{rollback: {{}}}}]\n"
        )
        .expect("a String takes everything");
    }
    rules
}
