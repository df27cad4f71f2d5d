//! A real Alertmanager on a free loopback port, as Debian packages it, alone in its cluster.

use std::cell::RefCell;
use std::time::Duration;

use serde_json::Value;

use crate::bed::{Bed, Process};
use crate::redis::packaged;
use crate::wait::wait_for;

/// An Alertmanager; dropping it kills it.
pub(crate) struct Alertmanager {
    bed: &'static Bed,
    port: u16,
    _process: Process,
}

impl Alertmanager {
    /// Starts one that passes everything on to a webhook, within a second or two, and waits until it is ready.
    pub(crate) async fn start(bed: &'static Bed, webhook: &str) -> Self {
        let folder = bed.folder("alertmanager");
        let file = folder.join("alertmanager.yml");
        let configuration = format!(
            r#"
route: {{receiver: people, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
- name: people
  webhook_configs: [{{url: "{webhook}", send_resolved: true}}]
"#
        );
        std::fs::write(&file, configuration).expect("the bed's folder is writable");
        let port = bed.free_port();
        let arguments = [
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", folder.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            // Without an address it looks for nobody.
            "--cluster.listen-address=".to_owned(),
            "--log.level=warn".to_owned(),
        ];
        let process = bed.process(
            &format!("alertmanager-{port}"),
            &packaged("prometheus-alertmanager"),
            &arguments.each_ref().map(String::as_str),
            &[],
        );
        let process = RefCell::new(process);
        let url = format!("http://127.0.0.1:{port}/-/ready");
        wait_for("Alertmanager to be ready", Duration::from_secs(15), || {
            let alive = process.borrow_mut().check();
            alive.unwrap_or_else(|end| panic!("{end}"));
            let asked = bed.http().get(&url).send();
            async move {
                let answer = asked.await.map_err(|error| error.to_string())?;
                let ready = answer.error_for_status();
                ready.map(drop).map_err(|error| error.to_string())
            }
        })
        .await;
        Self {
            bed,
            port,
            _process: process.into_inner(),
        }
    }

    /// Its address, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Tells it of alerts, as Prometheus does.
    pub(crate) async fn tell(&self, alerts: Vec<Value>) {
        let url = format!("{}/api/v2/alerts", self.url());
        let answer = self.bed.http().post(url).json(&alerts).send().await;
        let answer = answer.expect("it answers");
        answer.error_for_status().expect("it takes them");
    }

    /// The alerts that fire now, as its API shows them.
    pub(crate) async fn alerts(&self) -> Vec<Value> {
        let url = format!("{}/api/v2/alerts", self.url());
        let answer = self.bed.http().get(url).send().await;
        let answer = answer.expect("it answers").error_for_status();
        let alerts = answer.expect("it knows the path").json().await;
        alerts.expect("a list of alerts")
    }
}
