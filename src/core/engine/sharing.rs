//! The targets of several replicas: what the guards over all targets count, and what waits for the acting replica.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::live::Live;
use super::{Engine, Turn};
use crate::guard::{Hold, acting_replica};
use crate::ids::TargetId;
use crate::share::{Acting, Sharing, Summary, Wish, WishedAction};
use crate::time::elapsed;

/// What is still wished is asked again at every look, and a target is looked at more often than that.
const FORGOTTEN: SignedDuration = SignedDuration::from_secs(5);

impl Engine {
    /// Judges one shard of the targets among several, and acts only as far as the acting replica grants it.
    #[must_use]
    pub fn among_shards(mut self) -> Self {
        self.sharing = Sharing::Among(None);
        self
    }

    /// What waits for the acting replica alone.
    pub fn wishes(&self) -> BTreeSet<Wish> {
        self.asks.keys().cloned().collect()
    }
}

impl Turn<'_> {
    /// What the guards over all targets count: those of the other shards are as they were last heard of.
    pub(super) fn of_all(&self) -> Summary {
        let mut all = Summary::of(self.ledger);
        if let Sharing::Among(Some(acting)) = self.sharing {
            all.add(&acting.others);
        }
        all
    }

    /// Asks for what all guards of ours have let through; the hold while it is not granted.
    pub(super) fn permission(
        &mut self,
        target: &TargetId,
        action: WishedAction,
        cause: &str,
    ) -> Option<Hold> {
        let Sharing::Among(heard) = self.sharing else {
            return None;
        };
        let wish = Wish {
            since: self.now,
            target: target.clone(),
            action,
            cause: cause.to_owned(),
        };
        let granted = heard
            .iter()
            .flat_map(|acting| &acting.granted)
            .any(|granted| granted.same(&wish) && self.asked.contains(granted));
        let heard = heard.is_some();
        self.asking.push(wish);
        (!granted).then(|| acting_replica::hold(heard))
    }
}

/// Takes in what the acting replica says: whatever waits for it is looked at now.
pub(super) fn hear(sharing: &mut Sharing, live: &mut BTreeMap<TargetId, Live>, acting: Acting) {
    let Sharing::Among(heard) = sharing else {
        return;
    };
    for granted in &acting.granted {
        if let Some(live) = live.get_mut(&granted.target) {
            live.news = true;
        }
    }
    *heard = Some(acting);
}

/// What is asked from now on; what goes on being asked began when it began.
pub(super) fn keep(asks: &mut BTreeMap<Wish, Timestamp>, now: Timestamp, asking: Vec<Wish>) {
    for wish in asking {
        let earlier = asks.keys().find(|earlier| earlier.same(&wish)).cloned();
        asks.insert(earlier.unwrap_or(wish), now);
    }
    asks.retain(|_, last| elapsed(*last, now) < FORGOTTEN);
}
