//! Checks of what rule documents hold in languages of others: `PromQL` and `JSONPath`, by libraries that know them.

use recant_core::rule::PLACEHOLDERS;
use recant_core::spec::Checks;

use crate::json_path;
use crate::library_error::last_line;

/// The checks that every loading of rule files makes.
pub(super) fn checks() -> Checks {
    Checks {
        promql,
        json_path: check_path,
    }
}

fn promql(text: &str) -> Result<(), String> {
    let mut filled = text.to_owned();
    for name in PLACEHOLDERS {
        filled = filled.replace(&format!("${{{name}}}"), "x");
    }
    match promql_parser::parser::parse(&filled) {
        Ok(_) => Ok(()),
        Err(reason) => Err(last_line(&reason)),
    }
}

fn check_path(text: &str) -> Result<(), String> {
    json_path::compile(text).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_parsed() {
        for good in [
            "sum(rate(http_requests_total{status=~\"5..\",namespace=\"${namespace}\"}[5m]))",
            "max by (pod) (container_memory_working_set_bytes{pod=~\"${name}-.*\"})",
        ] {
            assert_eq!(promql(good), Ok(()), "{good}");
        }
        for bad in [
            "sum(rate(x[5m]) by",
            "rate(x)",
            "histogram_quantile(0.9)",
            "x +",
        ] {
            let reason = promql(bad).expect_err(bad);
            assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
        }
    }
}
