//! CEL's syntax tree → [`Predicate`], with every problem found on the way.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::parser::Parser;

use super::compare::Comparison;
use super::error::{CAN, FilterError};
use super::fields::{Kind, kind};
use super::names::suggest;
use super::predicate::Predicate;
use super::span::{Span, Spans};
use super::syntax;
use super::values::Value;
use crate::flow::{Field, FieldSet};
use crate::rule::sets::Sets;

/// Longest filter text, in bytes. Long lists belong into named sets.
const MAX_LEN: usize = 64 * 1024;

/// Parses and lowers `source`; also says which fields it looks at.
pub(super) fn lower(source: &str, sets: &Sets) -> Result<(Predicate, FieldSet), Vec<FilterError>> {
    if source.len() > MAX_LEN {
        let start = Span { start: 0, end: 0 };
        let message = format!(
            "the filter has {} bytes, above {MAX_LEN}: put long lists into sets",
            source.len()
        );
        return Err(vec![super::span::error_at("", start, message, None)]);
    }
    syntax::check_chains(source).map_err(|error| vec![error])?;
    let (expr, info) = Parser::new()
        .parse_with_source_info(source)
        .map_err(|errors| vec![syntax::first_error(source, &errors)])?;
    let mut lowering = Lowering {
        spans: Spans { source, info },
        sets,
        errors: Vec::new(),
        fields: FieldSet::EMPTY,
    };
    match lowering.condition(&expr) {
        Some(root) if lowering.errors.is_empty() => Ok((root, lowering.fields)),
        _ => Err(lowering.errors),
    }
}

pub(super) struct Lowering<'s> {
    spans: Spans<'s>,
    pub(super) sets: &'s Sets,
    /// Invariant: whoever returns `None` has put an error here.
    errors: Vec<FilterError>,
    fields: FieldSet,
}

/// One side of a comparison.
pub(super) enum Operand<'e> {
    Field(Field),
    Value(Value<'e>),
    List(&'e [IdedExpr]),
    Set(&'e str),
}

impl Lowering<'_> {
    /// Notes an error at `at`.
    pub(super) fn note(
        &mut self,
        at: &IdedExpr,
        message: impl Into<String>,
        help: Option<&'static str>,
    ) {
        let span = self.spans.of(at);
        let error = self.spans.error(span, message.into(), help);
        self.errors.push(error);
    }

    pub(super) fn fail<T>(&mut self, at: &IdedExpr, message: impl Into<String>) -> Option<T> {
        self.note(at, message, None);
        None
    }

    /// Like [`Self::fail`], with the list of what can be lowered.
    pub(super) fn fail_with_help<T>(
        &mut self,
        at: &IdedExpr,
        message: impl Into<String>,
    ) -> Option<T> {
        self.note(at, message, Some(CAN));
        None
    }

    /// `result`, with its message at `at`.
    pub(super) fn checked<T>(&mut self, at: &IdedExpr, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(message) => self.fail(at, message),
        }
    }

    fn condition(&mut self, expr: &IdedExpr) -> Option<Predicate> {
        match &expr.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => Some(Predicate::Const(*value.inner())),
            Expr::Ident(name) => match kind(self.field(expr, name)?) {
                Kind::Normalized => Some(Predicate::Normalized),
                other => self.fail(
                    expr,
                    format!(
                        "`{name}` is {}, no condition by itself: compare it, as in {}",
                        other.describe(),
                        other.example()
                    ),
                ),
            },
            Expr::Call(call) => self.call(expr, call),
            Expr::Select(_) if set_name(expr).is_some() => self.fail(
                expr,
                "a set is no condition by itself: write FIELD in sets.NAME",
            ),
            Expr::Select(select) if select.test => self.fail_with_help(
                expr,
                "a filter has no has(): what a flow does not carry is 0 or \"\"",
            ),
            Expr::Comprehension(_) => self.fail_with_help(
                expr,
                "a filter has no all, exists, map or filter: write FIELD in [..]",
            ),
            _ => {
                let text = self.spans.text(self.spans.of(expr)).to_owned();
                self.fail_with_help(expr, format!("`{text}` is no condition"))
            }
        }
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Predicate> {
        if let Some(target) = &call.target {
            return self.method(expr, target, call);
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, [a, b]) => {
                let (a, b) = (self.condition(a), self.condition(b));
                Some(Predicate::all([a?, b?]))
            }
            (operators::LOGICAL_OR, [a, b]) => {
                let (a, b) = (self.condition(a), self.condition(b));
                Some(Predicate::any([a?, b?]))
            }
            (operators::LOGICAL_NOT, [inner]) => self.condition(inner).map(Predicate::not),
            (operators::IN, [needle, hay]) => self.membership(expr, needle, hay),
            (name, [left, right]) if Comparison::of(name).is_some() => {
                self.comparison(expr, Comparison::of(name)?, left, right)
            }
            _ => self.unsupported(expr, call),
        }
    }

    pub(super) fn unsupported<T>(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<T> {
        let message = match call.func_name.as_str() {
            operators::ADD
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::NEGATE => "a filter cannot calculate".to_owned(),
            operators::CONDITIONAL => {
                "a filter has no `? :`: write (a && b) || (!a && c)".to_owned()
            }
            operators::INDEX => "a filter has no `[…]` behind a value".to_owned(),
            name if name.starts_with(['_', '!', '@']) => {
                "a condition is no value: write it alone, or with ! before it".to_owned()
            }
            name => format!("a filter has no function `{name}`"),
        };
        self.fail_with_help(expr, message)
    }

    pub(super) fn field(&mut self, at: &IdedExpr, name: &str) -> Option<Field> {
        if let Some(field) = Field::ALL.iter().find(|f| f.name() == name) {
            self.fields = self.fields.with(*field);
            return Some(*field);
        }
        let known = OTHER_NAMES.iter().find(|(other, _)| *other == name);
        let hint = match known {
            Some((_, ours)) => format!("did you mean `{ours}`? "),
            None => suggest(name, Field::ALL.iter().map(|f| f.name())),
        };
        let message = if hint.is_empty() {
            let all: Vec<&str> = Field::ALL.iter().map(|f| f.name()).collect();
            format!("unknown field `{name}`: fields are {}", all.join(", "))
        } else {
            format!("unknown field `{name}`: {}", hint.trim_end())
        };
        self.fail(at, message)
    }

    pub(super) fn operand<'e>(&mut self, expr: &'e IdedExpr) -> Option<Operand<'e>> {
        let value = match &expr.expr {
            Expr::Ident(name) => return self.field(expr, name).map(Operand::Field),
            Expr::List(list) => return Some(Operand::List(&list.elements)),
            Expr::Select(_) if set_name(expr).is_some() => {
                return set_name(expr).map(Operand::Set);
            }
            Expr::Literal(LiteralValue::Int(int)) => Value::Int((*int.inner()).into()),
            Expr::Literal(LiteralValue::UInt(int)) => Value::Int((*int.inner()).into()),
            Expr::Literal(LiteralValue::String(text)) => Value::Text(text.inner()),
            Expr::Literal(LiteralValue::Boolean(value)) => Value::Bool(*value.inner()),
            Expr::Literal(LiteralValue::Double(_)) => {
                return self.fail(expr, "numbers in a filter are whole");
            }
            Expr::Literal(LiteralValue::Null) => {
                return self.fail(
                    expr,
                    "a filter has no null: what a flow does not carry is 0 or \"\"",
                );
            }
            Expr::Literal(LiteralValue::Bytes(_)) => {
                return self.fail(expr, "write text in plain quotes, without the b");
            }
            Expr::Call(call) => return self.unsupported(expr, call),
            _ => {
                let text = self.spans.text(self.spans.of(expr)).to_owned();
                return self.fail_with_help(expr, format!("`{text}` is no value"));
            }
        };
        Some(Operand::Value(value))
    }
}

/// What other tools call our fields.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("sampler", "exporter"),
    ("sampler_address", "exporter"),
    ("SamplerAddress", "exporter"),
    ("ExporterAddress", "exporter"),
    ("router", "exporter"),
    ("flow_direction", "direction"),
    ("FlowDirection", "direction"),
    ("incoming", "direction"),
    ("src_ip", "src_addr"),
    ("dst_ip", "dst_addr"),
    ("protocol", "proto"),
    ("ethertype", "etype"),
    ("asn", "src_as"),
    ("flags", "tcp_flags"),
];

/// The name in `sets.NAME`.
fn set_name(expr: &IdedExpr) -> Option<&str> {
    let Expr::Select(select) = &expr.expr else {
        return None;
    };
    match &select.operand.expr {
        Expr::Ident(name) if name == "sets" && !select.test => Some(&select.field),
        _ => None,
    }
}
