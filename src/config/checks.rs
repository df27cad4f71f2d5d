//! Checks of what rule documents hold in languages of others: `PromQL` and `JSONPath`, by libraries that know them; and the
//! files that they name.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use recant_core::rule::PLACEHOLDERS;
use recant_core::spec::{Beside, Checks};

use sha2::{Digest as _, Sha256};

use crate::json_path;
use crate::library_error::last_line;

/// Bytes of one manifest; an object of the API server holds not much more.
const MOST_MANIFEST: u64 = 256 << 10;

/// The checks that every loading of rule files makes.
pub(super) fn checks() -> Checks {
    Checks {
        promql,
        json_path: check_path,
        beside,
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

/// A manifest that lies beside a file of rules.
fn beside(of: &str, path: &str) -> Result<Beside, String> {
    let folder = Path::new(of).parent().unwrap_or_else(|| Path::new(""));
    let path = folder.join(path);
    let metadata = fs::metadata(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no file {}", path.display()),
        _ => error.to_string(),
    })?;
    // A pipe or a device may never end.
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(MOST_MANIFEST + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST_MANIFEST {
        return Err(format!("it is larger than {} KiB", MOST_MANIFEST >> 10));
    }
    let mut sha256 = String::new();
    for byte in Sha256::digest(&bytes) {
        // Text takes whatever is written to it.
        write!(sha256, "{byte:02x}").unwrap_or_default();
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not text in UTF-8".to_owned())?;
    Ok(Beside { text, sha256 })
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
