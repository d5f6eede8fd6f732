//! The structs of the configuration. Durations, sizes and rates are text with a unit (`60s`, `100MiB`);
//! they are parsed when the file is read, so that what these structs hold is valid.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::count::Plan;
use crate::flow::{DirectionDefault, FormatName, SamplingConfig};
use crate::rule::Rule;
use crate::time::Timestamp;
use crate::window::TimeConfig;

use super::error::Warning;

/// The whole configuration, after defaults, environment and secrets.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names topics, groups and transactional ids. 1 to 100 of `[a-zA-Z0-9._-]`.
    pub application_id: String,
    /// Names this process among those of one application; `None` means host name plus a lock-file slot.
    pub instance_id: Option<String>,
    /// Whether a member of a group that is gone keeps its partitions for the session timeout. Default: no.
    pub static_membership: bool,
    /// What is consumed.
    pub input: InputConfig,
    /// Event time and patience.
    pub time: TimeConfig,
    /// Sampling rates.
    pub sampling: SamplingConfig,
    /// How often count commits. Default 1 s, 10 ms to 10 s.
    pub flush_interval: Duration,
    /// What is written.
    pub output: OutputConfig,
    /// Internal topics.
    pub internal: InternalConfig,
    /// Dead letters.
    pub dead_letters: DeadLetterConfig,
    /// Handed to librdkafka, secrets resolved. Keys of the deny-list are refused.
    pub kafka: super::KafkaProperties,
    /// Health and metrics.
    pub http: HttpConfig,
    /// Logs.
    pub telemetry: TelemetryConfig,
    /// Rules, inline and from `rule_files`.
    pub rules: Vec<Rule>,
    /// Named sets that are in files, to be read again. `None`: there is none.
    pub set_files: Option<Arc<super::SetFiles>>,
}

impl Config {
    /// Warnings about silences that have no time left.
    pub(super) fn past_silences(&self, now: Timestamp) -> Vec<Warning> {
        let all = self.rules.iter().flat_map(|rule| &rule.silences);
        let names = all.filter(|s| s.is_past(now)).map(|s| &s.name);
        let warning = |name| Warning {
            path: format!("silences[{name}].until"),
            message: "is past: it silences nothing any more".to_owned(),
        };
        let names: BTreeSet<_> = names.collect();
        names.into_iter().map(warning).collect()
    }

    /// What count is told: by the service and by `replay` alike.
    pub fn count_plan(&self) -> Plan {
        let rules = self.rules.iter().cloned().map(Arc::new);
        self.count_plan_of(rules.collect(), Vec::new())
    }

    /// The same with `rules` that differ in named sets, which `replaced` were before.
    pub fn count_plan_of(&self, rules: Vec<Arc<Rule>>, replaced: Vec<Arc<Rule>>) -> Plan {
        Plan {
            rules,
            replaced,
            time: self.time,
            sampling: self.sampling.clone(),
            format: self.input.format,
            direction_default: self.input.direction_default,
            dead_letters_per_block: self.dead_letters.per_block,
        }
    }
}

/// `input:`
#[derive(Clone, Debug)]
pub struct InputConfig {
    /// Literal topic names, at least one.
    pub topics: Vec<String>,
    /// `auto` (default) or a forced format.
    pub format: FormatName,
    /// Where reading begins when the group has no offset.
    pub start: InputStart,
    /// What to do when records were deleted before they were read.
    pub on_gap: OnGap,
    /// Overrides the format's default for a record that does not say its direction.
    pub direction_default: Option<DirectionDefault>,
}

/// `input.start`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputStart {
    /// Only what arrives from now on.
    Latest,
    /// All that the broker has.
    Earliest,
    /// From this record timestamp on.
    At(crate::time::Timestamp),
    /// From this long before now on.
    Ago(Duration),
}

/// `input.on_gap`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnGap {
    /// Count the gap as lost, say so, go on.
    Continue,
    /// Stop with an error.
    Stop,
}

/// `output:`
#[derive(Clone, Debug)]
pub struct OutputConfig {
    /// Alert and window records: JSON or protobuf. Default JSON.
    pub format: OutputFormat,
    /// Alert topic. Default `<app>-alerts`.
    pub topic: String,
}

/// `output.format`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// `hotprefix.alert.v1` as JSON.
    Json,
    /// `hotprefix.v1.Alert` as protobuf.
    Protobuf,
}

/// `internal:`
#[derive(Clone, Debug)]
pub struct InternalConfig {
    /// Partitions of `<app>-partials` and `<app>-state`. Default 4.
    pub partitions: u32,
    /// Replication factor of topics we create; `None` is the broker's default.
    pub replication_factor: Option<u32>,
}

/// `dead_letters:`
#[derive(Clone, Debug)]
pub struct DeadLetterConfig {
    /// At most this many dead letters per block of 10,000 offsets of a partition. Default 100.
    pub per_block: u32,
}

/// `http:`
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Where `/metrics`, `/livez` and `/readyz` listen. `None` is `off`.
    pub listen: Option<std::net::SocketAddr>,
}

/// `telemetry:`
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// `text` or `json`.
    pub log_json: bool,
    /// A tracing filter, e.g. `info,hotprefix=debug`.
    pub log_filter: String,
    /// The file the configuration came from, for messages.
    pub source: Option<PathBuf>,
}
