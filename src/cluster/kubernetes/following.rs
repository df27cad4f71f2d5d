//! Which watches run: in each namespace with targets one for each kind of them, one or two for their earlier templates,
//! and two for everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::PoisonError;

use recant_core::ids::{TargetId, TargetKind};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::objects;
use super::watch::Shared;

/// The watches that run, and for what.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// By namespace and resource, with what ends each.
    watches: BTreeMap<(String, String), CancellationToken>,
    targets: Vec<TargetId>,
    /// Where all workloads of a kind are kept.
    places: BTreeSet<(String, TargetKind)>,
}

impl Following {
    /// These are the targets from now on.
    pub(super) fn follow(&mut self, shared: &Shared, tasks: &TaskTracker, targets: &[TargetId]) {
        self.targets = targets.to_vec();
        self.adjust(shared, tasks);
    }

    /// In these places all workloads are kept from now on.
    pub(super) fn show(
        &mut self,
        shared: &Shared,
        tasks: &TaskTracker,
        places: BTreeSet<(String, TargetKind)>,
    ) {
        if self.places != places {
            self.places = places;
            self.adjust(shared, tasks);
        }
    }

    /// Ends the watches that nothing needs any more and begins those that are missing. A watch of workloads of which
    /// more is kept than before begins anew.
    fn adjust(&mut self, shared: &Shared, tasks: &TaskTracker) {
        let (targets, places) = (self.targets.clone(), self.places.clone());
        let kinds: BTreeSet<(&str, TargetKind)> = targets
            .iter()
            .map(|target| (target.namespace.as_str(), target.kind))
            .chain(
                places
                    .iter()
                    .map(|(namespace, kind)| (namespace.as_str(), *kind)),
            )
            .collect();
        let namespaces: BTreeSet<&str> = kinds.iter().map(|(namespace, _)| *namespace).collect();
        let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
        for (namespace, kind) in &kinds {
            wanted.insert(((*namespace).to_owned(), workload_name(*kind)));
        }
        let histories: BTreeSet<(&str, &str)> = kinds
            .iter()
            .map(|(namespace, kind)| (*namespace, history_name(*kind)))
            .collect();
        for (namespace, history) in &histories {
            wanted.insert(((*namespace).to_owned(), (*history).to_owned()));
        }
        for namespace in &namespaces {
            for resource in OF_NAMESPACE {
                wanted.insert(((*namespace).to_owned(), resource.to_owned()));
            }
        }
        {
            // Under the lock that every event needs: none of a watch that ends comes after this.
            let mut index = shared.index.lock().unwrap_or_else(PoisonError::into_inner);
            let anew: BTreeSet<(String, String)> = index
                .follow(&targets, &places)
                .into_iter()
                .map(|(namespace, kind)| (namespace, workload_name(kind)))
                .collect();
            self.watches.retain(|place, stop| {
                let stays = wanted.contains(place) && !anew.contains(place);
                if !stays {
                    stop.cancel();
                }
                if !wanted.contains(place) {
                    shared.health.unregister(&place.0, &place.1);
                }
                stays
            });
        }
        for (namespace, kind) in kinds {
            self.begin(shared, tasks, namespace, &workload_name(kind), |shared| {
                shared.workloads(namespace.to_owned(), kind)
            });
        }
        for (namespace, history) in histories {
            let own = || namespace.to_owned();
            if history == SETS {
                self.begin(shared, tasks, namespace, SETS, |shared| {
                    shared.replica_sets(own())
                });
            } else {
                self.begin(shared, tasks, namespace, REVISIONS, |shared| {
                    shared.controller_revisions(own())
                });
            }
        }
        for namespace in namespaces {
            let own = || namespace.to_owned();
            let [pods, annotations] = OF_NAMESPACE;
            self.begin(shared, tasks, namespace, pods, |shared| shared.pods(own()));
            self.begin(shared, tasks, namespace, annotations, |shared| {
                shared.namespace(own())
            });
        }
        shared.changed.notify_one();
    }

    fn begin<F>(
        &mut self,
        shared: &Shared,
        tasks: &TaskTracker,
        namespace: &str,
        resource: &str,
        watch: impl FnOnce(Shared) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let place = (namespace.to_owned(), resource.to_owned());
        if self.watches.contains_key(&place) {
            return;
        }
        shared.health.register(namespace, resource);
        let stop = shared.stop.child_token();
        tasks.spawn(watch(Shared {
            stop: stop.clone(),
            ..shared.clone()
        }));
        self.watches.insert(place, stop);
    }
}

const OF_NAMESPACE: [&str; 2] = ["pods", "namespaces"];
const SETS: &str = "replicasets.apps";
const REVISIONS: &str = "controllerrevisions.apps";

/// What holds the earlier templates of a kind.
fn history_name(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Deployment | TargetKind::Rollout => SETS,
        TargetKind::StatefulSet | TargetKind::DaemonSet => REVISIONS,
    }
}

fn workload_name(kind: TargetKind) -> String {
    objects::resource_name(&objects::workload_resource(kind))
}
