//! Resolves resources one by one beside the documents of files: each has a report of its own, and only its own errors
//! count against it.

use std::collections::BTreeMap;

use super::circular::Circles;
use super::repeated::{disjoint, unique};
use super::runbooks::Against;
use super::{Names, Scoped, any, duplicate};
use crate::ids::{TargetId, WatchName};
use crate::rule::{OnRequest, RuleBook, Scope, Watch};
use crate::spec::checks::Checks;
use crate::spec::diagnostic::SourceFile;
use crate::spec::drafts::{Drafts, Site, WatchDraft};
use crate::spec::report::{Report, Span};
use crate::spec::resources::{Form, Found, Good, LastGood, Merged, Resource, ResourceKey};

/// What was accepted so far.
#[derive(Default)]
struct Accepted {
    book: RuleBook,
    by_name: BTreeMap<WatchName, Site>,
    by_target: BTreeMap<TargetId, Site>,
    scopes: Vec<(Scope, Site)>,
    circles: Circles,
    against: Against,
}

pub(in crate::spec) fn merge(
    files: &[SourceFile],
    shipped: &[SourceFile],
    resources: &[Resource],
    last: &mut LastGood,
    checks: Checks,
) -> Merged {
    // The last good forms of rule sets and channels are read like files; their sites need reports, too.
    let texts: Vec<(usize, SourceFile)> = resources
        .iter()
        .enumerate()
        .filter_map(
            |(index, resource)| match &last.of.get(&resource.key)?.form {
                Form::Text(text) => Some((index, text.clone())),
                Form::Watch(_) | Form::OnRequest(_) => None,
            },
        )
        .collect();
    let report = |file| Report::new(file, checks);
    let of_files = files.len() + shipped.len();
    let mut reports: Vec<Report<'_>> = files.iter().chain(shipped).map(report).collect();
    let of = |resource: &Resource, report| {
        if resource.shared {
            report
        } else {
            Report::of_a_team(report)
        }
    };
    let own = resources.iter().map(|r| of(r, report(&r.file)));
    reports.extend(own);
    for (index, text) in &texts {
        let resource = resources.get(*index);
        reports.extend(resource.map(|resource| of(resource, report(text))));
    }

    let mut drafts = Drafts::default();
    let mut of_shipped = Drafts::default();
    let (first, rest) = reports.split_at_mut(files.len());
    super::super::read(first, 0, &mut drafts, None);
    let (second, _) = rest.split_at_mut(shipped.len());
    super::super::read(second, files.len(), &mut of_shipped, None);

    let mut names = Names {
        sets: BTreeMap::new(),
        channels: BTreeMap::new(),
        runbooks: BTreeMap::new(),
        incomplete: false,
    };
    for set in drafts.sets {
        names.add_set(set, &mut reports);
    }
    for set in of_shipped.sets {
        names.sets.entry(Scoped::of_set(&set)).or_insert(set);
    }
    for channel in drafts.channels {
        names.add_channel(channel, &mut reports);
    }
    for runbook in drafts.runbooks {
        names.add_runbook(runbook, &mut reports);
    }
    let mut read: Vec<Drafts> = Vec::new();
    let place = |index: usize| of_files + index;
    for (index, resource) in resources.iter().enumerate() {
        let mut draft = read_one(&mut reports, place(index));
        belong(&mut draft, resource);
        let before = errors(&reports, place(index));
        let good = before == 0 && named(&mut names, &mut draft, &mut reports);
        if !good {
            let spare = texts.iter().position(|(of, _)| *of == index);
            if let Some(spare) = spare {
                let mut old = read_one(&mut reports, place(resources.len() + spare));
                belong(&mut old, resource);
                // A file that took its name since wins.
                named(&mut names, &mut old, &mut reports);
            }
        }
        read.push(draft);
    }

    // A runbook that leads nowhere is none: who runs it is told so, instead of running a part of it.
    names.check_runbooks(&mut reports);
    names.runbooks.retain(|_, runbook| {
        runbook.site.file < of_files || errors(&reports, runbook.site.file) == 0
    });

    let mut accepted = Accepted::default();
    for watch in drafts.watches {
        accept(watch, &names, &mut accepted, &mut reports);
    }
    let mut kept: BTreeMap<&ResourceKey, bool> = BTreeMap::new();
    for (index, (resource, draft)) in resources.iter().zip(read).enumerate() {
        let at = place(index);
        for watch in draft.watches {
            within_namespace(&watch, resource, at, &mut reports);
            let form = if errors(&reports, at) == 0 {
                accept(watch, &names, &mut accepted, &mut reports)
            } else {
                None
            };
            if let Some(form) = form.filter(|_| errors(&reports, at) == 0) {
                remember(last, resource, form);
            }
        }
        let good = errors(&reports, at) == 0;
        match last.of.get(&resource.key).map(|good| &good.form) {
            Some(Form::Watch(watch)) if !good => {
                let site = Site {
                    file: at,
                    span: START,
                };
                let stays = accepted.keep((**watch).clone(), site);
                kept.insert(&resource.key, stays);
            }
            Some(Form::OnRequest(watch)) if !good => {
                let stays = !accepted
                    .scopes
                    .iter()
                    .any(|(s, _)| s.overlaps(&watch.scope));
                if stays {
                    accepted.book.on_request.push((**watch).clone());
                }
                kept.insert(&resource.key, stays);
            }
            Some(Form::Text(_)) if !good => {
                kept.insert(&resource.key, true);
            }
            Some(Form::Text(_)) | None
                if good && resource.key.kind != crate::spec::ResourceKind::Watch =>
            {
                remember(last, resource, Form::Text(resource.file.clone()));
            }
            Some(Form::Text(_) | Form::Watch(_) | Form::OnRequest(_)) | None => {}
        }
    }
    let mut book = accepted.book;
    book.channels = names
        .channels
        .into_values()
        .filter_map(|draft| draft.channel)
        .map(|channel| (channel.name.clone(), channel))
        .collect();
    forget_channels(&mut book);
    let found = resources
        .iter()
        .zip(reports.into_iter().skip(of_files))
        .map(|(resource, report)| {
            let good = report.errors() == 0;
            let found = Found {
                diagnostics: report.finish(),
                good,
                kept: kept.get(&resource.key).copied().unwrap_or(false),
            };
            (resource.key.clone(), found)
        })
        .collect();
    Merged { book, found }
}

const START: Span = Span { start: 0, end: 1 };

fn errors(reports: &[Report<'_>], at: usize) -> usize {
    reports.get(at).map_or(0, Report::errors)
}

fn read_one(reports: &mut [Report<'_>], at: usize) -> Drafts {
    let mut drafts = Drafts::default();
    if let Some(report) = reports.get_mut(at) {
        super::super::read(std::slice::from_mut(report), at, &mut drafts, None);
    }
    drafts
}

/// What lies in the agent's own namespace is for all.
fn belong(drafts: &mut Drafts, resource: &Resource) {
    if !resource.shared {
        return;
    }
    for set in &mut drafts.sets {
        set.namespace = None;
    }
    for runbook in &mut drafts.runbooks {
        runbook.namespace = None;
    }
    for channel in &mut drafts.channels {
        channel.namespace = None;
        if let Some(found) = &mut channel.channel {
            found.name = crate::ids::ChannelName(channel.name.clone());
        }
    }
}

/// Gives a rule set or a channel its name; false: another one has it.
fn named(names: &mut Names, drafts: &mut Drafts, reports: &mut [Report<'_>]) -> bool {
    let mut good = true;
    for set in std::mem::take(&mut drafts.sets) {
        good &= names.add_set(set, reports);
    }
    for runbook in std::mem::take(&mut drafts.runbooks) {
        good &= names.add_runbook(runbook, reports);
    }
    for channel in std::mem::take(&mut drafts.channels) {
        good &= names.add_channel(channel, reports);
    }
    good
}

/// Takes up a watch, unless its name or target is taken or its actions go round in a circle, which is reported.
fn accept(
    mut watch: WatchDraft,
    names: &Names,
    accepted: &mut Accepted,
    reports: &mut [Report<'_>],
) -> Option<Form> {
    let site = watch.site;
    let before = errors(reports, site.file);
    if let Some(scope) = watch.scope.take() {
        if let Some(first) = watch.name.as_ref().and_then(|n| accepted.by_name.get(n)) {
            let name = watch.name.as_ref().map(ToString::to_string);
            duplicate("watch", &name.unwrap_or_default(), site, *first, reports);
        }
        disjoint(&scope, site, &accepted.scopes, reports);
        watch.target = Some((any(&scope), site));
        let name = watch.name.clone();
        let pattern = names.watch(watch, reports)?;
        if errors(reports, site.file) > before {
            return None;
        }
        let watch = OnRequest::new(scope.clone(), pattern);
        accepted.scopes.push((scope, site));
        accepted.by_name.extend(name.map(|name| (name, site)));
        accepted.book.on_request.push(watch.clone());
        return Some(Form::OnRequest(Box::new(watch)));
    }
    unique(
        &watch,
        &mut accepted.by_name,
        &mut accepted.by_target,
        reports,
    );
    let watch = names.watch(watch, reports);
    for runbook in watch.iter().flat_map(Watch::runbooks) {
        accepted.against.add(runbook, site, reports);
    }
    let good = watch.filter(|watch| {
        errors(reports, site.file) == before && accepted.circles.add(watch, site, reports)
    });
    let Some(watch) = good else {
        // It takes nobody's place.
        accepted.by_name.retain(|_, taken| taken.file != site.file);
        accepted
            .by_target
            .retain(|_, taken| taken.file != site.file);
        return None;
    };
    accepted.book.watches.push(watch.clone());
    Some(Form::Watch(Box::new(watch)))
}

impl Accepted {
    /// The last good form of a watch, unless another has its name or target by now.
    fn keep(&mut self, watch: Watch, site: Site) -> bool {
        let taken = self.by_name.contains_key(&watch.name)
            || self.by_target.contains_key(&watch.target)
            || !self.circles.add(&watch, site, &mut []);
        if taken {
            return false;
        }
        self.by_name.insert(watch.name.clone(), site);
        self.by_target.insert(watch.target.clone(), site);
        self.book.watches.push(watch);
        true
    }
}

/// A team's watch takes up workloads of its own namespace only.
fn within_namespace(
    watch: &WatchDraft,
    resource: &Resource,
    at: usize,
    reports: &mut [Report<'_>],
) {
    let Some(scope) = &watch.scope else { return };
    let other = scope
        .namespaces
        .iter()
        .find(|n| **n != resource.key.namespace);
    if let (Some(other), Some(report), false) = (other, reports.get_mut(at), resource.shared) {
        report
            .error(
                watch.site.span,
                format!("this watch would take up workloads of namespace `{other}`, which is not its own"),
            )
            .help("leave `namespaces` out: a resource watches its own namespace; what watches several stands in a file, or in the agent's namespace");
    }
}

fn remember(last: &mut LastGood, resource: &Resource, form: Form) {
    let good = Good {
        uid: resource.uid.clone(),
        form,
    };
    last.of.insert(resource.key.clone(), good);
}

/// A watch that goes on as it was may name channels that are gone.
fn forget_channels(book: &mut RuleBook) {
    let channels = &book.channels;
    for watch in &mut book.watches {
        watch
            .on_fail
            .notify
            .retain(|name| channels.contains_key(name));
        watch.on_pass.retain(|name| channels.contains_key(name));
        for always in &mut watch.always {
            always.notify.retain(|name| channels.contains_key(name));
        }
    }
}
