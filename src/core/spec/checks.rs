//! What only the program around the core can check, since the libraries that know are not pure enough to live here.

use std::fmt;

/// One check: an error says what is wrong with the text, as the end of a sentence.
pub type Check = fn(&str) -> Result<(), String>;

/// Checks of texts in languages of others. The default takes everything.
#[derive(Clone, Copy)]
pub struct Checks {
    /// An expression of `PromQL`, with the placeholders of the target in it. What it says is a warning: servers that
    /// answer like Prometheus may know more.
    pub promql: Check,
    /// A `JSONPath` (RFC 9535). What it says is an error.
    pub json_path: Check,
    /// Reads a file that lies beside a file of rules: the name of that, and the path as it stands there.
    pub beside: fn(&str, &str) -> Result<Beside, String>,
}

/// A file that was read for another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    pub text: String,
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            promql: |_| Ok(()),
            json_path: |_| Ok(()),
            beside: |_, _| Err("no other file can be read here".to_owned()),
        }
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checks")
    }
}

impl Checks {
    pub(super) fn promql(&self, text: &str) -> Result<(), String> {
        (self.promql)(text)
    }

    pub(super) fn json_path(&self, text: &str) -> Result<(), String> {
        (self.json_path)(text)
    }
}
