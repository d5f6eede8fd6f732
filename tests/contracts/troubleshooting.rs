//! What `docs/troubleshooting.md` quotes is what the code says.

use std::fs;
use std::path::Path;

/// The text of all source files, string literals in one line each.
fn source(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("sources can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            source(&path, text);
            continue;
        }
        let code = fs::read_to_string(&path).expect("sources are text");
        // A string that goes on in the next line goes on after its white space.
        let mut parts = code.split("\\\n");
        text.push_str(parts.next().unwrap_or_default());
        parts.for_each(|part| text.push_str(part.trim_start()));
    }
}

/// The texts in a quoted line between what varies.
fn fixed(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        found.push(before);
        rest = after.split_once('>').expect("what varies ends with >").1;
    }
    found.push(rest);
    found
}

#[test]
fn what_troubleshooting_quotes_is_in_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    source(&root.join("src"), &mut code);
    let page = fs::read_to_string(root.join("docs/troubleshooting.md")).expect("the page is there");
    let quoted = page
        .split("```text\n")
        .skip(1)
        .flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    let mut checked = 0;
    for line in quoted {
        for text in fixed(line) {
            assert!(code.contains(text), "nothing says `{text}` of `{line}`");
            checked += usize::from(text.len() > 8);
        }
    }
    assert!(checked > 20, "{checked} texts");
}

/// `docs/metrics.md` is generated from the code.
#[test]
fn every_metric_that_a_page_names_exists() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let known = fs::read_to_string(docs.join("metrics.md")).expect("the page is there");
    let mut named = 0;
    for entry in fs::read_dir(&docs).expect("docs can be read").flatten() {
        let Ok(page) = fs::read_to_string(entry.path()) else {
            continue;
        };
        if entry.file_name() == "metrics.md" {
            continue;
        }
        for (at, _) in page.match_indices("hotprefix_") {
            let name = &page[at..];
            let end = name.find(|c: char| c != '_' && !c.is_ascii_alphanumeric());
            let name = &name[..end.unwrap_or(name.len())];
            // What a histogram's series end in.
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .unwrap_or(name);
            let exists = [name, base]
                .iter()
                .any(|n| known.contains(&format!("`{n}`")));
            let page = entry.file_name();
            // A name with more behind it in braces or parentheses is a pattern.
            let whole = !name.ends_with('_');
            assert!(exists || !whole, "{}: no metric {name}", page.display());
            named += usize::from(exists);
        }
    }
    assert!(named > 20, "{named} names");
}
