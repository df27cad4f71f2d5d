//! What the watches have shown, turned into news: a plain structure that is fed by method calls.

mod workloads;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use recant_core::ids::{TargetId, TargetKind};
use recant_core::target::naming::{Named, Naming};
use recant_core::target::{ObjectStatus, Pod, TargetNews, TargetState};

use self::workloads::{Moved, Workloads};
use super::facts::{Progress, RevisionFacts, WorkloadFacts};
use super::pod::{PodFacts, SeenPod};
use super::state::target_state;
use super::table::{Table, Touched};

/// Workloads that one name finds, at most: more are not told apart by it anyway.
const MOST_NAMED: usize = 11;

/// The targets, and what is known of their namespaces.
#[derive(Debug, Default)]
pub(super) struct Index {
    namespaces: BTreeMap<String, Namespace>,
    /// Targets by the uid of their object.
    uids: BTreeMap<String, TargetId>,
    /// What was offered last; absent: nothing yet.
    offered: BTreeMap<TargetId, Option<TargetState>>,
    dirty: BTreeSet<TargetId>,
}

/// What happened to the objects of one watch.
#[derive(Debug)]
pub(super) enum Change<T> {
    /// A list begins.
    List,
    Applied(T),
    Deleted(T),
    /// The list is whole.
    Listed,
}

/// A `ReplicaSet`, `ControllerRevision` or pod as a watch showed it: its uid, and what is kept of it.
#[derive(Debug)]
pub(super) struct Seen<T> {
    pub(super) uid: String,
    pub(super) facts: Option<T>,
}

/// A workload as a watch showed it.
#[derive(Debug)]
pub(super) struct SeenWorkload {
    pub(super) name: String,
    pub(super) facts: WorkloadFacts,
}

#[derive(Debug, Default)]
struct Namespace {
    workloads: BTreeMap<TargetKind, Workloads>,
    sets: Table<RevisionFacts>,
    revisions: Table<RevisionFacts>,
    pods: Table<SeenPod>,
    kill_switch: bool,
}

impl Index {
    /// An index of these targets.
    #[cfg(test)]
    pub(super) fn new(targets: &[TargetId]) -> Self {
        let mut index = Self::default();
        index.follow(targets, &BTreeSet::new());
        index
    }

    /// These are the targets from now on, and in these places all workloads are kept. Namespaces and kinds of which more
    /// is kept than before: their workloads must be listed anew.
    pub(super) fn follow(
        &mut self,
        targets: &[TargetId],
        places: &BTreeSet<(String, TargetKind)>,
    ) -> BTreeSet<(String, TargetKind)> {
        let wanted: BTreeSet<&TargetId> = targets.iter().collect();
        let mut anew = BTreeSet::new();
        for (namespace, kind) in places {
            let known = self.namespaces.entry(namespace.clone()).or_default();
            let workloads = known.workloads.entry(*kind).or_default();
            if workloads.others.is_none() {
                workloads.others = Some(BTreeMap::new());
                workloads.synced = false;
                workloads.listing = None;
                anew.insert((namespace.clone(), *kind));
            }
        }
        for target in &wanted {
            let workloads = self
                .namespaces
                .entry(target.namespace.clone())
                .or_default()
                .workloads
                .entry(target.kind)
                .or_default();
            if !workloads.by_name.contains_key(&target.name) {
                self.dirty.insert((*target).clone());
                if let Some(known) = workloads.known(&target.name) {
                    self.uids.insert(known.uid.clone(), (*target).clone());
                    workloads.by_name.insert(target.name.clone(), Some(known));
                    continue;
                }
                workloads.by_name.insert(target.name.clone(), None);
                // Until then nothing is said of them: what was not listed looks like what does not exist.
                workloads.synced = false;
                workloads.listing = None;
                anew.insert((target.namespace.clone(), target.kind));
            }
        }
        self.namespaces.retain(|namespace, known| {
            known.workloads.retain(|kind, workloads| {
                if !places.contains(&(namespace.clone(), *kind)) {
                    workloads.others = None;
                }
                let Workloads {
                    by_name, others, ..
                } = workloads;
                by_name.retain(|name, facts| {
                    let stays = wanted.contains(&TargetId {
                        namespace: namespace.clone(),
                        kind: *kind,
                        name: name.clone(),
                    });
                    if let (false, Some(others), Some(facts)) =
                        (stays, &mut *others, facts.take_if(|_| !stays))
                    {
                        others.insert(name.clone(), facts);
                    }
                    stays
                });
                !by_name.is_empty() || others.is_some()
            });
            known.forget_unwatched();
            !known.workloads.is_empty()
        });
        self.uids.retain(|_, target| wanted.contains(target));
        self.offered.retain(|target, _| wanted.contains(target));
        self.dirty.retain(|target| wanted.contains(target));
        anew
    }

    /// What changed since the last call. Targets of a namespace whose first lists are not whole have no news yet.
    pub(super) fn news(&mut self, now: Instant) -> Vec<TargetNews> {
        let mut expired = Touched::new();
        for namespace in self.namespaces.values_mut() {
            let sets = namespace.pods.expire(now);
            expired.extend(namespace.owners(&sets));
            expired.extend(namespace.sets.expire(now));
            expired.extend(namespace.revisions.expire(now));
        }
        self.touch(&expired);
        let mut news = Vec::new();
        for target in std::mem::take(&mut self.dirty) {
            let Some(namespace) = self
                .namespaces
                .get(&target.namespace)
                .filter(|namespace| namespace.synced(target.kind))
            else {
                self.dirty.insert(target);
                continue;
            };
            let state = namespace.state(&target);
            if self.offered.get(&target) == Some(&state) {
                continue;
            }
            news.push(match &state {
                Some(state) => TargetNews::State(Box::new(state.clone())),
                None => TargetNews::Gone(target.clone()),
            });
            self.offered.insert(target, state);
        }
        news
    }

    /// The workloads that are meant, of those that are known here: no more than [`MOST_NAMED`].
    ///
    /// # Errors
    /// They were not listed yet.
    pub(super) fn find(&self, naming: &Naming) -> Result<Vec<Named>, String> {
        let namespace = self.namespaces.get(&naming.namespace);
        let Some(workloads) = namespace.and_then(|known| known.workloads.get(&naming.kind)) else {
            return Ok(Vec::new());
        };
        if !workloads.synced {
            return Err(format!(
                "the {}s of namespace `{}` were not listed yet",
                naming.kind, naming.namespace
            ));
        }
        let named = |name: &String, facts: &WorkloadFacts| Named {
            target: TargetId {
                namespace: naming.namespace.clone(),
                kind: naming.kind,
                name: name.clone(),
            },
            labels: facts.names.labels.clone(),
        };
        if let Some(name) = &naming.name {
            let facts = workloads.by_name.get(name).and_then(Option::as_ref);
            let facts = facts.or_else(|| workloads.others.as_ref()?.get(name));
            let facts = facts.filter(|facts| naming.means(name, &facts.names));
            return Ok(facts.map(|facts| named(name, facts)).into_iter().collect());
        }
        Ok(workloads
            .all()
            .filter(|(name, facts)| naming.means(name, &facts.names))
            .take(MOST_NAMED)
            .map(|(name, facts)| named(name, facts))
            .collect())
    }

    /// What the status of the target's objects says; `None`: it is not known, or there is no such object.
    pub(super) fn status(&self, target: &TargetId) -> Option<ObjectStatus> {
        let namespace = self.namespaces.get(&target.namespace)?;
        namespace.synced(target.kind).then_some(())?;
        let workload = namespace.workload(target)?;
        let pods = namespace.pods_of(&workload.uid);
        Some(ObjectStatus {
            pods: pods
                .filter(|(seen, gone)| !gone && !seen.pod.terminating)
                .map(|(seen, _)| seen.status.clone())
                .collect(),
            failed_progress: workload.progress == Progress::GivenUp,
        })
    }

    /// Whether something may have changed since the last [`Self::news`].
    pub(super) fn has_news(&self) -> bool {
        !self.dirty.is_empty()
    }

    pub(super) fn workload(
        &mut self,
        namespace: &str,
        kind: TargetKind,
        change: Change<SeenWorkload>,
    ) {
        let Some(workloads) = self
            .namespaces
            .get_mut(namespace)
            .and_then(|namespace| namespace.workloads.get_mut(&kind))
        else {
            return;
        };
        for Moved { name, was, is } in workloads.change(change) {
            let target = TargetId {
                namespace: namespace.to_owned(),
                kind,
                name,
            };
            if let Some(uid) = was {
                self.uids.remove(&uid);
            }
            if let Some(uid) = is {
                self.uids.insert(uid, target.clone());
            }
            self.dirty.insert(target);
        }
    }

    pub(super) fn replica_set(
        &mut self,
        namespace: &str,
        change: Change<Seen<RevisionFacts>>,
        now: Instant,
    ) {
        let Some(index) = self.namespaces.get_mut(namespace) else {
            return;
        };
        let owners = feed(&mut index.sets, change, now, |set| (set.owner.clone(), set));
        self.touch(&owners);
    }

    pub(super) fn controller_revision(
        &mut self,
        namespace: &str,
        change: Change<Seen<RevisionFacts>>,
        now: Instant,
    ) {
        let Some(index) = self.namespaces.get_mut(namespace) else {
            return;
        };
        let owners = feed(&mut index.revisions, change, now, |revision| {
            (revision.owner.clone(), revision)
        });
        self.touch(&owners);
    }

    pub(super) fn pod(&mut self, namespace: &str, change: Change<Seen<PodFacts>>, now: Instant) {
        let Some(index) = self.namespaces.get_mut(namespace) else {
            return;
        };
        let sets = feed(&mut index.pods, change, now, |pod| (pod.owner, pod.seen));
        let owners = index.owners(&sets);
        self.touch(&owners);
    }

    /// Whether the kill switch annotation is on the namespace.
    pub(super) fn kill_switch(&mut self, namespace: &str, on: bool) {
        let Some(index) = self.namespaces.get_mut(namespace) else {
            return;
        };
        if index.kill_switch != on {
            index.kill_switch = on;
            let targets = self
                .uids
                .values()
                .filter(|target| target.namespace == namespace);
            self.dirty.extend(targets.cloned());
        }
    }

    /// The objects with these uids changed, or something that they control.
    fn touch(&mut self, uids: &Touched) {
        let targets = uids.iter().filter_map(|uid| self.uids.get(uid));
        self.dirty.extend(targets.cloned());
    }
}

fn feed<T, F, C>(table: &mut Table<T>, change: Change<Seen<F>>, now: Instant, child: C) -> Touched
where
    T: PartialEq,
    C: FnOnce(F) -> (String, T),
{
    match change {
        Change::List => {
            table.list();
            Touched::new()
        }
        Change::Applied(Seen { uid, facts }) => table.apply(&uid, facts.map(child), now),
        Change::Deleted(Seen { uid, .. }) => table.remove(&uid, now),
        Change::Listed => table.listed(now),
    }
}

impl Namespace {
    fn synced(&self, kind: TargetKind) -> bool {
        self.workloads
            .get(&kind)
            .is_some_and(|workloads| workloads.synced)
            && self.history(kind).synced()
            && self.pods.synced()
    }

    /// What holds the earlier templates of a kind of workload.
    fn history(&self, kind: TargetKind) -> &Table<RevisionFacts> {
        match kind {
            TargetKind::Deployment | TargetKind::Rollout => &self.sets,
            TargetKind::StatefulSet | TargetKind::DaemonSet => &self.revisions,
        }
    }

    /// Forgets what is watched no more: it would be taken for new when it is watched again.
    fn forget_unwatched(&mut self) {
        let watched =
            |kinds: [TargetKind; 2]| kinds.iter().any(|kind| self.workloads.contains_key(kind));
        let sets = watched([TargetKind::Deployment, TargetKind::Rollout]);
        let revisions = watched([TargetKind::StatefulSet, TargetKind::DaemonSet]);
        if !sets {
            self.sets = Table::default();
        }
        if !revisions {
            self.revisions = Table::default();
        }
    }

    /// The pods that a workload controls, itself or by its `ReplicaSets`, and whether each is gone.
    fn pods_of<'a>(&'a self, uid: &'a str) -> impl Iterator<Item = (&'a SeenPod, bool)> {
        let sets = self.sets.of(uid).map(|(set, _, _)| set);
        let controlling = sets.chain(std::iter::once(uid));
        controlling
            .flat_map(|owner| self.pods.of(owner))
            .map(|(_, seen, gone)| (seen, gone))
    }

    fn workload(&self, target: &TargetId) -> Option<&WorkloadFacts> {
        self.workloads
            .get(&target.kind)?
            .by_name
            .get(&target.name)?
            .as_ref()
    }

    fn state(&self, target: &TargetId) -> Option<TargetState> {
        let workload = self.workload(target)?;
        let history = self.history(target.kind).of(&workload.uid);
        let sets: Vec<_> = history
            .filter(|(_, _, gone)| !gone)
            .map(|(_, set, _)| set)
            .collect();
        let mut pods: Vec<Pod> = self
            .pods_of(&workload.uid)
            .map(|(seen, gone)| {
                let mut pod = seen.pod.clone();
                if gone {
                    pod.terminating = true;
                    pod.ready = false;
                }
                pod
            })
            .collect();
        // A StatefulSet gives the name of a pod that went to the next one, perhaps within the same second.
        let order = |pod: &Pod| (pod.created, !pod.terminating);
        pods.sort_by(|a, b| (order(a), &a.name).cmp(&(order(b), &b.name)));
        let mut newest = BTreeMap::new();
        for (place, pod) in pods.iter().enumerate() {
            newest.insert(pod.name.clone(), place);
        }
        let mut place = 0..;
        pods.retain(|pod| newest.get(&pod.name).copied() == place.next());
        Some(target_state(
            target,
            workload,
            &sets,
            pods,
            self.kill_switch,
        ))
    }

    /// Uids of the workloads that these are, or that control these `ReplicaSets`.
    fn owners(&self, controlling: &Touched) -> Touched {
        controlling
            .iter()
            .map(|uid| self.sets.owner(uid).unwrap_or(uid).to_owned())
            .collect()
    }
}

#[cfg(test)]
mod tests;
