//! How analyses, stepped releases and reloads began, in words.

use super::SHOWN_DIGEST;
use crate::analysis::Analysis;
use crate::stepping::Stepping;
use crate::wording::short;

pub(super) fn began(analysis: &Analysis) -> String {
    let against = match &analysis.baseline {
        Some(baseline) => format!("compared with revision {baseline} while that runs"),
        None => "without a baseline".to_owned(),
    };
    format!(
        "analysis `{}` by watch `{}`, {against}",
        analysis.id, analysis.watch
    )
}

pub(super) fn began_stepping(stepping: &Stepping) -> String {
    let steps: Vec<String> = stepping
        .stepped
        .steps
        .iter()
        .map(|percent| format!("{percent} %"))
        .collect();
    format!(
        "its traffic is stepped on {}: {}",
        stepping.stepped.route,
        steps.join(", then ")
    )
}

pub(super) fn reloaded(
    digest: &str,
    [watches, new, changed, gone]: [usize; 4],
    need_restart: &[String],
) -> Vec<String> {
    let set = if digest.is_empty() {
        "those of the start".to_owned()
    } else {
        format!("set {}", short(digest, SHOWN_DIGEST))
    };
    let mut lines = vec![format!(
        "rules and settings loaded anew ({set}): watches {watches}, of them {new} new, {changed} changed; {gone} gone"
    )];
    if !need_restart.is_empty() {
        lines.push(format!(
            "changed, and holds only after a restart: {}",
            need_restart.join(", ")
        ));
    }
    lines
}
