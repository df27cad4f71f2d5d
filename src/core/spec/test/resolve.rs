//! Looks up what tests name: their watch, its rules, and whether any rule reads what is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{TestDraft, WatchUnderTest};
use crate::ids::RuleName;
use crate::rule::Question;
use crate::rule::{Level, Rule, RuleBook, Selector, Watch, What};
use crate::spec::drafts::{Reference, Site};
use crate::spec::excerpt::quoted;
use crate::spec::nearest::nearest;
use crate::spec::report::Report;
use crate::spec::resolve::Names;
use crate::spec::watch;
use crate::testcase::{Expectation, Origin, TestAnswer, TestCase};

/// The tests whose names could all be looked up.
pub(in crate::spec) fn resolve(
    drafts: Vec<TestDraft>,
    names: &Names,
    book: &RuleBook,
    reports: &mut [Report<'_>],
) -> Vec<TestCase> {
    let mut seen: BTreeMap<(usize, String), Site> = BTreeMap::new();
    drafts
        .into_iter()
        .filter_map(|draft| {
            let key = (draft.site.file, draft.name.clone());
            if seen.insert(key, draft.site).is_some()
                && let Some(report) = reports.get_mut(draft.site.file)
            {
                report
                    .error(
                        draft.site.span,
                        format!("test `{}` is written twice in this file", draft.name),
                    )
                    .help("give it another name");
            }
            test(draft, names, book, reports)
        })
        .collect()
}

fn test(
    draft: TestDraft,
    names: &Names,
    book: &RuleBook,
    reports: &mut [Report<'_>],
) -> Option<TestCase> {
    let TestDraft {
        name,
        site,
        watch,
        interval,
        revisions,
        releases,
        series,
        answers,
        expect,
        never,
    } = draft;
    let watch = watch_under_test(watch, site, names, book, reports)?;
    let report = reports.get_mut(site.file)?;
    let rules = rules_of(&watch);
    let answers = answers
        .into_iter()
        .filter_map(|answer| {
            let rule = rule_named(&answer.rule, &rules, report)?;
            if reads_series(rule) {
                report
                    .error(
                        answer.rule.site.span,
                        format!(
                            "rule `{}` reads series: its answers are not written",
                            rule.name
                        ),
                    )
                    .help("write the values of its metric into `series`");
                return None;
            }
            Some(TestAnswer {
                rule: rule.name.clone(),
                of: answer.of,
                values: answer.values,
            })
        })
        .collect();
    let read: BTreeSet<String> = rules.iter().flat_map(|rule| metrics_of(rule)).collect();
    for (series, site) in &series {
        if read.contains(&series.metric) {
            continue;
        }
        let full = report.is_full();
        let finding = report.warn(
            site.span,
            format!("no rule of this test reads `{}`", series.metric),
        );
        if !full {
            finding.help(
                match nearest(&series.metric, read.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "leave it out, or test the rules that read it".to_owned(),
                },
            );
        }
    }
    let expect = expect
        .into_iter()
        .map(|expectation| Expectation {
            origin: expectation.origin,
            at: expectation.at,
            verdict: expectation.verdict,
            rules: expectation
                .rules
                .iter()
                .filter_map(|(reference, state)| {
                    Some((rule_named(reference, &rules, report)?.name.clone(), *state))
                })
                .collect(),
            says: expectation.says,
            actions: expectation.actions,
        })
        .collect();
    Some(TestCase {
        name,
        origin: Origin {
            file: site.file,
            offset: site.span.start,
        },
        watch,
        interval,
        revisions,
        releases,
        series: series.into_iter().map(|(series, _)| series).collect(),
        answers,
        expect,
        never,
    })
}

fn watch_under_test(
    watch: WatchUnderTest,
    site: Site,
    names: &Names,
    book: &RuleBook,
    reports: &mut [Report<'_>],
) -> Option<Watch> {
    match watch {
        WatchUnderTest::Here(draft) => names.watch(*draft, reports),
        WatchUnderTest::Beside => {
            let sets = sets_beside(site, names, reports);
            if sets.is_empty() {
                if !names.incomplete() {
                    reports
                        .get_mut(site.file)?
                        .error(site.span, "there is no rule set beside this test")
                        .help("say which rules are tested, as in `watch: {rules: [http]}`, or name the file after that of the rules: `http_test.yaml` beside `http.yaml`");
                }
                return None;
            }
            names.watch(watch::of_sets(sets, site), reports)
        }
        WatchUnderTest::Named(reference) => {
            let found = book
                .watches
                .iter()
                .find(|watch| watch.name.to_string() == reference.name);
            if found.is_none() && !names.incomplete() {
                let known: Vec<String> = book
                    .watches
                    .iter()
                    .map(|watch| watch.name.to_string())
                    .collect();
                reports
                    .get_mut(site.file)?
                    .error(
                        reference.site.span,
                        format!("there is no watch {}", quoted(&reference.name)),
                    )
                    .help(
                        match nearest(&reference.name, known.iter().map(String::as_str)) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => "give the file of the watch too".to_owned(),
                        },
                    );
            }
            found.cloned()
        }
    }
}

/// The sets of the test's own file, and of the file that it is named after.
fn sets_beside(site: Site, names: &Names, reports: &[Report<'_>]) -> Vec<String> {
    let file = |index: usize| reports.get(index).map_or("", |report| &report.file().name);
    let own = file(site.file);
    let beside = rules_file(own);
    names
        .sets()
        .filter(|(_, set)| {
            set.file == site.file || beside.as_deref().is_some_and(|name| name == file(set.file))
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// `rules/http.yaml` for `rules/http_test.yaml`.
fn rules_file(test: &str) -> Option<String> {
    let (stem, ending) = test.rsplit_once('.')?;
    Some(format!("{}.{ending}", stem.strip_suffix("_test")?))
}

fn rules_of(watch: &Watch) -> Vec<Arc<Rule>> {
    let always = watch.always.iter().map(|always| &always.rule);
    let mut names: BTreeSet<&RuleName> = BTreeSet::new();
    let mut rules: Vec<Arc<Rule>> = Vec::new();
    for rule in watch.rules.iter().chain(always) {
        if names.insert(&rule.name) {
            rules.push(rule.clone());
        }
    }
    rules
}

/// The rule of that name; the name of its set may be left out where no other rule is called so.
fn rule_named<'r>(
    reference: &Reference,
    rules: &'r [Arc<Rule>],
    report: &mut Report<'_>,
) -> Option<&'r Rule> {
    if let Some(rule) = rules
        .iter()
        .find(|rule| rule.name.as_str() == reference.name)
    {
        return Some(rule);
    }
    let found: Vec<&Arc<Rule>> = rules
        .iter()
        .filter(|rule| short(&rule.name) == reference.name)
        .collect();
    match found.as_slice() {
        [rule] => return Some(rule),
        [] => {
            let full = report.is_full();
            let finding = report.error(
                reference.site.span,
                format!(
                    "the watch under test has no rule {}",
                    quoted(&reference.name)
                ),
            );
            if !full {
                finding.help(meant(&reference.name, rules));
            }
        }
        [first, second, ..] => {
            report
                .error(
                    reference.site.span,
                    format!("{} can be several rules", quoted(&reference.name)),
                )
                .help(format!("write `{}` or `{}`", first.name, second.name));
        }
    }
    None
}

/// The rule that was probably meant, else what there is.
fn meant(word: &str, rules: &[Arc<Rule>]) -> String {
    let known = rules
        .iter()
        .flat_map(|rule| [rule.name.as_str(), short(&rule.name)]);
    if let Some(near) = nearest(word, known) {
        return format!("did you mean `{near}`?");
    }
    let all: Vec<String> = rules
        .iter()
        .take(10)
        .map(|rule| format!("`{}`", rule.name))
        .collect();
    format!("its rules are {}", all.join(", "))
}

/// The name of a rule within its set.
fn short(name: &RuleName) -> &str {
    name.as_str()
        .split_once('/')
        .map_or(name.as_str(), |(_, rule)| rule)
}

fn reads_series(rule: &Rule) -> bool {
    Question::of(rule).source().is_none()
}

/// The names of the series that a rule reads.
fn metrics_of(rule: &Rule) -> Vec<String> {
    let name = |selector: &Selector| selector.metric.clone();
    match Question::of(rule).what {
        What::Ratio { part, total } => vec![name(&part), name(&total)],
        What::Histogram { histogram } => vec![format!("{}_bucket", histogram.metric)],
        What::Level(Level::Gauge(gauge)) => vec![name(&gauge)],
        What::Level(
            Level::Promql(_)
            | Level::Kubernetes(_)
            | Level::HttpJson(_)
            | Level::Redis(_)
            | Level::Alert(_),
        ) => Vec::new(),
    }
}
