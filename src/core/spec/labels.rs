//! Maps of labels: what they have in common wherever they stand.

use super::report::Report;
use super::tree::{Entry, Kind, Node};

/// What a map of labels is like in one place.
pub(super) struct Place {
    /// How many labels it may have.
    pub(super) most: usize,
    /// How such a map is written.
    pub(super) help: &'static str,
    /// Which labels to leave where there are too many.
    pub(super) keep: &'static str,
}

impl Place {
    /// The labels of the map; `None` where it is none, or has too many, which is reported.
    pub(super) fn entries<'n>(
        &self,
        node: &'n Node,
        report: &mut Report<'_>,
    ) -> Option<&'n [Entry]> {
        let entries = match &node.kind {
            Kind::Map(entries) => entries,
            Kind::Scalar(_) | Kind::List(_) => {
                report
                    .error(node.span, format!("`labels` is {}", node.describe()))
                    .help(self.help);
                return None;
            }
            Kind::Reported => return None,
        };
        if let Some(entry) = entries.get(self.most) {
            let message = format!("there are more than {} labels", self.most);
            report.error(entry.key_span, message).help(self.keep);
            return None;
        }
        Some(entries)
    }
}
