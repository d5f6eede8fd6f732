//! A rule as written. The rule module owns its settings; configuration only reads them.

pub use crate::rule::RuleConfig;
