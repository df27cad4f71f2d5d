//! The paths of Kayenta's API. Errors hold a `message`, as its own do.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use recant_core::kayenta::{JUDGE_NAME, Thresholds};
use recant_core::wording::short;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::config::CanaryConfig;
use super::execution::Started;
use super::request::ExecutionRequest;
use super::store::{self, NotStored};
use super::{Kayenta, mix, new_id, run};
use crate::http::api::body;
use crate::http::api::problem::Problem;

/// Bytes of a list of pairs.
const MOST_PAIR_BYTES: usize = 8 << 20;
const DEFAULT_LIMIT: usize = 20;

type Parameters = Query<Vec<(String, String)>>;

/// A request that gets no answer, in Kayenta's words.
#[derive(Debug)]
pub(super) struct Refused(StatusCode, String);

impl Refused {
    fn bad(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, message.into())
    }

    fn not_found(what: &str, id: &str) -> Self {
        let id = short(id, 100);
        Self(
            StatusCode::NOT_FOUND,
            format!("there is no {what} `{id}` (any more)"),
        )
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem.status, problem.detail)
    }
}

impl From<NotStored> for Refused {
    fn from(not_stored: NotStored) -> Self {
        match not_stored {
            NotStored::Bad(reason) => Self::bad(reason),
            NotStored::Unwritten(reason) => {
                let message = format!("the canary config could not be written down: {reason}");
                Self(StatusCode::SERVICE_UNAVAILABLE, message)
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        Problem::new(self.0, self.1).with_message()
    }
}

type Answered = Result<Json<Value>, Refused>;

/// The values of a parameter that are not empty.
fn all<'a>(parameters: &'a [(String, String)], name: &'a str) -> impl Iterator<Item = &'a String> {
    parameters
        .iter()
        .filter(move |(known, value)| known == name && !value.is_empty())
        .map(|(_, value)| value)
}

async fn document(request: Body, most: usize) -> Result<(Value, usize), Refused> {
    let bytes = body::read(request, most).await?;
    Ok((body::json(&bytes, "JSON document")?, bytes.len()))
}

pub(super) async fn configs(
    State(kayenta): State<Kayenta>,
    Query(parameters): Parameters,
) -> Json<Value> {
    let applications: Vec<&String> = all(&parameters, "application").collect();
    let configs = kayenta.configs();
    let found = configs.iter().filter(|(_, stored)| {
        let of = &stored.config.applications;
        applications.is_empty() || of.iter().any(|of| applications.contains(&of))
    });
    Json(
        found
            .map(|(id, stored)| {
                json!({
                    "id": id,
                    "name": stored.config.name,
                    "updatedTimestamp": stored.updated.as_millisecond(),
                    "updatedTimestampIso": stored.updated,
                    "applications": stored.config.applications,
                })
            })
            .collect(),
    )
}

pub(super) async fn config(State(kayenta): State<Kayenta>, Path(id): Path<String>) -> Answered {
    let configs = kayenta.configs();
    let stored = configs.get(&id);
    let stored = stored.ok_or_else(|| Refused::not_found("canary config", &id))?;
    Ok(Json(stored.document.clone()))
}

pub(super) async fn create(State(kayenta): State<Kayenta>, request: Body) -> Answered {
    let (document, _) = document(request, store::MOST_BYTES).await?;
    let given = document["id"].as_str().filter(|id| !id.is_empty());
    let id = given.map_or_else(new_id, str::to_owned);
    put(kayenta, id, document, false).await
}

pub(super) async fn replace(
    State(kayenta): State<Kayenta>,
    Path(id): Path<String>,
    request: Body,
) -> Answered {
    let (document, _) = document(request, store::MOST_BYTES).await?;
    put(kayenta, id, document, true).await
}

async fn put(kayenta: Kayenta, id: String, document: Value, there: bool) -> Answered {
    // A disk may be slow.
    let stored = tokio::task::spawn_blocking(move || {
        let mut configs = kayenta.configs();
        let (shown, known) = (short(&id, 100), configs.get(&id).is_some());
        match (known, there) {
            (true, false) => {
                return Err(Refused::bad(format!(
                    "Canary config '{shown}' already exists."
                )));
            }
            (false, true) => {
                return Err(Refused::bad(format!(
                    "Canary config '{shown}' does not exist."
                )));
            }
            (true, true) | (false, false) => {}
        }
        configs.put(&id, document, Timestamp::now())?;
        Ok(Json(json!({"canaryConfigId": id})))
    });
    stored.await.unwrap_or_else(|_| Err(failed()))
}

pub(super) async fn delete(
    State(kayenta): State<Kayenta>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    let removed = tokio::task::spawn_blocking(move || {
        let removed = kayenta.configs().remove(&id)?;
        if removed {
            Ok(StatusCode::NO_CONTENT)
        } else {
            Err(Refused::not_found("canary config", &id))
        }
    });
    removed.await.unwrap_or_else(|_| Err(failed()))
}

fn failed() -> Refused {
    let message = "it failed, which is a fault of Recant".to_owned();
    Refused(StatusCode::INTERNAL_SERVER_ERROR, message)
}

pub(super) async fn start(
    State(kayenta): State<Kayenta>,
    Path(id): Path<String>,
    Query(parameters): Parameters,
    request: Body,
) -> Answered {
    let (request, _) = document(request, store::MOST_BYTES).await?;
    let (config, written) = {
        let configs = kayenta.configs();
        let stored = configs.get(&id);
        let stored = stored.ok_or_else(|| Refused::not_found("canary config", &id))?;
        (stored.config.clone(), stored.document.clone())
    };
    begin(&kayenta, Some(id), config, written, request, &parameters)
}

pub(super) async fn start_ad_hoc(
    State(kayenta): State<Kayenta>,
    Query(parameters): Parameters,
    request: Body,
) -> Answered {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct AdHoc {
        canary_config: Value,
        execution_request: Value,
    }
    let (document, _) = document(request, store::MOST_BYTES).await?;
    let AdHoc {
        canary_config,
        execution_request,
    } = AdHoc::deserialize(&document).map_err(|error| Refused::bad(error.to_string()))?;
    let config = CanaryConfig::read(&canary_config).map_err(Refused::bad)?;
    begin(
        &kayenta,
        None,
        config,
        canary_config,
        execution_request,
        &parameters,
    )
}

fn begin(
    kayenta: &Kayenta,
    config_id: Option<String>,
    config: CanaryConfig,
    written: Value,
    document: Value,
    parameters: &[(String, String)],
) -> Answered {
    let request = ExecutionRequest::read(&document).map_err(Refused::bad)?;
    let asked = run::plan(&config, &request).map_err(Refused::bad)?;
    let ranges = kayenta.ranges().ok_or_else(|| {
        Refused::bad(
            "there is nothing to ask for samples: `prometheus.url` is not set in the settings",
        )
    })?;
    let first = |name| all(parameters, name).next().map(|value| short(value, 200));
    let mut given = Map::new();
    for name in [
        "parentPipelineExecutionId",
        "metricsAccountName",
        "configurationAccountName",
        "storageAccountName",
    ] {
        if let Some(value) = first(name) {
            given.insert(name.to_owned(), json!(value));
        }
    }
    let started = Started {
        application: first("application").unwrap_or_else(|| "ad-hoc".to_owned()),
        config_id,
        config: written,
        duration: request.duration(),
        request: document,
        metrics: config.metrics.len(),
        given,
        at: Timestamp::now(),
    };
    let Some(id) = kayenta.executions().begin(started) else {
        let message = "too many canary executions run: try again when some are over";
        return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, message.to_owned()));
    };
    tokio::spawn(run::execute(
        kayenta.clone(),
        ranges,
        id.clone(),
        config,
        request,
        asked,
    ));
    Ok(Json(json!({"canaryExecutionId": id})))
}

pub(super) async fn execution(State(kayenta): State<Kayenta>, Path(id): Path<String>) -> Answered {
    let status = kayenta.executions().status(&id);
    let status = status.ok_or_else(|| {
        let id = short(&id, 100);
        let message = format!(
            "there is no canary execution `{id}`, or none any more: executions go with a restart, so begin another one"
        );
        Refused(StatusCode::NOT_FOUND, message)
    })?;
    Ok(Json(status))
}

pub(super) async fn executions(
    State(kayenta): State<Kayenta>,
    Query(parameters): Parameters,
) -> Json<Value> {
    let applications: Vec<String> = all(&parameters, "application").cloned().collect();
    let limit = all(&parameters, "limit").next();
    let limit = limit
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(DEFAULT_LIMIT);
    Json(
        kayenta
            .executions()
            .of_applications(&applications, limit)
            .into(),
    )
}

pub(super) async fn judges() -> Json<Value> {
    Json(json!([{"name": JUDGE_NAME, "visible": true}]))
}

pub(super) async fn credentials() -> Json<Value> {
    Json(json!([{
        "name": "recant",
        "type": "prometheus",
        "supportedTypes": ["METRICS_STORE", "CONFIGURATION_STORE", "OBJECT_STORE"],
        "locations": [],
        "recommendedLocations": [],
    }]))
}

pub(super) async fn store_pairs(State(kayenta): State<Kayenta>, request: Body) -> Answered {
    let (list, bytes) = document(request, MOST_PAIR_BYTES).await?;
    mix::read(&list).map_err(Refused::bad)?;
    let id = kayenta.pairs().keep(list, bytes);
    Ok(Json(json!({"metricSetPairListId": id})))
}

pub(super) async fn pairs(State(kayenta): State<Kayenta>, Path(id): Path<String>) -> Answered {
    let list = kayenta.pairs().get(&id);
    let list = list.ok_or_else(|| Refused::not_found("metric set pair list", &id))?;
    Ok(Json(Value::clone(&list)))
}

fn needed<'a>(parameters: &'a [(String, String)], name: &'a str) -> Result<&'a String, Refused> {
    let value = all(parameters, name).next();
    value.ok_or_else(|| Refused::bad(format!("the parameter `{name}` is missing")))
}

fn threshold(parameters: &[(String, String)], name: &str) -> Result<f64, Refused> {
    let value: f64 = needed(parameters, name)?
        .parse()
        .map_err(|_| Refused::bad(format!("the parameter `{name}` is no number")))?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Refused::bad(format!(
            "the parameter `{name}` is no finite number"
        )))
    }
}

/// Judges stored pairs by a stored config, at once.
pub(super) async fn judge(
    State(kayenta): State<Kayenta>,
    Query(parameters): Parameters,
) -> Answered {
    let thresholds = Thresholds {
        pass: threshold(&parameters, "passThreshold")?,
        marginal: threshold(&parameters, "marginalThreshold")?,
    };
    let config = needed(&parameters, "canaryConfigId")?;
    let list = needed(&parameters, "metricSetPairListId")?;
    let found = kayenta
        .configs()
        .get(config)
        .map(|stored| stored.config.clone());
    let config = found.ok_or_else(|| Refused::not_found("canary config", config))?;
    let found = kayenta.pairs().get(list);
    let list = found.ok_or_else(|| Refused::not_found("metric set pair list", list))?;
    let Ok(_permit) = kayenta.0.at_work.try_acquire() else {
        let message = "other judgements are at work: try again".to_owned();
        return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, message));
    };
    let pairs = mix::read(&list).map_err(Refused::bad)?;
    let request = mix::request(&config, pairs, thresholds).map_err(Refused::bad)?;
    run::judge(request).await.map(Json).map_err(Refused::bad)
}
