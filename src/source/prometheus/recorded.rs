//! Recorded series in place of a Prometheus: the same questions, evaluated as it evaluates them, and delivered alike.
//!
//! What a file and a Prometheus that holds the same samples say is so the same. Expressions need the real one.

mod file;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;

use recant_core::observation::{Cause, Observation};
use recant_core::rule::{Level, Question, Selector, What};

use super::PrometheusOptions;
use super::collect::{Collected, RowKey};
use super::deliver::{deliver, unavailable};
use super::query::{Grouping, main_selector, narrowed, scope, series_text, shape_of};
use super::range::{Lives, moment, step, with_gone_pods};
use crate::source::exposition::Label;
use crate::source::http::Fault;
use crate::source::scrape::matching::{CompiledSelector, PodLabels};
use crate::source::{Life, NoRange, Past, Query, QueryTarget, RangeQuery, Source};

pub use file::{RecordedError, Recorder};

/// A sample stands for its series until the next one, but no longer than this: Prometheus' own default.
const LOOKBACK_MILLIS: i64 = 5 * 60 * 1000;

/// Series that were read from files, sorted by time.
#[derive(Debug, Default)]
pub struct Recorded {
    series: Vec<Series>,
    by_metric: BTreeMap<String, Vec<usize>>,
    pod_label: String,
    namespace_label: Option<String>,
}

#[derive(Debug)]
struct Series {
    labels: Vec<(String, String)>,
    /// Milliseconds since 1970, ascending,
    times: Vec<i64>,
    /// and what was measured then.
    values: Vec<f64>,
}

/// What a series is to a question.
#[derive(Debug, Clone, Copy)]
enum Role {
    Part,
    Total,
    Shape,
    Bucket,
    Value,
}

/// A series that belongs to a question, and where its samples have been read to.
struct Chosen<'s> {
    role: Role,
    series: &'s Series,
    /// The bound of a bucket, or the text of a series of values.
    text: String,
    /// How many samples are not after the last moment.
    passed: usize,
}

impl Recorded {
    /// When the first and the last sample of all was taken.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.series.iter().filter_map(|series| series.times.first());
        let last = self.series.iter().filter_map(|series| series.times.last());
        let time = |millis: Option<&i64>| Timestamp::from_millisecond(*millis?).ok();
        Some((time(first.min())?, time(last.max())?))
    }

    /// How many series and samples there are.
    pub fn size(&self) -> (usize, usize) {
        let samples = self.series.iter().map(|series| series.times.len());
        (self.series.len(), samples.sum())
    }

    fn grouping(&self, question: &Question) -> Grouping {
        let mut options = PrometheusOptions::new("");
        options.pod_label.clone_from(&self.pod_label);
        options.namespace_label.clone_from(&self.namespace_label);
        Grouping::new(&options, question)
    }

    fn range(&self, query: &RangeQuery) -> Result<Vec<Past>, Fault> {
        let question = &query.question;
        let grouping = self.grouping(question);
        let mut chosen = self.choose(query, &grouping)?;
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for key in chosen.keys().filter(|key| !key.pod.is_empty()) {
            let pods = names.entry(key.namespace.clone()).or_default();
            pods.insert(key.pod.clone());
        }
        let names = names.iter().map(|(namespace, pods)| {
            let pods = pods.iter().map(String::as_str).collect();
            (namespace.as_str(), pods)
        });
        let targets = with_gone_pods(&query.targets, &grouping, &names.collect());
        let targets: Vec<&QueryTarget> = targets.iter().collect();
        let mut past = Vec::new();
        for at in moments(query)? {
            let mut collected: BTreeMap<RowKey, Collected> = BTreeMap::new();
            for (key, members) in &mut chosen {
                let mut of_key = None;
                for member in members {
                    if let Some((millis, value)) = member.newest(at) {
                        let found = of_key.get_or_insert_with(|| Collected::at(at));
                        member.add(found, at, millis, value);
                    }
                }
                if let Some(found) = of_key {
                    collected.insert(key.clone(), found);
                }
            }
            past.push(Past {
                at,
                observations: deliver(&collected, &grouping, question, &targets),
            });
        }
        Ok(past)
    }

    fn lives(&self, query: &RangeQuery) -> Result<Vec<Life>, Fault> {
        let mut lives = Lives::default();
        let Some((selector, suffix)) = main_selector(&query.question) else {
            return Ok(Vec::new());
        };
        let grouping = self.grouping(&query.question);
        let targets = query.targets.iter().map(|target| &target.target);
        let scope = scope(&grouping, targets);
        let compiled =
            CompiledSelector::new(&narrowed(selector, &scope), suffix).map_err(Fault::malformed)?;
        let step = step(query);
        let (begin, end) = (
            (query.from.as_second() + step - 1).div_euclid(step) * step * 1000,
            query.to.as_second().div_euclid(step) * step * 1000,
        );
        for series in self.selected(&compiled, (begin, end)) {
            let Some(seen) = series.seen((begin, end), step * 1000) else {
                continue;
            };
            let key = series.key(&grouping, &query.question);
            for millis in [seen.0, seen.1] {
                let sampled = Timestamp::from_millisecond(millis)
                    .map_err(|_| Fault::malformed("holds an impossible time"))?;
                lives.see(key.clone(), sampled)?;
            }
        }
        Ok(lives.all())
    }

    /// The series that belong to a question, by what they are told apart by.
    fn choose(
        &self,
        query: &RangeQuery,
        grouping: &Grouping,
    ) -> Result<BTreeMap<RowKey, Vec<Chosen<'_>>>, Fault> {
        let question = &query.question;
        let targets = query.targets.iter().map(|target| &target.target);
        let scope = scope(grouping, targets);
        let compile = |selector: &Selector, suffix| {
            CompiledSelector::new(&narrowed(selector, &scope), suffix).map_err(Fault::malformed)
        };
        let wanted = match &question.what {
            What::Ratio { part, total } => vec![
                (Role::Part, compile(part, "")?),
                (Role::Total, compile(total, "")?),
                (Role::Shape, compile(&shape_of(part), "")?),
            ],
            What::Histogram { histogram } => vec![(Role::Bucket, compile(histogram, "_bucket")?)],
            What::Level(Level::Gauge(gauge)) => vec![(Role::Value, compile(gauge, "")?)],
            What::Level(
                Level::Promql(_)
                | Level::Kubernetes(_)
                | Level::HttpJson(_)
                | Level::Redis(_)
                | Level::Alert(_),
            ) => return Err(Fault::malformed(NO_EXPRESSIONS)),
        };
        let mut chosen: BTreeMap<RowKey, Vec<Chosen<'_>>> = BTreeMap::new();
        for (role, selector) in wanted {
            let stretch = (query.from.as_millisecond(), query.to.as_millisecond());
            for series in self.selected(&selector, stretch) {
                let text = match role {
                    Role::Bucket => series.label("le").cloned().unwrap_or_default(),
                    Role::Value => series.text(&selector.name),
                    Role::Part | Role::Total | Role::Shape => String::new(),
                };
                let members = chosen.entry(series.key(grouping, question)).or_default();
                members.push(Chosen {
                    role,
                    series,
                    text,
                    passed: 0,
                });
            }
        }
        Ok(chosen)
    }

    /// The series that are selected and can be seen in a stretch of time, in milliseconds.
    fn selected(&self, selector: &CompiledSelector, stretch: (i64, i64)) -> Vec<&Series> {
        let of_metric = self.by_metric.get(&selector.name);
        let indices = of_metric.into_iter().flatten();
        let all = indices.filter_map(|index| self.series.get(*index));
        let there = all.filter(|series| series.overlaps(stretch));
        let selected = there.filter(|series| {
            let labels = series.labels.iter();
            let labels: Vec<Label<'_>> = labels
                .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
                .collect();
            let nothing = PodLabels {
                namespace: "",
                pod: "",
            };
            selector.selects(&labels, nothing)
        });
        selected.collect()
    }
}

const NO_EXPRESSIONS: &str = "cannot be asked expressions: that takes a Prometheus";

#[async_trait]
impl Source for Recorded {
    async fn read(&self, queries: &[Query]) -> Vec<Vec<Observation>> {
        let none = |query: &Query| {
            let reason = "recorded series say nothing of what is now";
            unavailable(Cause::Down, reason, query.targets.len())
        };
        queries.iter().map(none).collect()
    }

    async fn read_range(&self, query: &RangeQuery) -> Result<Vec<Past>, NoRange> {
        self.range(query).map_err(no_range)
    }

    async fn read_lives(&self, query: &RangeQuery) -> Result<Vec<Life>, NoRange> {
        self.lives(query).map_err(no_range)
    }
}

fn no_range(Fault { cause, reason }: Fault) -> NoRange {
    NoRange {
        cause,
        reason: format!("the recorded series {reason}"),
    }
}

/// Every moment that is asked about.
fn moments(query: &RangeQuery) -> Result<Vec<Timestamp>, Fault> {
    let step = step(query);
    let first = (query.from.as_second() + step - 1).div_euclid(step);
    let last = query.to.as_second().div_euclid(step);
    (first..=last).map(|number| moment(number * step)).collect()
}

impl Series {
    fn label(&self, name: &str) -> Option<&String> {
        let found = self.labels.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value)
    }

    fn overlaps(&self, (begin, end): (i64, i64)) -> bool {
        let ends = (self.times.first(), self.times.last());
        let (Some(first), Some(last)) = ends else {
            return false;
        };
        *first <= end && begin - *last < LOOKBACK_MILLIS
    }

    /// The newest sample at the first moment that shows the series, and at the last one; moments are `step` apart, and
    /// the first and the last of them are given.
    fn seen(&self, (begin, end): (i64, i64), step: i64) -> Option<(i64, i64)> {
        let newest = |moment: i64| {
            let passed = self.times.partition_point(|time| *time <= moment);
            let time = *self.times.get(passed.checked_sub(1)?)?;
            Some(time)
        };
        let visible = |time: &i64| begin - *time < LOOKBACK_MILLIS;
        let first = newest(begin).filter(visible).or_else(|| {
            let next = self.times.partition_point(|time| *time <= begin);
            let next = *self.times.get(next)?;
            let moment = begin + (next - begin + step - 1).div_euclid(step) * step;
            (moment <= end).then(|| newest(moment)).flatten()
        })?;
        Some((first, newest(end)?.max(first)))
    }

    fn key(&self, grouping: &Grouping, question: &Question) -> RowKey {
        let label = |name: Option<&str>| name.and_then(|name| self.label(name));
        RowKey::of(label, grouping, question)
    }

    /// As Prometheus shows it.
    fn text(&self, metric: &str) -> String {
        let labels = self.labels.iter();
        let mut all: BTreeMap<&str, &str> = labels
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        all.insert("__name__", metric);
        series_text(all)
    }
}

impl Chosen<'_> {
    /// The sample that stands for the series at a moment. Moments come in their order.
    fn newest(&mut self, at: Timestamp) -> Option<(i64, f64)> {
        let now = at.as_millisecond();
        let times = &self.series.times;
        if self.passed == 0 {
            self.passed = times.partition_point(|time| *time <= now);
        }
        while times.get(self.passed).is_some_and(|time| *time <= now) {
            self.passed += 1;
        }
        let last = self.passed.checked_sub(1)?;
        let time = *times.get(last)?;
        (now - time < LOOKBACK_MILLIS)
            .then(|| Some((time, *self.series.values.get(last)?)))
            .flatten()
    }

    /// Adds a sample to what is collected, as an evaluated query would.
    fn add(&self, collected: &mut Collected, at: Timestamp, millis: i64, value: f64) {
        match self.role {
            Role::Part => collected.add_part(value),
            Role::Total => collected.add_total(value, millis),
            Role::Shape => collected.has_shape(),
            Role::Bucket => collected.add_bucket(&self.text, value, millis),
            Role::Value => collected.add_value(&self.text, at, value, millis),
        }
    }
}
