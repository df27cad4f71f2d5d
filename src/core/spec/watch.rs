//! `Watch` documents: a target, its rules, and what to do then.

mod depends_on;
mod scope;

use super::actions::{read_on_fail, read_on_pass, references};
use super::always;
use super::document::{self, Namespaced};
use super::drafts::{Reference, Site, WatchDraft};
use super::excerpt::quoted;
use super::fields::{self, Fields, NameKind};
use super::judging::{self, DEFAULT_WATCH};
use super::nearest::nearest;
use super::report::{Report, Span};
use super::tree::{Kind, Node};
use crate::ids::{TargetId, TargetKind, WatchName};
use crate::rule::{Assurance, GitOps, Link, ScrapeEndpoint, SourceKind, StuckPods};

const WATCH: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "target",
    "targets",
    "rules",
    "source",
    "release",
    "onFail",
    "onPass",
    "always",
    "mode",
    "dryRun",
    "gitops",
    "dependsOn",
    "scrape",
    "links",
];

/// The fields of a watch within a test.
pub(super) const IN_TEST: &[&str] = &[
    "target", "rules", "source", "release", "onFail", "onPass", "always", "mode", "dryRun",
    "gitops", "scrape", "links",
];
/// What a test's watch, target and namespace are called when it does not say.
const TESTED: &str = "test";

/// Links that fit into a notice.
const MOST_LINKS: usize = 10;

/// Reads a watch.
pub(super) fn read(node: &Node, file: usize, report: &mut Report<'_>) -> Option<WatchDraft> {
    let fields = Fields::open(node, "a watch", WATCH, report)?;
    let metadata = document::metadata(&fields, Namespaced::Yes, report);
    let namespace = metadata.namespace.map(|(namespace, _)| namespace);
    let scope = fields
        .get("targets")
        .and_then(|node| scope::read(node, namespace, report));
    let target = if let Some(entry) = fields.entry("targets") {
        only_on_request(&fields, entry.key_span, report);
        None
    } else {
        fields
            .need(
                "target",
                "say what is watched: `target: {kind: Deployment, name: checkout}`",
                report,
            )
            .and_then(|node| read_target(node, namespace, file, report))
    };
    let span = metadata.name.map_or(fields.span, |(_, node)| node.span);
    let name = metadata
        .name
        .zip(namespace)
        .map(|((name, _), namespace)| WatchName {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        });
    let site = Site { file, span };
    let body = read_body(&fields, name, target, site, report);
    if let (Some(span), Some(_)) = (body.traffic, fields.entry("targets")) {
        report
            .error(
                span,
                "`traffic` does not go with `targets`: each workload has a route of its own",
            )
            .help("write a Watch with `target` for each workload whose traffic is stepped");
    }
    Some(WatchDraft { scope, ..body })
}

/// What does not go together with `targets`.
fn only_on_request(fields: &Fields<'_>, targets: Span, report: &mut Report<'_>) {
    if fields.get("target").is_some() {
        report
            .error(targets, "a watch has either `target` or `targets`")
            .help("leave one of them out, or write two Watches");
    }
    if let Some(entry) = fields.entry("always") {
        report
            .error(
                entry.key_span,
                "`always` does not go with `targets`: what is watched on request is let go between releases",
            )
            .help("write a Watch with `target` for each workload that is watched all the time");
    }
}

/// Reads the fields of a watch that a test holds: it has no name, and its target may be left out.
pub(super) fn read_in_test(
    node: &Node,
    file: usize,
    report: &mut Report<'_>,
) -> Option<WatchDraft> {
    let fields = Fields::open(node, "`watch`", IN_TEST, report)?;
    let target = match fields.get("target") {
        None => Some(tested_target(file, node.span)),
        Some(node) => read_target(node, Some(TESTED), file, report),
    };
    let span = fields.span;
    let site = Site { file, span };
    Some(read_body(
        &fields,
        Some(tested_name()),
        target,
        site,
        report,
    ))
}

/// A watch of all rules of some sets, for a test at `site`.
pub(super) fn of_sets(sets: Vec<String>, site: Site) -> WatchDraft {
    WatchDraft {
        name: Some(tested_name()),
        site,
        target: Some(tested_target(site.file, site.span)),
        scope: None,
        source: None,
        rules: sets
            .into_iter()
            .map(|name| Reference { name, site })
            .collect(),
        watch: DEFAULT_WATCH,
        assurance: Assurance::default(),
        pause_at: None,
        gitops: None,
        stepped: None,
        traffic: None,
        dry_run: false,
        depends_on: Vec::new(),
        rollback: true,
        stuck_pods: StuckPods::Tell,
        fail_tasks: Vec::new(),
        approval: false,
        fail_channels: Vec::new(),
        always: Vec::new(),
        pass_channels: Vec::new(),
        scrape: None,
        links: Vec::new(),
    }
}

fn tested_name() -> WatchName {
    WatchName {
        namespace: TESTED.to_owned(),
        name: TESTED.to_owned(),
    }
}

fn tested_target(file: usize, span: Span) -> (TargetId, Site) {
    let target = TargetId {
        namespace: TESTED.to_owned(),
        kind: TargetKind::Deployment,
        name: TESTED.to_owned(),
    };
    (target, Site { file, span })
}

fn read_body(
    fields: &Fields<'_>,
    name: Option<WatchName>,
    target: Option<(TargetId, Site)>,
    site: Site,
    report: &mut Report<'_>,
) -> WatchDraft {
    let file = site.file;
    let rules = read_rules(fields, file, report);
    let source = fields
        .get("source")
        .and_then(|node| read_source(node, report));
    let namespace = name.as_ref().map(|name| name.namespace.as_str());
    let release = fields
        .get("release")
        .map(|node| judging::read_release(node, namespace, report))
        .unwrap_or_default();
    if let Some((_, at)) = release.pause_at {
        let scoped = fields.get("targets").is_some();
        let kind = target.as_ref().map(|(target, _)| target.kind);
        // A target that cannot be read is told as such.
        if scoped || kind.is_some() {
            judging::pause_at::check(kind, at, report);
        }
    }
    if let (Some(span), Some((target, _))) = (release.traffic, &target)
        && target.kind == TargetKind::Rollout
    {
        report
            .error(span, "a Rollout steps its traffic itself")
            .help("leave `traffic` out: Recant aborts the Rollout when the release fails; its own `strategy.canary.steps` may ask Recant before each step");
    }
    let on_fail = read_on_fail(fields, namespace, file, report);
    let is_set = target
        .as_ref()
        .is_none_or(|(target, _)| target.kind == TargetKind::StatefulSet);
    if let (StuckPods::Delete, false, Some(entry)) =
        (on_fail.stuck_pods, is_set, fields.entry("onFail"))
    {
        report
            .warn(
                entry.key_span,
                "`deleteStuckPods` is not used: only a StatefulSet waits for pods that are not ready",
            )
            .help("leave it out");
    }
    let always = always::read(fields, namespace, file, report);
    let pass_channels = read_on_pass(fields, file, report);
    let dry_run = read_mode(fields, report);
    let depends_on = depends_on::read(fields, namespace, file, report);
    let gitops = fields
        .get("gitops")
        .and_then(|node| read_gitops(node, report));
    let scrape = fields
        .get("scrape")
        .and_then(|node| read_scrape(node, report));
    if let (Some(SourceKind::Prometheus), Some(entry)) = (source, fields.entry("scrape")) {
        report
            .warn(
                entry.key_span,
                "`scrape` is not used: this watch has `source: prometheus`",
            )
            .help("leave one of them out");
    }
    let links = read_links(fields, report);
    WatchDraft {
        name,
        site,
        target,
        scope: None,
        source,
        rules,
        watch: release.watch.unwrap_or(DEFAULT_WATCH),
        assurance: release.assurance.unwrap_or_default(),
        pause_at: release.pause_at.map(|(at, _)| at),
        gitops,
        stepped: release.stepped,
        traffic: release.traffic,
        dry_run,
        depends_on,
        rollback: on_fail.rollback,
        stuck_pods: on_fail.stuck_pods,
        fail_tasks: on_fail.tasks,
        approval: on_fail.approval,
        fail_channels: on_fail.notify,
        always,
        pass_channels,
        scrape,
        links,
    }
}

const HELP: &str = "write `target: {kind: Deployment, name: checkout}`";

/// A kind of workload that can be watched.
fn kind(node: &Node, report: &mut Report<'_>) -> Option<TargetKind> {
    let text = fields::text(node, "kind", HELP, report)?;
    let kind = TargetKind::named(text);
    if kind.is_none() {
        let kinds = TargetKind::ALL.map(TargetKind::as_str);
        report
            .error(node.span, format!("{} cannot be watched", quoted(text)))
            .help(match nearest(text, kinds) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the kinds are {}", fields::listed(&kinds)),
            });
    }
    kind
}

fn read_target(
    node: &Node,
    namespace: Option<&str>,
    file: usize,
    report: &mut Report<'_>,
) -> Option<(TargetId, Site)> {
    let fields = Fields::open(node, "`target`", &["kind", "name"], report)?;
    let kind = fields
        .need("kind", HELP, report)
        .and_then(|node| kind(node, report));
    let name = fields
        .need("name", HELP, report)
        .and_then(|node| fields::name(node, "name", NameKind::Subdomain, report));
    let target = TargetId {
        namespace: namespace?.to_owned(),
        kind: kind?,
        name: name?.to_owned(),
    };
    let span = fields.get("name").map_or(node.span, |name| name.span);
    Some((target, Site { file, span }))
}

/// The rules that judge releases; a watch that has rules between releases may do without.
fn read_rules(watch: &Fields<'_>, file: usize, report: &mut Report<'_>) -> Vec<Reference> {
    const HELP: &str = "name rule sets, such as `rules: [http]`, or single rules, such as `rules: [http/error-rate]`";
    if watch.get("rules").is_none() && watch.get("always").is_some() {
        for field in ["release", "onFail", "onPass"] {
            if let Some(entry) = watch.entry(field) {
                report
                    .warn(
                        entry.key_span,
                        format!(
                            "`{field}` is not used: this watch has no `rules` that judge releases"
                        ),
                    )
                    .help("leave it out, or add `rules`");
            }
        }
        return Vec::new();
    }
    let items = watch
        .need("rules", HELP, report)
        .and_then(|node| fields::list(node, "rules", HELP, report));
    let mut names = Vec::new();
    references(
        items.unwrap_or_default(),
        "rules",
        HELP,
        &mut names,
        file,
        report,
    );
    names
}

fn read_source(node: &Node, report: &mut Report<'_>) -> Option<SourceKind> {
    const HELP: &str =
        "write `prometheus` or `scrape`, or leave it out: the setting `source` then says which";
    match fields::text(node, "source", HELP, report)? {
        "prometheus" => Some(SourceKind::Prometheus),
        "scrape" => Some(SourceKind::Scrape),
        other => {
            report
                .error(node.span, format!("`source` cannot be {}", quoted(other)))
                .help(HELP);
            None
        }
    }
}

fn read_gitops(node: &Node, report: &mut Report<'_>) -> Option<GitOps> {
    const HELP: &str = "write `verify` (act, and see whether it holds), `suspend` (suspend what would revert it meanwhile) or `tell` (write nothing, and say what to commit)";
    let text = fields::text(node, "gitops", HELP, report)?;
    let found = GitOps::WRITTEN.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        report
            .error(node.span, format!("`gitops` cannot be {}", quoted(text)))
            .help(HELP);
    }
    found.map(|(_, policy)| *policy)
}

/// Whether it only judges and tells: `mode: observe`, or `dryRun: true`, as it was written first.
fn read_mode(watch: &Fields<'_>, report: &mut Report<'_>) -> bool {
    const HELP: &str = "write `mode: observe` (judges, and tells what it would have done) or `mode: act`, the default";
    let dry_run = watch
        .get("dryRun")
        .and_then(|node| fields::boolean(node, "dryRun", report));
    let Some(entry) = watch.entry("mode") else {
        return dry_run.unwrap_or(false);
    };
    let mode = fields::text(&entry.value, "mode", HELP, report);
    let observes = match mode {
        Some("observe") => true,
        Some("act") | None => false,
        Some(other) => {
            report
                .error(
                    entry.value.span,
                    format!("`mode` cannot be {}", quoted(other)),
                )
                .help(HELP);
            false
        }
    };
    if dry_run.is_some_and(|dry_run| dry_run != observes) && mode.is_some() {
        report
            .error(entry.key_span, "`mode` and `dryRun` say different things")
            .help("leave `dryRun` out: `mode: observe` says the same");
    }
    observes || dry_run.unwrap_or(false)
}

fn read_scrape(node: &Node, report: &mut Report<'_>) -> Option<ScrapeEndpoint> {
    const HELP: &str = "write `scrape: {port: 9090, path: /metrics}`";
    let fields = Fields::open(node, "`scrape`", &["port", "path"], report)?;
    let port = fields
        .need("port", HELP, report)
        .and_then(|node| fields::integer(node, "port", (1, 65_535), report))
        .and_then(|port| u16::try_from(port).ok());
    let path = match fields.get("path") {
        None => Some("/metrics".to_owned()),
        Some(node) => fields::text(node, "path", HELP, report).and_then(|path| {
            let good = path.starts_with('/')
                && path.len() <= 512
                && path.chars().all(|c| c.is_ascii_graphic() && c != '#');
            if !good {
                report
                    .error(node.span, format!("`path` cannot be {}", quoted(path)))
                    .help("write the path alone, beginning with `/` and without blanks, such as `/metrics`");
            }
            good.then(|| path.to_owned())
        }),
    };
    Some(ScrapeEndpoint {
        port: port?,
        path: path?,
    })
}

fn read_links(watch: &Fields<'_>, report: &mut Report<'_>) -> Vec<Link> {
    const HELP: &str = "write `links: [{label: Dashboard, url: 'https://grafana.example/d/x'}]`";
    let mut links = Vec::new();
    let Some(node) = watch.get("links") else {
        return links;
    };
    if matches!(&node.kind, Kind::List(items) if items.is_empty()) {
        return links;
    }
    let items = fields::list(node, "links", HELP, report).unwrap_or_default();
    if let Some(item) = items.get(MOST_LINKS) {
        report
            .error(item.span, format!("there are more than {MOST_LINKS} links"))
            .help("keep those that a person needs who was just woken up");
    }
    for item in items.iter().take(MOST_LINKS) {
        let Some(fields) = Fields::open(item, "a link", &["label", "url"], report) else {
            continue;
        };
        let label = fields
            .need("label", HELP, report)
            .and_then(|node| fields::text(node, "label", HELP, report));
        let url = fields
            .need("url", HELP, report)
            .and_then(|node| read_url(node, report));
        if let (Some(label), Some(url)) = (label, url) {
            links.push(Link {
                label: label.to_owned(),
                url: url.to_owned(),
            });
        }
    }
    links
}

/// A URL that may be shown in messages.
fn read_url<'n>(node: &'n Node, report: &mut Report<'_>) -> Option<&'n str> {
    const HELP: &str = "write a whole URL, such as `https://grafana.example/d/x`";
    let url = fields::text(node, "url", HELP, report)?;
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    let printable = url.chars().all(|c| !c.is_whitespace() && !c.is_control());
    match authority {
        Some(authority) if authority.contains('@') => {
            report
                .error(node.span, "this link holds a user name or a password")
                .help("links are shown in messages: leave the part before `@` out");
            None
        }
        Some(authority) if !authority.is_empty() && printable && url.len() <= 2_000 => Some(url),
        _ => {
            report
                .error(node.span, "this is no URL that a message can link to")
                .help(HELP);
            None
        }
    }
}
