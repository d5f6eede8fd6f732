//! Which flows, which key, which metric, which threshold for which prefix. Pure.
//!
//! In: a rule as configured. Out: a compiled [`Rule`], or an error that names the key, the value and
//! what would be valid. A compiled rule evaluates without allocation and cannot fail.

mod compile;
mod context;
mod escalation;
mod filter;
mod fingerprint;
mod gate;
mod lifecycle;
mod lines;
mod lists;
mod model;
mod override_config;
mod overrides;
mod prefixes;
mod scope;
mod sets;
mod settings;
mod shapes;
mod silence;
mod silence_config;
#[cfg(test)]
mod tests;
mod thresholds;
mod warn;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::flow::{Field, FieldSet, Flow};
use crate::net::{Addr, Family, Prefix};

pub use compile::{compile, with_sets};
pub use context::{RuleContext, RuleError, RuleWarning};
pub use escalation::{Level, LevelOver};
pub use filter::{Filter, FilterError, SharedFilters};
pub use gate::{Gate, GateLimit};
pub use lifecycle::{Clear, Lifecycle};
pub use lines::LineError;
pub use model::{
    Attribution, Dimension, Fingerprint, KeySide, LatePolicy, LengthSet, Limit, Metric, Mode,
};
pub use override_config::parse_override_file;
pub use overrides::{NOWHERE, Override, Overrides, Place, Places, Steps};
pub use prefixes::{PrefixSet, PrefixTable, parse_prefix};
pub use scope::{Scope, ScopeEntry, parse_scope_file};
pub use sets::{NamedSet, SetItem, Sets, check_set_name};
pub use settings::{
    ClearConfig, EscalationConfig, FileRef, GateConfig, LabelledPrefix, Lengths, LifecycleConfig,
    ListOrFile, OverrideConfig, PrefixLengthConfig, RuleConfig, ScopeItem, Threshold,
    ThresholdsConfig, TotalsConfig,
};
pub use silence::Silence;
pub use silence_config::{Day, SilenceConfig, WeeklyConfig};
pub use warn::warnings;

/// A compiled rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Unique name: 1 to 100 of `[a-zA-Z0-9._-]`.
    pub name: Arc<str>,
    /// Marks partials and windows: changes with filter, key, interval, grace, late, scope prefixes,
    /// sampling, attribution.
    pub selection: Fingerprint,
    /// The selection but for the items of the sets that the filter names. It is [`Self::selection`] where there is none,
    /// and alerts are named after it: they go on when a set changes.
    pub identity: Fingerprint,
    /// Changes with all else.
    pub decision: Fingerprint,
    /// Copied into alerts.
    pub labels: BTreeMap<String, String>,
    /// Copied into alerts; `warning` by default.
    pub severity: String,
    /// Which flows.
    pub filter: Filter,
    /// Which address.
    pub key: KeySide,
    /// Window length, 1 s to 24 h.
    pub interval: Duration,
    /// How long a window waits for disorder. Default 5 s.
    pub grace: Duration,
    /// What happens to flows later than that.
    pub late: LatePolicy,
    /// Which windows a flow counts in.
    pub attribution: Attribution,
    /// Which prefixes are reported.
    pub mode: Mode,
    /// IPv4 prefix lengths looked at. May be empty: then the family is not counted.
    pub lengths_v4: LengthSet,
    /// IPv6 prefix lengths looked at. May be empty: then the family is not counted.
    pub lengths_v6: LengthSet,
    /// At least one; evaluated separately.
    pub limits: Vec<Limit>,
    /// Thresholds and labels of single prefixes.
    pub overrides: Option<Arc<Overrides>>,
    /// Groups that are reported only while they are over limits of their own.
    pub gate: Option<Gate>,
    /// When alerts start, go on and end.
    pub lifecycle: Lifecycle,
    /// The rules that it shares incidents with, and a task of detect.
    pub incident_group: Option<Arc<str>>,
    /// Higher severities, lowest first.
    pub escalation: Vec<Level>,
    /// When its alerts are written and not active.
    pub silences: Vec<Silence>,
    /// Own prefixes: others are not selected.
    pub scope: Option<Arc<Scope>>,
    /// Leaves kept per window and family. Default 4,000,000.
    pub max_prefixes: usize,
    /// Alerts written per window. Default 10,000.
    pub max_alerts_per_window: usize,
}

impl Rule {
    /// The prefix lengths looked at in one family.
    pub const fn lengths(&self, family: Family) -> &LengthSet {
        match family {
            Family::V4 => &self.lengths_v4,
            Family::V6 => &self.lengths_v6,
        }
    }

    /// The threshold of a limit, by its position, that holds for `prefix`, as configured, in the metric's
    /// unit. `place` is the longest of the overrides' places around it.
    pub fn threshold(&self, limit: usize, prefix: Prefix, place: u32) -> u64 {
        let places = self.overrides.as_deref().map(Overrides::places);
        let places = places.filter(|_| place != NOWHERE);
        places
            .and_then(|places| places.stated(place, limit, prefix.length()))
            .unwrap_or_else(|| self.limits[limit].stated(prefix.family(), prefix.length()))
    }

    /// What decides in which partials partition it lives.
    pub const fn home(&self) -> &Arc<str> {
        match &self.incident_group {
            Some(group) => group,
            None => &self.name,
        }
    }

    /// The address that the flow counts for; `None` if this rule does not select the flow.
    #[inline]
    pub fn select(&self, flow: &Flow<'_>) -> Option<Addr> {
        self.select_by(flow, || self.filter.matches(flow))
    }

    /// The same, where `matches` says whether its filter takes the flow.
    #[inline]
    pub fn select_by(&self, flow: &Flow<'_>, matches: impl FnOnce() -> bool) -> Option<Addr> {
        let addr = match self.key {
            KeySide::Dst => flow.dst_addr,
            KeySide::Src => flow.src_addr,
        }?;
        let counted = self.lengths(addr.family()).count() > 0
            && matches()
            && self
                .scope
                .as_ref()
                .is_none_or(|scope| scope.entry_index(addr).is_some());
        counted.then_some(addr)
    }

    /// Whether any flow counts for both or for neither, for the same address and in the same windows, where both are
    /// of one configuration.
    pub fn counts_like(&self, other: &Self) -> bool {
        let counted = |rule: &Self| Family::ALL.map(|family| rule.lengths(family).count() > 0);
        let same_scope = match (&self.scope, &other.scope) {
            (Some(one), Some(other)) => {
                let (one, other) = (one.entries().iter(), other.entries().iter());
                one.map(|entry| entry.prefix)
                    .eq(other.map(|entry| entry.prefix))
            }
            (one, other) => one.is_none() && other.is_none(),
        };
        self.key == other.key
            && counted(self) == counted(other)
            && (self.interval, self.grace) == (other.interval, other.grace)
            && (self.late, self.attribution) == (other.late, other.attribution)
            && self.filter.canonical() == other.filter.canonical()
            && same_scope
    }

    /// The fields that a decoder must fill in for this rule: those of the filter, the key address and
    /// the volumes, and the flow's times where they spread it. What event time and sampling need comes
    /// on top.
    pub fn fields(&self) -> FieldSet {
        let key = match self.key {
            KeySide::Dst => Field::DstAddr,
            KeySide::Src => Field::SrcAddr,
        };
        let always = self
            .filter
            .fields()
            .with(key)
            .with(Field::Bytes)
            .with(Field::Packets);
        match self.attribution {
            Attribution::Arrival => always,
            Attribution::Spread => always.with(Field::TimeStart).with(Field::TimeEnd),
        }
    }

    /// The selection's and the decision's fingerprint in one: what an alert says.
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint::combined(self.selection, self.decision)
    }
}
