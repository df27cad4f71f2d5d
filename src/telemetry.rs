//! OpenTelemetry traces of what the agent does, sent by OTLP over HTTP. Off unless a collector is named.
//!
//! Everything that follows from one analysis is one trace, whose id is made from the correlation id: verdict, plan,
//! steps and notices hang together over many ticks, and over restarts. Spans are made from the records, so they say what
//! the journal says and hold no secret (P10). They are sent by a thread of the SDK's own from a bounded queue; when that
//! is full they are dropped: a collector that is away costs nothing.

mod export;
mod ids;
mod spans;

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider,
};
use secrecy::{ExposeSecret as _, SecretString};

pub use spans::Spans;

use export::SaidOnce;
use ids::Ids;

/// Deadline of one attempt to deliver.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Spans that wait at most.
const QUEUE: usize = 4096;
/// How long what is left may take at the end.
const LAST: Duration = Duration::from_secs(3);

/// Where traces go, and what is in them.
#[derive(Debug)]
pub struct Options {
    /// Base address of the collector, as in `OTEL_EXPORTER_OTLP_ENDPOINT`; `None`: what that says.
    pub endpoint: Option<String>,
    pub service: String,
    /// `name=value` pairs, separated by commas: credentials, usually.
    pub headers: Option<SecretString>,
    /// The share of ticks that did nothing, and of rounds of questions, that are traced, too. 0..=1.
    pub ratio: f64,
}

/// Sends spans until it is ended.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
    spans: Option<Spans>,
}

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the exporter of traces cannot be made: check `otel.endpoint`")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Without the text: it holds credentials.
    #[error("`otel.headers` holds no `name=value` pairs separated by commas")]
    Headers,
}

impl Telemetry {
    /// Begins. Call it outside of a runtime, with the TLS provider installed.
    ///
    /// # Errors
    /// The address or the headers cannot be used.
    pub fn start(options: Options) -> Result<Self, TelemetryError> {
        let Options {
            endpoint,
            service,
            headers,
            ratio,
        } = options;
        let mut builder = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(ATTEMPT);
        if let Some(endpoint) = &endpoint {
            builder =
                builder.with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')));
        }
        if let Some(headers) = headers {
            builder = builder.with_headers(pairs(&headers)?);
        }
        let exporter = SaidOnce::new(builder.build()?);
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_scheduled_delay(Duration::from_secs(1))
            .build();
        let ids = Ids::default();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(
                BatchSpanProcessor::builder(exporter)
                    .with_batch_config(config)
                    .build(),
            )
            // What is traced is chosen where spans are made: an incident is never cut in two.
            .with_sampler(Sampler::AlwaysOn)
            .with_id_generator(ids.clone())
            .with_resource(Resource::builder().with_service_name(service).build())
            .build();
        let spans = Spans::new(provider.tracer("recant"), ids, ratio);
        Ok(Self {
            provider,
            spans: Some(spans),
        })
    }

    /// What makes the spans; for one user.
    pub fn spans(&mut self) -> Option<Spans> {
        self.spans.take()
    }

    /// Sends what is left, within a few seconds. Blocks: call it outside of a runtime.
    pub fn end(self) {
        let (done, ended) = std::sync::mpsc::channel();
        let provider = self.provider;
        std::thread::spawn(move || {
            // What could not be sent was said when it was tried.
            drop(provider.shutdown_with_timeout(LAST));
            // Nobody waits any more when it took too long.
            done.send(()).unwrap_or_default();
        });
        // The SDK's own deadline does not cover an attempt that is under way.
        if ended.recv_timeout(LAST + Duration::from_secs(1)).is_err() {
            tracing::debug!("the last traces were not sent in time");
        }
    }
}

fn pairs(headers: &SecretString) -> Result<HashMap<String, String>, TelemetryError> {
    headers
        .expose_secret()
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or(TelemetryError::Headers)?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}
