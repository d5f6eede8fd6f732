//! Names and labels: what they may be made of.

use std::collections::BTreeMap;

use super::context::Problems;
use crate::units::Scalar;

/// 1 to `max` of letters, digits, `.`, `_`, `-`.
pub(super) fn check_word(text: &str, max: usize) -> Result<(), String> {
    let valid = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !text.is_empty() && text.len() <= max && text.chars().all(valid) {
        Ok(())
    } else {
        Err(format!(
            "`{text}` is not valid: 1 to {max} of letters, digits, `.`, `_`, `-`"
        ))
    }
}

/// Label keys are what most systems downstream take without quoting: a letter or `_`, then letters,
/// digits, `_`, `.`, `-`, at most 100. Values are any text of at most 1,000 bytes.
pub(super) fn check_label(key: &str, value: &str) -> Result<(), String> {
    let first = key
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let rest = key
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !first || !rest || key.len() > 100 {
        return Err(format!(
            "`{key}` is not a label name: a letter or _, then letters, digits, _ . -, at most 100"
        ));
    }
    if value.len() > 1000 {
        return Err(format!(
            "label `{key}` has {} bytes, above 1000",
            value.len()
        ));
    }
    Ok(())
}

/// Checked labels, which are at `path`.
pub(super) fn labels(
    path: &str,
    labels: &BTreeMap<String, Scalar>,
    problems: &mut Problems,
) -> Option<BTreeMap<String, String>> {
    let checked: Vec<Option<(String, String)>> = labels
        .iter()
        .map(|(key, value)| {
            let checked = check_label(key, value.as_str());
            problems.take(format!("{path}.{key}"), checked)?;
            Some((key.clone(), value.0.clone()))
        })
        .collect();
    checked.into_iter().collect()
}
