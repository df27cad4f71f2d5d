//! `release.traffic` of a watch: whose share is raised, by which steps; and the route in that and in actions.

mod actions;

use std::time::Duration;

use super::excerpt::quoted;
use super::fields::{self, Fields, NameKind};
use super::nearest::nearest;
use super::report::Report;
use super::tree::Node;
use crate::rule::Stepped;
use crate::traffic::{Route, RouteKind};

pub(super) use actions::{read_shift, read_switch};

/// How long each step is looked at when the document does not say.
const DEFAULT_EACH: Duration = Duration::from_mins(5);
const LEAST_EACH: Duration = Duration::from_secs(1);
const MOST_EACH: Duration = Duration::from_hours(12);
/// An analysis lasts for at most a day.
const LONGEST: Duration = Duration::from_hours(24);
const MOST_STEPS: usize = 20;

/// The fields of `traffic`.
pub(super) const TRAFFIC: &[&str] = &["route", "canary", "stable", "steps", "each"];
/// The fields of a route.
pub(super) const ROUTE: &[&str] = &["kind", "name", "rule"];

const ROUTE_HELP: &str = "say what splits the traffic: `route: {kind: HTTPRoute, name: checkout}`";

/// Reads `release.traffic`.
pub(super) fn read(
    node: &Node,
    namespace: Option<&str>,
    report: &mut Report<'_>,
) -> Option<Stepped> {
    const STEPS: &str = "say which shares: `steps: [10%, 50%, 100%]`";
    let fields = Fields::open(node, "`traffic`", TRAFFIC, report)?;
    let route = read_route(&fields, namespace, report);
    let steps = fields
        .need("steps", STEPS, report)
        .and_then(|node| read_steps(node, report));
    let each = match fields.get("each") {
        None => Some(DEFAULT_EACH),
        Some(node) => read_each(node, report),
    };
    let (route, steps, each) = (route?, steps?, each?);
    let longest = u32::try_from(steps.len())
        .ok()
        .and_then(|steps| each.checked_mul(steps));
    if longest.is_none_or(|longest| longest >= LONGEST) {
        report
            .error(
                fields.span,
                "these steps take more than 24h, and a release is judged for at most 24h",
            )
            .help("write fewer `steps`, or a shorter `each`");
        return None;
    }
    Some(Stepped { route, steps, each })
}

/// Reads `route`, `canary` and `stable` of a mapping.
pub(super) fn read_route(
    fields: &Fields<'_>,
    namespace: Option<&str>,
    report: &mut Report<'_>,
) -> Option<Route> {
    const CANARY: &str = "say whose share is set: `canary: checkout-canary`, by the name of the backend (of Istio: host, subset, or host/subset)";
    let node = fields.need("route", ROUTE_HELP, report);
    let route = node.and_then(|node| Fields::open(node, "`route`", ROUTE, report));
    let kind = route.as_ref().and_then(|route| {
        let node = route.need("kind", ROUTE_HELP, report)?;
        read_kind(node, report)
    });
    let name = route.as_ref().and_then(|route| {
        let node = route.need("name", ROUTE_HELP, report)?;
        fields::name(node, "name", NameKind::Subdomain, report)
    });
    let rule = route.as_ref().and_then(|route| route.entry("rule"));
    if let (Some(RouteKind::Ingress), Some(entry)) = (kind, rule) {
        report
            .error(
                entry.key_span,
                "the weight of a canary Ingress is one for all its rules",
            )
            .help("leave `rule` out");
    }
    let rule = rule.and_then(|entry| {
        const HELP: &str = "write the name of the rule, or its number counted from 1";
        fields::text(&entry.value, "rule", HELP, report)
    });
    let backend = |field: &'static str, report: &mut Report<'_>| {
        let node = fields.get(field)?;
        let text = fields::text(node, field, CANARY, report)?;
        let parts = text.split_once('/');
        let is_name = |name: &str| fields::is_name(name, NameKind::Subdomain);
        let fits = match (kind, parts) {
            (Some(RouteKind::VirtualService) | None, Some((host, subset))) => {
                is_name(host) && is_name(subset)
            }
            (Some(_), Some(_)) => false,
            (_, None) => is_name(text),
        };
        if !fits {
            report
                .error(node.span, format!("`{field}` cannot be {}", quoted(text)))
                .help(CANARY);
        }
        fits.then(|| text.to_owned())
    };
    let canary = backend("canary", report);
    let stable = backend("stable", report);
    match kind {
        Some(RouteKind::Ingress) => {
            if let Some(entry) = fields.entry("stable") {
                report
                    .error(
                        entry.key_span,
                        "a canary Ingress does not name what gets the rest",
                    )
                    .help("leave `stable` out: the Ingress with the same host and path gets it");
            }
        }
        Some(RouteKind::HttpRoute | RouteKind::GrpcRoute | RouteKind::VirtualService) => {
            fields.need("canary", CANARY, report)?;
            canary.as_ref()?;
        }
        None => {}
    }
    if let (Some(canary), Some(stable), Some(entry)) = (&canary, &stable, fields.entry("stable"))
        && canary == stable
    {
        report
            .error(
                entry.value.span,
                "`canary` and `stable` are the same backend",
            )
            .help("leave `stable` out where there are only two");
    }
    Some(Route {
        namespace: namespace?.to_owned(),
        kind: kind?,
        name: name?.to_owned(),
        rule: rule.map(ToOwned::to_owned),
        canary,
        stable,
    })
}

fn read_kind(node: &Node, report: &mut Report<'_>) -> Option<RouteKind> {
    let text = fields::text(node, "kind", ROUTE_HELP, report)?;
    let found = RouteKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == text);
    if found.is_none() {
        let kinds = RouteKind::ALL.map(RouteKind::as_str);
        report
            .error(
                node.span,
                format!("{} splits no traffic that Recant knows", quoted(text)),
            )
            .help(match nearest(text, kinds) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the kinds are {}", fields::listed(&kinds)),
            });
    }
    found
}

fn read_steps(node: &Node, report: &mut Report<'_>) -> Option<Vec<u32>> {
    const HELP: &str = "write rising percentages: `steps: [10%, 50%, 100%]`";
    let items = fields::list(node, "steps", HELP, report)?;
    if let Some(item) = items.get(MOST_STEPS) {
        report
            .error(
                item.span,
                format!("`steps` has more than {MOST_STEPS} entries"),
            )
            .help("the evidence of a step needs traffic: a few steps are enough");
        return None;
    }
    let mut steps: Vec<u32> = Vec::with_capacity(items.len());
    let mut whole = true;
    for item in items {
        let Some(step) = percent(item, "steps", report) else {
            whole = false;
            continue;
        };
        if step == 0 {
            report
                .error(
                    item.span,
                    "a step of 0% gives the release no traffic, and nothing to judge",
                )
                .help(HELP);
            whole = false;
        } else if let Some(before) = steps.last().filter(|before| **before >= step) {
            report
                .error(
                    item.span,
                    format!("after {before}% comes no step of {step}%"),
                )
                .help(HELP);
            whole = false;
        }
        steps.push(step);
    }
    if let (true, Some(last), Some(item)) = (whole, steps.last(), items.last())
        && *last < 100
    {
        report
            .warn(
                item.span,
                format!("the last step is {last}%: what passes never gets all the traffic"),
            )
            .help("write `100%` as the last step, unless somebody else gives it the rest");
    }
    whole.then_some(steps)
}

/// A whole percentage, 0 to 100; `0` needs no sign.
pub(super) fn percent(node: &Node, field: &str, report: &mut Report<'_>) -> Option<u32> {
    const HELP: &str = "write a whole percentage from 0% to 100%, such as `10%`";
    let text = fields::text(node, field, HELP, report)?;
    if text == "0" {
        return Some(0);
    }
    let share = fields::percent(node, field, report)?;
    let whole = share
        .millionths()
        .filter(|millionths| millionths.is_multiple_of(10_000))
        .map(|millionths| millionths / 10_000)
        .filter(|percent| *percent <= 100);
    if whole.is_none() {
        report
            .error(node.span, format!("`{field}` cannot be {}", quoted(text)))
            .help(HELP);
    }
    whole
}

fn read_each(node: &Node, report: &mut Report<'_>) -> Option<Duration> {
    let each = fields::duration(node, "each", report)?;
    if (LEAST_EACH..=MOST_EACH).contains(&each) {
        return Some(each);
    }
    let reason = if each < LEAST_EACH {
        "a step that is looked at for less than 1s shows nothing"
    } else {
        "a step is looked at for at most 12h: a release is judged for at most 24h"
    };
    report
        .error(node.span, reason)
        .help("write how long the release must be passing at a step, such as `5m`");
    None
}
