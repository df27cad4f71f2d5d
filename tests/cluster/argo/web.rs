//! Argo's `web` provider: one GET for each measurement, and the reason with the verdict.

use super::polled::{self, Told};

const TOLD: Told = Told {
    good: "\"phase\":\"Successful\"",
    bad: "shop/error-rate",
    undecided: "\"phase\":\"Running\"",
};

#[test]
fn a_good_version_is_promoted_a_bad_one_aborted_and_an_unclear_one_paused() {
    polled::promotes_aborts_and_pauses("web", TOLD);
}

#[test]
fn an_agent_that_is_killed_or_slow_aborts_nothing() {
    polled::outages_abort_nothing("web", TOLD);
}
