//! Names that refer to nothing, with what was probably meant.

use super::super::drafts::Reference;
use super::super::nearest::nearest;
use super::super::report::Report;

/// Reports a name that refers to nothing; the help is costly, and only made when it is shown.
pub(super) fn missing(
    reference: &Reference,
    message: &str,
    help: impl FnOnce() -> String,
    report: &mut Report<'_>,
) {
    let full = report.is_full();
    let finding = report.error(reference.site.span, message);
    if !full {
        finding.help(help());
    }
}

/// What was probably meant, else what there is; `None` when there is nothing.
pub(super) fn meant<'k>(
    word: &str,
    known: impl Iterator<Item = &'k str> + Clone,
    there_are: &str,
) -> Option<String> {
    const MOST: usize = 10;
    if let Some(near) = nearest(word, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let shown: Vec<String> = known
        .clone()
        .take(MOST)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = known.count().saturating_sub(MOST);
    match (shown.as_slice(), more) {
        ([], _) => None,
        ([only], _) => Some(format!("there is only {only}")),
        (several, 0) => Some(format!("{there_are} {}", several.join(", "))),
        (several, more) => Some(format!(
            "{there_are} {}, and {more} more",
            several.join(", ")
        )),
    }
}
