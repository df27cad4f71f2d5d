//! Which watches run: one for each kind of workload that is a target in a namespace, and three for each such namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::PoisonError;

use recant_core::ids::{TargetId, TargetKind};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::objects;
use super::watch::Shared;

/// The watches that run, by namespace and resource, with what ends each.
#[derive(Debug, Default)]
pub(super) struct Following(BTreeMap<(String, String), CancellationToken>);

impl Following {
    /// Ends the watches that no target needs any more and begins those that are missing. A watch of workloads with new
    /// names begins anew: it has not kept what it showed of them.
    pub(super) fn follow(&mut self, shared: &Shared, tasks: &TaskTracker, targets: &[TargetId]) {
        let kinds: BTreeSet<(&str, TargetKind)> = targets
            .iter()
            .map(|target| (target.namespace.as_str(), target.kind))
            .collect();
        let namespaces: BTreeSet<&str> = kinds.iter().map(|(namespace, _)| *namespace).collect();
        let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
        for (namespace, kind) in &kinds {
            wanted.insert(((*namespace).to_owned(), workload_name(*kind)));
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
                .follow(targets)
                .into_iter()
                .map(|(namespace, kind)| (namespace, workload_name(kind)))
                .collect();
            self.0.retain(|place, stop| {
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
        for namespace in namespaces {
            let own = || namespace.to_owned();
            let [sets, pods, annotations] = OF_NAMESPACE;
            self.begin(shared, tasks, namespace, sets, |shared| {
                shared.replica_sets(own())
            });
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
        if self.0.contains_key(&place) {
            return;
        }
        shared.health.register(namespace, resource);
        let stop = shared.stop.child_token();
        tasks.spawn(watch(Shared {
            stop: stop.clone(),
            ..shared.clone()
        }));
        self.0.insert(place, stop);
    }
}

const OF_NAMESPACE: [&str; 3] = ["replicasets.apps", "pods", "namespaces"];

fn workload_name(kind: TargetKind) -> String {
    objects::resource_name(&objects::workload_resource(kind))
}
