//! Adds the signed link to a notice that leaves while an approval is waited for. Only here: what is in the journal, in the
//! snapshot and in the log has none.

use recant_core::ledger::Ledger;
use recant_core::notice::Notice;

use crate::http::approval::Links;

pub(super) fn signed(mut notice: Notice, links: Option<&Links>, ledger: &Ledger) -> Notice {
    let (Some(links), Some(correlation)) = (links, &notice.correlation) else {
        return notice;
    };
    let approvals = ledger.people.approvals.values();
    let mut open =
        approvals.filter(|asked| asked.analysis == *correlation && asked.is_open(notice.at));
    // First: it is what the reader is to do.
    if let Some(link) = open.next().map(|asked| links.of(asked)) {
        notice.links.insert(0, link);
    }
    notice
}
