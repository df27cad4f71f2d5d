//! Holds what was expected against what came.

use jiff::SignedDuration;

use recant_core::judge::State;
use recant_core::testcase::{ActionKind, Expectation, ExpectedAction, ExpectedState, TestCase};

use super::{Failure, World, signed};

/// What of an expectation is not so now.
pub(super) fn compare(expectation: &Expectation, world: &World) -> Vec<Failure> {
    let mut failures = Vec::new();
    let at = signed(expectation.at);
    let mut fail = |what: &str, expected: String, got: String, sentences: Vec<String>| {
        failures.push(Failure {
            origin: expectation.origin,
            at,
            what: what.to_owned(),
            expected,
            got,
            sentences,
        });
    };
    if let Some(verdict) = expectation.verdict
        && verdict != world.verdict
    {
        fail(
            "verdict",
            verdict.as_str().to_owned(),
            world.verdict.as_str().to_owned(),
            sentences(world),
        );
    }
    for (rule, expected) in &expectation.rules {
        let finding = world.findings.iter().find(|finding| finding.rule == *rule);
        let state = finding.map(|finding| state(finding.state));
        if state != Some(*expected) {
            fail(
                &format!("rule {rule}"),
                expected.as_str().to_owned(),
                state
                    .map_or("nothing: no release is judged", ExpectedState::as_str)
                    .to_owned(),
                finding
                    .map(|finding| finding.sentence.clone())
                    .into_iter()
                    .collect(),
            );
        }
    }
    for text in &expectation.says {
        let said = said(world);
        if !said.iter().any(|sentence| sentence.contains(text)) {
            let got = if said.is_empty() {
                "nothing was said"
            } else {
                "none of this"
            };
            fail("says", format!("{text:?}"), got.to_owned(), said);
        }
    }
    if let Some(actions) = &expectation.actions
        && *actions != world.actions
    {
        fail(
            "actions",
            listed(actions),
            listed(&world.actions),
            sentences(world),
        );
    }
    failures
}

/// What was done although it must not be.
pub(super) fn never(test: &TestCase, world: &World) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (kind, origin) in &test.never {
        let done: Vec<String> = match kind {
            ActionKind::Notify => world
                .notices
                .iter()
                .map(|notice| notice.headline.clone())
                .collect(),
            ActionKind::Rollback | ActionKind::Scale => world
                .actions
                .iter()
                .filter(|action| kind_of(action) == *kind)
                .map(ToString::to_string)
                .collect(),
        };
        if !done.is_empty() {
            failures.push(Failure {
                origin: *origin,
                at: SignedDuration::ZERO.max(world.now.duration_since(world.begin)),
                what: "never".to_owned(),
                expected: format!("no {}", kind.as_str()),
                got: done.join(", "),
                sentences: sentences(world),
            });
        }
    }
    failures
}

fn kind_of(action: &ExpectedAction) -> ActionKind {
    match action {
        ExpectedAction::Rollback { .. } => ActionKind::Rollback,
        ExpectedAction::Scale { .. } => ActionKind::Scale,
    }
}

fn listed(actions: &[ExpectedAction]) -> String {
    if actions.is_empty() {
        return "nothing".to_owned();
    }
    let actions: Vec<String> = actions.iter().map(ToString::to_string).collect();
    actions.join(", ")
}

/// What the rules say now.
fn sentences(world: &World) -> Vec<String> {
    let findings = world.findings.iter();
    findings.map(|finding| finding.sentence.clone()).collect()
}

/// What the rules say now, and what people were told.
fn said(world: &World) -> Vec<String> {
    let mut said = sentences(world);
    for notice in &world.notices {
        said.push(notice.headline.clone());
        said.extend(notice.sentences.iter().cloned());
    }
    said
}

fn state(state: State) -> ExpectedState {
    match state {
        State::NoData => ExpectedState::NoData,
        State::TooLittle => ExpectedState::TooLittle,
        State::Within => ExpectedState::Within,
        State::Unsure => ExpectedState::Unsure,
        State::Suspected => ExpectedState::Suspected,
        State::Failing => ExpectedState::Failing,
        State::BaselineAlsoBad => ExpectedState::BaselineAlsoBad,
    }
}
