//! Whether targets are there, and whether the sources answer the questions of their rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use recant_core::ids::TargetId;
use recant_core::observation::{Cumulative, Observation};
use recant_core::rule::{Question, Rule, RuleBook, SourceKind};
use recant_core::target::{TargetNews, TargetState};
use tokio_util::sync::CancellationToken;

use super::findings::{Area, Findings, some};
use crate::cli::run::parts;
use crate::cluster::Cluster as _;
use crate::cluster::kubernetes::KubernetesCluster;
use crate::config::settings::Settings;
use crate::source::{Query, QueryTarget, Source};

/// By when the watches have shown the targets.
const SEEN: Duration = Duration::from_secs(10);
/// Above the deadlines that the sources have of their own.
const ANSWERED: Duration = Duration::from_secs(90);

/// Looks at the targets, then asks their sources once.
pub(super) async fn look(
    client: &Client,
    settings: &Settings,
    book: &RuleBook,
    findings: &mut Findings,
) {
    if book.watches.is_empty() {
        findings.warning(
            Area::Target,
            "the rules hold no Watch, so nothing would be watched",
            "add a Watch that names a target",
        );
        return;
    }
    let states = targets(client, book, findings).await;
    for (kind, asked) in questions(settings, book) {
        let made = parts::sources(settings, &BTreeSet::from([kind]));
        match made.map(|sources| sources.into_values().next()) {
            Ok(Some(source)) => ask(kind, source, &asked, book, &states, findings).await,
            Ok(None) => {}
            Err(error) => findings.error(
                Area::Source,
                format!("{}: {error:#}", called(kind)),
                "mend the settings, see `recant run --help`",
            ),
        }
    }
}

/// What the cluster shows of each target that it has.
async fn targets(
    client: &Client,
    book: &RuleBook,
    findings: &mut Findings,
) -> BTreeMap<TargetId, TargetState> {
    let wanted: BTreeSet<TargetId> = book.watches.iter().map(|w| w.target.clone()).collect();
    let list: Vec<TargetId> = wanted.iter().cloned().collect();
    let stop = CancellationToken::new();
    let cluster = KubernetesCluster::start(client.clone(), &list, &stop);
    let mut states = BTreeMap::new();
    let mut gone = BTreeSet::new();
    let seen = async {
        loop {
            for news in cluster.news() {
                match news {
                    TargetNews::State(state) => {
                        states.insert(state.id.clone(), *state);
                    }
                    TargetNews::Gone(target) => {
                        gone.insert(target);
                    }
                }
            }
            let synced = cluster.watches().iter().all(|watch| watch.synced);
            let complete = states.len() + gone.len() >= wanted.len();
            if synced && complete {
                return;
            }
            tokio::select! {
                () = cluster.changed() => {}
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
        }
    };
    // What was not seen by then is told below.
    drop(tokio::time::timeout(SEEN, seen).await);
    let faults: BTreeMap<String, String> = cluster
        .watches()
        .into_iter()
        .filter_map(|watch| {
            Some((
                watch.namespace,
                format!("{}: {}", watch.resource, watch.error?),
            ))
        })
        .collect();
    stop.cancel();
    cluster.stopped().await;

    let mut there = Vec::new();
    for target in &wanted {
        if let Some(state) = states.get(target) {
            there.push(format!("{target}"));
            state_of(state, findings);
        } else if gone.contains(target) {
            findings.error(
                Area::Target,
                format!("{target} does not exist"),
                "create it, or mend `target` and `metadata.namespace` of the Watch",
            );
        } else {
            let why = faults
                .get(&target.namespace)
                .map_or("the cluster did not show it in time", String::as_str);
            findings.unknown(
                Area::Target,
                format!("{target} could not be looked at: {why}"),
                "see the rights above, or try again",
            );
        }
    }
    if !there.is_empty() {
        findings.ok(Area::Target, format!("there: {}", some(&there)));
    }
    states
}

fn state_of(state: &TargetState, findings: &mut Findings) {
    let target = &state.id;
    if let Some(place) = &state.kill_switch {
        findings.warning(
            Area::Target,
            format!("{target} will not be acted on: the kill switch is on at {place}"),
            "remove the annotation `recant.dev/kill-switch` when it is to be acted on",
        );
    }
    if state.paused {
        findings.warning(
            Area::Target,
            format!("{target} is paused: nothing is done to it while it is"),
            "resume it when it is to be acted on",
        );
    }
    if state.pods.is_empty() {
        findings.warning(
            Area::Target,
            format!("{target} has no pod, so there is nothing to measure"),
            "is it scaled to 0?",
        );
    }
}

/// Each question with the targets that ask it, and the names of the rules.
type Asked<'b> = BTreeMap<Question, BTreeMap<&'b TargetId, BTreeSet<&'b str>>>;

fn questions<'b>(settings: &Settings, book: &'b RuleBook) -> BTreeMap<SourceKind, Asked<'b>> {
    let mut kinds: BTreeMap<SourceKind, Asked<'b>> = BTreeMap::new();
    for watch in &book.watches {
        let typed = watch.source.unwrap_or(settings.source);
        let always = watch.always.iter().map(|always| &always.rule);
        // No source answers the others yet: that was told.
        let counted = |rule: &&Arc<Rule>| rule.counts().is_some();
        for rule in watch.rules.iter().chain(always).filter(counted) {
            let question = Question::of(rule);
            kinds
                .entry(question.source().unwrap_or(typed))
                .or_default()
                .entry(question)
                .or_default()
                .entry(&watch.target)
                .or_default()
                .insert(rule.name.as_str());
        }
    }
    kinds
}

async fn ask(
    kind: SourceKind,
    source: Arc<dyn Source>,
    asked: &Asked<'_>,
    book: &RuleBook,
    states: &BTreeMap<TargetId, TargetState>,
    findings: &mut Findings,
) {
    let queries: Vec<Query> = asked
        .iter()
        .map(|(question, targets)| Query {
            question: question.clone(),
            targets: targets
                .keys()
                .map(|target| query_target(target, book, states))
                .collect(),
        })
        .collect();
    let name = called(kind);
    let Ok(answers) = tokio::time::timeout(ANSWERED, source.read(&queries)).await else {
        findings.error(
            Area::Source,
            format!("{name} did not answer within {} s", ANSWERED.as_secs()),
            "is it up?",
        );
        return;
    };
    let (mut answered, mut all, mut down) = (0, 0, false);
    for (targets, answers) in asked.values().zip(answers) {
        for ((target, rules), answer) in targets.iter().zip(answers) {
            all += 1;
            let rules: Vec<&str> = rules.iter().copied().collect();
            let of = format!("{target}, rule `{}`", rules.join("`, `"));
            match judge(&answer) {
                Answer::Good => answered += 1,
                // Nothing can be measured of what is not there; that was told.
                Answer::Nothing(_) if !states.contains_key(*target) => {}
                Answer::Nothing(why) => findings.warning(
                    Area::Source,
                    format!("{name} has nothing for {of}: {why}"),
                    "has it had traffic since its pods started? else check the metric's name and labels, and the source's `podLabel` and `namespaceLabel`",
                ),
                Answer::Doubtful(why) => findings.warning(
                    Area::Source,
                    format!("{name} answers for {of}, but {why}"),
                    "check the name and the labels of that metric",
                ),
                Answer::Down(why) => {
                    down = true;
                    findings.error(
                        Area::Source,
                        why,
                        "is it up, and are address, credentials and network policies right? without it nothing is decided",
                    );
                }
            }
        }
    }
    if !down && all > 0 {
        findings.ok(
            Area::Source,
            format!(
                "{name} can be asked, its clock agrees with ours, and it answered {answered} of {all} questions with data"
            ),
        );
    }
}

fn query_target(
    target: &TargetId,
    book: &RuleBook,
    states: &BTreeMap<TargetId, TargetState>,
) -> QueryTarget {
    let watch = book.watches.iter().find(|watch| watch.target == *target);
    QueryTarget {
        id: target.clone(),
        pods: states
            .get(target)
            .map(|state| state.pods.clone())
            .unwrap_or_default(),
        scrape: watch.and_then(|watch| watch.scrape.clone()),
    }
}

/// What an answer says about the rule that asked.
enum Answer {
    Good,
    Nothing(String),
    Doubtful(String),
    Down(String),
}

fn judge(observation: &Observation) -> Answer {
    match observation {
        Observation::Reading(reading) => {
            let mut shape = false;
            let mut part = false;
            let mut ratio = false;
            for series in &reading.series {
                match &series.value {
                    Cumulative::Ratio {
                        part: found,
                        total: _,
                        part_shape,
                    } => {
                        ratio = true;
                        part |= found.is_some();
                        shape |= part_shape;
                    }
                    Cumulative::Histogram(_) => {}
                    Cumulative::Unusable { reason } => return Answer::Doubtful(reason.clone()),
                }
            }
            if reading.series.is_empty() {
                Answer::Nothing("there are no series of it".to_owned())
            } else if ratio && !part && !shape {
                Answer::Doubtful(
                    "the counted part of the ratio was never seen: it may be misspelt".to_owned(),
                )
            } else {
                Answer::Good
            }
        }
        Observation::Levels(levels) => match levels.unusable.first() {
            Some(reason) => Answer::Doubtful(reason.clone()),
            None if levels.readings.is_empty() => {
                Answer::Nothing("there are no values of it".to_owned())
            }
            None => Answer::Good,
        },
        Observation::NoData { reason } => Answer::Nothing(reason.clone()),
        Observation::Unavailable { cause: _, reason } => Answer::Down(reason.clone()),
    }
}

fn called(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Prometheus => "Prometheus",
        SourceKind::Scrape => "the pods' own metrics",
        SourceKind::Kubernetes => "the status of Kubernetes objects",
        SourceKind::HttpJson => "a JSON document over HTTP",
        SourceKind::Redis => "Redis",
    }
}
