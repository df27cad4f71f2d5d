//! `expect` of a test: what must be true at which time.

use std::time::Duration;

use super::{MOST_THINGS, known_revision, origin, read_time, too_many};
use crate::spec::drafts::{Reference, Site};
use crate::spec::excerpt::quoted;
use crate::spec::fields::{self, Fields};
use crate::spec::nearest::nearest;
use crate::spec::report::Report;
use crate::spec::tree::{Kind, Node};
use crate::testcase::{ExpectedAction, ExpectedState, ExpectedVerdict, Origin, TestRevision};

pub(in crate::spec) const EXPECT: &[&str] = &["at", "verdict", "rules", "says", "actions"];

/// An expectation whose rules are not looked up yet.
#[derive(Debug)]
pub(in crate::spec) struct ExpectationDraft {
    pub(in crate::spec) origin: Origin,
    pub(in crate::spec) at: Duration,
    pub(in crate::spec) verdict: Option<ExpectedVerdict>,
    pub(in crate::spec) rules: Vec<(Reference, ExpectedState)>,
    pub(in crate::spec) says: Vec<String>,
    pub(in crate::spec) actions: Option<Vec<ExpectedAction>>,
}

/// Reads `expect`.
pub(super) fn read(
    test: &Fields<'_>,
    revisions: &[TestRevision],
    file: usize,
    report: &mut Report<'_>,
) -> Vec<ExpectationDraft> {
    const HELP: &str = "write `expect: [{at: 3m, verdict: fail, rules: {error-rate: failing}, actions: [rollback to v1]}]`";
    let mut all: Vec<ExpectationDraft> = Vec::new();
    let Some(node) = test.get("expect") else {
        return all;
    };
    for item in fields::list(node, "expect", HELP, report).unwrap_or_default() {
        if all.len() >= MOST_THINGS {
            too_many(item.span, "expectations", report);
            break;
        }
        let Some(fields) = Fields::open(item, "an expectation", EXPECT, report) else {
            continue;
        };
        let Some(at_node) = fields.need("at", HELP, report) else {
            continue;
        };
        let at = read_time(at_node, "at", report);
        let verdict = fields.get("verdict").and_then(|node| {
            let known = ExpectedVerdict::ALL;
            one_of(node, "verdict", &known, ExpectedVerdict::as_str, report)
        });
        let rules = fields
            .get("rules")
            .map(|node| read_rules(node, file, report))
            .unwrap_or_default();
        let says = fields
            .get("says")
            .map(|node| read_says(node, report))
            .unwrap_or_default();
        let actions = fields
            .get("actions")
            .map(|node| read_actions(node, revisions, report));
        let nothing = EXPECT
            .iter()
            .skip(1)
            .all(|field| fields.entry(field).is_none());
        if nothing && !fields.unclear() {
            report
                .error(item.span, "this expectation expects nothing")
                .help(HELP);
        }
        let Some(at) = at else { continue };
        if all.last().is_some_and(|last| at < last.at) {
            report
                .error(
                    at_node.span,
                    "this expectation is earlier than the one above it",
                )
                .help("write expectations in the order of time");
        }
        all.push(ExpectationDraft {
            origin: origin(file, item.span),
            at,
            verdict,
            rules,
            says,
            actions,
        });
    }
    all
}

/// One of some words.
fn one_of<T: Copy>(
    node: &Node,
    field: &str,
    known: &[T],
    word: impl Fn(T) -> &'static str,
    report: &mut Report<'_>,
) -> Option<T> {
    let words: Vec<&str> = known.iter().map(|value| word(*value)).collect();
    let help = format!("it can be {}", fields::listed(&words));
    let text = fields::text(node, field, &help, report)?;
    let found = known.iter().copied().find(|value| word(*value) == text);
    if found.is_none() {
        report
            .error(node.span, format!("`{field}` cannot be {}", quoted(text)))
            .help(match nearest(text, words.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => help,
            });
    }
    found
}

fn read_rules(
    node: &Node,
    file: usize,
    report: &mut Report<'_>,
) -> Vec<(Reference, ExpectedState)> {
    const HELP: &str = "write the rules and what they say: `rules: {error-rate: failing}`";
    let Kind::Map(entries) = &node.kind else {
        if !matches!(node.kind, Kind::Reported) {
            report
                .error(
                    node.span,
                    format!("`rules` must be a mapping here, and is {}", node.describe()),
                )
                .help(HELP);
        }
        return Vec::new();
    };
    entries
        .iter()
        .filter(|entry| !entry.key.is_empty())
        .filter_map(|entry| {
            let known = ExpectedState::ALL;
            let state = one_of(
                &entry.value,
                "the state of a rule",
                &known,
                ExpectedState::as_str,
                report,
            )?;
            let rule = Reference {
                name: entry.key.clone(),
                site: Site {
                    file,
                    span: entry.key_span,
                },
            };
            Some((rule, state))
        })
        .collect()
}

/// One text, or a list of them.
fn read_says(node: &Node, report: &mut Report<'_>) -> Vec<String> {
    const HELP: &str =
        "write a part of what a rule says, or of what people are told: `says: the limit is 5 %`";
    let text = |node: &Node, report: &mut Report<'_>| {
        fields::text(node, "says", HELP, report).map(ToOwned::to_owned)
    };
    match &node.kind {
        Kind::List(_) => {
            let items = fields::list(node, "says", HELP, report).unwrap_or_default();
            items.iter().filter_map(|item| text(item, report)).collect()
        }
        Kind::Scalar(_) | Kind::Map(_) | Kind::Reported => text(node, report).into_iter().collect(),
    }
}

fn read_actions(
    node: &Node,
    revisions: &[TestRevision],
    report: &mut Report<'_>,
) -> Vec<ExpectedAction> {
    const HELP: &str = "write all that was done until then, such as `actions: [rollback to v1, scale Deployment/worker to 5]`; `[]` is nothing";
    // An empty list says that nothing was done.
    if matches!(&node.kind, Kind::List(items) if items.is_empty()) {
        return Vec::new();
    }
    let mut actions = Vec::new();
    for item in fields::list(node, "actions", HELP, report).unwrap_or_default() {
        let Some(text) = fields::text(item, "actions", HELP, report) else {
            continue;
        };
        let words: Vec<&str> = text.split(' ').collect();
        let action = match words.as_slice() {
            ["rollback", "to", revision] => {
                match known_revision(revision, item.span, revisions, report) {
                    Some(to) => ExpectedAction::Rollback { to },
                    None => continue,
                }
            }
            ["scale", target, "to", replicas] if target.contains('/') => match replicas.parse() {
                Ok(replicas) => ExpectedAction::Scale {
                    target: (*target).to_owned(),
                    replicas,
                },
                Err(_) => {
                    report
                        .error(
                            item.span,
                            format!("{} is no number of replicas", quoted(replicas)),
                        )
                        .help(HELP);
                    continue;
                }
            },
            _ => {
                report
                    .error(item.span, format!("{} is no action", quoted(text)))
                    .help(HELP);
                continue;
            }
        };
        actions.push(action);
    }
    actions
}
