//! Making text from anywhere fit into a message: no control characters, bounded length.

/// Ends a text that was cut.
const ELLIPSIS: char = '…';

/// Length as chat services count it: UTF-16 code units, of which an emoji has two.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// At most `max` units of `text`, with an ellipsis where it was cut.
pub(super) fn clip(text: &str, max: usize) -> String {
    clip_pieces(text, max, |c, out| out.push(c))
}

/// Like [`clip`], with each character written by `write`; what one character becomes is never cut in two.
pub(super) fn clip_pieces(text: &str, max: usize, write: impl Fn(char, &mut String)) -> String {
    let mut out = String::new();
    let mut used = 0;
    // Where to cut if the rest does not fit: one unit is kept for the ellipsis.
    let mut fits = 0;
    for c in text.chars() {
        let begin = out.len();
        write(c, &mut out);
        used += out.get(begin..).map_or(0, units);
        if used > max {
            out.truncate(fits);
            if max > 0 {
                out.push(ELLIPSIS);
            }
            return out;
        }
        if used < max {
            fits = out.len();
        }
    }
    out
}

/// One line without control characters, nor those that turn the direction of the text that follows.
pub(super) fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !is_hidden(*c))
        .collect();
    spaced.trim().to_owned()
}

/// The lines of a text, each without hidden characters.
pub(super) fn lines(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| *c == '\n' || !is_hidden(*c))
        .collect();
    kept.trim().to_owned()
}

fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_fits_is_kept_and_a_longer_one_ends_with_an_ellipsis() {
        let check = |text: &str, max: usize, expected: &str| assert_eq!(clip(text, max), expected);
        check("", 0, "");
        check("abc", 3, "abc");
        check("abcd", 3, "ab…");
        check("abc", 1, "…");
        check("abc", 0, "");
        check("😀😀", 4, "😀😀");
        check("😀😀", 3, "😀…");
        check("😀", 1, "…");
    }

    #[test]
    fn hidden_characters_are_dropped() {
        assert_eq!(one_line(" a\tb\nc\u{7}\u{202e}d "), "a b cd");
        assert_eq!(lines("a\r\nb\u{1b}[0m\n"), "a\nb[0m");
    }

    proptest! {
        #[test]
        fn what_is_clipped_never_exceeds_the_limit(text in ".{0,60}", max in 0_usize..40) {
            let clipped = clip_pieces(&text, max, |c, out| match c {
                '&' => out.push_str("&amp;"),
                c => out.push(c),
            });
            prop_assert!(units(&clipped) <= max);
        }
    }
}
