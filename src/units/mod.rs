//! Numbers with units, as an operator writes them: `60s`, `100MiB`, `1.5Gbps`, `200kpps`, `4M`.
//!
//! In: text. Out: an exact integer in the unit's base, or an error that names the text and what would
//! be valid. A decimal fraction is read as a fraction, never as a float: `1.5Gbps` is exactly
//! 1,500,000,000, and `1.3KiB`, which is no whole number of bytes, is an error. So is what does not
//! fit 64 bits.

mod scalar;
#[cfg(test)]
mod tests;

use std::time::Duration;

use thiserror::Error;

pub use scalar::Scalar;

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnitError {
    /// It does not begin with a decimal number.
    #[error("`{text}` is not a number with a unit, such as {example}")]
    NotANumber {
        /// As written.
        text: String,
        /// A valid value.
        example: &'static str,
    },
    /// It needs a unit and has none.
    #[error("`{text}` has no unit: valid units are {valid}, as in {example}")]
    NoUnit {
        /// As written.
        text: String,
        /// The units.
        valid: String,
        /// A valid value.
        example: &'static str,
    },
    /// Its unit is none of this quantity.
    #[error("`{text}` has the unknown unit `{unit}`{}: valid units are {valid}", hint(.suggestion.as_ref()))]
    UnknownUnit {
        /// As written.
        text: String,
        /// The unit in it.
        unit: String,
        /// The text with the unit that was probably meant.
        suggestion: Option<String>,
        /// The units.
        valid: String,
    },
    /// It has a fraction of the base unit.
    #[error("`{text}` is not a whole number{}", of(.base))]
    NotWhole {
        /// As written.
        text: String,
        /// The base unit.
        base: &'static str,
    },
    /// It does not fit.
    #[error("`{text}` is too large: the maximum is {max}{}", after_space(.base))]
    TooLarge {
        /// As written.
        text: String,
        /// The largest value.
        max: u64,
        /// The base unit.
        base: &'static str,
    },
}

fn hint(suggestion: Option<&String>) -> String {
    suggestion.map_or_else(String::new, |s| format!(", did you mean `{s}`?"))
}

fn of(base: &str) -> String {
    if base.is_empty() {
        String::new()
    } else {
        format!(" of {base}")
    }
}

fn after_space(base: &str) -> String {
    if base.is_empty() {
        String::new()
    } else {
        format!(" {base}")
    }
}

/// A kind of quantity: its units, each with its factor to the base unit.
#[derive(Debug)]
pub struct Quantity {
    /// The base unit, in the plural, for messages; empty for plain counts.
    pub base: &'static str,
    /// A valid value, for messages.
    pub example: &'static str,
    units: &'static [(&'static str, u64)],
    /// Further spellings, not listed in messages.
    aliases: &'static [(&'static str, u64)],
    /// Whether a number without a unit is in the base unit.
    plain: bool,
    max: u64,
}

const K: u64 = 1000;
const M: u64 = 1000 * K;
const G: u64 = 1000 * M;
const T: u64 = 1000 * G;
const P: u64 = 1000 * T;

/// Amounts of data; plain numbers are bytes.
pub const SIZE: Quantity = Quantity {
    base: "bytes",
    example: "100MiB",
    units: &[
        ("B", 1),
        ("kB", K),
        ("MB", M),
        ("GB", G),
        ("TB", T),
        ("PB", P),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("PiB", 1 << 50),
    ],
    aliases: &[("KB", K), ("kiB", 1 << 10)],
    plain: true,
    max: u64::MAX,
};

/// Bits per second, in powers of 1000; plain numbers are bits per second.
pub const BIT_RATE: Quantity = Quantity {
    base: "bit/s",
    example: "1.5Gbps",
    units: &[
        ("bps", 1),
        ("kbps", K),
        ("Mbps", M),
        ("Gbps", G),
        ("Tbps", T),
        ("bit/s", 1),
        ("kbit/s", K),
        ("Mbit/s", M),
        ("Gbit/s", G),
        ("Tbit/s", T),
    ],
    aliases: &[("Kbps", K), ("Kbit/s", K)],
    plain: true,
    max: u64::MAX,
};

/// Packets per second; plain numbers are packets per second.
pub const PACKET_RATE: Quantity = Quantity {
    base: "packets/s",
    example: "200kpps",
    units: &[
        ("pps", 1),
        ("kpps", K),
        ("Mpps", M),
        ("Gpps", G),
        ("packets/s", 1),
    ],
    aliases: &[("Kpps", K), ("k", K), ("M", M), ("G", G)],
    plain: true,
    max: u64::MAX,
};

/// Flows per second; plain numbers are flows per second.
pub const FLOW_RATE: Quantity = Quantity {
    base: "flows/s",
    example: "5kflows/s",
    units: &[("flows/s", 1), ("kflows/s", K), ("Mflows/s", M)],
    aliases: &[("k", K), ("M", M), ("G", G)],
    plain: true,
    max: u64::MAX,
};

/// Plain counts, in powers of 1000.
pub const COUNT: Quantity = Quantity {
    base: "",
    example: "200k",
    units: &[("k", K), ("M", M), ("G", G), ("T", T)],
    aliases: &[("K", K)],
    plain: true,
    max: u64::MAX,
};

/// Times; the base is the millisecond, and a unit is required.
pub const DURATION: Quantity = Quantity {
    base: "milliseconds",
    example: "60s",
    units: &[
        ("ms", 1),
        ("s", 1000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ],
    aliases: &[],
    plain: false,
    max: i64::MAX as u64,
};

impl Quantity {
    /// Reads one number with a unit of this kind. Space between them is allowed.
    pub fn parse(&self, text: &str) -> Result<u64, UnitError> {
        let (number, unit) = self.split(text, text.trim())?;
        self.scale(text, number, unit.trim())
    }

    /// The leading decimal number of `rest`, and what follows it.
    fn split<'a>(&self, text: &str, rest: &'a str) -> Result<(&'a str, &'a str), UnitError> {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, unit) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
            return Err(UnitError::NotANumber {
                text: text.to_owned(),
                example: self.example,
            });
        }
        Ok((number, unit))
    }

    fn scale(&self, text: &str, number: &str, unit: &str) -> Result<u64, UnitError> {
        let factor = self.factor(text, number, unit)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let fraction = fraction.trim_end_matches('0');
        let not_whole = || UnitError::NotWhole {
            text: text.to_owned(),
            base: self.base,
        };
        let too_large = || UnitError::TooLarge {
            text: text.to_owned(),
            max: self.max,
            base: self.base,
        };
        // No factor is divisible by 10^19, so more digits than that cannot give a whole number.
        if fraction.len() > 18 {
            return Err(not_whole());
        }
        let parts = 10u128.pow(fraction.len() as u32);
        let whole: u128 = whole.parse().map_err(|_| too_large())?;
        // The fraction is below 10^18: it always parses, and `""` is 0.
        let fraction: u128 = fraction.parse().unwrap_or(0);
        let scaled = whole
            .checked_mul(parts)
            .and_then(|n| n.checked_add(fraction))
            .and_then(|n| n.checked_mul(u128::from(factor)))
            .ok_or_else(too_large)?;
        if scaled % parts != 0 {
            return Err(not_whole());
        }
        u64::try_from(scaled / parts)
            .ok()
            .filter(|value| *value <= self.max)
            .ok_or_else(too_large)
    }

    fn factor(&self, text: &str, number: &str, unit: &str) -> Result<u64, UnitError> {
        if unit.is_empty() {
            return if self.plain {
                Ok(1)
            } else {
                Err(UnitError::NoUnit {
                    text: text.to_owned(),
                    valid: self.valid_units(),
                    example: self.example,
                })
            };
        }
        let known = self.units.iter().chain(self.aliases);
        if let Some((_, factor)) = known.clone().find(|(name, _)| *name == unit) {
            return Ok(*factor);
        }
        // `mbps` is a slip of the shift key; `Mb` for bytes is not: it means bits to many.
        let suggestion = known
            .filter(|(name, _)| unit.contains('i') || !(unit.ends_with('b') && name.ends_with('B')))
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .map(|(name, _)| format!("{number}{name}"));
        Err(UnitError::UnknownUnit {
            text: text.to_owned(),
            unit: unit.to_owned(),
            suggestion,
            valid: self.valid_units(),
        })
    }

    /// The units, separated by commas.
    pub fn valid_units(&self) -> String {
        let names: Vec<&str> = self.units.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// The value in the largest listed unit that divides it, e.g. `100MiB`; plain if there is none.
    pub fn format(&self, value: u64) -> String {
        let unit = self
            .units
            .iter()
            .filter(|(_, factor)| value.is_multiple_of(*factor) && value >= *factor)
            .max_by_key(|(_, factor)| *factor);
        match unit {
            Some((name, factor)) => format!("{}{name}", value / factor),
            None if self.plain => value.to_string(),
            None => format!("{value}{}", self.units[0].0),
        }
    }
}

/// Reads a duration such as `500ms`, `60s`, `5m`, `1h30m`, `1.5s`; exact to the millisecond.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let too_large = || UnitError::TooLarge {
        text: text.to_owned(),
        max: DURATION.max,
        base: DURATION.base,
    };
    let mut rest = text.trim();
    let mut total = 0u64;
    loop {
        let (number, tail) = DURATION.split(text, rest)?;
        let end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let part = DURATION.scale(text, number, unit.trim())?;
        total = total
            .checked_add(part)
            .filter(|t| *t <= DURATION.max)
            .ok_or_else(too_large)?;
        rest = tail.trim_start();
        if rest.is_empty() {
            return Ok(Duration::from_millis(total));
        }
    }
}

/// Writes a duration with the largest unit that divides it, e.g. `90s`, `5m`. Whole milliseconds.
pub fn format_duration(duration: Duration) -> String {
    DURATION.format(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Reads an amount of data such as `512KiB`, `1GB` or a plain number of bytes.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    SIZE.parse(text)
}

/// Reads a count such as `10000` or `4M`.
pub fn parse_count(text: &str) -> Result<u64, UnitError> {
    COUNT.parse(text)
}
