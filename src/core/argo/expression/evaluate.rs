//! Evaluates a checked and rewritten tree, within budgets of steps, elements and bytes.

use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::Timestamp;

use super::ast::{Binary, Kind, Node, Unary};
use super::error::{Class, ExpressionError};
use super::go_number::{self, truncate};
use super::loops::Scope;
use super::members;
use super::nature::{Function, GoType};
use super::numbers::{self, Evaluated, to_int};
use super::operate;
use super::value::{ListType, Value, Whole};
use super::{MOST_BYTES, MOST_ELEMENTS, MOST_STEPS};

/// Evaluates a whole expression.
pub(super) fn run(machine: Machine, node: &Node) -> Evaluated {
    let mut machine = machine;
    match machine.evaluate(node) {
        Ok(value) => Ok(value),
        Err(Stop::Error(error)) => Err(error),
        // Every optional access lies in a chain.
        Err(Stop::Chain) => Ok(Value::Nil),
    }
}

/// Why the evaluation of a node did not give a value.
pub(super) enum Stop {
    Error(ExpressionError),
    /// Something in `a?.b` is nil: the whole chain is.
    Chain,
}

impl From<ExpressionError> for Stop {
    fn from(error: ExpressionError) -> Self {
        Self::Error(error)
    }
}

pub(super) type Stopped = Result<Value, Stop>;

#[derive(Debug)]
pub(super) struct Machine {
    result: Value,
    /// Whether the result as a whole is nil: all that `isNil` and `default` look at.
    nothing: bool,
    pub(super) now: Timestamp,
    variables: Vec<(String, Value)>,
    pub(super) scopes: Vec<Scope>,
    /// What `findLast` leaves behind on expr-lang's stack: whatever takes more than one value from there then takes
    /// such a leaving for its left one. Recorded by running it: `5 > findLast(result, true)` compares a boolean.
    pub(super) left_behind: Vec<Value>,
    steps: u64,
    elements: usize,
    bytes: usize,
}

fn budget(what: &str) -> ExpressionError {
    ExpressionError::run(
        Class::Budget,
        format!("the expression needs too {what}: make its lists and ranges smaller"),
    )
}

impl Machine {
    pub(super) fn new(result: Value, nothing: bool, now: Timestamp) -> Self {
        Self {
            result,
            nothing,
            now,
            variables: Vec::new(),
            scopes: Vec::new(),
            left_behind: Vec::new(),
            steps: 0,
            elements: 0,
            bytes: 0,
        }
    }

    /// Counts steps that a loop takes.
    pub(super) fn step(&mut self, count: usize) -> Result<(), ExpressionError> {
        self.steps += count as u64;
        if self.steps > MOST_STEPS {
            return Err(budget("many steps"));
        }
        Ok(())
    }

    /// expr-lang's own budget: what it counts, with its limit.
    pub(super) fn grow(&mut self, elements: usize) -> Result<(), ExpressionError> {
        self.elements = self.elements.saturating_add(elements);
        if self.elements >= MOST_ELEMENTS {
            return Err(budget("much memory"));
        }
        Ok(())
    }

    /// What an evaluation makes, also where expr-lang does not count.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), ExpressionError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MOST_BYTES {
            return Err(budget("much memory"));
        }
        Ok(())
    }

    pub(super) fn evaluate(&mut self, node: &Node) -> Stopped {
        self.step(1)?;
        let found = self.evaluate_kind(node);
        match found {
            Err(Stop::Error(error)) => Err(Stop::Error(error.at(node.at))),
            other => other,
        }
    }

    fn evaluate_kind(&mut self, node: &Node) -> Stopped {
        Ok(match &node.kind {
            Kind::Nil => Value::Nil,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Integer(value) => Value::int(*value),
            Kind::Float(value) => Value::Float(*value),
            Kind::Text(text) => Value::Text(Rc::clone(text)),
            Kind::Identifier(name) => self.name(name),
            Kind::Unary(operator, inner) => {
                let value = self.evaluate(inner)?;
                match operator {
                    Unary::Not => Value::Bool(!operate::assert_bool(&value)?),
                    Unary::Plus => value,
                    Unary::Minus => numbers::negate(&value)?,
                }
            }
            Kind::Binary(operator, left, right) => return self.binary(*operator, left, right),
            Kind::Chain(inner) => match self.evaluate(inner) {
                Err(Stop::Chain) => Value::Nil,
                Ok(value) if value.is_nil() => Value::Nil,
                other => return other,
            },
            Kind::Member {
                base,
                property,
                optional,
                ..
            } => {
                let base = self.evaluate(base)?;
                if *optional && base.is_nil() {
                    return Err(Stop::Chain);
                }
                let property = self.evaluate(property)?;
                members::fetch(&base, &property)?
            }
            Kind::Slice { base, from, to } => self.slice(base, from.as_deref(), to.as_deref())?,
            Kind::Call { callee, arguments } => {
                let given = self.all(arguments)?;
                match self.evaluate(callee)? {
                    Value::Function(function, receiver) => {
                        self.call(function, receiver.as_deref(), &given)?
                    }
                    other => {
                        return Err(ExpressionError::run(
                            Class::NotCallable,
                            format!("{} cannot be called", other.describe()),
                        )
                        .into());
                    }
                }
            }
            Kind::Builtin(builtin) => return self.builtin(builtin),
            Kind::Predicate(inner) => return self.evaluate(inner),
            Kind::Pointer(name) => return Ok(self.pointer(name)?),
            Kind::Let { name, value, body } => {
                let value = self.evaluate(value)?;
                self.variables.push((name.clone(), value));
                let body = self.evaluate(body);
                self.variables.pop();
                return body;
            }
            Kind::Sequence(nodes) => {
                let mut last = Value::Nil;
                for node in nodes {
                    last = self.evaluate(node)?;
                }
                last
            }
            Kind::Conditional { condition, yes, no } => {
                let asked = self.evaluate(condition)?;
                let chosen = if operate::assert_bool(&asked)? {
                    yes
                } else {
                    no
                };
                return self.evaluate(chosen);
            }
            Kind::Array(nodes) => {
                let items = self.all(nodes)?;
                self.grow(items.len())?;
                Value::anys(items)
            }
            Kind::Literals(nodes) => Value::anys(self.all(nodes)?),
            Kind::Map(pairs) => self.object(pairs)?,
            Kind::InTexts(inner, texts) => {
                let needle = self.evaluate(inner)?;
                let needle = operate::key_of(&needle)?;
                Value::Bool(texts.contains(&needle))
            }
            Kind::InIntegers(inner, integers) => {
                let needle = match self.evaluate(inner)? {
                    Value::Nil => 0,
                    Value::Int(value, Whole::Int) => value,
                    other => return Err(operate::needed("a whole number", &other).into()),
                };
                Value::Bool(integers.contains(&needle))
            }
        })
    }

    pub(super) fn all(&mut self, nodes: &[Node]) -> Result<Vec<Value>, Stop> {
        let mut stack = Vec::with_capacity(nodes.len());
        for node in nodes {
            let before = self.left_behind.len();
            let value = self.evaluate(node)?;
            stack.extend(self.left_behind.drain(before..));
            stack.push(value);
        }
        let values = stack.split_off(stack.len() - nodes.len());
        self.left_behind.extend(stack);
        Ok(values)
    }

    fn name(&self, name: &str) -> Value {
        for (variable, value) in self.variables.iter().rev() {
            if variable == name {
                return value.clone();
            }
        }
        if name == "$env" {
            let names = [
                "result", "asInt", "asFloat", "isNaN", "isInf", "isNil", "default",
            ];
            let fields: BTreeMap<Vec<u8>, Value> = names
                .iter()
                .map(|name| (name.as_bytes().to_vec(), self.name(name)))
                .collect();
            return Value::Object(Rc::new(fields));
        }
        let function = match name {
            "result" => return self.result.clone(),
            "asInt" => Function::AsInt,
            "asFloat" => Function::AsFloat,
            "isNaN" => Function::IsNan,
            "isInf" => Function::IsInf,
            "isNil" => Function::IsNil,
            "default" => Function::Default,
            // A built-in's name without a call, or a name in a part that the checker does not look at.
            _ => return Value::Nil,
        };
        Value::Function(function, None)
    }

    fn binary(&mut self, operator: Binary, left: &Node, right: &Node) -> Stopped {
        let first = self.evaluate(left)?;
        match operator {
            Binary::Or | Binary::And => {
                if operate::assert_bool(&first)? == (operator == Binary::Or) {
                    return Ok(first);
                }
                return self.evaluate(right);
            }
            Binary::Coalesce if first.is_nil() => return self.evaluate(right),
            Binary::Coalesce => return Ok(first),
            _ => {}
        }
        let before = self.left_behind.len();
        let second = self.evaluate(right)?;
        let mut first = first;
        if self.left_behind.len() > before
            && let Some(left_behind) = self.left_behind.pop()
        {
            self.left_behind
                .insert(before, std::mem::replace(&mut first, left_behind));
        }
        let natures = (left.nature.go, right.nature.go);
        Ok(match operator {
            Binary::Equal => Value::Bool(equal(natures, &first, &second)?),
            Binary::NotEqual => Value::Bool(!equal(natures, &first, &second)?),
            Binary::Less | Binary::Greater | Binary::GreaterOrEqual | Binary::LessOrEqual => {
                Value::Bool(operate::compare(operator, &first, &second)?)
            }
            Binary::In => {
                self.step(members::length(&second))?;
                Value::Bool(operate::is_in(&first, &second)?)
            }
            Binary::Matches | Binary::Contains | Binary::StartsWith | Binary::EndsWith => {
                self.step(members::length(&first) / 16)?;
                Value::Bool(operate::text_test(operator, &first, &second)?)
            }
            Binary::Range => self.range(&first, &second)?,
            Binary::Plus => {
                self.take(members::length(&first) + members::length(&second))?;
                numbers::add(&first, &second)?
            }
            Binary::Minus => numbers::subtract(&first, &second)?,
            Binary::Multiply => numbers::multiply(&first, &second)?,
            Binary::Divide => numbers::divide(&first, &second)?,
            Binary::Modulo => numbers::modulo(&first, &second)?,
            Binary::Power => numbers::power(&first, &second)?,
            Binary::Or | Binary::And | Binary::Coalesce => first,
        })
    }

    fn range(&mut self, from: &Value, to: &Value) -> Result<Value, ExpressionError> {
        let (from, to) = (to_int(from)?, to_int(to)?);
        let size = to.saturating_sub(from).saturating_add(1).max(0);
        self.grow(usize::try_from(size).unwrap_or(usize::MAX))?;
        let items = (from..=to).map(Value::int).collect();
        Ok(Value::List(Rc::new(items), ListType::Ints))
    }

    fn slice(&mut self, base: &Node, from: Option<&Node>, to: Option<&Node>) -> Stopped {
        let base = self.evaluate(base)?;
        let to = match to {
            Some(to) => self.evaluate(to)?,
            None => match &base {
                Value::List(..) | Value::Text(_) | Value::Object(_) | Value::AnyMap(..) => {
                    Value::length(members::length(&base))
                }
                other => {
                    return Err(ExpressionError::run(
                        Class::BadArgument,
                        format!("{} has no length", other.describe()),
                    )
                    .into());
                }
            },
        };
        let from = match from {
            Some(from) => self.evaluate(from)?,
            None => Value::int(0),
        };
        self.take(members::length(&base))?;
        Ok(members::slice(&base, &from, &to)?)
    }

    fn object(&mut self, pairs: &[(Node, Node)]) -> Stopped {
        let mut values = Vec::new();
        for (key, value) in pairs {
            values.push((self.evaluate(key)?, self.evaluate(value)?));
        }
        self.grow(values.len())?;
        let mut fields = BTreeMap::new();
        // Of equal keys the first wins there.
        for (key, value) in values.into_iter().rev() {
            fields.insert(operate::assert_text(&key)?.to_vec(), value);
        }
        Ok(Value::Object(Rc::new(fields)))
    }

    fn call(
        &mut self,
        function: Function,
        receiver: Option<&Value>,
        given: &[Value],
    ) -> Result<Value, ExpressionError> {
        let first = given.first().unwrap_or(&Value::Nil);
        let float = || match first {
            Value::Float(value) => Ok(*value),
            other => Err(operate::needed("a number with a fraction", other)),
        };
        Ok(match function {
            Function::AsInt => Value::Int(as_int(first)?, Whole::Int64),
            Function::AsFloat => Value::Float(as_float(first)?),
            Function::IsNan => Value::Bool(float()?.is_nan()),
            Function::IsInf => Value::Bool(float()?.is_infinite()),
            // Both ignore what they are given, and look at the result as a whole.
            Function::IsNil => Value::Bool(self.nothing),
            Function::Default if self.nothing => given.get(1).cloned().unwrap_or(Value::Nil),
            Function::Default => self.result.clone(),
            Function::Builtin => Value::Nil,
            Function::Method(method) => method.call(receiver.unwrap_or(&Value::Nil), given)?,
        })
    }
}

fn equal(
    natures: (Option<GoType>, Option<GoType>),
    left: &Value,
    right: &Value,
) -> Result<bool, ExpressionError> {
    // Where both are known to be ints (or texts), Go takes them for such without looking.
    match natures {
        (Some(GoType::Int), Some(GoType::Int)) => {
            for side in [right, left] {
                if !matches!(side, Value::Int(_, Whole::Int)) {
                    return Err(operate::needed("a whole number", side));
                }
            }
        }
        (Some(GoType::Text), Some(GoType::Text)) => {
            operate::assert_text(right)?;
            operate::assert_text(left)?;
        }
        _ => {}
    }
    Ok(operate::equal(left, right))
}

fn cannot_convert(name: &str, value: &Value) -> ExpressionError {
    let text = match value {
        Value::Text(text) => {
            let text: String = String::from_utf8_lossy(text).chars().take(40).collect();
            format!("`{name}` cannot make a number of the text `{text}`")
        }
        other => format!("`{name}` cannot make a number of {}", other.describe()),
    };
    ExpressionError::run(Class::Conversion, text)
}

fn as_int(value: &Value) -> Result<i64, ExpressionError> {
    let found = match value {
        Value::Int(value, Whole::Int | Whole::Int64 | Whole::Uint8) => Some(*value),
        Value::Float(value) => Some(truncate(*value)),
        Value::Text(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| go_number::int(text).ok()),
        _ => None,
    };
    found.ok_or_else(|| cannot_convert("asInt", value))
}

fn as_float(value: &Value) -> Result<f64, ExpressionError> {
    let found = match value {
        Value::Int(value, Whole::Int | Whole::Int64 | Whole::Uint8) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Text(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| go_number::float(text).ok()),
        _ => None,
    };
    found.ok_or_else(|| cannot_convert("asFloat", value))
}

impl Machine {
    /// `int()` and `float()`, which differ from `asInt` and `asFloat` in what they take.
    pub(super) fn convert(name: &str, value: &Value) -> Evaluated {
        let text = match value {
            Value::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        };
        let found = match (name, value, text) {
            ("int", Value::Nil, _) => {
                return Err(ExpressionError::run(
                    Class::BadArgument,
                    "`int` cannot make a number of nothing (nil)",
                ));
            }
            ("int", _, Some(text)) => go_number::int(&text).ok().map(Value::int),
            (_, _, Some(text)) => go_number::float(&text).ok().map(Value::Float),
            ("int", Value::Int(value, _) | Value::Duration(value), None) => {
                Some(Value::int(*value))
            }
            ("int", Value::Float(value), None) => Some(Value::int(truncate(*value))),
            (_, Value::Float(value), None) => Some(Value::Float(*value)),
            (_, Value::Int(value, Whole::Int | Whole::Int64 | Whole::Uint8), None) => {
                Some(Value::Float(*value as f64))
            }
            (_, _, None) => None,
        };
        found.ok_or_else(|| cannot_convert(name, value))
    }
}
