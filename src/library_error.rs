//! What is shown of a library's error, which may be many lines that repeat the text with a caret below.

/// Longest text that is shown, in characters.
const MOST_CHARS: usize = 200;

/// The last line that says something: libraries show the text itself before.
pub(crate) fn last_line(error: &str) -> String {
    let line = error
        .lines()
        .map(|line| line.trim().trim_start_matches("= ").trim())
        .rfind(|line| !line.is_empty())
        .unwrap_or("it cannot be read");
    line.chars().take(MOST_CHARS).collect()
}
