//! Filters against CEL's own interpreter where CEL has the operation, and against a plain evaluator of
//! the same expression everywhere.

use std::net::IpAddr;

use cel::{Context, Program, Value};
use ipnet::IpNet;
use proptest::prelude::*;

use super::compiled;
use crate::flow::{Direction, Flow, Normalized};
use crate::net::Addr;
use crate::rule::SharedFilters;

const NUMBERS: [&str; 4] = ["src_port", "dst_port", "src_as", "tcp_flags"];
const TEXTS: [&str; 3] = ["src_if_desc", "dst_if_desc", "note"];
const ADDRESSES: [&str; 2] = ["src_addr", "exporter"];
const DIRECTIONS: [&str; 3] = ["unknown", "ingress", "egress"];
const FLAGS: [&str; 3] = ["FIN", "SYN", "RST"];
const WORDS: [&str; 7] = ["", "a", "b", "ab", "ba", "é", "aé"];
const ORDERS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];
const PREFIXES: [&str; 7] = [
    "10.0.0.0/30",
    "10.0.0.4/31",
    "10.0.0.1",
    "10.0.0.0/29",
    "2001:db8::/127",
    "::/0",
    "0.0.0.0/0",
];

/// A flow in values that both evaluators take.
#[derive(Clone, Debug)]
struct Sample {
    numbers: [u32; 4],
    texts: [&'static str; 3],
    addresses: [Option<IpAddr>; 2],
    direction: usize,
    normalized: bool,
}

impl Sample {
    fn flow(&self) -> Flow<'static> {
        let addr = |i: usize| self.addresses[i].map(Addr::from_ip);
        Flow {
            src_port: self.numbers[0],
            dst_port: self.numbers[1],
            src_as: self.numbers[2],
            tcp_flags: self.numbers[3],
            src_if_desc: self.texts[0].as_bytes(),
            dst_if_desc: self.texts[1].as_bytes(),
            note: self.texts[2].as_bytes(),
            src_addr: addr(0),
            exporter: addr(1),
            direction: [Direction::Unknown, Direction::Ingress, Direction::Egress][self.direction],
            normalized: if self.normalized {
                Normalized::Yes
            } else {
                Normalized::No
            },
            ..Flow::default()
        }
    }

    fn context(&self) -> Context<'static, 'static> {
        let mut context = Context::default();
        for (name, value) in NUMBERS.iter().zip(self.numbers) {
            context.add_variable_from_value(*name, i64::from(value));
        }
        for (name, value) in TEXTS.iter().zip(self.texts) {
            context.add_variable_from_value(*name, value.to_owned());
        }
        context.add_variable_from_value("direction", DIRECTIONS[self.direction].to_owned());
        context.add_variable_from_value("normalized", self.normalized);
        context
    }
}

#[derive(Clone, Debug)]
enum Node {
    Number(usize, usize, u32),
    Flipped(u32, usize, usize),
    NumberPair(usize, usize, usize),
    NumberIn(usize, Vec<u32>),
    Text(usize, &'static str, &'static str),
    TextPair(usize, bool, usize),
    TextIn(usize, Vec<&'static str>),
    Direction(bool, usize),
    DirectionIn(Vec<usize>),
    Normalized,
    Constant(bool),
    AddressIn(usize, Vec<&'static str>),
    AddressIs(usize, bool, &'static str),
    Flags(&'static str, Vec<usize>),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
}

fn listed<T: std::fmt::Debug>(values: &[T]) -> String {
    format!("{values:?}")
}

impl Node {
    fn text(&self) -> String {
        let joined = |nodes: &[Self], with: &str| {
            let parts: Vec<String> = nodes.iter().map(Self::text).collect();
            format!("({})", parts.join(with))
        };
        match self {
            Self::Number(f, o, v) => format!("{} {} {v}", NUMBERS[*f], ORDERS[*o]),
            Self::Flipped(v, o, f) => format!("{v} {} {}", ORDERS[*o], NUMBERS[*f]),
            Self::NumberPair(a, o, b) => format!("{} {} {}", NUMBERS[*a], ORDERS[*o], NUMBERS[*b]),
            Self::NumberIn(f, list) => format!("{} in {}", NUMBERS[*f], listed(list)),
            Self::Text(f, "==", v) => format!("{} == {v:?}", TEXTS[*f]),
            Self::Text(f, "!=", v) => format!("{} != {v:?}", TEXTS[*f]),
            Self::Text(f, method, v) => format!("{}.{method}({v:?})", TEXTS[*f]),
            Self::TextPair(a, equal, b) => {
                format!(
                    "{} {} {}",
                    TEXTS[*a],
                    if *equal { "==" } else { "!=" },
                    TEXTS[*b]
                )
            }
            Self::TextIn(f, list) => format!("{} in {}", TEXTS[*f], listed(list)),
            Self::Direction(equal, d) => {
                format!(
                    "direction {} {:?}",
                    if *equal { "==" } else { "!=" },
                    DIRECTIONS[*d]
                )
            }
            Self::DirectionIn(list) => {
                let names: Vec<&str> = list.iter().map(|d| DIRECTIONS[*d]).collect();
                format!("direction in {}", listed(&names))
            }
            Self::Normalized => "normalized".to_owned(),
            Self::Constant(value) => value.to_string(),
            Self::AddressIn(f, list) => format!("{} in {}", ADDRESSES[*f], listed(list)),
            Self::AddressIs(f, equal, v) => {
                format!(
                    "{} {} {v:?}",
                    ADDRESSES[*f],
                    if *equal { "==" } else { "!=" }
                )
            }
            Self::Flags(method, flags) => {
                let names: Vec<String> = flags.iter().map(|f| format!("{:?}", FLAGS[*f])).collect();
                format!("tcp_flags.{method}({})", names.join(", "))
            }
            Self::Not(inner) => format!("!({})", inner.text()),
            Self::And(nodes) => joined(nodes, " && "),
            Self::Or(nodes) => joined(nodes, " || "),
        }
    }

    fn holds(&self, sample: &Sample) -> bool {
        let order = |a: u32, o: usize, b: u32| match ORDERS[o] {
            "==" => a == b,
            "!=" => a != b,
            "<" => a < b,
            "<=" => a <= b,
            ">" => a > b,
            _ => a >= b,
        };
        let number = |f: &usize| sample.numbers[*f];
        let text = |f: &usize| sample.texts[*f];
        match self {
            Self::Number(f, o, v) => order(number(f), *o, *v),
            Self::Flipped(v, o, f) => order(*v, *o, number(f)),
            Self::NumberPair(a, o, b) => order(number(a), *o, number(b)),
            Self::NumberIn(f, list) => list.contains(&number(f)),
            Self::Text(f, "==", v) => text(f) == *v,
            Self::Text(f, "!=", v) => text(f) != *v,
            Self::Text(f, "contains", v) => text(f).contains(v),
            Self::Text(f, "startsWith", v) => text(f).starts_with(v),
            Self::Text(f, _, v) => text(f).ends_with(v),
            Self::TextPair(a, equal, b) => (text(a) == text(b)) == *equal,
            Self::TextIn(f, list) => list.contains(&text(f)),
            Self::Direction(equal, d) => (sample.direction == *d) == *equal,
            Self::DirectionIn(list) => list.contains(&sample.direction),
            Self::Normalized => sample.normalized,
            Self::Constant(value) => *value,
            Self::AddressIn(f, list) => sample.addresses[*f].is_some_and(|ip| {
                list.iter().any(|p| match p.parse::<IpNet>() {
                    Ok(net) => net.contains(&ip),
                    Err(_) => p.parse() == Ok(ip),
                })
            }),
            Self::AddressIs(f, equal, v) => {
                (sample.addresses[*f].is_some_and(|ip| v.parse() == Ok(ip))) == *equal
            }
            Self::Flags(method, flags) => {
                let mut set = flags.iter().map(|f| sample.numbers[3] & (1 << f) != 0);
                if *method == "has" {
                    set.all(|s| s)
                } else {
                    set.any(|s| s)
                }
            }
            Self::Not(inner) => !inner.holds(sample),
            Self::And(nodes) => nodes.iter().all(|n| n.holds(sample)),
            Self::Or(nodes) => nodes.iter().any(|n| n.holds(sample)),
        }
    }
}

/// Leaves that are CEL's own.
fn plain_leaf() -> impl Strategy<Value = Node> {
    let word = || prop::sample::select(WORDS.to_vec());
    prop_oneof![
        (0..4usize, 0..6usize, 0u32..5).prop_map(|(f, o, v)| Node::Number(f, o, v)),
        (0u32..5, 0..6usize, 0..4usize).prop_map(|(v, o, f)| Node::Flipped(v, o, f)),
        (0..4usize, 0..6usize, 0..4usize).prop_map(|(a, o, b)| Node::NumberPair(a, o, b)),
        (0..4usize, prop::collection::vec(0u32..12, 1..14)).prop_map(|(f, l)| Node::NumberIn(f, l)),
        (
            0..3usize,
            prop::sample::select(vec!["contains", "startsWith", "endsWith"]),
            prop::sample::select(WORDS[1..].to_vec()),
        )
            .prop_map(|(f, m, v)| Node::Text(f, m, v)),
        (0..3usize, prop::sample::select(vec!["==", "!="]), word())
            .prop_map(|(f, m, v)| Node::Text(f, m, v)),
        (0..3usize, any::<bool>(), 0..3usize).prop_map(|(a, e, b)| Node::TextPair(a, e, b)),
        (0..3usize, prop::collection::vec(word(), 1..14)).prop_map(|(f, l)| Node::TextIn(f, l)),
        (any::<bool>(), 0..3usize).prop_map(|(e, d)| Node::Direction(e, d)),
        prop::collection::vec(0..3usize, 1..4).prop_map(Node::DirectionIn),
        Just(Node::Normalized),
        any::<bool>().prop_map(Node::Constant),
    ]
}

fn leaf() -> impl Strategy<Value = Node> {
    prop_oneof![
        3 => plain_leaf(),
        1 => (0..2usize, prop::collection::vec(prop::sample::select(PREFIXES.to_vec()), 1..14))
            .prop_map(|(f, l)| Node::AddressIn(f, l)),
        1 => (0..2usize, any::<bool>(), prop::sample::select(vec!["10.0.0.1", "2001:db8::1"]))
            .prop_map(|(f, e, v)| Node::AddressIs(f, e, v)),
        1 => (prop::sample::select(vec!["has", "has_any"]), prop::collection::vec(0..3usize, 1..4))
            .prop_map(|(m, l)| Node::Flags(m, l)),
    ]
}

fn tree(leaf: impl Strategy<Value = Node> + 'static) -> impl Strategy<Value = Node> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|n| Node::Not(Box::new(n))),
            prop::collection::vec(inner.clone(), 2..5).prop_map(Node::And),
            prop::collection::vec(inner, 2..5).prop_map(Node::Or),
        ]
    })
}

fn sample() -> impl Strategy<Value = Sample> {
    let address = || {
        prop_oneof![
            Just(None),
            (0u8..8).prop_map(|n| Some(IpAddr::from([10, 0, 0, n]))),
            (0u16..3).prop_map(|n| Some(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]))),
        ]
    };
    let word = || prop::sample::select(WORDS.to_vec());
    (
        [0u32..5, 0u32..5, 0u32..5, 0u32..8],
        [word(), word(), word()],
        [address(), address()],
        0..3usize,
        any::<bool>(),
    )
        .prop_map(
            |(numbers, texts, addresses, direction, normalized)| Sample {
                numbers,
                texts,
                addresses,
                direction,
                normalized,
            },
        )
}

fn interpreted(text: &str, sample: &Sample) -> bool {
    let program = Program::compile(text).expect("the text is CEL");
    match program.execute(&sample.context()) {
        Ok(Value::Bool(value)) => value,
        other => panic!("{text}: {other:?}"),
    }
}

proptest! {
    #[test]
    fn a_filter_decides_like_cels_own_interpreter(
        node in tree(plain_leaf()),
        samples in prop::collection::vec(sample(), 1..6),
    ) {
        let text = node.text();
        let filter = compiled(&text);
        for sample in samples {
            prop_assert_eq!(filter.matches(&sample.flow()), interpreted(&text, &sample), "{}", text);
        }
    }

    #[test]
    fn a_filter_decides_like_the_expression_it_came_from(
        node in tree(leaf()),
        samples in prop::collection::vec(sample(), 1..12),
    ) {
        let text = node.text();
        let filter = compiled(&text);
        for sample in samples {
            prop_assert_eq!(filter.matches(&sample.flow()), node.holds(&sample), "{}", text);
        }
    }

    #[test]
    fn the_order_of_operands_decides_nothing(
        nodes in prop::collection::vec(leaf(), 2..6),
        sample in sample(),
    ) {
        let mut turned = nodes.clone();
        turned.reverse();
        let (one, other) = (compiled(&Node::And(nodes).text()), compiled(&Node::And(turned).text()));
        prop_assert_eq!(one.matches(&sample.flow()), other.matches(&sample.flow()));
        prop_assert_eq!(one.canonical(), other.canonical());
    }

    #[test]
    fn filters_that_share_conditions_decide_as_each_does_alone(
        nodes in prop::collection::vec(leaf(), 1..5),
        picks in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 1..4), 1..6),
        samples in prop::collection::vec(sample(), 1..6),
    ) {
        let of = |picks: &Vec<prop::sample::Index>| {
            let parts = picks.iter().map(|pick| pick.get(&nodes).clone());
            compiled(&Node::And(parts.collect()).text())
        };
        let filters: Vec<_> = picks.iter().map(of).collect();
        let mut shared = SharedFilters::default();
        let places: Vec<_> = filters.iter().map(|filter| shared.add(filter)).collect();
        for sample in samples {
            shared.turn();
            for (filter, place) in filters.iter().zip(&places) {
                prop_assert_eq!(shared.matches(*place, &sample.flow()), filter.matches(&sample.flow()));
            }
        }
    }
}
