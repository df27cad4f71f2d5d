//! Expressions over the moments that are asked for.

use std::collections::BTreeMap;

use super::answer::Failure;
use super::data::{Data, LOOK_BACK};
use super::expression::{Aggregate, Binary, Expression, Fold, Keep, Operator};
use super::history::Points;
use super::selector::Selector;
use super::series::Labels;
use super::{MOST_SERIES, MOST_VALUES};

/// What an expression comes to at each of the moments.
#[derive(Debug)]
pub(super) enum Value {
    Scalar(Vec<f64>),
    Vector(Vec<Stream>),
}

/// One series; `None` where it has no value.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) labels: Labels,
    pub(super) values: Vec<Option<f64>>,
}

/// Evaluates it at these moments (milliseconds since 1970, rising, at least one).
pub(super) fn evaluate(
    expression: &Expression,
    times: &[i64],
    data: &mut Data<'_>,
) -> Result<Value, Failure> {
    match expression {
        Expression::Number(number) => Ok(Value::Scalar(vec![*number; times.len()])),
        Expression::Time => {
            let seconds = times.iter().map(|time| *time as f64 / 1000.0);
            Ok(Value::Scalar(seconds.collect()))
        }
        Expression::Select(selector) => {
            let (first, last) = ends(times);
            let points = data.points(selector, first, last)?;
            let at = |points: &Points, time| {
                let last = before(points, time).next_back()?;
                (time - last.0 < LOOK_BACK).then_some(last.1)
            };
            streams(selector, points, times, at)
        }
        Expression::Over(fold, selector, range) => {
            let (first, last) = ends(times);
            let points = data.points(selector, first.saturating_sub(*range), last)?;
            let at = |points: &Points, time: i64| {
                let from = time.saturating_sub(*range);
                let first = points.partition_point(|(at, _)| *at <= from);
                let end = points.partition_point(|(at, _)| *at <= time).max(first);
                folded(*fold, points.range(first..end).map(|(_, value)| *value))
            };
            streams(selector, points, times, at)
        }
        Expression::Vector(of) => match evaluate(of, times, data)? {
            Value::Scalar(values) => Ok(Value::Vector(vec![Stream {
                labels: Labels::new(),
                values: values.into_iter().map(Some).collect(),
            }])),
            Value::Vector(_) => Err(Failure::bad("vector() takes a number")),
        },
        Expression::Negative(of) => match evaluate(of, times, data)? {
            Value::Scalar(values) => Ok(Value::Scalar(values.into_iter().map(|it| -it).collect())),
            Value::Vector(streams) => nameless(streams, |value| Some(-value)),
        },
        Expression::Binary(binary) => self::binary(binary, times, data),
        Expression::Aggregate(aggregate) => self::aggregate(aggregate, times, data),
    }
}

fn ends(times: &[i64]) -> (i64, i64) {
    let first = times.first().copied().unwrap_or_default();
    (first, times.last().copied().unwrap_or(first))
}

/// The points up to a moment, itself included.
fn before(points: &Points, time: i64) -> impl DoubleEndedIterator<Item = &(i64, f64)> {
    let end = points.partition_point(|(at, _)| *at <= time);
    points.range(..end)
}

fn streams(
    selector: &Selector,
    all: Vec<(Labels, Points)>,
    times: &[i64],
    at: impl Fn(&Points, i64) -> Option<f64>,
) -> Result<Value, Failure> {
    if all.len() > MOST_SERIES || all.len().saturating_mul(times.len()) > MOST_VALUES {
        return Err(Failure::unanswerable(format!(
            "the answer would hold more than {MOST_SERIES} series or {MOST_VALUES} values: ask for fewer series (by \
             labels), or for a longer step"
        )));
    }
    let streams = all.into_iter().map(|(labels, points)| Stream {
        labels,
        values: times.iter().map(|time| at(&points, *time)).collect(),
    });
    let streams: Vec<Stream> = streams.collect();
    let known = |stream: &Stream| stream.values.iter().any(Option::is_some);
    if selector.wants_an_answer() && !streams.iter().any(known) {
        return Err(Failure::unanswerable(
            "nothing that is watched matches: no Watch names such a target, or nothing is known of it at that time; an \
             empty answer could be taken for a good one",
        ));
    }
    Ok(Value::Vector(streams))
}

/// Every value made another one: what comes out is no such family any more.
fn nameless(streams: Vec<Stream>, of: impl Fn(f64) -> Option<f64>) -> Result<Value, Failure> {
    let mut all: BTreeMap<Labels, Vec<Option<f64>>> = BTreeMap::new();
    for Stream { mut labels, values } in streams {
        labels.remove("__name__");
        let values = values
            .into_iter()
            .map(|value| value.and_then(&of))
            .collect();
        if all.insert(labels, values).is_some() {
            return Err(Failure::unanswerable(
                "two series would have the same labels: ask for one name, `recant_…{…}`",
            ));
        }
    }
    let streams = all
        .into_iter()
        .map(|(labels, values)| Stream { labels, values });
    Ok(Value::Vector(streams.collect()))
}

fn binary(binary: &Binary, times: &[i64], data: &mut Data<'_>) -> Result<Value, Failure> {
    let operator = binary.operator;
    let left = evaluate(&binary.left, times, data)?;
    let right = evaluate(&binary.right, times, data)?;
    let (streams, number, number_first) = match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => {
            let both = left.into_iter().zip(right);
            let values = both.map(|(left, right)| result(operator, left, right));
            return Ok(Value::Scalar(values.collect()));
        }
        (Value::Vector(streams), Value::Scalar(number)) => (streams, number, false),
        (Value::Scalar(number), Value::Vector(streams)) => (streams, number, true),
        (Value::Vector(_), Value::Vector(_)) => {
            return Err(Failure::bad("two vectors are not put together here"));
        }
    };
    let filters = operator.compares() && !binary.as_number;
    let streams = streams.into_iter().map(|Stream { labels, values }| {
        let pairs = values.into_iter().zip(&number);
        let values = pairs.map(|(value, number)| {
            let value = value?;
            let (left, right) = if number_first {
                (*number, value)
            } else {
                (value, *number)
            };
            let result = result(operator, left, right);
            if !filters {
                Some(result)
            } else if result > 0.0 {
                Some(value)
            } else {
                None
            }
        });
        Stream {
            values: values.collect(),
            labels,
        }
    });
    let streams = streams.collect();
    if filters {
        Ok(Value::Vector(streams))
    } else {
        nameless(streams, Some)
    }
}

fn result(operator: Operator, left: f64, right: f64) -> f64 {
    match operator {
        Operator::Plus => left + right,
        Operator::Minus => left - right,
        Operator::Times => left * right,
        Operator::Over => left / right,
        Operator::Modulo => left % right,
        Operator::Power => left.powf(right),
        Operator::Equal => f64::from(left.partial_cmp(&right) == Some(std::cmp::Ordering::Equal)),
        Operator::NotEqual => {
            f64::from(left.partial_cmp(&right) != Some(std::cmp::Ordering::Equal))
        }
        Operator::Less => f64::from(left < right),
        Operator::AtMost => f64::from(left <= right),
        Operator::Greater => f64::from(left > right),
        Operator::AtLeast => f64::from(left >= right),
    }
}

fn aggregate(aggregate: &Aggregate, times: &[i64], data: &mut Data<'_>) -> Result<Value, Failure> {
    let Value::Vector(streams) = evaluate(&aggregate.of, times, data)? else {
        return Err(Failure::bad("only vectors can be aggregated"));
    };
    let mut groups: BTreeMap<Labels, Vec<Vec<Option<f64>>>> = BTreeMap::new();
    for Stream { mut labels, values } in streams {
        labels.retain(|label, _| match &aggregate.keep {
            Keep::These(these) => these.iter().any(|name| name == label),
            Keep::AllBut(those) => *label != "__name__" && !those.iter().any(|name| name == label),
        });
        groups.entry(labels).or_default().push(values);
    }
    let streams = groups.into_iter().map(|(labels, members)| {
        let at = |place: usize| {
            let values = members.iter().filter_map(|values| *values.get(place)?);
            folded(aggregate.fold, values)
        };
        Stream {
            labels,
            values: (0..times.len()).map(at).collect(),
        }
    });
    Ok(Value::Vector(streams.collect()))
}

/// `None` of nothing.
fn folded(fold: Fold, values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut count, mut sum) = (0.0, 0.0);
    let (mut least, mut most, mut last) = (f64::INFINITY, f64::NEG_INFINITY, f64::NAN);
    for value in values {
        count += 1.0;
        sum += value;
        least = least.min(value);
        most = most.max(value);
        last = value;
    }
    if count < 1.0 {
        return None;
    }
    Some(match fold {
        Fold::Sum => sum,
        Fold::Min => least,
        Fold::Max => most,
        Fold::Average => sum / count,
        Fold::Count => count,
        Fold::Last => last,
    })
}
