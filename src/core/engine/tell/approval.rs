//! The notice that asks people to agree. Its signed link is no part of it: whoever sends it adds that, so that no journal
//! holds one.

use super::{Role, Told, facts, send, sentences_of, way_back};
use crate::analysis::WayBack;
use crate::engine::Turn;
use crate::engine::live::Live;
use crate::guard::Approval;
use crate::judge::State;
use crate::notice::{NoticeKind, Severity};
use crate::time::elapsed;
use crate::wording::span;

pub(in crate::engine) fn approval_asked(
    turn: &mut Turn<'_>,
    live: &Live,
    approval: &Approval,
    to: &WayBack,
) {
    let Approval {
        plan,
        target,
        from,
        expires,
        ..
    } = approval;
    let mut sentences = sentences_of(live, State::Failing);
    sentences.push(format!(
        "Nothing but your approval is missing: Recant would go back to {}.",
        way_back(to)
    ));
    sentences.push(format!(
        "Approve it within {} by `recant approve {plan}`, or by the link where there is one. It is carried out only if a \
         rule fails then, too.",
        span(elapsed(turn.now, *expires))
    ));
    let told = Told {
        kind: NoticeKind::Held,
        severity: Severity::Critical,
        correlation: Some(&approval.analysis),
        headline: format!("{target}: revision {from} is bad, and its rollback waits for approval"),
        sentences,
        facts: facts(live, &[Role::Bad(from), Role::Good(&to.revision)], turn.now),
    };
    send(turn, live, &live.watch.on_fail.notify, told);
}
