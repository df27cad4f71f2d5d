//! Tokens of an expression.
//!
//! An error is a token too, the last one: an error of the parser that comes before it is the one that is told.

use super::super::cursor::Cursor;
use super::error::{Class, ExpressionError};

/// A piece of the source.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// The value of a text, else the piece as it is written.
    pub(super) text: Vec<u8>,
    /// In characters from the start of the source.
    pub(super) at: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind {
    Identifier,
    Number,
    Text,
    Operator,
    Bracket,
    End,
    Error(ExpressionError),
}

impl Token {
    pub(super) fn is(&self, kind: &TokenKind, text: &str) -> bool {
        self.kind == *kind && self.text == text.as_bytes()
    }

    pub(super) fn word(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        cursor: Cursor::new(source),
        found: Vec::new(),
    };
    if let Err(error) = lexer.run() {
        let at = lexer.cursor.at;
        lexer.push(TokenKind::Error(error.at(at.saturating_sub(1))), Vec::new());
    }
    lexer.found
}

struct Lexer {
    cursor: Cursor,
    found: Vec<Token>,
}

fn syntax(text: impl Into<String>) -> ExpressionError {
    ExpressionError::compile(Class::Syntax, text)
}

fn is_word(character: char) -> bool {
    character == '_' || character == '$' || character.is_alphabetic() || character.is_numeric()
}

impl Lexer {
    fn accept(&mut self, valid: &str) -> bool {
        let found = self.cursor.peek().is_some_and(|next| valid.contains(next));
        self.cursor.at += usize::from(found);
        found
    }

    fn accept_all(&mut self, valid: &str) {
        while self.accept(valid) {}
    }

    fn emit(&mut self, kind: TokenKind) {
        let text = self.cursor.piece().into_bytes();
        self.push(kind, text);
    }

    fn push(&mut self, kind: TokenKind, text: Vec<u8>) {
        self.found.push(Token {
            kind,
            text,
            at: self.cursor.start,
        });
        self.cursor.start = self.cursor.at;
    }

    fn run(&mut self) -> Result<(), ExpressionError> {
        loop {
            let Some(character) = self.cursor.read() else {
                self.push(TokenKind::End, Vec::new());
                return Ok(());
            };
            match character {
                _ if character.is_whitespace() => self.cursor.start = self.cursor.at,
                '\'' | '"' => self.quoted(character)?,
                '`' => self.raw()?,
                '0'..='9' => {
                    self.cursor.at -= 1;
                    self.number()?;
                }
                '?' => {
                    self.accept(".?");
                    self.emit(TokenKind::Operator);
                }
                '/' if self.accept("/") => {
                    while !matches!(self.cursor.read(), None | Some('\n')) {}
                    self.cursor.start = self.cursor.at;
                }
                '/' if self.accept("*") => self.comment()?,
                '#' => self.pointer(),
                '|' | ':' => {
                    self.accept(if character == '|' { "|" } else { ":" });
                    self.emit(TokenKind::Operator);
                }
                '(' | '[' | '{' | ')' | ']' | '}' => self.emit(TokenKind::Bracket),
                ',' | ';' | '%' | '+' | '-' | '^' | '/' => self.emit(TokenKind::Operator),
                '&' | '!' | '=' | '*' | '<' | '>' => {
                    self.accept("&=*");
                    self.emit(TokenKind::Operator);
                }
                '.' => {
                    if self.cursor.peek().is_some_and(|next| next.is_ascii_digit()) {
                        self.number()?;
                    } else {
                        self.accept(".");
                        self.emit(TokenKind::Operator);
                    }
                }
                _ if is_word(character) => self.identifier(),
                _ => {
                    return Err(syntax(format!(
                        "the character {character:?} has no meaning here"
                    )));
                }
            }
        }
    }

    fn words(&mut self) {
        while self.cursor.peek().is_some_and(is_word) {
            self.cursor.at += 1;
        }
    }

    fn identifier(&mut self) {
        self.words();
        let word = self.cursor.piece();
        match word.as_str() {
            "not" => {
                self.emit(TokenKind::Operator);
                self.accept_all(" ");
                self.cursor.start = self.cursor.at;
                self.words();
                if matches!(
                    self.cursor.piece().as_str(),
                    "in" | "matches" | "contains" | "startsWith" | "endsWith"
                ) {
                    self.emit(TokenKind::Operator);
                } else {
                    self.cursor.at = self.cursor.start;
                }
            }
            "in" | "or" | "and" | "matches" | "contains" | "startsWith" | "endsWith" | "let"
            | "if" | "else" => self.emit(TokenKind::Operator),
            _ => self.emit(TokenKind::Identifier),
        }
    }

    fn number(&mut self) -> Result<(), ExpressionError> {
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_all(digits);
        let end = self.cursor.at;
        if self.accept(".") {
            // `1..2` is a range.
            if self.cursor.peek() == Some('.') {
                self.cursor.at = end;
                self.emit(TokenKind::Number);
                return Ok(());
            }
            self.accept_all(digits);
        }
        if self.accept("eE") {
            self.accept("+-");
            self.accept_all(digits);
        }
        if self.cursor.peek().is_some_and(is_word) {
            self.cursor.at += 1;
            return Err(ExpressionError::compile(
                Class::NumberLiteral,
                format!("`{}` is no number", self.cursor.piece()),
            ));
        }
        self.emit(TokenKind::Number);
        Ok(())
    }

    fn comment(&mut self) -> Result<(), ExpressionError> {
        loop {
            match self.cursor.read() {
                None => return Err(syntax("a comment is opened by `/*` and never closed")),
                Some('*') if self.accept("/") => break,
                Some(_) => {}
            }
        }
        self.cursor.start = self.cursor.at;
        Ok(())
    }

    fn pointer(&mut self) {
        self.accept("#");
        self.emit(TokenKind::Operator);
        self.words();
        if self.cursor.at > self.cursor.start {
            self.emit(TokenKind::Identifier);
        }
    }

    fn raw(&mut self) -> Result<(), ExpressionError> {
        let mut text = String::new();
        loop {
            match self.cursor.read() {
                None => return Err(unclosed()),
                Some('`') if self.accept("`") => text.push('`'),
                Some('`') => break,
                Some(character) => text.push(character),
            }
        }
        self.push(TokenKind::Text, text.into_bytes());
        Ok(())
    }

    fn quoted(&mut self, quote: char) -> Result<(), ExpressionError> {
        let mut text: Vec<u8> = Vec::new();
        loop {
            match self.cursor.read() {
                None | Some('\n') => return Err(unclosed()),
                Some('\\') => {
                    let character = self.escape(quote)?;
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(character) if character == quote => break,
                // Line ends inside of texts are one kind.
                Some('\r') => text.push(b'\n'),
                Some(character) => {
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
        self.push(TokenKind::Text, text);
        Ok(())
    }

    fn escape(&mut self, quote: char) -> Result<char, ExpressionError> {
        let character = self.cursor.read().ok_or_else(unclosed)?;
        let value = match character {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            '\\' => 92,
            _ if character == quote => u32::from(quote),
            '0'..='3' => {
                self.cursor.at -= 1;
                self.digits(8, 3)?
            }
            'x' => self.digits(16, 2)?,
            'u' if self.accept("{") => {
                let mut value = 0;
                let mut digits = 0;
                while !self.accept("}") {
                    value = value * 16 + self.digits(16, 1)?;
                    digits += 1;
                    if digits > 6 {
                        return Err(bad_escape());
                    }
                }
                if digits == 0 {
                    return Err(bad_escape());
                }
                value
            }
            'u' => self.digits(16, 4)?,
            'U' => self.digits(16, 8)?,
            _ => return Err(bad_escape()),
        };
        if value > 0x10_ffff {
            return Err(bad_escape());
        }
        Ok(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn digits(&mut self, base: u32, count: usize) -> Result<u32, ExpressionError> {
        let mut value: u32 = 0;
        for _ in 0..count {
            let digit = self.cursor.peek().and_then(|next| next.to_digit(base));
            let digit = digit.ok_or_else(bad_escape)?;
            self.cursor.at += 1;
            value = value.saturating_mul(base).saturating_add(digit);
        }
        Ok(value)
    }
}

fn unclosed() -> ExpressionError {
    syntax("a text is opened by a quote and never closed on its line")
}

fn bad_escape() -> ExpressionError {
    syntax(
        "what follows the backslash has no meaning: write `\\\\` for a backslash, or put the text into backquotes",
    )
}
