//! Groups of prefixes in which something is reported only while the group is over limits of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Problems;
use super::model::Metric;
use super::overrides::{NOWHERE, Overrides};
use super::scope::{Scope, ScopeEntry};
use super::settings::{GateConfig, TotalsConfig};
use super::thresholds;

/// Group names listed in a message.
const NAMED: usize = 8;

/// A group's threshold in one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateLimit {
    /// What the threshold was stated in.
    pub metric: Metric,
    /// As configured, in the metric's unit.
    pub stated: u64,
    /// In volume per interval: a total is over it when it is strictly greater.
    pub volume: u128,
}

/// The group of an entry that has the label, and its prefix length.
type Ward = Option<(u32, u8)>;

/// The groups of a rule: what has the same value of one label, in `scope` or in `overrides`.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The label.
    pub label: String,
    /// By name.
    groups: Vec<(String, Vec<GateLimit>)>,
    by_place: Vec<Ward>,
    by_entry: Vec<Ward>,
}

impl Gate {
    /// Finds the groups, for entries of a scope and overrides that have `label`. Their limits are those
    /// that `limits` gives for their names.
    pub fn new(
        label: &str,
        scope: &[ScopeEntry],
        overrides: Option<&Overrides>,
        limits: impl Fn(&str) -> Vec<GateLimit>,
    ) -> Self {
        let overridden = overrides.iter().flat_map(|o| o.entries());
        let labels = scope.iter().map(|e| &e.labels);
        let labels = labels.chain(overridden.map(|o| &o.labels));
        let names: BTreeSet<&String> = labels.filter_map(|labels| labels.get(label)).collect();
        let groups: Vec<_> = names
            .into_iter()
            .map(|name| (name.clone(), limits(name)))
            .collect();
        let ward = |labels: &BTreeMap<String, String>, length: u8| {
            let name = labels.get(label)?;
            let group = groups.binary_search_by_key(&name, |(n, _)| n).ok()?;
            Some((group as u32, length))
        };
        let by_entry = scope.iter().map(|e| ward(&e.labels, e.prefix.length()));
        let by_entry = by_entry.collect();
        let mut by_place: Vec<Ward> = Vec::new();
        for (entry, around) in overrides.iter().flat_map(|o| o.place_entries()) {
            let outer = (around != NOWHERE).then(|| by_place[around as usize]);
            let own = ward(&entry.labels, entry.prefix.length());
            by_place.push(own.or(outer.flatten()));
        }
        Self {
            label: label.to_owned(),
            groups,
            by_place,
            by_entry,
        }
    }

    /// Name and limits of every group, by name.
    pub fn groups(&self) -> &[(String, Vec<GateLimit>)] {
        &self.groups
    }

    /// The group of a prefix in a scope entry and with a longest place around it.
    #[inline]
    pub fn group(&self, place: u32, entry: Option<usize>) -> Option<usize> {
        let place = match place {
            NOWHERE => None,
            place => self.by_place[place as usize],
        };
        let entry = entry.and_then(|entry| self.by_entry[entry]);
        let (group, _) = match (place, entry) {
            (Some(place), Some(entry)) if place.1 < entry.1 => entry,
            (place, entry) => place.or(entry)?,
        };
        Some(group as usize)
    }
}

/// The gate that is configured; problems are noted.
pub(super) fn gate(
    config: &GateConfig,
    scope: Option<&Scope>,
    overrides: Option<&Overrides>,
    interval_ms: u64,
    problems: &mut Problems,
) -> Gate {
    let mut wrong = Problems::default();
    let all = values(
        &config.thresholds,
        "gate.thresholds",
        interval_ms,
        &mut wrong,
    );
    let mut own = BTreeMap::new();
    for (name, stated) in &config.groups {
        let path = format!("gate.groups.{name}");
        own.insert(
            name.as_str(),
            values(stated, &path, interval_ms, &mut wrong),
        );
    }
    let limits = |name: &str| {
        let own = own.get(name).map_or(&[][..], Vec::as_slice);
        let states = |limit: &&GateLimit| own.iter().any(|o| o.metric == limit.metric);
        let inherited = all.iter().filter(|limit| !states(limit));
        own.iter().chain(inherited).copied().collect()
    };
    let entries = scope.map_or(&[][..], Scope::entries);
    let gate = Gate::new(&config.label, entries, overrides, limits);
    if gate.groups.is_empty() {
        let message = format!(
            "no entry of scope or overrides has the label `{}`",
            config.label
        );
        problems.add("gate.label", message);
    }
    let known: Vec<&str> = gate.groups.iter().map(|(name, _)| name.as_str()).collect();
    for name in config.groups.keys() {
        if !known.is_empty() && !known.contains(&name.as_str()) {
            let some = known[..known.len().min(NAMED)].join(", ");
            let more = if known.len() > NAMED { ", …" } else { "" };
            let message = format!(
                "no entry has {}={name}: there are {some}{more}",
                config.label
            );
            problems.add(format!("gate.groups.{name}"), message);
        }
    }
    let unlimited = gate.groups.iter().find(|(_, limits)| limits.is_empty());
    if let Some((name, _)) = unlimited.filter(|_| wrong.is_empty()) {
        let message =
            format!("states nothing that holds for {name}: nothing in it would be reported");
        problems.add("gate.thresholds", message);
    }
    for error in wrong.into_errors() {
        problems.add(error.path, error.message);
    }
    gate
}

fn values(
    config: &TotalsConfig,
    path: &str,
    interval_ms: u64,
    problems: &mut Problems,
) -> Vec<GateLimit> {
    let values = thresholds::values(config, path, problems).into_iter();
    let limit = |(metric, stated): (Metric, u64)| GateLimit {
        metric,
        stated,
        volume: metric.volume_limit(stated, interval_ms),
    };
    values.map(limit).collect()
}
