//! Severities above a rule's own.

use std::collections::BTreeSet;

use super::context::Problems;
use super::model::{Limit, Metric};
use super::settings::EscalationConfig;
use super::thresholds;
use super::words::check_word;
use crate::units::Scalar;

/// A severity, and over what an alert has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Its name.
    pub severity: String,
    /// Over what.
    pub over: LevelOver,
}

/// What a level is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LevelOver {
    /// So many thousandths of the threshold that was exceeded.
    PerMille(u32),
    /// Thresholds of its own.
    Limits(Vec<Limit>),
}

/// The levels of a rule of `severity` with `limits`; problems are noted.
pub(super) fn levels(
    config: &[EscalationConfig],
    severity: &str,
    limits: &[Limit],
    interval_ms: u64,
    problems: &mut Problems,
) -> Vec<Level> {
    let mut known = BTreeSet::from([severity]);
    let mut levels = Vec::new();
    for (index, level) in config.iter().enumerate() {
        let path = format!("escalation[{index}]");
        if let Err(message) = check_word(&level.severity, 32) {
            problems.add(format!("{path}.severity"), message);
        }
        if !known.insert(&level.severity) {
            let message = format!("{} is below this already", level.severity);
            problems.add(format!("{path}.severity"), message);
        }
        let over = match (&level.times, &level.thresholds) {
            (Some(times), None) => problems
                .take(format!("{path}.times"), per_mille(times))
                .map(LevelOver::PerMille),
            (None, Some(stated)) => {
                let path = format!("{path}.thresholds");
                let own =
                    thresholds::limits(stated, &path, &BTreeSet::new(), interval_ms, problems);
                for limit in &own {
                    check_metric(limit.metric, limits, &path, problems);
                }
                Some(LevelOver::Limits(own))
            }
            _ => {
                problems.add(path, "needs either times or thresholds");
                None
            }
        };
        levels.extend(over.map(|over| Level {
            severity: level.severity.clone(),
            over,
        }));
    }
    levels
}

/// A metric in which nothing can be over a threshold cannot be over a higher one.
pub(super) fn check_metric(metric: Metric, limits: &[Limit], path: &str, problems: &mut Problems) {
    if limits.iter().all(|limit| limit.metric != metric) {
        let known: Vec<&str> = limits.iter().map(|limit| limit.metric.name()).collect();
        problems.add(
            format!("{path}.{}", metric.name()),
            format!(
                "the rule has no threshold in it: valid are {}",
                known.join(", ")
            ),
        );
    }
}

/// A number above 1 with at most three decimals, in thousandths.
fn per_mille(times: &Scalar) -> Result<u32, String> {
    let text = times.as_str();
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let valid = !whole.is_empty() && digits(whole) && digits(decimals) && decimals.len() <= 3;
    let number = format!("{whole}{decimals:0<3}").parse().ok();
    number
        .filter(|number| valid && (1001..=1_000_000).contains(number))
        .ok_or_else(|| {
            format!("`{text}` is not a number above 1, at most 1000, with at most three decimals")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_to_the_thousandth() {
        let of = |text: &str| per_mille(&Scalar::from(text)).ok();
        assert_eq!(
            [of("2"), of("1.5"), of("1.001"), of("1000")],
            [Some(2000), Some(1500), Some(1001), Some(1_000_000)]
        );
        for text in ["1", "0.5", "1000.001", "1.0001", "-2", "2x", "", ".5", "+2"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
