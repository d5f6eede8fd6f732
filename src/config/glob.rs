//! File names with `*` and `?`, as `rule_files` has them.

use std::path::{Component, Path, PathBuf};

use super::layer::io_reason;

/// The files that `pattern` matches, sorted; relative to `folder`. A name that begins with a dot is matched
/// only by a pattern that does.
pub(super) fn expand(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    if pattern.contains("**") {
        return Err(format!(
            "`{pattern}` has `**`; valid is `*` and `?` in each part of a path"
        ));
    }
    let mut found = vec![folder.to_path_buf()];
    for part in Path::new(pattern).components() {
        let mut next = Vec::new();
        for base in found {
            match part {
                Component::Normal(name) if name.to_string_lossy().contains(['*', '?']) => {
                    next.extend(matching(&base, &name.to_string_lossy())?);
                }
                other => next.push(base.join(other)),
            }
        }
        found = next;
    }
    found.retain(|path| path.is_file());
    found.sort();
    Ok(found)
}

fn matching(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let listed = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    if !listed.is_dir() {
        return Ok(Vec::new());
    }
    let unreadable = |error: &std::io::Error| {
        format!(
            "{} cannot be listed: {}",
            listed.display(),
            io_reason(error)
        )
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(listed).map_err(|e| unreadable(&e))? {
        let name = entry.map_err(|e| unreadable(&e))?.file_name();
        let text = name.to_string_lossy();
        if text.starts_with('.') == pattern.starts_with('.') && matches(pattern, &text) {
            names.push(folder.join(&name));
        }
    }
    Ok(names)
}

/// Whether all of `name` fits `pattern`: `*` is any run of characters, `?` one of them.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stands, and how much of the name it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                p = at + 1;
                n = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_take_any_run_and_question_marks_one() {
        for (pattern, name) in [
            ("*.yaml", "a.yaml"),
            ("*", ""),
            ("a?c*", "abcd"),
            ("*a*b", "xaabyb"),
            ("ab", "ab"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.yaml", "a.yml"),
            ("?", ""),
            ("a", "ab"),
            ("ab", "a"),
            ("*a", "ab"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn hidden_files_need_a_hidden_pattern() {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        for name in ["b.yaml", "a.yaml", ".hidden.yaml", "c.txt"] {
            std::fs::write(dir.path().join(name), "").expect("a file can be written there");
        }
        let names = |pattern| -> Vec<String> {
            let files = expand(dir.path(), pattern).expect("the folder can be listed");
            files
                .iter()
                .filter_map(|f| Some(f.file_name()?.to_string_lossy().into_owned()))
                .collect()
        };
        assert_eq!(names("*.yaml"), ["a.yaml", "b.yaml"]);
        assert_eq!(names(".*.yaml"), [".hidden.yaml"]);
        assert_eq!(names("c.txt"), ["c.txt"]);
        assert_eq!(names("nothing/*.yaml"), [""; 0]);
    }
}
