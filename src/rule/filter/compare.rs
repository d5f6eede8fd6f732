//! Comparisons of a field with a constant or another field.

use cel::common::ast::{IdedExpr, operators};

use super::fields::{Kind, Number, kind};
use super::lower::{Lowering, Operand};
use super::predicate::{NumberTest, Predicate, TextTest};
use super::values::{self, Value};
use crate::flow::Field;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Comparison {
    pub(super) fn of(operator: &str) -> Option<Self> {
        Some(match operator {
            operators::EQUALS => Self::Equal,
            operators::NOT_EQUALS => Self::NotEqual,
            operators::LESS => Self::Less,
            operators::LESS_EQUALS => Self::LessEqual,
            operators::GREATER => Self::Greater,
            operators::GREATER_EQUALS => Self::GreaterEqual,
            _ => return None,
        })
    }

    /// The comparison with its sides exchanged.
    const fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            same => same,
        }
    }

    /// Whether it is an equality, or the negation of one; `None` for an order.
    const fn is_equal(self) -> Option<bool> {
        match self {
            Self::Equal => Some(true),
            Self::NotEqual => Some(false),
            _ => None,
        }
    }
}

impl Lowering<'_> {
    pub(super) fn comparison(
        &mut self,
        expr: &IdedExpr,
        comparison: Comparison,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Option<Predicate> {
        let operands = (self.operand(left), self.operand(right));
        match (operands.0?, operands.1?) {
            (Operand::Field(a), Operand::Field(b)) => self.pair(expr, comparison, a, b),
            (Operand::Field(field), Operand::Value(value)) => {
                self.constant(expr, comparison, field, right, value)
            }
            (Operand::Value(value), Operand::Field(field)) => {
                self.constant(expr, comparison.flipped(), field, left, value)
            }
            (Operand::List(_) | Operand::Set(_), _) | (_, Operand::List(_) | Operand::Set(_)) => {
                self.fail(expr, "a list is not compared: write FIELD in [..]")
            }
            (Operand::Value(_), Operand::Value(_)) => {
                self.fail(expr, "this compares two constants: one side is a field")
            }
        }
    }

    /// Refuses an order where only equality makes sense; else gives whether to negate.
    fn equality(&mut self, expr: &IdedExpr, comparison: Comparison, field: Field) -> Option<bool> {
        match comparison.is_equal() {
            Some(equal) => Some(equal),
            None => self.fail(
                expr,
                format!(
                    "`{}` is {}: it has == and != but no order",
                    field.name(),
                    kind(field).describe()
                ),
            ),
        }
    }

    fn constant(
        &mut self,
        expr: &IdedExpr,
        comparison: Comparison,
        field: Field,
        at: &IdedExpr,
        value: Value<'_>,
    ) -> Option<Predicate> {
        let name = field.name();
        let equal = match kind(field) {
            Kind::Number(number) => {
                let value = self.checked(at, values::number(number, value))?;
                return Some(number_test(number, comparison, value));
            }
            Kind::Text(text) => self
                .checked(at, values::text(name, value))
                .map(|value| Predicate::Text(text, TextTest::Equal(value))),
            Kind::Address(address) => self
                .checked(at, values::address(name, value))
                .map(|value| Predicate::Address(address, value)),
            Kind::Direction => self
                .checked(at, values::direction(value))
                .map(Predicate::Direction),
            Kind::Normalized => self
                .checked(at, values::boolean(Kind::Normalized, value))
                .map(|value| {
                    if value {
                        Predicate::Normalized
                    } else {
                        Predicate::Normalized.not()
                    }
                }),
            Kind::Time => self.fail(
                expr,
                format!("`{name}` is a time: filters do not look at times"),
            ),
        }?;
        let positive = self.equality(expr, comparison, field)?;
        Some(if positive { equal } else { equal.not() })
    }

    fn pair(
        &mut self,
        expr: &IdedExpr,
        comparison: Comparison,
        a: Field,
        b: Field,
    ) -> Option<Predicate> {
        let equal = match (kind(a), kind(b)) {
            (Kind::Number(a), Kind::Number(b)) => return Some(number_pair(comparison, a, b)),
            (Kind::Text(a), Kind::Text(b)) => Predicate::TextEqual(a, b),
            (Kind::Address(a), Kind::Address(b)) => Predicate::AddressEqual(a, b),
            (one, other) => {
                return self.fail(
                    expr,
                    format!(
                        "`{}` is {} and `{}` is {}: they cannot be compared",
                        a.name(),
                        one.describe(),
                        b.name(),
                        other.describe()
                    ),
                );
            }
        };
        let positive = self.equality(expr, comparison, a)?;
        Some(if positive { equal } else { equal.not() })
    }
}

fn number_test(number: Number, comparison: Comparison, value: u64) -> Predicate {
    let range = |low, high| Predicate::Number(number, NumberTest::Range(low, high));
    match comparison {
        Comparison::Equal => range(value, value),
        Comparison::NotEqual => range(value, value).not(),
        Comparison::LessEqual => range(0, value),
        Comparison::GreaterEqual => range(value, u64::MAX),
        Comparison::Less => range(value, u64::MAX).not(),
        Comparison::Greater => range(0, value).not(),
    }
}

fn number_pair(comparison: Comparison, a: Number, b: Number) -> Predicate {
    match comparison {
        Comparison::Equal => Predicate::NumberEqual(a, b),
        Comparison::NotEqual => Predicate::NumberEqual(a, b).not(),
        Comparison::Less => Predicate::NumberLess(a, b),
        Comparison::Greater => Predicate::NumberLess(b, a),
        Comparison::LessEqual => Predicate::NumberLess(b, a).not(),
        Comparison::GreaterEqual => Predicate::NumberLess(a, b).not(),
    }
}
