//! Rules between releases in what a short run looks back at: an incident begins when it began. Telling it, doing
//! something about it and ending it are left to the tick of now.

use jiff::{SignedDuration, Timestamp};

use super::{begin, begin_anew_after_release, known};
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::ids::TargetId;
use crate::ledger::AlwaysLedger;
use crate::time::later;

/// From when on the past must be read so that the rules say what they would say had they been looked at all the time;
/// `None` without such rules. `last` is when the target was last looked at, or how far a first look reaches.
pub(in crate::engine) fn looks_back(
    live: &Live,
    recorded: Option<&AlwaysLedger>,
    looked: Option<Timestamp>,
    last: Timestamp,
) -> Option<Timestamp> {
    let reach = live.always.reach()?;
    // At the last look the windows were full.
    let wanted = match looked {
        None => last,
        Some(_) => later(last, SignedDuration::ZERO.saturating_sub(reach)),
    };
    let Some((recorded, checkpoint)) =
        recorded.and_then(|recorded| Some((recorded, recorded.checkpoint.as_ref()?)))
    else {
        return Some(wanted);
    };
    // While something goes on, and after a release was taken back, the evidence is counted on from where it stood.
    let goes_on = !recorded.incidents.is_empty() || !recorded.scaled.is_empty();
    Some(if goes_on {
        checkpoint.at
    } else {
        wanted.max(checkpoint.at)
    })
}

/// Takes up what was recorded, for past answers from `from` on.
pub(in crate::engine) fn restore_back(
    turn: &Turn<'_>,
    target: &TargetId,
    live: &mut Live,
    from: Option<Timestamp>,
    looked: Option<Timestamp>,
) {
    live.always.past_from = from;
    live.always.looked = looked;
    if let Some(checkpoint) = known(turn, target).and_then(|known| known.checkpoint.as_ref()) {
        live.always.restore(checkpoint, from.unwrap_or(turn.now));
    }
}

/// Looks at every rule at a time that is over.
pub(in crate::engine) fn tend_past(turn: &mut Turn<'_>, target: &TargetId, live: &mut Live) {
    if live.always.past_from.is_none_or(|from| turn.now < from) {
        return;
    }
    begin_anew_after_release(turn, target, live);
    live.always.judge(turn.now);
    // What was so before the last look was judged then.
    let news = live.always.looked.is_none_or(|looked| turn.now > looked);
    for index in 0..live.always.rules.len() {
        if let Some(rule) = live.always.rules.get_mut(index) {
            rule.heard(turn.now);
        }
        if news {
            begin(turn, target, live, index);
        }
    }
}
