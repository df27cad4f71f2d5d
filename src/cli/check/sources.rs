//! Whether targets are there, and whether the sources answer the questions of their rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use recant_core::ids::TargetId;
use recant_core::observation::{Cumulative, Observation};
use recant_core::rule::{Question, RuleBook, SourceKind};
use recant_core::target::TargetState;
use tokio_util::sync::CancellationToken;

use super::findings::{Area, Findings};
use super::{pausing, targets};
use crate::cli::run::sources::sources;
use crate::cluster::kubernetes::KubernetesCluster;
use crate::config::settings::Settings;
use crate::secrets::{KubernetesSecrets, Secrets};
use crate::source::{Query, QueryTarget, Source};

/// Above the deadlines that the sources have of their own.
const ANSWERED: Duration = Duration::from_secs(90);

/// Looks at the targets, then asks their sources once.
pub(super) async fn look(
    client: &Client,
    settings: &Settings,
    book: &RuleBook,
    namespace: &str,
    findings: &mut Findings,
) {
    if book.watches_nothing() {
        findings.warning(
            Area::Target,
            "the rules hold no Watch, so nothing would be watched",
            "add a Watch that names a target",
        );
    }
    for asked in &book.on_request {
        let name = asked.name();
        let what = format!(
            "Watch {name} takes up what is asked about: its workloads, and their metrics, were not looked at"
        );
        findings.ok(Area::Target, what);
    }
    if book.watches.is_empty() {
        return;
    }
    let wanted: BTreeSet<TargetId> = book.watches.iter().map(|w| w.target.clone()).collect();
    let list: Vec<TargetId> = wanted.iter().cloned().collect();
    let stop = CancellationToken::new();
    let cluster = Arc::new(KubernetesCluster::start(client.clone(), &list, &stop));
    let states = targets::look(&cluster, &wanted, findings).await;
    pausing::look(book, &states, findings);
    let secrets = Secrets::in_cluster(Arc::new(KubernetesSecrets::new(client.clone(), namespace)));
    for (kind, asked) in questions(settings, book) {
        if kind == SourceKind::Alerts {
            hears_alerts(settings, &asked, findings);
            continue;
        }
        match sources(
            settings,
            &BTreeSet::from([kind]),
            &BTreeMap::new(),
            &secrets,
            &cluster,
        ) {
            Ok(sources) => {
                for source in sources.into_values() {
                    ask(kind, source, &asked, book, &states, findings).await;
                }
            }
            Err(error) => findings.error(
                Area::Source,
                format!("{}: {error:#}", called(kind)),
                "mend the settings, see `recant run --help`",
            ),
        }
    }
    stop.cancel();
    cluster.stopped().await;
}

/// Each question with the targets that ask it, and the names of the rules.
type Asked<'b> = BTreeMap<Question, BTreeMap<&'b TargetId, BTreeSet<&'b str>>>;

fn questions<'b>(settings: &Settings, book: &'b RuleBook) -> BTreeMap<SourceKind, Asked<'b>> {
    let mut kinds: BTreeMap<SourceKind, Asked<'b>> = BTreeMap::new();
    for watch in &book.watches {
        let typed = watch.source.unwrap_or(settings.source);
        let always = watch.always.iter().map(|always| &always.rule);
        for rule in watch.rules.iter().chain(always) {
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

/// Nothing can be asked: only whether somebody could report is known.
fn hears_alerts(settings: &Settings, asked: &Asked<'_>, findings: &mut Findings) {
    let rules: BTreeSet<&str> = asked
        .values()
        .flat_map(|targets| targets.values().flatten().copied())
        .collect();
    let rules: Vec<&str> = rules.into_iter().collect();
    let rules = format!("`{}`", rules.join("`, `"));
    match &settings.api {
        Some(api) => findings.ok(
            Area::Source,
            format!(
                "alerts are taken at {}/alertmanager/v1/webhook for {rules}; whether Alertmanager sends them is not known here",
                api.address
            ),
        ),
        None => findings.error(
            Area::Source,
            format!("{rules}: about alerts, and nobody can report one"),
            "set `api.address`, and make `/alertmanager/v1/webhook` there a receiver of Alertmanager",
        ),
    }
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
                "{name} can be asked{}, and answered {answered} of {all} questions with data",
                clock(kind)
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

/// What an answer says about the clock of those that are asked for their time.
fn clock(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Prometheus | SourceKind::HttpJson => ", its clock agrees with ours",
        SourceKind::Scrape | SourceKind::Kubernetes | SourceKind::Redis | SourceKind::Alerts => "",
    }
}

fn called(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Prometheus => "Prometheus",
        SourceKind::Scrape => "the pods' own metrics",
        SourceKind::Kubernetes => "the status of Kubernetes objects",
        SourceKind::HttpJson => "JSON over HTTP",
        SourceKind::Redis => "Redis",
        SourceKind::Alerts => "Alertmanager's webhook",
    }
}
