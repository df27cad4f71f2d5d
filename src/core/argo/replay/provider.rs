//! Recorded answers of what the `web` and `prometheus` providers ask.

use jiff::Timestamp;

use super::super::json::Json;
use super::super::metric::Metric;
use super::super::provider::prometheus::Prometheus;
use super::super::provider::web::Web;
use super::super::provider::{Fault, Measured, Request, Response};
use super::RecordingError;
use super::exchange::Exchange;
use super::read::{object, text, word};

/// Times that are nearer are told from the time of asking: days.
const NEAR: f64 = 30.0 * 86_400.0;

fn metric(case: &Json, provider: &str) -> Result<Metric, RecordingError> {
    let part = case.get(provider).cloned().unwrap_or(Json::Null);
    let mut fields = vec![
        ("name", word("m")),
        ("provider", object(vec![(provider, part)])),
    ];
    for name in ["successCondition", "failureCondition"] {
        fields.push((name, word(&text(case, name)?)));
    }
    Metric::of(&object(fields)).map_err(RecordingError::Metric)
}

/// A measurement in the form of the recordings.
pub(super) fn told(measured: Result<&Measured, &Fault>) -> Vec<(&'static str, Json)> {
    match measured {
        Ok(measured) => {
            let mut fields = vec![
                ("phase", word(measured.phase.name())),
                ("value", word(&measured.value)),
            ];
            if !measured.metadata.is_empty() {
                let metadata = measured.metadata.iter();
                let metadata = metadata.map(|(name, value)| (name.clone(), word(value)));
                fields.push(("metadata", Json::Object(metadata.collect())));
            }
            fields
        }
        Err(fault) => {
            let message = vec![
                ("class", word(&fault.class.name())),
                ("text", word(&fault.text)),
            ];
            vec![
                ("phase", word("Error")),
                ("value", word("")),
                ("message", object(message)),
            ]
        }
    }
}

fn constructed(fault: &Fault) -> Json {
    let mut fields = told(Err(fault));
    fields.push(("at", word("construct")));
    let requests = Json::Array(Vec::new());
    object(vec![
        ("measurement", object(fields)),
        ("requests", requests),
    ])
}

fn answered(measured: Result<&Measured, &Fault>, requests: Vec<Json>) -> Json {
    object(vec![
        ("measurement", object(told(measured))),
        ("requests", Json::Array(requests)),
    ])
}

/// A recorded `web` metric.
pub(super) fn web(case: &Json, now: Timestamp) -> Result<Json, RecordingError> {
    let provider = match Web::new(&metric(case, "web")?) {
        Ok(provider) => provider,
        Err(fault) => return Ok(constructed(&fault)),
    };
    let mut exchange = Exchange::new(case);
    let measured = match provider.request() {
        Err(fault) => Err(fault),
        Ok(request) => match exchange.send(request)? {
            Err(fault) => Err(fault),
            Ok(whole) => {
                let response = Response {
                    status: whole.status,
                    body: &whole.body,
                };
                provider.measured(&response, now)
            }
        },
    };
    Ok(answered(measured.as_ref(), exchange.asked))
}

/// A recorded `prometheus` metric.
pub(super) fn prometheus(case: &Json, now: Timestamp) -> Result<Json, RecordingError> {
    let provider = match Prometheus::new(&metric(case, "prometheus")?, "") {
        Ok(provider) => provider,
        Err(fault) => return Ok(constructed(&fault)),
    };
    let mut requests = Vec::new();
    let measured = match provider.query(now) {
        Err(fault) => Err(fault),
        Ok(_) if provider.timeout == 0 => Err(Fault::new(
            super::super::provider::FaultClass::Timeout,
            "there was no answer within 0 s",
        )),
        Ok(query) => {
            let mut exchange = Exchange::new(case);
            let mut request = Request {
                method: "POST".to_owned(),
                url: format!("{}{}", provider.address, query.path),
                headers: provider.headers.clone(),
                body: None,
                timeout: provider.timeout,
                insecure: provider.insecure,
            };
            let mut sent = exchange.send(&request)?;
            if matches!(&sent, Ok(whole) if matches!(whole.status, 405 | 501)) {
                "GET".clone_into(&mut request.method);
                sent = exchange.send(&request)?;
            }
            let form = form(&query.form, now);
            for asked in exchange.asked {
                requests.push(with_form(asked, &form));
            }
            match sent {
                Err(fault) => Err(fault),
                Ok(whole) => {
                    let response = Response {
                        status: whole.status,
                        body: &whole.body,
                    };
                    provider.measured(&response, now)
                }
            }
        }
    };
    Ok(answered(measured.as_ref(), requests))
}

fn with_form(asked: Json, form: &Json) -> Json {
    let Json::Object(mut fields) = asked else {
        return asked;
    };
    let posted = fields.get("method").and_then(Json::as_str) == Some("POST");
    let place = if posted { "body" } else { "query" };
    fields.insert("in".to_owned(), word(place));
    fields.insert("form".to_owned(), form.clone());
    Json::Object(fields)
}

/// What was asked; times near the asking are `NOW` and a number of seconds.
fn form(form: &[(&'static str, String)], now: Timestamp) -> Json {
    let field = |(name, value): &(&'static str, String)| {
        let time = (*name != "query" && *name != "step")
            .then(|| value.parse::<f64>().ok())
            .flatten();
        let value = match time.map(|time| time - now.as_second() as f64) {
            Some(offset) if offset.abs() < NEAR => format!("NOW{offset:+.0}"),
            Some(_) | None => value.clone(),
        };
        ((*name).to_owned(), word(&value))
    };
    Json::Object(form.iter().map(field).collect())
}
