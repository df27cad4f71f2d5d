//! Lists of actions become runbooks: `run` is replaced by the steps of what it names, and what goes wrong is reported.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::drafts::{Reference, Site, TaskDraft, What};
use super::super::report::Report;
use super::missing::{meant, missing};
use super::{Names, known_to, meant_by};
use crate::change::ObjectRef;
use crate::rule::{Runbook, Task, WhenStuck};

/// Steps of one runbook, with those that it runs.
const MOST: usize = 64;

/// What a watch runs, and whom its runbooks tell.
pub(super) struct Resolved {
    pub(super) runbook: Option<Arc<Runbook>>,
    pub(super) channels: Vec<Reference>,
}

struct Flat<'a> {
    /// The namespace whose runbooks and channels are meant before those for all.
    own: Option<&'a str>,
    tasks: Vec<(Task, Site)>,
    channels: Vec<Reference>,
    undo: Vec<(Option<Duration>, Site)>,
    when_stuck: Vec<WhenStuck>,
    /// The runbooks that are being replaced by their steps, outermost first.
    within: Vec<&'a str>,
    /// A runbook that came again within itself.
    circle: Option<Vec<&'a str>>,
}

impl<'a> Flat<'a> {
    fn new(own: Option<&'a str>, within: Vec<&'a str>) -> Self {
        Self {
            own,
            tasks: Vec::new(),
            channels: Vec::new(),
            undo: Vec::new(),
            when_stuck: Vec::new(),
            within,
            circle: None,
        }
    }
}

impl Names {
    /// The actions of one list as one runbook, in the namespace of the watch.
    pub(super) fn runbook(
        &self,
        drafts: &[TaskDraft],
        namespace: &str,
        reports: &mut [Report<'_>],
    ) -> Resolved {
        let mut flat = Flat::new(Some(namespace), Vec::new());
        for draft in drafts {
            self.flatten(draft, true, &mut flat, reports);
        }
        let undo_after = one_undo(&flat.undo, reports);
        twice(&flat.tasks, reports);
        let name = match drafts {
            [
                TaskDraft {
                    what: What::Run(name),
                    ..
                },
            ] => name.clone(),
            _ => "onFail".to_owned(),
        };
        let mut stuck = flat.when_stuck.iter();
        let when_stuck = stuck.next().copied().unwrap_or_default();
        let steps: Vec<Task> = flat
            .tasks
            .into_iter()
            .map(|(task, _)| task.in_namespace(namespace))
            .collect();
        Resolved {
            runbook: (!steps.is_empty()).then(|| {
                Arc::new(Runbook {
                    name,
                    steps,
                    undo_after,
                    when_stuck,
                })
            }),
            channels: flat.channels,
        }
    }

    fn flatten<'a>(
        &'a self,
        draft: &'a TaskDraft,
        outermost: bool,
        flat: &mut Flat<'a>,
        reports: &mut [Report<'_>],
    ) {
        let site = draft.site;
        let name = match &draft.what {
            What::Task(task) => {
                if flat.tasks.len() >= MOST {
                    if let Some(report) = reports.get_mut(site.file) {
                        report
                            .error(site.span, format!("more than {MOST} steps are done as one"))
                            .help("write several watches, or fewer steps");
                    }
                    return;
                }
                if outermost {
                    flat.undo.push((draft.undo, site));
                }
                flat.tasks.push(((**task).clone(), site));
                return;
            }
            What::Run(name) => name,
        };
        let Some(found) = meant_by(&self.runbooks, name, flat.own) else {
            // What is missing within a runbook is reported where that is checked.
            if let Some(report) = reports.get_mut(site.file)
                && outermost
                && !self.incomplete
            {
                let reference = Reference {
                    name: name.clone(),
                    site,
                };
                let known = known_to(&self.runbooks, flat.own).map(|(name, _)| name);
                missing(
                    &reference,
                    &format!("there is no runbook `{name}`"),
                    || {
                        meant(name, known, "the runbooks are").unwrap_or_else(|| {
                            "write a document of `kind: Runbook` with this name".to_owned()
                        })
                    },
                    report,
                );
            }
            return;
        };
        if let Some(start) = flat.within.iter().position(|other| other == name) {
            let mut circle = flat.within.split_off(start);
            flat.within.extend(circle.iter().copied());
            circle.push(name);
            flat.circle.get_or_insert(circle);
            return;
        }
        if outermost {
            flat.undo.push((found.undo, site));
            flat.when_stuck.push(found.when_stuck);
        }
        // What is missing is reported where the runbook is checked.
        let own = flat.own;
        let known = |channel: &&Reference| meant_by(&self.channels, &channel.name, own).is_some();
        flat.channels
            .extend(found.channels.iter().filter(known).cloned());
        flat.within.push(name);
        for inner in &found.tasks {
            self.flatten(inner, false, flat, reports);
        }
        flat.within.pop();
    }

    /// Runbooks that run each other, and steps that name nothing, also where no watch runs them.
    pub(super) fn check_runbooks(&self, reports: &mut [Report<'_>]) {
        for draft in self.runbooks.values() {
            let own = draft.namespace.as_deref();
            self.channels(&draft.channels, own, reports);
            let mut told = false;
            for task in &draft.tasks {
                let mut flat = Flat::new(own, vec![draft.name.as_str()]);
                self.flatten(task, true, &mut flat, reports);
                let circle = flat
                    .circle
                    .filter(|circle| circle.first() == Some(&draft.name.as_str()));
                if let (Some(circle), Some(report), false) =
                    (circle, reports.get_mut(task.site.file), told)
                {
                    told = true;
                    report
                        .error(
                            task.site.span,
                            format!(
                                "runbooks run each other in a circle: {}",
                                circle.join(" → ")
                            ),
                        )
                        .help("leave one of the steps `run` out");
                }
            }
        }
    }
}

/// One list is taken back as a whole, or not at all.
fn one_undo(undo: &[(Option<Duration>, Site)], reports: &mut [Report<'_>]) -> Option<Duration> {
    let (first, _) = undo.first()?;
    let other = undo.iter().find(|(undo, _)| undo != first);
    if let Some((_, site)) = other
        && let Some(report) = reports.get_mut(site.file)
    {
        report
            .error(
                site.span,
                "the actions of one list are taken back together, and these say different times",
            )
            .help("give each of them the same `undo`, or none of them; or put them into a Runbook with one `undo`");
    }
    *first
}

/// The same thing set twice in one list.
fn twice(tasks: &[(Task, Site)], reports: &mut [Report<'_>]) {
    let mut seen: BTreeMap<(ObjectRef, String), Site> = BTreeMap::new();
    for (task, site) in tasks {
        // Somebody outside may be called twice.
        let Some(object) = task.object() else {
            continue;
        };
        let key = (object, task.place());
        if let Some(first) = seen.get(&key) {
            let first = reports
                .get(first.file)
                .map(|report| report.position(first.span));
            if let Some(report) = reports.get_mut(site.file) {
                let (object, place) = key;
                let object = format!("{}/{}", object.kind, object.name);
                let finding = report.error(
                    site.span,
                    format!("{place} of {object} is set twice in one list"),
                );
                if let Some(first) = first {
                    finding
                        .note(format!("it is first set at {first}"))
                        .help("leave one of them out");
                }
            }
            continue;
        }
        seen.insert(key, *site);
    }
}

/// What each watch sets, to find two that act against each other.
#[derive(Default)]
pub(super) struct Against(BTreeMap<(ObjectRef, String), (String, Site)>);

impl Against {
    /// Reports what another watch sets to something else.
    pub(super) fn add(&mut self, runbook: &Runbook, site: Site, reports: &mut [Report<'_>]) {
        for task in &runbook.steps {
            let (Some(value), Some(object)) = (task.value(), task.object()) else {
                continue;
            };
            let key = (object, task.place());
            let Some((other, first)) = self.0.get(&key) else {
                self.0.insert(key, (value, site));
                continue;
            };
            if *other == value {
                continue;
            }
            let first = reports
                .get(first.file)
                .map(|report| report.position(first.span));
            let other = other.clone();
            if let Some(report) = reports.get_mut(site.file) {
                let (object, place) = &key;
                let finding = report.error(
                    site.span,
                    format!(
                        "two watches act against each other: {place} of {object} is set to {value} here, and to {other} by another one"
                    ),
                );
                if let Some(first) = first {
                    finding
                        .note(format!("the other one is at {first}"))
                        .help("let both set the same, or let one of them only notify");
                }
            }
        }
    }
}
