//! Whether a Deployment that is to be paused at its first pods makes more than that at once.

use std::collections::BTreeMap;

use recant_core::ids::TargetId;
use recant_core::rule::RuleBook;
use recant_core::target::TargetState;

use super::findings::{Area, Findings};

/// Holds `release: {pauseAt: …}` of each watch against how its Deployment replaces pods.
pub(super) fn look(
    book: &RuleBook,
    states: &BTreeMap<TargetId, TargetState>,
    findings: &mut Findings,
) {
    for watch in &book.watches {
        let state = states.get(&watch.target);
        let (Some(at), Some(rolling)) = (watch.pause_at, state.and_then(|state| state.rolling))
        else {
            continue;
        };
        let target = &watch.target;
        let asked = at.of(rolling.wanted);
        match rolling.at_once {
            None => findings.warning(
                Area::Target,
                format!(
                    "{target} replaces all its pods at once (`strategy: Recreate`), so `pauseAt: {at}` comes too late"
                ),
                "use `strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}`",
            ),
            Some(at_once) if at_once > asked => findings.warning(
                Area::Target,
                format!(
                    "{target} makes {at_once} pods of a new revision at once (`maxSurge` and `maxUnavailable` together), \
                     and its Watch says `pauseAt: {at}`: it would be paused at {at_once} at the earliest"
                ),
                "set `maxSurge: 1` and `maxUnavailable: 0` in the Deployment, or a larger `pauseAt`",
            ),
            Some(_) => {}
        }
    }
}
