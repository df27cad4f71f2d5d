//! Argo's `prometheus` provider, with the agent in a Prometheus' place: its own client, one number for a verdict.

use super::polled::{self, Told};

const TOLD: Told = Told {
    good: "[1]",
    bad: "[-1]",
    undecided: "[0]",
};

#[test]
fn a_good_version_is_promoted_a_bad_one_aborted_and_an_unclear_one_paused() {
    polled::promotes_aborts_and_pauses("prometheus", TOLD);
}

#[test]
fn an_agent_that_is_killed_or_slow_aborts_nothing() {
    polled::outages_abort_nothing("prometheus", TOLD);
}
