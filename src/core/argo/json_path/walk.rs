//! Follows a path through a document.

use super::super::expression::Outcome;
use super::super::json::Json;
use super::{Node, PathError, Range};

/// Values that one path may come across.
const MOST_VALUES: usize = 1_000_000;

/// A value on the way.
#[derive(Debug, Clone)]
enum Value<'j> {
    Json(&'j Json),
    /// Go's zero value: of a document that is `null` as a whole.
    Invalid,
    Text(&'j str),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// A byte of a text.
    Byte(u8),
}

/// What a step found, and why it stopped there.
type Step<'j> = Result<Vec<Value<'j>>, (Vec<Value<'j>>, PathError)>;

fn not_found(text: impl Into<String>) -> PathError {
    PathError::NotFound(text.into())
}

/// The first value that a path finds.
pub(super) fn first(nodes: &[Node], document: &Json) -> Result<Outcome, PathError> {
    let start = match document {
        Json::Null => Value::Invalid,
        document => Value::Json(document),
    };
    let mut walker = Walker {
        nodes,
        begin_range: 0,
        in_range: 0,
        end_range: 0,
        last_end: None,
        seen: 0,
        budget: MOST_VALUES,
    };
    let results = walker.find(0, &start)?;
    match results.into_iter().flatten().next() {
        None => Err(PathError::NoValue),
        Some(Value::Json(json)) => Ok(Outcome::Json(json.clone())),
        Some(Value::Invalid) => Err(PathError::NullBody),
        Some(Value::Text(text)) => Ok(Outcome::Json(Json::String(text.to_owned()))),
        Some(Value::Int(value)) => Ok(Outcome::Whole(value)),
        Some(Value::Float(value)) => Ok(Outcome::Number(value)),
        Some(Value::Bool(value)) => Ok(Outcome::Json(Json::Bool(value))),
        Some(Value::Byte(byte)) => Ok(Outcome::Whole(i64::from(byte))),
    }
}

struct Walker<'n> {
    nodes: &'n [Node],
    begin_range: usize,
    in_range: usize,
    end_range: usize,
    /// The place of the last `{end}`.
    last_end: Option<usize>,
    seen: usize,
    budget: usize,
}

impl<'n> Walker<'n> {
    /// client-go's `FindResults` from a node on, with its ways to treat ranges.
    fn find<'v>(&mut self, start: usize, from: &Value<'v>) -> Result<Vec<Vec<Value<'v>>>, PathError>
    where
        'n: 'v,
    {
        let mut results = Vec::new();
        let mut index = start;
        while let Some(node) = self.nodes.get(index) {
            let found = self
                .walk(vec![from.clone()], node)
                .map_err(|(_, error)| error)?;
            if self.end_range > 0 && self.end_range <= self.in_range {
                self.end_range -= 1;
                self.last_end = Some(index);
                break;
            }
            if self.begin_range > 0 {
                self.begin_range -= 1;
                self.in_range += 1;
                if self.in_range > 32 {
                    return Err(not_found("ranges lie too deep within each other"));
                }
                if found.is_empty() {
                    self.find(index + 1, &Value::Invalid)?;
                }
                for value in found {
                    let inner = match value {
                        Value::Invalid => return Err(PathError::NullBody),
                        Value::Json(Json::Null) => Value::Invalid,
                        value => value,
                    };
                    results.extend(self.find(index + 1, &inner)?);
                }
                self.in_range -= 1;
                if let Some(end) = self.last_end.filter(|end| *end > index) {
                    index = end;
                }
                index += 1;
                continue;
            }
            results.push(found);
            index += 1;
        }
        Ok(results)
    }

    fn count(&mut self, values: usize) -> Result<(), PathError> {
        self.seen += values + 1;
        if self.seen > self.budget {
            return Err(not_found("the path comes across too many values"));
        }
        Ok(())
    }

    fn list<'v>(&mut self, input: Vec<Value<'v>>, nodes: &'n [Node]) -> Step<'v>
    where
        'n: 'v,
    {
        let mut values = input;
        for node in nodes {
            values = self.walk(values, node)?;
        }
        Ok(values)
    }

    fn walk<'v>(&mut self, input: Vec<Value<'v>>, node: &'n Node) -> Step<'v>
    where
        'n: 'v,
    {
        if let Err(error) = self.count(input.len()) {
            return Err((input, error));
        }
        let same = |value: Value<'v>| Ok(vec![value; input.len()]);
        match node {
            Node::List(nodes) => self.list(input, nodes),
            Node::Text(text) => Ok(vec![Value::Text(text)]),
            Node::Int(value) => same(Value::Int(*value)),
            Node::Float(value) => same(Value::Float(*value)),
            Node::Bool(value) => same(Value::Bool(*value)),
            Node::Field(name) => field(&input, name),
            Node::Wildcard => Ok(input.iter().flat_map(children).collect()),
            Node::Recursive => {
                let mut found = Vec::new();
                for value in &input {
                    if let Err(error) = self.descend(value, &mut found) {
                        return Err((found, error));
                    }
                }
                Ok(found)
            }
            Node::Array(range) => array(&input, *range),
            Node::Filter {
                left,
                operator,
                right,
            } => self.filter(&input, left, operator, right),
            Node::Union(parts) => {
                let mut found = Vec::new();
                for part in parts {
                    match self.list(input.clone(), part) {
                        Ok(values) => found.extend(values),
                        Err((_, error)) => return Err((input, error)),
                    }
                }
                Ok(found)
            }
            Node::Identifier(name) => match name.as_str() {
                "range" => {
                    self.begin_range += 1;
                    Ok(input)
                }
                "end" if self.in_range > 0 => {
                    self.end_range += 1;
                    Ok(Vec::new())
                }
                "end" => Err((Vec::new(), not_found("not in range, nothing to end"))),
                name => Err((input, not_found(format!("unrecognized identifier {name}")))),
            },
        }
    }

    /// A value that holds others, and all of those in it.
    fn descend<'v>(
        &mut self,
        value: &Value<'v>,
        found: &mut Vec<Value<'v>>,
    ) -> Result<(), PathError> {
        let inner = children(value);
        self.count(inner.len())?;
        if !inner.is_empty() {
            found.push(value.clone());
            for child in &inner {
                self.descend(child, found)?;
            }
        }
        Ok(())
    }

    fn filter<'v>(
        &mut self,
        input: &[Value<'v>],
        left: &'n [Node],
        operator: &str,
        right: &'n [Node],
    ) -> Step<'v>
    where
        'n: 'v,
    {
        let mut found = Vec::new();
        for value in input {
            let Value::Json(Json::Array(items)) = value else {
                return Err((
                    input.to_vec(),
                    not_found("what is no list cannot be filtered"),
                ));
            };
            for item in items {
                let one = vec![Value::Json(item)];
                let lefts = self.list(one.clone(), left);
                if operator.is_empty() {
                    let there = match &lefts {
                        Ok(values) | Err((values, _)) => !values.is_empty(),
                    };
                    if there {
                        found.push(Value::Json(item));
                    }
                    continue;
                }
                let sides = lefts.and_then(|lefts| Ok((lefts, self.list(one, right)?)));
                let passes = match sides {
                    Err((_, error)) => Err(error),
                    Ok((lefts, rights)) => match (lefts.as_slice(), rights.as_slice()) {
                        ([], _) | ([_], []) => Ok(false),
                        ([left], [right]) => compare(operator, left, right),
                        _ => Err(not_found("can only compare one element at a time")),
                    },
                };
                match passes {
                    Ok(true) => found.push(Value::Json(item)),
                    Ok(false) => {}
                    Err(error) => return Err((input.to_vec(), error)),
                }
            }
        }
        Ok(found)
    }
}

fn children<'v>(value: &Value<'v>) -> Vec<Value<'v>> {
    match value {
        Value::Json(Json::Array(items)) => items.iter().map(Value::Json).collect(),
        Value::Json(Json::Object(fields)) => fields.values().map(Value::Json).collect(),
        Value::Json(Json::String(text)) => text.bytes().map(Value::Byte).collect(),
        Value::Text(text) => text.bytes().map(Value::Byte).collect(),
        Value::Json(Json::Null | Json::Bool(_) | Json::Number(_))
        | Value::Invalid
        | Value::Int(_)
        | Value::Float(_)
        | Value::Bool(_)
        | Value::Byte(_) => Vec::new(),
    }
}

fn field<'v>(input: &[Value<'v>], name: &str) -> Step<'v> {
    let mut found = Vec::new();
    for value in input {
        if let Value::Json(json @ Json::Object(_)) = value {
            found.extend(json.get(name).map(Value::Json));
        }
    }
    if found.is_empty() && !input.is_empty() {
        return Err((found, not_found(format!("{name} is not found"))));
    }
    Ok(found)
}

fn array<'v>(input: &[Value<'v>], range: Range) -> Step<'v> {
    let mut found = Vec::new();
    let fail = |error: PathError| Err((input.to_vec(), error));
    for value in input {
        let items = match value {
            Value::Json(Json::Null) => continue,
            Value::Json(Json::Array(items)) => items,
            Value::Invalid => return fail(PathError::NullBody),
            Value::Json(other) => {
                return fail(not_found(format!("{} is no list", other.describe())));
            }
            Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Byte(_) => {
                return fail(not_found("what is written in the path is no list"));
            }
        };
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let mut from = range.from.unwrap_or(0);
        if from < 0 {
            from = from.saturating_add(length);
        }
        let mut to = range.to.unwrap_or(length);
        if to < 0 || to == 0 && range.derived {
            to = to.saturating_add(length);
        }
        if from == to {
            return Ok(found);
        }
        let beyond = |index: i64| {
            not_found(format!(
                "array index out of bounds: index {index}, length {length}"
            ))
        };
        if from >= length || from < 0 {
            return fail(beyond(from));
        }
        if to > length || to < 0 {
            return fail(beyond(to - 1));
        }
        if from > to {
            return fail(not_found(format!(
                "starting index {from} is greater than ending index {to}"
            )));
        }
        let step = match range.step {
            None => 1,
            Some(step) => match usize::try_from(step) {
                Ok(step) if step > 0 => step,
                Ok(_) | Err(_) => return fail(not_found("step must be > 0")),
            },
        };
        let (from, to) = (usize::try_from(from), usize::try_from(to));
        if let (Ok(from), Ok(to)) = (from, to) {
            let part = items.get(from..to).unwrap_or_default();
            found.extend(part.iter().step_by(step).map(Value::Json));
        }
    }
    Ok(found)
}

/// What Go's templates compare. An integer of the path is never comparable with a number of the document.
enum Basic<'v> {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'v str),
}

fn basic<'v>(value: &Value<'v>) -> Option<Basic<'v>> {
    Some(match value {
        Value::Json(Json::Bool(value)) | Value::Bool(value) => Basic::Bool(*value),
        Value::Json(Json::Number(value)) | Value::Float(value) => Basic::Float(*value),
        Value::Json(Json::String(text)) => Basic::Text(text),
        Value::Text(text) => Basic::Text(text),
        Value::Int(value) => Basic::Int(*value),
        Value::Byte(value) => Basic::Int(i64::from(*value)),
        Value::Json(Json::Null | Json::Array(_) | Json::Object(_)) | Value::Invalid => return None,
    })
}

fn compare(operator: &str, left: &Value<'_>, right: &Value<'_>) -> Result<bool, PathError> {
    let (Some(left), Some(right)) = (basic(left), basic(right)) else {
        return Err(not_found("invalid type for comparison"));
    };
    let ordered = !matches!(operator, "==" | "!=");
    let order = match (left, right) {
        (Basic::Bool(_), Basic::Bool(_)) if ordered => {
            return Err(not_found("invalid type for comparison"));
        }
        (Basic::Bool(left), Basic::Bool(right)) => left.cmp(&right),
        (Basic::Int(left), Basic::Int(right)) => left.cmp(&right),
        (Basic::Text(left), Basic::Text(right)) => left.cmp(right),
        // JSON has no NaN.
        (Basic::Float(left), Basic::Float(right)) => left
            .partial_cmp(&right)
            .unwrap_or(std::cmp::Ordering::Equal),
        _ => return Err(not_found("incompatible types for comparison")),
    };
    match operator {
        "<" => Ok(order.is_lt()),
        ">" => Ok(order.is_gt()),
        "==" => Ok(order.is_eq()),
        "!=" => Ok(order.is_ne()),
        "<=" => Ok(order.is_le()),
        ">=" => Ok(order.is_ge()),
        _ => Err(not_found(format!(
            "unrecognized filter operator {operator}"
        ))),
    }
}
