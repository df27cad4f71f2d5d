//! Results as JUnit XML, which CI systems show: a suite for each file, a case for each test.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Ran;

pub(super) fn write(path: &Path, all: &[Ran]) -> anyhow::Result<()> {
    let mut report = Report::new("recant test");
    let mut suites: Vec<TestSuite> = Vec::new();
    for ran in all {
        if suites
            .last()
            .is_none_or(|suite| suite.name.as_str() != ran.file)
        {
            suites.push(TestSuite::new(ran.file.as_str()));
        }
        let status = match ran.failures.first() {
            None => TestCaseStatus::success(),
            Some(first) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(first.lines().next().unwrap_or_default());
                status.set_description(ran.failures.join("\n"));
                status
            }
        };
        let mut case = TestCase::new(ran.name.as_str(), status);
        case.set_classname(ran.file.as_str()).set_time(ran.took);
        if let Some(suite) = suites.last_mut() {
            suite.add_test_case(case);
        }
    }
    report.add_test_suites(suites);
    let mut file = BufWriter::new(File::create(path)?);
    report.serialize(&mut file).map_err(io::Error::other)?;
    file.flush()?;
    Ok(())
}
