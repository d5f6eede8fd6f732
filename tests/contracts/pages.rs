//! Pages of `docs/` that are generated are what the code says.
//!
//! `UPDATE_PAGES=1 cargo test --test contracts` writes them anew.

mod cli;
mod config;

use std::fs;
use std::path::{Path, PathBuf};

/// What a generated page says about itself, below its title.
pub(crate) const NOTE: &str = "Generated from the code; `UPDATE_PAGES=1 cargo test --test contracts` writes it anew, and a test \
                               fails where it differs.";

/// Fails unless `docs/<name>` is `generated`; writes it instead if `UPDATE_PAGES` is set.
pub(crate) fn compare(name: &str, generated: &str) {
    let path = page(name);
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(&path, generated).expect("the page can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    if let Some(line) = first_difference(&committed, generated) {
        panic!(
            "docs/{name} differs from the code, first in line {line}: `UPDATE_PAGES=1 cargo test --test contracts` writes it anew"
        );
    }
}

/// The number of the first line in which two texts differ.
fn first_difference(is: &str, should: &str) -> Option<usize> {
    let same = is.split('\n').zip(should.split('\n'));
    (is != should).then(|| same.take_while(|(a, b)| a == b).count() + 1)
}

#[test]
fn a_page_that_differs_is_told_by_its_first_line_that_does() {
    assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
    assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
    assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
    assert_eq!(first_difference("", "a\n"), Some(1));
}

/// The same for what stands between `<!-- begin PART -->` and `<!-- end PART -->` in a page that is written by hand.
pub(crate) fn compare_part(name: &str, part: &str, generated: &str) {
    let text = fs::read_to_string(page(name)).expect("the page is there");
    let (begin, end) = (
        format!("<!-- begin {part} -->\n"),
        format!("<!-- end {part} -->\n"),
    );
    let (before, rest) = text.split_once(&begin).expect("the part begins");
    let (_, after) = rest.split_once(&end).expect("the part ends");
    compare(name, &format!("{before}{begin}{generated}{end}{after}"));
}

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name)
}
