//! Arithmetic: whole numbers wrap around as in Go, and a float on either side makes floats of both.

use super::error::{Class, ExpressionError};
use super::go_number::truncate;
use super::times;
use super::value::{Value, Whole};

pub(super) type Evaluated = Result<Value, ExpressionError>;

/// Two numbers that an operator works on.
pub(super) enum Pair {
    Ints(i64, i64),
    Floats(f64, f64),
}

/// Months and days of the week are no numbers here, as in expr-lang.
pub(super) fn numbers(left: &Value, right: &Value) -> Option<Pair> {
    let whole = |value: &Value| match value {
        Value::Int(value, Whole::Int | Whole::Int64 | Whole::Uint8) => Some(*value),
        _ => None,
    };
    let float = |value: &Value| match value {
        Value::Float(value) => Some(*value),
        other => whole(other).map(|value| value as f64),
    };
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => Some(Pair::Ints(left, right)),
        _ => Some(Pair::Floats(float(left)?, float(right)?)),
    }
}

pub(super) fn mismatch(operator: &str, left: &Value, right: &Value) -> ExpressionError {
    ExpressionError::run(
        Class::TypeMismatch,
        format!(
            "`{operator}` does not work between {} and {}",
            left.describe(),
            right.describe()
        ),
    )
}

pub(super) fn add(left: &Value, right: &Value) -> Evaluated {
    if let Some(pair) = numbers(left, right) {
        return Ok(match pair {
            Pair::Ints(left, right) => Value::int(left.wrapping_add(right)),
            Pair::Floats(left, right) => Value::Float(left + right),
        });
    }
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            Ok(Value::bytes([left.as_slice(), right.as_slice()].concat()))
        }
        (Value::Time(time), Value::Duration(duration))
        | (Value::Duration(duration), Value::Time(time)) => Ok(Value::Time(time.plus(*duration)?)),
        (Value::Duration(left), Value::Duration(right)) => {
            Ok(Value::Duration(left.wrapping_add(*right)))
        }
        _ => Err(mismatch("+", left, right)),
    }
}

pub(super) fn subtract(left: &Value, right: &Value) -> Evaluated {
    if let Some(pair) = numbers(left, right) {
        return Ok(match pair {
            Pair::Ints(left, right) => Value::int(left.wrapping_sub(right)),
            Pair::Floats(left, right) => Value::Float(left - right),
        });
    }
    match (left, right) {
        (Value::Time(left), Value::Time(right)) => Ok(Value::Duration(left.since(right))),
        (Value::Time(time), Value::Duration(duration)) => {
            Ok(Value::Time(time.plus(duration.wrapping_neg())?))
        }
        (Value::Duration(left), Value::Duration(right)) => {
            Ok(Value::Duration(left.wrapping_sub(*right)))
        }
        _ => Err(mismatch("-", left, right)),
    }
}

pub(super) fn multiply(left: &Value, right: &Value) -> Evaluated {
    let durations = matches!(left, Value::Duration(_)) || matches!(right, Value::Duration(_));
    let (one, other) = (times::without_unit(left), times::without_unit(right));
    match numbers(&one, &other) {
        Some(Pair::Ints(left, right)) if durations => Ok(Value::Duration(left.wrapping_mul(right))),
        Some(Pair::Ints(left, right)) => Ok(Value::int(left.wrapping_mul(right))),
        // A duration times a float is a float, in nanoseconds.
        Some(Pair::Floats(left, right)) => Ok(Value::Float(left * right)),
        None => Err(mismatch("*", left, right)),
    }
}

pub(super) fn divide(left: &Value, right: &Value) -> Evaluated {
    match numbers(left, right) {
        Some(Pair::Ints(left, right)) => Ok(Value::Float(left as f64 / right as f64)),
        Some(Pair::Floats(left, right)) => Ok(Value::Float(left / right)),
        None => Err(mismatch("/", left, right)),
    }
}

pub(super) fn modulo(left: &Value, right: &Value) -> Evaluated {
    match numbers(left, right) {
        Some(Pair::Ints(_, 0)) => Err(ExpressionError::run(
            Class::DivisionByZero,
            "there is no remainder of a division by zero",
        )),
        Some(Pair::Ints(left, right)) => Ok(Value::int(left.wrapping_rem(right))),
        Some(Pair::Floats(..)) | None => Err(mismatch("%", left, right)),
    }
}

pub(super) fn power(left: &Value, right: &Value) -> Evaluated {
    Ok(Value::Float(pow(to_float(left)?, to_float(right)?)))
}

/// As Go's `math.Pow`, which agrees with Rust's on the special cases.
pub(super) fn pow(base: f64, exponent: f64) -> f64 {
    base.powf(exponent)
}

pub(super) fn negate(value: &Value) -> Evaluated {
    Ok(match value {
        Value::Int(value, Whole::Uint8) => Value::Int((256 - value) % 256, Whole::Uint8),
        Value::Int(value, whole @ (Whole::Int | Whole::Int64)) => {
            Value::Int(value.wrapping_neg(), *whole)
        }
        Value::Float(value) => Value::Float(-value),
        other => {
            return Err(ExpressionError::run(
                Class::TypeMismatch,
                format!("`-` cannot be applied to {}", other.describe()),
            ));
        }
    })
}

/// Where expr-lang needs a whole number: floats are cut off.
pub(super) fn to_int(value: &Value) -> Result<i64, ExpressionError> {
    match value {
        Value::Int(value, Whole::Int | Whole::Int64 | Whole::Uint8) => Ok(*value),
        Value::Float(value) => Ok(truncate(*value)),
        other => Err(ExpressionError::run(
            Class::Conversion,
            format!(
                "a whole number is needed here, and this is {}",
                other.describe()
            ),
        )),
    }
}

pub(super) fn to_float(value: &Value) -> Result<f64, ExpressionError> {
    match value {
        Value::Int(value, Whole::Int | Whole::Int64 | Whole::Uint8) => Ok(*value as f64),
        Value::Float(value) => Ok(*value),
        other => Err(ExpressionError::run(
            Class::Conversion,
            format!("a number is needed here, and this is {}", other.describe()),
        )),
    }
}
