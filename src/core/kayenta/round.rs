//! Rounding a score to two decimals as Kayenta does: half up, and on the decimal text of the number rather than on its
//! binary value (Scala's `BigDecimal(x).setScale(2, HALF_UP)`).

/// Rounds; `None` for what is not finite, for which Kayenta throws.
pub(super) fn half_up(value: f64) -> Option<f64> {
    if !value.is_finite() {
        return None;
    }
    // The shortest text that reads back as the same number, which is what Java writes, too.
    let text = format!("{}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((text.as_str(), ""));
    let mut digits = fraction.bytes();
    let kept = [digits.next().unwrap_or(b'0'), digits.next().unwrap_or(b'0')];
    let up = digits.next().is_some_and(|digit| digit >= b'5');
    let mut scaled: Vec<u8> = whole.bytes().chain(kept).collect();
    if up {
        let nines = scaled
            .iter()
            .rev()
            .take_while(|digit| **digit == b'9')
            .count();
        let at = scaled.len() - nines;
        for digit in scaled.iter_mut().skip(at) {
            *digit = b'0';
        }
        match at.checked_sub(1).and_then(|at| scaled.get_mut(at)) {
            Some(digit) => *digit += 1,
            None => scaled.insert(0, b'1'),
        }
    }
    let point = scaled.len() - 2;
    scaled.insert(point, b'.');
    let rounded: f64 = std::str::from_utf8(&scaled).ok()?.parse().ok()?;
    // `BigDecimal` knows no negative zero.
    Some(if value < 0.0 && rounded != 0.0 {
        -rounded
    } else {
        rounded
    })
}
