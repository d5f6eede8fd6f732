//! The configuration: its errors, its warnings, its example and its schema.

mod errors;
mod example;
mod fuzz;
mod layers;
mod properties;
mod sets;
mod warnings;

use std::path::PathBuf;

use hotprefix::config::{ConfigErrors, Loaded, load};

/// A rule that is valid, so that a case can be about something else.
const RULE: &str =
    "rules: [{name: a, filter: 'direction == \"ingress\"', thresholds: {bytes: 1MiB}}]\n";

/// A configuration in a folder of its own.
#[derive(Default)]
struct Case<'a> {
    /// Names and texts; those that begin with `config` are given to [`load`], in this order.
    files: Vec<(&'a str, String)>,
    env: Vec<(&'a str, &'a str)>,
    overrides: Vec<(&'a str, &'a str)>,
}

impl<'a> Case<'a> {
    /// `config.yaml` with `text`, and a rule if it has none.
    fn yaml(text: &str) -> Self {
        let rule = if text.contains("rule") { "" } else { RULE };
        Self {
            files: vec![("config.yaml", format!("{text}\n{rule}"))],
            ..Self::default()
        }
    }

    fn file(mut self, name: &'a str, text: &str) -> Self {
        self.files.push((name, text.to_owned()));
        self
    }

    fn env(mut self, name: &'a str, value: &'a str) -> Self {
        self.env.push((name, value));
        self
    }

    fn set(mut self, key: &'a str, value: &'a str) -> Self {
        self.overrides.push((key, value));
        self
    }

    /// Loads it; errors as text, without the folder's name.
    fn load(&self) -> Result<Loaded, String> {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let mut paths: Vec<PathBuf> = Vec::new();
        for (name, text) in &self.files {
            let path = dir.path().join(name);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).expect("a folder can be made there");
            }
            std::fs::write(&path, text).expect("a file can be written there");
            if name.starts_with("config") {
                paths.push(path);
            }
        }
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let pairs = pairs.iter();
            pairs
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        let folder = dir.path().display().to_string();
        load(&paths, owned(&self.env), owned(&self.overrides)).map_err(|errors: ConfigErrors| {
            errors
                .to_string()
                .replace(&format!("{folder}/"), "")
                .replace(&folder, ".")
        })
    }

    fn loaded(&self) -> Loaded {
        self.load()
            .unwrap_or_else(|errors| panic!("should have been valid: {errors}"))
    }

    fn errors(&self) -> String {
        match self.load() {
            Ok(_) => panic!("should have been refused: {:?}", self.files),
            Err(text) => text,
        }
    }
}
