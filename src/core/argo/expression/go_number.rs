//! Numbers from texts and from each other, as Go's `strconv` and its conversions on amd64 do it.

/// Why a text is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberError {
    Syntax,
    Range,
}

/// `strconv.ParseInt(text, 10, 64)`.
///
/// # Errors
/// Anything but digits with an optional sign; more than 64 bits.
pub fn int(text: &str) -> Result<i64, NumberError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NumberError::Syntax);
    }
    text.parse().map_err(|_| NumberError::Range)
}

/// `strconv.ParseFloat(text, 64)`: also `1_000`, `0x1p-2`, `inf`, `+Infinity`, `nan`.
///
/// # Errors
/// What is no number; what is beyond the largest one.
pub fn float(text: &str) -> Result<f64, NumberError> {
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'-') => (-1.0, text.get(1..).unwrap_or_default()),
        Some(b'+') => (1.0, text.get(1..).unwrap_or_default()),
        Some(_) | None => (1.0, text),
    };
    let lower = rest.to_ascii_lowercase();
    match lower.as_str() {
        "inf" | "infinity" => return Ok(sign * f64::INFINITY),
        "nan" if rest.len() == text.len() => return Ok(f64::NAN),
        _ => {}
    }
    if lower.contains('_') && !underscores_fit(&lower) {
        return Err(NumberError::Syntax);
    }
    let plain = lower.replace('_', "");
    let value = match plain.strip_prefix("0x") {
        Some(hexadecimal) => self::hexadecimal(hexadecimal)?,
        None => decimal(&plain)?,
    };
    if value.is_infinite() {
        return Err(NumberError::Range);
    }
    Ok(sign * value)
}

/// An underscore stands between digits, or between the prefix and a digit.
fn underscores_fit(lower: &str) -> bool {
    let prefixed = ["0x", "0o", "0b"]
        .iter()
        .any(|prefix| lower.starts_with(prefix));
    let hexadecimal = lower.starts_with("0x");
    let mut last = if prefixed { '0' } else { '^' };
    for character in lower.chars().skip(if prefixed { 2 } else { 0 }) {
        let digit = character.is_ascii_digit() || hexadecimal && ('a'..='f').contains(&character);
        let now = match character {
            _ if digit => '0',
            '_' if last != '0' => return false,
            '_' => '_',
            _ if last == '_' => return false,
            _ => '!',
        };
        last = now;
    }
    last != '_'
}

fn decimal(text: &str) -> Result<f64, NumberError> {
    let (digits, exponent) = match text.split_once('e') {
        Some((digits, exponent)) => (digits, Some(exponent)),
        None => (text, None),
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits_fit = (is_number(whole) && (fraction.is_empty() || is_number(fraction)))
        || (whole.is_empty() && is_number(fraction));
    let exponent_fits = exponent
        .is_none_or(|exponent| is_number(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    if !digits_fit || !exponent_fits {
        return Err(NumberError::Syntax);
    }
    text.parse().map_err(|_| NumberError::Syntax)
}

/// `1.8p-3`, without the prefix; the exponent is required.
fn hexadecimal(text: &str) -> Result<f64, NumberError> {
    let (digits, exponent) = text.split_once('p').ok_or(NumberError::Syntax)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0 {
        return Err(NumberError::Syntax);
    }
    let exponent = int(exponent)?;
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        let digit = digit.to_digit(16).ok_or(NumberError::Syntax)?;
        value = value * 16.0 + f64::from(digit);
    }
    let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let power = exponent.saturating_sub(places.saturating_mul(4));
    let power = i32::try_from(power.clamp(-5000, 5000)).unwrap_or(0);
    // In two steps, so that a large power of a small number does not overflow on the way.
    Ok(value * 2.0_f64.powi(power / 2) * 2.0_f64.powi(power - power / 2))
}

/// `int64(value)` on amd64: toward zero; what does not fit, and NaN, is the least number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "it fits: the bounds were checked"
)]
pub fn truncate(value: f64) -> i64 {
    // 2^63; numbers up to, but not with, it fit.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}
