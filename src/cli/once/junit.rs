//! A `JUnit` report: one test suite for each watch, one test case for each of its rules.

use anyhow::Context as _;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use recant_core::judge::{Finding, State};

use super::report::word;
use super::verdict::{Judged, Round, Verdict};

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
        report.add_test_suite(suite);
    }
    report.to_string().context("writing the JUnit report")
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
        (Verdict::Pass | Verdict::Fail, Some(finding)) if finding.state != State::NoData => {
            TestCaseStatus::success()
        }
        (
            Verdict::Pass
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
