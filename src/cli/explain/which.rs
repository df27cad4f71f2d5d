//! Which watch is meant, and whether anything is known of it: errors say what to do next.

use anyhow::bail;
use jiff::Timestamp;

use recant_core::ids::WatchName;
use recant_core::spec::nearest;
use recant_core::wording::listed;

use super::fold::{Fold, Release};

/// The watch of this name, or of the target of this name.
pub(super) fn watch<'f>(fold: &'f Fold, asked: &str, place: &str) -> anyhow::Result<&'f WatchName> {
    if fold.first.is_none() && fold.watches.is_empty() {
        bail!(
            "the {place} is empty: nothing was written yet. Is it that of the agent? `--journal FILE` or \
             `--config-map NAME` names another"
        );
    }
    let whole = asked.contains('/');
    let is = |namespace: &str, name: &str| {
        if whole {
            asked == format!("{namespace}/{name}")
        } else {
            asked == name
        }
    };
    let by_name: Vec<&WatchName> = fold
        .watches
        .keys()
        .filter(|watch| is(&watch.namespace, &watch.name))
        .collect();
    let found = if by_name.is_empty() {
        fold.watches
            .iter()
            .filter(|(_, (target, _))| is(&target.namespace, &target.name))
            .map(|(watch, _)| watch)
            .collect()
    } else {
        by_name
    };
    match found.as_slice() {
        [only] => return Ok(only),
        [] => {}
        several => bail!(
            "there are several watches of that name: {}. Say which one, as NAMESPACE/NAME",
            listed(&quoted(several.iter().map(ToString::to_string)))
        ),
    }
    if let Some(target) = fold
        .seen
        .iter()
        .find(|target| is(&target.namespace, &target.name))
    {
        bail!(
            "no release of {target} has been judged as far as the {place} goes: it was seen, and its next new revision \
             will be"
        );
    }
    let known: Vec<String> = fold.watches.keys().map(ToString::to_string).collect();
    if known.is_empty() {
        bail!("the {place} tells of no release of any watch yet, so also not of `{asked}`");
    }
    let near = if whole {
        nearest(asked, known.iter().map(String::as_str)).map(str::to_owned)
    } else {
        nearest(asked, fold.watches.keys().map(|watch| watch.name.as_str())).map(str::to_owned)
    };
    let near = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
    bail!(
        "the {place} knows no watch `{asked}`{near}; it tells of {}",
        listed(&quoted(known.into_iter()))
    )
}

/// The last release of the watch that had begun by then.
pub(super) fn release<'f>(
    fold: &'f Fold,
    watch: &WatchName,
    until: Timestamp,
    place: &str,
) -> anyhow::Result<&'f Release> {
    if let Some(release) = fold.releases.get(watch) {
        return Ok(release);
    }
    if let Some(first) = fold.first.filter(|first| until < *first) {
        bail!(
            "the {place} begins at {first:.0}: nothing is known of {until:.0}. Ask for a later time, or leave `--at` \
             out"
        );
    }
    match fold.watches.get(watch).and_then(|(_, began)| *began) {
        Some(began) => bail!(
            "no release of watch `{watch}` had begun at {until:.0}: the first one that the {place} tells of began at \
             {began:.0}; ask for a time from then on"
        ),
        None => bail!(
            "the {place} tells of no release of watch `{watch}`, only of rules between releases: `recant journal` \
             shows those"
        ),
    }
}

fn quoted(names: impl Iterator<Item = String>) -> Vec<String> {
    names.map(|name| format!("`{name}`")).collect()
}
