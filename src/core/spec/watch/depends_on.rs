//! `dependsOn` of a watch: what its target needs to be well.

use crate::ids::{TargetId, TargetKind, WatchName};
use crate::rule::DependsOn;
use crate::spec::drafts::Site;
use crate::spec::excerpt::quoted;
use crate::spec::fields::{self, Fields};
use crate::spec::report::Report;

/// More is a list that nobody keeps true.
const MOST: usize = 20;
const HELP: &str = "name watches, as `dependsOn: [database]` or `[shop/database]`, or what they watch, as `[Deployment/database]`";

/// Reads it; `namespace` is that of the watch.
pub(super) fn read(
    watch: &Fields<'_>,
    namespace: Option<&str>,
    file: usize,
    report: &mut Report<'_>,
) -> Vec<(DependsOn, Site)> {
    let mut all: Vec<(DependsOn, Site)> = Vec::new();
    let Some(node) = watch.get("dependsOn") else {
        return all;
    };
    let items = fields::list(node, "dependsOn", HELP, report).unwrap_or_default();
    if let Some(item) = items.get(MOST) {
        report
            .error(
                item.span,
                format!("`dependsOn` names more than {MOST} things"),
            )
            .help("name what it cannot do without; the rest belongs to those");
    }
    for item in items.iter().take(MOST) {
        let Some(text) = fields::text(item, "dependsOn", HELP, report) else {
            continue;
        };
        let Some(on) = one(text, namespace) else {
            report
                .error(item.span, format!("`dependsOn` cannot be {}", quoted(text)))
                .help(HELP);
            continue;
        };
        if all.iter().any(|(other, _)| *other == on) {
            report
                .error(item.span, format!("{} is named twice", quoted(text)))
                .help("leave one of them out");
            continue;
        }
        let span = item.span;
        all.push((on, Site { file, span }));
    }
    all
}

fn one(text: &str, namespace: Option<&str>) -> Option<DependsOn> {
    let named = |text: &str| {
        let good = !text.is_empty()
            && text.len() <= 253
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte)
            });
        good.then(|| text.to_owned())
    };
    let kind = |text: &str| TargetKind::named(text);
    let target = |namespace: &str, of: TargetKind, name: &str| {
        Some(DependsOn::Target {
            target: TargetId {
                namespace: named(namespace)?,
                kind: of,
                name: named(name)?,
            },
        })
    };
    let watch = |namespace: &str, name: &str| {
        Some(DependsOn::Watch {
            watch: WatchName {
                namespace: named(namespace)?,
                name: named(name)?,
            },
        })
    };
    // A name is in lower case, and a kind is not.
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [name] => watch(namespace?, name),
        [first, name] if first.starts_with(char::is_uppercase) => {
            target(namespace?, kind(first)?, name)
        }
        [namespace, name] => watch(namespace, name),
        [namespace, of, name] => target(namespace, kind(of)?, name),
        _ => None,
    }
}
