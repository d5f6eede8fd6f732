//! From bytes and packets as sampled to bytes and packets as they passed the exporter.

use crate::net::{Addr, Prefix};

use super::model::{Flow, Normalized};
use super::settings::{ExporterSampling, SamplingConfig, SamplingDefault, SamplingMode};

/// The largest volume of one flow: more is a broken record, and would fill a sum by itself.
const MOST: u128 = i64::MAX as u128;

/// Volumes that are ready to be added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaled {
    /// Bytes, multiplied. At most 2^63−1.
    pub bytes: u64,
    /// Packets, multiplied. At most 2^63−1.
    pub packets: u64,
    /// Bytes as the record has them.
    pub raw_bytes: u64,
    /// One packet in this many was looked at, whether hotprefix or the enricher multiplied; 0 is not known.
    pub rate: u32,
}

/// Why a flow has no volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// A rate above 2^32−1, or a volume above 2^63−1.
    Implausible,
    /// No rate, where `sampling.default` is `reject`.
    Rejected,
}

/// Applies `sampling:` to flows.
#[derive(Clone, Debug)]
pub struct Sampler {
    mode: SamplingMode,
    default: SamplingDefault,
    exporters: Vec<Exporters>,
}

/// The exporter entries of one family and prefix length, sorted. In practice all exporters are hosts, and one
/// search finds theirs.
#[derive(Clone, Debug)]
struct Exporters {
    length: u8,
    entries: Vec<(Prefix, ExporterSampling)>,
}

impl Sampler {
    /// Of two entries for one prefix the last counts.
    pub fn new(config: &SamplingConfig) -> Self {
        let mut sorted = config.exporters.clone();
        sorted.reverse();
        sorted.sort_by_key(|(prefix, _)| {
            (std::cmp::Reverse(prefix.length()), prefix.family(), *prefix)
        });
        sorted.dedup_by_key(|(prefix, _)| *prefix);
        let same = |a: &(Prefix, _), b: &(Prefix, _)| {
            (a.0.length(), a.0.family()) == (b.0.length(), b.0.family())
        };
        let exporters = sorted
            .chunk_by(same)
            .map(|entries| Exporters {
                length: entries[0].0.length(),
                entries: entries.to_vec(),
            })
            .collect();
        Self {
            mode: config.mode,
            default: config.default,
            exporters,
        }
    }

    /// The volumes of one flow.
    pub fn scale(&self, flow: &Flow<'_>) -> Result<Scaled, Rejected> {
        if self.mode == SamplingMode::Never {
            return scaled(flow, 1, 1);
        }
        let normalized = flow.normalized == Normalized::Yes && self.mode == SamplingMode::Auto;
        match self.rate(flow)? {
            Some(rate) if normalized => scaled(flow, 1, rate),
            Some(rate) => scaled(flow, rate, rate),
            // Whoever normalized knew the rate, or that there was none.
            None if normalized => scaled(flow, 1, 1),
            None => scaled(flow, 1, 0),
        }
    }

    /// The flow's rate; `None` if nobody knows it and that does not matter.
    fn rate(&self, flow: &Flow<'_>) -> Result<Option<u32>, Rejected> {
        let entry = flow.exporter.and_then(|exporter| self.entry(exporter));
        if let Some(rate) = entry.and_then(|e| e.r#override).filter(|rate| *rate > 0) {
            return Ok(Some(rate));
        }
        if flow.sampling_rate > 0 {
            return match u32::try_from(flow.sampling_rate) {
                Ok(rate) => Ok(Some(rate)),
                Err(_) => Err(Rejected::Implausible),
            };
        }
        match entry.and_then(|e| e.default).unwrap_or(self.default) {
            _ if flow.normalized == Normalized::Yes && self.mode == SamplingMode::Auto => Ok(None),
            SamplingDefault::Rate(rate) if rate > 0 => Ok(Some(rate)),
            SamplingDefault::Unknown | SamplingDefault::Rate(_) => Ok(None),
            SamplingDefault::Reject => Err(Rejected::Rejected),
        }
    }

    fn entry(&self, exporter: Addr) -> Option<&ExporterSampling> {
        self.exporters.iter().find_map(|group| {
            let prefix = Prefix::new(exporter, group.length);
            let at = group.entries.binary_search_by_key(&prefix, |(p, _)| *p);
            Some(&group.entries[at.ok()?].1)
        })
    }
}

fn scaled(flow: &Flow<'_>, factor: u32, rate: u32) -> Result<Scaled, Rejected> {
    let times = |count: u64| {
        let product = u128::from(count) * u128::from(factor);
        if product > MOST {
            Err(Rejected::Implausible)
        } else {
            Ok(product as u64)
        }
    };
    Ok(Scaled {
        bytes: times(flow.bytes)?,
        packets: times(flow.packets)?,
        raw_bytes: flow.bytes,
        rate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORTER: Addr = Addr::V4(0xc000_0201);

    fn flow(sampling_rate: u64, normalized: Normalized) -> Flow<'static> {
        Flow {
            bytes: 1_500_000,
            packets: 1000,
            sampling_rate,
            normalized,
            exporter: Some(EXPORTER),
            ..Flow::default()
        }
    }

    fn config(mode: SamplingMode, default: SamplingDefault) -> SamplingConfig {
        SamplingConfig {
            mode,
            default,
            exporters: Vec::new(),
        }
    }

    fn factor_and_rate(config: &SamplingConfig, flow: &Flow<'_>) -> Result<(u64, u32), Rejected> {
        let scaled = Sampler::new(config).scale(flow)?;
        assert_eq!(scaled.raw_bytes, flow.bytes);
        assert_eq!(scaled.bytes * flow.packets, scaled.packets * flow.bytes);
        Ok((scaled.bytes / flow.bytes, scaled.rate))
    }

    #[test]
    fn auto_multiplies_unless_normalized() {
        let auto = config(SamplingMode::Auto, SamplingDefault::Unknown);
        let of = |rate, normalized| factor_and_rate(&auto, &flow(rate, normalized));
        assert_eq!(of(32, Normalized::No), Ok((32, 32)));
        assert_eq!(of(32, Normalized::Yes), Ok((1, 32)));
        assert_eq!(of(1, Normalized::No), Ok((1, 1)));
        assert_eq!(of(0, Normalized::No), Ok((1, 0)), "not known");
        assert_eq!(of(0, Normalized::Yes), Ok((1, 1)));
    }

    #[test]
    fn never_and_always_do_not_look_at_normalized() {
        let never = config(SamplingMode::Never, SamplingDefault::Reject);
        let always = config(SamplingMode::Always, SamplingDefault::Unknown);
        for normalized in [Normalized::No, Normalized::Yes] {
            assert_eq!(factor_and_rate(&never, &flow(32, normalized)), Ok((1, 1)));
            assert_eq!(factor_and_rate(&never, &flow(0, normalized)), Ok((1, 1)));
            assert_eq!(
                factor_and_rate(&always, &flow(32, normalized)),
                Ok((32, 32))
            );
            assert_eq!(factor_and_rate(&always, &flow(0, normalized)), Ok((1, 0)));
        }
    }

    #[test]
    fn default_is_for_flows_that_say_no_rate() {
        let rate = config(SamplingMode::Auto, SamplingDefault::Rate(100));
        let reject = config(SamplingMode::Auto, SamplingDefault::Reject);
        let of = factor_and_rate;
        assert_eq!(of(&rate, &flow(0, Normalized::No)), Ok((100, 100)));
        assert_eq!(of(&rate, &flow(32, Normalized::No)), Ok((32, 32)));
        assert_eq!(of(&rate, &flow(0, Normalized::Yes)), Ok((1, 1)));
        assert_eq!(
            of(&reject, &flow(0, Normalized::No)),
            Err(Rejected::Rejected)
        );
        assert_eq!(of(&reject, &flow(0, Normalized::Yes)), Ok((1, 1)));
        assert_eq!(of(&reject, &flow(1, Normalized::No)), Ok((1, 1)));
    }

    #[test]
    fn longest_exporter_prefix_decides() {
        let entry = |default, r#override| ExporterSampling {
            default,
            r#override,
        };
        let mut config = config(SamplingMode::Auto, SamplingDefault::Unknown);
        config.exporters = vec![
            (Prefix::new(Addr::V4(0), 0), entry(None, Some(7))),
            (
                Prefix::new(EXPORTER, 24),
                entry(Some(SamplingDefault::Rate(8)), None),
            ),
            (Prefix::new(EXPORTER, 32), entry(None, Some(9))),
            (Prefix::new(Addr::V6(0), 0), entry(None, Some(10))),
        ];
        let mut flow = flow(32, Normalized::No);
        let mut of = |exporter, rate| {
            flow.exporter = exporter;
            flow.sampling_rate = rate;
            factor_and_rate(&config, &flow)
        };
        assert_eq!(of(Some(EXPORTER), 32), Ok((9, 9)));
        assert_eq!(of(Some(Addr::V4(0xc000_0202)), 32), Ok((32, 32)));
        assert_eq!(of(Some(Addr::V4(0xc000_0202)), 0), Ok((8, 8)));
        assert_eq!(of(Some(Addr::V4(1)), 32), Ok((7, 7)));
        assert_eq!(of(Some(Addr::V6(1 << 64)), 32), Ok((10, 10)));
        assert_eq!(of(None, 32), Ok((32, 32)));
    }

    #[test]
    fn rate_above_32_bits_and_volume_above_63_bits_are_implausible() {
        let auto = Sampler::new(&config(SamplingMode::Auto, SamplingDefault::Unknown));
        let of = |bytes, packets, sampling_rate| {
            auto.scale(&Flow {
                bytes,
                packets,
                sampling_rate,
                ..Flow::default()
            })
            .map(|s| (s.bytes, s.packets))
        };
        let most = i64::MAX as u64;
        assert_eq!(of(most, most, 1), Ok((most, most)));
        assert_eq!(of(most + 1, 0, 1), Err(Rejected::Implausible));
        assert_eq!(of(0, most + 1, 0), Err(Rejected::Implausible));
        assert_eq!(of(u64::MAX, 1, u64::MAX), Err(Rejected::Implausible));
        assert_eq!(of(1, 1, 1 << 32), Err(Rejected::Implausible));
        assert_eq!(of(1 << 32, 1, 1 << 31), Err(Rejected::Implausible));
        assert_eq!(of(1 << 31, 1, 1 << 31), Ok((1 << 62, 1 << 31)));
    }
}
