//! A real Prometheus that finds the pods of one namespace through the API server, as it does in a cluster.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::bed::{Bed, Process};
use crate::wait::wait_for;

/// An answer that takes longer is asked for again.
const ANSWER: Duration = Duration::from_secs(10);

/// Labels and value of one series of an instant vector.
pub(crate) type Series = (BTreeMap<String, String>, f64);

/// A Prometheus; dropping it kills it.
pub(crate) struct Prometheus {
    bed: &'static Bed,
    name: String,
    folder: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl Prometheus {
    /// Starts one for a namespace, and waits until it answers. `more` are entries of `scrape_configs`.
    pub(crate) async fn start(bed: &'static Bed, namespace: &str, more: &str) -> Self {
        let folder = bed.folder("prometheus");
        let configuration = configuration(bed, namespace) + more;
        std::fs::write(folder.join("prometheus.yml"), configuration)
            .expect("the bed's folder is writable");
        let mut prometheus = Self {
            bed,
            name: format!("prometheus-{namespace}"),
            folder,
            port: bed.free_port(),
            process: None,
        };
        prometheus.start_again().await;
        prometheus
    }

    /// Its address, the same when it is started again.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Kills it; what it has measured stays.
    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it after a stop, and waits until it answers.
    pub(crate) async fn start_again(&mut self) {
        let file = self.folder.join("prometheus.yml");
        let data = self.folder.join("data");
        let process = self.bed.process(
            &self.name,
            &self.bed.binary("prometheus"),
            &[
                &format!("--config.file={}", file.display()),
                &format!("--storage.tsdb.path={}", data.display()),
                &format!("--web.listen-address=127.0.0.1:{}", self.port),
                // It collects changes of its targets for 5 s by default, and a new pod would be scraped late.
                "--scrape.discovery-reload-interval=1s",
                "--log.level=warn",
            ],
            &[],
        );
        let process = RefCell::new(process);
        let url = format!("{}/-/ready", self.url());
        wait_for("Prometheus to be ready", Duration::from_secs(30), || {
            let alive = process.borrow_mut().check();
            let asked = self.bed.http().get(&url).send();
            async move {
                if let Err(end) = alive {
                    panic!("{end}");
                }
                let answer = asked.await.map_err(|error| error.to_string())?;
                let status = answer.status();
                if status.is_success() {
                    Ok(())
                } else {
                    Err(status.to_string())
                }
            }
        })
        .await;
        self.process = Some(process.into_inner());
    }

    /// The answer to an instant query, as it came.
    pub(crate) async fn ask(&self, query: &str) -> Result<Value, String> {
        ask(self.bed, &self.url(), query).await
    }

    /// An instant query whose result is a vector.
    pub(crate) async fn query(&self, query: &str) -> Result<Vec<Series>, String> {
        let answer = self.ask(query).await?;
        let result = answer["data"]["result"]
            .as_array()
            .ok_or_else(|| format!("no vector: {answer}"))?;
        result.iter().map(series).collect()
    }

    /// Waits until so many pods are scraped, and no other.
    pub(crate) async fn wait_scraping(&self, pods: usize) {
        self.wait_scraping_within(pods, Duration::from_mins(1))
            .await;
    }

    /// The same, for fleets that take their time.
    pub(crate) async fn wait_scraping_within(&self, pods: usize, within: Duration) {
        wait_for(&format!("{pods} scraped pods"), within, || async {
            let up = self.query(r#"up{job="pods"}"#).await?;
            let healthy = up.iter().filter(|(_, value)| *value > 0.0).count();
            if healthy == pods && up.len() == pods {
                Ok(())
            } else {
                Err(format!("{up:?}"))
            }
        })
        .await;
    }
}

/// Asks anything that speaks Prometheus' API.
pub(crate) async fn ask(bed: &Bed, url: &str, query: &str) -> Result<Value, String> {
    let request = bed
        .http()
        .post(format!("{url}/api/v1/query"))
        .timeout(ANSWER)
        .form(&[("query", query)]);
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.text().await.map_err(|error| error.to_string())?;
    if !status.is_success() {
        return Err(format!("{status}: {body}"));
    }
    serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))
}

fn series(item: &Value) -> Result<Series, String> {
    let labels =
        serde_json::from_value(item["metric"].clone()).map_err(|error| error.to_string())?;
    let value = item["value"][1].as_str().and_then(|text| text.parse().ok());
    value
        .map(|value| (labels, value))
        .ok_or_else(|| format!("no value in {item}"))
}

/// As most clusters have it: pods that ask for it by annotation, with labels `namespace` and `pod`.
fn configuration(bed: &Bed, namespace: &str) -> String {
    let (server, authority, certificate, key) = bed.api_server_files();
    format!(
        r#"
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
scrape_configs:
- job_name: pods
  kubernetes_sd_configs:
  - role: pod
    api_server: {server}
    tls_config: {{ca_file: "{}", cert_file: "{}", key_file: "{}"}}
    namespaces: {{names: [{namespace}]}}
  relabel_configs:
  - {{source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], regex: "true", action: keep}}
  - {{source_labels: [__meta_kubernetes_pod_phase], regex: Running, action: keep}}
  - {{source_labels: [__meta_kubernetes_namespace], target_label: namespace}}
  - {{source_labels: [__meta_kubernetes_pod_name], target_label: pod}}
"#,
        authority.display(),
        certificate.display(),
        key.display(),
    )
}
