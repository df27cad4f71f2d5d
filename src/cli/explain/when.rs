//! A time as people type it: `2026-01-31T09:30:00Z`, or `10m ago`.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

/// A moment to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum When {
    At(Timestamp),
    /// So long before now.
    Ago(SignedDuration),
}

impl When {
    pub(in crate::cli) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        let help = "write a time with its zone, such as 2026-01-31T09:30:00Z, or how long ago, such as `10m ago` or \
                    `48h ago`";
        match text.parse::<SignedDuration>() {
            Ok(before) if before.is_negative() => Ok(Self::Ago(
                before.checked_neg().unwrap_or(SignedDuration::MAX),
            )),
            Ok(_) => Err(format!(
                "that lies ahead; did you mean `{text} ago`? Else {help}"
            )),
            Err(_) => Err(help.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Timestamp = "2026-01-01T00:10:00Z".parse().expect("a time");
        for (text, at) in [
            ("2026-01-01T00:01:05Z", "2026-01-01T00:01:05Z"),
            ("2026-01-01T01:01:05+01:00", "2026-01-01T00:01:05Z"),
            ("10m ago", "2026-01-01T00:00:00Z"),
            ("1h 30s ago", "2025-12-31T23:09:30Z"),
        ] {
            let when: When = text.parse().expect(text);
            assert_eq!(when.at(now).to_string(), at, "{text}");
        }
        for text in ["", "yesterday", "10", "2 days ago", "2026-01-01", "12:30"] {
            let error = text.parse::<When>().expect_err(text);
            assert!(error.contains("`48h ago`"), "{text}: {error}");
        }
        let error = "10m".parse::<When>().expect_err("ahead");
        assert!(error.contains("did you mean `10m ago`?"), "{error}");
    }
}
