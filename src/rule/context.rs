//! What a rule's meaning depends on outside of the rule, and what can be wrong with one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::filter::Filter;
use super::sets::Sets;
use super::silence::Silence;
use crate::flow::{SamplingConfig, SamplingDefault, SamplingMode};
use crate::window::EventTime;

/// The global settings that rules are compiled with.
#[derive(Clone, Debug)]
pub struct RuleContext {
    /// `time.event_time`: decides the default of `late`.
    pub event_time: EventTime,
    /// `sampling`: part of every selection.
    pub sampling: SamplingConfig,
    /// `input.observe`, as a filter: every rule's filter has to hold together with it.
    pub observe: Filter,
    /// `sets`
    pub sets: Sets,
    /// `silences`
    pub silences: Vec<Silence>,
    /// The text of every file that a rule names, under the path that the rule has for it.
    pub files: BTreeMap<PathBuf, String>,
}

impl Default for RuleContext {
    /// What an empty configuration means.
    fn default() -> Self {
        Self {
            event_time: EventTime::Received,
            sampling: SamplingConfig {
                mode: SamplingMode::Auto,
                default: SamplingDefault::Unknown,
                exporters: Vec::new(),
            },
            observe: Filter::default(),
            sets: Sets::new(),
            silences: Vec::new(),
            files: BTreeMap::new(),
        }
    }
}

/// What is wrong with a rule: it cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// The key, from the rule on: `thresholds.bytes.24`.
    pub path: String,
    /// What is wrong, and what would be valid. May have several lines.
    pub message: String,
}

/// What is valid in a rule but probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleWarning {
    /// The key, from the rule on.
    pub path: &'static str,
    /// What happens, and what to do about it.
    pub message: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for RuleError {}

impl fmt::Display for RuleWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Collects errors while values go on being checked, so that one run shows them all.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<RuleError>);

impl Problems {
    /// Notes an error.
    pub(super) fn add(&mut self, path: impl Into<String>, message: impl fmt::Display) {
        self.0.push(RuleError {
            path: path.into(),
            message: message.to_string(),
        });
    }

    /// The value, or `None` with its error noted.
    pub(super) fn take<T, E: fmt::Display>(
        &mut self,
        path: impl Into<String>,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.add(path, error)).ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_errors(self) -> Vec<RuleError> {
        self.0
    }
}
