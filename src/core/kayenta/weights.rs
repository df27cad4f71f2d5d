//! How much each group counts.

use indexmap::IndexMap;

use super::result::GroupScore;
use super::summary::sum;

/// The sum of all groups' scores by weight (`WeightedSumScorer`).
///
/// Groups without a weight share what the configured ones leave of 100, even if that is less than nothing; a configured
/// group that has no metric takes its weight with it.
pub(super) fn weighted(groups: &[GroupScore], weights: &IndexMap<String, f64>) -> f64 {
    let configured = sum(weights.values().copied());
    let others = groups
        .iter()
        .filter(|group| !weights.contains_key(&group.name))
        .count();
    let share = (100.0 - configured) / others as f64;
    sum(groups.iter().map(|group| {
        let weight = weights.get(&group.name).copied().unwrap_or(share);
        let score = if group.no_data { 100.0 } else { group.score };
        score * (weight / 100.0)
    }))
}
