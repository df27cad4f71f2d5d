//! `JSONPath` (RFC 9535), bounded: a path comes from a rule file and runs over documents from outside.

use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::parser::parse_json_path;

use crate::library_error::last_line;

/// A path of more characters is surely a slip.
const LONGEST: usize = 500;
/// Descents (`..`) visit the whole document, and those of their results again.
const MOST_DESCENTS: usize = 2;

/// A path, ready to select with.
///
/// # Errors
/// Says what is wrong with it, for people.
pub fn compile(path: &str) -> Result<JpQuery, String> {
    if path.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} characters"));
    }
    if path.matches("..").count() > MOST_DESCENTS {
        return Err(format!(
            "it descends (`..`) more than {MOST_DESCENTS} times: name the fields"
        ));
    }
    parse_json_path(path).map_err(|error| last_line(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_parsed_and_bounded() {
        for good in ["$.queues.integration.length", "$['a'][0].b", "$..length"] {
            assert!(compile(good).is_ok(), "{good}");
        }
        let long = format!("$.{}", "a".repeat(LONGEST));
        for bad in ["$.", "$[", "$.a[?]", "queue.depth", "$..a..b..c", &long] {
            let reason = compile(bad).expect_err(bad);
            assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
        }
    }
}
