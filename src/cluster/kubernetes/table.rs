//! Objects of one watch by uid and by the object that controls them, with those that went a while ago.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// How long a pod that went is remembered: its last samples still count.
pub(super) const TOMBSTONE: Duration = Duration::from_mins(15);

/// Uids of controlling objects whose children changed.
pub(super) type Touched = BTreeSet<String>;

/// What one watch of children (`ReplicaSets`, pods) has shown so far.
#[derive(Debug)]
pub(super) struct Table<T> {
    entries: BTreeMap<String, Entry<T>>,
    by_owner: BTreeMap<String, BTreeSet<String>>,
    /// When which tombstone was set, oldest first.
    tombstones: VecDeque<(Instant, String)>,
    /// Uids that a list named so far; what it does not name has gone unseen.
    listing: Option<BTreeSet<String>>,
    synced: bool,
}

#[derive(Debug)]
struct Entry<T> {
    owner: String,
    value: T,
    gone: Option<Instant>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            by_owner: BTreeMap::new(),
            tombstones: VecDeque::new(),
            listing: None,
            synced: false,
        }
    }
}

impl<T: PartialEq> Table<T> {
    /// Whether a whole list was seen.
    pub(super) fn synced(&self) -> bool {
        self.synced
    }

    /// A list begins.
    pub(super) fn list(&mut self) {
        self.listing = Some(BTreeSet::new());
    }

    /// The list is whole: what it did not name is gone.
    pub(super) fn listed(&mut self, now: Instant) -> Touched {
        self.synced = true;
        let Some(named) = self.listing.take() else {
            return Touched::new();
        };
        let unseen: Vec<_> = self
            .entries
            .keys()
            .filter(|uid| !named.contains(*uid))
            .cloned()
            .collect();
        unseen
            .iter()
            .flat_map(|uid| self.remove(uid, now))
            .collect()
    }

    /// An object was seen; `None` when it is nobody's child.
    pub(super) fn apply(&mut self, uid: &str, child: Option<(String, T)>, now: Instant) -> Touched {
        if let Some(named) = &mut self.listing {
            named.insert(uid.to_owned());
        }
        let Some((owner, value)) = child else {
            return self.remove(uid, now);
        };
        if let Some(old) = self.entries.get(uid)
            && old.gone.is_none()
            && old.owner == owner
            && old.value == value
        {
            return Touched::new();
        }
        let mut touched = self.forget(uid);
        touched.insert(owner.clone());
        self.by_owner
            .entry(owner.clone())
            .or_default()
            .insert(uid.to_owned());
        self.entries.insert(
            uid.to_owned(),
            Entry {
                owner,
                value,
                gone: None,
            },
        );
        touched
    }

    /// An object went: it stays as a tombstone for a while.
    pub(super) fn remove(&mut self, uid: &str, now: Instant) -> Touched {
        match self.entries.get_mut(uid) {
            Some(entry) if entry.gone.is_none() => {
                entry.gone = Some(now);
                self.tombstones.push_back((now, uid.to_owned()));
                Touched::from([entry.owner.clone()])
            }
            _ => Touched::new(),
        }
    }

    /// Drops the tombstones that are old enough.
    pub(super) fn expire(&mut self, now: Instant) -> Touched {
        let mut touched = Touched::new();
        while let Some((since, uid)) = self
            .tombstones
            .pop_front_if(|(since, _)| now.duration_since(*since) > TOMBSTONE)
        {
            // One that came back meanwhile is no tombstone any more.
            if self.entries.get(&uid).and_then(|entry| entry.gone) == Some(since) {
                touched.extend(self.forget(&uid));
            }
        }
        touched
    }

    /// Children of one object with their uids; `true` with those that went.
    pub(super) fn of<'a>(&'a self, owner: &str) -> impl Iterator<Item = (&'a str, &'a T, bool)> {
        self.by_owner
            .get(owner)
            .into_iter()
            .flatten()
            .filter_map(|uid| {
                let entry = self.entries.get(uid)?;
                Some((uid.as_str(), &entry.value, entry.gone.is_some()))
            })
    }

    /// Uid of the object that controls this one, or did.
    pub(super) fn owner(&self, uid: &str) -> Option<&str> {
        self.entries.get(uid).map(|entry| entry.owner.as_str())
    }

    fn forget(&mut self, uid: &str) -> Touched {
        let Some(entry) = self.entries.remove(uid) else {
            return Touched::new();
        };
        if let Some(uids) = self.by_owner.get_mut(&entry.owner) {
            uids.remove(uid);
            if uids.is_empty() {
                self.by_owner.remove(&entry.owner);
            }
        }
        Touched::from([entry.owner])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(table: &Table<u8>, owner: &str) -> Vec<(String, u8, bool)> {
        table
            .of(owner)
            .map(|(uid, value, gone)| (uid.to_owned(), *value, gone))
            .collect()
    }

    #[test]
    fn a_list_takes_away_what_it_does_not_name() {
        let now = Instant::now();
        let mut table = Table::default();
        table.list();
        assert_eq!(table.apply("a", Some(("x".into(), 1)), now).len(), 1);
        table.apply("b", Some(("x".into(), 2)), now);
        assert!(!table.synced());
        assert!(table.listed(now).is_empty());
        assert!(table.synced());
        table.list();
        assert!(table.apply("b", Some(("x".into(), 2)), now).is_empty());
        assert_eq!(table.listed(now), Touched::from(["x".to_owned()]));
        assert_eq!(
            names(&table, "x"),
            [("a".into(), 1, true), ("b".into(), 2, false)]
        );
    }

    #[test]
    fn a_tombstone_goes_after_its_time() {
        let now = Instant::now();
        let mut table = Table::default();
        table.apply("a", Some(("x".into(), 1)), now);
        table.remove("a", now);
        assert!(table.remove("a", now + TOMBSTONE).is_empty());
        assert!(table.expire(now + TOMBSTONE).is_empty());
        assert_eq!(table.owner("a"), Some("x"));
        let later = now + TOMBSTONE + Duration::from_secs(1);
        assert_eq!(table.expire(later), Touched::from(["x".to_owned()]));
        assert!(names(&table, "x").is_empty());
        assert_eq!(table.owner("a"), None);
    }

    #[test]
    fn a_child_that_changes_hands_touches_both() {
        let now = Instant::now();
        let mut table = Table::default();
        table.apply("a", Some(("x".into(), 1)), now);
        let touched = table.apply("a", Some(("y".into(), 1)), now);
        assert_eq!(touched, Touched::from(["x".to_owned(), "y".to_owned()]));
        assert!(names(&table, "x").is_empty());
        assert_eq!(table.apply("a", None, now), Touched::from(["y".to_owned()]));
        assert_eq!(names(&table, "y"), [("a".into(), 1, true)]);
    }
}
