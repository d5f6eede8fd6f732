//! The configuration file: one struct per component, each field with unit, default and bound.
//!
//! In: YAML or TOML files, then `HOTPREFIX__…` variables, then single `KEY=VALUE` options, one on top of the
//! other ([`load`]). Out: [`Config`], checked, with [`Warning`]s about what is valid but unwise; or
//! [`ConfigErrors`], all of them at once, which name the file, the path of the key, the value and what
//! would be valid. Unknown keys are errors.
//!
//! [`FileConfig`] is what an operator writes, and the documented [`schema`]; [`Config`] is what the
//! program works with. `deploy/config.yaml` holds every key with its default.
//!
//! Invariant: a secret (see [`is_secret`]) is in [`Config::kafka`] and nowhere else: no message, no `Debug` form and
//! not [`Loaded::effective_yaml`] has one.

mod check;
mod effective;
mod env;
mod error;
mod file;
mod glob;
mod kafka;
mod layer;
mod model;
mod observe;
mod rules;
mod schema;
mod set_files;
mod sets;
mod shape;
mod silences;
mod warn;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ::config::{Value, ValueKind};

use self::check::Checker;
use self::error::Issues;
use self::layer::Tree;
use self::rules::{Compiler, Located};
use self::shape::Shape;
use crate::rule::RuleContext;
use crate::time::Timestamp;

pub use env::PREFIX;
pub use error::{ConfigError, ConfigErrors, Warning};
pub use file::FileConfig;
pub use kafka::{AppliesTo, HIDDEN, KafkaProperties, applies_to, is_secret, property_names, shown};
pub use model::{
    Config, DeadLetterConfig, HttpConfig, InputConfig, InputStart, InternalConfig, OnGap,
    OutputConfig, OutputFormat, TelemetryConfig,
};
pub use schema::schema;
pub use set_files::SetFiles;

/// A configuration that is valid.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the program works with.
    pub config: Config,
    /// The same as an operator would write it, with every default; the rules of `rule_files` are in
    /// `rules`.
    pub file: FileConfig,
    /// What is valid but probably not meant, sorted.
    pub warnings: Vec<Warning>,
}

impl Loaded {
    /// The effective configuration as YAML, secrets as [`HIDDEN`].
    pub fn effective_yaml(&self) -> String {
        effective::to_yaml(&self.file)
    }

    /// [`Self::warnings`], and those about what is past at `now`.
    pub fn warnings_at(&self, now: Timestamp) -> impl Iterator<Item = Warning> {
        let past = self.config.past_silences(now);
        self.warnings.iter().cloned().chain(past)
    }

    /// The section `kafka` as YAML, with its name. A secret that stands in it is not repeated; a comment says so.
    pub fn kafka_yaml(&self) -> String {
        effective::kafka_yaml(&self.file)
    }
}

/// Reads the files, the environment (only names that begin with [`PREFIX`] count) and the overrides (path of
/// the key with dots, and the value as text), each on top of those before.
pub fn load(
    paths: &[PathBuf],
    env: impl IntoIterator<Item = (String, String)>,
    overrides: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigErrors> {
    read(paths, env, overrides, true)
}

/// The same for who counts nothing: that there is no rule is fine.
pub fn load_without_rules(
    paths: &[PathBuf],
    env: impl IntoIterator<Item = (String, String)>,
    overrides: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigErrors> {
    read(paths, env, overrides, false)
}

fn read(
    paths: &[PathBuf],
    env: impl IntoIterator<Item = (String, String)>,
    overrides: impl IntoIterator<Item = (String, String)>,
    needs_rules: bool,
) -> Result<Loaded, ConfigErrors> {
    let mut issues = Issues::default();
    let schema = schema::value();
    let shape = Shape::new(schema);
    let mut layers: Vec<_> = paths
        .iter()
        .map(|path| layer::read_file(path, &mut issues))
        .collect();
    layers.push(env::from_environment(env, &shape, &mut issues));
    layers.push(env::from_overrides(overrides, &shape, &mut issues));
    for layer in &mut layers {
        kafka::flatten(&mut layer.0, &mut issues);
    }
    // A file that cannot be read leaves nothing to check: its keys would all be missing.
    if !issues.is_clean() {
        return Err(fail(issues));
    }
    let mut tree = Tree::build(layers, paths.to_vec(), &mut issues);
    let inline = take(&mut tree.root, "rules");
    shape.check(
        &tree.root,
        shape.root(),
        "",
        &tree.first_file(),
        &mut issues,
    );
    let shaped = issues.is_clean();
    let rules = rules::read_all(&tree, inline, schema, &mut issues);
    if !shaped {
        return Err(fail(issues));
    }
    let mut file: FileConfig = match serde_json::from_value(layer::to_json(&tree.root)) {
        Ok(file) => file,
        Err(error) => {
            issues.error(tree.first_file(), "", error.to_string());
            return Err(fail(issues));
        }
    };
    file.rules = rules.iter().map(|r| r.rule.clone()).collect();
    if needs_rules && rules.is_empty() && issues.is_clean() {
        check::no_rules(&file, &tree, &mut issues);
    }
    let config = check_all(&file, tree, rules, &mut issues);
    issues.finish().map(|warnings| Loaded {
        config,
        file,
        warnings,
    })
}

fn check_all(file: &FileConfig, tree: Tree, located: Vec<Located>, issues: &mut Issues) -> Config {
    let kafka = kafka::check(&file.kafka, &tree, issues);
    let sets = sets::read(&file.sets, &tree, issues);
    let observe = observe::filter(&file.input.observe, &sets, &tree, issues);
    let (internal, dead_letters) = check::counts(file);
    let mut checker = Checker {
        tree: &tree,
        issues,
    };
    checker.name("application_id", &file.application_id);
    if let Some(instance) = &file.instance_id {
        checker.name("instance_id", instance);
    }
    let time = checker.time(&file.time);
    let sampling = checker.sampling(&file.sampling);
    let mut config = Config {
        application_id: file.application_id.clone(),
        instance_id: file.instance_id.clone(),
        static_membership: checker.membership(file, &kafka),
        input: checker.input(&file.input),
        time,
        sampling: sampling.clone(),
        flush_interval: checker.flush_interval(&file.flush_interval),
        output: checker.output(file),
        internal,
        dead_letters,
        kafka,
        http: checker.http(&file.http.listen),
        telemetry: checker.telemetry(file),
        rules: Vec::new(),
        set_files: None,
    };
    let observe = observe.unwrap_or_default();
    sets::warn_unused(&file.sets, &located, &file.input.observe, issues);
    let silences = silences::compile(&file.silences, &located, &tree, issues);
    let mut compiler = Compiler::new(RuleContext {
        event_time: time.event_time,
        sampling,
        observe,
        sets,
        silences,
        files: BTreeMap::new(),
    });
    for rule in &located {
        config.rules.extend(compiler.compile(rule, issues));
    }
    if issues.is_clean() {
        warn::about(&config, issues);
        let context = compiler.into_context();
        config.set_files = SetFiles::of(file, tree, located, context).map(Arc::new);
    }
    config
}

/// Takes the key out of a table.
fn take(root: &mut Value, key: &str) -> Option<Value> {
    match &mut root.kind {
        ValueKind::Table(table) => table.remove(key),
        _ => None,
    }
}

/// The errors of `issues`, of which there is at least one.
fn fail(mut issues: Issues) -> ConfigErrors {
    if issues.is_clean() {
        issues.error(layer::NO_FILE, "", "could not be read");
    }
    issues.into_errors()
}
