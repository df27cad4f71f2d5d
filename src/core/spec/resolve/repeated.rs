//! What is there twice: documents of one name, and watches of one target.

use std::collections::BTreeMap;

use super::super::drafts::{Site, WatchDraft};
use super::super::report::Report;
use crate::ids::{TargetId, WatchName};
use crate::rule::Scope;

/// Reports a watch whose name or target another watch has.
pub(super) fn unique(
    watch: &WatchDraft,
    by_name: &mut BTreeMap<WatchName, Site>,
    by_target: &mut BTreeMap<TargetId, Site>,
    reports: &mut [Report<'_>],
) {
    if let Some(name) = &watch.name {
        if let Some(first) = by_name.get(name) {
            duplicate("watch", &name.to_string(), watch.site, *first, reports);
            return;
        }
        by_name.insert(name.clone(), watch.site);
    }
    if let Some((target, site)) = &watch.target {
        if let Some(first) = by_target.get(target) {
            repeated(
                *site,
                *first,
                &format!("two watches have the target {target}"),
                "the other one is at",
                "put the rules of both into one watch: two would act against each other",
                reports,
            );
            return;
        }
        by_target.insert(target.clone(), *site);
    }
}

/// Reports a watch on request that may take up what an earlier one may take up.
pub(super) fn disjoint(
    scope: &Scope,
    site: Site,
    earlier: &[(Scope, Site)],
    reports: &mut [Report<'_>],
) {
    let other = earlier.iter().find(|(other, _)| other.overlaps(scope));
    if let Some((_, first)) = other {
        repeated(
            site,
            *first,
            "two watches may take up the same workload",
            "the other one is at",
            "give them `labels` with different values of the same label, or different namespaces",
            reports,
        );
    }
}

pub(super) fn duplicate(
    what: &str,
    name: &str,
    site: Site,
    first: Site,
    reports: &mut [Report<'_>],
) {
    repeated(
        site,
        first,
        &format!("{what} `{name}` is defined twice"),
        "it is first defined at",
        "give it another name, or leave one of them out",
        reports,
    );
}

/// Reports something at `site` that was at `first` already.
fn repeated(
    site: Site,
    first: Site,
    message: &str,
    note: &str,
    help: &str,
    reports: &mut [Report<'_>],
) {
    let full = reports.get(site.file).is_none_or(Report::is_full);
    let first = (!full)
        .then(|| reports.get(first.file)?.position(first.span).into())
        .flatten()
        .map(|first: String| format!("{note} {first}"));
    if let Some(report) = reports.get_mut(site.file) {
        let finding = report.error(site.span, message);
        if let Some(first) = first {
            finding.note(first).help(help);
        }
    }
}
