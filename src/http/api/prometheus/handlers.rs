//! Questions for values, series, labels, and what the program is.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use recant_core::wording::short;
use serde_json::{Value as Json, json};

use super::super::Api;
use super::answer::{Answer, Failure, Instant, Point, Range, Shaped};
use super::data::{AHEAD, Data, LOOK_BACK};
use super::evaluate::{Stream, Value, evaluate};
use super::expression::{self, Expression};
use super::families::Family;
use super::parameters::Parameters;
use super::selector::Selector;
use super::series::Labels;
use super::{MOST_SERIES, MOST_STEPS};

/// `query`: one moment, now if none is given.
pub(super) async fn query(
    State(api): State<Api>,
    request: Request,
) -> Result<Answer<Shaped>, Failure> {
    let parameters = Parameters::read(request).await?;
    let expression = Expression::parse(parameters.needed("query")?)?;
    let limit = parameters.limit()?;
    let asked = parameters.time("time")?;
    let mut data = Data::up_to(&api, asked.unwrap_or(i64::MAX))?;
    let time = asked.unwrap_or(data.now);
    if time > data.now + AHEAD {
        return Err(Failure::bad(
            "`time` lies in the future: leave it out to ask about now",
        ));
    }
    // A clock that is a little wrong asks about now.
    let moment = if time >= data.now - LOOK_BACK {
        data.now
    } else {
        time
    };
    let shaped = match evaluate(&expression, &[moment], &mut data)? {
        Value::Scalar(values) => {
            let value = values.first().copied().unwrap_or(f64::NAN);
            Shaped::Scalar(Point(time, value))
        }
        Value::Vector(streams) => {
            let instants = streams.into_iter().filter_map(|Stream { labels, values }| {
                let value = (*values.first()?)?;
                Some(Instant {
                    metric: labels,
                    value: Point(time, value),
                })
            });
            Shaped::Vector(instants.take(limit).collect())
        }
    };
    Ok(Answer::new(shaped, data.into_warnings()))
}

/// `query_range`: moments from `start` to `end`, each `step`.
pub(super) async fn query_range(
    State(api): State<Api>,
    request: Request,
) -> Result<Answer<Shaped>, Failure> {
    let parameters = Parameters::read(request).await?;
    let expression = Expression::parse(parameters.needed("query")?)?;
    let limit = parameters.limit()?;
    let missing = |name| Failure::bad(format!("`{name}` is missing: give it"));
    let start = parameters.time("start")?.ok_or_else(|| missing("start"))?;
    let end = parameters.time("end")?.ok_or_else(|| missing("end"))?;
    let step = parameters.step()?;
    if end < start {
        return Err(Failure::bad("`end` lies before `start`"));
    }
    let steps = usize::try_from((end - start) / step).unwrap_or(usize::MAX);
    if steps >= MOST_STEPS {
        return Err(Failure::bad(format!(
            "this asks for more than {MOST_STEPS} moments: give a longer step, or a shorter range"
        )));
    }
    let times: Vec<i64> = (0..=steps)
        .filter_map(|number| Some(start + step * i64::try_from(number).ok()?))
        .collect();
    let mut data = Data::up_to(&api, end)?;
    let ranges = match evaluate(&expression, &times, &mut data)? {
        Value::Scalar(values) => vec![Range {
            metric: Labels::new(),
            values: times
                .iter()
                .zip(values)
                .map(|(time, value)| Point(*time, value))
                .collect(),
        }],
        Value::Vector(streams) => {
            let ranges = streams.into_iter().map(|Stream { labels, values }| {
                let points = times.iter().zip(values);
                let points = points.filter_map(|(time, value)| Some(Point(*time, value?)));
                Range {
                    metric: labels,
                    values: points.collect(),
                }
            });
            let ranges = ranges.filter(|range| !range.values.is_empty());
            ranges.take(limit).collect()
        }
    };
    Ok(Answer::new(Shaped::Matrix(ranges), data.into_warnings()))
}

/// The label sets that the selectors of a question take; all without any.
fn selected(api: &Api, parameters: &Parameters) -> Result<BTreeSet<Labels>, Failure> {
    let data = Data::now(api)?;
    let mut selectors = Vec::new();
    for text in parameters.selectors()? {
        selectors.push(expression::selector(text)?);
    }
    if selectors.is_empty() {
        selectors.push(Selector::default());
    }
    let mut all = BTreeSet::new();
    for selector in &selectors {
        all.extend(data.labels(selector));
    }
    Ok(all)
}

/// `series`: label sets by selectors.
pub(super) async fn series(
    State(api): State<Api>,
    request: Request,
) -> Result<Answer<Vec<Labels>>, Failure> {
    let parameters = Parameters::read(request).await?;
    if parameters.selectors()?.is_empty() {
        return Err(Failure::bad(
            "`match[]` is missing: give a selector like `recant_verdict`",
        ));
    }
    let limit = parameters.limit()?.min(MOST_SERIES);
    let all = selected(&api, &parameters)?;
    let warnings = if all.len() > limit {
        vec!["results truncated due to limit".to_owned()]
    } else {
        Vec::new()
    };
    Ok(Answer::new(all.into_iter().take(limit).collect(), warnings))
}

/// `labels`: names of labels.
pub(super) async fn labels(
    State(api): State<Api>,
    request: Request,
) -> Result<Answer<BTreeSet<&'static str>>, Failure> {
    let parameters = Parameters::read(request).await?;
    let limit = parameters.limit()?;
    let all = selected(&api, &parameters)?;
    let names: BTreeSet<&str> = all.iter().flat_map(Labels::keys).copied().collect();
    Ok(Answer::new(
        names.into_iter().take(limit).collect(),
        Vec::new(),
    ))
}

/// `label/NAME/values`: values of one label.
pub(super) async fn values(
    State(api): State<Api>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Answer<BTreeSet<String>>, Failure> {
    let parameters = Parameters::read(request).await?;
    let limit = parameters.limit()?;
    let all = selected(&api, &parameters)?;
    let values: BTreeSet<String> = all
        .iter()
        .filter_map(|labels| labels.get(name.as_str()))
        .map(|value| value.to_string())
        .collect();
    Ok(Answer::new(
        values.into_iter().take(limit).collect(),
        Vec::new(),
    ))
}

/// `metadata`: what each family is.
pub(super) async fn metadata(
    request: Request,
) -> Result<Answer<BTreeMap<&'static str, Json>>, Failure> {
    let parameters = Parameters::read(request).await?;
    let wanted = parameters.get("metric");
    let families = Family::ALL
        .into_iter()
        .filter(|family| wanted.is_none_or(|name| name == family.name()));
    let all = families.map(|family| {
        let what = json!([{"type": "gauge", "help": family.help(), "unit": ""}]);
        (family.name(), what)
    });
    let limit = parameters.limit()?;
    Ok(Answer::new(all.take(limit).collect(), Vec::new()))
}

/// `status/buildinfo`: which program answers.
pub(super) async fn build() -> Answer<Json> {
    let data = json!({
        "application": "Recant",
        "version": env!("CARGO_PKG_VERSION"),
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    });
    Answer::new(data, Vec::new())
}

/// `-/ready` and `-/healthy`: whether questions about now have answers.
pub(super) async fn ready(State(api): State<Api>) -> Response {
    match api.snapshot() {
        Ok(_) => "Recant is ready.\n".into_response(),
        Err(problem) => Failure::from(problem).into_response(),
    }
}

pub(super) async fn not_here(request: Request) -> Failure {
    Failure::not_found(format!(
        "`{}` is not answered here; there are query, query_range, series, labels, label/NAME/values, metadata, rules, \
         alerts and status/buildinfo",
        short(request.uri().path(), 100)
    ))
}
