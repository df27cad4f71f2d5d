//! Calls of built-in functions.

use super::ast::Builtin;
use super::builtins;
use super::collections;
use super::error::{Class, ExpressionError};
use super::evaluate::{Machine, Stopped};
use super::go_text;
use super::members;
use super::numbers::Evaluated;
use super::operate::{self, assert_text};
use super::strings;
use super::times::{self, Moment};
use super::value::{Value, Whole};
use crate::argo::json;

impl Machine {
    pub(super) fn builtin(&mut self, builtin: &Builtin) -> Stopped {
        if builtins::loop_arguments(&builtin.name).is_some() {
            return self.loop_builtin(builtin);
        }
        let given = self.all(&builtin.arguments)?;
        let weight: usize = given.iter().map(members::length).sum();
        self.step(weight / 4)?;
        Ok(self.apply(&builtin.name, &given)?)
    }

    fn apply(&mut self, name: &str, given: &[Value]) -> Evaluated {
        if let Some(value) = strings::apply(self, name, given)? {
            return Ok(value);
        }
        if let Some(value) = collections::apply(self, name, given)? {
            return Ok(value);
        }
        let first = given.first().unwrap_or(&Value::Nil);
        let second = given.get(1).unwrap_or(&Value::Nil);
        match name {
            "len" => length(first),
            "type" => Ok(Value::text(type_name(first))),
            "abs" => absolute(first),
            "ceil" => round("ceil", first, f64::ceil),
            "floor" => round("floor", first, f64::floor),
            "round" => round("round", first, f64::round),
            "int" | "float" => Self::convert(name, first),
            "string" => {
                let text = go_text::display(first);
                self.take(text.len())?;
                Ok(Value::bytes(text))
            }
            "get" => members::get(first, second),
            "toJSON" => {
                let text = json::indented(&go_text::to_json(first)?);
                self.take(text.len())?;
                Ok(Value::text(&text))
            }
            "fromJSON" => {
                let text = assert_text(first)?;
                self.take(text.len())?;
                json::parse(text)
                    .map(|json| Value::of_json(&json))
                    .map_err(|error| {
                        ExpressionError::run(Class::Json, format!("the text is no JSON: {error}"))
                    })
            }
            "now" => Ok(Value::Time(Moment::utc(self.now))),
            "duration" => {
                let text = assert_text(first)?;
                let text = String::from_utf8_lossy(text);
                times::duration(&text).map(Value::Duration).map_err(|_| {
                    ExpressionError::run(Class::BadArgument, format!("`{text}` is no duration"))
                })
            }
            "date" => times::date(given),
            "timezone" => times::zone(first),
            _ => bits(name, given),
        }
    }
}

fn length(value: &Value) -> Evaluated {
    match value {
        // Characters, not bytes: invalid ones count one each.
        Value::Text(text) => Ok(Value::length(String::from_utf8_lossy(text).chars().count())),
        Value::List(..) | Value::Object(_) | Value::AnyMap(..) => {
            Ok(Value::length(members::length(value)))
        }
        other => Err(ExpressionError::run(
            Class::BadArgument,
            format!("{} has no length", other.describe()),
        )),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_, Whole::Int | Whole::Int64) => "int",
        Value::Int(_, Whole::Uint8) => "uint",
        Value::Int(_, Whole::Month) => "time.Month",
        Value::Int(_, Whole::Weekday) => "time.Weekday",
        Value::Float(_) => "float",
        Value::Text(_) => "string",
        Value::List(..) => "array",
        Value::Object(_) | Value::AnyMap(..) => "map",
        Value::Time(_) => "time.Time",
        Value::Duration(_) => "time.Duration",
        Value::Function(..) => "func",
        Value::Location => "unknown",
    }
}

fn no_number(name: &str, value: &Value) -> ExpressionError {
    ExpressionError::run(
        Class::BadArgument,
        format!("`{name}` takes a number, and gets {}", value.describe()),
    )
}

fn absolute(value: &Value) -> Evaluated {
    match value {
        Value::Int(value, whole @ (Whole::Int | Whole::Int64 | Whole::Uint8)) => {
            Ok(Value::Int(value.wrapping_abs(), *whole))
        }
        // Not the sign bit: of -0 it is -0.
        Value::Float(value) => Ok(Value::Float(if *value < 0.0 { -value } else { *value })),
        other => Err(no_number("abs", other)),
    }
}

fn round(name: &str, value: &Value, f: fn(f64) -> f64) -> Evaluated {
    match value {
        Value::Float(value) => Ok(Value::Float(f(*value))),
        Value::Int(value, Whole::Int | Whole::Int64 | Whole::Uint8) => {
            Ok(Value::Float(*value as f64))
        }
        other => Err(no_number(name, other)),
    }
}

fn bits(name: &str, given: &[Value]) -> Evaluated {
    let mut numbers = Vec::new();
    for value in given {
        match value {
            Value::Int(value, Whole::Int | Whole::Int64 | Whole::Uint8) => numbers.push(*value),
            other => {
                return Err(ExpressionError::run(
                    Class::BadArgument,
                    format!(
                        "`{name}` takes whole numbers, and gets {}",
                        other.describe()
                    ),
                ));
            }
        }
    }
    let shift = |by: i64| {
        u32::try_from(by).map_err(|_| {
            if by < 0 {
                Some(ExpressionError::run(
                    Class::BadArgument,
                    format!("`{name}` cannot shift by {by}: it is negative"),
                ))
            } else {
                None
            }
        })
    };
    let shifted = |by: i64, f: &dyn Fn(u32) -> i64, beyond: i64| match shift(by) {
        Ok(by) if by < 64 => Ok(f(by)),
        Ok(_) | Err(None) => Ok(beyond),
        Err(Some(error)) => Err(error),
    };
    let value = match (name, numbers.as_slice()) {
        ("bitand", [one, other]) => one & other,
        ("bitor", [one, other]) => one | other,
        ("bitxor", [one, other]) => one ^ other,
        ("bitnand", [one, other]) => one & !other,
        ("bitnot", [one]) => !one,
        ("bitshl", [value, by]) => shifted(*by, &|by| value << by, 0)?,
        ("bitshr", [value, by]) => shifted(*by, &|by| value >> by, value >> 63)?,
        ("bitushr", [value, by]) => {
            shifted(*by, &|by| (value.cast_unsigned() >> by).cast_signed(), 0)?
        }
        (_, _) => return Err(operate::needed("a whole number", &Value::Nil)),
    };
    Ok(Value::int(value))
}
