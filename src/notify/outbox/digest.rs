//! Several notices in one message, when they come faster than a service takes messages.

use recant_core::notice::{Notice, Severity, Status};
use recant_core::rule::Link;

use crate::notify::text::{clip, one_line};

const MOST_LINKS: usize = 6;
/// Units of a headline: twenty of them fit into what services take.
const HEADLINE: usize = 110;
/// So many notices are told in full, more only by their headlines.
const IN_FULL: usize = 3;

/// One notice that tells of all of these, in their order; of one it is that one.
pub(super) fn digest(first: &Notice, others: &[&Notice]) -> Notice {
    let Some(last) = others.last() else {
        return first.clone();
    };
    let notices: Vec<&Notice> = std::iter::once(first)
        .chain(others.iter().copied())
        .collect();
    let leading = leading(&notices).unwrap_or(last);
    let same = |equal: &dyn Fn(&Notice) -> bool| notices.iter().all(|notice| equal(notice));
    let target = first
        .target
        .clone()
        .filter(|_| same(&|notice| notice.target == first.target));
    let watch = first
        .watch
        .clone()
        .filter(|_| same(&|notice| notice.watch == first.watch));
    let correlation = first
        .correlation
        .clone()
        .filter(|_| same(&|notice| notice.correlation == first.correlation));
    let number = notices.len();
    let headline = match &target {
        Some(target) => format!("{number} messages about {target}"),
        None => format!("{number} messages"),
    };
    let headline = format!("{headline}, the latest at {:.0}", last.at);
    let mut sentences = vec![
        "They came faster than this channel takes them, so they are told together. The journal has each in full."
            .to_owned(),
    ];
    for notice in &notices {
        sentences.push(format!(
            "{:.0}: {}",
            notice.at,
            clip(&one_line(&notice.headline), HEADLINE)
        ));
        if number <= IN_FULL {
            sentences.extend(notice.sentences.iter().cloned());
        }
    }
    let mut links: Vec<Link> = Vec::new();
    for link in notices.iter().flat_map(|notice| &notice.links) {
        if links.len() < MOST_LINKS && links.iter().all(|known| known.url != link.url) {
            links.push(link.clone());
        }
    }
    Notice {
        id: last.id.clone(),
        at: last.at,
        kind: leading.kind,
        severity: leading.severity,
        watch,
        target,
        correlation,
        headline,
        sentences,
        facts: Vec::new(),
        links,
        channels: Vec::new(),
    }
}

/// The most severe of what goes on; what another one ends does not.
fn leading<'a>(notices: &[&'a Notice]) -> Option<&'a Notice> {
    let goes_on = |position: usize, notice: &Notice| match notice.status() {
        Status::Firing(_) => {
            let incident = notice.incident();
            let later = notices.get(position..).unwrap_or_default();
            !later.iter().any(|later| {
                matches!(later.status(), Status::Resolved(_)) && later.incident() == incident
            })
        }
        Status::Event => notice.severity > Severity::Info,
        Status::Resolved(_) => false,
    };
    notices
        .iter()
        .enumerate()
        .filter(|(position, notice)| goes_on(*position, notice))
        .map(|(_, notice)| *notice)
        .max_by_key(|notice| notice.severity)
}
