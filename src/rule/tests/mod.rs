mod errors;
mod fingerprints;
mod limits;
mod shipped;
mod warnings;

use super::{Rule, RuleConfig, RuleContext, compile};

/// A rule from YAML, on top of a name and a threshold.
fn config(yaml: &str) -> RuleConfig {
    let mut text = yaml.to_owned();
    let states = |key: &str| yaml.lines().any(|line| line.starts_with(key));
    if !states("name:") {
        text.push_str("\nname: test\n");
    }
    if !states("thresholds:") {
        text.push_str("\nthresholds: {bytes: 100MiB}\n");
    }
    serde_norway::from_str(&text).expect("the test's YAML has the right shape")
}

fn rule(yaml: &str) -> Rule {
    rule_in(yaml, &RuleContext::default())
}

fn rule_in(yaml: &str, context: &RuleContext) -> Rule {
    match compile(&config(yaml), context) {
        Ok(rule) => rule,
        Err(errors) => panic!("{yaml}: {}", errors[0]),
    }
}
