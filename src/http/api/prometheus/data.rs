//! What expressions are answered from: the last snapshot for now, the kept points for before; and what is said when
//! there is nothing to answer from.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use recant_core::snapshot::Snapshot;
use recant_core::wording::short;

use super::super::Api;
use super::answer::Failure;
use super::history::{History, Points};
use super::selector::Selector;
use super::series::{self, Labels, Series};

/// A snapshot older than this says nothing of now, and a point as old nothing of its moment, in milliseconds.
pub(super) const LOOK_BACK: i64 = 15_000;
/// Moments so far ahead are taken for now: clocks differ. In milliseconds.
pub(super) const AHEAD: i64 = 5 * 60 * 1000;
const MOST_WARNINGS: usize = 5;

/// What there is to answer one question from.
pub(super) struct Data<'a> {
    /// Now, in milliseconds since 1970.
    pub(super) now: i64,
    /// `None`: only the past is asked for.
    snapshot: Option<Arc<Snapshot>>,
    history: &'a History,
    warnings: Vec<String>,
}

impl<'a> Data<'a> {
    /// For a question that reaches up to `end`.
    ///
    /// # Errors
    /// It reaches up to now, and Recant cannot look; or far into the future.
    pub(super) fn up_to(api: &'a Api, end: i64) -> Result<Self, Failure> {
        let now = Timestamp::now().as_millisecond();
        let present = end >= now.saturating_sub(LOOK_BACK);
        Ok(Self {
            now,
            snapshot: if present { Some(api.snapshot()?) } else { None },
            history: &api.history,
            warnings: Vec::new(),
        })
    }

    /// For a question about now.
    ///
    /// # Errors
    /// Recant cannot look.
    pub(super) fn now(api: &'a Api) -> Result<Self, Failure> {
        Self::up_to(api, i64::MAX)
    }

    /// The series that are alive, now or, with the past, at some time of it.
    pub(super) fn labels(&self, selector: &Selector) -> Vec<Labels> {
        let mut all: BTreeMap<Labels, ()> = BTreeMap::new();
        if let Some(snapshot) = &self.snapshot {
            let now = series::of(snapshot, selector).into_iter();
            let living = now.filter(|series| series.ended.is_none());
            all.extend(living.map(|series| (series.labels, ())));
        }
        let (past, _) = self.history.select(selector, self.now - LOOK_BACK * 240);
        all.extend(past.into_iter().map(|(labels, _)| (labels, ())));
        all.into_keys().collect()
    }

    /// The series of now that are alive.
    ///
    /// # Errors
    /// There is none because Recant cannot look at what is asked for, or none although there should be one.
    pub(super) fn present(&mut self, selector: &Selector) -> Result<Vec<Series>, Failure> {
        let Some(snapshot) = &self.snapshot else {
            return Ok(Vec::new());
        };
        let (ended, living): (Vec<Series>, Vec<Series>) = series::of(snapshot, selector)
            .into_iter()
            .partition(|series| series.ended.is_some());
        let mut reasons: Vec<Arc<str>> = Vec::new();
        for reason in ended.into_iter().filter_map(|series| series.ended) {
            if reasons.len() < MOST_WARNINGS && !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        if living.is_empty()
            && let Some(reason) = reasons.first()
        {
            return Err(Failure::unavailable(short(reason, 500)));
        }
        for reason in reasons {
            self.warn(&short(&reason, 500));
        }
        Ok(living)
    }

    /// The points of all series that a selector takes, from `from` up to `end`; what is so now is a point at `end`.
    ///
    /// # Errors
    /// As [`Self::present`].
    pub(super) fn points(
        &mut self,
        selector: &Selector,
        from: i64,
        end: i64,
    ) -> Result<Vec<(Labels, Points)>, Failure> {
        let present = self.present(selector)?;
        let mut all: BTreeMap<Labels, Points> = BTreeMap::new();
        // The last snapshot alone says what is now.
        if self.snapshot.is_none() || from < self.now - LOOK_BACK {
            let (past, incomplete) = self.history.select(selector, from - LOOK_BACK);
            all.extend(past);
            if incomplete {
                self.warn("there are too many series: of some the past is not kept");
            }
        }
        // A range whose last moment lies before now holds nothing of now.
        let at = self.now.min(end);
        let reached = end >= self.now - LOOK_BACK;
        for series in present.into_iter().filter(|_| reached) {
            let points = all.entry(series.labels).or_default();
            while points.back().is_some_and(|(point, _)| *point >= at) {
                points.pop_back();
            }
            points.push_back((at, series.value));
        }
        Ok(all.into_iter().collect())
    }

    fn warn(&mut self, text: &str) {
        if !self.warnings.iter().any(|known| known == text) {
            self.warnings.push(text.to_owned());
        }
    }

    /// What is missing in the answer.
    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }
}
