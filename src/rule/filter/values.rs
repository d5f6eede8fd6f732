//! Constants in a filter, read as values of the field that they are compared with.

use super::fields::{Kind, Number};
use super::names;
use crate::flow::Field;
use crate::net::{Addr, Prefix};
use crate::rule::prefixes::{parse_addr, parse_prefix};

/// A constant, as written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'e> {
    Int(i128),
    Text(&'e str),
    Bool(bool),
    /// An item of a named set, where numbers and text look alike.
    Item(&'e str),
}

impl Value<'_> {
    fn show(&self) -> String {
        match self {
            Self::Int(number) => number.to_string(),
            Self::Text(text) => format!("{text:?}"),
            Self::Bool(value) => value.to_string(),
            Self::Item(text) => format!("`{text}`"),
        }
    }
}

/// A value of a number field: a number, or one of its names.
pub(super) fn number(number: Number, value: Value<'_>) -> Result<u64, String> {
    let name = number.field.name();
    let written = match value {
        Value::Int(int) => int,
        Value::Item(text) if text.parse::<i128>().is_ok() => text.parse().unwrap_or_default(),
        Value::Text(text) | Value::Item(text) => return named(number, text),
        Value::Bool(_) => {
            return Err(format!("{name} is a number, not {}", value.show()));
        }
    };
    u64::try_from(written)
        .ok()
        .filter(|n| *n <= number.max)
        .ok_or_else(|| format!("{name} is between 0 and {}, never {written}", number.max))
}

fn named(number: Number, text: &str) -> Result<u64, String> {
    let name = number.field.name();
    if number.field == Field::TcpFlags {
        return flags(text);
    }
    if number.names.is_empty() {
        return Err(if text.parse::<u64>().is_ok() {
            format!("{name} is a number: write {text} without quotes")
        } else {
            format!("{name} is a number, not \"{text}\"")
        });
    }
    names::find(number.names, text).ok_or_else(|| {
        format!(
            "{name} has no value named \"{text}\": {}; or a number",
            names::valid(number.names, text)
        )
    })
}

/// TCP flags by name: `SYN`, or several, as in `SYN|ACK`.
pub(super) fn flags(text: &str) -> Result<u64, String> {
    text.split('|').try_fold(0, |bits, flag| {
        let flag = flag.trim();
        names::find(names::TCP_FLAGS, flag)
            .map(|bit| bits | bit)
            .ok_or_else(|| {
                format!(
                    "\"{flag}\" is no TCP flag: {}",
                    names::valid(names::TCP_FLAGS, flag)
                )
            })
    })
}

/// A value of a text field.
pub(super) fn text(field: &str, value: Value<'_>) -> Result<Box<[u8]>, String> {
    match value {
        Value::Text(text) | Value::Item(text) => Ok(text.as_bytes().into()),
        Value::Int(int) => Err(format!("{field} is text: write \"{int}\" in quotes")),
        Value::Bool(value) => Err(format!("{field} is text, not {value}")),
    }
}

/// One address.
pub(super) fn address(field: &str, value: Value<'_>) -> Result<Addr, String> {
    match value {
        Value::Text(text) | Value::Item(text) => match parse_prefix(text) {
            Ok(_) if text.contains('/') => Err(format!(
                "\"{text}\" is a prefix: write {field} in \"{text}\""
            )),
            Ok(_) => parse_addr(text.trim()),
            Err(message) => Err(message),
        },
        other => Err(format!(
            "{field} is an address, not {}: write it as text, such as \"192.0.2.1\"",
            other.show()
        )),
    }
}

/// One prefix, or an address as a prefix of full length.
pub(super) fn prefix(field: &str, value: Value<'_>) -> Result<Prefix, String> {
    match value {
        Value::Text(text) | Value::Item(text) => parse_prefix(text),
        other => Err(format!(
            "{field} is an address, not {}: write a prefix as text, such as \"10.0.0.0/8\"",
            other.show()
        )),
    }
}

/// The mask bit of a direction.
pub(super) fn direction(value: Value<'_>) -> Result<u8, String> {
    match value {
        Value::Text(text) | Value::Item(text) => names::find(names::DIRECTION, text)
            .map(|bit| bit as u8)
            .ok_or_else(|| {
                format!(
                    "direction is never \"{text}\": {}",
                    names::valid(names::DIRECTION, text)
                )
            }),
        other => Err(format!(
            "direction is a name, not {}: write \"ingress\", \"egress\" or \"unknown\"",
            other.show()
        )),
    }
}

/// True or false.
pub(super) fn boolean(kind: Kind, value: Value<'_>) -> Result<bool, String> {
    match value {
        Value::Bool(value) => Ok(value),
        other => Err(format!(
            "normalized is {}, not {}",
            kind.describe(),
            other.show()
        )),
    }
}
