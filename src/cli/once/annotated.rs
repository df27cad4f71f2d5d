//! What a round says beside a CI run: one annotation for each watch.

use super::report::word;
use super::verdict::{Judged, Round, Verdict};
use crate::cli::annotations::{Annotation, Level};

/// The verdicts. What ends with another exit code than 0 is no mere notice.
pub(super) fn watches(round: &Round, code: u8) -> Vec<Annotation> {
    let judged = round.watches.iter().map(|watch| Annotation {
        level: match watch.verdict {
            Verdict::Fail | Verdict::NotLooked => Level::Error,
            Verdict::Inconclusive => Level::Warning,
            Verdict::Undecided | Verdict::Nothing if code != 0 => Level::Warning,
            Verdict::Undecided | Verdict::Nothing | Verdict::Pass | Verdict::Passing => {
                Level::Notice
            }
        },
        place: None,
        title: format!("{} {}", word(watch.verdict), watch.watch),
        message: message(watch),
    });
    let cut = round.cut.iter().map(|cut| Annotation {
        level: Level::Warning,
        place: None,
        title: "recant once".to_owned(),
        message: cut.clone(),
    });
    judged.chain(cut).collect()
}

/// Nothing could be looked at.
pub(super) fn could_not_look(error: &anyhow::Error) -> Annotation {
    Annotation {
        level: Level::Error,
        place: None,
        title: word(Verdict::NotLooked).to_owned(),
        message: format!("{error:#}"),
    }
}

fn message(watch: &Judged) -> String {
    let revision = watch
        .revision
        .as_ref()
        .map_or_else(String::new, |revision| format!(", revision {revision}"));
    let mut lines = vec![format!("{}{revision}: {}", watch.target, watch.reason)];
    lines.extend(
        watch
            .findings
            .iter()
            .map(|finding| finding.sentence.clone()),
    );
    lines.extend(watch.holds.iter().map(|hold| format!("held back: {hold}")));
    lines.join("\n")
}
