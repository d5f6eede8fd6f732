//! When alerts are written and not active: maintenance, and noise that is known. Pure.
//!
//! A silence holds for whole windows: those that start within its times. So a replay, which has the same
//! windows, is silent about the same alerts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan, Zoned};

use crate::net::Prefix;
use crate::rule::PrefixSet;
use crate::time::{Timestamp, millis};

/// The longest that one occurrence of a weekly schedule lasts.
pub(super) const WEEK: Duration = Duration::from_hours(7 * 24);

/// One of `silences:`, checked.
#[derive(Clone, Debug)]
pub struct Silence {
    /// Unique name, copied into the alerts that it silences.
    pub name: Arc<str>,
    /// Whether it ends alerts that are open when it begins.
    pub ends: bool,
    /// Names of rules. Empty: all.
    pub(super) rules: Vec<String>,
    /// Alerts on these prefixes and those inside. `None`: all.
    pub(super) prefixes: Option<PrefixSet>,
    /// Alerts with all of these labels. Empty: all.
    pub(super) labels: BTreeMap<String, String>,
    pub(super) times: Times,
}

/// When a silence holds: between two instants, and of those, where there is a schedule, within it.
#[derive(Clone, Debug)]
pub(super) struct Times {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    /// Empty: all the time.
    pub(super) weekly: Vec<Weekly>,
    pub(super) zone: TimeZone,
}

/// From a time of day on, on some days of the week, for so long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Weekly {
    pub(super) days: Vec<Weekday>,
    pub(super) at: Time,
    /// At most a week.
    pub(super) length: Duration,
}

impl Silence {
    /// Whether it is about alerts of this rule.
    pub fn is_about(&self, rule: &str) -> bool {
        self.rules.is_empty() || self.rules.iter().any(|name| name == rule)
    }

    /// Whether it holds for a window that starts then.
    pub fn holds_at(&self, start: Timestamp) -> bool {
        self.times.hold_at(start)
    }

    /// Whether it has no time left after `now`.
    pub fn is_past(&self, now: Timestamp) -> bool {
        self.times.until <= now
    }

    /// Whether it asks for labels.
    pub fn has_labels(&self) -> bool {
        !self.labels.is_empty()
    }

    /// Whether it is about an alert on `prefix` with labels as `label` has them.
    pub fn covers<'a>(&self, prefix: Prefix, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        let inside = |set: &PrefixSet| set.covers(prefix);
        let mut labels = self.labels.iter();
        self.prefixes.as_ref().is_none_or(inside)
            && labels.all(|(key, value)| label(key) == Some(value.as_str()))
    }

    /// Everything that it says, for a fingerprint.
    pub(super) fn canonical(&self) -> String {
        let Self {
            name,
            ends,
            rules: _,
            prefixes,
            labels,
            times:
                Times {
                    from,
                    until,
                    weekly,
                    zone,
                },
        } = self;
        let joined = |words: Vec<String>| words.join(",");
        let prefixes = prefixes.as_ref().map_or_else(
            || "all".to_owned(),
            |set| joined(set.prefixes().iter().map(Prefix::to_string).collect()),
        );
        let labels = labels
            .iter()
            .map(|(key, value)| format!("{}={}", key.escape_default(), value.escape_default()));
        let weekly = weekly.iter().map(Weekly::canonical);
        format!(
            "{name} {ends} {prefixes} [{}] {} {} [{}] {}",
            joined(labels.collect()),
            from.as_millis(),
            until.as_millis(),
            joined(weekly.collect()),
            zone.iana_name().unwrap_or("UTC"),
        )
    }
}

impl Weekly {
    fn canonical(&self) -> String {
        let mut days = self.days.clone();
        days.sort_by_key(|day| day.to_monday_one_offset());
        let days = days
            .iter()
            .map(|day| day.to_monday_one_offset().to_string());
        let (hour, minute, second) = (self.at.hour(), self.at.minute(), self.at.second());
        let length = self.length.as_millis();
        let days = days.collect::<Vec<_>>().join("+");
        format!("{days} {hour}:{minute}:{second} {length}")
    }
}

impl Times {
    fn hold_at(&self, at: Timestamp) -> bool {
        if at < self.from || at >= self.until {
            return false;
        }
        self.weekly.is_empty() || {
            let local = jiff::Timestamp::from_millisecond(at.as_millis());
            // Beyond the year 9999 there is no calendar.
            local.is_ok_and(|local| {
                let local = local.to_zoned(self.zone.clone());
                self.weekly.iter().any(|weekly| weekly.holds_at(&local))
            })
        }
    }
}

impl Weekly {
    /// By the instants at which it begins: a night in which clocks change is as long as any other.
    fn holds_at(&self, local: &Zoned) -> bool {
        let days_back = self.length.as_secs().div_ceil(24 * 3600) as i64;
        // One day more: the offset may have changed since.
        (0..=days_back + 1).any(|back| {
            let days: Span = back.days();
            let Ok(day) = local.date().checked_sub(days) else {
                return false;
            };
            let began = day.to_datetime(self.at);
            let began = local.time_zone().to_ambiguous_zoned(began).compatible();
            began.is_ok_and(|began| {
                let since = local.timestamp().as_millisecond() - began.timestamp().as_millisecond();
                self.days.contains(&day.weekday()) && (0..millis(self.length)).contains(&since)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rule::silence_config::tests::{compiled, config};

    fn at(text: &str) -> Timestamp {
        let time: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_millis(time.as_millisecond())
    }

    fn holds(yaml: &str, time: &str) -> bool {
        compiled(&config(yaml)).holds_at(at(time))
    }

    #[test]
    fn a_range_holds_from_its_first_instant_until_before_its_last() {
        let range = "{name: s, from: 2026-12-05T22:00:00Z, until: 2026-12-06T04:00:00+01:00}";
        assert!(!holds(range, "2026-12-05T21:59:59.999Z"));
        assert!(holds(range, "2026-12-05T22:00:00Z"));
        assert!(holds(range, "2026-12-06T02:59:59.999Z"));
        assert!(!holds(range, "2026-12-06T03:00:00Z"));
    }

    #[test]
    fn a_weekly_schedule_holds_past_midnight_and_in_local_time() {
        let nights =
            "{name: s, zone: Europe/Berlin, weekly: [{days: [sat], at: '23:30', for: 2h}]}";
        // A Saturday in winter, an hour ahead of UTC, and one in summer, two hours.
        assert!(!holds(nights, "2026-12-05T22:29:59Z"));
        assert!(holds(nights, "2026-12-05T22:30:00Z"));
        assert!(holds(nights, "2026-12-06T00:29:59Z"));
        assert!(!holds(nights, "2026-12-06T00:30:00Z"));
        assert!(!holds(nights, "2026-12-06T22:30:00Z"), "a Sunday");
        assert!(holds(nights, "2026-07-04T21:30:00Z"));
        assert!(!holds(nights, "2026-07-04T23:30:00Z"));
    }

    #[test]
    fn a_night_in_which_clocks_change_is_as_long_as_others() {
        let night = "{name: s, zone: Europe/Berlin, weekly: [{at: '02:30', for: 1h}]}";
        // On 29 March 2026 there is no 02:30: it begins at 03:30 summer time.
        assert!(!holds(night, "2026-03-29T01:29:59Z"));
        assert!(holds(night, "2026-03-29T01:30:00Z"));
        assert!(!holds(night, "2026-03-29T02:30:00Z"));
        // On 25 October there are two: it is the first.
        assert!(holds(night, "2026-10-25T00:30:00Z"));
        assert!(!holds(night, "2026-10-25T01:30:00Z"));
    }

    #[test]
    fn a_schedule_holds_within_its_range_alone() {
        let december = "{name: s, from: 2026-12-01T00:00:00Z, until: 2027-01-01T00:00:00Z, \
                        weekly: [{at: '00:00', for: 1h}]}";
        assert!(!holds(december, "2026-11-30T00:30:00Z"));
        assert!(holds(december, "2026-12-01T00:30:00Z"));
        assert!(!holds(december, "2026-12-01T01:30:00Z"));
        assert!(!holds(december, "2027-01-01T00:30:00Z"));
    }

    proptest! {
        /// A week of minutes, against the same said in another way.
        #[test]
        fn weekly_is_what_the_minutes_since_monday_say(
            day in 0i64..7, hour in 0i64..24, length in 1i64..=7 * 24 * 60, minute in 0i64..7 * 24 * 60,
        ) {
            let name = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][day as usize];
            let yaml = format!("{{name: s, weekly: [{{days: [{name}], at: '{hour:02}:00', for: {length}m}}]}}");
            let monday = at("2026-11-23T00:00:00Z").as_millis();
            let start = Timestamp::from_millis(monday + minute * 60_000);
            let since = (minute - day * 24 * 60 - hour * 60).rem_euclid(7 * 24 * 60);
            prop_assert_eq!(compiled(&config(&yaml)).holds_at(start), since < length);
        }
    }
}
