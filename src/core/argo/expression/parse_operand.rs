//! From tokens to the syntax tree: literals, calls, members and what stands in brackets.

use std::rc::Rc;

use super::ast::{Builtin, Kind, Node, Unary};
use super::builtins;
use super::error::{Class, ExpressionError};
use super::go_number;
use super::lexer::{Token, TokenKind};
use super::parse::{Parsed, Parser, syntax};

impl Parser {
    pub(super) fn primary(&mut self) -> Parsed {
        let token = self.current();
        if token.kind == TokenKind::Operator {
            let unary = match token.text.as_slice() {
                b"not" | b"!" => Some((Unary::Not, 50)),
                b"-" => Some((Unary::Minus, 90)),
                b"+" => Some((Unary::Plus, 90)),
                _ => None,
            };
            if let Some((operator, precedence)) = unary {
                self.advance()?;
                let inner = self.expression(precedence)?;
                let node = Self::node(Kind::Unary(operator, Box::new(inner)), token.at)?;
                return self.postfix(node);
            }
        }
        if token.is(&TokenKind::Bracket, "(") {
            self.advance()?;
            let inner = self.sequence()?;
            self.expect(&TokenKind::Bracket, ")")?;
            return self.postfix(inner);
        }
        if self.predicates > 0 && token.kind == TokenKind::Operator {
            if token.text == b"#" {
                self.advance()?;
                let mut name = String::new();
                let next = self.current();
                if next.kind == TokenKind::Identifier {
                    name = next.word();
                    self.advance()?;
                }
                let node = Self::node(Kind::Pointer(name), token.at)?;
                return self.postfix(node);
            }
            if token.text == b"." {
                let node = Self::node(Kind::Pointer(String::new()), token.at)?;
                return self.postfix(node);
            }
        }
        if token.is(&TokenKind::Operator, "::") {
            self.advance()?;
            let name = self.identifier()?;
            let node = self.call(&name, Vec::new())?;
            return self.postfix(node);
        }
        self.secondary(&token)
    }

    fn secondary(&mut self, token: &Token) -> Parsed {
        let node = match &token.kind {
            TokenKind::Identifier => {
                self.advance()?;
                match token.text.as_slice() {
                    b"true" => return Self::node(Kind::Bool(true), token.at),
                    b"false" => return Self::node(Kind::Bool(false), token.at),
                    b"nil" => return Self::node(Kind::Nil, token.at),
                    _ if self.is_bracket("(") => self.call(token, Vec::new())?,
                    _ => Self::node(Kind::Identifier(token.word()), token.at)?,
                }
            }
            TokenKind::Number => {
                self.advance()?;
                let kind = literal(&token.word()).map_err(|error| error.at(token.at))?;
                return Self::node(kind, token.at);
            }
            TokenKind::Text => {
                self.advance()?;
                Self::node(Kind::Text(Rc::new(token.text.clone())), token.at)?
            }
            TokenKind::Bracket if token.text == b"[" => self.array(token)?,
            TokenKind::Bracket if token.text == b"{" => self.map(token)?,
            TokenKind::Bracket | TokenKind::Operator | TokenKind::End | TokenKind::Error(_) => {
                return Err(self.unexpected());
            }
        };
        self.postfix(node)
    }

    /// A call of `name`; `arguments` holds what was piped into it.
    pub(super) fn call(&mut self, name: &Token, arguments: Vec<Node>) -> Parsed {
        let mut arguments = arguments;
        let word = name.word();
        if let Some((required, optional)) = builtins::loop_arguments(&word) {
            self.expect(&TokenKind::Bracket, "(")?;
            let piped = arguments.len();
            for index in piped..required + optional {
                if self.is_bracket(")") {
                    if index >= required {
                        break;
                    }
                    return Err(ExpressionError::compile(
                        Class::BadArgument,
                        format!("`{word}` needs at least {required} arguments"),
                    )
                    .at(name.at));
                }
                if index > piped {
                    self.expect(&TokenKind::Operator, ",")?;
                }
                arguments.push(if index == 1 {
                    self.predicate()?
                } else {
                    self.expression(0)?
                });
            }
            if self.is_operator(",") {
                self.advance()?;
            }
            self.expect(&TokenKind::Bracket, ")")?;
        } else {
            arguments = self.arguments(arguments)?;
            if !builtins::is_builtin(&word) {
                let callee = Box::new(Self::node(Kind::Identifier(word), name.at)?);
                return Self::node(Kind::Call { callee, arguments }, name.at);
            }
        }
        let builtin = Builtin {
            name: word,
            arguments,
            map: None,
            throws: false,
        };
        Self::node(Kind::Builtin(builtin), name.at)
    }

    fn arguments(&mut self, piped: Vec<Node>) -> Result<Vec<Node>, ExpressionError> {
        let mut arguments = piped;
        let offset = arguments.len();
        self.expect(&TokenKind::Bracket, "(")?;
        while !self.is_bracket(")") {
            if arguments.len() > offset {
                self.expect(&TokenKind::Operator, ",")?;
            }
            if self.is_bracket(")") {
                break;
            }
            arguments.push(self.expression(0)?);
        }
        self.expect(&TokenKind::Bracket, ")")?;
        Ok(arguments)
    }

    fn predicate(&mut self) -> Parsed {
        let at = self.current().at;
        let braces = self.is_bracket("{");
        if braces {
            self.advance()?;
        }
        self.predicates += 1;
        let inner = if braces {
            self.sequence()?
        } else {
            let inner = self.expression(0)?;
            if self.is_operator(";") {
                return Err(syntax("put what is asked of each element into `{` and `}`")
                    .at(self.current().at));
            }
            inner
        };
        self.predicates -= 1;
        if braces {
            self.expect(&TokenKind::Bracket, "}")?;
        }
        Self::node(Kind::Predicate(Box::new(inner)), at)
    }

    fn array(&mut self, token: &Token) -> Parsed {
        let mut nodes = Vec::new();
        self.expect(&TokenKind::Bracket, "[")?;
        while !self.is_bracket("]") {
            if !nodes.is_empty() {
                self.expect(&TokenKind::Operator, ",")?;
                if self.is_bracket("]") {
                    break;
                }
            }
            nodes.push(self.expression(0)?);
        }
        self.expect(&TokenKind::Bracket, "]")?;
        Self::node(Kind::Array(nodes), token.at)
    }

    fn map(&mut self, token: &Token) -> Parsed {
        let mut pairs = Vec::new();
        self.expect(&TokenKind::Bracket, "{")?;
        while !self.is_bracket("}") {
            if !pairs.is_empty() {
                self.expect(&TokenKind::Operator, ",")?;
                if self.is_bracket("}") {
                    break;
                }
            }
            let current = self.current();
            let key = match &current.kind {
                TokenKind::Number | TokenKind::Text | TokenKind::Identifier => {
                    self.advance()?;
                    Self::node(Kind::Text(Rc::new(current.text.clone())), current.at)?
                }
                TokenKind::Bracket if current.text == b"(" => self.expression(0)?,
                TokenKind::Bracket | TokenKind::Operator | TokenKind::End | TokenKind::Error(_) => {
                    return Err(syntax(
                        "a key of an object is a text, a number, a name, or an expression in brackets",
                    )
                    .at(current.at));
                }
            };
            self.expect(&TokenKind::Operator, ":")?;
            pairs.push((key, self.expression(0)?));
        }
        self.expect(&TokenKind::Bracket, "}")?;
        Self::node(Kind::Map(pairs), token.at)
    }

    fn postfix(&mut self, node: Node) -> Parsed {
        let mut node = node;
        loop {
            let token = self.current();
            let optional = token.is(&TokenKind::Operator, "?.");
            if optional || token.is(&TokenKind::Operator, ".") {
                self.advance()?;
                if optional && self.is_bracket("[") {
                    node = self.index(node, true)?;
                } else {
                    node = self.field(node, optional)?;
                }
            } else if token.is(&TokenKind::Bracket, "[") {
                node = self.index(node, false)?;
            } else {
                return Ok(node);
            }
        }
    }

    fn field(&mut self, node: Node, optional: bool) -> Parsed {
        let token = self.current();
        self.advance()?;
        let word = token.word();
        let is_name = match token.kind {
            TokenKind::Identifier => true,
            // `result.matches` and `result.not` are fields.
            TokenKind::Operator => word.chars().all(char::is_alphabetic),
            TokenKind::Number
            | TokenKind::Text
            | TokenKind::Bracket
            | TokenKind::End
            | TokenKind::Error(_) => false,
        };
        if !is_name {
            return Err(syntax("a name has to follow the dot").at(token.at));
        }
        let property = Self::node(Kind::Text(Rc::new(word.into_bytes())), token.at)?;
        let (base, chained) = match node.kind {
            Kind::Chain(inner) => (inner, true),
            kind => (
                Box::new(Node {
                    kind,
                    at: node.at,
                    nature: node.nature,
                    depth: node.depth,
                }),
                false,
            ),
        };
        let method = self.is_bracket("(");
        let member = Kind::Member {
            base,
            property: Box::new(property),
            optional,
            method,
        };
        let mut node = Self::node(member, token.at)?;
        if method {
            let arguments = self.arguments(Vec::new())?;
            let callee = Box::new(node);
            node = Self::node(Kind::Call { callee, arguments }, token.at)?;
        }
        if chained || optional {
            node = Self::node(Kind::Chain(Box::new(node)), token.at)?;
        }
        Ok(node)
    }

    fn index(&mut self, node: Node, optional: bool) -> Parsed {
        let at = self.current().at;
        self.advance()?;
        let base = Box::new(node);
        let from = if self.is_operator(":") {
            None
        } else {
            Some(Box::new(self.expression(0)?))
        };
        if self.is_operator(":") {
            self.advance()?;
            let to = if self.is_bracket("]") {
                None
            } else {
                Some(Box::new(self.expression(0)?))
            };
            let node = Self::node(Kind::Slice { base, from, to }, at)?;
            self.expect(&TokenKind::Bracket, "]")?;
            return Ok(node);
        }
        let Some(property) = from else {
            return Err(self.unexpected());
        };
        let member = Kind::Member {
            base,
            property,
            optional,
            method: false,
        };
        let mut node = Self::node(member, at)?;
        if optional {
            node = Self::node(Kind::Chain(Box::new(node)), at)?;
        }
        self.expect(&TokenKind::Bracket, "]")?;
        Ok(node)
    }
}

fn literal(word: &str) -> Result<Kind, ExpressionError> {
    let text = word.replace('_', "").to_lowercase();
    let base = match text.get(..2) {
        Some("0x") => Some(16),
        Some("0b") if !text.contains(['.', 'e']) => Some(2),
        Some("0o") if !text.contains(['.', 'e']) => Some(8),
        _ => None,
    };
    let bad = |why: &str| {
        ExpressionError::compile(Class::NumberLiteral, format!("the number `{word}` {why}"))
    };
    if let Some(base) = base {
        let digits = text.get(2..).unwrap_or_default();
        let number = i64::from_str_radix(digits, base);
        return number
            .map(Kind::Integer)
            .map_err(|_| bad("does not fit into 64 bits"));
    }
    if text.contains(['.', 'e']) {
        return go_number::float(&text)
            .map(Kind::Float)
            .map_err(|_| bad("is out of range or has no digits"));
    }
    text.parse()
        .map(Kind::Integer)
        .map_err(|_| bad("does not fit into 64 bits"))
}
