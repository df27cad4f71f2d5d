//! The providers over HTTP: requests with deadlines, answers bounded in size, errors without secrets.

use std::error::Error as _;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use reqwest::{Method, StatusCode, redirect};

use recant_core::argo::Phase;
use recant_core::argo::metric::Metric;
use recant_core::argo::provider::kayenta::{Kayenta, RESUME_AFTER};
use recant_core::argo::provider::prometheus::Prometheus;
use recant_core::argo::provider::web::Web;
use recant_core::argo::provider::{Fault, FaultClass, Measured, Request, Response};
use recant_core::argo::run::{Answer, Measurement};

use crate::clock::Clock;

/// Bytes of an answer.
const MOST_BODY: usize = 10 << 20;
/// As Go's client, which asks ten times in all.
const MOST_REDIRECTS: usize = 9;
/// What an execution of Kayenta is remembered by.
const EXECUTION: &str = "canaryExecutionId";

/// Asks the servers that metrics name.
#[derive(Debug, Clone)]
pub struct Client {
    secure: reqwest::Client,
    insecure: reqwest::Client,
    prometheus: Option<String>,
}

/// An answer that was read whole.
struct Whole {
    status: u16,
    body: Vec<u8>,
}

impl Whole {
    fn response(&self) -> Response<'_> {
        Response {
            status: self.status,
            body: &self.body,
        }
    }
}

impl Client {
    /// A client; `prometheus` is asked in place of the addresses that prometheus metrics name.
    ///
    /// # Errors
    /// A client cannot be made: no TLS.
    pub fn new(prometheus: Option<String>) -> anyhow::Result<Self> {
        let build = |insecure: bool| {
            reqwest::Client::builder()
                .redirect(redirect::Policy::limited(MOST_REDIRECTS))
                .danger_accept_invalid_certs(insecure)
                .build()
                .context("making an HTTP client")
        };
        Ok(Self {
            secure: build(false)?,
            insecure: build(true)?,
            prometheus,
        })
    }

    /// Takes a measurement, or starts one.
    pub(super) async fn run(
        &self,
        metric: &Metric,
        started: Option<Timestamp>,
        clock: &Clock,
    ) -> Answer {
        let measurement = Measurement::started(clock());
        let has = |name: &str| metric.provider.get(name).is_some();
        let measured = if has("prometheus") {
            let default = self.prometheus.as_deref().unwrap_or_default();
            let provider = match Prometheus::new(metric, default) {
                Ok(provider) => provider,
                Err(fault) => return Answer::NoProvider(fault.text),
            };
            self.prometheus(provider, clock).await
        } else if has("web") {
            let provider = match Web::new(metric) {
                Ok(provider) => provider,
                Err(fault) => return Answer::NoProvider(fault.text),
            };
            self.web(&provider, clock).await
        } else if has("kayenta") {
            let execution = self.start(metric, started, clock).await;
            return match execution {
                Err(fault) => done(measurement, Err(fault), clock),
                Ok(execution) => waiting(measurement, Some(execution), clock),
            };
        } else {
            return Answer::NoProvider(format!(
                "no provider that Recant speaks in metric '{}'",
                metric.name
            ));
        };
        done(measurement, measured, clock)
    }

    /// Asks for a measurement that is not finished.
    pub(super) async fn resume(
        &self,
        metric: &Metric,
        open: &Measurement,
        clock: &Clock,
    ) -> Answer {
        let polled = async {
            let provider = Kayenta::new(metric)?;
            let execution = open.metadata.get(EXECUTION).map_or("", String::as_str);
            let whole = self.ask(&provider.poll(execution)?).await?;
            provider.polled(&whole.response())
        };
        match polled.await {
            Ok(None) => waiting(open.clone(), None, clock),
            Ok(Some(measured)) => done(open.clone(), Ok(measured), clock),
            Err(fault) => done(open.clone(), Err(fault), clock),
        }
    }

    async fn web(&self, provider: &Web, clock: &Clock) -> Result<Measured, Fault> {
        let whole = self.ask(provider.request()?).await?;
        provider.measured(&whole.response(), clock())
    }

    async fn prometheus(&self, provider: Prometheus, clock: &Clock) -> Result<Measured, Fault> {
        let query = provider.query(clock())?;
        let address = self.prometheus.as_ref().unwrap_or(&provider.address);
        let address = address.trim_end_matches('/');
        let url = reqwest::Url::parse(&format!("{address}{}", query.path))
            .map_err(|error| Fault::new(FaultClass::BadAddress, error.to_string()))?;
        let client = self.client(provider.insecure);
        let deadline = Duration::from_secs(provider.timeout);
        let asked = async {
            let posted =
                with_headers(client.post(url.clone()), &provider.headers).form(&query.form);
            let whole = read(posted).await?;
            // Older servers, and some in between, know no POST here.
            if matches!(whole.status, 405 | 501) {
                let got = with_headers(client.get(url), &provider.headers).query(&query.form);
                return read(got).await;
            }
            Ok(whole)
        };
        let whole = match tokio::time::timeout(deadline, asked).await {
            Ok(whole) => whole?,
            Err(_) => return Err(late(deadline)),
        };
        provider.measured(&whole.response(), clock())
    }

    async fn start(
        &self,
        metric: &Metric,
        started: Option<Timestamp>,
        clock: &Clock,
    ) -> Result<String, Fault> {
        let provider = Kayenta::new(metric)?;
        let whole = self.ask(&provider.lookup()?).await?;
        let config = provider.looked_up(&whole.response())?;
        let request = provider.start(&config, started, clock())?;
        let whole = self.ask(&request).await?;
        provider.started(&whole.response())
    }

    fn client(&self, insecure: bool) -> &reqwest::Client {
        if insecure {
            &self.insecure
        } else {
            &self.secure
        }
    }

    async fn ask(&self, request: &Request) -> Result<Whole, Fault> {
        let bad = |text: String| Fault::new(FaultClass::BadAddress, text);
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| bad(format!("{:?} is no HTTP method", request.method)))?;
        let url = reqwest::Url::parse(&request.url)
            .map_err(|error| bad(format!("the address cannot be used: {error}")))?;
        let asked = self.client(request.insecure).request(method, url);
        let mut asked = with_headers(asked, &request.headers);
        if let Some(body) = &request.body {
            asked = asked.body(body.clone());
        }
        let deadline = Duration::from_secs(request.timeout);
        match tokio::time::timeout(deadline, read(asked)).await {
            Ok(whole) => whole,
            Err(_) => Err(late(deadline)),
        }
    }
}

/// Of headers with one name the last counts; `Host` has no effect there.
fn with_headers(
    request: reqwest::RequestBuilder,
    headers: &[(String, String)],
) -> reqwest::RequestBuilder {
    let mut last: Vec<(&str, &str)> = Vec::new();
    for (name, value) in headers {
        last.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        if !name.eq_ignore_ascii_case("host") {
            last.push((name, value));
        }
    }
    last.into_iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    })
}

async fn read(request: reqwest::RequestBuilder) -> Result<Whole, Fault> {
    let mut response = request.send().await.map_err(|error| fault(&error))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
        if body.len() + chunk.len() > MOST_BODY {
            return Err(Fault::new(
                FaultClass::BadResponseBody,
                format!("the answer has more than {} MiB", MOST_BODY >> 20),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    // A body that came with it has no meaning.
    if status == StatusCode::NO_CONTENT {
        body.clear();
    }
    Ok(Whole {
        status: status.as_u16(),
        body,
    })
}

fn late(deadline: Duration) -> Fault {
    Fault::new(
        FaultClass::Timeout,
        format!("there was no answer within {} s", deadline.as_secs()),
    )
}

/// What a transport error means, without the address, whose query may hold secrets.
fn fault(error: &reqwest::Error) -> Fault {
    let mut cause: &dyn std::error::Error = error;
    // A body that was cut off is no body that is encoded badly, which the library does not tell apart.
    let mut cut = false;
    while let Some(inner) = cause.source() {
        cause = inner;
        cut |= cause.is::<hyper::Error>();
    }
    let cause = if error.source().is_some() {
        cause.to_string()
    } else {
        "the request failed".to_owned()
    };
    let class = if error.is_timeout() {
        FaultClass::Timeout
    } else if error.is_redirect() {
        FaultClass::Redirect
    } else if error.is_builder() {
        FaultClass::BadRequest
    } else if error.is_decode() && !cut {
        FaultClass::BadEncoding
    } else {
        FaultClass::Connection
    };
    let what = match class {
        FaultClass::Redirect => "there were more than 9 redirects, or one to nowhere",
        FaultClass::BadRequest => "the request cannot be made",
        FaultClass::BadEncoding => "the body cannot be decoded",
        _ => "there was no whole answer",
    };
    Fault::new(class, format!("{what}: {cause}"))
}

fn done(measurement: Measurement, measured: Result<Measured, Fault>, clock: &Clock) -> Answer {
    let mut measurement = measurement;
    measurement.finished_at = Some(clock());
    measurement.resume_at = None;
    match measured {
        Ok(measured) => {
            measurement.phase = measured.phase;
            measurement.value = measured.value;
            measurement.metadata.extend(measured.metadata);
        }
        Err(fault) => {
            measurement.phase = Phase::Error;
            measurement.message = fault.text;
        }
    }
    Answer::Measured(measurement)
}

fn waiting(measurement: Measurement, execution: Option<String>, clock: &Clock) -> Answer {
    let mut measurement = measurement;
    measurement.phase = Phase::Running;
    measurement.resume_at = clock().checked_add(RESUME_AFTER).ok();
    if let Some(execution) = execution {
        measurement.metadata.insert(EXECUTION.to_owned(), execution);
    }
    Answer::Measured(measurement)
}
