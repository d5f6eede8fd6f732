//! No text is a panic.

use proptest::prelude::*;

use super::Case;

/// Text with the words and the punctuation of a configuration.
fn yamlish() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "input",
        "topics",
        "kafka",
        "rules",
        "rule_files",
        "sets",
        "name",
        "filter",
        "thresholds",
        "time",
        "bootstrap.servers",
        "sasl.password",
        "file",
        "sampling",
        "exporters",
        "observe",
        "interfaces",
        "flush_interval",
        "max_behind",
        "http",
        "listen",
        "scope",
        "overrides",
        "gate",
        "prefix_length",
        "interval",
        ": ",
        ": ",
        ":\n  ",
        "\n",
        "\n- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "!t ",
        "<<: ",
        "|\n  ",
        "? ",
        "'",
        "\"",
        "#",
        "~",
        "1",
        "-1",
        "1e400",
        ".nan",
        "0x10",
        "60s",
        "0..32",
        "100MiB",
        "192.0.2.0/24",
        "2001:db8::/32",
        "off",
        "\t",
        "\0",
        "é",
        "---\n",
        "a[9]",
        "true",
    ]);
    prop::collection::vec(
        prop_oneof![9 => words.prop_map(str::to_owned), 1 => "\\PC{0,5}"],
        0..40,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_yaml_is_a_configuration_or_errors_that_name_the_file(text in yamlish()) {
        check(&Case::default().file("config.yaml", &text))?;
    }

    #[test]
    fn any_toml_is_a_configuration_or_errors_that_name_the_file(text in yamlish()) {
        check(&Case::default().file("config.toml", &text))?;
    }

    #[test]
    fn any_rule_file_is_rules_or_errors(text in yamlish()) {
        check(&Case::yaml("rule_files: [r.yaml]").file("r.yaml", &text))?;
    }

    #[test]
    fn any_value_of_a_variable_is_taken_or_refused(text in "[^\\x00]{0,40}") {
        for name in ["HOTPREFIX__INPUT__TOPICS", "HOTPREFIX__SAMPLING__EXPORTERS", "HOTPREFIX__RULES", "HOTPREFIX__KAFKA__X"] {
            check(&Case::yaml("").env(name, &text))?;
        }
    }
}

fn check(case: &Case<'_>) -> Result<(), TestCaseError> {
    if let Err(errors) = case.load() {
        prop_assert!(!errors.is_empty());
    }
    Ok(())
}

#[test]
fn deep_nesting_is_an_error() {
    for open in ["[", "{a: ", "- "] {
        let text = open.repeat(5_000);
        let errors = Case::default().file("config.yaml", &text).errors();
        assert!(
            errors.starts_with("config.yaml: is not valid YAML"),
            "{errors}"
        );
    }
    let text = format!("a = {}", "[".repeat(5_000));
    let errors = Case::default().file("config.toml", &text).errors();
    assert!(
        errors.starts_with("config.toml: is not valid TOML"),
        "{errors}"
    );
}

#[test]
fn an_index_in_a_key_is_part_of_the_key() {
    let errors = Case::yaml("'a[99999999999]': 1").errors();
    assert!(errors.contains("unknown key"), "{errors}");
}
