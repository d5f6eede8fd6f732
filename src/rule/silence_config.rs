//! Silences as they are configured, and their checks.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::{Problems, RuleError};
use super::prefixes::{PrefixSet, parse_prefix};
use super::silence::{Silence, Times, WEEK, Weekly};
use super::words::{check_word, labels};
use crate::time::Timestamp;
use crate::units::{Scalar, format_duration, parse_duration};

/// What a time may be, for messages.
const TIME: &str = "a time such as 2026-12-05T22:00:00Z, or 2026-12-05T22:00 in the silence's zone";

/// One of `silences:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceConfig {
    /// Unique name: 1 to 100 of letters, digits, `.`, `_`, `-`. Copied into the alerts that it silences.
    #[schemars(regex(pattern = r"^[a-zA-Z0-9._-]{1,100}$"))]
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Names of rules. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Alerts on these prefixes and on those inside. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// Alerts with all of these labels: the target's, or where it has no such label, the rule's. Default: all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, Scalar>,
    /// Windows that start at or after this. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(title = TIME)]
    pub from: Option<Scalar>,
    /// Windows that start before this. Needed where there is no `weekly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(title = TIME)]
    pub until: Option<Scalar>,
    /// Windows that start within one of these. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekly: Vec<WeeklyConfig>,
    /// The zone of times without one, such as `Europe/Berlin`. Default `UTC`.
    #[serde(default = "utc")]
    pub zone: String,
    /// Whether alerts that are open when it begins end. Default false: they go on as they are.
    #[serde(default)]
    pub end: bool,
}

/// One of `weekly:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeeklyConfig {
    /// Days on which it begins. Default: all.
    #[serde(default = "every_day")]
    pub days: Vec<Day>,
    /// The time of day at which it begins, such as `22:00`.
    pub at: Scalar,
    /// How long it lasts, 1m to 7d.
    pub r#for: Scalar,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn every_day() -> Vec<Day> {
    use Day::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
    vec![Mon, Tue, Wed, Thu, Fri, Sat, Sun]
}

impl Day {
    const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

impl SilenceConfig {
    /// Checks and compiles it. All problems are reported, each with the path of its key.
    pub fn compile(&self) -> Result<Silence, Vec<RuleError>> {
        let mut problems = Problems::default();
        problems.take("name", check_word(&self.name, 100));
        let prefixes: Vec<_> = self.prefixes.iter().enumerate().collect();
        let prefixes = prefixes.into_iter().filter_map(|(i, prefix)| {
            problems.take(format!("prefixes[{i}]"), parse_prefix(prefix))
        });
        let prefixes: Vec<_> = prefixes.collect();
        let labels = labels("labels", &self.labels, &mut problems);
        let times = self.times(&mut problems);
        match (labels, times) {
            (Some(labels), Some(times)) if problems.is_empty() => Ok(Silence {
                name: Arc::from(self.name.as_str()),
                ends: self.end,
                rules: self.rules.clone(),
                prefixes: (!prefixes.is_empty()).then(|| PrefixSet::new(prefixes)),
                labels,
                times,
            }),
            _ => Err(problems.into_errors()),
        }
    }

    fn times(&self, problems: &mut Problems) -> Option<Times> {
        // What the zone of the machine says is nobody's: a replay elsewhere has to decide the same.
        let zone = TimeZoneDatabase::bundled().get(&self.zone).map_err(|_| {
            format!(
                "`{}` is not a zone of the IANA database, such as UTC or Europe/Berlin",
                self.zone
            )
        });
        let zone = problems.take("zone", zone)?;
        let mut time = |key: &str, text: &Option<Scalar>, otherwise| match text {
            None => Some(otherwise),
            Some(text) => problems.take(key, instant(text.as_str(), &zone)),
        };
        let from = time("from", &self.from, Timestamp::MIN);
        let until = time("until", &self.until, Timestamp::MAX);
        if self.until.is_none() && self.weekly.is_empty() {
            problems.add(
                "until",
                "is missing, so it would be for ever; valid is a time, or a `weekly` schedule (for what shall never alert there are overrides with `never`)",
            );
        }
        let (from, until) = (from?, until?);
        if until <= from {
            problems.add("until", "is not after `from`, so it would never hold");
        }
        let weekly: Vec<_> = self.weekly.iter().enumerate().collect();
        let weekly = weekly
            .into_iter()
            .map(|(i, weekly)| weekly.compile(i, problems));
        Some(Times {
            from,
            until,
            weekly: weekly.collect::<Option<_>>()?,
            zone,
        })
    }
}

impl WeeklyConfig {
    fn compile(&self, index: usize, problems: &mut Problems) -> Option<Weekly> {
        let path = |key: &str| format!("weekly[{index}].{key}");
        if self.days.is_empty() {
            problems.add(
                path("days"),
                "is empty; valid is at least one of mon to sun",
            );
        }
        let at: Result<Time, String> = self
            .at
            .as_str()
            .parse()
            .map_err(|_| format!("`{}` is not a time of day, such as 22:00", self.at));
        let at = problems.take(path("at"), at);
        let minute = std::time::Duration::from_mins(1);
        let length = problems.take(path("for"), parse_duration(self.r#for.as_str()));
        if let Some(length) = length.filter(|length| !(minute..=WEEK).contains(length)) {
            let length = format_duration(length);
            problems.add(path("for"), format!("{length} is not within 1m to 7d"));
        }
        Some(Weekly {
            days: self.days.iter().map(|day| day.weekday()).collect(),
            at: at?,
            length: length?,
        })
    }
}

/// An instant with its offset, or one of `zone`.
fn instant(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let with_offset = text.parse::<jiff::Timestamp>().ok();
    let local = || {
        let local = text.parse::<DateTime>().ok()?;
        let local = zone.to_ambiguous_zoned(local).compatible().ok()?;
        Some(local.timestamp())
    };
    let time = with_offset.or_else(local);
    let time = time.map(|time| Timestamp::from_millis(time.as_millisecond()));
    time.ok_or_else(|| format!("`{text}` is not {TIME}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::rule) fn config(yaml: &str) -> SilenceConfig {
        serde_norway::from_str(yaml).unwrap()
    }

    pub(in crate::rule) fn compiled(config: &SilenceConfig) -> Silence {
        config.compile().unwrap()
    }

    fn problems(yaml: &str) -> Vec<String> {
        let errors = config(yaml).compile().unwrap_err();
        errors.iter().map(RuleError::to_string).collect()
    }

    #[test]
    fn times_without_an_offset_are_of_the_zone() {
        let zone = TimeZoneDatabase::bundled().get("Europe/Berlin").unwrap();
        let in_berlin = |text| instant(text, &zone).unwrap();
        assert_eq!(
            in_berlin("2026-12-05T22:00"),
            in_berlin("2026-12-05T21:00:00Z")
        );
        assert_eq!(
            in_berlin("2026-12-05 22:00"),
            in_berlin("2026-12-05T22:00:00+01:00")
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_valid() {
        assert_eq!(
            problems(
                "{name: 'a b', prefixes: [203.0.113.1/24], labels: {'0': x}, from: tomorrow, \
                 weekly: [{days: [], at: '25:00', for: 8d}], zone: UTC}"
            ),
            [
                "name: `a b` is not valid: 1 to 100 of letters, digits, `.`, `_`, `-`",
                "prefixes[0]: `203.0.113.1/24` has bits set after its length: the prefix is 203.0.113.0/24",
                "labels.0: `0` is not a label name: a letter or _, then letters, digits, _ . -, at most 100",
                "from: `tomorrow` is not a time such as 2026-12-05T22:00:00Z, or 2026-12-05T22:00 in the silence's zone",
            ]
        );
        assert_eq!(
            problems("{name: s, weekly: [{days: [], at: '25:00', for: 8d}]}"),
            [
                "weekly[0].days: is empty; valid is at least one of mon to sun",
                "weekly[0].at: `25:00` is not a time of day, such as 22:00",
                "weekly[0].for: 8d is not within 1m to 7d",
            ]
        );
        assert_eq!(
            problems("{name: s, zone: Europe/Bonn, until: 2026-12-05T22:00}"),
            [
                "zone: `Europe/Bonn` is not a zone of the IANA database, such as UTC or Europe/Berlin"
            ]
        );
        let [endless] = &problems("{name: s}")[..] else {
            panic!("one problem");
        };
        assert!(endless.starts_with("until: is missing, so it would be for ever"));
        assert_eq!(
            problems("{name: s, from: 2026-12-05T22:00, until: 2026-12-05T22:00}"),
            ["until: is not after `from`, so it would never hold"]
        );
    }
}
