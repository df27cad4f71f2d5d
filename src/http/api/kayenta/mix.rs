//! Samples of both sides side by side: pairs by metric and tags, as Kayenta mixes them; and pairs that come with a request.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;
use recant_core::kayenta::{Metric, Request, Setting, Thresholds};
use serde::Deserialize;
use serde_json::{Value, json};

use super::config::{CanaryConfig, ConfigMetric};
use super::new_id;
use crate::source::prometheus::Series;

/// Pairs of one execution.
const MOST_PAIRS: usize = 500;
/// Lists that are kept, and bytes of all of them.
const MOST_LISTS: usize = 32;
const MOST_BYTES: usize = 32 << 20;
/// The label that is no tag.
const NAME: &str = "__name__";

/// Both sides of one metric with one set of tags.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    name: String,
    id: Option<String>,
    tags: IndexMap<String, String>,
    control: Vec<f64>,
    experiment: Vec<f64>,
}

/// One side of a metric: its series, and how many samples a whole one has.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) series: Vec<Series>,
    pub(super) points: i64,
}

/// Pairs the series of both sides. A set of tags that only one side has, and what is missing at the end, is NaN.
///
/// # Errors
/// The sides have different tags, or there are too many.
pub(super) fn mix(metric: &str, control: Side, experiment: Side) -> Result<Vec<Pair>, String> {
    let (control_points, experiment_points) = (control.points, experiment.points);
    let mut sides = [control, experiment].map(|side| by_tags(side.series));
    let keys = |side: &BTreeMap<BTreeMap<String, String>, Vec<f64>>| -> BTreeSet<String> {
        side.keys().flat_map(BTreeMap::keys).cloned().collect()
    };
    let [control, experiment] = &sides;
    if !control.is_empty() && !experiment.is_empty() && keys(control) != keys(experiment) {
        return Err(format!(
            "metric `{metric}`: control has the tags {:?}, and experiment {:?}: both must have the same",
            keys(control),
            keys(experiment)
        ));
    }
    let mut tags: BTreeSet<BTreeMap<String, String>> =
        sides.iter().flat_map(BTreeMap::keys).cloned().collect();
    if tags.is_empty() {
        // Nothing on either side is missing data, and told as such.
        tags.insert(BTreeMap::new());
    }
    if tags.len() > MOST_PAIRS {
        return Err(format!(
            "metric `{metric}` has {} sets of tags, and {MOST_PAIRS} are the most: group it by fewer fields",
            tags.len()
        ));
    }
    let [control, experiment] = &mut sides;
    Ok(tags
        .into_iter()
        .map(|tags| Pair {
            name: metric.to_owned(),
            id: None,
            control: padded(control.remove(&tags), control_points),
            experiment: padded(experiment.remove(&tags), experiment_points),
            tags: tags.into_iter().collect(),
        })
        .collect())
}

fn by_tags(series: Vec<Series>) -> BTreeMap<BTreeMap<String, String>, Vec<f64>> {
    series
        .into_iter()
        .map(|Series { mut labels, values }| {
            labels.remove(NAME);
            (labels, values)
        })
        .collect()
}

fn padded(values: Option<Vec<f64>>, points: i64) -> Vec<f64> {
    let mut values = values.unwrap_or_default();
    let points = usize::try_from(points).unwrap_or_default();
    if values.len() < points {
        values.resize(points, f64::NAN);
    }
    values
}

/// What the judge is asked about these pairs.
///
/// # Errors
/// A pair without a metric of its name in the config, or too many.
pub(super) fn request(
    config: &CanaryConfig,
    pairs: Vec<Pair>,
    thresholds: Thresholds,
) -> Result<Request, String> {
    if pairs.len() > MOST_PAIRS {
        return Err(format!(
            "there are {} pairs, and {MOST_PAIRS} are the most",
            pairs.len()
        ));
    }
    let metrics = pairs
        .into_iter()
        .map(|pair| {
            let of_name = |metric: &&ConfigMetric| metric.name == pair.name;
            let configured = config.metrics.iter().find(of_name);
            let configured =
                configured.ok_or_else(|| format!("the config has no metric `{}`", pair.name))?;
            let analysis = Setting::deserialize(&configured.analysis_configurations)
                .map_err(|error| format!("metric `{}`: {error}", pair.name))?;
            Ok(Metric {
                name: pair.name,
                id: pair.id,
                tags: pair.tags,
                groups: configured.groups.clone(),
                analysis,
                control: pair.control,
                experiment: pair.experiment,
            })
        })
        .collect::<Result<_, String>>()?;
    Ok(Request {
        thresholds,
        group_weights: config.group_weights(),
        metrics,
    })
}

/// Reads a list of pairs as Kayenta stores them.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(list: &Value) -> Result<Vec<Pair>, String> {
    let pairs = list.as_array().ok_or("it is no list of metric set pairs")?;
    pairs.iter().map(pair).collect()
}

fn pair(document: &Value) -> Result<Pair, String> {
    // The judge's own reader takes the numbers, with NaN and the infinities as texts.
    let read = Metric::deserialize(&json!({
        "name": document["name"],
        "id": document["id"],
        "tags": document.get("tags").filter(|tags| !tags.is_null()).unwrap_or(&json!({})),
        "control": document["values"]["control"],
        "experiment": document["values"]["experiment"],
    }))
    .map_err(|error| format!("it is no list of metric set pairs: {error}"))?;
    Ok(Pair {
        name: read.name,
        id: read.id,
        tags: read.tags,
        control: read.control,
        experiment: read.experiment,
    })
}

/// Lists of pairs that were stored; the oldest go when there is no room.
#[derive(Debug, Default)]
pub(super) struct PairLists {
    lists: VecDeque<(String, usize, Arc<Value>)>,
}

impl PairLists {
    /// Keeps a list that came as so many bytes; its name.
    pub(super) fn keep(&mut self, list: Value, bytes: usize) -> String {
        let id = new_id();
        self.lists.push_back((id.clone(), bytes, Arc::new(list)));
        let size = |lists: &VecDeque<(String, usize, Arc<Value>)>| -> usize {
            lists.iter().map(|(_, bytes, _)| bytes).sum()
        };
        while self.lists.len() > MOST_LISTS
            || (self.lists.len() > 1 && size(&self.lists) > MOST_BYTES)
        {
            self.lists.pop_front();
        }
        id
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Value>> {
        let found = self.lists.iter().find(|(known, _, _)| known == id);
        found.map(|(_, _, list)| list.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(labels: &[(&str, &str)], values: &[f64]) -> Series {
        Series {
            labels: labels
                .iter()
                .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
                .collect(),
            values: values.to_vec(),
        }
    }

    fn side(series: Vec<Series>) -> Side {
        Side { series, points: 3 }
    }

    #[test]
    fn sides_are_paired_by_tags_and_padded() {
        let control = side(vec![
            series(&[(NAME, "m"), ("zone", "a")], &[1.0, 2.0, 3.0]),
            series(&[(NAME, "m"), ("zone", "b")], &[4.0]),
        ]);
        let experiment = side(vec![series(&[("zone", "a")], &[5.0, 6.0, 7.0, 8.0])]);
        let pairs = mix("m", control, experiment).expect("they fit");
        let shown: Vec<String> = pairs
            .iter()
            .map(|pair| format!("{:?} {:?} {:?}", pair.tags, pair.control, pair.experiment))
            .collect();
        assert_eq!(
            shown,
            [
                r#"{"zone": "a"} [1.0, 2.0, 3.0] [5.0, 6.0, 7.0, 8.0]"#,
                r#"{"zone": "b"} [4.0, NaN, NaN] [NaN, NaN, NaN]"#,
            ]
        );
        let nothing = mix("m", side(Vec::new()), side(Vec::new())).expect("that is missing data");
        assert_eq!(format!("{:?}", nothing[0].control), "[NaN, NaN, NaN]");
        let one = mix(
            "m",
            side(vec![series(&[("zone", "a")], &[1.0])]),
            side(Vec::new()),
        );
        assert_eq!(one.expect("one side is missing").len(), 1);
        let other = mix(
            "m",
            side(vec![series(&[("zone", "a")], &[1.0])]),
            side(vec![series(&[("pod", "a")], &[1.0])]),
        );
        assert!(other.expect_err("they do not fit").contains("tags"));
    }

    #[test]
    fn lists_are_bounded() {
        let mut lists = PairLists::default();
        let first = lists.keep(json!([]), 10);
        for _ in 0..MOST_LISTS {
            lists.keep(json!([]), 10);
        }
        assert!(lists.get(&first).is_none());
        let large = lists.keep(json!([1]), MOST_BYTES);
        assert_eq!(lists.lists.len(), 1);
        assert!(lists.get(&large).is_some());
    }
}
