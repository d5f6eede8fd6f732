//! Files of named sets that are read again.

use std::fs;
use std::sync::Arc;

use hotprefix::config::{Config, load};
use hotprefix::flow::Flow;
use hotprefix::net::Addr;
use hotprefix::rule::Rule;

const CONFIG: &str = "\
input: {observe: {exporters: [sets.borders]}}
sets: {borders: {file: lists/borders.txt}, peers: [64496]}
rules:
  - {name: one, filter: 'src_as in sets.peers', thresholds: {bytes: 1MiB}, scope: {file: scope.txt}}
  - {name: two, thresholds: {bytes: 1MiB}}
";

/// A folder with a configuration, and what was loaded from it.
fn loaded() -> (tempfile::TempDir, Config) {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    fs::create_dir(dir.path().join("lists")).expect("a folder can be made there");
    let write = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).expect("a file can be written there");
    };
    write("config.yaml", CONFIG);
    write("lists/borders.txt", "192.0.2.1\n");
    write("scope.txt", "198.51.100.0/24\n");
    let loaded = load(&[dir.path().join("config.yaml")], [], []);
    let config = loaded.unwrap_or_else(|errors| panic!("{errors}")).config;
    (dir, config)
}

fn is_selected(rule: &Rule, exporter: [u8; 4]) -> bool {
    let flow = Flow {
        exporter: Some(Addr::V4(u32::from_be_bytes(exporter))),
        dst_addr: Some(Addr::V4(u32::from_be_bytes([198, 51, 100, 1]))),
        src_as: 64496,
        ..Flow::default()
    };
    rule.select(&flow).is_some()
}

#[test]
fn nothing_but_their_items_is_read_again() {
    let (dir, config) = loaded();
    let files = config.set_files.as_ref().expect("a set is in a file");
    assert_eq!(files.paths(), [dir.path().join("lists/borders.txt")]);
    let rules: Vec<_> = config.rules.iter().cloned().map(Arc::new).collect();
    let same = files.read(&rules).expect("nothing is wrong");
    for (same, rule) in same.iter().zip(&rules) {
        assert_eq!(same.selection, rule.selection, "nothing changed");
    }
    for name in ["config.yaml", "scope.txt"] {
        fs::write(dir.path().join(name), "no more").expect("it can be written");
    }
    fs::write(files.paths().remove(0), "192.0.2.2 # another\n").expect("it can be written");
    let renewed = files.read(&rules).expect("nothing is wrong with the sets");
    for (renewed, rule) in renewed.iter().zip(&rules) {
        assert_ne!(renewed.selection, rule.selection, "{}", rule.name);
        assert_eq!(renewed.identity, rule.identity, "{}", rule.name);
        assert_eq!(renewed.decision, rule.decision, "{}", rule.name);
        assert!(is_selected(rule, [192, 0, 2, 1]) && !is_selected(rule, [192, 0, 2, 2]));
        assert!(!is_selected(renewed, [192, 0, 2, 1]) && is_selected(renewed, [192, 0, 2, 2]));
    }
}

#[test]
fn what_is_wrong_with_them_is_named() {
    let (dir, config) = loaded();
    let files = config.set_files.as_ref().expect("a set is in a file");
    let rules: Vec<_> = config.rules.iter().cloned().map(Arc::new).collect();
    let file = files.paths().remove(0);
    let said = |text: Option<&str>| {
        match text {
            Some(text) => fs::write(&file, text).expect("it can be written"),
            None => fs::remove_file(&file).expect("it is there"),
        }
        let errors = files.read(&rules).expect_err("it is refused").to_string();
        errors.replace(&format!("{}/", dir.path().display()), "")
    };
    let wrong = said(Some("192.0.2.1\nrouter\n"));
    assert!(
        wrong.starts_with("config.yaml: input.observe.exporters: "),
        "{wrong}"
    );
    assert!(
        wrong.contains("set `borders`, line 2: `router` is not an address"),
        "{wrong}"
    );
    assert_eq!(
        said(Some("# none\n")),
        "config.yaml: sets.borders: has no item; valid is at least one"
    );
    assert!(said(None).starts_with("config.yaml: sets.borders: "));
}

#[test]
fn no_secret_is_kept_with_them() {
    let (dir, _) = loaded();
    let file = dir.path().join("config.yaml");
    let secret = "kafka: {sasl.password: hunter2, security.protocol: sasl_ssl, sasl.mechanisms: PLAIN, sasl.username: me}\n";
    fs::write(&file, format!("{secret}{CONFIG}")).expect("it can be written");
    let config = load(&[file], [], [])
        .unwrap_or_else(|errors| panic!("{errors}"))
        .config;
    assert!(config.set_files.is_some());
    let shown = format!("{config:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn without_a_file_there_is_nothing_to_read_again() {
    let config = super::Case::yaml("sets: {peers: [64496]}").loaded().config;
    assert!(config.set_files.is_none());
}
