//! `RuleSet` documents: named rules.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::document::{self, Namespaced};
use super::drafts::{RuleDraft, SetDraft, Site};
use super::fields::{self, Fields, NameKind};
use super::judging::{self, Judged};
use super::level;
use super::limits;
use super::metric::{self, Measures};
use super::report::{Report, Span};
use super::tree::Node;
use crate::ids::RuleName;
use crate::rule::{Check, CountsCheck, Rule};

const SET: &[&str] = &["apiVersion", "kind", "metadata", "rules"];
const RULE: &[&str] = &[
    "name",
    "ratio",
    "histogram",
    "quantile",
    "unit",
    "gauge",
    "rate",
    "promql",
    "kubernetes",
    "httpJson",
    "redis",
    "alert",
    "over",
    "max",
    "min",
    "compare",
    "for",
    "least",
    "arms",
    "skip",
    "beside",
    "weight",
    "dryRun",
];

/// Events below which nothing is decided, when the rule does not say.
const LEAST: u64 = 20;
const MOST_LEAST: u64 = 1_000_000_000_000;

/// Reads a rule set; `None` when it has no readable name.
pub(super) fn read(node: &Node, file: usize, report: &mut Report<'_>) -> Option<SetDraft> {
    let fields = Fields::open(node, "a rule set", SET, report)?;
    let metadata = document::metadata(&fields, Namespaced::Maybe, report);
    let namespace = metadata.namespace.map(|(namespace, _)| namespace);
    let mut partial = fields.unclear();
    let mut rules = Vec::new();
    let mut names: BTreeMap<&str, Span> = BTreeMap::new();
    let help = "write at least one rule: `- {name: …, ratio: …, max: …}`";
    let items = fields
        .need("rules", help, report)
        .and_then(|node| fields::list(node, "rules", help, report));
    partial |= items.is_none();
    for item in items.unwrap_or_default() {
        let before = report.errors();
        let Some((name, site, rule)) = read_rule(item, metadata.name.map_or("", |n| n.0), report)
        else {
            partial = true;
            continue;
        };
        if let Some(first) = names.get(name) {
            let first = (!report.is_full()).then(|| report.position(*first));
            let finding = report.error(site, format!("rule `{name}` is defined twice in this set"));
            if let Some(first) = first {
                finding
                    .note(format!("it is first defined at {first}"))
                    .help("give it another name, or leave one of them out");
            }
            continue;
        }
        names.insert(name, site);
        rules.push(RuleDraft {
            name: name.to_owned(),
            rule: rule.filter(|_| report.errors() == before).map(|mut rule| {
                if let Some(namespace) = namespace {
                    rule.belong_to(namespace);
                }
                Arc::new(rule)
            }),
        });
    }
    let (name, name_node) = metadata.name?;
    Some(SetDraft {
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        site: Site {
            file,
            span: name_node.span,
        },
        rules,
        partial,
    })
}

/// Name, place of the name, and the rule unless it has errors; `None` without a readable name.
fn read_rule<'n>(
    node: &'n Node,
    set: &str,
    report: &mut Report<'_>,
) -> Option<(&'n str, Span, Option<Rule>)> {
    let fields = Fields::open(node, "a rule", RULE, report)?;
    let name = fields
        .need("name", "give every rule a `name`", report)
        .and_then(|node| {
            fields::name(node, "name", NameKind::Label, report).map(|name| (name, node.span))
        });
    let measured = read_check(&fields, report);
    let judging = judging::read(&fields, judged(&fields), report);
    let arms = metric::read_arms(&fields, report);
    let dry_run = match fields.get("dryRun") {
        None => Some(false),
        Some(node) => fields::boolean(node, "dryRun", report),
    };
    let (name, span) = name?;
    let rule = || {
        let (check, lasting) = measured?;
        Some(Rule {
            name: RuleName(format!("{set}/{name}")),
            arms: arms?,
            lasting,
            check,
            dry_run: dry_run?,
            judging: judging?,
        })
    };
    Some((name, span, rule()))
}

/// What the rule measures, as far as its fields say.
fn judged(rule: &Fields<'_>) -> Judged {
    if rule.get("ratio").is_some() {
        Judged::Share
    } else if rule.get("histogram").is_some() {
        Judged::Latency
    } else {
        Judged::Value
    }
}

/// What is measured and must hold of it, and for how long it must be broken.
fn read_check(rule: &Fields<'_>, report: &mut Report<'_>) -> Option<(Check, Duration)> {
    let metric = match metric::which(rule, report) {
        Some(Measures::Level(entry)) => {
            let (check, lasting) = level::read(rule, entry, report)?;
            return Some((Check::Level(check), lasting));
        }
        Some(Measures::Counts(entry)) => metric::read(rule, entry, report),
        // What else is wrong with the rule is said all the same.
        None => None,
    };
    let limits = limits::read(rule, metric.as_ref(), report);
    let least = match rule.get("least") {
        None => Some(LEAST),
        Some(node) => fields::integer(node, "least", (1, MOST_LEAST), report),
    };
    let lasting = level::read_for_of_counts(rule, report);
    let limits = limits?;
    let check = CountsCheck {
        metric: metric?,
        max: limits.max,
        min: limits.min,
        compare: limits.compare,
        least: least?,
    };
    Some((Check::Counts(check), lasting?))
}
