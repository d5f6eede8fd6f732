//! Line-oriented files: one entry per line, comments from `#` on.

use std::fmt;

/// What is wrong in one line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// Lines with their numbers, without comments, trimmed, without empty ones. A `#` begins a comment
/// at the start of a line or after white space, outside double quotes.
pub(super) fn uncommented_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, without_comment(line).trim()))
        .filter(|(_, line)| !line.is_empty())
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let mut after_space = true;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if after_space && !quoted => return &line[..at],
            _ => {}
        }
        after_space = c.is_whitespace();
    }
    line
}

/// Words separated by white space; double quotes keep white space inside a word and are dropped.
pub(super) fn split_words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut open) = (false, false);
    for c in line.chars() {
        if c == '"' {
            quoted = !quoted;
            open = true;
        } else if c.is_whitespace() && !quoted {
            if open {
                words.push(std::mem::take(&mut word));
            }
            open = false;
        } else {
            word.push(c);
            open = true;
        }
    }
    if quoted {
        return Err("a double quote is not closed".to_owned());
    }
    if open {
        words.push(word);
    }
    Ok(words)
}
