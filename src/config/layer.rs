//! Files, environment and options, one on top of the other, through the `config` crate.
//!
//! Every value keeps its origin (the file, variable or option that said it), so that an error can
//! name it. A table merges key by key; anything else replaces what is below it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use config::{FileFormat, Format, Map, Source, Value, ValueKind};

use super::error::Issues;

/// The origin of a value that no file, variable or option set.
pub(super) const NO_FILE: &str = "configuration";

/// Everything stands below this one key: the `config` crate reads a key at the top as a path (`a.b`,
/// `a[9]`), and ours are just keys.
const ROOT: &str = "root";

/// One source: what it says, with the origin in each value.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer(pub(super) Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let table = Value::new(None, ValueKind::Table(self.0.clone()));
        Ok(Map::from_iter([(ROOT.to_owned(), table)]))
    }

    /// The provided method replaces what is there; ours merges key by key.
    fn collect_to(&self, cache: &mut Value) -> Result<(), config::ConfigError> {
        let above = Value::new(None, ValueKind::Table(self.collect()?));
        merge(cache, above);
        Ok(())
    }
}

fn merge_tables(below: &mut Map<String, Value>, above: Map<String, Value>) {
    for (key, value) in above {
        match below.get_mut(&key) {
            Some(old) => merge(old, value),
            None => {
                below.insert(key, value);
            }
        }
    }
}

fn merge(below: &mut Value, above: Value) {
    match (&mut below.kind, above) {
        (
            ValueKind::Table(old),
            Value {
                kind: ValueKind::Table(new),
                ..
            },
        ) => merge_tables(old, new),
        (_, above) => *below = above,
    }
}

/// The merged configuration with the origin of every value.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Value,
    /// The files it was read from, in the order given.
    pub(super) files: Vec<PathBuf>,
}

impl Tree {
    /// Puts the layers on top of each other, the first at the bottom.
    pub(super) fn build(layers: Vec<Layer>, files: Vec<PathBuf>, issues: &mut Issues) -> Self {
        let builder = layers
            .into_iter()
            .fold(config::Config::builder(), |builder, layer| {
                builder.add_source(layer)
            });
        let built = builder.build().map(|built| built.cache.kind);
        let root = match built {
            Ok(ValueKind::Table(mut top)) => top.remove(ROOT),
            Ok(_) => None,
            Err(error) => {
                issues.error(NO_FILE, "", error.to_string());
                None
            }
        };
        let root = root.unwrap_or_else(|| Value::new(None, ValueKind::Table(Map::new())));
        Self { root, files }
    }

    /// Forgets all but these keys.
    pub(super) fn keep(&mut self, keys: &[&str]) {
        if let ValueKind::Table(table) = &mut self.root.kind {
            table.retain(|key, _| keys.contains(&key.as_str()));
        }
    }

    /// The value at `path`.
    pub(super) fn get(&self, path: &[&str]) -> Option<&Value> {
        path.iter()
            .try_fold(&self.root, |value, key| match &value.kind {
                ValueKind::Table(table) => table.get(*key),
                _ => None,
            })
    }

    /// Who said the value at `path`, or the nearest one above it; else the first file.
    pub(super) fn origin(&self, path: &[&str]) -> String {
        self.get(path)
            .and_then(any_origin)
            .or_else(|| {
                (1..path.len())
                    .rev()
                    .find_map(|n| self.get(&path[..n])?.origin())
            })
            .map_or_else(|| self.first_file(), str::to_owned)
    }

    /// The file to name when a key is missing.
    pub(super) fn first_file(&self) -> String {
        self.files
            .first()
            .map_or_else(|| NO_FILE.to_owned(), |f| f.display().to_string())
    }

    /// What a relative path said by `origin` is relative to: the folder of the file, or, for a
    /// variable or an option, the working directory.
    pub(super) fn folder(&self, origin: &str) -> PathBuf {
        self.files
            .iter()
            .find(|f| f.display().to_string() == origin)
            .and_then(|f| f.parent())
            .map_or_else(PathBuf::new, Path::to_path_buf)
    }
}

/// The origin of a value. A table has none of its own once it is merged; then any part of it tells.
fn any_origin(value: &Value) -> Option<&str> {
    value.origin().or_else(|| match &value.kind {
        ValueKind::Table(table) => table.values().filter_map(any_origin).min(),
        _ => None,
    })
}

/// Reads one configuration file by its ending.
pub(super) fn read_file(path: &Path, issues: &mut Issues) -> Layer {
    let origin = path.display().to_string();
    let Some(value) = read_document(path, issues) else {
        return Layer::default();
    };
    match value.kind {
        ValueKind::Table(table) => Layer(table),
        ValueKind::Nil => Layer::default(),
        _ => {
            issues.error(
                &origin,
                "",
                format!(
                    "holds {}; valid is a map of keys such as `input:` and `rules:`",
                    describe(&value)
                ),
            );
            Layer::default()
        }
    }
}

/// Reads any YAML or TOML file; `None` with an error if that does not work.
pub(super) fn read_document(path: &Path, issues: &mut Issues) -> Option<Value> {
    let origin = path.display().to_string();
    let parse = match path.extension().and_then(|e| e.to_str()) {
        Some("yaml" | "yml") => parse_yaml,
        Some("toml") => parse_toml,
        _ => {
            issues.error(
                &origin,
                "",
                "is neither YAML nor TOML by its name; valid endings are `.yaml`, `.yml` and `.toml`",
            );
            return None;
        }
    };
    let parsed = match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &origin),
        Err(error) => Err(format!("cannot be read: {}", io_reason(&error))),
    };
    parsed
        .map_err(|problem| issues.error(&origin, "", problem))
        .ok()
}

/// A file's text, or why there is none.
pub(super) fn read_text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| {
        format!(
            "file {} cannot be read: {}",
            path.display(),
            io_reason(&error)
        )
    })
}

/// The error's kind in words, without the number that the system has for it.
pub(super) fn io_reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

fn parse_toml(text: &str, origin: &str) -> Result<Value, String> {
    let origin = origin.to_owned();
    FileFormat::Toml
        .parse(Some(&origin), text)
        .map(|table| Value::new(Some(&origin), ValueKind::Table(table)))
        .map_err(|error| format!("is not valid TOML: {}", without_excerpt(&error.to_string())))
}

/// The place and the reason, without the line of the file between them: it may hold a secret.
fn without_excerpt(error: &str) -> String {
    let mut lines = error.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    match lines.next_back() {
        Some(last) => format!("{first}: {last}"),
        None => first.to_owned(),
    }
}

/// A message of the YAML parser without what it quotes from the file.
fn without_values(error: &serde_norway::Error) -> String {
    let text = error.to_string();
    if let Some((path, _)) = text.split_once("invalid type: integer") {
        return format!("{path}a whole number that does not fit 64 bits; valid as text, in quotes");
    }
    let parts = text.split('`').enumerate();
    let kept: Vec<&str> = parts
        .map(|(i, part)| if i % 2 == 0 { part } else { "…" })
        .collect();
    kept.join("`")
}

/// Reads YAML text; `origin` goes into every value.
pub(super) fn parse_yaml(text: &str, origin: &str) -> Result<Value, String> {
    let mut document: serde_norway::Value = serde_norway::from_str(text)
        .map_err(|error| format!("is not valid YAML: {}", without_values(&error)))?;
    document
        .apply_merge()
        .map_err(|error| format!("is not valid YAML: {}", without_values(&error)))?;
    from_yaml(document, &origin.to_owned())
}

fn from_yaml(value: serde_norway::Value, origin: &String) -> Result<Value, String> {
    use serde_norway::Value as Yaml;
    let kind = match value {
        Yaml::Null => ValueKind::Nil,
        Yaml::Bool(b) => ValueKind::Boolean(b),
        Yaml::Number(n) => number(&n),
        Yaml::String(s) => ValueKind::String(s),
        Yaml::Sequence(items) => ValueKind::Array(
            items
                .into_iter()
                .map(|item| from_yaml(item, origin))
                .collect::<Result<_, _>>()?,
        ),
        Yaml::Mapping(entries) => {
            let mut table = Map::new();
            for (key, value) in entries {
                let key = match key {
                    Yaml::String(s) => s,
                    Yaml::Bool(b) => b.to_string(),
                    Yaml::Number(n) => n.to_string(),
                    _ => return Err("has a key that is no text".to_owned()),
                };
                if table.contains_key(&key) {
                    return Err(format!("has the key `{key}` twice in one map"));
                }
                let value =
                    from_yaml(value, origin).map_err(|problem| format!("{key}: {problem}"))?;
                table.insert(key, value);
            }
            ValueKind::Table(table)
        }
        Yaml::Tagged(_) => {
            return Err(
                "has a tag, such as `!x`; valid is a plain value, in quotes if it begins with `!`"
                    .to_owned(),
            );
        }
    };
    Ok(Value::new(Some(origin), kind))
}

fn number(n: &serde_norway::Number) -> ValueKind {
    match (n.as_i64(), n.as_u64(), n.as_f64()) {
        (Some(i), ..) => ValueKind::I64(i),
        (_, Some(u), _) => ValueKind::U64(u),
        (.., Some(f)) => ValueKind::Float(f),
        _ => ValueKind::String(n.to_string()),
    }
}

/// Sets `path` in `table`, with maps on the way.
pub(super) fn insert(table: &mut Map<String, Value>, path: &[String], value: Value) {
    let [key, rest @ ..] = path else { return };
    if rest.is_empty() {
        table.insert(key.clone(), value);
        return;
    }
    let child = table
        .entry(key.clone())
        .or_insert_with(|| Value::new(None, ValueKind::Nil));
    if !matches!(child.kind, ValueKind::Table(_)) {
        *child = Value::new(None, ValueKind::Table(Map::new()));
    }
    if let ValueKind::Table(inner) = &mut child.kind {
        insert(inner, rest, value);
    }
}

/// The value in words, for a message; texts in backticks, cut when long.
pub(super) fn describe(value: &Value) -> String {
    match &value.kind {
        ValueKind::Nil => "nothing".to_owned(),
        ValueKind::Table(_) => "a map".to_owned(),
        ValueKind::Array(_) => "a list".to_owned(),
        ValueKind::String(s) => format!("the text `{}`", shortened(s)),
        ValueKind::Boolean(b) => format!("`{b}`"),
        other => format!("the number `{other}`"),
    }
}

/// At most 80 characters of `text`, on one line.
pub(super) fn shortened(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(80)
        .collect();
    if text.chars().count() > 80 {
        format!("{line}…")
    } else {
        line
    }
}

/// The same value for serde, without keys that are set to nothing.
pub(super) fn to_json(value: &Value) -> serde_json::Value {
    match &value.kind {
        ValueKind::Nil => serde_json::Value::Null,
        ValueKind::Boolean(b) => (*b).into(),
        ValueKind::I64(i) => (*i).into(),
        ValueKind::U64(u) => (*u).into(),
        // Wider numbers do not occur in YAML or TOML; a float that JSON has not is refused as text.
        ValueKind::I128(_) | ValueKind::U128(_) => value.kind.to_string().into(),
        ValueKind::Float(f) => serde_json::Number::from_f64(*f)
            .map_or_else(|| f.to_string().into(), serde_json::Value::Number),
        ValueKind::String(s) => s.clone().into(),
        ValueKind::Array(items) => items.iter().map(to_json).collect(),
        ValueKind::Table(table) => {
            let sorted: BTreeSet<&String> = table.keys().collect();
            sorted
                .into_iter()
                .filter(|key| !matches!(table[*key].kind, ValueKind::Nil))
                .map(|key| (key.clone(), to_json(&table[key])))
                .collect()
        }
    }
}
