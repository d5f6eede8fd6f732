//! Named sets from files, read again while the program runs.
//!
//! Invariant: nothing but the items of such sets changes. The rest of the configuration stays as it was read at the start,
//! whatever stands in its files now. No secret is kept here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::{ConfigErrors, Issues};
use super::file::{FileConfig, ObserveSection, SetSection};
use super::layer::Tree;
use super::rules::{Located, below};
use super::{observe, sets};
use crate::rule::{self, Filter, Rule, RuleContext, Sets};

/// What it takes to read them again.
#[derive(Debug)]
pub struct SetFiles {
    sets: BTreeMap<String, SetSection>,
    observe: ObserveSection,
    /// Who said these two.
    tree: Tree,
    located: Vec<Located>,
    /// Without sets, what depends on them, and texts of files.
    context: RuleContext,
}

impl SetFiles {
    /// `None` where no set is in a file.
    pub(super) fn of(
        file: &FileConfig,
        mut tree: Tree,
        located: Vec<Located>,
        context: RuleContext,
    ) -> Option<Self> {
        let mut sets = file.sets.values();
        let any = sets.any(|set| matches!(set, SetSection::File(_)));
        tree.keep(&["sets", "input"]);
        any.then(|| Self {
            sets: file.sets.clone(),
            observe: file.input.observe.clone(),
            tree,
            located,
            context: RuleContext {
                sets: Sets::new(),
                observe: Filter::default(),
                files: BTreeMap::new(),
                ..context
            },
        })
    }

    /// The files.
    pub fn paths(&self) -> Vec<PathBuf> {
        sets::files(&self.sets, &self.tree)
    }

    /// `rules` with the items that are in the files now. All that is wrong with these is the error.
    pub fn read(&self, rules: &[Arc<Rule>]) -> Result<Vec<Rule>, ConfigErrors> {
        let mut issues = Issues::default();
        let sets = sets::read(&self.sets, &self.tree, &mut issues);
        let observe = observe::filter(&self.observe, &sets, &self.tree, &mut issues);
        let context = RuleContext {
            sets,
            observe: observe.unwrap_or_default(),
            ..self.context.clone()
        };
        let mut renewed = Vec::new();
        for (rule, located) in rules.iter().zip(&self.located) {
            match rule::with_sets(rule, &located.rule.filter, &context) {
                Ok(rule) => renewed.push(rule),
                Err(errors) => {
                    for error in errors {
                        let path = below(&located.path, &error.path);
                        issues.error(&located.origin, path, error.message);
                    }
                }
            }
        }
        issues.finish().map(|_| renewed)
    }
}
