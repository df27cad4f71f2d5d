//! What others report is written down when it is news. Nothing is decided by it here, but that what is asked about may be
//! watched from now on; rules about alerts read it (`alerts`).

use std::collections::BTreeMap;

use super::Turn;
use super::live::Live;
use super::on_request::Requests;
use crate::hook::Hook;
use crate::ids::TargetId;
use crate::record::Record;

pub(super) fn take_in(
    turn: &mut Turn<'_>,
    lives: &mut BTreeMap<TargetId, Live>,
    requests: &mut Requests,
    hooks: Vec<Hook>,
) {
    for hook in hooks {
        let reported = &turn.ledger.reported;
        if !reported.is_news(&hook, turn.now) {
            continue;
        }
        match hook {
            // Who reports it must hear that it was not taken, and send it again.
            Hook::Alert(alert) if !reported.has_room(&alert, turn.now) => {
                turn.output.no_room = true;
            }
            Hook::Wanted { target, by } => requests.take_up(turn, lives, target, by),
            Hook::Alert(alert) => {
                for live in lives.values_mut() {
                    live.news |= live.hears_alerts;
                }
                let alert = Box::new(alert);
                turn.record(Record::Alerted { alert });
            }
            // A target that is watched no more since the report was taken.
            Hook::Marker(marker) if !lives.contains_key(&marker.target) => {}
            Hook::Marker(marker) => {
                let marker = Box::new(marker);
                turn.record(Record::Marked { marker });
            }
        }
    }
}
