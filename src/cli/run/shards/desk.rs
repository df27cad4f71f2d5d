//! Which shards this replica has, wants and lets go.

use std::collections::BTreeMap;
use std::time::Duration;

use recant_core::share::quota;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::engine::{self, Common};
use crate::cluster::kubernetes::lease::{Board, Lease, LeaseSettings, Standing, Term};

/// A shard whose engine ended by a failure is left to others for this long.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// A Lease that this replica competes for, or holds.
struct Kept {
    lease: Lease,
    release: CancellationToken,
    since: Instant,
}

impl Kept {
    async fn give_back(self) {
        self.release.cancel();
        self.lease.released().await;
    }
}

/// A shard that is competed for, or worked on.
struct Shard {
    kept: Kept,
    engine: Option<(JoinHandle<Result<(), String>>, CancellationToken)>,
}

/// Everything of this replica.
pub(super) struct Desk {
    common: Common,
    identity: String,
    board: Board,
    standing: BTreeMap<String, Standing>,
    looked: Option<Instant>,
    place: Option<(String, Kept)>,
    shards: BTreeMap<u32, Shard>,
    /// Not before.
    waits: BTreeMap<u32, Instant>,
    /// Shards that are this replica's share, as far as it knows.
    share: u32,
}

impl Desk {
    pub(super) fn new(common: Common, identity: String) -> Self {
        let prefix = format!("{}-", common.settings.lease.name);
        Self {
            board: Board::new(common.client.clone(), &common.namespace, prefix),
            common,
            identity,
            standing: BTreeMap::new(),
            looked: None,
            place: None,
            shards: BTreeMap::new(),
            waits: BTreeMap::new(),
            share: 0,
        }
    }

    /// One look at what there is to do. Short, but for a look at the API server now and then.
    pub(super) async fn tend(&mut self) {
        let duration = self.common.settings.lease.duration;
        if self.looked.is_none_or(|at| at.elapsed() >= duration / 6) {
            self.looked = Some(Instant::now());
            match self.board.look(duration).await {
                Ok(standing) => self.standing.clone_from(standing),
                Err(error) => tracing::debug!("looking at the Leases of the replicas: {error}"),
            }
            self.take_place().await;
            self.reckon();
            self.let_go();
            self.compete();
        }
        self.work().await;
        let all = self.common.settings.shards;
        let mine = self.shards.values().filter(|shard| shard.engine.is_some());
        let mine = mine.count();
        let elsewhere = || {
            format!(
                "this replica works on none of the {all} shards of the targets now: ask another, or try again in a few \
                 seconds"
            )
        };
        self.common.merged.elsewhere((mine == 0).then(elsewhere));
    }

    /// Each replica has a Lease of its own among `…-replica-0`, `-1`, and so on: that is how they count each other.
    async fn take_place(&mut self) {
        if let Some((name, kept)) = self.place.take() {
            let other = self
                .standing
                .get(&name)
                .is_some_and(|standing| !standing.is_free() && standing.holder != self.identity);
            if kept.lease.holds() || !other {
                self.place = Some((name, kept));
                return;
            }
            kept.give_back().await;
        }
        let prefix = &self.common.settings.lease.name;
        for number in 0..self.common.settings.shards {
            let name = format!("{prefix}-replica-{number}");
            let standing = self.standing.get(&name);
            if standing
                .is_none_or(|standing| standing.is_free() || standing.holder == self.identity)
            {
                self.place = Some((name.clone(), self.keep(name, standing)));
                return;
            }
        }
    }

    fn keep(&self, name: String, standing: Option<&Standing>) -> Kept {
        let release = CancellationToken::new();
        let settings = LeaseSettings {
            namespace: self.common.namespace.clone(),
            name,
            identity: self.identity.clone(),
            duration: self.common.settings.lease.duration,
        };
        let client = self.common.client.clone();
        Kept {
            lease: Lease::start_knowing(client, settings, standing, &release),
            release,
            since: Instant::now(),
        }
    }

    /// How many shards are this replica's.
    fn reckon(&mut self) {
        let Some((own, kept)) = &self.place else {
            // More replicas than shards: it takes what nobody has.
            self.share = 0;
            return;
        };
        if !kept.lease.holds() {
            return;
        }
        let prefix = format!("{}-replica-", self.common.settings.lease.name);
        let alive = self.standing.iter().filter(|(name, standing)| {
            name.starts_with(&prefix) && (*name == own || !standing.is_free())
        });
        let mut places: Vec<&str> = alive.map(|(name, _)| name.as_str()).collect();
        if !places.contains(&own.as_str()) {
            places.push(own);
        }
        places.sort_unstable();
        let rank = places.iter().position(|name| name == own).unwrap_or(0);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let share = quota(
            self.common.settings.shards,
            count(places.len()),
            count(rank),
        );
        if share != self.share {
            let all = self.common.settings.shards;
            tracing::info!(
                "of {} replicas this one takes {share} of the {all} shards",
                places.len()
            );
        }
        self.share = share;
    }

    /// Ends the engines of shards that are too many: what is under way is written down first, and the Lease given back
    /// after that.
    fn let_go(&mut self) {
        let surplus = self.shards.len().saturating_sub(self.share as usize);
        // Those without a release under way first.
        let mut order: Vec<(bool, u32)> = self
            .shards
            .keys()
            .map(|shard| (self.common.merged.is_busy(*shard), *shard))
            .collect();
        order.sort_unstable();
        for (_, shard) in order.into_iter().take(surplus) {
            if let Some(Shard {
                engine: Some((_, stop)),
                ..
            }) = self.shards.get(&shard)
                && !stop.is_cancelled()
            {
                tracing::info!("shard {shard} is another replica's from now on");
                stop.cancel();
            }
        }
    }

    /// Competes for shards that nobody has, up to its share.
    fn compete(&mut self) {
        let all = self.common.settings.shards;
        let mut wanted = (self.share as usize).saturating_sub(self.shards.len());
        // Not all replicas at the same one.
        let rank = self.identity.bytes().map(u32::from).sum::<u32>() % all.max(1);
        for shard in (0..all).map(|number| (number + rank) % all) {
            if wanted == 0 {
                return;
            }
            let waits = self
                .waits
                .get(&shard)
                .is_some_and(|until| Instant::now() < *until);
            if waits || self.shards.contains_key(&shard) {
                continue;
            }
            let name = self.lease_of(shard);
            let standing = self.standing.get(&name);
            if standing.is_some_and(|standing| !standing.is_free()) {
                continue;
            }
            let kept = self.keep(name, standing);
            self.shards.insert(shard, Shard { kept, engine: None });
            wanted -= 1;
        }
    }

    fn lease_of(&self, shard: u32) -> String {
        format!("{}-shard-{shard}", self.common.settings.lease.name)
    }

    /// Starts engines where a Lease is held, and clears away what has ended.
    async fn work(&mut self) {
        let duration = self.common.settings.lease.duration;
        let mut over = Vec::new();
        for (number, shard) in &mut self.shards {
            match &mut shard.engine {
                Some((engine, _)) if engine.is_finished() => over.push(*number),
                Some(_) => {}
                None => match Term::of(&shard.kept.lease.state()) {
                    Some(term) => {
                        let stop = CancellationToken::new();
                        let engine = engine::run(self.common.clone(), *number, term, stop.clone());
                        shard.engine = Some((tokio::spawn(engine), stop));
                    }
                    // Somebody else was faster.
                    None if shard.kept.since.elapsed() > duration / 2 => over.push(*number),
                    None => {}
                },
            }
        }
        for number in over {
            let Some(shard) = self.shards.remove(&number) else {
                continue;
            };
            if let Some((engine, _)) = shard.engine {
                let ended = engine.await.unwrap_or_else(|error| Err(error.to_string()));
                if let Err(error) = ended {
                    tracing::error!("the engine of shard {number} ended: {error}");
                    self.common.merged.failed(number, error);
                    self.waits.insert(number, Instant::now() + AFTER_FAILURE);
                }
            }
            shard.kept.give_back().await;
            // What the board shows is older than that.
            self.standing.remove(&self.lease_of(number));
            self.looked = None;
        }
    }

    /// Ends everything in order: the step in hand is finished, and each Lease given back after that.
    pub(super) async fn close(mut self) {
        for shard in self.shards.values() {
            if let Some((_, stop)) = &shard.engine {
                stop.cancel();
            }
        }
        for shard in std::mem::take(&mut self.shards).into_values() {
            if let Some((engine, _)) = shard.engine {
                drop(engine.await);
            }
            shard.kept.give_back().await;
        }
        if let Some((_, kept)) = self.place.take() {
            kept.give_back().await;
        }
    }
}
