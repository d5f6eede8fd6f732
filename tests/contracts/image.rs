//! `deploy/Dockerfile` and `deploy/compose.yaml` agree with the rest of the project.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The default of a build argument.
fn argument(name: &str) -> String {
    let dockerfile = read("deploy/Dockerfile");
    let start = format!("ARG {name}=");
    let mut lines = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix(&start));
    lines.next().expect("the argument has a default").to_owned()
}

fn services() -> Vec<(String, Value)> {
    let compose: Value = serde_norway::from_str(&read("deploy/compose.yaml")).unwrap();
    let services = compose["services"].as_object().unwrap().clone();
    assert!(services.len() >= 8, "{services:?}");
    services.into_iter().collect()
}

#[test]
fn image_is_built_with_the_toolchain_and_labelled_with_the_version_of_the_project() {
    let toolchain = read("rust-toolchain.toml");
    let channel = format!("channel = \"{}\"", argument("RUST_VERSION"));
    assert!(toolchain.contains(&channel), "{channel}: {toolchain}");
    assert_eq!(argument("VERSION"), env!("CARGO_PKG_VERSION"));
}

#[test]
fn compose_pins_every_image_and_builds_ours() {
    for (name, service) in services() {
        let image = service["image"].as_str().unwrap();
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        assert!(
            tag.contains(|c: char| c.is_ascii_digit()),
            "{name}: {image}"
        );
        if name == "hotprefix" {
            assert_eq!(tag, env!("CARGO_PKG_VERSION"));
            assert_eq!(service["build"]["dockerfile"], "deploy/Dockerfile");
        }
    }
}

#[test]
fn compose_mounts_files_that_are_there() {
    let mut mounted = 0;
    for (name, service) in services() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            if let Some(file) = source.strip_prefix("./") {
                let path = project("deploy").join(file);
                assert!(path.is_file(), "{name}: {}", path.display());
                mounted += 1;
            }
        }
    }
    assert!(mounted >= 9, "{mounted}");
}

#[test]
fn configuration_for_compose_is_valid_without_warnings() {
    let path = project("deploy/compose/hotprefix.yaml");
    let loaded = hotprefix::config::load(&[path], [], []).unwrap();
    assert_eq!(loaded.warnings, []);
}
