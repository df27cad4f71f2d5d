//! Parts of `PromQL` expressions: what stands around the value that is asked for, and selectors as Recant writes them.

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::token::{T_ADD, T_DIV, T_GTR, T_LOR, T_MUL, T_NEQ, T_SUB};
use promql_parser::parser::{Expr, VectorSelector};

use super::arguments::{names_target, readable};

/// A value is `offset + factor * of`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scaled<'e> {
    pub(super) of: &'e Expr,
    pub(super) offset: f64,
    pub(super) factor: f64,
}

impl Scaled<'_> {
    /// The same limit of what is inside; and whether its side is the other one.
    pub(super) fn inside(&self, limit: f64) -> (f64, bool) {
        ((limit - self.offset) / self.factor, self.factor < 0.0)
    }
}

fn literal(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::NumberLiteral(number) => Some(number.val),
        Expr::Paren(inner) => literal(&inner.expr),
        Expr::Unary(inner) => literal(&inner.expr).map(|value| -value),
        _ => None,
    }
}

/// Takes fixed numbers off an expression: `(1 - A / B) * 100` is `A / B` with an offset and a factor.
pub(super) fn scaled(expr: &Expr) -> Scaled<'_> {
    let mut found = Scaled {
        of: expr,
        offset: 0.0,
        factor: 1.0,
    };
    loop {
        match found.of {
            Expr::Paren(inner) => found.of = &inner.expr,
            Expr::Binary(binary) => {
                let (left, right) = (literal(&binary.lhs), literal(&binary.rhs));
                let (of, offset, factor) = match (binary.op.id(), left, right) {
                    (T_MUL, None, Some(number)) => (&binary.lhs, 0.0, number),
                    (T_MUL, Some(number), None) => (&binary.rhs, 0.0, number),
                    (T_DIV, None, Some(number)) => (&binary.lhs, 0.0, 1.0 / number),
                    (T_ADD, None, Some(number)) => (&binary.lhs, number, 1.0),
                    (T_ADD, Some(number), None) => (&binary.rhs, number, 1.0),
                    (T_SUB, None, Some(number)) => (&binary.lhs, -number, 1.0),
                    (T_SUB, Some(number), None) => (&binary.rhs, number, -1.0),
                    _ => return found,
                };
                if factor == 0.0 || !factor.is_finite() {
                    return found;
                }
                found.offset += found.factor * offset;
                found.factor *= factor;
                found.of = of;
            }
            _ => return found,
        }
    }
}

/// Takes off what only keeps an expression from being empty or from dividing by nothing: `A or vector(0)`, `B > 0`.
pub(super) fn unguarded<'e>(expr: &'e Expr, notes: &mut Vec<String>) -> &'e Expr {
    match expr {
        Expr::Paren(inner) => unguarded(&inner.expr, notes),
        Expr::Binary(binary) => {
            let is_vector = matches!(&*binary.rhs, Expr::Call(call) if call.func.name == "vector");
            let zero = literal(&binary.rhs) == Some(0.0);
            let guard = match binary.op.id() {
                T_LOR => is_vector,
                T_GTR | T_NEQ => zero,
                _ => false,
            };
            if !guard {
                return expr;
            }
            notes.push(format!(
                "`{} {}` is left out: Recant knows none from nothing",
                binary.op, binary.rhs
            ));
            unguarded(&binary.lhs, notes)
        }
        _ => expr,
    }
}

fn operator(matcher: &Matcher) -> &'static str {
    match matcher.op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Re(_) => "=~",
        MatchOp::NotRe(_) => "!~",
    }
}

/// A matcher as it is written.
pub(super) fn written(matcher: &Matcher) -> String {
    let value = matcher.value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{}{}\"{}\"", matcher.name, operator(matcher), value)
}

/// A bare selector, for the fields of rules that Recant asks by pods itself: what only narrows it to the target is left
/// out, with a note. `None`: Recant's selectors cannot say it.
pub(super) fn selector(
    selector: &VectorSelector,
    suffix: &str,
    notes: &mut Vec<String>,
) -> Option<String> {
    if selector.offset.is_some()
        || selector.at.is_some()
        || !selector.matchers.or_matchers.is_empty()
    {
        return None;
    }
    let name = selector.name.as_deref()?;
    if names_target(name) {
        return None;
    }
    let mut matchers = Vec::new();
    for matcher in &selector.matchers.matchers {
        if matcher.name == "__name__" || matcher.name == "le" {
            return None;
        }
        if names_target(&matcher.value) || matcher.name == "pod" {
            let note = format!(
                "`{}` is left out: Recant asks for the target's own pods, by the label `pod`",
                readable(&written(matcher))
            );
            if !notes.contains(&note) {
                notes.push(note);
            }
        } else {
            matchers.push(written(matcher));
        }
    }
    let name = name.strip_suffix(suffix)?;
    Some(if matchers.is_empty() {
        name.to_owned()
    } else {
        format!("{name}{{{}}}", matchers.join(","))
    })
}
