//! Traces of a rollback, as a collector gets them: one incident is one trace.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use recant_core::notice::NoticeKind;
use recant_core::record::Record;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::watch;
use crate::agent::{Agent, Options};
use crate::bed::Bed;
use crate::case::figure;
use crate::case::run;
use crate::local_server::LocalServer;
use crate::wait::wait_for;

const WITHIN: Duration = Duration::from_secs(90);

/// Everything that came, decoded; and the headers of the last request.
#[derive(Debug, Default, Clone)]
struct Collected {
    spans: Vec<Span>,
    services: BTreeSet<String>,
    headers: HeaderMap,
}

type Shared = Arc<Mutex<Collected>>;

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Vec<u8> {
    let request = ExportTraceServiceRequest::decode(body).expect("it is OTLP");
    let mut collected = shared.lock().unwrap_or_else(PoisonError::into_inner);
    collected.headers = headers;
    for of_resource in request.resource_spans {
        let attributes = of_resource.resource.unwrap_or_default().attributes;
        for attribute in attributes {
            if let (true, Some(Any::StringValue(name))) = (
                attribute.key == "service.name",
                attribute.value.and_then(|value| value.value),
            ) {
                collected.services.insert(name);
            }
        }
        for of_scope in of_resource.scope_spans {
            collected.spans.extend(of_scope.spans);
        }
    }
    ExportTraceServiceResponse::default().encode_to_vec()
}

fn text<'a>(span: &'a Span, key: &str) -> &'a str {
    span.attributes
        .iter()
        .find(|attribute| attribute.key == key)
        .and_then(
            |attribute| match attribute.value.as_ref()?.value.as_ref()? {
                Any::StringValue(text) => Some(text.as_str()),
                _ => None,
            },
        )
        .unwrap_or_default()
}

#[test]
fn a_rollback_is_one_trace() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("traces").await;
        ns.deployment("checkout", "v1", 2).await;
        let shared = Shared::default();
        let router = Router::new()
            .route("/v1/traces", axum::routing::post(take))
            .with_state(shared.clone());
        let collector = LocalServer::start(router, CancellationToken::new()).await;
        let headers = bed.folder("otel").join("headers");
        std::fs::write(&headers, "x-token=SECRET-OF-THE-COLLECTOR\n").expect("is written");
        let options = Options {
            settings: vec![
                ("otel.endpoint", json!(collector.url())),
                ("otel.headers.file", json!(headers)),
                ("otel.ratio", json!("1")),
            ],
            ..Options::default()
        };
        let agent = Agent::start(&[&ns], &watch(&ns, "checkout", "http"), options).await;
        let traffic = ns.traffic("checkout", 20.0);
        traffic.next(40, WITHIN).await;
        ns.set_image("checkout", "v2").await;
        let notice = agent
            .wait_notice(NoticeKind::RollingBack, None, WITHIN)
            .await;
        let run_id = notice.correlation.expect("an incident has an id").0;
        agent
            .wait_record("the end of the plan", WITHIN, |entry| {
                matches!(entry.record, Record::PlanEnded { .. }).then_some(())
            })
            .await;
        agent.wait_slack("Rolling back", WITHIN).await;
        // What is left is sent at the end.
        let status = agent.terminate(Duration::from_secs(15)).await;
        assert_eq!(status.code(), Some(0));
        traffic.stop().await;

        let of_run = |collected: &Collected| -> Vec<Span> {
            let mine = |span: &&Span| text(span, "run.id").split(',').any(|id| id == run_id);
            collected.spans.iter().filter(mine).cloned().collect()
        };
        let collected = wait_for("the spans", Duration::from_secs(10), || async {
            let collected = shared
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let names: BTreeSet<String> = of_run(&collected)
                .into_iter()
                .map(|span| span.name)
                .collect();
            let wanted = ["analysis", "decision", "notice", "step", "tick"];
            if names.iter().eq(wanted) {
                return Ok(collected);
            }
            Err(format!("{names:?}"))
        })
        .await;
        let spans = of_run(&collected);
        let incident: Vec<&Span> = spans.iter().filter(|span| span.name != "tick").collect();
        let root = incident
            .iter()
            .find(|span| span.name == "analysis")
            .expect("it was waited for");
        assert!(root.parent_span_id.is_empty(), "{root:?}");
        for span in &incident {
            assert_eq!(span.trace_id, root.trace_id, "{span:?}");
            if span.span_id != root.span_id {
                assert_eq!(span.parent_span_id, root.span_id, "{span:?}");
            }
            assert!(
                span.end_time_unix_nano >= span.start_time_unix_nano,
                "{span:?}"
            );
        }
        let step = incident.iter().find(|span| span.name == "step");
        let step = step.expect("it was waited for");
        assert_eq!(text(step, "step.result"), "done");
        assert!(!text(step, "plan.id").is_empty(), "{step:?}");
        assert!(text(step, "target.name").contains("checkout"), "{step:?}");
        let decided = |key: &str, value: &str| {
            incident
                .iter()
                .any(|span| span.name == "decision" && text(span, key) == value)
        };
        assert!(decided("verdict", "fail") && decided("decision", "act"));
        assert!(
            collected.spans.iter().any(|span| span.name == "questions"),
            "rounds of questions"
        );
        assert_eq!(collected.services, BTreeSet::from(["recant".to_owned()]));
        assert_eq!(
            collected.headers["x-token"], "SECRET-OF-THE-COLLECTOR",
            "the headers go with each request"
        );
        // Nothing secret, neither in what is sent nor in the log.
        let sent = format!("{:?}", collected.spans);
        for secret in ["SECRET", "/services/"] {
            assert!(!sent.contains(secret), "{secret}");
        }
        assert!(!agent.log().contains("SECRET-OF-THE-COLLECTOR"));
        figure(&format!(
            "TRACES {} spans, {} of the incident {run_id}",
            collected.spans.len(),
            incident.len()
        ));
    });
}

#[test]
fn a_collector_that_is_away_is_said_once_and_costs_nothing() {
    run(async {
        let bed = Bed::get().await;
        let ns = bed.namespace("traces-away").await;
        ns.deployment("checkout", "v1", 1).await;
        let options = Options {
            settings: vec![
                ("otel.endpoint", json!("http://127.0.0.1:1")),
                ("otel.ratio", json!("1")),
            ],
            ..Options::default()
        };
        let agent = Agent::start(&[&ns], &watch(&ns, "checkout", "http"), options).await;
        let said = "traces cannot be delivered";
        wait_for("that it is said", WITHIN, || async {
            let log = agent.log();
            log.contains(said).then_some(()).ok_or(log)
        })
        .await;
        // Several more attempts.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let begun = std::time::Instant::now();
        let status = agent.terminate(Duration::from_secs(20)).await;
        assert_eq!(status.code(), Some(0));
        assert!(
            begun.elapsed() < Duration::from_secs(12),
            "{:?}",
            begun.elapsed()
        );
        let log = agent.log();
        assert_eq!(log.matches(said).count(), 1, "{log}");
    });
}
