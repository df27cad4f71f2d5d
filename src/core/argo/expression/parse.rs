//! From tokens to the syntax tree: operators, conditionals and declarations; operands are in `parse_operand`.

use super::MOST_DEPTH;
use super::ast::{Binary, Kind, Node, Unary};
use super::error::{Class, ExpressionError};
use super::lexer::{Token, TokenKind, tokens};

pub(super) type Parsed = Result<Node, ExpressionError>;

/// The tree of a whole source.
pub(super) fn parse(source: &str) -> Parsed {
    let mut parser = Parser {
        tokens: tokens(source),
        at: 0,
        predicates: 0,
        nesting: 0,
    };
    parser.check_error()?;
    let node = parser.sequence()?;
    if parser.current().kind != TokenKind::End {
        return Err(parser.unexpected());
    }
    Ok(node)
}

pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// Predicates around the current token: `#` is allowed in them only.
    pub(super) predicates: usize,
    nesting: usize,
}

pub(super) fn syntax(text: impl Into<String>) -> ExpressionError {
    ExpressionError::compile(Class::Syntax, text)
}

fn too_deep() -> ExpressionError {
    ExpressionError::compile(
        Class::Budget,
        format!(
            "more than {MOST_DEPTH} operators or brackets lie within each other: split the condition"
        ),
    )
}

impl Parser {
    pub(super) fn current(&self) -> Token {
        self.tokens.get(self.at).cloned().unwrap_or(Token {
            kind: TokenKind::End,
            text: Vec::new(),
            at: 0,
        })
    }

    pub(super) fn is(&self, kind: &TokenKind, text: &str) -> bool {
        self.tokens
            .get(self.at)
            .is_some_and(|token| token.is(kind, text))
    }

    pub(super) fn is_operator(&self, text: &str) -> bool {
        self.is(&TokenKind::Operator, text)
    }

    pub(super) fn is_bracket(&self, text: &str) -> bool {
        self.is(&TokenKind::Bracket, text)
    }

    fn check_error(&self) -> Result<(), ExpressionError> {
        match self.tokens.get(self.at).map(|token| &token.kind) {
            Some(TokenKind::Error(error)) => Err(error.clone()),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn advance(&mut self) -> Result<(), ExpressionError> {
        if self.current().kind == TokenKind::End {
            return Err(syntax("the expression ends too early"));
        }
        self.at += 1;
        self.check_error()
    }

    pub(super) fn expect(&mut self, kind: &TokenKind, text: &str) -> Result<(), ExpressionError> {
        if self.is(kind, text) {
            return self.advance();
        }
        Err(self.unexpected())
    }

    pub(super) fn identifier(&mut self) -> Result<Token, ExpressionError> {
        let token = self.current();
        if token.kind != TokenKind::Identifier {
            return Err(self.unexpected());
        }
        self.advance()?;
        Ok(token)
    }

    pub(super) fn unexpected(&self) -> ExpressionError {
        let token = self.current();
        let text = match token.kind {
            TokenKind::End => "the expression ends too early".to_owned(),
            TokenKind::Operator if token.text == b"=" => {
                "`=` is not expected here: to compare, write `==`".to_owned()
            }
            _ => format!("`{}` is not expected here", token.word()),
        };
        syntax(text).at(token.at)
    }

    /// Makes a node, unless the tree becomes too deep.
    pub(super) fn node(kind: Kind, at: usize) -> Parsed {
        let node = Node::new(kind, at);
        if node.depth > MOST_DEPTH {
            return Err(too_deep().at(at));
        }
        Ok(node)
    }

    pub(super) fn sequence(&mut self) -> Parsed {
        let first = self.expression(0)?;
        let at = first.at;
        let mut nodes = vec![first];
        while self.is_operator(";") {
            self.advance()?;
            if self.current().kind == TokenKind::End {
                break;
            }
            nodes.push(self.expression(0)?);
        }
        match <[Node; 1]>::try_from(nodes) {
            Ok([only]) => Ok(only),
            Err(nodes) => Self::node(Kind::Sequence(nodes), at),
        }
    }

    pub(super) fn expression(&mut self, precedence: u32) -> Parsed {
        self.nesting += 1;
        if self.nesting > MOST_DEPTH {
            return Err(too_deep().at(self.current().at));
        }
        let node = self.expression_inside(precedence);
        self.nesting -= 1;
        node
    }

    fn expression_inside(&mut self, precedence: u32) -> Parsed {
        if precedence == 0 && self.is_operator("let") {
            return self.declaration();
        }
        if precedence == 0 && self.is_operator("if") {
            return self.conditional_if();
        }
        let mut left = self.primary()?;
        let mut coalesced = false;
        loop {
            let mut token = self.current();
            if token.kind != TokenKind::Operator {
                break;
            }
            let before = self.at;
            let negated = token.text == b"not";
            if negated {
                self.advance()?;
                token = self.current();
                let operator = Binary::of(&token.word());
                let Some(operator) = operator.filter(|operator| operator.can_be_negated()) else {
                    return Err(self.unexpected());
                };
                if operator.precedence() < precedence {
                    self.at = before;
                    break;
                }
            }
            if token.text == b"|" && precedence == 0 {
                self.advance()?;
                let name = self.identifier()?;
                left = self.call(&name, vec![left])?;
                coalesced = false;
                continue;
            }
            let Some(operator) = Binary::of(&token.word()) else {
                break;
            };
            if operator.precedence() < precedence {
                break;
            }
            self.advance()?;
            if coalesced && operator != Binary::Coalesce {
                return Err(syntax(format!(
                    "`{}` and `??` cannot be mixed: put the `a ?? b` into brackets",
                    operator.text()
                ))
                .at(token.at));
            }
            coalesced = operator == Binary::Coalesce;
            if operator.is_comparison() {
                left = self.comparison(left, operator, token.at)?;
                continue;
            }
            let inner = match operator {
                Binary::Power => operator.precedence(),
                _ => operator.precedence() + 1,
            };
            let right = self.expression(inner)?;
            left = Self::node(
                Kind::Binary(operator, Box::new(left), Box::new(right)),
                token.at,
            )?;
            if negated {
                left = Self::node(Kind::Unary(Unary::Not, Box::new(left)), token.at)?;
            }
        }
        if precedence == 0 {
            left = self.conditional(left)?;
        }
        Ok(left)
    }

    /// `a < b < c` is `a < b && b < c`.
    fn comparison(&mut self, left: Node, operator: Binary, at: usize) -> Parsed {
        let (mut left, mut operator, mut at) = (left, operator, at);
        let mut whole: Option<Node> = None;
        loop {
            let right = self.expression(operator.precedence() + 1)?;
            let one = Kind::Binary(operator, Box::new(left), Box::new(right.clone()));
            let one = Self::node(one, at)?;
            whole = Some(match whole {
                None => one,
                Some(before) => {
                    let both = Kind::Binary(Binary::And, Box::new(before), Box::new(one));
                    Self::node(both, at)?
                }
            });
            left = right;
            let token = self.current();
            let next = Binary::of(&token.word())
                .filter(|next| token.kind == TokenKind::Operator && next.is_comparison());
            match (next, whole) {
                (Some(next), still) => {
                    (operator, at, whole) = (next, token.at, still);
                    self.advance()?;
                }
                (None, Some(whole)) => return Ok(whole),
                (None, None) => return Err(self.unexpected()),
            }
        }
    }

    fn declaration(&mut self) -> Parsed {
        self.advance()?;
        let name = self.identifier()?;
        self.expect(&TokenKind::Operator, "=")?;
        let value = Box::new(self.expression(0)?);
        self.expect(&TokenKind::Operator, ";")?;
        let body = Box::new(self.sequence()?);
        let kind = Kind::Let {
            name: name.word(),
            value,
            body,
        };
        Self::node(kind, name.at)
    }

    fn conditional_if(&mut self) -> Parsed {
        let at = self.current().at;
        self.nesting += 1;
        if self.nesting > MOST_DEPTH {
            return Err(too_deep().at(at));
        }
        self.advance()?;
        let condition = Box::new(self.expression(0)?);
        let yes = Box::new(self.block()?);
        self.expect(&TokenKind::Operator, "else")?;
        let no = Box::new(if self.is_operator("if") {
            self.conditional_if()?
        } else {
            self.block()?
        });
        self.nesting -= 1;
        Self::node(Kind::Conditional { condition, yes, no }, at)
    }

    fn block(&mut self) -> Parsed {
        self.expect(&TokenKind::Bracket, "{")?;
        let node = self.sequence()?;
        self.expect(&TokenKind::Bracket, "}")?;
        Ok(node)
    }

    fn conditional(&mut self, node: Node) -> Parsed {
        let mut node = node;
        while self.is_operator("?") {
            let at = self.current().at;
            self.advance()?;
            let (yes, no) = if self.is_operator(":") {
                self.advance()?;
                (node.clone(), self.expression(0)?)
            } else {
                let yes = self.expression(0)?;
                self.expect(&TokenKind::Operator, ":")?;
                (yes, self.expression(0)?)
            };
            let kind = Kind::Conditional {
                condition: Box::new(node),
                yes: Box::new(yes),
                no: Box::new(no),
            };
            node = Self::node(kind, at)?;
        }
        Ok(node)
    }
}
