//! `dependsOn`: what is named must be watched, by another watch, and not in a circle of two.

use crate::rule::DependsOn;
use crate::spec::drafts::WatchDraft;
use crate::spec::nearest::nearest;
use crate::spec::report::Report;

/// Reports what is named and is not there, and what depends on itself.
pub(super) fn resolve(watches: &[WatchDraft], incomplete: bool, reports: &mut [Report<'_>]) {
    for watch in watches {
        for (on, site) in &watch.depends_on {
            let Some(report) = reports.get_mut(site.file) else {
                continue;
            };
            let is = |other: &WatchDraft| match on {
                DependsOn::Watch { watch } => other.name.as_ref() == Some(watch),
                DependsOn::Target { target } => {
                    other.target.as_ref().is_some_and(|(own, _)| own == target)
                }
            };
            if is(watch) {
                report
                    .error(site.span, "a watch cannot depend on itself")
                    .help("leave it out");
            } else if !incomplete && !watches.iter().any(is) {
                let known: Vec<String> = watches
                    .iter()
                    .filter_map(|watch| watch.name.as_ref().map(ToString::to_string))
                    .collect();
                let asked = match on {
                    DependsOn::Watch { watch } => watch.to_string(),
                    DependsOn::Target { target } => target.to_string(),
                };
                let help = match nearest(&asked, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean watch `{near}`?"),
                    None => {
                        "write a Watch for it: only what is watched is known to fail".to_owned()
                    }
                };
                report
                    .error(site.span, format!("there is no Watch of {on}"))
                    .help(help);
            }
        }
    }
}
