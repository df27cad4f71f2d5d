//! A stand-in for cAdvisor and kube-state-metrics, which need nodes with containers: two pages about the pods of one
//! namespace, with the names and labels of the real ones. Limits, restarts and phases are read from the real objects;
//! what a container uses is said by the test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use tokio_util::sync::CancellationToken;

use crate::local_server::LocalServer;
use crate::namespace::Namespace;
use crate::services::Line;

/// What a container of each pod uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) memory_bytes: Line,
    /// Seconds of processor time used since its start; one core in full use is a line of slope 1.
    pub(crate) cpu_seconds: Line,
}

/// The running stand-in; it stops when this is dropped.
pub(crate) struct ClusterMetrics {
    server: LocalServer,
    pages: Arc<Pages>,
}

struct Pages {
    api: Api<Pod>,
    usage: Mutex<BTreeMap<String, Usage>>,
}

impl ClusterMetrics {
    /// Starts one about the pods of a namespace.
    pub(crate) async fn start(ns: &Namespace) -> Self {
        let pages = Arc::new(Pages {
            api: ns.api(),
            usage: Mutex::default(),
        });
        let router = Router::new()
            .route("/cadvisor", get(usage))
            .route("/state", get(state))
            .with_state(Arc::clone(&pages));
        Self {
            server: LocalServer::start(router, CancellationToken::new()).await,
            pages,
        }
    }

    /// From the next scrape on the pods of this image tag, or the pod of this name, use so much.
    pub(crate) fn set(&self, tag_or_pod: &str, usage: Usage) {
        let mut all = self
            .pages
            .usage
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(tag_or_pod.to_owned(), usage);
    }

    /// How Prometheus scrapes the two, as their users configure it: the page's own labels win.
    pub(crate) fn scrape_configs(&self) -> String {
        let address = self.server.url().trim_start_matches("http://");
        [("cadvisor", "/cadvisor"), ("kube-state-metrics", "/state")]
            .map(|(job, path)| {
                format!(
                    "- {{job_name: {job}, honor_labels: true, metrics_path: {path}, \
                     static_configs: [{{targets: [\"{address}\"]}}]}}\n"
                )
            })
            .concat()
    }
}

/// One container of a pod that runs, with the labels that say which.
struct Seen {
    labels: String,
    pod: String,
    tag: String,
    object: Pod,
    container: String,
}

impl Pages {
    async fn seen(&self) -> Vec<Seen> {
        // A page without lines is what a broken API server makes of the real ones, too.
        let pods = self.api.list(&ListParams::default()).await;
        let pods = pods.map(|pods| pods.items).unwrap_or_default();
        let seen = pods.into_iter().filter_map(|object| {
            let first = object.spec.as_ref()?.containers.first()?;
            let image = first.image.clone().unwrap_or_default();
            let (namespace, pod) = (
                object.metadata.namespace.clone()?,
                object.metadata.name.clone()?,
            );
            Some(Seen {
                labels: format!(r#"namespace="{namespace}",pod="{pod}""#),
                pod,
                tag: image.rsplit(':').next().unwrap_or_default().to_owned(),
                container: first.name.clone(),
                object,
            })
        });
        seen.collect()
    }
}

type Page = ([(header::HeaderName, &'static str); 1], String);

fn page(text: String) -> Page {
    let format = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, format)], text)
}

/// cAdvisor's: each value for the container, for the pod as a whole, and for the pause container.
async fn usage(State(pages): State<Arc<Pages>>) -> impl IntoResponse {
    let now = Timestamp::now();
    let (mut memory, mut cpu) = (String::new(), String::new());
    for seen in pages.seen().await {
        let all = pages.usage.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(usage) = all.get(&seen.pod).or_else(|| all.get(&seen.tag)) else {
            continue;
        };
        let (bytes, seconds) = (usage.memory_bytes.at(now), usage.cpu_seconds.at(now));
        let pause = 300_000.0;
        let rows = [
            (seen.container.as_str(), bytes, seconds),
            ("", bytes + pause, seconds),
            ("POD", pause, 0.0),
        ];
        let labels = &seen.labels;
        for (container, bytes, seconds) in rows {
            let labels = format!(r#"container="{container}",{labels}"#);
            let wrote = writeln!(
                memory,
                "container_memory_working_set_bytes{{{labels}}} {bytes}"
            )
            .and_then(|()| {
                let labels = format!(r#"{labels},cpu="total""#);
                writeln!(
                    cpu,
                    "container_cpu_usage_seconds_total{{{labels}}} {seconds}"
                )
            });
            wrote.expect("a String takes everything");
        }
    }
    page(format!(
        "# TYPE container_memory_working_set_bytes gauge\n{memory}\
         # TYPE container_cpu_usage_seconds_total counter\n{cpu}"
    ))
}

/// kube-state-metrics': limits, restarts, why a container ended last, and the phase.
async fn state(State(pages): State<Arc<Pages>>) -> impl IntoResponse {
    let mut text = String::new();
    for seen in pages.seen().await {
        write_state(&mut text, &seen).expect("a String takes everything");
    }
    // Names must be together on a page.
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    page(lines.join("\n") + "\n")
}

fn write_state(text: &mut String, seen: &Seen) -> std::fmt::Result {
    let Seen {
        labels,
        container,
        object,
        pod: _,
        tag: _,
    } = seen;
    let uid = object.metadata.uid.clone().unwrap_or_default();
    let pod = format!(r#"{labels},uid="{uid}""#);
    let whole = format!(r#"{pod},container="{container}""#);
    let limits = object.spec.as_ref().and_then(|spec| {
        let resources = spec.containers.first()?.resources.as_ref()?;
        resources.limits.clone()
    });
    for (resource, quantity) in limits.into_iter().flatten() {
        let unit = if resource == "cpu" { "core" } else { "byte" };
        let value = amount(&quantity.0);
        let of = format!(r#"{whole},resource="{resource}",unit="{unit}""#);
        writeln!(text, "kube_pod_container_resource_limits{{{of}}} {value}")?;
    }
    let status = object.status.clone().unwrap_or_default();
    for container in status.container_statuses.iter().flatten() {
        let restarts = container.restart_count;
        writeln!(
            text,
            "kube_pod_container_status_restarts_total{{{whole}}} {restarts}"
        )?;
        let last = container.last_state.as_ref();
        let last = last.and_then(|state| state.terminated.as_ref()?.reason.clone());
        if let Some(reason) = last {
            let of = format!(r#"{whole},reason="{reason}""#);
            writeln!(
                text,
                "kube_pod_container_status_last_terminated_reason{{{of}}} 1"
            )?;
        }
    }
    let phase = status.phase.unwrap_or_default();
    for known in ["Pending", "Running", "Succeeded", "Failed", "Unknown"] {
        let holds = u8::from(phase == known);
        writeln!(
            text,
            r#"kube_pod_status_phase{{{pod},phase="{known}"}} {holds}"#
        )?;
    }
    Ok(())
}

/// A quantity of Kubernetes as a number, for the suffixes that tests use.
fn amount(quantity: &str) -> f64 {
    let scales = [
        ("Ki", 1024.0),
        ("Mi", 1024.0 * 1024.0),
        ("Gi", 1024.0 * 1024.0 * 1024.0),
        ("m", 0.001),
        ("", 1.0),
    ];
    let number = scales.iter().find_map(|(suffix, scale)| {
        let number: f64 = quantity.strip_suffix(suffix)?.parse().ok()?;
        Some(number * scale)
    });
    number.unwrap_or_else(|| panic!("`{quantity}` has a suffix that is not built here"))
}
