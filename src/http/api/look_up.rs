//! From the names that others use to the target that is meant: exactly one, or a refusal that says why.
//!
//! Read from the snapshot and from what the watches of the cluster have shown: no question makes a call. A target that
//! is not watched, and that a Watch on request allows, is reported to the engine, which takes it up.

use axum::http::StatusCode;

use recant_core::hook::Hook;
use recant_core::ids::{TargetId, WatchName};
use recant_core::snapshot::{RequestSnapshot, Room, Snapshot, TargetSnapshot};
use recant_core::target::naming::{Named, Naming};
use recant_core::wording::{listed, short};

use super::Api;
use super::problem::Problem;

/// What became of a name.
#[derive(Debug)]
pub(super) enum LookedUp<'a> {
    Watched(&'a TargetSnapshot),
    /// It was not watched until now.
    TakenUp {
        target: TargetId,
        by: WatchName,
    },
    /// It could be watched, and is not yet: too many are.
    Later {
        reason: String,
    },
}

impl Api {
    /// Finds the target that is meant; one that is not watched is taken up, if a Watch allows it.
    pub(super) async fn look_up<'a>(
        &self,
        snapshot: &'a Snapshot,
        naming: &Naming,
    ) -> Result<LookedUp<'a>, Problem> {
        let by_name = by_name(naming);
        if let Some(target) = by_name.as_ref().and_then(|id| snapshot.target(id)) {
            return Ok(LookedUp::Watched(target));
        }
        let mut scopes = snapshot.on_request.iter();
        if let Some(target) = &by_name
            && !scopes.any(|asked| asked.scope.reaches(target))
        {
            return Err(not_watched(target, "no Watch names it"));
        }
        let named = self.one(naming)?;
        if let Some(target) = snapshot.target(&named.target) {
            return Ok(LookedUp::Watched(target));
        }
        let mut scopes = snapshot.on_request.iter();
        let allowing = scopes.find(|asked| asked.scope.allows(&named.target, &named.labels));
        match allowing {
            Some(allowing) => Ok(self.take_up(snapshot, named.target, allowing).await),
            None => Err(not_watched(
                &named.target,
                "no Watch names it, and none on request allows it",
            )),
        }
    }

    /// The one workload that is meant.
    fn one(&self, naming: &Naming) -> Result<Named, Problem> {
        let mut found = self.finder.find(naming).map_err(Problem::unavailable)?;
        match (found.pop(), found.as_slice()) {
            (Some(only), []) => Ok(only),
            (None, _) => {
                let detail = format!(
                    "there is no {}, as far as Recant watches that namespace",
                    in_words(naming)
                );
                Err(Problem::new(StatusCode::NOT_FOUND, detail))
            }
            (Some(last), others) => {
                let mut names: Vec<String> = others
                    .iter()
                    .chain([&last])
                    .map(|named| format!("`{}`", named.target.name))
                    .collect();
                names.sort();
                let more = names.len() > MOST_TOLD;
                names.truncate(MOST_TOLD);
                let and = if more { ", and more" } else { "" };
                let detail = format!(
                    "several workloads are {}: {}{and}; give `name`, or more labels, so that one is left",
                    in_words(naming),
                    names.join(", "),
                );
                Err(Problem::new(StatusCode::CONFLICT, detail))
            }
        }
    }

    async fn take_up(
        &self,
        snapshot: &Snapshot,
        target: TargetId,
        by: &RequestSnapshot,
    ) -> LookedUp<'static> {
        let by = by.watch.clone();
        let Room { taken, most, free } = snapshot.room;
        if !free {
            return LookedUp::Later {
                reason: format!(
                    "{target} is not watched yet: {taken} targets are watched on request, and {most} may be \
                     (`onRequest.most`)"
                ),
            };
        }
        let hook = Hook::Wanted {
            target: target.clone(),
            by: by.clone(),
        };
        match self.reports.submit(vec![hook]).await {
            Ok(()) => LookedUp::TakenUp { target, by },
            Err(why) => LookedUp::Later {
                reason: format!("{target} is not watched yet: {why}"),
            },
        }
    }
}

/// Candidates that a refusal names.
const MOST_TOLD: usize = 10;

/// The target, where its own name is all that is given.
fn by_name(naming: &Naming) -> Option<TargetId> {
    let alone = naming.service.is_none() && naming.labels.is_empty();
    Some(TargetId {
        namespace: naming.namespace.clone(),
        kind: naming.kind,
        name: naming.name.clone().filter(|_| alone)?,
    })
}

fn not_watched(target: &TargetId, why: &str) -> Problem {
    let (namespace, name) = (short(&target.namespace, 63), short(&target.name, 253));
    let detail = format!("{} {namespace}/{name} is not watched: {why}", target.kind);
    Problem::new(StatusCode::NOT_FOUND, detail)
}

/// As in: Rollout in namespace `shop` with service `a` and label `app=b`
fn in_words(naming: &Naming) -> String {
    let Naming {
        namespace,
        kind,
        name,
        service,
        labels,
    } = naming;
    let name = name
        .iter()
        .map(|name| format!("name `{}`", short(name, 80)));
    let service = service
        .iter()
        .map(|service| format!("Service `{}`", short(service, 80)));
    let labels = labels
        .iter()
        .take(5)
        .map(|(label, value)| format!("label `{}={}`", short(label, 80), short(value, 63)));
    let parts: Vec<String> = name.chain(service).chain(labels).collect();
    format!(
        "{kind} in namespace `{}` with {}",
        short(namespace, 63),
        listed(&parts)
    )
}
