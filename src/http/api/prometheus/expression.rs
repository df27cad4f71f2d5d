//! Expressions that are answered, read from `PromQL` by a library that knows it; everything else is refused by name.
//!
//! Bounded before the library sees it: in bytes, in nesting, in operators, and in what a pattern may repeat, so that no
//! text costs more stack or time than a short one.

use promql_parser::parser::token::{
    T_ADD, T_AVG, T_COUNT, T_DIV, T_EQLC, T_GTE, T_GTR, T_LSS, T_LTE, T_MAX, T_MIN, T_MOD, T_MUL,
    T_NEQ, T_POW, T_SUB, T_SUM,
};
use promql_parser::parser::{self, Expr, LabelModifier};
use recant_core::wording::short;

use super::MOST_EXPRESSION_BYTES;
use super::answer::Failure;
use super::selector::Selector;

const MOST_NESTING: usize = 32;
const MOST_OPERATORS: usize = 200;

/// What can be asked.
#[derive(Debug)]
pub(super) enum Expression {
    Number(f64),
    /// Seconds since 1970 of the moment that is asked for.
    Time,
    Select(Selector),
    /// What a selector took within so many milliseconds, as one value.
    Over(Fold, Selector, i64),
    /// A vector without labels.
    Vector(Box<Expression>),
    Negative(Box<Expression>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
}

/// Two sides, of which one at least is a number.
#[derive(Debug)]
pub(super) struct Binary {
    pub(super) operator: Operator,
    pub(super) left: Expression,
    pub(super) right: Expression,
    /// A comparison gives 0 or 1, and does not leave out what is not so.
    pub(super) as_number: bool,
}

/// Several series as one.
#[derive(Debug)]
pub(super) struct Aggregate {
    pub(super) fold: Fold,
    pub(super) of: Expression,
    pub(super) keep: Keep,
}

/// Which labels are left.
#[derive(Debug)]
pub(super) enum Keep {
    These(Vec<String>),
    AllBut(Vec<String>),
}

/// Many values as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    Sum,
    Min,
    Max,
    Average,
    Count,
    Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Plus,
    Minus,
    Times,
    Over,
    Modulo,
    Power,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Operator {
    pub(super) fn compares(self) -> bool {
        match self {
            Self::Plus | Self::Minus | Self::Times | Self::Over | Self::Modulo | Self::Power => {
                false
            }
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::AtMost
            | Self::Greater
            | Self::AtLeast => true,
        }
    }
}

impl Expression {
    /// Reads one.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        Self::convert(parsed(text)?)
    }

    /// Whether it is one number at each moment, and no vector.
    pub(super) fn is_number(&self) -> bool {
        match self {
            Self::Number(_) | Self::Time => true,
            Self::Select(_) | Self::Over(..) | Self::Vector(_) | Self::Aggregate(_) => false,
            Self::Negative(of) => of.is_number(),
            Self::Binary(binary) => binary.left.is_number() && binary.right.is_number(),
        }
    }

    fn convert(expression: Expr) -> Result<Self, Failure> {
        match expression {
            Expr::NumberLiteral(number) => Ok(Self::Number(number.val)),
            Expr::Paren(paren) => Self::convert(*paren.expr),
            Expr::Unary(unary) => Ok(Self::Negative(Box::new(Self::convert(*unary.expr)?))),
            Expr::VectorSelector(selector) => Ok(Self::Select(Selector::new(selector)?)),
            Expr::Binary(binary) => {
                let operator = operator(binary.op.id())
                    .ok_or_else(|| refused(&format!("the operator `{}`", binary.op)))?;
                let as_number = binary
                    .modifier
                    .as_ref()
                    .is_some_and(|modifier| modifier.return_bool);
                let (left, right) = (Self::convert(*binary.lhs)?, Self::convert(*binary.rhs)?);
                if !left.is_number() && !right.is_number() {
                    return Err(refused(&format!("`{}` between two vectors", binary.op)));
                }
                Ok(Self::Binary(Box::new(Binary {
                    operator,
                    left,
                    right,
                    as_number,
                })))
            }
            Expr::Aggregate(aggregate) => {
                let fold = match aggregate.op.id() {
                    T_SUM => Fold::Sum,
                    T_MIN => Fold::Min,
                    T_MAX => Fold::Max,
                    T_AVG => Fold::Average,
                    T_COUNT => Fold::Count,
                    _ => return Err(refused(&format!("`{}`", aggregate.op))),
                };
                let keep = match aggregate.modifier {
                    None => Keep::These(Vec::new()),
                    Some(LabelModifier::Include(labels)) => Keep::These(labels.labels),
                    Some(LabelModifier::Exclude(labels)) => Keep::AllBut(labels.labels),
                };
                let of = Self::convert(*aggregate.expr)?;
                Ok(Self::Aggregate(Box::new(Aggregate { fold, of, keep })))
            }
            Expr::Call(call) => Self::call(call.func.name, call.args.args),
            Expr::MatrixSelector(_) => Err(refused("a range vector by itself (ask `query_range`)")),
            Expr::StringLiteral(_) => Err(refused("a text by itself")),
            Expr::Subquery(_) => Err(refused("a subquery")),
            Expr::Extension(_) => Err(refused("an extension")),
        }
    }

    fn call(name: &str, arguments: Vec<Box<Expr>>) -> Result<Self, Failure> {
        let fold = match name {
            "time" => return Ok(Self::Time),
            "vector" => None,
            "sum_over_time" => Some(Fold::Sum),
            "min_over_time" => Some(Fold::Min),
            "max_over_time" => Some(Fold::Max),
            "avg_over_time" => Some(Fold::Average),
            "count_over_time" => Some(Fold::Count),
            "last_over_time" => Some(Fold::Last),
            _ => return Err(refused(&format!("the function `{name}`"))),
        };
        let Some(argument) = arguments.into_iter().next() else {
            return Err(Failure::bad(format!("`{name}` needs an argument")));
        };
        let Some(fold) = fold else {
            return Ok(Self::Vector(Box::new(Self::convert(*argument)?)));
        };
        let Expr::MatrixSelector(matrix) = *argument else {
            return Err(refused(&format!(
                "`{name}` of anything but a selector with a range"
            )));
        };
        let range = i64::try_from(matrix.range.as_millis()).unwrap_or(i64::MAX);
        Ok(Self::Over(fold, Selector::new(matrix.vs)?, range))
    }
}

/// The selector that a text is, for `match[]`.
pub(super) fn selector(text: &str) -> Result<Selector, Failure> {
    match parsed(text)? {
        Expr::VectorSelector(selector) => Selector::new(selector),
        _ => Err(Failure::bad(format!(
            "`{}` is no selector like `recant_verdict{{name=\"checkout\"}}`",
            short(text, 100)
        ))),
    }
}

fn parsed(text: &str) -> Result<Expr, Failure> {
    bounded(text)?;
    parser::parse(text).map_err(|reason| {
        Failure::bad(format!(
            "`{}` cannot be read: {}",
            short(text, 100),
            short(reason.trim(), 200)
        ))
    })
}

fn refused(what: &str) -> Failure {
    Failure::bad(format!(
        "{what} is not answered here: Recant answers selectors, numbers, arithmetic and comparisons of these with a \
         number, sum, min, max, avg, count (by labels), the same and last `_over_time`, vector() and time(); ask the \
         Prometheus that scrapes it for more"
    ))
}

fn operator(id: u16) -> Option<Operator> {
    Some(match id {
        T_ADD => Operator::Plus,
        T_SUB => Operator::Minus,
        T_MUL => Operator::Times,
        T_DIV => Operator::Over,
        T_MOD => Operator::Modulo,
        T_POW => Operator::Power,
        T_EQLC => Operator::Equal,
        T_NEQ => Operator::NotEqual,
        T_LSS => Operator::Less,
        T_LTE => Operator::AtMost,
        T_GTR => Operator::Greater,
        T_GTE => Operator::AtLeast,
        _ => return None,
    })
}

/// Refuses what could cost more than it looks like.
fn bounded(text: &str) -> Result<(), Failure> {
    if text.len() > MOST_EXPRESSION_BYTES {
        return Err(Failure::bad(format!(
            "the expression is longer than {MOST_EXPRESSION_BYTES} bytes: ask for less at once"
        )));
    }
    let (mut nesting, mut operators) = (0_usize, 0_usize);
    let mut quote = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if let Some(open) = quote {
            match character {
                '\\' if open != '`' => drop(characters.next()),
                '{' if characters.peek().is_some_and(char::is_ascii_digit) => {
                    return Err(Failure::bad(
                        "a pattern that repeats by numbers (`{3}`) is not answered here: write `+` or `*`",
                    ));
                }
                _ if character == open => quote = None,
                _ => {}
            }
            continue;
        }
        match character {
            '"' | '\'' | '`' => quote = Some(character),
            '#' => return Err(Failure::bad("comments are not read here: leave it out")),
            '(' | '[' | '{' => nesting += 1,
            ')' | ']' | '}' => nesting = nesting.saturating_sub(1),
            '+' | '-' | '*' | '/' | '%' | '^' | '<' | '>' | '=' | '!' => operators += 1,
            _ => {}
        }
        if nesting > MOST_NESTING || operators > MOST_OPERATORS {
            return Err(Failure::bad(format!(
                "the expression is too deep or too long: {MOST_NESTING} brackets within each other and {MOST_OPERATORS} \
                 operators are the most"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        match Expression::parse(text) {
            Ok(expression) => panic!("`{text}` is read: {expression:?}"),
            Err(failure) => failure.text,
        }
    }

    #[test]
    fn what_is_not_answered_is_refused_by_name() {
        for (text, says) in [
            ("rate(recant_score[1m])", "`rate`"),
            ("recant_score and recant_verdict", "`and`"),
            ("recant_score - recant_verdict", "two vectors"),
            ("recant_score offset 5m", "`offset`"),
            ("recant_score @ 5", "`@`"),
            ("recant_score[5m]", "query_range"),
            ("max_over_time(recant_score[5m:1m])", "max_over_time"),
            ("topk(3, recant_score)", "`topk`"),
            ("absent(recant_score)", "`absent`"),
            ("recant_score or vector(0)", "`or`"),
            ("\"text\"", "a text"),
            ("{}", "cannot be read"),
            ("recant_score{", "cannot be read"),
            ("recant_score{name=~\"(\"}", "cannot be read"),
            ("", "cannot be read"),
            ("1 # two", "comments"),
        ] {
            let error = error(text);
            assert!(error.contains(says), "`{text}`: {error}");
        }
    }

    #[test]
    fn no_text_costs_more_than_a_short_one() {
        for text in [
            "(".repeat(2000),
            "-".repeat(2000) + "1",
            "1".to_owned() + &"+1".repeat(1000),
            "sum(".repeat(500),
            "x".repeat(3000),
            "{".repeat(100),
            format!("x{{a=~\"{}\"}}", "(a{100})".repeat(10)),
            format!("x{{a=~\"{}(a{{100}})\"}}", "\\\\".repeat(10)),
            format!("x{{a=~'{}'}}", "(".repeat(1900) + &")".repeat(50)),
        ] {
            let begun = std::time::Instant::now();
            drop(error(&text));
            assert!(begun.elapsed().as_millis() < 2000, "{text}");
        }
        // The worst that passes: on the stack of a worker, within a moment.
        let worst = [
            "1".to_owned() + &"+1".repeat(MOST_OPERATORS),
            "-".repeat(MOST_OPERATORS) + "1",
            "(".repeat(MOST_NESTING) + "1" + &")".repeat(MOST_NESTING),
            format!("x{{a=~'{}'}}", "(".repeat(900) + &")".repeat(900)),
            format!("x{{a=~'{}'}}", "(a|b)*".repeat(300)),
        ];
        for text in worst {
            let read = std::thread::Builder::new()
                .stack_size(1 << 20)
                .spawn(move || drop(Expression::parse(&text)));
            read.expect("a thread").join().expect("no panic");
        }
    }

    #[test]
    fn selectors_take_all_four_matchers() {
        let labels = |name: &str| {
            super::super::series::Labels::from([
                ("__name__", "recant_score".into()),
                ("name", name.into()),
            ])
        };
        for (text, taken) in [
            ("recant_score", true),
            ("{__name__=~\"recant_.*\"}", true),
            ("recant_score{name=\"checkout\"}", true),
            ("recant_score{name!=\"checkout\"}", false),
            ("recant_score{name=~\"check.*\"}", true),
            // Anchored at both ends.
            ("recant_score{name=~\"check\"}", false),
            ("recant_score{name=~\"a|check\"}", false),
            ("recant_score{name!~\"check\"}", true),
            // A label that is not there is empty.
            ("recant_score{rule=\"\"}", true),
            ("recant_score{rule!=\"\"}", false),
            ("recant_verdict", false),
        ] {
            let selector = selector(text).unwrap_or_else(|failure| panic!("{failure:?}"));
            assert_eq!(selector.matches(&labels("checkout")), taken, "{text}");
        }
    }
}
