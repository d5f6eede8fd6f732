//! The `OTEL_*` variables as text, and what is wrong with them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    /// As variables have it.
    pub(super) const fn upper(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    /// As paths and log lines have it.
    pub(super) const fn lower(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

/// A variable that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadVariable {
    /// Its name.
    pub name: String,
    /// What it says; empty where that is a secret.
    pub value: String,
    /// What would be valid, or what failed.
    pub valid: String,
}

impl fmt::Display for BadVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, valid } = self;
        if value.is_empty() {
            write!(f, "{name}: {valid}")
        } else {
            write!(f, "{name} `{value}`: {valid}")
        }
    }
}

/// Why telemetry is not exported: every variable that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtelErrors(pub Vec<BadVariable>);

impl fmt::Display for OtelErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let line = if at == 0 { "" } else { "\n" };
            write!(f, "{line}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for OtelErrors {}

/// A variable that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) name: String,
    pub(super) value: String,
}

impl Set {
    pub(super) fn bad(&self, valid: impl Into<String>) -> BadVariable {
        BadVariable {
            name: self.name.clone(),
            value: self.value.clone(),
            valid: valid.into(),
        }
    }
}

/// The variables of a process. An empty one counts as not set, as the specification says.
#[derive(Debug, Default)]
pub(super) struct Variables {
    values: BTreeMap<String, String>,
    errors: Vec<BadVariable>,
}

impl Variables {
    pub(super) fn new(env: impl IntoIterator<Item = (String, String)>) -> Self {
        let values = env.into_iter().map(|(k, v)| (k, v.trim().to_owned()));
        Self {
            values: values.filter(|(_, v)| !v.is_empty()).collect(),
            errors: Vec::new(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Set> {
        self.values.get(name).map(|value| Set {
            name: name.to_owned(),
            value: value.clone(),
        })
    }

    /// `OTEL_EXPORTER_OTLP_<SIGNAL>_<WHAT>`, or else `OTEL_EXPORTER_OTLP_<WHAT>`.
    pub(super) fn of(&self, signal: Signal, what: &str) -> Option<Set> {
        self.get(&own_name(signal, what))
            .or_else(|| self.get(&format!("OTEL_EXPORTER_OTLP_{what}")))
    }

    pub(super) fn reject(&mut self, error: BadVariable) {
        // One variable for all signals is looked at once for each.
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// One of some words, whatever its case.
    pub(super) fn word<T: Copy>(&mut self, set: Option<Set>, words: &[(&str, T)]) -> Option<T> {
        let set = set?;
        let found = words
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(&set.value));
        if found.is_none() {
            let valid: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.reject(set.bad(format!("valid is {}", alternatives(&valid))));
        }
        found.map(|(_, meaning)| *meaning)
    }

    pub(super) fn flag(&mut self, set: Option<Set>) -> bool {
        let words = [("true", true), ("false", false)];
        self.word(set, &words).unwrap_or(false)
    }

    pub(super) fn number(&mut self, set: Option<Set>, range: RangeInclusive<u64>) -> Option<u64> {
        let set = set?;
        let number = set.value.parse().ok().filter(|n| range.contains(n));
        if number.is_none() {
            let (from, to) = (range.start(), range.end());
            self.reject(set.bad(format!("valid is a whole number from {from} to {to}")));
        }
        number
    }

    /// A time, which these variables give in milliseconds.
    pub(super) fn time(
        &mut self,
        set: Option<Set>,
        range: RangeInclusive<u64>,
    ) -> Option<Duration> {
        let set = set?;
        let number = set.value.parse().ok().filter(|n| range.contains(n));
        if number.is_none() {
            let (from, to) = (range.start(), range.end());
            self.reject(set.bad(format!(
                "valid is milliseconds, a whole number from {from} to {to}"
            )));
        }
        number.map(Duration::from_millis)
    }

    /// `result`, unless a variable was rejected.
    pub(super) fn finish<T>(self, result: T) -> Result<T, OtelErrors> {
        if self.errors.is_empty() {
            Ok(result)
        } else {
            Err(OtelErrors(self.errors))
        }
    }
}

/// The variable of one signal.
pub(super) fn own_name(signal: Signal, what: &str) -> String {
    format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.upper())
}

/// `a`, `b` or `c`
fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => quoted.concat(),
    }
}
