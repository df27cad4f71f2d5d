//! `Test` documents: series written beside the rules, and what is expected of them by time.

mod expect;
mod resolve;
mod series;
mod values;

use std::collections::BTreeMap;
use std::time::Duration;

pub(super) use self::expect::ExpectationDraft;
pub(super) use self::resolve::resolve;
pub(super) use self::series::AnswerDraft;

use super::document::{self, Namespaced};
use super::drafts::{Reference, Site, WatchDraft};
use super::excerpt::quoted;
use super::fields::{self, Fields, NameKind};
use super::nearest::nearest;
use super::report::{Report, Span};
use super::tree::{Kind, Node};
use super::watch;
use crate::ids::{PodName, RevisionHash};
use crate::testcase::{ActionKind, Origin, TestRelease, TestRevision, TestSeries};

pub(super) const TEST: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "watch",
    "interval",
    "revisions",
    "releases",
    "series",
    "answers",
    "expect",
    "never",
];
pub(super) const RELEASE: &[&str] = &["revision", "at", "completes"];

/// Between two values of a series, when the test does not say.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(15);
const LEAST_INTERVAL: Duration = Duration::from_secs(1);
const MOST_INTERVAL: Duration = Duration::from_hours(1);
/// The longest test: a watch of the longest kind fits in.
const MOST_TIME: Duration = Duration::from_hours(48);
/// Pods of one test, and things of each other list.
const MOST_THINGS: usize = 1_000;

/// A `Test` whose names are not looked up yet.
#[derive(Debug)]
pub(super) struct TestDraft {
    pub(super) name: String,
    pub(super) site: Site,
    pub(super) watch: WatchUnderTest,
    pub(super) interval: Duration,
    pub(super) revisions: Vec<TestRevision>,
    pub(super) releases: Vec<TestRelease>,
    pub(super) series: Vec<(TestSeries, Site)>,
    pub(super) answers: Vec<AnswerDraft>,
    pub(super) expect: Vec<ExpectationDraft>,
    pub(super) never: Vec<(ActionKind, Origin)>,
}

/// Which watch is tested.
#[derive(Debug)]
pub(super) enum WatchUnderTest {
    /// A Deployment with all rules of the sets beside the test.
    Beside,
    /// One of the documents: `namespace/name`.
    Named(Reference),
    Here(Box<WatchDraft>),
}

/// Reads a test; `None` when it has errors.
pub(super) fn read(node: &Node, file: usize, report: &mut Report<'_>) -> Option<TestDraft> {
    const REVISIONS: &str = "say which pods run which revision, the first one first: `revisions: {v1: [web-1], v2: [web-2]}`";
    let before = report.errors();
    let fields = Fields::open(node, "a test", TEST, report)?;
    let metadata = document::metadata(&fields, Namespaced::No, report);
    let watch = match fields.get("watch") {
        None => Some(WatchUnderTest::Beside),
        Some(node) => read_watch(node, file, report),
    };
    let interval = match fields.get("interval") {
        None => Some(DEFAULT_INTERVAL),
        Some(node) => read_interval(node, report),
    };
    let revisions = fields
        .need("revisions", REVISIONS, report)
        .and_then(|node| read_revisions(node, REVISIONS, report))
        .unwrap_or_default();
    let releases = fields
        .get("releases")
        .map(|node| read_releases(node, &revisions, report))
        .unwrap_or_default();
    let series = series::read(&fields, &revisions, file, report);
    let answers = series::read_answers(&fields, &revisions, file, report);
    let expect = expect::read(&fields, &revisions, file, report);
    let never = fields
        .get("never")
        .map(|node| read_never(node, file, report))
        .unwrap_or_default();
    if expect.is_empty() && never.is_empty() && report.errors() == before {
        report
            .error(fields.span, "a test expects nothing")
            .help("say what must come of it: `expect: [{at: 3m, verdict: fail, actions: [rollback to v1]}]`");
    }
    let (name, name_node) = metadata.name?;
    let draft = TestDraft {
        name: name.to_owned(),
        site: Site {
            file,
            span: name_node.span,
        },
        watch: watch?,
        interval: interval?,
        revisions,
        releases,
        series,
        answers,
        expect,
        never,
    };
    (report.errors() == before).then_some(draft)
}

fn read_watch(node: &Node, file: usize, report: &mut Report<'_>) -> Option<WatchUnderTest> {
    const HELP: &str = "write its fields, as in `watch: {rules: [http], release: {watch: 10m}}`, or name a watch of these files: `watch: shop/checkout`";
    match &node.kind {
        Kind::Map(_) => watch::read_in_test(node, file, report)
            .map(|watch| WatchUnderTest::Here(Box::new(watch))),
        Kind::Scalar(_) => {
            let text = fields::text(node, "watch", HELP, report)?;
            if text.split('/').count() != 2 {
                report
                    .error(node.span, format!("`watch` cannot be {}", quoted(text)))
                    .help(HELP);
                return None;
            }
            Some(WatchUnderTest::Named(Reference {
                name: text.to_owned(),
                site: Site {
                    file,
                    span: node.span,
                },
            }))
        }
        Kind::List(_) => {
            report
                .error(node.span, "`watch` must be one watch, and is a list")
                .help(HELP);
            None
        }
        Kind::Reported => None,
    }
}

fn read_interval(node: &Node, report: &mut Report<'_>) -> Option<Duration> {
    let interval = fields::duration(node, "interval", report)?;
    let whole = interval.subsec_nanos() == 0;
    if whole && (LEAST_INTERVAL..=MOST_INTERVAL).contains(&interval) {
        return Some(interval);
    }
    report
        .error(
            node.span,
            "`interval` is the time between two values of a series: whole seconds, from 1s to 1h",
        )
        .help("write how often the metrics are scraped, such as `15s`, or leave it out for 15s");
    None
}

fn read_revisions(node: &Node, help: &str, report: &mut Report<'_>) -> Option<Vec<TestRevision>> {
    let Kind::Map(entries) = &node.kind else {
        if !matches!(node.kind, Kind::Reported) {
            report
                .error(
                    node.span,
                    format!("`revisions` must be a mapping, and is {}", node.describe()),
                )
                .help(help);
        }
        return None;
    };
    if entries.is_empty() {
        report.error(node.span, "`revisions` is empty").help(help);
        return None;
    }
    let mut revisions = Vec::new();
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for entry in entries {
        if entry.key.is_empty() {
            continue;
        }
        if revisions.len() >= MOST_THINGS {
            too_many(entry.key_span, "revisions", report);
            return None;
        }
        if !entry
            .key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            || entry.key.len() > 63
        {
            report
                .error(
                    entry.key_span,
                    format!("a revision cannot be called {}", quoted(&entry.key)),
                )
                .help("write lower-case letters, digits and `-`, such as `v2`");
        }
        let mut pods = Vec::new();
        for pod in fields::list(&entry.value, &entry.key, help, report).unwrap_or_default() {
            let Some(name) = fields::name(pod, "a pod", NameKind::Subdomain, report) else {
                continue;
            };
            if owners.len() >= MOST_THINGS {
                too_many(pod.span, "pods", report);
                return None;
            }
            if let Some(other) = owners.insert(name, entry.key.as_str()) {
                report
                    .error(
                        pod.span,
                        format!("pod {} is of revision `{other}` already", quoted(name)),
                    )
                    .help("a pod runs one revision: give this one another name");
            }
            pods.push(PodName(name.to_owned()));
        }
        revisions.push(TestRevision {
            hash: RevisionHash(entry.key.clone()),
            pods,
        });
    }
    Some(revisions)
}

fn read_releases(
    node: &Node,
    revisions: &[TestRevision],
    report: &mut Report<'_>,
) -> Vec<TestRelease> {
    const HELP: &str = "write `releases: [{revision: v2, at: 2m, completes: 4m}]`";
    let mut releases: Vec<TestRelease> = Vec::new();
    for item in fields::list(node, "releases", HELP, report).unwrap_or_default() {
        if releases.len() >= MOST_THINGS {
            too_many(item.span, "releases", report);
            break;
        }
        let Some(fields) = Fields::open(item, "a release", RELEASE, report) else {
            continue;
        };
        let revision = fields
            .need("revision", HELP, report)
            .and_then(|node| read_revision(node, revisions, report));
        let at = fields
            .need("at", HELP, report)
            .and_then(|node| read_time(node, "at", report).map(|at| (at, node)));
        let completes = fields
            .get("completes")
            .map(|node| (read_time(node, "completes", report), node));
        let Some((at, node)) = at else { continue };
        let earlier = releases
            .last()
            .map(|last| last.completes.unwrap_or(last.at));
        if earlier.is_some_and(|earlier| at <= earlier) {
            report
                .error(
                    node.span,
                    "this release begins before the one above it has completed",
                )
                .help("write releases in the order of time, one after the other");
        }
        let completes = match completes {
            None => None,
            Some((None, _)) => continue,
            Some((Some(completes), node)) => {
                if completes < at {
                    report
                        .error(node.span, "a release completes before it begins")
                        .help(HELP);
                }
                Some(completes)
            }
        };
        if let Some(revision) = revision {
            releases.push(TestRelease {
                revision,
                at,
                completes,
            });
        }
    }
    releases
}

/// The name of one of the revisions.
fn read_revision(
    node: &Node,
    revisions: &[TestRevision],
    report: &mut Report<'_>,
) -> Option<RevisionHash> {
    let text = fields::text(node, "revision", "name one of `revisions`", report)?;
    known_revision(text, node.span, revisions, report)
}

fn known_revision(
    text: &str,
    span: Span,
    revisions: &[TestRevision],
    report: &mut Report<'_>,
) -> Option<RevisionHash> {
    let known = || revisions.iter().map(|revision| revision.hash.as_str());
    if known().any(|hash| hash == text) {
        return Some(RevisionHash::from(text));
    }
    // Without any, `revisions` itself was reported.
    if !revisions.is_empty() {
        let full = report.is_full();
        let finding = report.error(span, format!("there is no revision {}", quoted(text)));
        if !full {
            finding.help(match nearest(text, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name it in `revisions`, with its pods".to_owned(),
            });
        }
    }
    None
}

/// A time since the beginning of the test.
fn read_time(node: &Node, field: &str, report: &mut Report<'_>) -> Option<Duration> {
    let time = fields::duration(node, field, report)?;
    let reason = if time.subsec_nanos() != 0 {
        format!("`{field}` is no whole number of seconds")
    } else if time > MOST_TIME {
        format!("`{field}` is more than 48h after the beginning of the test")
    } else {
        return Some(time);
    };
    report
        .error(node.span, reason)
        .help("write the time since the beginning of the test, such as `3m`");
    None
}

fn read_never(node: &Node, file: usize, report: &mut Report<'_>) -> Vec<(ActionKind, Origin)> {
    const HELP: &str =
        "write what must not happen: `never: [rollback]`; there are `rollback`, `scale`, `notify`";
    let mut never: Vec<(ActionKind, Origin)> = Vec::new();
    for item in fields::list(node, "never", HELP, report).unwrap_or_default() {
        let Some(text) = fields::text(item, "never", HELP, report) else {
            continue;
        };
        match ActionKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
        {
            Some(kind) if never.iter().any(|(known, _)| *known == kind) => {
                report
                    .error(item.span, format!("`{text}` is named twice"))
                    .help("leave one of them out");
            }
            Some(kind) => never.push((kind, origin(file, item.span))),
            None => {
                report
                    .error(item.span, format!("`never` cannot hold {}", quoted(text)))
                    .help(HELP);
            }
        }
    }
    never
}

fn origin(file: usize, span: Span) -> Origin {
    Origin {
        file,
        offset: span.start,
    }
}

fn too_many(span: Span, what: &str, report: &mut Report<'_>) {
    report
        .error(span, format!("a test has more than {MOST_THINGS} {what}"))
        .help("make several tests of it");
}
