//! `thresholds` and `prefix_length` → tables by family and length.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Problems;
use super::model::{LengthSet, Limit, Metric};
use super::overrides::Steps;
use super::settings::{Lengths, PrefixLengthConfig, Threshold, ThresholdsConfig, TotalsConfig};
use crate::net::{Family, Prefix};
use crate::units::{self, Quantity};

/// The prefix lengths of one family; `None` with the problems noted.
pub(super) fn lengths(
    config: &PrefixLengthConfig,
    family: Family,
    problems: &mut Problems,
) -> Option<LengthSet> {
    let path = format!("prefix_length.{}", family.name());
    let lengths = match family {
        Family::V4 => &config.ipv4,
        Family::V6 => &config.ipv6,
    };
    match lengths {
        Lengths::Range(text) => problems.take(path, range(text.as_str(), family)),
        Lengths::List(list) => {
            let parsed: Vec<Option<u8>> = list
                .iter()
                .enumerate()
                .map(|(index, text)| {
                    problems.take(format!("{path}[{index}]"), length(text.as_str(), family))
                })
                .collect();
            let parsed: Option<Vec<u8>> = parsed.into_iter().collect();
            parsed.map(LengthSet::list)
        }
    }
}

fn range(text: &str, family: Family) -> Result<LengthSet, String> {
    let Some((low, high)) = text.split_once("..") else {
        return length(text, family).map(|one| LengthSet::list([one]));
    };
    let (low, high) = (length(low, family)?, length(high, family)?);
    if low > high {
        return Err(format!(
            "`{text}` runs backwards: valid is {high}..{low}, both ends included"
        ));
    }
    Ok(LengthSet::range(low, high))
}

fn length(text: &str, family: Family) -> Result<u8, String> {
    let max = family.bits();
    text.trim()
        .parse()
        .ok()
        .filter(|length| *length <= max)
        .ok_or_else(|| {
            format!(
                "`{}` is no {} prefix length: valid are 0 to {max}, or a range such as 0..{max}",
                text.trim(),
                family.name()
            )
        })
}

const fn quantity(metric: Metric) -> &'static Quantity {
    match metric {
        Metric::Bytes => &units::SIZE,
        Metric::Packets | Metric::Flows => &units::COUNT,
        Metric::BitsPerSecond => &units::BIT_RATE,
        Metric::PacketsPerSecond => &units::PACKET_RATE,
        Metric::FlowsPerSecond => &units::FLOW_RATE,
    }
}

const fn of(config: &ThresholdsConfig, metric: Metric) -> Option<&Threshold> {
    match metric {
        Metric::Bytes => config.bytes.as_ref(),
        Metric::Packets => config.packets.as_ref(),
        Metric::Flows => config.flows.as_ref(),
        Metric::BitsPerSecond => config.bits_per_second.as_ref(),
        Metric::PacketsPerSecond => config.packets_per_second.as_ref(),
        Metric::FlowsPerSecond => config.flows_per_second.as_ref(),
    }
}

/// All metrics with thresholds, in the order of [`Metric::ALL`]. Those in `more` have a limit also
/// where `config` does not state one: [`Limit::NO_LIMIT`].
pub(super) fn limits(
    config: &ThresholdsConfig,
    path: &str,
    more: &BTreeSet<Metric>,
    interval_ms: u64,
    problems: &mut Problems,
) -> Vec<Limit> {
    let limits: Vec<Limit> = Metric::ALL
        .into_iter()
        .filter(|metric| of(config, *metric).is_some() || more.contains(metric))
        .map(|metric| Stated::new(config, path, metric, &Family::ALL, problems).limit(interval_ms))
        .collect();
    if limits.is_empty() {
        let names: Vec<&str> = Metric::ALL.iter().map(|m| m.name()).collect();
        problems.add(path, format!("needs at least one of {}", names.join(", ")));
    }
    limits
}

/// Thresholds that hold in `prefix` and inside it, see [`Steps`].
pub(super) fn steps(config: &ThresholdsConfig, prefix: Prefix, problems: &mut Problems) -> Steps {
    let steps = Metric::ALL.into_iter().filter_map(|metric| {
        of(config, metric)?;
        let mut stated = Stated::new(config, "thresholds", metric, &[prefix.family()], problems);
        let mut before = None;
        let steps = (prefix.length()..=prefix.family().bits())
            .filter_map(|length| {
                let value = stated.of(prefix.family())[usize::from(length)];
                let changed = value.filter(|_| value != before);
                before = value;
                changed.map(|value| (length, value))
            })
            .collect();
        Some((metric, steps))
    });
    steps.collect()
}

/// Thresholds that have nothing to do with lengths: one value for each metric.
pub(super) fn values(
    config: &TotalsConfig,
    path: &str,
    problems: &mut Problems,
) -> Vec<(Metric, u64)> {
    let values = Metric::ALL.into_iter().filter_map(|metric| {
        let text = match metric {
            Metric::Bytes => &config.bytes,
            Metric::Packets => &config.packets,
            Metric::Flows => &config.flows,
            Metric::BitsPerSecond => &config.bits_per_second,
            Metric::PacketsPerSecond => &config.packets_per_second,
            Metric::FlowsPerSecond => &config.flows_per_second,
        };
        let value = quantity(metric).parse(text.as_ref()?.as_str());
        let value = problems.take(format!("{path}.{}", metric.name()), value);
        value.map(|value| (metric, value))
    });
    values.collect()
}

/// Thresholds of one metric by length, as configured.
struct Stated {
    metric: Metric,
    v4: [Option<u64>; 33],
    v6: [Option<u64>; 129],
}

impl Stated {
    /// What `config` states, which is at `path`; nothing if it states nothing.
    fn new(
        config: &ThresholdsConfig,
        path: &str,
        metric: Metric,
        families: &[Family],
        problems: &mut Problems,
    ) -> Self {
        let mut table = Self {
            metric,
            v4: [None; 33],
            v6: [None; 129],
        };
        if let Some(threshold) = of(config, metric) {
            let path = format!("{path}.{}", metric.name());
            table.fill(&path, threshold, families, problems);
        }
        table
    }

    fn of(&mut self, family: Family) -> &mut [Option<u64>] {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    fn fill(
        &mut self,
        path: &str,
        threshold: &Threshold,
        families: &[Family],
        problems: &mut Problems,
    ) {
        match threshold {
            Threshold::Value(text) => {
                let value = quantity(self.metric).parse(text.as_str());
                if let Some(value) = problems.take(path, value) {
                    for family in families {
                        self.of(*family).fill(Some(value));
                    }
                }
            }
            Threshold::Table(table) if table.is_empty() => {
                problems.add(
                    path,
                    "is empty: valid is a value, or a table by prefix length",
                );
            }
            Threshold::Table(table) => {
                let by_family = |key: &str| Family::ALL.into_iter().find(|f| f.name() == key);
                if families.len() > 1 && table.keys().any(|key| by_family(key).is_some()) {
                    for (key, inner) in table {
                        match by_family(key) {
                            Some(family) => {
                                self.fill(&format!("{path}.{key}"), inner, &[family], problems);
                            }
                            None => problems.add(
                                format!("{path}.{key}"),
                                "stands beside ipv4 or ipv6: valid keys are ipv4 and ipv6 alone, or prefix lengths alone",
                            ),
                        }
                    }
                } else {
                    self.fill_by_length(path, table, families, problems);
                }
            }
        }
    }

    /// Each entry holds for its length and for longer ones up to the next entry.
    fn fill_by_length(
        &mut self,
        path: &str,
        table: &BTreeMap<String, Threshold>,
        families: &[Family],
        problems: &mut Problems,
    ) {
        let longest = families.iter().map(|f| f.bits()).max().unwrap_or(0);
        let or_families = if families.len() > 1 {
            ", or ipv4 and ipv6"
        } else {
            ""
        };
        let mut entries = BTreeMap::new();
        for (key, inner) in table {
            let path = format!("{path}.{key}");
            let Some(length) = key.parse::<u8>().ok().filter(|l| *l <= longest) else {
                problems.add(
                    path,
                    format!("`{key}` is no prefix length: valid are 0 to {longest}{or_families}"),
                );
                continue;
            };
            let Threshold::Value(text) = inner else {
                problems.add(path, "is a table inside a prefix length: valid is a value");
                continue;
            };
            if let Some(value) = problems.take(path, quantity(self.metric).parse(text.as_str())) {
                entries.insert(length, value);
            }
        }
        for family in families {
            for (length, stated) in self.of(*family).iter_mut().enumerate() {
                let shorter = entries.range(..=length as u8).next_back();
                *stated = shorter.map(|(_, value)| *value);
            }
        }
    }

    fn limit(&self, interval_ms: u64) -> Limit {
        let stated = |table: &[Option<u64>]| {
            let stated = table.iter().map(|s| s.unwrap_or(Limit::NOT_STATED));
            stated.collect::<Vec<u64>>()
        };
        let volume = |table: &[Option<u64>]| {
            let volume = table.iter().map(|s| {
                s.map_or(Limit::NO_LIMIT, |s| {
                    self.metric.volume_limit(s, interval_ms)
                })
            });
            volume.collect::<Vec<u128>>()
        };
        Limit {
            metric: self.metric,
            stated_v4: stated(&self.v4),
            stated_v6: stated(&self.v6),
            volume_v4: volume(&self.v4),
            volume_v6: volume(&self.v6),
        }
    }
}
