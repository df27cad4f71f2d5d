//! Whether the routes and subsets that Rollouts shift traffic with are there: the Argo Rollouts controller calls a
//! Rollout `InvalidSpec` otherwise, and does nothing for it.
//!
//! The conditions are those of the controller, 1.10: `ValidateHTTPRoutes` in rollout/trafficrouting/istio/istio.go.

use super::super::excerpt::quoted;
use super::super::nearest::nearest;
use super::super::report::{Report, Span};
use super::super::tree::Node;
use super::object::{Index, Object, field, find, text};
use super::reference::{ARGO, ISTIO, ObjectName, VIRTUAL_SERVICES, service_of, virtual_service};

/// What follows from it.
const INVALID: &str =
    "until then the Argo Rollouts controller calls the Rollout InvalidSpec and does nothing for it";

/// Checks Rollouts and `VirtualServices` against the routes and subsets in the files.
pub(super) fn check(objects: &[Object], index: &Index<'_>, reports: &mut [Report<'_>]) {
    let rules: Vec<(&str, &Object)> = index
        .of_kind(ISTIO, "DestinationRule")
        .filter_map(|rule| {
            Some((
                find(&rule.root, "spec.host").into_iter().find_map(text)?,
                rule,
            ))
        })
        .collect();
    for object in objects {
        if object.is(ARGO, "Rollout") {
            rollout(object, index, reports);
        } else if object.is(ISTIO, "VirtualService") {
            subsets_of_routes(object, &rules, reports);
        }
    }
}

fn rollout(rollout: &Object, index: &Index<'_>, reports: &mut [Report<'_>]) {
    let subsets = Subsets::of(rollout);
    if let Some(rule) = subsets.rule.and_then(|node| {
        let name = ObjectName {
            group: ISTIO.to_owned(),
            kind: "DestinationRule".to_owned(),
            namespace: rollout.namespace.clone(),
            name: text(node)?.to_owned(),
        };
        index.get(&name)
    }) {
        for node in subsets.each() {
            let so = "without it the Argo Rollouts controller has nothing to put the arm's pod-template hash on";
            subset(node, rule, so, rollout.file, reports);
        }
    }
    for path in VIRTUAL_SERVICES {
        for wanted in find(&rollout.root, path) {
            let named = field(wanted, "name").and_then(|name| virtual_service(rollout, name));
            let service = named.as_ref().and_then(|named| index.get(&named.to));
            if let (Some(named), Some(service)) = (named, service) {
                let routes = Routes {
                    rollout,
                    subsets: &subsets,
                    named_at: named.span,
                    service,
                };
                routes.check(wanted, reports);
            }
        }
    }
}

/// The subsets that a Rollout tells apart.
struct Subsets<'n> {
    /// The name of the `DestinationRule`.
    rule: Option<&'n Node>,
    canary: Option<&'n Node>,
    stable: Option<&'n Node>,
}

impl<'n> Subsets<'n> {
    fn of(rollout: &'n Object) -> Self {
        let path = "spec.strategy.canary.trafficRouting.istio.destinationRule";
        let rule = find(&rollout.root, path).into_iter().next();
        let part = |name| rule.and_then(|rule| field(rule, name));
        Self {
            rule: part("name"),
            canary: part("canarySubsetName"),
            stable: part("stableSubsetName"),
        }
    }

    fn each(&self) -> impl Iterator<Item = &'n Node> {
        [self.canary, self.stable].into_iter().flatten()
    }
}

/// A Rollout with one of its `VirtualServices`.
struct Routes<'o> {
    rollout: &'o Object,
    subsets: &'o Subsets<'o>,
    /// Where the Rollout names the `VirtualService`.
    named_at: Span,
    service: &'o Object,
}

impl Routes<'_> {
    fn check(&self, wanted: &Node, reports: &mut [Report<'_>]) {
        let http = find(&self.service.root, "spec.http[]");
        let has_others = ["spec.tls[]", "spec.tcp[]"]
            .iter()
            .any(|path| !find(&self.service.root, path).is_empty());
        let names = find(wanted, "routes[]");
        if names.is_empty() {
            self.unnamed(&http, reports);
            return;
        }
        for node in names {
            let Some(name) = text(node) else { continue };
            let route = http
                .iter()
                .find(|route| field(route, "name").and_then(text) == Some(name));
            match route {
                Some(route) => self.destinations(route, node.span, reports),
                // The controller looks at HTTP routes only when there are some.
                None if http.is_empty() && has_others => {}
                None => self.missing(name, node.span, &http, reports),
            }
        }
    }

    fn missing(&self, name: &str, at: Span, http: &[&Node], reports: &mut [Report<'_>]) {
        let names: Vec<&str> = http
            .iter()
            .filter_map(|route| field(route, "name").and_then(text))
            .collect();
        let unnamed: Vec<&&Node> = http
            .iter()
            .filter(|route| field(route, "name").is_none())
            .collect();
        // The one that splits traffic is meant, if there is one.
        let meant = unnamed.iter().find(|route| self.splits(route));
        let help = if let Some(near) = nearest(name, names.iter().copied()) {
            format!("did you mean `{near}`?")
        } else if let Some(route) = meant {
            format!(
                "name the route that splits the traffic: add {} to the one at {}",
                quoted(&format!("name: {name}")),
                position(reports, self.service.file, route.span)
            )
        } else {
            format!(
                "give the route that splits the traffic this name in {}",
                self.service.called()
            )
        };
        let place = position(reports, self.service.file, self.service.kind_span);
        error(
            reports,
            self.rollout.file,
            at,
            format!("{} has no route {}", self.service.called(), quoted(name)),
            format!("it is at {place}; {INVALID}"),
            help,
        );
    }

    /// Without names there must be one route and no others.
    fn unnamed(&self, http: &[&Node], reports: &mut [Report<'_>]) {
        if http.len() < 2 {
            return;
        }
        let place = position(reports, self.service.file, self.service.kind_span);
        error(
            reports,
            self.rollout.file,
            self.named_at,
            format!(
                "{} has {} routes, and the Rollout does not say which of them it splits",
                self.service.called(),
                http.len()
            ),
            format!("it is at {place}; {INVALID}"),
            "give the route a `name`, and list it under `routes`".to_owned(),
        );
    }

    /// Both arms must be destinations of the route.
    fn destinations(&self, route: &Node, at: Span, reports: &mut [Report<'_>]) {
        for node in self.subsets.each() {
            let Some(subset) = text(node) else { continue };
            let there = find(route, "route[].destination.subset")
                .into_iter()
                .any(|node| text(node) == Some(subset));
            if !there {
                let place = position(reports, self.service.file, route.span);
                error(
                    reports,
                    self.rollout.file,
                    at,
                    format!(
                        "this route has no destination with the subset {}",
                        quoted(subset)
                    ),
                    format!("it is at {place}; {INVALID}"),
                    "add a destination for each of the two subsets, with a `weight`".to_owned(),
                );
            }
        }
    }

    fn splits(&self, route: &Node) -> bool {
        let subsets: Vec<&str> = find(route, "route[].destination.subset")
            .into_iter()
            .filter_map(text)
            .collect();
        let mut wanted = self.subsets.each().filter_map(text).peekable();
        wanted.peek().is_some() && wanted.all(|subset| subsets.contains(&subset))
    }
}

/// Subsets of destinations must be those of the `DestinationRule` of the same host.
fn subsets_of_routes(service: &Object, rules: &[(&str, &Object)], reports: &mut [Report<'_>]) {
    for path in [
        "spec.http[].route[].destination",
        "spec.tcp[].route[].destination",
        "spec.tls[].route[].destination",
        "spec.http[].mirror",
    ] {
        for destination in find(&service.root, path) {
            let host = field(destination, "host").and_then(text);
            let (Some(host), Some(node)) = (host, field(destination, "subset")) else {
                continue;
            };
            let rule = rules
                .iter()
                .find(|(of, rule)| rule.namespace == service.namespace && same_host(of, host));
            if let Some((_, rule)) = rule {
                let so = "requests that would go there are answered with 503";
                subset(node, rule, so, service.file, reports);
            }
        }
    }
}

fn same_host(one: &str, other: &str) -> bool {
    one == other
        || match (service_of(one), service_of(other)) {
            (Some((one, in_one)), Some((other, in_other))) => {
                one == other && (in_one.is_none() || in_other.is_none() || in_one == in_other)
            }
            (None, _) | (_, None) => false,
        }
}

/// Reports a subset that the rule does not define.
fn subset(node: &Node, rule: &Object, so: &str, file: usize, reports: &mut [Report<'_>]) {
    let Some(name) = text(node) else { return };
    let known: Vec<&str> = find(&rule.root, "spec.subsets[].name")
        .into_iter()
        .filter_map(text)
        .collect();
    if known.contains(&name) {
        return;
    }
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "add it under `spec.subsets` there".to_owned(),
        None => format!(
            "its subsets are {}: take one of them, or add this one there",
            super::super::fields::listed(&known)
        ),
    };
    let place = position(reports, rule.file, rule.kind_span);
    error(
        reports,
        file,
        node.span,
        format!("{} has no subset {}", rule.called(), quoted(name)),
        format!("it is at {place}; {so}"),
        help,
    );
}

fn position(reports: &[Report<'_>], file: usize, span: Span) -> String {
    reports
        .get(file)
        .map_or_else(String::new, |report| report.position(span))
}

fn error(
    reports: &mut [Report<'_>],
    file: usize,
    at: Span,
    message: String,
    note: String,
    help: String,
) {
    if let Some(report) = reports.get_mut(file) {
        report.error(at, message).note(note).help(help);
    }
}
