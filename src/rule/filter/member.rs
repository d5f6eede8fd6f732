//! `FIELD in …`, and methods of fields.

use cel::common::ast::{CallExpr, Expr, IdedExpr};
use memchr::memmem::Finder;

use super::fields::{Address, Kind, Text, kind};
use super::lower::{Lowering, Operand};
use super::names::suggest;
use super::predicate::{NumberTest, Predicate, TextTest};
use super::values::{self, Value};
use crate::flow::Field;
use crate::net::Prefix;
use crate::rule::prefixes::PrefixSet;
use crate::rule::sets::NamedSet;

/// So many items of one set are named when they are wrong.
const MAX_SET_ERRORS: usize = 5;

impl Lowering<'_> {
    pub(super) fn membership(
        &mut self,
        expr: &IdedExpr,
        needle: &IdedExpr,
        hay: &IdedExpr,
    ) -> Option<Predicate> {
        let (left, right) = (self.operand(needle), self.operand(hay));
        let (left, right) = (left?, right?);
        let Operand::Field(field) = left else {
            let message = match right {
                Operand::Field(f) if matches!(kind(f), Kind::Text(_)) => {
                    format!("write {}.contains(\"x\")", f.name())
                }
                _ => "what stands before `in` is a field".to_owned(),
            };
            return self.fail(expr, message);
        };
        let set = match right {
            Operand::Set(set) => Some(set),
            _ => None,
        };
        let now = self.member_of(expr, field, hay, right)?;
        Some(match set {
            None => now,
            Some(set) => Predicate::InSet {
                text: format!("{} in sets.{set}", field.name()).into(),
                now: Box::new(now),
            },
        })
    }

    fn member_of(
        &mut self,
        expr: &IdedExpr,
        field: Field,
        hay: &IdedExpr,
        right: Operand<'_>,
    ) -> Option<Predicate> {
        let name = field.name();
        match kind(field) {
            Kind::Number(number) => {
                let values = self.each(hay, &right, |v| values::number(number, v))?;
                Some(or_false(values, |v| {
                    Predicate::Number(number, NumberTest::one_of(v))
                }))
            }
            Kind::Text(text) => {
                let values = self.each(hay, &right, |v| values::text(name, v))?;
                Some(or_false(values, |v| {
                    Predicate::Text(text, TextTest::one_of(v))
                }))
            }
            Kind::Address(address) => {
                let prefixes = match right {
                    Operand::Value(value) => {
                        vec![self.checked(hay, values::prefix(name, value))?]
                    }
                    list => self.each(hay, &list, |v| values::prefix(name, v))?,
                };
                Some(or_false(prefixes, |v| addresses(address, v)))
            }
            Kind::Direction => {
                let values = self.each(hay, &right, values::direction)?;
                let mask = values.iter().fold(0, |mask, bit| mask | bit);
                Some(Predicate::Direction(mask))
            }
            other @ (Kind::Normalized | Kind::Time) => self.fail(
                expr,
                format!("`{name}` is {}: it is in no list", other.describe()),
            ),
        }
    }

    /// The values behind `in`, each converted; every one that cannot be is an error.
    fn each<T>(
        &mut self,
        hay: &IdedExpr,
        right: &Operand<'_>,
        convert: impl Fn(Value<'_>) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        match right {
            Operand::List([]) => self.fail(hay, "the list is empty: nothing is in it"),
            Operand::List(elements) => {
                let values: Vec<Option<T>> = elements
                    .iter()
                    .map(|element| match self.operand(element)? {
                        Operand::Value(value) => self.checked(element, convert(value)),
                        _ => self.fail(element, "a list holds numbers or text only"),
                    })
                    .collect();
                values.into_iter().collect()
            }
            Operand::Set(name) => self.set_values(hay, name, convert),
            Operand::Value(_) => self.fail_with_help(
                hay,
                "what stands after `in` is a list, such as [1, 2] or [\"x\", \"y\"], or a set",
            ),
            Operand::Field(_) => {
                self.fail_with_help(hay, "what stands after `in` is a list or a set, no field")
            }
        }
    }

    fn set_values<T>(
        &mut self,
        at: &IdedExpr,
        name: &str,
        convert: impl Fn(Value<'_>) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let sets = self.sets;
        let Some(set) = sets.get(name) else {
            let hint = suggest(name, sets.keys().map(String::as_str));
            let known: Vec<&str> = sets.keys().map(String::as_str).collect();
            let known = if known.is_empty() {
                "no sets are configured".to_owned()
            } else {
                format!("sets are {}", known.join(", "))
            };
            return self.fail(at, format!("unknown set `{name}`: {hint}{known}"));
        };
        self.items(at, name, set, convert)
    }

    fn items<T>(
        &mut self,
        at: &IdedExpr,
        name: &str,
        set: &NamedSet,
        convert: impl Fn(Value<'_>) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let mut values = Vec::with_capacity(set.items().len());
        let mut wrong = 0;
        for item in set.items() {
            match convert(Value::Item(&item.text)) {
                Ok(value) => values.push(value),
                Err(message) => {
                    wrong += 1;
                    if wrong <= MAX_SET_ERRORS {
                        let place = &item.place;
                        self.note(at, format!("set `{name}`, {place}: {message}"), None);
                    }
                }
            }
        }
        if wrong > MAX_SET_ERRORS {
            let more = wrong - MAX_SET_ERRORS;
            return self.fail(at, format!("set `{name}`: {more} more items are wrong"));
        }
        (wrong == 0).then_some(values)
    }

    pub(super) fn method(
        &mut self,
        expr: &IdedExpr,
        target: &IdedExpr,
        call: &CallExpr,
    ) -> Option<Predicate> {
        let Expr::Ident(name) = &target.expr else {
            return self.fail_with_help(
                expr,
                format!("`{}` stands behind a field only", call.func_name),
            );
        };
        let field = self.field(target, name)?;
        match (kind(field), call.func_name.as_str()) {
            (Kind::Text(text), "contains" | "startsWith" | "endsWith") => {
                self.text_method(expr, text, call)
            }
            (Kind::Address(address), "in_prefix") => {
                let values = self.arguments(expr, call, |v| values::prefix(name, v))?;
                Some(addresses(address, values))
            }
            (Kind::Number(number), "has" | "has_any") if field == Field::TcpFlags => {
                let bits = self.arguments(expr, call, |v| match v {
                    Value::Text(text) => values::flags(text),
                    _ => Err("a TCP flag is text, such as \"SYN\"".to_owned()),
                })?;
                let bits = bits.iter().fold(0, |all, bit| all | bit);
                Some(if call.func_name == "has" {
                    Predicate::AllBits(number, bits)
                } else {
                    Predicate::AnyBit(number, bits)
                })
            }
            (Kind::Text(_), "matches") => self.fail_with_help(
                expr,
                "a filter has no regular expressions: use contains, startsWith, endsWith or `in`",
            ),
            (kind, function) => {
                let methods = methods(field, kind);
                let hint = suggest(function, methods.iter().copied());
                let kind = kind.describe();
                let message = if hint.is_empty() {
                    format!("`{name}` is {kind} and has no `{function}`")
                } else {
                    format!(
                        "`{name}` is {kind} and has no `{function}`: {}",
                        hint.trim_end()
                    )
                };
                self.fail_with_help(expr, message)
            }
        }
    }

    fn text_method(&mut self, expr: &IdedExpr, text: Text, call: &CallExpr) -> Option<Predicate> {
        let name = &call.func_name;
        let [arg] = call.args.as_slice() else {
            return self.fail(expr, format!("`{name}` takes one text"));
        };
        let Operand::Value(value) = self.operand(arg)? else {
            return self.fail(arg, format!("`{name}` takes text in quotes"));
        };
        let value = self.checked(arg, values::text(text.field.name(), value))?;
        if value.is_empty() {
            return self.fail(arg, format!("`{name}` of an empty text is always true"));
        }
        Some(Predicate::Text(
            text,
            match name.as_str() {
                "contains" => TextTest::Contains(Box::new(Finder::new(&value).into_owned())),
                "startsWith" => TextTest::StartsWith(value),
                _ => TextTest::EndsWith(value),
            },
        ))
    }

    /// At least one argument, each converted.
    fn arguments<T>(
        &mut self,
        expr: &IdedExpr,
        call: &CallExpr,
        convert: impl Fn(Value<'_>) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        if call.args.is_empty() {
            return self.fail(expr, format!("`{}` needs an argument", call.func_name));
        }
        self.each(expr, &Operand::List(&call.args), convert)
    }
}

/// Methods of a field, for suggestions.
fn methods(field: Field, kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Text(_) => &["contains", "startsWith", "endsWith"],
        Kind::Address(_) => &["in_prefix"],
        _ if field == Field::TcpFlags => &["has", "has_any"],
        _ => &[],
    }
}

/// No value is in an empty set.
fn or_false<T>(values: Vec<T>, test: impl FnOnce(Vec<T>) -> Predicate) -> Predicate {
    if values.is_empty() {
        Predicate::Const(false)
    } else {
        test(values)
    }
}

fn addresses(address: Address, prefixes: Vec<Prefix>) -> Predicate {
    Predicate::AddressIn(address, PrefixSet::new(prefixes))
}
