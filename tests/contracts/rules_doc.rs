//! The documentation of rules names every field, and its example is valid.

use std::fs;
use std::path::Path;

use hotprefix::config;
use hotprefix::flow::Field;

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    fs::read_to_string(path).expect("docs/rules.md is there")
}

#[test]
fn every_field_is_documented() {
    let text = text();
    let missing: Vec<_> = Field::ALL
        .iter()
        .map(|f| f.name())
        .filter(|name| !text.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "not in docs/rules.md: {missing:?}");
}

#[test]
fn the_example_is_valid_and_each_filter_in_the_table_compiles() {
    let text = text();
    let (_, rest) = text.split_once("```yaml\n").expect("a YAML block");
    let (example, rest) = rest.split_once("```").expect("its end");
    check(example);
    let table = rest.lines().filter(|line| line.starts_with("| "));
    let mut compiled = 0;
    for line in table.take_while(|line| !line.starts_with("| kind")) {
        for filter in line.split('`').skip(1).step_by(2) {
            let filter = filter.replace('\'', "''");
            check(&format!(
                "rules: [{{name: a, filter: '{filter}', thresholds: {{bytes: 1}}}}]\n\
                 sets: {{borders: [192.0.2.1], peers: [64496]}}"
            ));
            compiled += 1;
        }
    }
    assert!(compiled > 15, "{compiled} filters in the table");
}

#[test]
fn every_recipe_is_a_valid_configuration() {
    let text = text();
    let (_, recipes) = text.split_once("\n# Recipes\n").expect("there are recipes");
    let headings = recipes.matches("\n## ").count();
    let blocks = recipes.split("```yaml\n").skip(1);
    let recipes: Vec<_> = blocks.filter_map(|b| b.split("```").next()).collect();
    assert!(recipes.len() > 8, "{} recipes", recipes.len());
    assert_eq!(recipes.len(), headings, "one for each heading");
    recipes.into_iter().for_each(check);
}

fn check(yaml: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("example.yaml");
    fs::write(&path, yaml).expect("a file");
    let loaded = config::load(&[path], [], []);
    assert!(loaded.is_ok(), "{yaml}\n{}", loaded.unwrap_err());
}
