//! From what was written to what is valid: bounds, names and whatever a type cannot say.

use std::net::SocketAddr;
use std::time::Duration;

use super::KafkaProperties;
use super::env;
use super::error::{Issues, closest};
use super::file::{
    ExporterSection, FileConfig, InputSection, LISTEN, RATE, START, SamplingSection, TimeSection,
};
use super::layer::{Tree, shortened};
use super::model::{
    DeadLetterConfig, HttpConfig, InputConfig, InputStart, InternalConfig, OnGap, OutputConfig,
    OutputFormat, TelemetryConfig,
};
use super::shape::join;
use super::words::{
    DirectionText, DurationText, EventTimeText, FormatText, LogFormatText, MembershipText,
    OnGapText, OutputFormatText, SamplingModeText,
};
use crate::flow::{
    DirectionDefault, ExporterSampling, FormatName, SamplingConfig, SamplingDefault, SamplingMode,
};
use crate::net::Prefix;
use crate::rule::parse_prefix;
use crate::time::Timestamp;
use crate::units::{format_duration, parse_duration};
use crate::window::{EventTime, TimeConfig};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Checks the sections one by one. Where a value is wrong, the error is kept and a valid value stands
/// in for it, so that the rest is still checked.
pub(super) struct Checker<'a> {
    pub(super) tree: &'a Tree,
    pub(super) issues: &'a mut Issues,
}

impl Checker<'_> {
    /// An error at `path`, whose parts are separated by dots.
    pub(super) fn error(&mut self, path: &str, problem: impl Into<String>) {
        let keys: Vec<&str> = path.split(['.', '[']).collect();
        self.issues.error(self.tree.origin(&keys), path, problem);
    }

    fn duration(
        &mut self,
        path: &str,
        text: &DurationText,
        low: Duration,
        high: Duration,
    ) -> Duration {
        let problem = match parse_duration(&text.0) {
            Ok(d) if (low..=high).contains(&d) => return d,
            Ok(d) if d < low => format!("is {}, below {}", text.0, format_duration(low)),
            Ok(_) => format!("is {}, above {}", text.0, format_duration(high)),
            Err(error) => error.to_string(),
        };
        let valid = format!(
            "valid is {} to {}",
            format_duration(low),
            format_duration(high)
        );
        self.error(path, format!("{problem}; {valid}"));
        low
    }

    /// A name that becomes part of topics, groups and ids.
    pub(super) fn name(&mut self, path: &str, name: &str) {
        let valid_chars = name.chars().all(is_topic_char);
        if name.is_empty() || name.len() > 100 || !valid_chars {
            self.error(
                path,
                format!(
                    "is `{}`; valid is 1 to 100 of `a-z A-Z 0-9 . _ -`",
                    shortened(name)
                ),
            );
        }
    }

    /// A topic's literal name.
    fn topic(&mut self, path: &str, topic: &str) {
        let problem = if topic.starts_with('^') {
            "is a regular expression, but the topics must be known by name: a topic that appears by itself would change which sources a window waits for"
        } else if topic.is_empty() || topic.len() > 249 || !topic.chars().all(is_topic_char) {
            "is no topic name"
        } else if topic == "." || topic == ".." {
            "is no topic name for Kafka"
        } else {
            return;
        };
        self.error(
            path,
            format!(
                "`{}` {problem}; valid is 1 to 249 of `a-z A-Z 0-9 . _ -`",
                shortened(topic)
            ),
        );
    }

    pub(super) fn flush_interval(&mut self, text: &DurationText) -> Duration {
        self.duration(
            "flush_interval",
            text,
            Duration::from_millis(10),
            10 * SECOND,
        )
    }

    pub(super) fn input(&mut self, section: &InputSection) -> InputConfig {
        if section.topics.is_empty() {
            self.error(
                "input.topics",
                "is empty; valid is a list of at least one topic name",
            );
        }
        for (i, topic) in section.topics.iter().enumerate() {
            self.topic(&format!("input.topics[{i}]"), topic);
            if section.topics[..i].contains(topic) {
                self.error(
                    &format!("input.topics[{i}]"),
                    format!(
                        "names `{}` a second time; valid is each topic once",
                        shortened(topic)
                    ),
                );
            }
        }
        InputConfig {
            topics: section.topics.clone(),
            format: match section.format {
                FormatText::Auto => FormatName::Auto,
                FormatText::Protobuf => FormatName::Protobuf,
                FormatText::Json => FormatName::Json,
            },
            start: self.start(&section.start),
            on_gap: match section.on_gap {
                OnGapText::Continue => OnGap::Continue,
                OnGapText::Stop => OnGap::Stop,
            },
            direction_default: section.direction_default.map(|d| match d {
                DirectionText::Ingress => DirectionDefault::Ingress,
                DirectionText::Egress => DirectionDefault::Egress,
                DirectionText::Unknown => DirectionDefault::Unknown,
            }),
        }
    }

    fn start(&mut self, text: &str) -> InputStart {
        let problem = match text {
            "latest" => return InputStart::Latest,
            "earliest" => return InputStart::Earliest,
            _ => match text.strip_prefix('-').map(parse_duration) {
                Some(Ok(ago)) => return InputStart::Ago(ago),
                Some(Err(error)) => format!("is `{}`: {error}", shortened(text)),
                None => match text.parse::<jiff::Timestamp>() {
                    Ok(time) => {
                        return InputStart::At(Timestamp::from_millis(time.as_millisecond()));
                    }
                    Err(_) => format!("is `{}`", shortened(text)),
                },
            },
        };
        let hint = match closest(text, ["latest", "earliest"]) {
            Some(word) => format!(" (did you mean `{word}`?)"),
            None if parse_duration(text).is_ok() => format!(" (did you mean `-{text}`?)"),
            None => String::new(),
        };
        self.error("input.start", format!("{problem}{hint}; valid is {START}"));
        InputStart::Latest
    }

    pub(super) fn time(&mut self, section: &TimeSection) -> TimeConfig {
        TimeConfig {
            event_time: match section.event_time {
                EventTimeText::Received => EventTime::Received,
                EventTimeText::End => EventTime::End,
                EventTimeText::Start => EventTime::Start,
            },
            max_ahead: self.duration("time.max_ahead", &section.max_ahead, SECOND, DAY),
            max_behind: if section.max_behind.0 == "never" {
                None
            } else {
                Some(self.max_behind(&section.max_behind))
            },
            idle_timeout: self.duration("time.idle_timeout", &section.idle_timeout, SECOND, HOUR),
            max_wait: self.duration("time.max_wait", &section.max_wait, SECOND, HOUR),
            max_flow_duration: self.duration(
                "time.max_flow_duration",
                &section.max_flow_duration,
                SECOND,
                DAY,
            ),
        }
    }

    fn max_behind(&mut self, text: &DurationText) -> Duration {
        if let Some(word) = closest(&text.0, ["never"]) {
            self.error(
                "time.max_behind",
                format!(
                    "is `{}` (did you mean `{word}`?); valid is 1s to 30d, or `never`",
                    shortened(&text.0)
                ),
            );
            return SECOND;
        }
        self.duration("time.max_behind", text, SECOND, 30 * DAY)
    }

    pub(super) fn sampling(&mut self, section: &SamplingSection) -> SamplingConfig {
        let mut exporters: Vec<(Prefix, ExporterSampling)> = Vec::new();
        for (key, entry) in &section.exporters {
            let path = join("sampling.exporters", key);
            match parse_prefix(key) {
                Ok(prefix) if exporters.iter().any(|(p, _)| *p == prefix) => {
                    self.exporter_error(
                        key,
                        &path,
                        format!("is {prefix}, which another key says too"),
                    );
                }
                Ok(prefix) => exporters.push((prefix, self.exporter(key, &path, entry))),
                Err(problem) => self.exporter_error(key, &path, problem),
            }
        }
        exporters.sort_by_key(|(prefix, _)| *prefix);
        let default = sampling_default(section.default.as_str()).unwrap_or_else(|problem| {
            self.error("sampling.default", problem);
            SamplingDefault::Unknown
        });
        SamplingConfig {
            mode: match section.mode {
                SamplingModeText::Auto => SamplingMode::Auto,
                SamplingModeText::Never => SamplingMode::Never,
                SamplingModeText::Always => SamplingMode::Always,
            },
            default,
            exporters,
        }
    }

    fn exporter(&mut self, key: &str, path: &str, entry: &ExporterSection) -> ExporterSampling {
        let default = entry.default.as_ref().and_then(|text| {
            sampling_default(text.as_str())
                .map_err(|problem| self.exporter_error(key, &join(path, "default"), problem))
                .ok()
        });
        if entry.default.is_none() && entry.r#override.is_none() {
            self.exporter_error(
                key,
                path,
                "says nothing; valid is `default`, `override` or both",
            );
        }
        ExporterSampling {
            default,
            r#override: entry.r#override,
        }
    }

    fn exporter_error(&mut self, key: &str, path: &str, problem: impl Into<String>) {
        let origin = self.tree.origin(&["sampling", "exporters", key]);
        self.issues.error(origin, path, problem);
    }

    /// Whether members are static, which the newer group protocol must not have: there the broker refuses a
    /// restarted instance as long as it believes in the dead one.
    pub(super) fn membership(&mut self, file: &FileConfig, kafka: &KafkaProperties) -> bool {
        let consumer = kafka
            .get("group.protocol")
            .is_some_and(|p| p.eq_ignore_ascii_case("consumer"));
        let is_static = file.membership == MembershipText::Static;
        if is_static && consumer {
            self.error(
                "membership",
                "is `static`, which needs `group.protocol: classic`: under `consumer` the broker keeps a restarted instance out until the session of the dead one ends".to_owned(),
            );
        }
        is_static
    }

    /// Output and the names of all topics, which must differ from one another.
    pub(super) fn output(&mut self, file: &FileConfig) -> OutputConfig {
        let app = &file.application_id;
        let topic = file
            .output
            .topic
            .clone()
            .unwrap_or_else(|| format!("{app}-alerts"));
        if file.output.topic.is_some() {
            self.topic("output.topic", &topic);
        }
        let internal = ["partials", "state", "active", "windows", "dead-letters"]
            .map(|t| format!("{app}-{t}"));
        if internal.contains(&topic) {
            self.error(
                "output.topic",
                format!("`{topic}` is one of hotprefix's own topics; valid is any other name"),
            );
        }
        for (i, input) in file.input.topics.iter().enumerate() {
            if internal.contains(input) || *input == topic {
                self.error(&format!("input.topics[{i}]"), format!("`{input}` is written by hotprefix itself (application_id `{app}`); valid is a topic of flows"));
            }
        }
        OutputConfig {
            format: match file.output.format {
                OutputFormatText::Json => OutputFormat::Json,
                OutputFormatText::Protobuf => OutputFormat::Protobuf,
            },
            topic,
        }
    }

    pub(super) fn http(&mut self, listen: &str) -> HttpConfig {
        let listen = match listen {
            "off" => None,
            text => {
                let address = text.parse::<SocketAddr>();
                if address.is_err() {
                    self.error(
                        "http.listen",
                        format!("is `{}`; valid is {LISTEN}", shortened(text)),
                    );
                }
                address.ok()
            }
        };
        HttpConfig { listen }
    }

    pub(super) fn telemetry(&mut self, file: &FileConfig) -> TelemetryConfig {
        let log = &file.telemetry.log;
        if let Err(error) = log.filter.parse::<tracing_subscriber::filter::Targets>() {
            self.error("telemetry.log.filter", format!("is `{}`: {error}; valid is a level (`error`, `warn`, `info`, `debug`, `trace`, `off`) and levels by module, such as `info,hotprefix::kafka=debug`", shortened(&log.filter)));
        }
        TelemetryConfig {
            log_json: log.format == LogFormatText::Json,
            log_filter: log.filter.clone(),
            source: self.tree.files.first().cloned(),
        }
    }
}

/// The settings that the schema's bounds check alone.
pub(super) fn counts(file: &FileConfig) -> (InternalConfig, DeadLetterConfig) {
    (
        InternalConfig {
            partitions: file.internal.partitions,
            replication_factor: file.internal.replication_factor,
        },
        DeadLetterConfig {
            per_block: file.dead_letters.per_block,
        },
    )
}

const fn is_topic_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

fn sampling_default(text: &str) -> Result<SamplingDefault, String> {
    match text {
        "unknown" => Ok(SamplingDefault::Unknown),
        "reject" => Ok(SamplingDefault::Reject),
        _ => match text.parse::<u32>() {
            Ok(rate) if rate > 0 => Ok(SamplingDefault::Rate(rate)),
            _ => {
                let hint = closest(text, ["unknown", "reject"])
                    .map_or_else(String::new, |w| format!(" (did you mean `{w}`?)"));
                Err(format!("is `{}`{hint}; valid is {RATE}", shortened(text)))
            }
        },
    }
}

/// Says how to begin.
pub(super) fn no_rules(file: &FileConfig, tree: &Tree, issues: &mut Issues) {
    let topic = file.input.topics.first().map_or("NAME", String::as_str);
    issues.error(
        tree.origin(&["rules"]),
        "rules",
        format!(
            "is empty, so nothing would be counted; valid is at least one rule, here, in files named by `rule_files: [rules/*.yaml]`, or in {}RULE_FILES. `hotprefix inspect --topic {topic}` writes some that fit the topic. To begin by hand:\n\
             \x20 rules:\n\
             \x20   - name: volume\n\
             \x20     filter: 'direction != \"egress\"'\n\
             \x20     thresholds: {{bits_per_second: 1Gbps}}",
            env::PREFIX
        ),
    );
}
