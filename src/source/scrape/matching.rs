//! Selectors applied to exposed samples, as Prometheus would apply them to the series it made of them.

use regex::{Regex, RegexBuilder};

use recant_core::rule::{Level, MatchOp, Matcher, Question, Selector, What};

use crate::source::exposition::Label;

/// Labels that Prometheus adds to what a pod exposes. A matcher on one of them is held against the pod itself.
const POD_LABEL: &str = "pod";
const NAMESPACE_LABEL: &str = "namespace";

/// Compiled patterns larger than this are refused.
const LARGEST_PATTERN: usize = 1024 * 1024;

/// Namespace and name of the pod that is scraped.
#[derive(Debug, Clone, Copy)]
pub(in crate::source) struct PodLabels<'a> {
    pub(in crate::source) namespace: &'a str,
    pub(in crate::source) pod: &'a str,
}

/// What of a question a sample can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Part,
    Total,
    /// Has the labels that the part asks for, with whatever values.
    Shape,
    Bucket,
    /// A value as it stands.
    Value,
}

/// A question whose selectors can be held against samples.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) selectors: Vec<(Role, CompiledSelector)>,
}

impl Asked {
    /// Compiles all patterns; the error names the one that cannot be.
    pub(super) fn new(question: &Question) -> Result<Self, String> {
        let selectors = match &question.what {
            What::Ratio { part, total } => vec![
                (Role::Part, CompiledSelector::new(part, "")?),
                (Role::Total, CompiledSelector::new(total, "")?),
                (Role::Shape, CompiledSelector::shape_of(part)),
            ],
            What::Histogram { histogram } => {
                vec![(Role::Bucket, CompiledSelector::new(histogram, "_bucket")?)]
            }
            What::Level(Level::Gauge(gauge)) => {
                vec![(Role::Value, CompiledSelector::new(gauge, "")?)]
            }
            What::Level(Level::Promql(_)) => {
                return Err("pods answer no expressions: that takes a Prometheus".to_owned());
            }
            What::Level(
                Level::Kubernetes(_) | Level::HttpJson(_) | Level::Redis(_) | Level::Alert(_),
            ) => {
                return Err("pods cannot answer this: another source was meant".to_owned());
            }
        };
        Ok(Self {
            question: question.clone(),
            selectors,
        })
    }
}

/// A selector with its patterns compiled.
#[derive(Debug)]
pub(in crate::source) struct CompiledSelector {
    pub(in crate::source) name: String,
    conditions: Vec<(String, Condition)>,
}

#[derive(Debug)]
enum Condition {
    Equal(String),
    NotEqual(String),
    Regex(Regex),
    NotRegex(Regex),
}

impl CompiledSelector {
    /// Compiles all patterns; the error names the one that cannot be.
    pub(in crate::source) fn new(selector: &Selector, suffix: &str) -> Result<Self, String> {
        Ok(Self {
            name: format!("{}{suffix}", selector.metric),
            conditions: selector
                .matchers
                .iter()
                .map(|matcher| Ok((matcher.label.clone(), condition(matcher)?)))
                .collect::<Result<_, String>>()?,
        })
    }

    fn shape_of(selector: &Selector) -> Self {
        Self {
            name: selector.metric.clone(),
            conditions: selector
                .matchers
                .iter()
                .map(|matcher| (matcher.label.clone(), Condition::NotEqual(String::new())))
                .collect(),
        }
    }

    /// Whether a sample of this name and these labels is selected. A label that is not there is empty.
    pub(in crate::source) fn selects(&self, labels: &[Label<'_>], pod: PodLabels<'_>) -> bool {
        self.conditions.iter().all(|(name, condition)| {
            let value = match (value_of(labels, name), name.as_str()) {
                ("", NAMESPACE_LABEL) => pod.namespace,
                ("", POD_LABEL) => pod.pod,
                (value, _) => value,
            };
            match condition {
                Condition::Equal(wanted) => value == wanted,
                Condition::NotEqual(unwanted) => value != unwanted,
                Condition::Regex(pattern) => pattern.is_match(value),
                Condition::NotRegex(pattern) => !pattern.is_match(value),
            }
        })
    }
}

/// The value of a label; empty when there is none.
pub(super) fn value_of<'l>(labels: &'l [Label<'_>], name: &str) -> &'l str {
    labels
        .iter()
        .find(|(other, _)| other == name)
        .map_or("", |(_, value)| value)
}

fn condition(matcher: &Matcher) -> Result<Condition, String> {
    let value = &matcher.value;
    let pattern = || {
        // As Prometheus does: the whole value must match, and `.` matches line ends.
        RegexBuilder::new(&format!("^(?s:{value})$"))
            .size_limit(LARGEST_PATTERN)
            .build()
            .map_err(|_| {
                format!(
                    "the pattern `{value}` for label `{}` is no regular expression",
                    matcher.label
                )
            })
    };
    Ok(match matcher.op {
        MatchOp::Equal => Condition::Equal(value.clone()),
        MatchOp::NotEqual => Condition::NotEqual(value.clone()),
        MatchOp::Regex => Condition::Regex(pattern()?),
        MatchOp::NotRegex => Condition::NotRegex(pattern()?),
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[track_caller]
    fn check(op: MatchOp, label: &str, value: &str, selected: bool) {
        let selector = Selector {
            metric: "m".into(),
            matchers: vec![Matcher {
                label: label.into(),
                op,
                value: value.into(),
            }],
        };
        let labels: [Label<'_>; 2] = [
            (Cow::Borrowed("status"), Cow::Borrowed("503")),
            (Cow::Borrowed("path"), Cow::Borrowed("a\nb")),
        ];
        let pod = PodLabels {
            namespace: "shop",
            pod: "checkout-1",
        };
        let compiled = CompiledSelector::new(&selector, "").expect("compiles");
        assert_eq!(
            compiled.selects(&labels, pod),
            selected,
            "{op:?} {label} {value}"
        );
    }

    #[test]
    fn matchers_mean_what_they_mean_in_prometheus() {
        use MatchOp::{Equal, NotEqual, NotRegex, Regex};
        check(Equal, "status", "503", true);
        check(Equal, "status", "50", false);
        check(NotEqual, "status", "503", false);
        check(Regex, "status", "5..", true);
        check(Regex, "status", "5", false);
        check(Regex, "status", "2..|5..", true);
        check(Regex, "path", "a.b", true);
        check(NotRegex, "status", "5..", false);
        // A label that is not there is empty.
        check(Equal, "code", "", true);
        check(NotEqual, "code", "", false);
        check(Regex, "code", "", true);
        check(Regex, "code", ".+", false);
        check(NotRegex, "code", ".+", true);
        // What Prometheus knows of the target.
        check(Equal, "namespace", "shop", true);
        check(Regex, "pod", "checkout-.+", true);
        check(Equal, "pod", "cart-1", false);
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let question = Question {
            what: What::Histogram {
                histogram: Selector {
                    metric: "m".into(),
                    matchers: vec![Matcher {
                        label: "path".into(),
                        op: MatchOp::Regex,
                        value: "(".into(),
                    }],
                },
            },
            label: None,
        };
        let said = Asked::new(&question).expect_err("is broken");
        assert_eq!(
            said,
            "the pattern `(` for label `path` is no regular expression"
        );
    }
}
