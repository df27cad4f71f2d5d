//! Looks up the names that documents use of each other, and makes the rule book.

mod circular;
mod dependencies;
mod missing;
mod repeated;
pub(super) mod resources;
mod runbooks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::circular::Circles;
use self::missing::{meant, missing};
use self::repeated::{disjoint, duplicate, unique};
use self::runbooks::Against;
use super::always::DEFAULT_WINDOW;
use super::channel;
use super::drafts::{
    AlwaysDraft, ChannelDraft, Drafts, Reference, RuleDraft, RunbookDraft, SetDraft, Site,
    TaskDraft, WatchDraft, What,
};
use super::excerpt::quoted;
use super::report::Report;
use super::test;
use crate::ids::{ChannelName, RuleName, TargetId, TargetKind, WatchName};
use crate::rule::{
    Always, Channel, Check, LevelCheck, OnFail, OnRequest, Rule, RuleBook, Scope, Task, Watch,
};
use crate::testcase::TestCase;

/// Makes the rule book and the tests, as far as it goes; whether it may be used is for the caller, who counts errors.
///
/// Rule sets of `shipped` are used where no set of the user's has the same name.
pub(super) fn resolve(
    drafts: Drafts,
    shipped: Drafts,
    reports: &mut [Report<'_>],
) -> (RuleBook, Vec<TestCase>) {
    let Drafts {
        sets,
        watches,
        channels,
        runbooks,
        tests,
        incomplete,
    } = drafts;
    let mut names = Names {
        sets: BTreeMap::new(),
        channels: BTreeMap::new(),
        runbooks: BTreeMap::new(),
        incomplete,
    };
    for set in sets {
        names.add_set(set, reports);
    }
    for set in shipped.sets {
        names.sets.entry(Scoped::of_set(&set)).or_insert(set);
    }
    for channel in channels {
        names.add_channel(channel, reports);
    }
    for runbook in runbooks {
        names.add_runbook(runbook, reports);
    }
    names.check_runbooks(reports);
    let mut against = Against::default();
    let mut by_name: BTreeMap<WatchName, Site> = BTreeMap::new();
    let mut by_target: BTreeMap<TargetId, Site> = BTreeMap::new();
    let mut scopes: Vec<(Scope, Site)> = Vec::new();
    let mut on_request = Vec::new();
    let mut circles = Circles::default();
    dependencies::resolve(&watches, names.incomplete, reports);
    let watches = watches
        .into_iter()
        .filter_map(|mut watch| {
            unique(&watch, &mut by_name, &mut by_target, reports);
            if let Some(scope) = watch.scope.take() {
                disjoint(&scope, watch.site, &scopes, reports);
                scopes.push((scope.clone(), watch.site));
                watch.target = Some((any(&scope), watch.site));
                let pattern = names.watch(watch, reports)?;
                on_request.push(OnRequest::new(scope, pattern));
                return None;
            }
            let site = watch.site;
            let watch = names.watch(watch, reports)?;
            for runbook in watch.runbooks() {
                against.add(runbook, site, reports);
            }
            circles.add(&watch, site, reports);
            Some(watch)
        })
        .collect();
    let mut book = RuleBook {
        watches,
        on_request,
        channels: BTreeMap::new(),
    };
    let tests = test::resolve(tests, &names, &book, reports);
    book.channels = names
        .channels
        .into_values()
        .filter_map(|draft| draft.channel)
        .map(|channel: Channel| (channel.name.clone(), channel))
        .collect();
    (book, tests)
}

/// Channels that a list names, and those that its runbooks name; each once.
fn with(mut channels: Vec<Reference>, more: Vec<Reference>) -> Vec<Reference> {
    for reference in more {
        if channels.iter().all(|other| other.name != reference.name) {
            channels.push(reference);
        }
    }
    channels
}

/// Stands for all targets of a scope.
fn any(scope: &Scope) -> TargetId {
    TargetId {
        namespace: scope.namespaces.first().cloned().unwrap_or_default(),
        kind: scope.kinds.first().copied().unwrap_or(TargetKind::Rollout),
        name: String::new(),
    }
}

/// A name of a document that may belong to a namespace; `None`: it is for all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Scoped {
    name: String,
    namespace: Option<String>,
}

impl Scoped {
    fn of_set(set: &SetDraft) -> Self {
        Self {
            name: set.name.clone(),
            namespace: set.namespace.clone(),
        }
    }

    fn of_runbook(runbook: &RunbookDraft) -> Self {
        Self {
            name: runbook.name.clone(),
            namespace: runbook.namespace.clone(),
        }
    }

    fn of_channel(channel: &ChannelDraft) -> Self {
        Self {
            name: channel.name.clone(),
            namespace: channel.namespace.clone(),
        }
    }
}

/// What a watch of this namespace means by a name: its own namespace's comes before that for all.
fn meant_by<'m, T>(
    all: &'m BTreeMap<Scoped, T>,
    name: &str,
    namespace: Option<&str>,
) -> Option<&'m T> {
    let of = |namespace: Option<&str>| Scoped {
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
    };
    let own = namespace.and_then(|namespace| all.get(&of(Some(namespace))));
    own.or_else(|| all.get(&of(None)))
}

/// The names that a watch of this namespace can use.
fn known_to<'m, T>(
    all: &'m BTreeMap<Scoped, T>,
    namespace: Option<&'m str>,
) -> impl Iterator<Item = (&'m str, &'m T)> + Clone {
    all.iter()
        .filter(move |(scoped, _)| {
            scoped.namespace.is_none() || scoped.namespace.as_deref() == namespace
        })
        .map(|(scoped, value)| (scoped.name.as_str(), value))
}

/// What names can refer to.
pub(super) struct Names {
    sets: BTreeMap<Scoped, SetDraft>,
    channels: BTreeMap<Scoped, ChannelDraft>,
    runbooks: BTreeMap<Scoped, RunbookDraft>,
    /// Names may exist that we do not know: those that seem missing are not reported.
    incomplete: bool,
}

impl Names {
    /// All rule sets by name, and where they are written.
    pub(super) fn sets(&self) -> impl Iterator<Item = (&str, Site)> {
        self.sets
            .iter()
            .map(|(scoped, set)| (scoped.name.as_str(), set.site))
    }

    /// False: there is one of that name already, which was reported.
    fn add_set(&mut self, set: SetDraft, reports: &mut [Report<'_>]) -> bool {
        let scoped = Scoped::of_set(&set);
        if let Some(first) = self.sets.get(&scoped) {
            duplicate("rule set", &set.name, set.site, first.site, reports);
            return false;
        }
        self.sets.insert(scoped, set);
        true
    }

    /// False: there is one of that name already, which was reported.
    fn add_runbook(&mut self, runbook: RunbookDraft, reports: &mut [Report<'_>]) -> bool {
        let scoped = Scoped::of_runbook(&runbook);
        if let Some(first) = self.runbooks.get(&scoped) {
            duplicate("runbook", &runbook.name, runbook.site, first.site, reports);
            return false;
        }
        self.runbooks.insert(scoped, runbook);
        true
    }

    /// False: there is one of that name already, which was reported.
    fn add_channel(&mut self, channel: ChannelDraft, reports: &mut [Report<'_>]) -> bool {
        let scoped = Scoped::of_channel(&channel);
        if let Some(first) = self.channels.get(&scoped) {
            duplicate("channel", &channel.name, channel.site, first.site, reports);
            return false;
        }
        self.channels.insert(scoped, channel);
        true
    }

    /// Names may exist that are not known here.
    pub(super) fn incomplete(&self) -> bool {
        self.incomplete
    }

    pub(super) fn watch(&self, draft: WatchDraft, reports: &mut [Report<'_>]) -> Option<Watch> {
        let WatchDraft {
            name,
            site: _,
            target,
            scope: _,
            source,
            rules,
            watch,
            assurance,
            pause_at,
            gitops,
            stepped,
            traffic: _,
            dry_run,
            rollback,
            stuck_pods,
            fail_tasks,
            approval,
            depends_on,
            fail_channels,
            always,
            pass_channels,
            scrape,
            links,
        } = draft;
        let own = name.as_ref().map(|name| name.namespace.clone());
        let own = own.as_deref();
        let rules = self.rules(&rules, watch, own, reports);
        let always = self.always(always, own, reports);
        let resolved = self.runbook(&fail_tasks, own.unwrap_or_default(), reports);
        let notify = self.channels(&with(fail_channels, resolved.channels), own, reports);
        let on_pass = self.channels(&pass_channels, own, reports);
        Some(Watch {
            name: name?,
            target: target?.0,
            source,
            rules,
            watch,
            assurance,
            pause_at,
            gitops,
            stepped,
            dry_run,
            depends_on: depends_on.into_iter().map(|(on, _)| on).collect(),
            on_fail: OnFail {
                rollback,
                approval,
                stuck_pods,
                run: resolved.runbook,
                notify,
            },
            always,
            on_pass,
            scrape,
            links,
        })
    }

    fn always(
        &self,
        drafts: Vec<AlwaysDraft>,
        own: Option<&str>,
        reports: &mut [Report<'_>],
    ) -> Vec<Always> {
        let mut rules: Vec<Always> = Vec::new();
        for draft in drafts {
            // A scaling alone goes its own, older way.
            let only = match draft.tasks.as_slice() {
                [
                    TaskDraft {
                        what: What::Task(task),
                        ..
                    },
                ] => Some(&**task),
                _ => None,
            };
            let scale = match only {
                Some(Task::Scale {
                    scale,
                    ready: None,
                    evidence: None,
                }) => Some(scale.clone()),
                _ => None,
            };
            let resolved = self.runbook(&draft.tasks, own.unwrap_or_default(), reports);
            let run = resolved.runbook.filter(|_| scale.is_none());
            let channels = with(draft.channels, resolved.channels);
            let notify = self.channels(&channels, own, reports);
            let site = draft.rule.site;
            let Some(report) = reports.get_mut(site.file) else {
                continue;
            };
            let found = self.rules_of(&draft.rule, own, report);
            let mut values_only = !found.is_empty();
            for rule in found {
                let Some(rule) = &rule.rule else { continue };
                values_only &= rule.counts().is_none();
                if rules.iter().any(|other| other.rule.name == rule.name) {
                    report
                        .error(
                            site.span,
                            format!("rule `{}` is named twice in `always`", rule.name),
                        )
                        .help("leave one of them out: an incident is answered once");
                    continue;
                }
                let limited = rule
                    .counts()
                    .is_none_or(|check| check.max.is_some() || check.min.is_some());
                if !limited {
                    report
                        .error(
                            site.span,
                            format!("rule `{}` only compares, and between releases there is nothing to compare with", rule.name),
                        )
                        .help("give the rule a `max` or a `min` besides, or name the rules that have one");
                    continue;
                }
                if let Check::Level(LevelCheck {
                    compare: Some(_), ..
                }) = &rule.check
                {
                    report
                        .error(
                            site.span,
                            format!("rule `{}` compares with a baseline, and between releases there is none", rule.name),
                        )
                        .help("name a rule with the limit alone: copy it without its `compare`");
                    continue;
                }
                rules.push(Always {
                    rule: Arc::clone(rule),
                    window: draft.window.map_or(DEFAULT_WINDOW, |(window, _)| window),
                    recovery: draft.recovery.unwrap_or(Always::RECOVERY),
                    scale: scale.clone(),
                    run: run.clone(),
                    notify: notify.clone(),
                });
            }
            if let (true, Some((_, site))) = (values_only, draft.window) {
                report
                    .warn(
                        site.span,
                        format!("`window` is not used: `{}` reads a value", draft.rule.name),
                    )
                    .help("leave it out; how long a value must be beyond its limit stands in `for` of the rule");
            }
            if scale.is_none() && run.is_none() && channels.is_empty() {
                report
                    .warn(
                        site.span,
                        "when this rule is broken nobody is told, and nothing is done",
                    )
                    .help("add `{notify: [oncall]}` or `{scale: ...}` to its `onFail`");
            }
        }
        rules
    }

    fn rules(
        &self,
        references: &[Reference],
        watch: Duration,
        own: Option<&str>,
        reports: &mut [Report<'_>],
    ) -> Vec<Arc<Rule>> {
        let mut rules: Vec<Arc<Rule>> = Vec::new();
        let mut names: BTreeSet<&RuleName> = BTreeSet::new();
        for reference in references {
            let Some(report) = reports.get_mut(reference.site.file) else {
                continue;
            };
            for rule in self.rules_of(reference, own, report) {
                let Some(rule) = &rule.rule else { continue };
                if rule.lasting >= watch {
                    report
                        .error(
                            reference.site.span,
                            format!(
                                "rule `{}` can never fail a release: it must be broken for {}, and a release is watched for {}",
                                rule.name,
                                written(rule.lasting),
                                written(watch)
                            ),
                        )
                        .help("write a longer `release: {watch: …}`, or a shorter `for` in the rule");
                }
                if names.insert(&rule.name) {
                    rules.push(Arc::clone(rule));
                } else {
                    report
                        .error(
                            reference.site.span,
                            format!("rule `{}` is named twice", rule.name),
                        )
                        .help("a rule set holds all of its rules: leave the single rule out");
                }
            }
        }
        let blind = !rules.is_empty() && rules.iter().all(|rule| rule.only_accuses());
        if let (true, Some(last)) = (blind, references.last())
            && let Some(report) = reports.get_mut(last.site.file)
        {
            report
                .warn(
                    last.site.span,
                    "all rules of this watch are about alerts, so no release ever passes: that none fires is no proof that all is well",
                )
                .help("add a rule that measures something, such as `http`");
        }
        rules
    }

    /// The rules that a reference means: a whole set, or one rule of it.
    fn rules_of(
        &self,
        reference: &Reference,
        own: Option<&str>,
        report: &mut Report<'_>,
    ) -> &[RuleDraft] {
        let (set_name, rule_name) = match reference.name.split_once('/') {
            Some((set, rule)) => (set, Some(rule)),
            None => (reference.name.as_str(), None),
        };
        let Some(set) = meant_by(&self.sets, set_name, own) else {
            if !self.incomplete {
                self.missing_set(reference, (set_name, rule_name), own, report);
            }
            return &[];
        };
        let Some(rule_name) = rule_name else {
            return &set.rules;
        };
        if let Some(rule) = set.rules.iter().find(|rule| rule.name == rule_name) {
            return std::slice::from_ref(rule);
        }
        if !set.partial {
            missing(
                reference,
                &format!("rule set `{set_name}` has no rule {}", quoted(rule_name)),
                || {
                    let known = set.rules.iter().map(|rule| rule.name.as_str());
                    meant(rule_name, known, "its rules are")
                        .unwrap_or_else(|| "it has no rules".to_owned())
                },
                report,
            );
        }
        &[]
    }

    fn missing_set(
        &self,
        reference: &Reference,
        (set_name, rule_name): (&str, Option<&str>),
        own: Option<&str>,
        report: &mut Report<'_>,
    ) {
        let help = || {
            let elsewhere = known_to(&self.sets, own).filter(|(_, set)| {
                rule_name.is_none() && set.rules.iter().any(|rule| rule.name == set_name)
            });
            let elsewhere: Vec<String> = elsewhere
                .map(|(name, _)| format!("`{name}/{set_name}`"))
                .take(10)
                .collect();
            match elsewhere.as_slice() {
                [only] => format!("there is a rule of that name in a set: write {only}"),
                [_, ..] => format!(
                    "there are rules of that name in several sets: write one of {}",
                    elsewhere.join(", ")
                ),
                [] => meant(
                    set_name,
                    known_to(&self.sets, own).map(|(name, _)| name),
                    "the rule sets are",
                )
                .unwrap_or_else(|| "no rule set is defined in these files".to_owned()),
            }
        };
        let message = format!("there is no rule set {}", quoted(set_name));
        missing(reference, &message, help, report);
    }

    fn channels(
        &self,
        references: &[Reference],
        own: Option<&str>,
        reports: &mut [Report<'_>],
    ) -> Vec<ChannelName> {
        let mut names = Vec::new();
        for reference in references {
            let found = meant_by(&self.channels, &reference.name, own);
            names.push(channel::full_name(
                found.and_then(|channel| channel.namespace.as_deref()),
                &reference.name,
            ));
            if self.incomplete || found.is_some() {
                continue;
            }
            let Some(report) = reports.get_mut(reference.site.file) else {
                continue;
            };
            let help = || {
                let known = known_to(&self.channels, own).map(|(name, _)| name);
                meant(&reference.name, known, "the channels are").unwrap_or_else(|| {
                    "no channel is defined in these files: add a document `kind: Channel`, or give its file too"
                        .to_owned()
                })
            };
            let message = format!("there is no channel {}", quoted(&reference.name));
            missing(reference, &message, help, report);
        }
        names
    }
}

/// A duration as people write it here.
fn written(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "m"), (rest, "s")];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    let text = parts.concat();
    if text.is_empty() {
        format!("{}ms", duration.as_millis())
    } else {
        text
    }
}
