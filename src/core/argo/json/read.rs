//! Reads JSON with the leniencies and the strictness of Go's `encoding/json`, without recursion on the stack beyond
//! [`MOST_DEPTH`].

use std::collections::BTreeMap;

use thiserror::Error;

use super::Json;

/// Bytes of one document.
pub const MOST_BYTES: usize = 10 << 20;
/// Lists and objects within each other. Go allows 10,000; nobody's answer needs them.
pub const MOST_DEPTH: usize = 128;

/// Why a text is no JSON, and where: the byte it was noticed at.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JsonError {
    #[error("it is empty or ends too early, after {at} bytes")]
    Ended { at: usize },
    #[error("the character {found:?} is not expected at byte {at}")]
    Unexpected { found: char, at: usize },
    #[error("the number `{text}` is out of range")]
    NumberOutOfRange { text: String },
    #[error("lists and objects lie more than {MOST_DEPTH} deep within each other")]
    TooDeep,
    #[error("it has {bytes} bytes, more than {MOST_BYTES}")]
    TooLong { bytes: usize },
}

/// Reads one value and nothing behind it but blanks. Bytes that are no UTF-8 become U+FFFD, in texts only.
///
/// # Errors
/// Where Go's decoder fails, and above [`MOST_BYTES`] and [`MOST_DEPTH`].
pub fn parse(bytes: &[u8]) -> Result<Json, JsonError> {
    let (value, mut reader) = read(bytes)?;
    reader.blanks();
    match reader.peek() {
        None => Ok(value),
        Some(byte) => Err(reader.unexpected(byte)),
    }
}

/// Reads one value, whatever follows it, as Go's streaming decoder does.
///
/// # Errors
/// As [`parse`].
pub fn parse_first(bytes: &[u8]) -> Result<Json, JsonError> {
    read(bytes).map(|(value, _)| value)
}

fn read(bytes: &[u8]) -> Result<(Json, Reader<'_>), JsonError> {
    if bytes.len() > MOST_BYTES {
        return Err(JsonError::TooLong { bytes: bytes.len() });
    }
    let mut reader = Reader { bytes, at: 0 };
    reader.blanks();
    let value = reader.value(0)?;
    Ok((value, reader))
}

#[derive(Debug)]
struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, JsonError> {
        let byte = self.peek().ok_or(JsonError::Ended { at: self.at })?;
        self.at += 1;
        Ok(byte)
    }

    fn unexpected(&self, byte: u8) -> JsonError {
        JsonError::Unexpected {
            found: char::from(byte),
            at: self.at,
        }
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        if depth > MOST_DEPTH {
            return Err(JsonError::TooDeep);
        }
        match self.peek() {
            None => Err(JsonError::Ended { at: self.at }),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(byte) => Err(self.unexpected(byte)),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, JsonError> {
        for expected in word.bytes() {
            match self.peek() {
                Some(byte) if byte == expected => self.at += 1,
                Some(byte) => return Err(self.unexpected(byte)),
                None => return Err(JsonError::Ended { at: self.at }),
            }
        }
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut fields = BTreeMap::new();
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(fields));
        }
        loop {
            self.blanks();
            match self.peek() {
                Some(b'"') => {}
                Some(byte) => return Err(self.unexpected(byte)),
                None => return Err(JsonError::Ended { at: self.at }),
            }
            let key = self.string()?;
            self.blanks();
            match self.next()? {
                b':' => {}
                byte => {
                    self.at -= 1;
                    return Err(self.unexpected(byte));
                }
            }
            self.blanks();
            let value = self.value(depth + 1)?;
            fields.insert(key, value);
            self.blanks();
            match self.next()? {
                b',' => {}
                b'}' => return Ok(Json::Object(fields)),
                byte => {
                    self.at -= 1;
                    return Err(self.unexpected(byte));
                }
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            self.blanks();
            items.push(self.value(depth + 1)?);
            self.blanks();
            match self.next()? {
                b',' => {}
                b']' => return Ok(Json::Array(items)),
                byte => {
                    self.at -= 1;
                    return Err(self.unexpected(byte));
                }
            }
        }
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    fn number(&mut self) -> Result<Json, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let digits = self.bytes.get(start..self.at).unwrap_or_default();
        let text = String::from_utf8_lossy(digits);
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Json::Number(number)),
            Ok(_) | Err(_) => Err(JsonError::NumberOutOfRange {
                text: text.chars().take(40).collect(),
            }),
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'0'..=b'9') => {}
            Some(byte) => return Err(self.unexpected(byte)),
            None => return Err(JsonError::Ended { at: self.at }),
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut text: Vec<u8> = Vec::new();
        loop {
            match self.next()? {
                b'"' => return Ok(String::from_utf8_lossy(&text).into_owned()),
                b'\\' => {
                    let character = self.escape()?;
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                byte if byte < 0x20 => {
                    self.at -= 1;
                    return Err(self.unexpected(byte));
                }
                byte => text.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        Ok(match self.next()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                self.surrogates(first)?
            }
            byte => {
                self.at -= 1;
                return Err(self.unexpected(byte));
            }
        })
    }

    /// A half of a surrogate pair without the other one is U+FFFD, and what follows it is read again.
    fn surrogates(&mut self, first: u32) -> Result<char, JsonError> {
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        let rest = self.bytes.get(self.at..self.at + 2).unwrap_or_default();
        if first < 0xdc00 && rest == b"\\u" {
            let before = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let both = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(both).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let mut value = 0;
        for _ in 0..4 {
            let byte = self.next()?;
            let digit = char::from(byte).to_digit(16);
            let Some(digit) = digit else {
                self.at -= 1;
                return Err(self.unexpected(byte));
            };
            value = value * 16 + digit;
        }
        Ok(value)
    }
}
