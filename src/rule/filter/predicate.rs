//! The lowered filter: a tree that is evaluated without allocation and cannot fail.

use std::fmt::Write as _;

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use memchr::memmem::Finder;

use super::fields::{Address, Number, Text};
use crate::flow::{Direction, Flow, Normalized};
use crate::net::Addr;
use crate::rule::prefixes::PrefixSet;

/// A condition on a flow.
#[derive(Clone, Debug)]
pub(super) enum Predicate {
    Const(bool),
    Not(Box<Predicate>),
    All(Box<[Predicate]>),
    Any(Box<[Predicate]>),
    Normalized,
    /// One bit per direction, see [`direction_bit`].
    Direction(u8),
    Number(Number, NumberTest),
    /// Whether the first is less than, or equal to, the second.
    NumberLess(Number, Number),
    NumberEqual(Number, Number),
    /// Whether all of these bits are set.
    AllBits(Number, u64),
    /// Whether any of these bits is set.
    AnyBit(Number, u64),
    Text(Text, TextTest),
    TextEqual(Text, Text),
    Address(Address, Addr),
    AddressIn(Address, PrefixSet),
    AddressEqual(Address, Address),
    /// What `FIELD in sets.NAME` means with the items that the set has now.
    InSet {
        /// As the filter says it.
        text: Box<str>,
        now: Box<Predicate>,
    },
}

/// How a canonical text names sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetsAs {
    /// By their items.
    Items,
    /// By their names.
    Names,
}

/// What a number is compared with.
#[derive(Clone, Debug)]
pub(super) enum NumberTest {
    /// Both ends included; an equality has both ends alike.
    Range(u64, u64),
    /// A few, sorted.
    Few(Box<[u64]>),
    /// Many.
    Many(HashSet<u64, FixedState>),
}

/// What a text is compared with.
#[derive(Clone, Debug)]
pub(super) enum TextTest {
    Equal(Box<[u8]>),
    Few(Box<[Box<[u8]>]>),
    Many(HashSet<Box<[u8]>, FixedState>),
    Contains(Box<Finder<'static>>),
    StartsWith(Box<[u8]>),
    EndsWith(Box<[u8]>),
}

/// Up to this many values are compared one by one.
const FEW: usize = 8;

/// The bit of a direction in [`Predicate::Direction`].
pub(super) const fn direction_bit(direction: Direction) -> u8 {
    match direction {
        Direction::Unknown => 1,
        Direction::Ingress => 2,
        Direction::Egress => 4,
    }
}

impl Predicate {
    #[inline]
    pub(super) fn matches(&self, flow: &Flow<'_>) -> bool {
        match self {
            Self::Const(value) => *value,
            Self::Not(inner) => !inner.matches(flow),
            Self::All(parts) => parts.iter().all(|p| p.matches(flow)),
            Self::Any(parts) => parts.iter().any(|p| p.matches(flow)),
            Self::Normalized => flow.normalized == Normalized::Yes,
            Self::Direction(mask) => mask & direction_bit(flow.direction) != 0,
            Self::Number(number, test) => test.matches((number.get)(flow)),
            Self::NumberLess(a, b) => (a.get)(flow) < (b.get)(flow),
            Self::NumberEqual(a, b) => (a.get)(flow) == (b.get)(flow),
            Self::AllBits(number, bits) => (number.get)(flow) & bits == *bits,
            Self::AnyBit(number, bits) => (number.get)(flow) & bits != 0,
            Self::Text(text, test) => test.matches((text.get)(flow)),
            Self::TextEqual(a, b) => (a.get)(flow) == (b.get)(flow),
            Self::Address(address, value) => (address.get)(flow) == Some(*value),
            Self::AddressIn(address, set) => (address.get)(flow).is_some_and(|a| set.contains(a)),
            Self::AddressEqual(a, b) => {
                let (a, b) = ((a.get)(flow), (b.get)(flow));
                a.is_some() && a == b
            }
            Self::InSet { now, .. } => now.matches(flow),
        }
    }

    /// The negation.
    pub(super) fn not(self) -> Self {
        match self {
            Self::Const(value) => Self::Const(!value),
            Self::Not(inner) => *inner,
            Self::Direction(mask) => Self::Direction(!mask & 7),
            other => Self::Not(Box::new(other)),
        }
    }

    /// The conjunction, flat and without constants.
    pub(super) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::Const(true) => {}
                Self::Const(false) => return Self::Const(false),
                Self::All(inner) => flat.extend(inner.into_vec()),
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Self::Const(true),
            1 => flat.swap_remove(0),
            _ => Self::All(flat.into()),
        }
    }

    /// The disjunction, flat and without constants.
    pub(super) fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::Const(false) => {}
                Self::Const(true) => return Self::Const(true),
                Self::Any(inner) => flat.extend(inner.into_vec()),
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Self::Const(false),
            1 => flat.swap_remove(0),
            _ => Self::Any(flat.into()),
        }
    }

    /// Puts cheap parts first. Parts cannot fail, so their order decides nothing but speed.
    pub(super) fn ordered_by_cost(self) -> Self {
        let order = |parts: Box<[Self]>| {
            let mut parts: Vec<Self> = parts
                .into_vec()
                .into_iter()
                .map(Self::ordered_by_cost)
                .collect();
            parts.sort_by_key(Self::cost);
            parts.into_boxed_slice()
        };
        match self {
            Self::All(parts) => Self::All(order(parts)),
            Self::Any(parts) => Self::Any(order(parts)),
            Self::Not(inner) => Self::Not(Box::new(inner.ordered_by_cost())),
            other => other,
        }
    }

    fn cost(&self) -> u32 {
        match self {
            Self::Const(_) => 0,
            Self::Normalized
            | Self::Direction(_)
            | Self::AllBits(..)
            | Self::AnyBit(..)
            | Self::Number(_, NumberTest::Range(..)) => 1,
            Self::NumberLess(..) | Self::NumberEqual(..) | Self::Address(..) => 2,
            Self::AddressEqual(..) | Self::Number(_, NumberTest::Few(_)) => 3,
            Self::Number(_, NumberTest::Many(_)) => 5,
            Self::TextEqual(..)
            | Self::Text(_, TextTest::Equal(_) | TextTest::StartsWith(_) | TextTest::EndsWith(_)) => {
                4
            }
            Self::AddressIn(..) | Self::Text(_, TextTest::Few(_)) => 8,
            Self::Text(_, TextTest::Many(_) | TextTest::Contains(_)) => 12,
            Self::Not(inner) | Self::InSet { now: inner, .. } => inner.cost(),
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::cost).sum(),
        }
    }

    /// A text in which operands stand in alphabetical order, for fingerprints: it must not change
    /// between versions of this program while the meaning stays.
    pub(super) fn canonical(&self, sets: SetsAs) -> String {
        match self {
            Self::Const(value) => value.to_string(),
            Self::Not(inner) => format!("!{}", inner.canonical(sets)),
            Self::All(parts) => joined(parts, " && ", sets),
            Self::Any(parts) => joined(parts, " || ", sets),
            Self::InSet { text, now } => match sets {
                SetsAs::Items => now.canonical(sets),
                SetsAs::Names => text.to_string(),
            },
            Self::Normalized => "normalized".to_owned(),
            Self::Direction(mask) => format!("direction in mask {mask}"),
            Self::Number(number, test) => format!("{number:?} {}", test.canonical()),
            Self::NumberLess(a, b) => format!("{a:?} < {b:?}"),
            Self::NumberEqual(a, b) => equal(&format!("{a:?}"), &format!("{b:?}")),
            Self::AllBits(number, bits) => format!("{number:?} has {bits}"),
            Self::AnyBit(number, bits) => format!("{number:?} has_any {bits}"),
            Self::Text(text, test) => format!("{text:?} {}", test.canonical()),
            Self::TextEqual(a, b) => equal(&format!("{a:?}"), &format!("{b:?}")),
            Self::Address(address, value) => {
                format!("{address:?} in [{value}/{}]", value.family().bits())
            }
            Self::AddressIn(address, set) => {
                let mut out = format!("{address:?} in [");
                for (index, prefix) in set.prefixes().iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    // Writing to a `String` cannot fail.
                    let _ = write!(out, "{comma}{prefix}");
                }
                out + "]"
            }
            Self::AddressEqual(a, b) => equal(&format!("{a:?}"), &format!("{b:?}")),
        }
    }
}

fn joined(parts: &[Predicate], with: &str, sets: SetsAs) -> String {
    let mut parts: Vec<String> = parts.iter().map(|p| p.canonical(sets)).collect();
    parts.sort_unstable();
    parts.dedup();
    format!("({})", parts.join(with))
}

fn equal(a: &str, b: &str) -> String {
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    format!("{a} == {b}")
}

impl NumberTest {
    /// Any of `values`.
    pub(super) fn one_of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        values.dedup();
        match values.as_slice() {
            [one] => Self::Range(*one, *one),
            few if few.len() <= FEW => Self::Few(values.into()),
            _ => Self::Many(values.into_iter().collect()),
        }
    }

    #[inline]
    fn matches(&self, value: u64) -> bool {
        match self {
            Self::Range(low, high) => (*low..=*high).contains(&value),
            Self::Few(values) => values.contains(&value),
            Self::Many(values) => values.contains(&value),
        }
    }

    fn canonical(&self) -> String {
        match self {
            Self::Range(low, high) => format!("in {low}..={high}"),
            Self::Few(values) => format!("in {values:?}"),
            Self::Many(values) => {
                let mut sorted: Vec<u64> = values.iter().copied().collect();
                sorted.sort_unstable();
                format!("in {sorted:?}")
            }
        }
    }
}

impl TextTest {
    /// Any of `values`.
    pub(super) fn one_of(mut values: Vec<Box<[u8]>>) -> Self {
        values.sort_unstable();
        values.dedup();
        match values.len() {
            1 => Self::Equal(values.swap_remove(0)),
            few if few <= FEW => Self::Few(values.into()),
            _ => Self::Many(values.into_iter().collect()),
        }
    }

    #[inline]
    fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Equal(value) => text == &**value,
            Self::Few(values) => values.iter().any(|v| text == &**v),
            Self::Many(values) => values.contains(text),
            Self::Contains(finder) => finder.find(text).is_some(),
            Self::StartsWith(value) => text.starts_with(value),
            Self::EndsWith(value) => text.ends_with(value),
        }
    }

    fn canonical(&self) -> String {
        let quoted = |bytes: &[u8]| format!("\"{}\"", bytes.escape_ascii());
        let list = |values: &mut dyn Iterator<Item = &Box<[u8]>>| {
            let mut values: Vec<String> = values.map(|v| quoted(v)).collect();
            values.sort_unstable();
            format!("in [{}]", values.join(", "))
        };
        match self {
            Self::Equal(value) => list(&mut std::iter::once(value)),
            Self::Few(values) => list(&mut values.iter()),
            Self::Many(values) => list(&mut values.iter()),
            Self::Contains(finder) => format!("contains {}", quoted(finder.needle())),
            Self::StartsWith(value) => format!("startsWith {}", quoted(value)),
            Self::EndsWith(value) => format!("endsWith {}", quoted(value)),
        }
    }
}
