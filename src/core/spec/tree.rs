//! YAML (and JSON, which is YAML) as a tree with positions: what the documents are read from.
//!
//! Bounded in size, depth and number of nodes. Anchors, aliases, tags and merge keys are not followed: they are what
//! YAML bombs are made of. Rule files need none of them, and are refused for them; in files of other programs they
//! only hide what they stand for. A syntax error costs its document, not the next ones.

use std::collections::BTreeMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError};

use super::report::{Report, Span};
use super::syntax;

/// Bytes of one file.
pub const MOST_BYTES: usize = 1 << 20;
/// Mappings and lists within each other.
pub(super) const MOST_DEPTH: usize = 32;
/// Scalars, lists and mappings of one file.
pub(super) const MOST_NODES: usize = 100_000;
/// Syntax errors after which the rest of a file is not read.
const MOST_SYNTAX_ERRORS: usize = 20;

/// The documents of one file.
#[derive(Debug, Default)]
pub(super) struct Documents {
    pub(super) roots: Vec<Root>,
    /// A part of the file could not be read: names may be defined there that we do not know.
    pub(super) broken: bool,
}

/// One document.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) node: Node,
    pub(super) unfollowed: Vec<Unfollowed>,
}

/// Something of YAML that is not followed, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unfollowed {
    pub(super) span: Span,
    pub(super) what: YamlFeature,
}

/// What is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum YamlFeature {
    Anchor,
    Alias,
    MergeKey,
    Tag,
}

impl Unfollowed {
    /// Refuses it, as in rule files.
    pub(super) fn refuse(self, report: &mut Report<'_>) {
        let Self { span, what } = self;
        let (message, help) = match what {
            YamlFeature::Anchor => (
                "a YAML anchor is set".to_owned(),
                "anchors and aliases are refused, since files can be blown up with them: leave the anchor out",
            ),
            YamlFeature::Alias => {
                let text = report.file().text.get(span.start..span.end).unwrap_or("*");
                (
                    format!("a YAML alias ({}) is used", super::excerpt::quoted(text)),
                    "aliases are refused, since files can be blown up with them: write the value out",
                )
            }
            YamlFeature::MergeKey => (
                "a YAML merge key (`<<`) is used".to_owned(),
                "merge keys are refused: write the fields out",
            ),
            YamlFeature::Tag => (
                "a YAML tag (`!…`) is set on this value".to_owned(),
                "leave the tag out: the type of every field is known",
            ),
        };
        report.error(span, message).help(help);
    }
}

/// A value with its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// It was reported already: say nothing more.
    Reported,
}

/// A scalar after YAML's own unquoting.
#[derive(Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) style: Style,
}

/// How a scalar is written; only plain ones can be numbers, booleans or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Block,
}

/// One field of a mapping.
#[derive(Debug)]
pub(super) struct Entry {
    /// Empty when the key was reported; its value is kept only so that it can be hidden.
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) value: Node,
}

impl Node {
    /// Whether nothing was written: `key:` alone, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        match &self.kind {
            Kind::Scalar(scalar) => {
                scalar.style == Style::Plain
                    && matches!(scalar.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            Kind::List(_) | Kind::Map(_) | Kind::Reported => false,
        }
    }

    /// What the value is, for messages.
    pub(super) fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(_) if self.is_null() => "nothing",
            Kind::Scalar(_) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
            Kind::Reported => "something else",
        }
    }
}

/// Reads all documents of a file.
pub(super) fn parse(report: &mut Report<'_>) -> Documents {
    let text = report.file().text.as_str();
    if text.len() > MOST_BYTES {
        report
            .file_error(format!(
                "the file has {} bytes, more than {MOST_BYTES} (1 MiB)",
                text.len()
            ))
            .help("rule files are small: is this the right file? otherwise split it");
        return Documents {
            roots: Vec::new(),
            broken: true,
        };
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.disallow_directives = true;
    options.emit_unresolved_aliases = true;
    options.emit_anchor_events = true;
    options.flow_nesting_limit = MOST_DEPTH;
    options.block_nesting_limit = MOST_DEPTH;
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder::default();
    let mut documents = Documents::default();
    let mut syntax_errors = 0;
    loop {
        match parser.next() {
            None | Some(Ok((Event::StreamEnd, _))) => break,
            Some(Ok((event, span))) => {
                let span = span_of(text, &span);
                match builder.take(event, span, report) {
                    Taken::More => {}
                    Taken::Document(root) => documents.roots.extend(root),
                    Taken::TooMuch => {
                        documents.broken = true;
                        builder.refuse(report);
                        break;
                    }
                }
            }
            Some(Err(error)) => {
                documents.broken = true;
                builder.open.clear();
                builder.refuse(report);
                syntax_errors += 1;
                report_syntax(report, text, &error);
                let goes_on = syntax_errors < MOST_SYNTAX_ERRORS
                    && parser.proceed_next_document().unwrap_or(false);
                if !goes_on {
                    break;
                }
            }
        }
    }
    documents
}

/// Builds nodes from events, without recursion.
#[derive(Debug, Default)]
struct Builder {
    nodes: usize,
    open: Vec<Frame>,
    root: Option<Node>,
    unfollowed: Vec<Unfollowed>,
}

/// A list or mapping that is not complete yet.
#[derive(Debug)]
enum Frame {
    List {
        start: Span,
        items: Vec<Node>,
    },
    Map {
        start: Span,
        entries: Vec<Entry>,
        /// Where each key was first.
        keys: BTreeMap<String, Span>,
        key: Key,
    },
}

/// The key of a mapping that waits for its value.
#[derive(Debug, Default)]
enum Key {
    #[default]
    None,
    Good(String, Span),
    Reported(Span),
}

enum Taken {
    More,
    /// A document is complete; `None`: it was empty.
    Document(Option<Root>),
    TooMuch,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span, report: &mut Report<'_>) -> Taken {
        if self.nodes > MOST_NODES || self.open.len() > MOST_DEPTH {
            let what = if self.nodes > MOST_NODES {
                format!("the file has more than {MOST_NODES} values")
            } else {
                format!("values are nested more than {MOST_DEPTH} deep")
            };
            report
                .error(span, what)
                .help("rule files are small and flat: is this the right file? the rest of it was not read");
            return Taken::TooMuch;
        }
        let tag = match &event {
            Event::Scalar(_, _, _, tag)
            | Event::SequenceStart(_, _, tag)
            | Event::MappingStart(_, _, tag) => tag.is_some(),
            _ => false,
        };
        if tag {
            self.unfollowed(span, YamlFeature::Tag);
        }
        match event {
            Event::Scalar(text, style, _, _) => {
                self.nodes += 1;
                let kind = Kind::Scalar(Scalar {
                    text: text.into_owned(),
                    style: match style {
                        ScalarStyle::Plain => Style::Plain,
                        ScalarStyle::SingleQuoted => Style::SingleQuoted,
                        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
                        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                    },
                });
                let kind = if tag { Kind::Reported } else { kind };
                self.put(Node { span, kind }, report);
            }
            Event::SequenceStart(..) => {
                self.nodes += 1;
                self.open.push(Frame::List {
                    start: span,
                    items: Vec::new(),
                });
            }
            Event::MappingStart(..) => {
                self.nodes += 1;
                self.open.push(Frame::Map {
                    start: span,
                    entries: Vec::new(),
                    keys: BTreeMap::new(),
                    key: Key::None,
                });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span, report),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.nodes += 1;
                self.unfollowed(span, YamlFeature::Alias);
                let kind = Kind::Reported;
                self.put(Node { span, kind }, report);
            }
            Event::Anchor(..) => self.unfollowed(span, YamlFeature::Anchor),
            Event::DocumentEnd => {
                let unfollowed = std::mem::take(&mut self.unfollowed);
                let root = self.root.take();
                return Taken::Document(root.map(|node| Root { node, unfollowed }));
            }
            // Stream and document starts say nothing; comments are switched off.
            _ => {}
        }
        Taken::More
    }

    fn unfollowed(&mut self, span: Span, what: YamlFeature) {
        self.unfollowed.push(Unfollowed { span, what });
    }

    /// What was found in a document that could not be read to its end.
    fn refuse(&mut self, report: &mut Report<'_>) {
        for unfollowed in std::mem::take(&mut self.unfollowed) {
            unfollowed.refuse(report);
        }
    }

    fn close(&mut self, end: Span, report: &mut Report<'_>) {
        let to = |start: Span| Span {
            start: start.start,
            end: end.end.max(start.end),
        };
        let node = match self.open.pop() {
            Some(Frame::List { start, items }) => Node {
                span: to(start),
                kind: Kind::List(items),
            },
            Some(Frame::Map { start, entries, .. }) => Node {
                span: to(start),
                kind: Kind::Map(entries),
            },
            None => return,
        };
        self.put(node, report);
    }

    /// Puts a complete value where it belongs.
    fn put(&mut self, node: Node, report: &mut Report<'_>) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map {
                entries, keys, key, ..
            }) => match std::mem::take(key) {
                Key::None => *key = as_key(node, keys, &mut self.unfollowed, report),
                Key::Reported(key_span) => entries.push(Entry {
                    key: String::new(),
                    key_span,
                    value: node,
                }),
                Key::Good(key, key_span) => entries.push(Entry {
                    key,
                    key_span,
                    value: node,
                }),
            },
        }
    }
}

/// The key that a node is.
fn as_key(
    node: Node,
    keys: &mut BTreeMap<String, Span>,
    unfollowed: &mut Vec<Unfollowed>,
    report: &mut Report<'_>,
) -> Key {
    let Node { span, kind } = node;
    let text = match kind {
        Kind::Scalar(Scalar { text, style }) => {
            if style == Style::Plain && text == "<<" {
                unfollowed.push(Unfollowed {
                    span,
                    what: YamlFeature::MergeKey,
                });
                return Key::Reported(span);
            }
            text
        }
        Kind::List(_) | Kind::Map(_) => {
            report
                .error(span, "a list or a mapping stands where the name of a field is expected")
                .help("in YAML `{` begins a mapping and `[` a list: put quotes around text that begins with them; is this a template that was not rendered?");
            return Key::Reported(span);
        }
        Kind::Reported => return Key::Reported(span),
    };
    if text.is_empty() {
        report
            .error(span, "a field has no name")
            .help("write `field: value`");
        return Key::Reported(span);
    }
    if let Some(first) = keys.get(&text) {
        let first = if report.is_full() {
            String::new()
        } else {
            report.position(*first)
        };
        report
            .error(
                span,
                format!("field {} is given twice", super::excerpt::quoted(&text)),
            )
            .note(format!("it is first given at {first}"))
            .help("leave one of them out");
        return Key::Reported(span);
    }
    keys.insert(text.clone(), span);
    Key::Good(text, span)
}

fn report_syntax(report: &mut Report<'_>, text: &str, error: &ScanError) {
    let start = byte_of(text, error.marker());
    let span = Span {
        start,
        end: start + 1,
    };
    let (message, help) = syntax::words(error.kind());
    report
        .error(span, message)
        .note("the rest of this YAML document was not read")
        .help(help);
}

fn span_of(text: &str, span: &granit_parser::Span) -> Span {
    let start = byte_of(text, &span.start);
    let end = byte_of(text, &span.end);
    Span {
        start,
        end: end.max(start),
    }
}

/// Byte offset of a mark; the parser knows it for text in memory, characters are the fallback.
fn byte_of(text: &str, mark: &granit_parser::Marker) -> usize {
    mark.byte_offset().unwrap_or_else(|| {
        text.char_indices()
            .nth(mark.index())
            .map_or(text.len(), |(at, _)| at)
    })
}
