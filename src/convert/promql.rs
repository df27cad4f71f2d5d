//! Expressions that are taken as they are, but for what tells the revisions apart: that becomes a label of the answer
//! where it can.

use promql_parser::label::{Labels, MatchOp, Matcher};
use promql_parser::parser::token::{T_AVG, T_MAX, T_MIN, T_SUM};
use promql_parser::parser::{Expr, LabelModifier, VectorSelector};

use super::arguments::{REVISION, readable, with_placeholders};
use super::expression::written;

/// An expression for `promql`, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) query: String,
    pub(super) over: Option<&'static str>,
    /// The label whose value is the revision.
    pub(super) arms: Option<String>,
    pub(super) notes: Vec<String>,
}

/// Rewrites an expression.
///
/// # Errors
/// A revision where none can stand in Recant.
pub(super) fn asked(expr: &Expr) -> Result<Asked, String> {
    let mut selectors = Vec::new();
    collect(expr, &mut selectors);
    let label = apart(expr, &selectors);
    let mut notes = Vec::new();
    let mut expr = expr.clone();
    rewrite(&mut expr, label.as_deref(), &mut notes);
    let query = with_placeholders(&expr.to_string());
    if query.contains(REVISION) {
        return Err(
            "the revision stands in the expression elsewhere than in a label: Recant cannot ask for it".to_owned(),
        );
    }
    let over = label.as_ref().and_then(|_| outermost(&expr));
    match &label {
        Some(label) => notes.push(format!(
            "asked by `{label}`, so that the new revision is held against the limit alone; Argo saw one value of all, and took sums and means over all series"
        )),
        None => notes.push(
            "one value of the whole service: the revisions are not told apart, and it is compared with before the release"
                .to_owned(),
        ),
    }
    Ok(Asked {
        query,
        over,
        arms: label.filter(|label| label != "pod"),
        notes,
    })
}

/// The label that tells the revisions apart, if the answer can be asked by it: `pod`, or that of the revision.
fn apart(expr: &Expr, selectors: &[&VectorSelector]) -> Option<String> {
    if selectors.is_empty() || !can_group(expr) {
        return None;
    }
    let of_all = |fits: &dyn Fn(&Matcher) -> bool| {
        let has = |selector: &&VectorSelector| {
            selector.matchers.or_matchers.is_empty() && selector.matchers.matchers.iter().any(fits)
        };
        selectors.iter().all(has)
    };
    if of_all(&|matcher| matcher.name == "pod") {
        return Some("pod".to_owned());
    }
    let revision = |matcher: &&Matcher| {
        matcher.value == REVISION && matches!(matcher.op, MatchOp::Equal | MatchOp::Re(_))
    };
    let label = selectors.first()?.matchers.matchers.iter().find(revision)?;
    let name = label.name.clone();
    of_all(&|matcher| matcher.name == name && matcher.value == REVISION).then_some(name)
}

/// Whether one more label comes through to the answer.
fn can_group(expr: &Expr) -> bool {
    match expr {
        Expr::Aggregate(aggregate) => {
            matches!(aggregate.op.id(), T_SUM | T_AVG | T_MAX | T_MIN)
                && !matches!(aggregate.modifier, Some(LabelModifier::Exclude(_)))
                && can_group(&aggregate.expr)
        }
        Expr::Unary(inner) => can_group(&inner.expr),
        Expr::Paren(inner) => can_group(&inner.expr),
        Expr::Binary(binary) => {
            let plain = binary
                .modifier
                .as_ref()
                .is_none_or(|it| it.matching.is_none());
            let both = [&binary.lhs, &binary.rhs];
            plain
                && both
                    .iter()
                    .all(|side| matches!(&***side, Expr::NumberLiteral(_)) || can_group(side))
        }
        Expr::Call(call) => {
            let known = [
                "rate",
                "irate",
                "increase",
                "histogram_quantile",
                "avg_over_time",
                "max_over_time",
                "min_over_time",
                "sum_over_time",
                "abs",
                "ceil",
                "floor",
                "round",
                "delta",
                "deriv",
            ];
            known.contains(&call.func.name)
                && call
                    .args
                    .args
                    .iter()
                    .all(|it| matches!(&**it, Expr::NumberLiteral(_)) || can_group(it))
        }
        Expr::MatrixSelector(_) | Expr::VectorSelector(_) => true,
        Expr::Subquery(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::Extension(_) => false,
    }
}

fn collect<'e>(expr: &'e Expr, found: &mut Vec<&'e VectorSelector>) {
    match expr {
        Expr::Aggregate(aggregate) => collect(&aggregate.expr, found),
        Expr::Unary(inner) => collect(&inner.expr, found),
        Expr::Paren(inner) => collect(&inner.expr, found),
        Expr::Subquery(inner) => collect(&inner.expr, found),
        Expr::Binary(binary) => {
            collect(&binary.lhs, found);
            collect(&binary.rhs, found);
        }
        Expr::Call(call) => call.args.args.iter().for_each(|it| collect(it, found)),
        Expr::VectorSelector(selector) => found.push(selector),
        Expr::MatrixSelector(matrix) => found.push(&matrix.vs),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

fn rewrite(expr: &mut Expr, label: Option<&str>, notes: &mut Vec<String>) {
    match expr {
        Expr::Aggregate(aggregate) => {
            if let Some(label) = label {
                let mut labels: Vec<&str> = match &aggregate.modifier {
                    Some(LabelModifier::Include(given)) => {
                        given.labels.iter().map(String::as_str).collect()
                    }
                    Some(LabelModifier::Exclude(_)) | None => Vec::new(),
                };
                if !labels.contains(&label) {
                    labels.push(label);
                }
                aggregate.modifier = Some(LabelModifier::Include(Labels::new(labels)));
            }
            rewrite(&mut aggregate.expr, label, notes);
        }
        Expr::Unary(inner) => rewrite(&mut inner.expr, label, notes),
        Expr::Paren(inner) => rewrite(&mut inner.expr, label, notes),
        Expr::Subquery(inner) => rewrite(&mut inner.expr, label, notes),
        Expr::Binary(binary) => {
            rewrite(&mut binary.lhs, label, notes);
            rewrite(&mut binary.rhs, label, notes);
        }
        Expr::Call(call) => {
            for argument in &mut call.args.args {
                rewrite(argument, label, notes);
            }
        }
        Expr::VectorSelector(selector) => widen(selector, notes),
        Expr::MatrixSelector(matrix) => widen(&mut matrix.vs, notes),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

/// All revisions in the place of one.
fn widen(selector: &mut VectorSelector, notes: &mut Vec<String>) {
    selector.matchers.matchers.retain_mut(|matcher| {
        if !matcher.value.contains(REVISION) {
            return true;
        }
        let note = format!(
            "`{}` is left out: all revisions are asked for",
            readable(&written(matcher))
        );
        if !notes.contains(&note) {
            notes.push(note);
        }
        // Within a longer pattern the rest still says which workload it is.
        matcher.value = matcher.value.replace(REVISION, "[a-z0-9]+");
        matcher.value != "[a-z0-9]+" && matches!(matcher.op, MatchOp::Re(_) | MatchOp::NotRe(_))
    });
}

/// How the pods become one, by the outermost aggregation.
fn outermost(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::Aggregate(aggregate) => match aggregate.op.id() {
            T_AVG => Some("mean"),
            T_MAX => Some("max"),
            T_MIN => Some("min"),
            T_SUM => Some("sum"),
            _ => None,
        },
        Expr::Unary(inner) => outermost(&inner.expr),
        Expr::Paren(inner) => outermost(&inner.expr),
        Expr::Binary(binary) => outermost(&binary.lhs).or_else(|| outermost(&binary.rhs)),
        Expr::Call(_)
        | Expr::Subquery(_)
        | Expr::MatrixSelector(_)
        | Expr::VectorSelector(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::Extension(_) => None,
    }
}
