//! `silences`: what is known of several of them, and of rules.

use std::collections::BTreeSet;

use super::error::{Issues, suggestion};
use super::layer::Tree;
use super::rules::Located;
use crate::rule::{Silence, SilenceConfig};

/// The most silences of one configuration: each is held against each prefix over a threshold.
const MAX_SILENCES: usize = 1_000;

/// Checks and compiles them.
pub(super) fn compile(
    silences: &[SilenceConfig],
    rules: &[Located],
    tree: &Tree,
    issues: &mut Issues,
) -> Vec<Silence> {
    let origin = tree.origin(&["silences"]);
    if silences.len() > MAX_SILENCES {
        let problem = format!("are {}; valid is at most {MAX_SILENCES}", silences.len());
        issues.error(&origin, "silences", problem);
    }
    let mut names = BTreeSet::new();
    let mut compiled = Vec::new();
    for (i, config) in silences.iter().enumerate() {
        let path = format!("silences[{i}]");
        if !names.insert(&config.name) {
            let problem = format!(
                "is `{}`, the name of another silence too; valid is a name of its own",
                config.name
            );
            issues.error(&origin, format!("{path}.name"), problem);
        }
        for (at, name) in config.rules.iter().enumerate() {
            if !rules.iter().any(|located| located.rule.name == *name) {
                let known = rules.iter().map(|located| located.rule.name.as_str());
                let problem = format!("`{name}` is no rule{}", suggestion(name, known));
                issues.error(&origin, format!("{path}.rules[{at}]"), problem);
            }
        }
        match config.compile() {
            Ok(silence) => compiled.push(silence),
            Err(errors) => {
                for error in errors {
                    issues.error(&origin, format!("{path}.{}", error.path), error.message);
                }
            }
        }
    }
    compiled
}
