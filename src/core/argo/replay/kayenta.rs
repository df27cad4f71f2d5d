//! A recorded execution of Kayenta: looked up, started, asked for once.

use jiff::Timestamp;

use super::super::json::Json;
use super::super::metric::Metric;
use super::super::provider::kayenta::{Kayenta, RESUME_AFTER};
use super::super::provider::{Fault, Measured, Request, Response};
use super::RecordingError;
use super::exchange::{Exchange, Whole};
use super::provider::told;
use super::read::{number, object, text, word};

/// The metric that was recorded, with the thresholds of a case; a case may bring its own in `kayenta`.
fn metric(case: &Json) -> Result<Metric, RecordingError> {
    let side = |scope: &str| {
        object(vec![
            ("scope", word(scope)),
            ("region", word("r1")),
            ("step", Json::Number(60.0)),
            ("start", word("2026-01-01T00:00:00Z")),
            ("end", word("2026-01-01T01:00:00Z")),
        ])
    };
    let threshold = |name: &'static str| -> Result<(&'static str, Json), RecordingError> {
        Ok((name, Json::Number(number(case, name)?.unwrap_or(0.0))))
    };
    let scope = object(vec![
        ("name", word("default")),
        ("controlScope", side("app=web-stable")),
        ("experimentScope", side("app=web-canary")),
    ]);
    let recorded = object(vec![
        ("address", word("http://STUB")),
        ("application", word("app")),
        ("canaryConfigName", word("cfg")),
        ("metricsAccountName", word("ma")),
        ("configurationAccountName", word("ca")),
        ("storageAccountName", word("sa")),
        (
            "threshold",
            object(vec![threshold("pass")?, threshold("marginal")?]),
        ),
        ("scopes", Json::Array(vec![scope])),
    ]);
    let part = case.get("kayenta").cloned().unwrap_or(recorded);
    let written = object(vec![
        ("name", word("m")),
        ("provider", object(vec![("kayenta", part)])),
    ]);
    Metric::of(&written).map_err(RecordingError::Metric)
}

/// The answers of a case by the names that the recordings give them.
struct Answers<'c> {
    case: &'c Json,
    asked: Vec<Json>,
}

impl Answers<'_> {
    fn send(
        &mut self,
        name: &str,
        default: &str,
        request: &Request,
    ) -> Result<Result<Whole, Fault>, RecordingError> {
        let recorded = self.case.get("responses").and_then(|it| it.get(name));
        let answer = recorded
            .cloned()
            .unwrap_or_else(|| object(vec![("body", word(default))]));
        let case = object(vec![("responses", object(vec![("*", answer)]))]);
        let mut exchange = Exchange::new(&case);
        let sent = exchange.send(request)?;
        self.asked.append(&mut exchange.asked);
        Ok(sent)
    }
}

fn faulty(fault: &Fault, id: Option<&str>) -> Json {
    let mut fields = told(Err(fault));
    fields.retain(|(name, _)| *name != "value");
    if let Some(id) = id {
        fields.push(("metadata", object(vec![("canaryExecutionId", word(id))])));
    }
    object(fields)
}

fn measured(measured: &Measured, id: &str) -> Json {
    let mut fields = told(Ok(measured));
    fields.push(("metadata", object(vec![("canaryExecutionId", word(id))])));
    object(fields)
}

/// Answers it: the measurement after the start and after one poll.
pub(super) fn answer(case: &Json, now: Timestamp) -> Result<Json, RecordingError> {
    let mut answers = Answers {
        case,
        asked: Vec::new(),
    };
    let poll = text(case, "poll")?;
    let (started, polled) = match Kayenta::new(&metric(case)?) {
        Err(fault) => (faulty(&fault, None), None),
        Ok(kayenta) => match start(&kayenta, &mut answers, &poll, now)? {
            Err(fault) => (faulty(&fault, None), None),
            Ok(id) => {
                let running = object(vec![
                    ("phase", word("Running")),
                    ("metadata", object(vec![("canaryExecutionId", word(&id))])),
                    ("resumeAfter", Json::Number(RESUME_AFTER.as_secs() as f64)),
                ]);
                let polled = match polled(&kayenta, &mut answers, &poll, &id)? {
                    Ok(Some(found)) => measured(&found, &id),
                    Ok(None) => running.clone(),
                    Err(fault) => faulty(&fault, Some(&id)),
                };
                (running, Some(polled))
            }
        },
    };
    let mut fields = vec![
        ("started", started),
        ("requests", Json::Array(answers.asked)),
    ];
    fields.extend(polled.map(|polled| ("polled", polled)));
    Ok(object(fields))
}

fn start(
    kayenta: &Kayenta,
    answers: &mut Answers<'_>,
    poll: &str,
    now: Timestamp,
) -> Result<Result<String, Fault>, RecordingError> {
    let lookup = r#"[{"id":"other","name":"x"},{"id":"cfg-1","name":"cfg"}]"#;
    let request = match kayenta.lookup() {
        Ok(request) => request,
        Err(fault) => return Ok(Err(fault)),
    };
    let config = answers
        .send("lookup", lookup, &request)?
        .and_then(|whole| kayenta.looked_up(&response(&whole)));
    let request = config.and_then(|config| Ok((kayenta.start(&config, None, now)?, config)));
    let (request, config) = match request {
        Ok(found) => found,
        Err(fault) => return Ok(Err(fault)),
    };
    // Without an id the recorder's server took the start for a poll.
    let sent = if config.is_empty() {
        answers.send("poll", poll, &request)?
    } else {
        answers.send("start", r#"{"canaryExecutionId":"run-1"}"#, &request)?
    };
    Ok(sent.and_then(|whole| kayenta.started(&response(&whole))))
}

fn polled(
    kayenta: &Kayenta,
    answers: &mut Answers<'_>,
    poll: &str,
    id: &str,
) -> Result<Result<Option<Measured>, Fault>, RecordingError> {
    let request = match kayenta.poll(id) {
        Ok(request) => request,
        Err(fault) => return Ok(Err(fault)),
    };
    let sent = answers.send("poll", poll, &request)?;
    Ok(sent.and_then(|whole| kayenta.polled(&response(&whole))))
}

fn response(whole: &Whole) -> Response<'_> {
    Response {
        status: whole.status,
        body: &whole.body,
    }
}
