//! What hotprefix must find, by brute force from the definition: every prefix of every length is
//! looked at. Shares no code with the crate.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::flows::{Content, Flow, Record};
use super::prefixes::{pass, prefix_text, sum};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Dst,
    Src,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    MostSpecific,
    Discounted,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    OldestOpen,
    Drop,
}

/// Prefix lengths of one family.
#[derive(Clone, Debug)]
pub(crate) enum Lengths {
    /// From and to, both included.
    Range(u8, u8),
    List(Vec<u8>),
}

impl Lengths {
    pub(crate) fn longest_first(&self) -> Vec<u8> {
        let mut lengths = match self {
            Self::Range(from, to) => (*from..=*to).collect(),
            Self::List(list) => list.clone(),
        };
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths
    }
}

/// `bytes`, `packets`, `flows`, or a rate of one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    /// Index into a [`Volume`].
    dimension: usize,
    /// Units of a rate per unit of volume and second; 0 where it is no rate.
    per_second: u128,
}

pub(crate) const BYTES: Metric = Metric {
    name: "bytes",
    dimension: 0,
    per_second: 0,
};
pub(crate) const FLOWS: Metric = Metric {
    name: "flows",
    dimension: 2,
    per_second: 0,
};
pub(crate) const BITS_PER_SECOND: Metric = Metric {
    name: "bits_per_second",
    dimension: 0,
    per_second: 8,
};
pub(crate) const PACKETS_PER_SECOND: Metric = Metric {
    name: "packets_per_second",
    dimension: 1,
    per_second: 1,
};

impl Metric {
    pub(crate) fn value(self, volume: Volume, interval_ms: i64) -> u64 {
        let volume = u128::from(volume.0[self.dimension]);
        let value = match self.per_second {
            0 => volume,
            factor => volume * factor * 1000 / interval_ms as u128,
        };
        u64::try_from(value).expect("test volumes are small")
    }

    /// Strictly over: `volume × factor / interval > threshold`, without rounding.
    pub(crate) fn is_over(self, volume: Volume, threshold: u64, interval_ms: i64) -> bool {
        let volume = u128::from(volume.0[self.dimension]);
        match self.per_second {
            0 => volume > u128::from(threshold),
            factor => volume * factor * 1000 > u128::from(threshold) * interval_ms as u128,
        }
    }
}

/// A rule, for the model and, by `rules::as_config`, for hotprefix.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) filter: &'static str,
    pub(crate) selects: fn(&Flow) -> bool,
    pub(crate) key: Key,
    pub(crate) interval_ms: i64,
    pub(crate) grace_ms: i64,
    pub(crate) late: Late,
    pub(crate) mode: Mode,
    pub(crate) ipv4: Lengths,
    pub(crate) ipv6: Lengths,
    /// One value for all lengths, or, by length, from which length on it holds.
    pub(crate) thresholds: Vec<(Metric, Vec<(u8, u64)>)>,
    pub(crate) max_alerts: u64,
}

impl Rule {
    pub(crate) fn threshold(table: &[(u8, u64)], length: u8) -> Option<u64> {
        let entry = table.iter().filter(|(from, _)| *from <= length);
        entry.max_by_key(|(from, _)| *from).map(|(_, limit)| *limit)
    }
}

/// Bytes, packets and flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volume(pub(crate) [u64; 3]);

impl Volume {
    pub(crate) fn add(&mut self, other: Self) {
        for (sum, value) in self.0.iter_mut().zip(other.0) {
            *sum += value;
        }
    }
}

/// The identity of an alert: rule, window start in milliseconds, prefix.
pub(crate) type AlertKey = (String, i64, String);

/// What an alert says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) volume: Volume,
    pub(crate) rule_total: Volume,
    /// Metric, threshold, value.
    pub(crate) triggers: Vec<(String, u64, u64)>,
    pub(crate) hosts: u64,
}

/// What a window record says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WindowFound {
    pub(crate) total: Volume,
    pub(crate) alerts: u64,
    pub(crate) leaves: u64,
    pub(crate) late_flows: u64,
}

/// What became of records: each has one of these fates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fates {
    pub(crate) selected: u64,
    pub(crate) not_selected: u64,
    pub(crate) late: u64,
    pub(crate) not_ip: u64,
    pub(crate) undecodable: u64,
}

/// Everything that hotprefix must say about a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) alerts: BTreeMap<AlertKey, Found>,
    /// By rule and window start; windows with traffic only.
    pub(crate) windows: BTreeMap<(String, i64), WindowFound>,
    pub(crate) fates: Fates,
}

/// An address as a number, with its family's length in bits.
type Leaf = (u8, u128);
type Leaves = BTreeMap<Leaf, Volume>;

/// Runs each partition's records through the rules and looks at every window that is closed in all.
pub(crate) fn run(rules: &[Rule], partitions: usize, records: &[Record]) -> Outcome {
    let closed = stream_times(partitions, records).into_iter().min();
    run_to(
        closed.expect("there are partitions"),
        rules,
        partitions,
        records,
    )
}

/// The stream time of each partition after all records.
fn stream_times(partitions: usize, records: &[Record]) -> Vec<i64> {
    let mut times = vec![i64::MIN; partitions];
    for record in records {
        let at = match &record.content {
            Content::Flow(flow) => flow.received,
            Content::NotIp { received } => *received,
            Content::Undecodable => continue,
        };
        let time = &mut times[record.out.partition as usize];
        *time = (*time).max(at);
    }
    times
}

/// The same for every window that ends a grace or more before `closed`.
pub(crate) fn run_to(
    closed: i64,
    rules: &[Rule],
    partitions: usize,
    records: &[Record],
) -> Outcome {
    let mut sums: BTreeMap<(usize, i64), (Leaves, u64)> = BTreeMap::new();
    let mut stream_times = vec![i64::MIN; partitions];
    let mut outcome = Outcome::default();
    for record in records {
        let stream_time = &mut stream_times[record.out.partition as usize];
        match &record.content {
            Content::Undecodable => outcome.fates.undecodable += 1,
            Content::NotIp { received } => {
                *stream_time = (*stream_time).max(*received);
                outcome.fates.not_ip += 1;
            }
            Content::Flow(flow) => {
                *stream_time = (*stream_time).max(flow.received);
                let fate = count(rules, flow, *stream_time, &mut sums);
                *match fate {
                    Fate::Selected => &mut outcome.fates.selected,
                    Fate::NotSelected => &mut outcome.fates.not_selected,
                    Fate::Late => &mut outcome.fates.late,
                } += 1;
            }
        }
    }
    for ((index, start), (leaves, late_flows)) in sums {
        let rule = &rules[index];
        if start + rule.interval_ms + rule.grace_ms <= closed {
            report(rule, start, &leaves, late_flows, &mut outcome);
        }
    }
    outcome
}

enum Fate {
    Selected,
    NotSelected,
    Late,
}

fn count(
    rules: &[Rule],
    flow: &Flow,
    stream_time: i64,
    sums: &mut BTreeMap<(usize, i64), (Leaves, u64)>,
) -> Fate {
    let mut fate = Fate::NotSelected;
    for (index, rule) in rules.iter().enumerate().filter(|(_, r)| (r.selects)(flow)) {
        let start_of = |at: i64| at - at.rem_euclid(rule.interval_ms);
        let own = start_of(flow.received);
        let oldest_open = start_of(stream_time - rule.grace_ms);
        let is_late = own < oldest_open;
        let (leaves, late_flows) = sums.entry((index, own.max(oldest_open))).or_default();
        *late_flows += u64::from(is_late);
        if is_late && rule.late == Late::Drop {
            if matches!(fate, Fate::NotSelected) {
                fate = Fate::Late;
            }
            continue;
        }
        let addr = match rule.key {
            Key::Dst => flow.dst,
            Key::Src => flow.src,
        };
        let factor = flow.factor();
        let volume = Volume([flow.bytes * factor, flow.packets * factor, 1]);
        leaves.entry(leaf(addr)).or_default().add(volume);
        fate = Fate::Selected;
    }
    fate
}

fn leaf(addr: IpAddr) -> Leaf {
    match addr.to_canonical() {
        IpAddr::V4(v4) => (32, u128::from(v4.to_bits())),
        IpAddr::V6(v6) => (128, v6.to_bits()),
    }
}

fn report(rule: &Rule, start: i64, leaves: &Leaves, late_flows: u64, outcome: &mut Outcome) {
    let mut window = WindowFound {
        late_flows,
        leaves: leaves.len() as u64,
        ..Default::default()
    };
    for volume in leaves.values() {
        window.total.add(*volume);
    }
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for (bits, lengths) in [(32, &rule.ipv4), (128, &rule.ipv6)] {
        let family: Vec<(u128, Volume)> = leaves
            .range((bits, 0)..=(bits, u128::MAX))
            .map(|((_, a), v)| (*a, *v))
            .collect();
        for (metric, table) in &rule.thresholds {
            for hit in pass(rule, *metric, table, &family, bits, lengths) {
                let prefix = prefix_text(bits, family[hit.leaves.0].0, hit.length);
                let threshold = Rule::threshold(table, hit.length).expect("it was over it");
                let value = metric.value(hit.conditioned, rule.interval_ms);
                let entry = found.entry(prefix).or_insert_with(|| Found {
                    volume: sum(&family[hit.leaves.0..hit.leaves.1]),
                    rule_total: window.total,
                    triggers: Vec::new(),
                    hosts: (hit.leaves.1 - hit.leaves.0) as u64,
                });
                entry
                    .triggers
                    .push((metric.name.to_owned(), threshold, value));
            }
        }
    }
    window.alerts = found.len() as u64;
    outcome
        .windows
        .insert((rule.name.to_owned(), start), window);
    for (prefix, found) in found {
        outcome
            .alerts
            .insert((rule.name.to_owned(), start, prefix), found);
    }
}
