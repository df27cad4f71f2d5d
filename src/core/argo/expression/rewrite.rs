//! expr-lang's optimizer, as far as it can be seen from outside: what it folds is never evaluated, and is typed anew.
//!
//! `result[0] > 0 || true` is true of an empty list; `result.phase && true` is a text and thus no boolean;
//! `1 % 0` is an error even where it is never reached.

use std::rc::Rc;

use super::ast::{Binary, Kind, Node, Unary};
use super::error::{Class, ExpressionError};
use super::nature::{GoType, Nature};
use super::numbers::pow;
use super::rewrite_loops;

/// How often folding is tried again on what it made; expr-lang's limit is 1000, a tree is at most this deep.
const MOST_ROUNDS: usize = super::MOST_DEPTH + 2;

pub(super) fn rewrite(node: &mut Node) -> Result<(), ExpressionError> {
    walk(node, &mut |node| {
        in_array(node);
        Ok(false)
    })?;
    for _ in 0..MOST_ROUNDS {
        if !walk(node, &mut fold)? {
            break;
        }
    }
    for pass in rewrite_loops::PASSES {
        walk(node, &mut |node| {
            pass(node);
            Ok(false)
        })?;
    }
    Ok(())
}

type Visitor<'v> = &'v mut dyn FnMut(&mut Node) -> Result<bool, ExpressionError>;

/// Visits children before their parents; tells whether anything changed.
fn walk(node: &mut Node, visit: Visitor<'_>) -> Result<bool, ExpressionError> {
    let mut changed = false;
    let mut failed = None;
    node.children_mut(&mut |child| {
        if failed.is_none() {
            match walk(child, visit) {
                Ok(here) => changed |= here,
                Err(error) => failed = Some(error),
            }
        }
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(visit(node)? | changed),
    }
}

/// A list of literal texts is searched as the keys of a map, and one of ints too if an int is looked for.
fn in_array(node: &mut Node) {
    let Kind::Binary(Binary::In, left, right) = &mut node.kind else {
        return;
    };
    let Kind::Array(items) = &right.kind else {
        return;
    };
    if items.is_empty() {
        return;
    }
    let integers: Option<Vec<i64>> = items
        .iter()
        .map(|item| match item.kind {
            Kind::Integer(value) => Some(value),
            _ => None,
        })
        .collect();
    let texts: Option<Vec<Rc<Vec<u8>>>> =
        items.iter().map(|item| item.as_text().cloned()).collect();
    let nothing = || Box::new(Node::new(Kind::Nil, 0));
    if left.nature.go == Some(GoType::Int)
        && let Some(integers) = integers
    {
        let left = std::mem::replace(left, nothing());
        node.kind = Kind::InIntegers(left, integers);
    } else if let Some(texts) = texts {
        let left = std::mem::replace(left, nothing());
        node.kind = Kind::InTexts(left, texts);
    }
}

/// Literals of numbers that an operator can be applied to at once.
#[derive(Clone, Copy)]
enum Literal {
    Integer(i64),
    Float(f64),
}

fn literal(node: &Node) -> Option<Literal> {
    match node.kind {
        Kind::Integer(value) => Some(Literal::Integer(value)),
        Kind::Float(value) => Some(Literal::Float(value)),
        _ => None,
    }
}

fn as_bool(node: &Node) -> Option<bool> {
    match node.kind {
        Kind::Bool(value) => Some(value),
        _ => None,
    }
}

fn typed(node: &mut Node, kind: Kind) {
    node.nature = match &kind {
        Kind::Bool(_) => Nature::of(GoType::Bool),
        Kind::Integer(_) => Nature::of(GoType::Int),
        Kind::Float(_) => Nature::of(GoType::Float64),
        Kind::Text(_) => Nature::of(GoType::Text),
        Kind::Literals(_) => Nature::of(GoType::Anys),
        _ => node.nature.clone(),
    };
    node.kind = kind;
}

fn fold(node: &mut Node) -> Result<bool, ExpressionError> {
    let at = node.at;
    let folded = match &mut node.kind {
        Kind::Unary(operator, inner) => match (operator, &inner.kind) {
            (Unary::Minus, Kind::Integer(value)) => Some(Kind::Integer(value.wrapping_neg())),
            (Unary::Minus, Kind::Float(value)) => Some(Kind::Float(-value)),
            (Unary::Plus, Kind::Integer(value)) => Some(Kind::Integer(*value)),
            (Unary::Plus, Kind::Float(value)) => Some(Kind::Float(*value)),
            (Unary::Not, Kind::Bool(value)) => Some(Kind::Bool(!value)),
            _ => None,
        },
        Kind::Binary(operator @ (Binary::And | Binary::Or), left, right) => {
            let neutral = *operator == Binary::And;
            let (l, r) = (as_bool(left), as_bool(right));
            let kept = if l == Some(neutral) {
                Some(right)
            } else if r == Some(neutral) {
                Some(left)
            } else {
                None
            };
            match kept {
                // The side that is left takes the place, with the type of the whole.
                Some(kept) => {
                    let kept = std::mem::replace(kept, Box::new(Node::new(Kind::Nil, 0)));
                    node.kind = kept.kind;
                    return Ok(true);
                }
                None if l.is_some() || r.is_some() => Some(Kind::Bool(!neutral)),
                None => None,
            }
        }
        Kind::Binary(operator, left, right) => {
            folded_binary(*operator, left, right).map_err(|error| error.at(at))?
        }
        Kind::Array(items) if !items.is_empty() => {
            let all_literal = items.iter().all(|item| {
                matches!(
                    item.kind,
                    Kind::Integer(_) | Kind::Float(_) | Kind::Text(_) | Kind::Bool(_)
                )
            });
            all_literal.then(|| Kind::Literals(std::mem::take(items)))
        }
        Kind::Builtin(_) => return Ok(rewrite_loops::filter_of_filter(node)),
        _ => None,
    };
    Ok(match folded {
        Some(kind) => {
            typed(node, kind);
            true
        }
        None => false,
    })
}

fn folded_binary(
    operator: Binary,
    left: &Node,
    right: &Node,
) -> Result<Option<Kind>, ExpressionError> {
    if let (Some(l), Some(r)) = (left.as_text(), right.as_text()) {
        return Ok(match operator {
            // What would not fit into memory is left to the evaluation, which counts.
            Binary::Plus if l.len() + r.len() <= super::MOST_SOURCE => {
                Some(Kind::Text(Rc::new([l.as_slice(), r.as_slice()].concat())))
            }
            Binary::Equal => Some(Kind::Bool(l == r)),
            _ => None,
        });
    }
    if let (Some(l), Some(r), Binary::Equal) = (as_bool(left), as_bool(right), operator) {
        return Ok(Some(Kind::Bool(l == r)));
    }
    let (Some(l), Some(r)) = (literal(left), literal(right)) else {
        return Ok(None);
    };
    if let (Literal::Integer(l), Literal::Integer(r)) = (l, r) {
        return Ok(match operator {
            Binary::Plus => Some(Kind::Integer(l.wrapping_add(r))),
            Binary::Minus => Some(Kind::Integer(l.wrapping_sub(r))),
            Binary::Multiply => Some(Kind::Integer(l.wrapping_mul(r))),
            Binary::Divide => Some(Kind::Float(l as f64 / r as f64)),
            Binary::Modulo if r == 0 => {
                return Err(ExpressionError::compile(
                    Class::DivisionByZero,
                    "there is no remainder of a division by zero",
                ));
            }
            Binary::Modulo => Some(Kind::Integer(l.wrapping_rem(r))),
            Binary::Power => Some(Kind::Float(pow(l as f64, r as f64))),
            Binary::Equal => Some(Kind::Bool(l == r)),
            _ => None,
        });
    }
    let float = |value: Literal| match value {
        Literal::Integer(value) => value as f64,
        Literal::Float(value) => value,
    };
    let (l, r) = (float(l), float(r));
    Ok(match operator {
        Binary::Plus => Some(Kind::Float(l + r)),
        Binary::Minus => Some(Kind::Float(l - r)),
        Binary::Multiply => Some(Kind::Float(l * r)),
        Binary::Divide => Some(Kind::Float(l / r)),
        Binary::Power => Some(Kind::Float(pow(l, r))),
        _ => None,
    })
}
