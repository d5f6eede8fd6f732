//! What is wrong with a configuration: file or variable, path of the key, the value, what would be valid.

use std::fmt;

/// One thing that is wrong. Prints as `origin: path: problem`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigError {
    /// The file, environment variable or option that said it.
    pub origin: String,
    /// The path of the key, such as `input.topics[0]`; empty for the file itself.
    pub path: String,
    /// The value, and what would be valid. Secrets are never in it.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_located(f, &self.origin, &self.path, &self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// Everything that is wrong, sorted by origin and path; at least one. Prints one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// The errors.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Something valid that is probably not what the operator wants. Prints as `path: message`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The path of the key, such as `time.max_wait` or `rules[carpet].grace`; may be empty.
    pub path: String,
    /// What happens, and what to do instead.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_located(f, "", &self.path, &self.message)
    }
}

fn write_located(f: &mut fmt::Formatter<'_>, origin: &str, path: &str, text: &str) -> fmt::Result {
    for part in [origin, path] {
        if !part.is_empty() {
            write!(f, "{part}: ")?;
        }
    }
    f.write_str(text)
}

/// Collects errors and warnings while a configuration is read.
#[derive(Debug, Default)]
pub(super) struct Issues {
    errors: Vec<ConfigError>,
    warnings: Vec<Warning>,
}

impl Issues {
    /// Adds an error at `path`, said by `origin`.
    pub(super) fn error(
        &mut self,
        origin: impl Into<String>,
        path: impl Into<String>,
        problem: impl Into<String>,
    ) {
        self.errors.push(ConfigError {
            origin: origin.into(),
            path: path.into(),
            problem: problem.into(),
        });
    }

    /// Adds a warning about `path`.
    pub(super) fn warn(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Warning {
            path: path.into(),
            message: message.into(),
        });
    }

    /// Whether there is no error so far.
    pub(super) const fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// Adds everything in `other`.
    pub(super) fn absorb(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
    }

    /// The warnings, or all errors if there is one.
    pub(super) fn finish(mut self) -> Result<Vec<Warning>, ConfigErrors> {
        if self.errors.is_empty() {
            self.warnings.sort();
            self.warnings.dedup();
            Ok(self.warnings)
        } else {
            Err(self.into_errors())
        }
    }

    /// The errors, sorted, without repeats.
    pub(super) fn into_errors(mut self) -> ConfigErrors {
        self.errors.sort();
        self.errors.dedup();
        ConfigErrors(self.errors)
    }
}

/// ` (did you mean …?)` when one of `valid` is close to `given`, else nothing.
pub(super) fn suggestion<'a>(given: &str, valid: impl IntoIterator<Item = &'a str>) -> String {
    closest(given, valid).map_or_else(String::new, |v| format!(" (did you mean `{v}`?)"))
}

/// The one of `valid` that `given` is probably a slip of.
pub(super) fn closest<'a>(
    given: &str,
    valid: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let given = given.to_lowercase();
    valid
        .into_iter()
        .map(|v| (strsim::damerau_levenshtein(&given, &v.to_lowercase()), v))
        // One slip in a short word, two in a longer one, three in a long one.
        .filter(|(distance, v)| *distance <= (v.len() / 4).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, v)| v)
}

/// The names in backticks, separated by commas.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|n| format!("`{n}`")).collect();
    names.join(", ")
}
