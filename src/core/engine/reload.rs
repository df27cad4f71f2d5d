//! Rules and settings that came while the engine runs: what did not change goes on as if nothing had happened.
//!
//! Whole values are compared. A watch that is the same keeps everything; in one that changed, rules that are the same
//! keep their evidence, and questions that are still asked keep their counters; a new rule begins with empty evidence.
//! What no watch names any more ends as it does after a restart (`resume`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::live::{self, Live, LiveRule};
use super::on_request::{self, Requests};
use super::sources::Health;
use super::{EngineSettings, Turn, always, resume, tell};
use crate::ids::{ChannelName, RuleName, TargetId};
use crate::judge::{Evidence, Phase};
use crate::record::Record;
use crate::rule::{Check, Question, RuleBook, SourceKind, Watch};

/// What became of changed files.
#[derive(Debug, Clone)]
pub enum Reload {
    /// They could be read, and hold from now on.
    Loaded(Box<Loaded>),
    /// They could not; what held before goes on to hold.
    Refused(Refused),
}

/// Rules and settings that are valid.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub book: RuleBook,
    pub settings: EngineSettings,
    /// Identifies what was loaded: a hash of all files.
    pub digest: String,
    /// Settings that changed and hold only after a restart.
    pub need_restart: Vec<String>,
}

/// Why changed files are not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Identifies what was found: a hash of all files.
    pub digest: String,
    /// What is wrong, one each, with its place; without secrets.
    pub faults: Vec<String>,
}

/// What of the engine a reload changes.
pub(super) struct Held<'a> {
    pub(super) settings: &'a mut EngineSettings,
    pub(super) channels: &'a mut Vec<ChannelName>,
    pub(super) live: &'a mut BTreeMap<TargetId, Live>,
    pub(super) requests: &'a mut Requests,
    pub(super) sources: &'a mut BTreeMap<SourceKind, Health>,
}

pub(super) fn reload(turn: &mut Turn<'_>, held: Held<'_>, reload: Reload) {
    match reload {
        Reload::Refused(refused) => refuse(turn, held.live, refused),
        Reload::Loaded(loaded) => load(turn, held, *loaded),
    }
}

fn refuse(turn: &mut Turn<'_>, lives: &BTreeMap<TargetId, Live>, refused: Refused) {
    // Files that somebody writes to again and again with the same fault are one piece of news.
    if turn.ledger.refused.as_ref() == Some(&refused.digest) {
        return;
    }
    tell::reload_refused(turn, lives, &refused.faults);
    turn.record(Record::ReloadRefused {
        digest: refused.digest,
        faults: refused.faults,
    });
}

fn load(turn: &mut Turn<'_>, held: Held<'_>, loaded: Loaded) {
    let Held {
        settings,
        channels,
        live: lives,
        requests,
        sources,
    } = held;
    let Loaded {
        book,
        settings: new_settings,
        digest,
        need_restart,
    } = loaded;
    turn.settings.clone_from(&new_settings);
    let before = std::mem::replace(settings, new_settings);
    *channels = book.channels.keys().cloned().collect();
    let taken = on_request::still_taken(&book, turn.ledger);
    requests.watches.clone_from(&book.on_request);
    let mut changes = Changes::default();
    let mut judged = Vec::new();
    let mut gone = std::mem::take(lives);
    for watch in book.watches.into_iter().chain(taken) {
        let target = watch.target.clone();
        let next = match gone.remove(&target) {
            None => {
                changes.new += 1;
                Live::new(Arc::new(watch))
            }
            Some(old) if *old.watch == watch && old.sources(&before) == old.sources(settings) => {
                old
            }
            Some(old) => {
                changes.changed += 1;
                judged.push(target.clone());
                let stays = |rule: &RuleName| {
                    let mut names = watch.always.iter().map(|always| &always.rule.name);
                    names.any(|name| name == rule)
                };
                always::end_gone(turn, &target, &old, stays);
                let analysis = turn.ledger.targets.get(&target);
                let release = analysis
                    .and_then(|known| known.analysis.as_ref())
                    .map(|analysis| (analysis.phase, turn.now, settings.interval));
                changed(old, Arc::new(watch), (&before, &*settings), release)
            }
        };
        lives.insert(target, next);
    }
    changes.gone = gone.len();
    for (target, old) in &gone {
        always::end_gone(turn, target, old, |_| false);
    }
    resume::forget_unwatched(turn, lives);
    let used: BTreeSet<SourceKind> = lives
        .values()
        .flat_map(|live| live.sources(&turn.settings))
        .collect();
    sources.retain(|source, _| used.contains(source));
    if turn.ledger.refused.is_some() {
        tell::reloaded(turn, lives, &need_restart);
    }
    turn.record(Record::Reloaded {
        digest,
        watches: lives.len(),
        new: changes.new,
        changed: changes.changed,
        gone: changes.gone,
        need_restart,
    });
    // Evidence is recorded by the names of rules: what was gathered under another limit must not be taken up again.
    for target in judged {
        let Some(live) = lives.get_mut(&target) else {
            continue;
        };
        let of_release = turn
            .known(&target)
            .is_some_and(|known| known.analysis.is_some() || known.verification.is_some());
        if of_release {
            turn.record(live.checkpoint(turn.now));
        }
        let between = turn.ledger.always.get(&target);
        if between.is_some_and(|known| known.checkpoint.is_some()) {
            turn.record(live.always.checkpoint(&target, turn.now));
        }
    }
}

/// How many watches are not what they were.
#[derive(Default)]
struct Changes {
    new: usize,
    changed: usize,
    gone: usize,
}

/// The same target with other rules, or another way to look: what is still meant goes on.
fn changed(
    old: Live,
    watch: Arc<Watch>,
    (before, after): (&EngineSettings, &EngineSettings),
    release: Option<(Phase, Timestamp, SignedDuration)>,
) -> Live {
    let mut next = Live::new(watch);
    for rule in &mut next.rules {
        if let Some(old) = old.rules.iter().find(|old| *old.rule == *rule.rule) {
            // What it tells of traffic depends on the other rules.
            let tells_traffic = rule.tells_traffic;
            *rule = LiveRule {
                tells_traffic,
                ..old.clone()
            };
        } else if let Some(old) = old.rules.iter().find(|old| same_metric(old, rule)) {
            // What the service was like before is known; what the release does is judged afresh.
            rule.history = old.history.clone();
            rule.evidence = Evidence::after(&rule.rule, old.evidence.before(), None);
            rule.one_arm = old.one_arm;
        }
    }
    // Another source, or another page of the pods, has another rhythm, and may count other things.
    let same_page = old.watch.scrape == next.watch.scrape;
    let (old_watch, new_watch) = (old.watch.clone(), next.watch.clone());
    let same_source = |question: &Question| {
        same_page
            && live::source_of(&old_watch, question, before)
                == live::source_of(&new_watch, question, after)
    };
    for (question, looking) in &mut next.measurements {
        if same_source(question)
            && let Some(known) = old.measurements.get(question)
        {
            looking.clone_from(known);
        }
    }
    next.always.take_over(old.always, same_source);
    next.join(release);
    Live {
        rules: next.rules,
        hears_alerts: next.hears_alerts,
        watch: next.watch,
        always: next.always,
        measurements: next.measurements,
        news: true,
        restored: old.restored,
        past_from: old.past_from,
        state: old.state,
        pods: old.pods,
        checkpoint: old.checkpoint,
        baseline_traffic: old.baseline_traffic,
        bad_served: old.bad_served,
        candidates: old.candidates,
        dependencies: next.dependencies,
        nodes: next.nodes,
        handed: old.handed,
        handed_pause: old.handed_pause,
        way_back: old.way_back,
        ordered_way_back: old.ordered_way_back,
        handed_sync: old.handed_sync,
        looked: old.looked,
        together: next.together,
        stepping: old.stepping,
    }
}

fn same_metric(old: &LiveRule, new: &LiveRule) -> bool {
    let same = match (&old.rule.check, &new.rule.check) {
        (Check::Counts(old), Check::Counts(new)) => old.metric == new.metric,
        (Check::Level(old), Check::Level(new)) => old.metric == new.metric,
        (Check::Counts(_), Check::Level(_)) | (Check::Level(_), Check::Counts(_)) => false,
    };
    same && old.rule.arms == new.rule.arms
}
