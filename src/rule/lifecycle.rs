//! How long a prefix is over or below its threshold before an alert starts or ends.

use std::collections::BTreeSet;

use super::context::Problems;
use super::escalation::check_metric;
use super::model::Limit;
use super::settings::{ClearConfig, LifecycleConfig};
use super::thresholds;
use crate::units::{Scalar, parse_count};

/// The most windows that any of it may take.
const MOST: u64 = 10_000;

/// The life of a rule's alerts, in windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    /// Over a threshold in a row before an alert starts; at least 1.
    pub after: u32,
    /// Not over it in a row before the alert ends; at least 1.
    pub hold: u32,
    /// From one message of an open alert to the next; at least 1.
    pub repeat: u32,
    /// After its end, in which an alert on a prefix that covers it, or that it covers, is the same event.
    pub rearm: u32,
    /// What is still over a threshold while the alert is open.
    pub clear: Clear,
}

impl Default for Lifecycle {
    /// What an empty configuration means.
    fn default() -> Self {
        Self {
            after: 1,
            hold: 3,
            repeat: 1,
            rearm: 10,
            clear: Clear::PerMille(1000),
        }
    }
}

/// Over what an open alert's prefix is still over its threshold, if that is lower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clear {
    /// So many thousandths of the threshold.
    PerMille(u32),
    /// Thresholds of their own; a metric without one has its usual threshold.
    Limits(Vec<Limit>),
}

/// The lifecycle of a rule with `limits`; problems are noted.
pub(super) fn lifecycle(
    config: &LifecycleConfig,
    limits: &[Limit],
    interval_ms: u64,
    problems: &mut Problems,
) -> Option<Lifecycle> {
    let clear = match &config.clear_at {
        ClearConfig::Share(text) => {
            let share = per_mille(text);
            problems
                .take("lifecycle.clear_at", share)
                .map(Clear::PerMille)
        }
        ClearConfig::Thresholds(stated) => {
            let path = "lifecycle.clear_at";
            let own = thresholds::limits(stated, path, &BTreeSet::new(), interval_ms, problems);
            for limit in &own {
                check_metric(limit.metric, limits, path, problems);
            }
            Some(Clear::Limits(own))
        }
    };
    let after = windows("lifecycle.for", &config.after, 1, problems);
    let hold = windows("lifecycle.hold", &config.hold, 1, problems);
    let repeat = windows("lifecycle.repeat", &config.repeat, 1, problems);
    let rearm = windows("lifecycle.rearm", &config.rearm, 0, problems);
    Some(Lifecycle {
        after: after?,
        hold: hold?,
        repeat: repeat?,
        rearm: rearm?,
        clear: clear?,
    })
}

fn windows(path: &'static str, text: &Scalar, least: u64, problems: &mut Problems) -> Option<u32> {
    let value = problems.take(path, parse_count(text.as_str()))?;
    let valid = u32::try_from(value)
        .ok()
        .filter(|_| (least..=MOST).contains(&value));
    if valid.is_none() {
        problems.add(
            path,
            format!("{text} is not within {least} to {MOST} intervals"),
        );
    }
    valid
}

/// A share such as `80%`, up to all, in thousandths.
fn per_mille(text: &Scalar) -> Result<u32, String> {
    let digits = text.as_str().strip_suffix('%').map(str::trim_end);
    let number = digits.and_then(|digits| {
        let (whole, decimal) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        (plain(whole) && plain(decimal) && decimal.len() == 1)
            .then(|| format!("{whole}{decimal}").parse().ok())
            .flatten()
    });
    number
        .filter(|number| (1..=1000).contains(number))
        .ok_or_else(|| {
            format!("`{text}` is not a share above 0% and up to 100%, such as 80% or 87.5%")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact_to_the_thousandth() {
        let of = |text: &str| per_mille(&Scalar::from(text)).ok();
        assert_eq!(
            [of("80%"), of("87.5 %"), of("100%"), of("0.1%")],
            [Some(800), Some(875), Some(1000), Some(1)]
        );
        for text in [
            "0%", "100.1%", "80", "0.8", "8.75%", "-5%", "%", "x%", ".5%", "5.%",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
