//! Built-in functions on texts.

use super::error::{Class, ExpressionError};
use super::evaluate::Machine;
use super::numbers::to_int;
use super::operate::{assert_text, find};
use super::value::{ListType, Value};

use std::rc::Rc;

/// The value, or `None` if the function is not one of these.
pub(super) fn apply(
    machine: &mut Machine,
    name: &str,
    given: &[Value],
) -> Result<Option<Value>, ExpressionError> {
    let text = |index: usize| {
        let value = given.get(index).unwrap_or(&Value::Nil);
        assert_text(value).map(|text| text.as_slice())
    };
    let lossy = |index: usize| text(index).map(|text| String::from_utf8_lossy(text).into_owned());
    Ok(Some(match name {
        "trim" if given.len() == 1 => Value::text(lossy(0)?.trim()),
        "trim" => {
            let cut = lossy(1)?;
            Value::text(lossy(0)?.trim_matches(|character| cut.contains(character)))
        }
        "trimPrefix" | "trimSuffix" => {
            let cut = if given.len() == 2 { text(1)? } else { b" " };
            let whole = text(0)?;
            let rest = if name == "trimPrefix" {
                whole.strip_prefix(cut)
            } else {
                whole.strip_suffix(cut)
            };
            Value::bytes(rest.unwrap_or(whole).to_vec())
        }
        "upper" => Value::text(&lossy(0)?.chars().map(upper).collect::<String>()),
        "lower" => Value::text(&lossy(0)?.chars().map(lower).collect::<String>()),
        "split" | "splitAfter" => {
            let count = match given.get(2) {
                Some(count) => to_int(count)?,
                None => -1,
            };
            let (whole, separator) = (text(0)?, text(1)?);
            machine.take(whole.len())?;
            let pieces = split(whole, separator, count, name == "splitAfter");
            machine.step(pieces.len())?;
            let pieces = pieces.into_iter().map(Value::bytes).collect();
            Value::List(Rc::new(pieces), ListType::Texts)
        }
        "replace" => {
            let count = match given.get(3) {
                Some(count) => to_int(count)?,
                None => -1,
            };
            let (whole, old, new) = (text(0)?, text(1)?, text(2)?);
            machine.take(whole.len().saturating_mul(new.len().max(1)))?;
            Value::bytes(replace(whole, old, new, count))
        }
        "repeat" => {
            let whole = text(0)?;
            let count = to_int(given.get(1).unwrap_or(&Value::Nil))?;
            let Ok(count) = usize::try_from(count) else {
                return Err(ExpressionError::run(
                    Class::BadArgument,
                    format!("`repeat` cannot repeat {count} times"),
                ));
            };
            if count > super::MOST_ELEMENTS {
                return Err(ExpressionError::run(
                    Class::Budget,
                    "`repeat` repeats a million times at most",
                ));
            }
            machine.grow(whole.len().saturating_mul(count))?;
            Value::bytes(whole.repeat(count))
        }
        "join" => join(machine, given)?,
        "indexOf" | "lastIndexOf" => {
            let (whole, piece) = (text(0)?, text(1)?);
            machine.step(whole.len() / 16)?;
            let found = if name == "indexOf" {
                find(whole, piece)
            } else {
                rfind(whole, piece)
            };
            found.map_or(Value::int(-1), Value::length)
        }
        "hasPrefix" => Value::Bool(text(0)?.starts_with(text(1)?)),
        "hasSuffix" => Value::Bool(text(0)?.ends_with(text(1)?)),
        "toBase64" => Value::text(&to_base64(text(0)?)),
        "fromBase64" => {
            let bytes = from_base64(text(0)?)
                .ok_or_else(|| ExpressionError::run(Class::BadArgument, "the text is no base64"))?;
            Value::bytes(bytes)
        }
        _ => return Ok(None),
    }))
}

/// Go maps one character to one.
fn upper(character: char) -> char {
    let mut mapped = character.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        _ => character,
    }
}

fn lower(character: char) -> char {
    let mut mapped = character.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        (Some(first), Some(_)) if character == '\u{130}' => first,
        _ => character,
    }
}

fn rfind(text: &[u8], piece: &[u8]) -> Option<usize> {
    if piece.is_empty() {
        return Some(text.len());
    }
    text.windows(piece.len())
        .rposition(|window| window == piece)
}

/// `strings.SplitN` and `SplitAfterN`: at most `count` pieces, all if it is negative, none if it is 0.
fn split(text: &[u8], separator: &[u8], count: i64, after: bool) -> Vec<Vec<u8>> {
    if count == 0 {
        return Vec::new();
    }
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    let mut pieces = Vec::new();
    let mut rest = text;
    if separator.is_empty() {
        while !rest.is_empty() && pieces.len() + 1 < most {
            let size = character_size(rest);
            let (piece, more) = rest.split_at(size);
            pieces.push(piece.to_vec());
            rest = more;
        }
        if !rest.is_empty() {
            pieces.push(rest.to_vec());
        }
        return pieces;
    }
    while pieces.len() + 1 < most {
        let Some(at) = find(rest, separator) else {
            break;
        };
        let (piece, more) = rest.split_at(at);
        let (cut, more) = more.split_at(separator.len());
        pieces.push(if after {
            [piece, cut].concat()
        } else {
            piece.to_vec()
        });
        rest = more;
    }
    pieces.push(rest.to_vec());
    pieces
}

/// Bytes of the first character; an invalid one has one.
fn character_size(text: &[u8]) -> usize {
    (1..=4.min(text.len()))
        .find(|size| {
            text.get(..*size)
                .is_some_and(|part| std::str::from_utf8(part).is_ok())
        })
        .unwrap_or(1)
}

fn replace(text: &[u8], old: &[u8], new: &[u8], count: i64) -> Vec<u8> {
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut done = 0;
    if old.is_empty() {
        // Before each character, and at the end.
        loop {
            if done < most {
                out.extend_from_slice(new);
                done += 1;
            }
            if rest.is_empty() {
                return out;
            }
            let (character, more) = rest.split_at(character_size(rest));
            out.extend_from_slice(character);
            rest = more;
        }
    }
    while done < most {
        let Some(at) = find(rest, old) else {
            break;
        };
        let (before, more) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(new);
        rest = more.get(old.len()..).unwrap_or_default();
        done += 1;
    }
    out.extend_from_slice(rest);
    out
}

fn join(machine: &mut Machine, given: &[Value]) -> Result<Value, ExpressionError> {
    let glue = match given.get(1) {
        Some(glue) => assert_text(glue)?.to_vec(),
        None => Vec::new(),
    };
    let list = given.first().unwrap_or(&Value::Nil);
    let Value::List(items, ListType::Anys | ListType::NilAnys | ListType::Texts) = list else {
        return Err(ExpressionError::run(
            Class::BadArgument,
            format!("`join` takes a list of texts, and gets {}", list.describe()),
        ));
    };
    let mut pieces: Vec<&[u8]> = Vec::with_capacity(items.len());
    for item in items.iter() {
        pieces.push(assert_text(item)?);
        machine.take(members_length(item) + glue.len())?;
    }
    Ok(Value::bytes(pieces.join(glue.as_slice())))
}

fn members_length(value: &Value) -> usize {
    super::members::length(value)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            if position > chunk.len() {
                out.push('=');
                continue;
            }
            let index = (group >> (18 - 6 * position)) & 63;
            let digit = ALPHABET.get(index as usize).copied().unwrap_or(b'A');
            out.push(char::from(digit));
        }
    }
    out
}

/// Standard base64 with padding; line ends are skipped.
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() / 4 * 3);
    let groups = digits.len() / 4;
    for (index, chunk) in digits.chunks(4).enumerate() {
        let padding = chunk.iter().rev().take_while(|byte| **byte == b'=').count();
        if padding > 2 || padding > 0 && index + 1 < groups {
            return None;
        }
        let mut group: u32 = 0;
        for byte in chunk {
            let value = match byte {
                b'=' => 0,
                byte => ALPHABET.iter().position(|digit| digit == byte)?,
            };
            group = group << 6 | u32::try_from(value).ok()?;
        }
        if chunk.iter().take(4 - padding).any(|byte| *byte == b'=') {
            return None;
        }
        let bytes = group.to_be_bytes();
        out.extend(bytes.iter().skip(1).take(3 - padding));
    }
    Some(out)
}
