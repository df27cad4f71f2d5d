//! `always` of a watch: rules that hold between releases, and what is done when one is broken.

use std::time::Duration;

use super::actions::{Action, actions, notify};
use super::drafts::{AlwaysDraft, Reference, Site, TaskDraft};
use super::excerpt::quoted;
use super::fields::{self, Fields, NameKind};
use super::nearest::nearest;
use super::report::Report;
use super::tasks;
use super::tree::{Kind, Node};
use crate::rule::{Scale, ScaleKind, ScaleTarget, ScaleTo};

/// Entries of one watch.
const MOST: usize = 100;
/// Events of this long are looked at together, when the watch does not say.
pub(super) const DEFAULT_WINDOW: Duration = Duration::from_mins(5);
const LEAST_WINDOW: Duration = Duration::from_secs(30);
const MOST_WINDOW: Duration = Duration::from_hours(6);
/// A look or two are no recovery.
const LEAST_RECOVERY: Duration = Duration::from_secs(5);
const MOST_RECOVERY: Duration = Duration::from_hours(24);
/// Far above what a namespace holds.
const MOST_REPLICAS: u64 = 100_000;

/// Reads `always`; left out, nothing is looked at between releases.
pub(super) fn read(
    watch: &Fields<'_>,
    namespace: Option<&str>,
    file: usize,
    report: &mut Report<'_>,
) -> Vec<AlwaysDraft> {
    const HELP: &str = "write `always: [{rule: queue, onFail: [{notify: [oncall]}]}]`";
    let Some(entry) = watch.entry("always") else {
        return Vec::new();
    };
    if matches!(&entry.value.kind, Kind::List(items) if items.is_empty()) {
        return Vec::new();
    }
    let items = fields::list(&entry.value, "always", HELP, report).unwrap_or_default();
    if let Some(item) = items.get(MOST) {
        report
            .error(item.span, format!("`always` has more than {MOST} entries"))
            .help("put rules that are answered alike into one rule set, and name that");
    }
    items
        .iter()
        .take(MOST)
        .filter_map(|item| entry_of(item, namespace, file, report))
        .collect()
}

fn entry_of(
    item: &Node,
    namespace: Option<&str>,
    file: usize,
    report: &mut Report<'_>,
) -> Option<AlwaysDraft> {
    const RULE: &str =
        "name a rule set, such as `rule: queue`, or one rule, such as `rule: queue/depth`";
    const ON_FAIL: &str = "say what is done: `onFail: [{scale: {target: Deployment/worker, replicas: 5}}, {notify: [oncall]}]`";
    let what = "an entry of `always`";
    let fields = Fields::open(
        item,
        what,
        &["rule", "window", "recovery", "onFail"],
        report,
    )?;
    let rule = fields.need("rule", RULE, report).and_then(|node| {
        let name = fields::text(node, "rule", RULE, report)?;
        Some(Reference {
            name: name.to_owned(),
            site: Site {
                file,
                span: node.span,
            },
        })
    });
    let window = fields.get("window").and_then(|node| {
        let window = read_window(node, report)?;
        let span = node.span;
        Some((window, Site { file, span }))
    });
    let recovery = fields
        .get("recovery")
        .and_then(|node| read_recovery(node, report));
    let mut tasks: Vec<TaskDraft> = Vec::new();
    let mut channels = Vec::new();
    let on_fail = fields.need("onFail", ON_FAIL, report);
    let known = [
        "scale", "setEnv", "annotate", "apply", "shift", "switch", "webhook", "run", "notify",
        "rollback",
    ];
    let what = "an action of `always`";
    for action in on_fail.map_or_else(Vec::new, |node| {
        actions(node, "onFail", what, &known, ON_FAIL, report)
    }) {
        match action {
            Action::Notify(node) => notify(node, &mut channels, file, report),
            Action::Rollback(_, key) => {
                report
                    .error(key, "between releases there is no `rollback`")
                    .help("nothing was released that could be taken back: write `scale` or `notify`; what follows a bad release stands in `onFail` of the watch");
            }
            Action::Scale(_)
            | Action::SetEnv(_)
            | Action::Annotate(_)
            | Action::Shift(_)
            | Action::Switch(_)
            | Action::Run(_)
            | Action::Webhook(_)
            | Action::Apply(_) => {
                tasks.extend(tasks::read(&action, namespace, file, report));
            }
        }
    }
    Some(AlwaysDraft {
        rule: rule?,
        window,
        recovery,
        tasks,
        channels,
    })
}

fn read_window(node: &Node, report: &mut Report<'_>) -> Option<Duration> {
    let window = fields::duration(node, "window", report)?;
    if (LEAST_WINDOW..=MOST_WINDOW).contains(&window) {
        return Some(window);
    }
    let reason = if window < LEAST_WINDOW {
        "a `window` of less than 30s holds too little to decide from"
    } else {
        "a `window` is at most 6h: what lies further back says nothing of now"
    };
    report
        .error(node.span, reason)
        .help("write how long events are looked at together, such as `5m`");
    None
}

fn read_recovery(node: &Node, report: &mut Report<'_>) -> Option<Duration> {
    let recovery = fields::duration(node, "recovery", report)?;
    if (LEAST_RECOVERY..=MOST_RECOVERY).contains(&recovery) {
        return Some(recovery);
    }
    report
        .error(node.span, "a `recovery` is at least 5s and at most 24h")
        .help("write for how long the rule must be kept until what it broke has recovered, such as `5m`");
    None
}

pub(super) fn read_scale(
    node: &Node,
    namespace: Option<&str>,
    report: &mut Report<'_>,
) -> Option<Scale> {
    const HELP: &str = "write `scale: {target: Deployment/worker, replicas: 5}`";
    const KNOWN: [&str; 7] = [
        "target", "replicas", "factor", "ceiling", "wait", "evidence", "undo",
    ];
    let fields = Fields::open(node, "`scale`", &KNOWN, report)?;
    let target = fields
        .need("target", HELP, report)
        .and_then(|node| read_target(node, namespace, report));
    let ceiling = fields
        .get("ceiling")
        .and_then(|node| replicas(node, "ceiling", report));
    let undo_after = fields
        .get("undo")
        .and_then(|node| fields::duration(node, "undo", report));
    let to = match (fields.entry("replicas"), fields.entry("factor")) {
        (Some(_), Some(factor)) => {
            report
                .error(factor.key_span, "`replicas` and `factor` are both given")
                .help("leave one of them out");
            None
        }
        (Some(entry), None) => {
            let wanted = replicas(&entry.value, "replicas", report);
            let evidence = fields.entry("evidence");
            if let (Some(1..), Some(evidence)) = (wanted, evidence) {
                report
                    .error(
                        evidence.key_span,
                        "`evidence` is kept only before all pods go",
                    )
                    .help("leave it out, or write `replicas: 0`");
            }
            if wanted == Some(0) && evidence.is_some() {
                Some(ScaleTo::Zero)
            } else {
                if wanted == Some(0) {
                    report
                    .warn(
                        entry.value.span,
                        "with `replicas: 0` nothing is ever scaled",
                    )
                    .help("scaling never lowers: write how many there shall be; to no pods at all it goes with `evidence: {}` besides");
                }
                wanted.map(ScaleTo::Replicas)
            }
        }
        (None, Some(entry)) => read_factor(&entry.value, report).map(ScaleTo::Factor),
        (None, None) => {
            if !fields.unclear() {
                report
                    .error(fields.span, "`scale` has neither `replicas` nor `factor`")
                    .help(HELP);
            }
            None
        }
    };
    if let (Some(ScaleTo::Replicas(wanted)), Some(most), Some(entry)) =
        (to, ceiling, fields.entry("ceiling"))
        && most < wanted
    {
        report
            .warn(
                entry.value.span,
                format!("the `ceiling` of {most} is below `replicas: {wanted}`"),
            )
            .help(format!(
                "no more than {most} will ever be set: leave `ceiling` out, or raise it"
            ));
    }
    Some(Scale {
        target: target?,
        to: to?,
        ceiling,
        undo_after,
    })
}

fn replicas(node: &Node, field: &str, report: &mut Report<'_>) -> Option<u32> {
    let number = fields::integer(node, field, (0, MOST_REPLICAS), report)?;
    u32::try_from(number).ok()
}

pub(super) fn read_target(
    node: &Node,
    namespace: Option<&str>,
    report: &mut Report<'_>,
) -> Option<ScaleTarget> {
    const KINDS: [&str; 3] = ["Deployment", "StatefulSet", "Rollout"];
    const HELP: &str = "write kind and name, such as `target: Deployment/worker`; it is in the namespace of the watch";
    let text = fields::text(node, "target", HELP, report)?;
    let Some((kind, name)) = text.split_once('/') else {
        report
            .error(node.span, format!("`target` cannot be {}", quoted(text)))
            .help(HELP);
        return None;
    };
    let kind = match kind {
        "Deployment" => ScaleKind::Deployment,
        "StatefulSet" => ScaleKind::StatefulSet,
        "Rollout" => ScaleKind::Rollout,
        _ => {
            report
                .error(node.span, format!("{} cannot be scaled", quoted(kind)))
                .help(match nearest(kind, KINDS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the kinds are {}", fields::listed(&KINDS)),
                });
            return None;
        }
    };
    if !fields::is_name(name, NameKind::Subdomain) {
        report
            .error(node.span, format!("`target` cannot be {}", quoted(text)))
            .help(HELP);
        return None;
    }
    Some(ScaleTarget {
        namespace: namespace?.to_owned(),
        kind,
        name: name.to_owned(),
    })
}

/// In hundredths.
fn read_factor(node: &Node, report: &mut Report<'_>) -> Option<u32> {
    const HELP: &str = "write a whole percentage of what there is, such as `150%`";
    let text = fields::text(node, "factor", HELP, report)?;
    let wrong = |help: String, report: &mut Report<'_>| {
        report
            .error(
                node.span,
                format!("`factor` is not a percentage: {}", quoted(text)),
            )
            .help(help);
    };
    // `1.5` means one and a half times, not 1.5 %.
    if let Some(percent) = text.parse().ok().and_then(|factor: f64| in_percent(factor)) {
        wrong(format!("write it in percent: `{percent}%`"), report);
        return None;
    }
    let factor = fields::percent(node, "factor", report)?;
    let hundredths = factor
        .millionths()
        .filter(|millionths| millionths.is_multiple_of(10_000))
        .map(|millionths| millionths / 10_000);
    let Some(hundredths) = hundredths else {
        wrong(HELP.to_owned(), report);
        return None;
    };
    if hundredths <= 100 {
        report
            .warn(
                node.span,
                format!("with `factor: {hundredths}%` nothing is ever scaled"),
            )
            .help("scaling never lowers: write more than `100%`, such as `150%`");
    }
    Some(hundredths)
}

fn in_percent(factor: f64) -> Option<String> {
    let percent = factor * 100.0;
    (percent.is_finite() && (0.0..1e6).contains(&percent)).then(|| format!("{percent:.0}"))
}
