//! The mark-up of chat services: text from outside is escaped so that it stays the letters that it is, and what is cut
//! is never cut within an escape or a link.

use super::text::{one_line, units};

/// How text is written into a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    /// No mark-up at all: titles, alerts.
    Plain,
    /// Slack's mrkdwn: `<` begins mentions, links and `<!channel>`; `&` an entity.
    Slack,
    /// The Markdown of Adaptive Cards: links, emphasis, lists.
    Card,
}

impl Markup {
    /// Any text as the letters that it is.
    pub(super) fn escape(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Slack => {
                let mut out = String::with_capacity(text.len());
                for c in text.chars() {
                    match c {
                        '&' => out.push_str("&amp;"),
                        '<' => out.push_str("&lt;"),
                        '>' => out.push_str("&gt;"),
                        c => out.push(c),
                    }
                }
                out
            }
            Self::Card => escape_card(text),
        }
    }

    /// A name or a command, set apart from the sentence around it where the mark-up can.
    pub(super) fn code(self, text: &str) -> String {
        match self {
            Self::Slack => format!("`{}`", self.escape(&text.replace('`', "'"))),
            Self::Plain | Self::Card => self.escape(text),
        }
    }

    /// A link, or its label alone where the address cannot stand in a link.
    pub(super) fn link(self, label: &str, url: &str) -> String {
        let label = match one_line(label) {
            label if label.is_empty() => "link".to_owned(),
            label => label,
        };
        if !is_web(url) {
            return self.escape(&label);
        }
        match self {
            Self::Plain => format!("{label}: {url}"),
            Self::Slack => {
                let url = url
                    .replace('&', "&amp;")
                    .replace('<', "%3C")
                    .replace('>', "%3E")
                    .replace('|', "%7C");
                format!("<{url}|{}>", self.escape(&label))
            }
            Self::Card => {
                let url = url
                    .replace('(', "%28")
                    .replace(')', "%29")
                    .replace('\\', "%5C");
                format!("[{}]({url})", self.escape(&label))
            }
        }
    }

    /// At most `max` units of a text in this mark-up, with an ellipsis where it was cut.
    pub(super) fn clip(self, text: &str, max: usize) -> String {
        let mut used = 0;
        // Where to cut if the rest does not fit: one unit is kept for the ellipsis.
        let mut fits = 0;
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let length = self.piece(rest);
            let piece = rest.get(..length).unwrap_or(rest);
            used += units(piece);
            if used > max {
                let mut out = text.get(..fits).unwrap_or_default().to_owned();
                if max > 0 {
                    out.push('…');
                }
                return out;
            }
            at += piece.len();
            if used < max {
                fits = at;
            }
        }
        text.to_owned()
    }

    /// How many bytes in front belong together.
    fn piece(self, rest: &str) -> usize {
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let closed = |end: char, most: usize| {
            rest.char_indices()
                .take(most)
                .take_while(|(_, c)| *c != '\n')
                .find(|(_, c)| *c == end)
                .map(|(at, c)| at + c.len_utf8())
        };
        match self {
            Self::Slack if rest.starts_with('<') => closed('>', 5000).unwrap_or(first),
            Self::Slack if rest.starts_with('&') => closed(';', 6).unwrap_or(first),
            Self::Card if rest.starts_with('\\') => {
                first + rest.chars().nth(1).map_or(0, char::len_utf8)
            }
            Self::Card if rest.starts_with('[') => closed(')', 5000).unwrap_or(first),
            Self::Plain | Self::Slack | Self::Card => first,
        }
    }
}

/// Whether an address can become a link: other schemes and white space cannot.
pub(super) fn is_web(url: &str) -> bool {
    let web = url.starts_with("https://") || url.starts_with("http://");
    web && !url.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn escape_card(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        match c {
            // Cards do not set code apart, so back-ticks would be seen as such.
            '`' => out.push('\''),
            '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '|' | '&' => out.extend(['\\', c]),
            // Lists and headings begin a line.
            '#' | '-' | '+' if start => out.extend(['\\', c]),
            c => out.push(c),
        }
        start = c == '\n' || (start && c.is_whitespace());
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_from_outside_stays_letters() {
        let check = |markup: Markup, text: &str, expected: &str| {
            assert_eq!(markup.escape(text), expected);
        };
        check(Markup::Slack, "<!channel> a&b", "&lt;!channel&gt; a&amp;b");
        check(
            Markup::Slack,
            "<https://evil.example|here>",
            "&lt;https://evil.example|here&gt;",
        );
        check(
            Markup::Card,
            "[here](https://evil.example)",
            "\\[here\\](https://evil.example)",
        );
        check(
            Markup::Card,
            "my_pod **bold** <at>all</at>",
            "my\\_pod \\*\\*bold\\*\\* \\<at\\>all\\</at\\>",
        );
        check(Markup::Card, "- a\n # b\nc - d", "\\- a\n \\# b\nc - d");
        check(Markup::Card, "rule `http/x`", "rule 'http/x'");
        check(Markup::Plain, "<!channel>", "<!channel>");
    }

    #[test]
    fn a_label_cannot_leave_its_link() {
        assert_eq!(
            Markup::Card.link("a](https://evil.example)[b", "https://good.example/(x)"),
            "[a\\](https://evil.example)\\[b](https://good.example/%28x%29)"
        );
        assert_eq!(
            Markup::Slack.link("a>b", "https://good.example/?a|b>c"),
            "<https://good.example/?a%7Cb%3Ec|a&gt;b>"
        );
        assert_eq!(Markup::Slack.link("x", "javascript:alert(1)"), "x");
    }

    #[test]
    fn nothing_is_cut_in_two() {
        let check = |markup: Markup, text: &str, max: usize, expected: &str| {
            assert_eq!(markup.clip(text, max), expected);
        };
        check(Markup::Slack, "a&amp;b", 7, "a&amp;b");
        check(Markup::Slack, "a&amp;b", 6, "a…");
        check(Markup::Slack, "ab <https://x.example|label> c", 20, "ab …");
        check(Markup::Card, "a\\*b", 3, "a…");
        check(Markup::Card, "go [here](https://x.example) now", 12, "go …");
        check(Markup::Plain, "😀😀", 3, "😀…");
    }

    proptest! {
        #[test]
        fn what_is_clipped_keeps_the_limit(text in any::<String>(), max in 0_usize..60) {
            for markup in [Markup::Plain, Markup::Slack, Markup::Card] {
                let escaped = markup.escape(&text);
                prop_assert!(units(&markup.clip(&escaped, max)) <= max);
                prop_assert!(units(&markup.clip(&text, max)) <= max);
            }
        }

        #[test]
        fn nothing_escaped_is_markup(text in any::<String>()) {
            let slack = Markup::Slack.escape(&text);
            prop_assert!(!slack.contains(['<', '>']));
            let card = Markup::Card.escape(&text).replace("\\\\", "");
            for mark in ['[', ']', '<', '*', '_'] {
                for (at, _) in card.match_indices(mark) {
                    prop_assert!(card.get(..at).is_some_and(|before| before.ends_with('\\')), "{}", card);
                }
            }
        }
    }
}
