//! `series` and `answers` of a test: what is measured.

use std::collections::BTreeSet;

use super::values::values;
use super::{MOST_THINGS, too_many};
use crate::ids::PodName;
use crate::rule::MatchOp;
use crate::spec::drafts::{Reference, Site};
use crate::spec::excerpt::quoted;
use crate::spec::fields::{self, Fields};
use crate::spec::nearest::nearest;
use crate::spec::report::{Report, Span};
use crate::spec::tree::Node;
use crate::testcase::{AnswerOf, TestRevision, TestSeries, Values};

pub(in crate::spec) const SERIES: &[&str] = &["series", "values"];
pub(in crate::spec) const ANSWER: &[&str] = &["rule", "pod", "label", "values"];

/// Values of all series of a test together.
const MOST_VALUES: u64 = 1_000_000;

/// What a source answers to a rule whose name is not looked up yet.
#[derive(Debug)]
pub(in crate::spec) struct AnswerDraft {
    pub(in crate::spec) rule: Reference,
    pub(in crate::spec) of: AnswerOf,
    pub(in crate::spec) values: Values,
}

/// Reads `series`.
pub(super) fn read(
    test: &Fields<'_>,
    revisions: &[TestRevision],
    file: usize,
    report: &mut Report<'_>,
) -> Vec<(TestSeries, Site)> {
    const HELP: &str = "write `series: [{series: 'http_requests_total{pod=\"web-1\",status=\"200\"}', values: '0+100x40'}]`";
    let mut all = Vec::new();
    let mut seen: BTreeSet<(String, Vec<(String, String)>)> = BTreeSet::new();
    let mut room = MOST_VALUES;
    let Some(node) = test.get("series") else {
        return all;
    };
    for item in fields::list(node, "series", HELP, report).unwrap_or_default() {
        if all.len() >= MOST_THINGS {
            too_many(item.span, "series", report);
            break;
        }
        let Some(fields) = Fields::open(item, "a series", SERIES, report) else {
            continue;
        };
        let named = fields
            .need("series", HELP, report)
            .and_then(|node| read_name(node, revisions, report).map(|name| (name, node.span)));
        let values = fields
            .need("values", HELP, report)
            .and_then(|node| read_values(node, &mut room, report));
        let (Some(((metric, labels), span)), Some(values)) = (named, values) else {
            continue;
        };
        if !seen.insert((metric.clone(), labels.clone())) {
            report
                .error(span, "this series is written twice")
                .help("leave one of them out, or give it another label");
        }
        let series = TestSeries {
            metric,
            labels,
            values,
        };
        all.push((series, Site { file, span }));
    }
    all
}

/// A metric name, and labels sorted by their names.
type Named = (String, Vec<(String, String)>);

fn read_name(node: &Node, revisions: &[TestRevision], report: &mut Report<'_>) -> Option<Named> {
    let selector = fields::selector(node, "series", report)?;
    let mut labels: Vec<(String, String)> = Vec::new();
    for matcher in selector.matchers {
        if matcher.op != MatchOp::Equal {
            report
                .error(
                    node.span,
                    format!("label `{}` of a series has no single value", matcher.label),
                )
                .help("a series is one: write each label as `name=\"value\"`");
            return None;
        }
        if labels.iter().any(|(name, _)| *name == matcher.label) {
            report
                .error(
                    node.span,
                    format!("label `{}` is given twice", matcher.label),
                )
                .help("leave one of them out");
            return None;
        }
        labels.push((matcher.label, matcher.value));
    }
    labels.sort();
    if let Some((_, pod)) = labels.iter().find(|(name, _)| name == "pod") {
        known_pod(pod, node.span, revisions, report)?;
    }
    Some((selector.metric, labels))
}

fn known_pod(
    pod: &str,
    span: Span,
    revisions: &[TestRevision],
    report: &mut Report<'_>,
) -> Option<PodName> {
    let known = || {
        let pods = revisions.iter().flat_map(|revision| &revision.pods);
        pods.map(PodName::as_str)
    };
    if revisions.is_empty() || known().any(|name| name == pod) {
        return Some(PodName::from(pod));
    }
    let full = report.is_full();
    let finding = report.error(span, format!("pod {} is of no revision", quoted(pod)));
    if !full {
        finding.help(match nearest(pod, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name it in `revisions`".to_owned(),
        });
    }
    None
}

fn read_values(node: &Node, room: &mut u64, report: &mut Report<'_>) -> Option<Values> {
    let text = fields::text(
        node,
        "values",
        "write values one interval apart, as for promtool: `0+5x20`",
        report,
    )?;
    match values(text) {
        Ok(values) => {
            let left = room.checked_sub(values.len());
            *room = left.unwrap_or(0);
            if left.is_none() {
                report
                    .error(
                        node.span,
                        format!("the series of this test have more than {MOST_VALUES} values"),
                    )
                    .help("write a longer `interval`, or make several tests of it");
                return None;
            }
            Some(values)
        }
        Err((message, help)) => {
            report
                .error(node.span, format!("`values`: {message}"))
                .help(help);
            None
        }
    }
}

/// Reads `answers`.
pub(super) fn read_answers(
    test: &Fields<'_>,
    revisions: &[TestRevision],
    file: usize,
    report: &mut Report<'_>,
) -> Vec<AnswerDraft> {
    const HELP: &str = "write `answers: [{rule: queue/depth, values: '10+5x20'}]`, with `pod: web-1` if it is a pod's";
    let mut answers = Vec::new();
    let Some(node) = test.get("answers") else {
        return answers;
    };
    let mut room = MOST_VALUES;
    for item in fields::list(node, "answers", HELP, report).unwrap_or_default() {
        if answers.len() >= MOST_THINGS {
            too_many(item.span, "answers", report);
            break;
        }
        let Some(fields) = Fields::open(item, "an answer", ANSWER, report) else {
            continue;
        };
        let rule = fields.need("rule", HELP, report).and_then(|node| {
            let name = fields::text(node, "rule", HELP, report)?;
            Some(Reference {
                name: name.to_owned(),
                site: Site {
                    file,
                    span: node.span,
                },
            })
        });
        let of = match (fields.entry("pod"), fields.entry("label")) {
            (None, None) => Some(AnswerOf::Whole),
            (Some(pod), None) => fields::text(&pod.value, "pod", HELP, report)
                .and_then(|name| known_pod(name, pod.value.span, revisions, report))
                .map(AnswerOf::Pod),
            (None, Some(label)) => fields::text(&label.value, "label", HELP, report)
                .map(|label| AnswerOf::Label(label.to_owned())),
            (Some(_), Some(label)) => {
                report
                    .error(label.key_span, "an answer has a `pod` and a `label`")
                    .help("leave one of them out");
                None
            }
        };
        let values = fields
            .need("values", HELP, report)
            .and_then(|node| read_values(node, &mut room, report));
        if let (Some(rule), Some(of), Some(values)) = (rule, of, values) {
            answers.push(AnswerDraft { rule, of, values });
        }
    }
    answers
}
