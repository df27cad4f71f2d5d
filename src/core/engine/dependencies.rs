//! What targets depend on, as far as it fails just now: looked at once a tick, before anything is decided.

use std::collections::{BTreeMap, BTreeSet};

use super::Turn;
use super::always::AlwaysRule;
use super::live::{Live, LiveRule};
use crate::guard::Failing;
use crate::ids::TargetId;
use crate::judge::State;
use crate::rule::DependsOn;

/// Every tick anew: a dependency that fails a moment later than what needs it counts as soon as its rule looks bad, and
/// not only when that is sure.
pub(super) fn look(turn: &Turn<'_>, lives: &mut BTreeMap<TargetId, Live>) {
    let wanted: BTreeSet<DependsOn> = lives
        .values()
        .flat_map(|live| live.watch.depends_on.iter().cloned())
        .collect();
    if wanted.is_empty() {
        return;
    }
    let failing: BTreeMap<DependsOn, Failing> = wanted
        .into_iter()
        .filter_map(|wanted| {
            let live = lives.values().find(|live| match &wanted {
                DependsOn::Watch { watch } => live.watch.name == *watch,
                DependsOn::Target { target } => live.watch.target == *target,
            })?;
            let failing = of(turn, live, &wanted)?;
            Some((wanted, failing))
        })
        .collect();
    for live in lives.values_mut() {
        let own = live.watch.depends_on.iter();
        let own: Vec<Failing> = own.filter_map(|on| failing.get(on).cloned()).collect();
        live.news |= own.is_empty() != live.dependencies.is_empty();
        live.dependencies = own;
    }
}

fn of(turn: &Turn<'_>, live: &Live, wanted: &DependsOn) -> Option<Failing> {
    let failing = |why: String, since| Failing {
        name: wanted.to_string(),
        why,
        since,
    };
    let target = &live.watch.target;
    let incidents = turn.ledger.always.get(target);
    let incident = incidents.and_then(|always| always.incidents.values().next());
    if let Some(state) = incident {
        return Some(failing(state.sentence.clone(), Some(state.began)));
    }
    if let Some(failed) = turn
        .known(target)
        .and_then(|known| known.analysis.as_ref()?.failed)
    {
        let why = "its own release has failed".to_owned();
        return Some(failing(why, Some(failed)));
    }
    let bad = |state: Option<State>| {
        matches!(
            state,
            Some(State::Failing | State::Suspected | State::BaselineAlsoBad)
        )
    };
    let always = live.always.rules.iter();
    let always = always
        .filter(|rule| !rule.always.rule.dry_run && bad(rule.state()))
        .filter_map(AlwaysRule::finding);
    let rules = live.rules.iter();
    let rules = rules
        .filter(|rule| !rule.rule.dry_run && bad(rule.state()))
        .filter_map(LiveRule::finding);
    let finding = always.chain(rules).next()?;
    Some(failing(finding.sentence, None))
}
