//! A `JUnit` report: one test suite for each watch, one test case for each of its rules, those between releases too.

use anyhow::Context as _;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use recant_core::judge::{Finding, State};

use super::report::word;
use super::verdict::{Between, Judged, Round, Verdict};

/// The whole report.
///
/// # Errors
/// It cannot be written as XML.
pub(super) fn report(round: &Round) -> anyhow::Result<String> {
    let mut report = Report::new("recant once");
    for watch in &round.watches {
        let mut suite = TestSuite::new(&*watch.watch);
        for rule in &watch.rules {
            let finding = watch
                .findings
                .iter()
                .find(|finding| finding.rule.as_str() == rule);
            let mut case = TestCase::new(rule.as_str(), status(watch, finding));
            case.set_classname(watch.watch.as_str());
            if let Some(finding) = finding {
                case.set_system_out(finding.sentence.as_str());
            }
            suite.add_test_case(case);
        }
        for rule in &watch.always {
            let name = format!("always: {}", rule.rule);
            let mut case = TestCase::new(name, between(watch, rule));
            case.set_classname(watch.watch.as_str());
            if let Some(finding) = &rule.finding {
                case.set_system_out(finding.sentence.as_str());
            }
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report.to_string().context("writing the JUnit report")
}

/// A rule between releases fails while its incident is open.
fn between(watch: &Judged, rule: &Between) -> TestCaseStatus {
    let silent = |finding: &&Finding| match finding.state {
        State::NoData | State::TooLittle => true,
        State::Within
        | State::Unsure
        | State::Suspected
        | State::Failing
        | State::BaselineAlsoBad => false,
    };
    let said = |otherwise: &str| match &rule.finding {
        Some(finding) => finding.sentence.clone(),
        None => otherwise.to_owned(),
    };
    if let Some(since) = rule.broken_since {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let message = format!("broken since {since:.0}: {}", said("it says nothing now"));
        status.set_type("BROKEN").set_message(message);
        status
    } else if watch.verdict == Verdict::NotLooked {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_type(word(watch.verdict))
            .set_message(watch.reason.as_str());
        status
    } else if rule.finding.as_ref().is_none_or(|finding| silent(&finding)) {
        let mut status = TestCaseStatus::skipped();
        status.set_message(said("it was not measured"));
        status
    } else {
        TestCaseStatus::success()
    }
}

/// A rule fails when the release fails by it; what was not measured is skipped, or an error when nothing was.
fn status(watch: &Judged, finding: Option<&Finding>) -> TestCaseStatus {
    let said = finding.map_or(watch.reason.as_str(), |finding| finding.sentence.as_str());
    match (watch.verdict, finding) {
        (Verdict::Fail, Some(finding)) if finding.fails() => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(word(watch.verdict)).set_message(said);
            status
        }
        (Verdict::NotLooked, _) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status
                .set_type(word(watch.verdict))
                .set_message(watch.reason.as_str());
            status
        }
        (Verdict::Pass | Verdict::Passing | Verdict::Fail, Some(finding))
            if finding.state != State::NoData =>
        {
            TestCaseStatus::success()
        }
        (
            Verdict::Pass
            | Verdict::Passing
            | Verdict::Fail
            | Verdict::Inconclusive
            | Verdict::Undecided
            | Verdict::Nothing,
            _,
        ) => {
            let mut status = TestCaseStatus::skipped();
            status
                .set_type(word(watch.verdict))
                .set_message(format!("{}: {said}", word(watch.verdict)));
            status
        }
    }
}
