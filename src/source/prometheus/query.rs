//! From a question and the targets that ask it to one `PromQL` query.
//!
//! All that belongs together is asked in one expression, so that one evaluation sees one state: the halves of a
//! ratio, whether the part's shape exists, and the time of the samples, told apart by the label [`MARKER`].

use std::collections::BTreeSet;

use recant_core::measurement::text::{label, quoted, selector_with};
use recant_core::rule::{Level, MatchOp, Matcher, Question, Selector, What};
use recant_core::wording::short;

use super::options::PrometheusOptions;
use crate::source::QueryTarget;

/// The label that tells the parts of an answer apart. Buckets have none.
pub(super) const MARKER: &str = "recant";
pub(super) const PART: &str = "part";
pub(super) const TOTAL: &str = "total";
pub(super) const SHAPE: &str = "shape";
pub(super) const TIME: &str = "time";
pub(super) const VALUE: &str = "value";
pub(super) const NATIVE: &str = "native";

/// Targets above which the query is not narrowed to their pods.
const MOST_NAMES: usize = 50;
/// Length of a matcher above which the query goes without it.
const LONGEST_POD_MATCHER: usize = 4 * 1024;
const LONGEST_NAMESPACE_MATCHER: usize = 32 * 1024;
/// Characters of an expression that a message shows.
const MOST_SHOWN: usize = 120;
/// Names longer than this may be cut in the names of pods.
const WHOLE_NAME: usize = 40;

/// The labels that the rows of an answer are told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grouping {
    /// `None` when the source has no such label, or the question names the namespace itself.
    pub(super) namespace: Option<String>,
    pub(super) pod: String,
    /// The label that tells the arms apart.
    pub(super) arm: Option<String>,
}

impl Grouping {
    pub(super) fn new(options: &PrometheusOptions, question: &Question) -> Self {
        let mut namespace = options.namespace_label.clone();
        if let Some(name) = &namespace
            && question.label.is_some()
            && !selectors(question).is_empty()
            && selectors(question).iter().all(|selector| {
                selector
                    .matchers
                    .iter()
                    .any(|matcher| matcher.label == *name)
            })
        {
            // Metrics of a gateway carry the gateway's namespace: a selector that names it is taken at its word.
            namespace = None;
        }
        Self {
            namespace,
            pod: options.pod_label.clone(),
            arm: question.label.clone(),
        }
    }

    fn labels(&self, more: Option<&str>) -> String {
        let mut names: Vec<String> = Vec::new();
        for name in [
            self.namespace.as_deref(),
            self.arm.as_deref(),
            Some(&*self.pod),
            more,
        ]
        .into_iter()
        .flatten()
        {
            let name = label(name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(", ")
    }
}

/// The query that answers the question for all these targets.
pub(super) fn promql<'a>(
    question: &Question,
    grouping: &Grouping,
    targets: impl IntoIterator<Item = &'a QueryTarget> + Clone,
) -> String {
    let scope = scope(grouping, targets);
    let by = grouping.labels(None);
    let scoped = |selector: &Selector, suffix: &str, more: Vec<Matcher>| {
        let all = selector.matchers.iter().chain(&scope).chain(&more);
        selector_with(&selector.metric, suffix, all)
    };
    match &question.what {
        What::Ratio { part, total } => {
            let shape = shape_of(part);
            let total = scoped(total, "", vec![]);
            [
                marked(
                    PART,
                    &format!("sum by ({by}) ({})", scoped(part, "", vec![])),
                ),
                marked(TOTAL, &format!("sum by ({by}) ({total})")),
                marked(
                    SHAPE,
                    &format!("count by ({by}) ({})", scoped(&shape, "", vec![])),
                ),
                marked(TIME, &format!("max by ({by}) (timestamp({total}))")),
            ]
            .join(" or ")
        }
        // Every series by itself: two of one pod are a mistake that can only be named when both are seen.
        What::Level(Level::Gauge(gauge)) => {
            let gauge = scoped(gauge, "", vec![]);
            [
                marked(VALUE, &gauge),
                marked(TIME, &format!("timestamp({gauge})")),
            ]
            .join(" or ")
        }
        What::Level(Level::Promql(promql)) => promql.query.clone(),
        What::Level(
            Level::Kubernetes(_) | Level::HttpJson(_) | Level::Redis(_) | Level::Alert(_),
        ) => String::new(),
        What::Histogram { histogram } => {
            let with_bound = grouping.labels(Some("le"));
            let buckets = scoped(histogram, "_bucket", vec![]);
            // One bucket is enough for the time, and every histogram has this one.
            let all_events = scoped(
                histogram,
                "_bucket",
                vec![matcher("le", MatchOp::Equal, "+Inf")],
            );
            // A native histogram has the name itself, and its buckets in one series.
            let native = scoped(histogram, "", vec![]);
            [
                format!("sum by ({with_bound}) ({buckets})"),
                marked(TIME, &format!("max by ({by}) (timestamp({all_events}))")),
                marked(NATIVE, &format!("sum by ({by}) ({native})")),
                marked(TIME, &format!("max by ({by}) (timestamp({native}))")),
            ]
            .join(" or ")
        }
    }
}

/// The query that says when each pod, or each arm, was last sampled; `None`: an expression, which is asked as it is.
pub(super) fn lives<'a>(
    question: &Question,
    grouping: &Grouping,
    targets: impl IntoIterator<Item = &'a QueryTarget> + Clone,
) -> Option<String> {
    let (selector, suffix) = main_selector(question)?;
    let selector = narrowed(selector, &scope(grouping, targets));
    let by = grouping.labels(None);
    let series = selector_with(&selector.metric, suffix, &selector.matchers);
    Some(format!("max by ({by}) (timestamp({series}))"))
}

/// The selector whose samples say that something is measured at all, and what its name ends with.
pub(super) fn main_selector(question: &Question) -> Option<(&Selector, &'static str)> {
    match &question.what {
        What::Ratio { total, .. } => Some((total, "")),
        What::Histogram { histogram } => Some((histogram, "_bucket")),
        What::Level(Level::Gauge(gauge)) => Some((gauge, "")),
        What::Level(
            Level::Promql(_)
            | Level::Kubernetes(_)
            | Level::HttpJson(_)
            | Level::Redis(_)
            | Level::Alert(_),
        ) => None,
    }
}

/// Series that have the labels that the part asks for, with whatever values.
pub(super) fn shape_of(part: &Selector) -> Selector {
    let names: BTreeSet<&String> = part.matchers.iter().map(|matcher| &matcher.label).collect();
    Selector {
        metric: part.metric.clone(),
        matchers: names
            .into_iter()
            .map(|name| matcher(name, MatchOp::NotEqual, ""))
            .collect(),
    }
}

/// The selector with more matchers.
pub(super) fn narrowed(selector: &Selector, more: &[Matcher]) -> Selector {
    let all = selector.matchers.iter().chain(more);
    Selector {
        metric: selector.metric.clone(),
        matchers: all.cloned().collect(),
    }
}

fn selectors(question: &Question) -> Vec<&Selector> {
    match &question.what {
        What::Ratio { part, total } => vec![part, total],
        What::Histogram { histogram } => vec![histogram],
        What::Level(Level::Gauge(gauge)) => vec![gauge],
        What::Level(
            Level::Promql(_)
            | Level::Kubernetes(_)
            | Level::HttpJson(_)
            | Level::Redis(_)
            | Level::Alert(_),
        ) => Vec::new(),
    }
}

fn marked(mark: &str, expression: &str) -> String {
    format!("label_replace({expression}, \"{MARKER}\", \"{mark}\", \"\", \"\")")
}

/// The smallest matchers that cover all targets; never the whole cluster for a few.
pub(super) fn scope<'a>(
    grouping: &Grouping,
    targets: impl IntoIterator<Item = &'a QueryTarget> + Clone,
) -> Vec<Matcher> {
    let mut matchers = Vec::new();
    if let Some(name) = &grouping.namespace {
        let namespaces: BTreeSet<&str> = targets
            .clone()
            .into_iter()
            .map(|target| target.id.namespace.as_str())
            .collect();
        let values: Vec<&str> = namespaces.into_iter().collect();
        if let [only] = values.as_slice() {
            matchers.push(matcher(name, MatchOp::Equal, only));
        } else {
            let any: Vec<String> = values.iter().map(|value| escape(value)).collect();
            let any = any.join("|");
            if any.len() <= LONGEST_NAMESPACE_MATCHER {
                matchers.push(matcher(name, MatchOp::Regex, &any));
            }
        }
    }
    if grouping.arm.is_none() {
        let names: BTreeSet<&str> = targets
            .into_iter()
            .map(|target| target.id.name.as_str())
            .collect();
        // Series without the label are asked for too: they may be the whole service's.
        let any: Vec<String> = names.iter().map(|name| pods_of(name)).collect();
        let any = format!("{}|", any.join("|"));
        if names.len() <= MOST_NAMES && any.len() <= LONGEST_POD_MATCHER {
            matchers.push(matcher(&grouping.pod, MatchOp::Regex, &any));
        }
    }
    matchers
}

/// A pattern for the names of a workload's pods. Long names are cut before the random suffix is added.
fn pods_of(workload: &str) -> String {
    if workload.len() <= WHOLE_NAME {
        format!("{}-.+", escape(workload))
    } else {
        let start: String = workload.chars().take(WHOLE_NAME).collect();
        format!("{}.+", escape(&start))
    }
}

fn matcher(label: &str, op: MatchOp, value: &str) -> Matcher {
    Matcher {
        label: label.to_owned(),
        op,
        value: value.to_owned(),
    }
}

/// A name of Kubernetes as a regular expression that is nothing but that name.
fn escape(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for c in name.chars() {
        if !(c.is_alphanumeric() || c == '-' || c == '_') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// The question's main selector, for messages.
pub(super) fn asked(question: &Question) -> String {
    match &question.what {
        What::Ratio { total, .. } => selector_with(&total.metric, "", &total.matchers),
        What::Histogram { histogram } => {
            selector_with(&histogram.metric, "_bucket", &histogram.matchers)
        }
        What::Level(Level::Gauge(gauge)) => selector_with(&gauge.metric, "", &gauge.matchers),
        What::Level(Level::Promql(promql)) => short(&promql.query, MOST_SHOWN),
        What::Level(
            Level::Kubernetes(_) | Level::HttpJson(_) | Level::Redis(_) | Level::Alert(_),
        ) => String::new(),
    }
}

/// A series as people know it from Prometheus, for messages.
pub(super) fn series_text<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> = labels
        .into_iter()
        .map(|(name, value)| format!("{}={}", label(name), quoted(value)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}
