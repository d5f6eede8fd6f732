//! Which flows, which key, which metric, which threshold for which prefix. Pure.
//!
//! In: a rule as configured. Out: a compiled [`Rule`], or an error that names the key, the value and
//! what would be valid. A compiled rule evaluates without allocation and cannot fail.

mod filter;
mod model;
mod scope;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::net::Family;

pub use filter::Filter;
pub use model::{
    Attribution, Dimension, Fingerprint, KeySide, LatePolicy, LengthSet, Limit, Metric, Mode,
};
pub use scope::{Scope, ScopeEntry};

/// A compiled rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Unique name: 1 to 100 of `[a-zA-Z0-9._-]`.
    pub name: Arc<str>,
    /// Marks partials and windows: changes with filter, key, interval, grace, late, scope prefixes,
    /// sampling, attribution.
    pub selection: Fingerprint,
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
    /// Own prefixes: others are not selected.
    pub scope: Option<Scope>,
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
}
