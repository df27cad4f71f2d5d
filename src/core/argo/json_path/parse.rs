//! From a path to its nodes, character by character as client-go reads it.

use super::super::cursor::Cursor;
use regex::Regex;

use super::super::expression::{parse_float, parse_int};
use super::{Node, PathError, Range};

/// Paths within paths: filters and unions.
const MOST_DEPTH: usize = 16;

fn syntax(text: impl Into<String>) -> PathError {
    PathError::Syntax(text.into())
}

/// The nodes of a template.
pub(super) fn parse(source: &str, depth: usize) -> Result<Vec<Node>, PathError> {
    if depth > MOST_DEPTH {
        return Err(syntax("filters lie too deep within each other"));
    }
    let mut parser = Parser {
        cursor: Cursor::new(source),
        depth,
    };
    parser.template()
}

/// The nodes of what would stand in one pair of braces.
fn action(text: &str, depth: usize) -> Result<Vec<Node>, PathError> {
    match parse(&format!("{{{text}}}"), depth + 1)?.into_iter().next() {
        Some(Node::List(nodes)) => Ok(nodes),
        Some(_) | None => Ok(Vec::new()),
    }
}

struct Parser {
    cursor: Cursor,
    depth: usize,
}

fn is_terminator(character: Option<char>) -> bool {
    matches!(
        character,
        None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
    )
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

impl Parser {
    fn template(&mut self) -> Result<Vec<Node>, PathError> {
        let mut root = Vec::new();
        loop {
            if self.cursor.starts_with("{") {
                if self.cursor.at > self.cursor.start {
                    root.push(Node::Text(self.cursor.consume()));
                }
                self.cursor.at += 1;
                self.cursor.consume();
                let list = self.inside()?;
                root.push(Node::List(list));
                continue;
            }
            if self.cursor.read().is_none() {
                break;
            }
        }
        if self.cursor.at > self.cursor.start {
            root.push(Node::Text(self.cursor.consume()));
        }
        Ok(root)
    }

    /// What stands in braces, the closing one included.
    fn inside(&mut self) -> Result<Vec<Node>, PathError> {
        let mut nodes = Vec::new();
        loop {
            if self.cursor.starts_with("}") {
                self.cursor.at += 1;
                self.cursor.consume();
                return Ok(nodes);
            }
            if self.cursor.starts_with("[?(") {
                self.filter(&mut nodes)?;
                continue;
            }
            if self.cursor.starts_with("..") {
                self.recursive(&mut nodes)?;
                continue;
            }
            match self.cursor.read() {
                None | Some('\r' | '\n') => return Err(syntax("unclosed action")),
                Some(' ' | '@' | '$') => {
                    self.cursor.consume();
                }
                Some('[') => self.array(&mut nodes)?,
                Some(quote @ ('"' | '\'')) => self.quote(&mut nodes, quote)?,
                Some('.') => self.field(&mut nodes),
                Some(character)
                    if character == '+' || character == '-' || character.is_numeric() =>
                {
                    self.cursor.at -= 1;
                    self.number(&mut nodes)?;
                }
                Some(character) if is_word(character) => {
                    self.cursor.at -= 1;
                    self.identifier(&mut nodes);
                }
                Some(character) => {
                    return Err(syntax(format!(
                        "unrecognized character in action: {character:?}"
                    )));
                }
            }
        }
    }

    fn identifier(&mut self, nodes: &mut Vec<Node>) {
        while !is_terminator(self.cursor.peek()) {
            self.cursor.at += 1;
        }
        let word = self.cursor.consume();
        nodes.push(match word.as_str() {
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            _ => Node::Identifier(word),
        });
    }

    fn recursive(&mut self, nodes: &mut Vec<Node>) -> Result<(), PathError> {
        if nodes.last() == Some(&Node::Recursive) {
            return Err(syntax("invalid multiple recursive descent"));
        }
        self.cursor.at += 2;
        self.cursor.consume();
        nodes.push(Node::Recursive);
        if self.cursor.peek().is_some_and(is_word) {
            self.field(nodes);
        }
        Ok(())
    }

    fn number(&mut self, nodes: &mut Vec<Node>) -> Result<(), PathError> {
        if matches!(self.cursor.peek(), Some('+' | '-')) {
            self.cursor.at += 1;
        }
        while self
            .cursor
            .peek()
            .is_some_and(|next| next == '.' || next.is_numeric())
        {
            self.cursor.at += 1;
        }
        let text = self.cursor.consume();
        nodes.push(if let Ok(value) = parse_int(&text) {
            Node::Int(value)
        } else if let Ok(value) = parse_float(&text) {
            Node::Float(value)
        } else {
            return Err(syntax(format!("cannot parse number {text}")));
        });
        Ok(())
    }

    fn field(&mut self, nodes: &mut Vec<Node>) {
        self.cursor.consume();
        loop {
            if self.cursor.peek() == Some('\\') {
                self.cursor.at += 1;
                self.cursor.read();
            } else if is_terminator(self.cursor.peek()) {
                break;
            } else {
                self.cursor.at += 1;
            }
        }
        let name = self.cursor.consume();
        nodes.push(if name == "*" {
            Node::Wildcard
        } else {
            Node::Field(name.replace('\\', ""))
        });
    }

    fn quote(&mut self, nodes: &mut Vec<Node>, quote: char) -> Result<(), PathError> {
        loop {
            match self.cursor.read() {
                None | Some('\n') => return Err(syntax("unterminated quoted string")),
                Some(character)
                    if character == quote && self.cursor.before_last() != Some('\\') =>
                {
                    break;
                }
                Some(_) => {}
            }
        }
        let text = self.cursor.consume();
        let inner = text
            .strip_prefix(quote)
            .and_then(|text| text.strip_suffix(quote))
            .and_then(|text| unquoted(text, quote))
            .ok_or_else(|| syntax(format!("unquote string {text} error invalid syntax")))?;
        nodes.push(Node::Text(inner));
        Ok(())
    }

    fn array(&mut self, nodes: &mut Vec<Node>) -> Result<(), PathError> {
        loop {
            match self.cursor.read() {
                None | Some('\n') => return Err(syntax("unterminated array")),
                Some(']') => break,
                Some(_) => {}
            }
        }
        let text = self.cursor.consume();
        let text = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .unwrap_or_default();
        let text = if text == "*" { ":" } else { text };
        if text.contains(',') {
            let mut union = Vec::new();
            for part in text.split(',') {
                union.push(action(
                    &format!("[{}]", part.trim_matches(' ')),
                    self.depth,
                )?);
            }
            nodes.push(Node::Union(union));
            return Ok(());
        }
        let key = text
            .strip_prefix('\'')
            .and_then(|text| text.strip_suffix('\''))
            .filter(|key| !key.contains('\''));
        if let Some(key) = key {
            nodes.extend(action(&format!(".{key}"), self.depth)?);
            return Ok(());
        }
        nodes.push(Node::Array(range(text)?));
        Ok(())
    }

    fn filter(&mut self, nodes: &mut Vec<Node>) -> Result<(), PathError> {
        self.cursor.at += 3;
        self.cursor.consume();
        let mut pair = None;
        let mut ended = false;
        loop {
            match self.cursor.read() {
                None | Some('\n') => return Err(syntax("unterminated filter")),
                Some(quote @ ('"' | '\'')) => match pair {
                    None => pair = Some(quote),
                    Some(pair) if quote == pair && self.cursor.before_last() != Some('\\') => {
                        ended = true;
                    }
                    Some(_) => {}
                },
                Some(')') if pair.is_some() == ended => break,
                Some(_) => {}
            }
        }
        if self.cursor.read() != Some(']') {
            return Err(syntax("unclosed array expect ]"));
        }
        let text = self.cursor.consume();
        let text = text.strip_suffix(")]").unwrap_or_default();
        let comparison = pattern("^([^!<>=]+)([!<>=]+)(.+?)$")?;
        let parts = comparison.captures(text).map(|parts| {
            let part = |index: usize| parts.get(index).map_or("", |part| part.as_str()).to_owned();
            (part(1), part(2), part(3))
        });
        nodes.push(match parts {
            None => Node::Filter {
                left: action(text, self.depth)?,
                operator: String::new(),
                right: Vec::new(),
            },
            Some((left, operator, right)) => Node::Filter {
                left: action(&left, self.depth)?,
                operator,
                right: action(&right, self.depth)?,
            },
        });
        Ok(())
    }
}

fn pattern(pattern: &str) -> Result<Regex, PathError> {
    Regex::new(pattern).map_err(|error| syntax(error.to_string()))
}

fn range(text: &str) -> Result<Range, PathError> {
    let form = pattern("^(-?[0-9]*)(:-?[0-9]*)?(:-?[0-9]*)?$")?;
    let parts = form
        .captures(text)
        .ok_or_else(|| syntax(format!("invalid array index {text}")))?;
    let number = |text: &str| {
        parse_int(text).map_err(|_| syntax(format!("array index {text} is not a number")))
    };
    let part = |index: usize| parts.get(index).map(|part| part.as_str());
    let mut range = Range::default();
    if let Some(from) = part(1).filter(|from| !from.is_empty()) {
        range.from = Some(number(from)?);
    }
    match part(2).map(|to| to.trim_start_matches(':')) {
        None => {
            range.to = Some(range.from.unwrap_or(0).saturating_add(1));
            range.derived = true;
        }
        Some("") => {}
        Some(to) => range.to = Some(number(to)?),
    }
    if let Some(step) = part(3).map(|step| step.trim_start_matches(':'))
        && !step.is_empty()
    {
        range.step = Some(number(step)?);
    }
    Ok(range)
}

/// Go's escapes of texts and characters, which have no `\'` in double quotes and no `\"` in single ones.
fn unquoted(text: &str, quote: char) -> Option<String> {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == quote {
            return None;
        }
        if character != '\\' {
            out.push(character);
            continue;
        }
        let code = match characters.next()? {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            '\\' => 92,
            escaped if escaped == quote => u32::from(quote),
            kind @ ('x' | 'u' | 'U') => {
                let count = match kind {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let mut value: u32 = 0;
                for _ in 0..count {
                    let digit = characters.next()?.to_digit(16)?;
                    value = value.checked_mul(16)?.checked_add(digit)?;
                }
                value
            }
            octal @ '0'..='7' => {
                let mut value = octal.to_digit(8)?;
                for _ in 0..2 {
                    value = value * 8 + characters.next()?.to_digit(8)?;
                }
                value
            }
            _ => return None,
        };
        out.push(char::from_u32(code)?);
    }
    Some(out)
}
