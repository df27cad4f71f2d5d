//! What a rule measured before a release: it teaches how failures clump, and is what a comparison without a baseline is
//! made with (judge.md 6, 10).

use crate::measurement::Counts;

/// Counts of the service before the release.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    /// The last ticks of the judge, oldest first.
    ticks: Vec<Counts>,
    /// All that was counted in the minutes before; `None`: nothing was.
    sum: Option<Counts>,
}

impl Past {
    /// What was counted tick by tick, and in all.
    pub fn new(ticks: Vec<Counts>, sum: Option<Counts>) -> Self {
        Self { ticks, sum }
    }

    /// The last ticks, oldest first.
    pub(super) fn ticks(&self) -> impl Iterator<Item = &Counts> {
        self.ticks.iter()
    }

    /// All that was counted.
    pub(super) fn sum(&self) -> Option<&Counts> {
        self.sum.as_ref()
    }
}
