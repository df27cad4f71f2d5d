//! Carries an execution out: fetches the samples of both sides, mixes them, and judges.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use recant_core::kayenta::{self, Request};
use serde_json::Value;
use tokio::time::timeout;

use super::config::{CanaryConfig, ConfigMetric};
use super::mix::{self, Side};
use super::query::promql;
use super::request::{ExecutionRequest, Scope};
use super::{Kayenta, Ranges};

/// For a whole execution, its wait for others included.
const DEADLINE: Duration = Duration::from_mins(5);
/// Questions to Prometheus at once.
const QUESTIONS: usize = 4;

/// A metric with the expressions of both sides.
#[derive(Debug)]
pub(super) struct Asked {
    name: String,
    sides: [(String, Scope); 2],
}

/// Everything that an execution will ask: what cannot be honoured is found before it begins.
///
/// # Errors
/// Metrics without a scope, and whatever is refused by its name.
pub(super) fn plan(
    config: &CanaryConfig,
    request: &ExecutionRequest,
) -> Result<Vec<Asked>, String> {
    if config.metrics.is_empty() {
        return Err("the canary config holds no metrics".to_owned());
    }
    config
        .metrics
        .iter()
        .map(|metric| asked(config, metric, request))
        .collect()
}

fn asked(
    config: &CanaryConfig,
    metric: &ConfigMetric,
    request: &ExecutionRequest,
) -> Result<Asked, String> {
    let name = &metric.name;
    let scope = metric
        .scope_name
        .as_ref()
        .ok_or_else(|| format!("metric `{name}` has no `scopeName`"))?;
    let pair = request
        .scopes
        .get(scope)
        .ok_or_else(|| format!("metric `{name}`: the request has no scope `{scope}`"))?;
    let side = |scope: &Scope| Ok::<_, String>((promql(config, metric, scope)?, scope.clone()));
    Ok(Asked {
        name: name.clone(),
        sides: [side(&pair.control)?, side(&pair.experiment)?],
    })
}

/// Runs to its end, and writes down what came of it.
pub(super) async fn execute(
    service: Kayenta,
    ranges: Arc<dyn Ranges>,
    id: String,
    config: CanaryConfig,
    request: ExecutionRequest,
    asked: Vec<Asked>,
) {
    let work = async {
        // It is never closed.
        let _permit = service
            .0
            .at_work
            .acquire()
            .await
            .map_err(|error| error.to_string())?;
        let mut pairs = Vec::new();
        let mut fetched = futures::stream::iter(asked)
            .map(|asked| fetch(ranges.as_ref(), asked))
            .buffered(QUESTIONS);
        while let Some(mixed) = fetched.next().await {
            pairs.extend(mixed?);
        }
        judge(mix::request(&config, pairs, request.thresholds)?).await
    };
    let outcome = timeout(DEADLINE, work)
        .await
        .unwrap_or_else(|_| Err(format!("it was not done within {} s", DEADLINE.as_secs())));
    if let Err(error) = &outcome {
        tracing::warn!("canary execution {id} failed: {error}");
    }
    service.executions().end(&id, Timestamp::now(), outcome);
}

async fn fetch(ranges: &dyn Ranges, asked: Asked) -> Result<Vec<mix::Pair>, String> {
    let Asked { name, sides } = asked;
    let mut fetched = Vec::new();
    for (promql, scope) in sides {
        let (from, to) = (scope.start.as_second(), scope.end.as_second());
        let series = ranges.range(&promql, from, to, scope.step).await;
        let series = series.map_err(|error| format!("metric `{name}`: {error}"))?;
        let points = scope.points();
        fetched.push(Side { series, points });
    }
    let mut fetched = fetched.into_iter();
    match (fetched.next(), fetched.next()) {
        (Some(control), Some(experiment)) => mix::mix(&name, control, experiment),
        _ => Err(format!("metric `{name}`: a side is missing")),
    }
}

/// Judges on a thread of its own: much data takes a while.
pub(super) async fn judge(request: Request) -> Result<Value, String> {
    let judged = tokio::task::spawn_blocking(move || {
        let result = kayenta::judge(&request).map_err(|refused| match refused.exception() {
            Some(exception) => format!("{exception} ({refused})"),
            None => refused.to_string(),
        })?;
        serde_json::to_value(&result).map_err(|error| error.to_string())
    });
    judged.await.map_err(|_| "the judge failed".to_owned())?
}
