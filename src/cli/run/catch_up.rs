//! Before the first look at what is now: what happened since the process before last wrote something down is judged at
//! the times when it happened, and the time before that teaches the judge how failures come.
//!
//! What cannot be read in time is left out: judging what is now must not wait for the past.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout_at};

use recant_core::engine::Back;
use recant_core::ids::TargetId;
use recant_core::target::TargetNews;

use crate::agent::{Parts, Ticked};
use crate::cli::first_news::{self, Primed};
use crate::cli::past::{self, Past};
use crate::cluster::kubernetes::KubernetesCluster;
use crate::journal::JournalError;

const PATIENCE: first_news::Patience = first_news::Patience {
    listed: Duration::from_secs(10),
    observed: Duration::from_secs(2),
};
/// For reading all of the past.
const WITHIN: Duration = Duration::from_secs(15);
/// With so much of history two ticks are enough for a verdict (judge.md 3.3, 6).
const HISTORY: SignedDuration = SignedDuration::from_hours(1);
/// However long nothing was written down, no more than this is judged again.
const MISSED: SignedDuration = SignedDuration::from_mins(10);
/// Quiet targets whose history is asked for at once: answers stay small.
const AT_ONCE: usize = 20;

/// Reads and judges the past. Safe to cancel: what was written down was also taken in.
///
/// # Errors
/// The journal could not be written: what was judged is not durable, and the process must not go on from it.
pub(super) async fn catch_up(
    parts: &mut Parts,
    cluster: &Arc<KubernetesCluster>,
    targets: &[TargetId],
    last: Option<Timestamp>,
) -> Result<(), JournalError> {
    if !parts.sources.values().any(|source| source.has_range()) {
        return Ok(());
    }
    let first = first_news::first_news(cluster, targets, PATIENCE).await;
    if let Some(reason) = &first.incomplete {
        tracing::warn!("the past is judged only of what is known by now: {reason}");
    }
    let news = first.news;
    // Told once more to the first tick; whatever happens here, nothing of it may be lost.
    parts.cluster = Arc::new(Primed::new(cluster.clone(), news.clone()));
    let now = (parts.clock)();
    let looked: BTreeMap<TargetId, Timestamp> = last
        .map(|last| {
            last.max(now.saturating_sub(MISSED).unwrap_or(last))
                .min(now)
        })
        .into_iter()
        .flat_map(|last| targets.iter().map(move |target| (target.clone(), last)))
        .collect();
    let deadline = Instant::now() + WITHIN;
    let backs = parts.engine.looks_back(now, &looked, None, &news);
    let quiet: Vec<TargetNews> = news
        .into_iter()
        .filter(|news| match news {
            TargetNews::State(state) => backs.iter().all(|back| back.state.id != state.id),
            TargetNews::Gone(_) => false,
        })
        .collect();
    take_in(parts, now, backs, deadline).await?;
    for some in quiet.chunks(AT_ONCE) {
        if Instant::now() >= deadline {
            tracing::warn!(
                "the history of some targets was not read within {} s: their first releases are judged with what is \
                 measured from now on",
                WITHIN.as_secs()
            );
            break;
        }
        let backs = parts.engine.looks_back(now, &looked, Some(HISTORY), some);
        take_in(parts, now, backs, deadline).await?;
    }
    Ok(())
}

async fn take_in(
    parts: &mut Parts,
    now: Timestamp,
    backs: Vec<Back>,
    deadline: Instant,
) -> Result<(), JournalError> {
    let mut answered = Past::new();
    let mut unusable = Vec::new();
    for kind in past::sources(&backs) {
        let Some(source) = parts.sources.get(&kind).filter(|source| source.has_range()) else {
            unusable.push(kind);
            continue;
        };
        let why = match timeout_at(deadline, past::read(source, kind, &backs, now)).await {
            Ok(Ok(answers)) => {
                for (at, answers) in answers {
                    answered.entry(at).or_default().extend(answers);
                }
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it took longer than {} s", WITHIN.as_secs()),
        };
        tracing::warn!("the past is not known, so what is counted begins now: {why}");
        unusable.push(kind);
    }
    let backs = past::without(backs, &unusable);
    for (at, records) in parts.engine.look_back(now, backs, answered) {
        parts.journal.append(at, &records)?;
        let snapshot = Arc::new(parts.engine.snapshot(at));
        parts.observer.ticked(&Ticked {
            at,
            took: Duration::ZERO,
            records: &records,
            snapshot: &snapshot,
            ledger: parts.engine.ledger(),
        });
    }
    Ok(())
}
