//! What an expression asks, where Recant has a question of its own for it.

use std::time::Duration;

use promql_parser::parser::token::{T_AVG, T_DIV, T_MAX, T_MIN, T_SUM};
use promql_parser::parser::{Expr, LabelModifier, MatrixSelector, VectorSelector};

use super::expression::{scaled, unguarded};

/// A recognised question.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape<'e> {
    /// Some of all counted events.
    Share {
        part: &'e VectorSelector,
        total: &'e VectorSelector,
    },
    /// A quantile of a histogram, and the factor that its value has within the histogram's.
    Quantile {
        histogram: &'e VectorSelector,
        quantile: f64,
        factor: f64,
    },
    /// A value as it stands, over the pods.
    Gauge {
        selector: &'e VectorSelector,
        over: Option<&'static str>,
    },
    /// Events of a counter in a time; the value is their number divided by `seconds`.
    Events {
        counter: &'e VectorSelector,
        per: Duration,
        seconds: f64,
    },
}

/// Recognises what stands inside of fixed numbers.
pub(super) fn shape<'e>(expr: &'e Expr, notes: &mut Vec<String>) -> Option<Shape<'e>> {
    match expr {
        Expr::Binary(binary) if binary.op.id() == T_DIV => {
            let plain = binary
                .modifier
                .as_ref()
                .is_none_or(|it| it.matching.is_none());
            let left = unguarded(&binary.lhs, notes);
            let right = unguarded(&binary.rhs, notes);
            let (part, total) = (counted(left, notes)?, counted(right, notes)?);
            // A rate is divided by one over the same time.
            let same = part.1 == total.1 && part.2 == total.2;
            (plain && same).then_some(Shape::Share {
                part: part.0,
                total: total.0,
            })
        }
        Expr::Call(call) if call.func.name == "histogram_quantile" => {
            let [quantile, buckets] = call.args.args.as_slice() else {
                return None;
            };
            let Expr::NumberLiteral(quantile) = &**quantile else {
                return None;
            };
            let buckets = scaled(buckets);
            if buckets.offset != 0.0 {
                return None;
            }
            let (histogram, ..) = counted(buckets.of, notes)?;
            Some(Shape::Quantile {
                histogram,
                quantile: quantile.val,
                factor: 1.0,
            })
        }
        Expr::VectorSelector(selector) => Some(Shape::Gauge {
            selector,
            over: None,
        }),
        Expr::Aggregate(aggregate) => {
            if let Some((counter, per, function)) = counted(expr, notes)
                && aggregate.op.id() == T_SUM
            {
                let seconds = match function {
                    "increase" => 1.0,
                    _ => per.as_secs_f64(),
                };
                return Some(Shape::Events {
                    counter,
                    per,
                    seconds,
                });
            }
            let over = match aggregate.op.id() {
                T_AVG => "mean",
                T_MAX => "max",
                T_MIN => "min",
                T_SUM => "sum",
                _ => return None,
            };
            match unparenthesised(&aggregate.expr) {
                Expr::VectorSelector(selector) if aggregate.modifier.is_none() => {
                    Some(Shape::Gauge {
                        selector,
                        over: Some(over),
                    })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn unparenthesised(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(inner) => unparenthesised(&inner.expr),
        other => other,
    }
}

/// `sum(rate(x[5m]))`, `sum by (le) (increase(x[5m]))`, `irate(x[2m])`: the counter, its window, and the function.
fn counted<'e>(
    expr: &'e Expr,
    notes: &mut Vec<String>,
) -> Option<(&'e VectorSelector, Duration, &'static str)> {
    match unparenthesised(expr) {
        Expr::Aggregate(aggregate) if aggregate.op.id() == T_SUM => {
            match &aggregate.modifier {
                None => {}
                Some(LabelModifier::Include(labels)) => {
                    let more: Vec<&str> = labels
                        .labels
                        .iter()
                        .map(String::as_str)
                        .filter(|label| *label != "le")
                        .collect();
                    if !more.is_empty() {
                        let note = format!(
                            "`by ({})` is left out: Argo's condition looked at one of the groups, and all events of the pods are counted here",
                            more.join(", ")
                        );
                        if !notes.contains(&note) {
                            notes.push(note);
                        }
                    }
                }
                Some(LabelModifier::Exclude(_)) => return None,
            }
            counted(&aggregate.expr, notes)
        }
        Expr::Call(call) => {
            let function = ["rate", "irate", "increase"]
                .into_iter()
                .find(|name| *name == call.func.name)?;
            match call.args.args.as_slice() {
                [argument] => match unparenthesised(argument) {
                    Expr::MatrixSelector(MatrixSelector { vs, range }) => {
                        Some((vs, *range, function))
                    }
                    _ => None,
                },
                _ => None,
            }
        }
        _ => None,
    }
}
