//! `rules` and `rule_files`: finds the files, reads them, and compiles every rule.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Value, ValueKind};
use serde_json::Value as Json;

use super::error::Issues;
use super::glob;
use super::layer::{Tree, describe, read_document, read_text, to_json};
use super::shape::Shape;
use crate::rule::{self, ListOrFile, Rule, RuleConfig, RuleContext};

/// The most rules of one configuration: what fits into the metadata of a committed offset.
pub(super) const MAX_RULES: usize = 256;

/// A rule as written, with where.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) rule: RuleConfig,
    /// File, variable or option.
    pub(super) origin: String,
    /// `rules[3]`, or, in a file of its own, nothing or `[3]`.
    pub(super) path: String,
    /// What relative paths in it are relative to.
    pub(super) folder: PathBuf,
}

/// A rule not yet read: its value and where it is.
struct Unread {
    value: Value,
    origin: String,
    path: String,
    folder: PathBuf,
}

/// Takes the rules out of the tree (so that each is read by itself) and those of `rule_files`.
pub(super) fn read_all(
    tree: &Tree,
    inline: Option<Value>,
    schema: &Json,
    issues: &mut Issues,
) -> Vec<Located> {
    let shape = Shape::new(schema);
    let mut unread = Vec::new();
    if let Some(value) = inline {
        let origin = tree.origin(&["rules"]);
        let folder = tree.folder(&origin);
        take_list(value, &origin, "rules", &folder, &mut unread, issues);
    }
    for (path, folder) in rule_files(tree, issues) {
        let origin = path.display().to_string();
        if let Some(value) = read_document(&path, issues) {
            take_list(value, &origin, "", &folder, &mut unread, issues);
        }
    }
    let mut rules: Vec<Located> = Vec::new();
    for rule in unread {
        if let Some(located) = read_one(rule, &shape, issues) {
            rules.push(located);
        }
    }
    check_names(&rules, issues);
    if rules.len() > MAX_RULES {
        let origin = tree.origin(&["rules"]);
        issues.error(
            origin,
            "rules",
            format!("are {} in all; valid is at most {MAX_RULES}", rules.len()),
        );
    }
    rules
}

fn take_list(
    value: Value,
    origin: &str,
    path: &str,
    folder: &Path,
    unread: &mut Vec<Unread>,
    issues: &mut Issues,
) {
    let own_file = path.is_empty();
    let mut take = |value: Value, path: String| {
        let origin = value.origin().unwrap_or(origin).to_owned();
        unread.push(Unread {
            value,
            origin,
            path,
            folder: folder.to_path_buf(),
        });
    };
    match value.kind {
        ValueKind::Array(items) => {
            for (i, item) in items.into_iter().enumerate() {
                take(item, format!("{path}[{i}]"));
            }
        }
        // TOML has no list at its top; there a file of rules has `[[rules]]`.
        ValueKind::Table(ref table)
            if own_file && table.len() == 1 && table.contains_key("rules") =>
        {
            if let Some(list) = table.get("rules") {
                take_list(list.clone(), origin, "rules", folder, unread, issues);
            }
        }
        ValueKind::Table(_) if own_file => take(value, String::new()),
        ValueKind::Nil if !own_file => {}
        _ => {
            let what = if own_file {
                "a rule or a list of rules"
            } else {
                "a list of rules"
            };
            issues.error(
                origin,
                path,
                format!("holds {}; valid is {what}", describe(&value)),
            );
        }
    }
}

fn read_one(rule: Unread, shape: &Shape<'_>, issues: &mut Issues) -> Option<Located> {
    let mut here = Issues::default();
    let schema = shape
        .property(shape.root(), "rules")
        .and_then(|rules| rules.get("items"))?;
    shape.check(&rule.value, schema, &rule.path, &rule.origin, &mut here);
    let clean = here.is_clean();
    issues.absorb(here);
    if !clean {
        return None;
    }
    match serde_json::from_value::<RuleConfig>(to_json(&rule.value)) {
        Ok(parsed) => Some(Located {
            rule: parsed,
            origin: rule.origin,
            path: rule.path,
            folder: rule.folder,
        }),
        Err(error) => {
            issues.error(rule.origin, rule.path, error.to_string());
            None
        }
    }
}

fn check_names(rules: &[Located], issues: &mut Issues) {
    let mut seen: BTreeMap<&str, &Located> = BTreeMap::new();
    for located in rules {
        let name = located.rule.name.as_str();
        match seen.get(name) {
            Some(first) => {
                let place = [first.origin.as_str(), first.path.as_str()].join(" ");
                issues.error(
                    &located.origin,
                    below(&located.path, "name"),
                    format!(
                        "is `{name}`, the name of the rule in {} too; valid is a name of its own",
                        place.trim_end()
                    ),
                );
            }
            None => {
                seen.insert(name, located);
            }
        }
    }
}

/// The files that `rule_files` names, each with the folder that its relative paths start from.
fn rule_files(tree: &Tree, issues: &mut Issues) -> Vec<(PathBuf, PathBuf)> {
    let Some(Value {
        kind: ValueKind::Array(patterns),
        ..
    }) = tree.get(&["rule_files"])
    else {
        return Vec::new();
    };
    let mut found: Vec<(PathBuf, PathBuf)> = Vec::new();
    for (i, value) in patterns.iter().enumerate() {
        let ValueKind::String(pattern) = &value.kind else {
            continue;
        };
        let origin = value
            .origin()
            .map_or_else(|| tree.origin(&["rule_files"]), str::to_owned);
        let path = format!("rule_files[{i}]");
        match glob::expand(&tree.folder(&origin), pattern) {
            Ok(files) if files.is_empty() => {
                issues.error(
                    &origin,
                    path,
                    format!(
                        "`{pattern}` matches no file in {}",
                        shown_folder(&tree.folder(&origin))
                    ),
                );
            }
            Ok(files) => {
                for file in files {
                    let folder = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
                    if !found.iter().any(|(f, _)| *f == file) {
                        found.push((file, folder));
                    }
                }
            }
            Err(problem) => issues.error(origin, path, problem),
        }
    }
    found
}

fn shown_folder(folder: &Path) -> String {
    if folder.as_os_str().is_empty() {
        "the working directory".to_owned()
    } else {
        folder.display().to_string()
    }
}

/// The path of `key`, itself a path, in the rule at `path`, which is empty for a rule in a file of its own.
pub(super) fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Compiles rules with the settings that all of them share.
pub(super) struct Compiler(RuleContext);

impl Compiler {
    pub(super) const fn new(context: RuleContext) -> Self {
        Self(context)
    }

    /// What all rules are compiled with.
    pub(super) fn into_context(self) -> RuleContext {
        self.0
    }

    /// The compiled rule, and what is doubtful about it; `None` if anything is wrong.
    pub(super) fn compile(&mut self, located: &Located, issues: &mut Issues) -> Option<Rule> {
        self.0.files.clear();
        let rule = &located.rule;
        let scope = rule.scope.as_ref().and_then(ListOrFile::file);
        let overrides = rule.overrides.as_ref().and_then(ListOrFile::file);
        for (key, file) in [("scope.file", scope), ("overrides.file", overrides)] {
            let Some(file) = file else { continue };
            match read_text(&located.folder.join(file)) {
                Ok(text) => {
                    self.0.files.insert(file.clone(), text);
                }
                Err(problem) => {
                    issues.error(&located.origin, below(&located.path, key), problem);
                    return None;
                }
            }
        }
        match rule::compile(&located.rule, &self.0) {
            Ok(compiled) => {
                for warning in rule::warnings(&compiled, self.0.event_time) {
                    issues.warn(
                        format!("rules[{}].{}", located.rule.name, warning.path),
                        warning.message,
                    );
                }
                Some(compiled)
            }
            Err(errors) => {
                for error in errors {
                    issues.error(
                        &located.origin,
                        below(&located.path, &error.path),
                        error.message,
                    );
                }
                None
            }
        }
    }
}
