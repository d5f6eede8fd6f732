//! Every link in the documentation leads somewhere: files and headings that exist. Pages on the web are
//! listed (`--nocapture`), not fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Where pages are, besides the root.
const FOLDERS: [&str; 3] = ["docs", "schemas", "deploy"];
/// The web address of a file of the repository, as alert rules and charts give it.
const ON_THE_WEB: &str = "https://github.com/hotprefix/hotprefix/blob/main/";

/// A page's links and the anchors of its headings.
#[derive(Default)]
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    let pages = pages();
    let mut broken = Vec::new();
    let mut web = BTreeSet::new();
    for (path, page) in &pages {
        for link in &page.links {
            if let Some(inside) = link.strip_prefix(ON_THE_WEB) {
                check(&pages, Path::new(""), path, inside, &mut broken);
            } else if link.starts_with("https://") {
                web.insert(link);
            } else if link.starts_with("http://localhost:") {
                // Of something that the page starts.
            } else {
                let folder = path.parent().expect("a file has a folder");
                check(&pages, folder, path, link, &mut broken);
            }
        }
    }
    for link in web {
        println!("{link}");
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What a reader of an alert finds: anchors outside of pages.
#[test]
fn every_page_that_a_deployment_names_has_the_heading() {
    let pages = pages();
    let mut broken = Vec::new();
    for path in files(Path::new("deploy")) {
        let Ok(text) = fs::read_to_string(root().join(&path)) else {
            continue;
        };
        for (_, rest) in text
            .match_indices(ON_THE_WEB)
            .map(|(at, w)| text.split_at(at + w.len()))
        {
            let end = rest.find(|c: char| c.is_whitespace() || "\"'`)>,".contains(c));
            let inside = &rest[..end.unwrap_or(rest.len())];
            // A rule may compute the anchor.
            if !inside.contains(['{', '$']) {
                check(&pages, Path::new(""), &path, inside, &mut broken);
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_index_leads_to_every_page() {
    let pages = pages();
    let index = &pages[Path::new("docs/README.md")];
    let missing: Vec<_> = pages
        .keys()
        .filter_map(|path| path.strip_prefix("docs").ok()?.to_str())
        .filter(|name| *name != "README.md" && !name.contains('/'))
        .filter(|name| !index.links.iter().any(|l| l == name))
        .collect();
    assert!(missing.is_empty(), "not in docs/README.md: {missing:?}");
}

/// Adds to `broken` unless `link`, written in the page `from`, leads from `folder` to something.
fn check(
    pages: &BTreeMap<PathBuf, Page>,
    folder: &Path,
    from: &Path,
    link: &str,
    broken: &mut Vec<String>,
) {
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (link, None),
    };
    let target = if file.is_empty() {
        from.to_owned()
    } else {
        normal(&folder.join(file))
    };
    let from = from.display();
    if !root().join(&target).exists() {
        broken.push(format!("{from}: {link}: no such file"));
    } else if let Some(anchor) = anchor
        && !pages
            .get(&target)
            .is_some_and(|p| p.anchors.contains(anchor))
    {
        let target = target.display();
        broken.push(format!("{from}: {link}: no such heading in {target}"));
    }
}

/// Without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// All pages by path from the root of the repository.
fn pages() -> BTreeMap<PathBuf, Page> {
    let mut paths: Vec<_> = FOLDERS.iter().flat_map(|f| files(Path::new(f))).collect();
    let top = fs::read_dir(root()).expect("the root can be read");
    paths.extend(top.flatten().map(|entry| PathBuf::from(entry.file_name())));
    let pages: BTreeMap<_, _> = paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).expect("a page is text");
            let page = read(&text);
            (path, page)
        })
        .collect();
    assert!(pages.len() > 5, "{} pages", pages.len());
    pages
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder can be read");
    let paths = entries
        .flatten()
        .map(|entry| folder.join(entry.file_name()));
    paths
        .flat_map(|path| {
            if root().join(&path).is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn read(text: &str) -> Page {
    let mut page = Page::default();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let plain = anchor(&heading.take().unwrap_or_default());
                // As on GitHub, the second of two headings gets a number.
                let numbered = (1..).map(|n| format!("{plain}-{n}"));
                let free = std::iter::once(plain.clone())
                    .chain(numbered)
                    .find(|a| !page.anchors.contains(a));
                page.anchors.extend(free);
            }
            _ => {}
        }
    }
    page
}

/// A heading's anchor on GitHub: small letters, no punctuation, hyphens for spaces.
fn anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn headings_have_the_anchors_that_github_gives_them() {
    let page = read("# `hotprefix run`\n\n## Scope, and sets\n\n## A\n\n## A\n");
    let anchors: Vec<_> = page.anchors.iter().map(String::as_str).collect();
    assert_eq!(anchors, ["a", "a-1", "hotprefix-run", "scope-and-sets"]);
}

#[test]
fn a_link_to_nothing_is_broken() {
    let pages = pages();
    let mut broken = Vec::new();
    for link in [
        "nothing.md",
        "README.md#no-such-heading",
        "#no-such-heading",
    ] {
        check(
            &pages,
            Path::new(""),
            Path::new("README.md"),
            link,
            &mut broken,
        );
    }
    assert_eq!(broken.len(), 3, "{broken:?}");
    check(
        &pages,
        Path::new("docs"),
        Path::new("docs/rules.md"),
        "../README.md#try-it",
        &mut broken,
    );
    assert_eq!(broken.len(), 3, "{broken:?}");
}
