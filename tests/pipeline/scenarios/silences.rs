//! Times at which alerts are written and not active. Minute 0 is 2023-11-14T22:13:00Z, a Tuesday.

use std::fmt::Write as _;

use super::{Minutes, alerts, minute, owned, word};

/// What is written, a line for each message: what of the alert's life is said, and whether it is silenced. Of two rules
/// the second has a label.
fn told(silences: &str, minutes: Minutes<'_>) -> String {
    let rules = "rules:\n\
                 - name: one\n  \
                   prefix_length: {ipv4: [32], ipv6: []}\n  \
                   scope: [{prefix: 192.0.2.0/25, labels: {customer: acme}}, {prefix: 192.0.2.128/25}]\n  \
                   thresholds: {bytes: 100}\n  \
                   lifecycle: {hold: 1}\n\
                 - name: two\n  \
                   labels: {team: noc, customer: other}\n  \
                   scope: [192.0.2.0/24]\n  \
                   prefix_length: {ipv4: [32], ipv6: []}\n  \
                   thresholds: {bytes: 1000}\n  \
                   lifecycle: {hold: 1}\n";
    let mut out = String::new();
    for alert in alerts(&format!("{silences}{rules}"), &owned(minutes)) {
        let (minute, status) = (minute(&alert), word(alert.status));
        let (rule, prefix, revision) = (&alert.rule.name, &alert.prefix, alert.revision);
        // Writing to a `String` cannot fail.
        let _ = write!(out, "{minute} {rule} {prefix} {status} {revision}");
        if let Some(reason) = alert.end_reason {
            let _ = write!(out, ", {}", word(reason));
        }
        if let Some(silence) = alert.silenced_by {
            let _ = write!(out, ", silenced by {silence}");
        }
        out.push('\n');
    }
    out
}

const HOST: (&str, u64) = ("192.0.2.1", 500);
const SECOND: (&str, u64) = ("192.0.2.129", 500);
const BOTH_RULES: (&str, u64) = ("192.0.2.1", 5_000);
/// Keeps the minutes coming when the hosts are silent.
const QUIET: (&str, u64) = ("192.0.2.200", 1);

#[test]
fn an_attack_in_a_maintenance_window_is_written_and_told_to_people_when_it_outlasts_it() {
    let silences = "silences:\n\
                    - {name: move, from: '2023-11-14T22:14:00Z', until: '2023-11-14T22:16:00Z', prefixes: [192.0.2.0/25]}\n";
    let all = [HOST, SECOND];
    assert_eq!(
        told(silences, &[&[QUIET], &all, &all, &all, &[QUIET]]),
        "1 one 192.0.2.1/32 started 0, silenced by move\n\
         1 one 192.0.2.129/32 started 0\n\
         2 one 192.0.2.1/32 ongoing 1, silenced by move\n\
         2 one 192.0.2.129/32 ongoing 1\n\
         3 one 192.0.2.1/32 ended 2, silence_over, silenced by move\n\
         3 one 192.0.2.1/32 started 0\n\
         3 one 192.0.2.129/32 ongoing 2\n\
         4 one 192.0.2.1/32 ended 1, below_threshold\n\
         4 one 192.0.2.129/32 ended 3, below_threshold\n"
    );
}

#[test]
fn an_attack_that_runs_when_maintenance_begins_goes_on_unless_it_is_to_end() {
    let minutes: Minutes<'_> = &[&[HOST], &[HOST], &[HOST], &[QUIET]];
    let silence = |end: bool| {
        format!(
            "silences:\n- {{name: move, from: '2023-11-14T22:14:00Z', until: '2023-11-14T23:00:00Z', end: {end}}}\n"
        )
    };
    assert_eq!(
        told(&silence(false), minutes),
        "0 one 192.0.2.1/32 started 0\n\
         1 one 192.0.2.1/32 ongoing 1\n\
         2 one 192.0.2.1/32 ongoing 2\n\
         3 one 192.0.2.1/32 ended 3, below_threshold\n"
    );
    assert_eq!(
        told(&silence(true), minutes),
        "0 one 192.0.2.1/32 started 0\n\
         1 one 192.0.2.1/32 ended 1, silenced\n\
         1 one 192.0.2.1/32 started 0, silenced by move\n\
         2 one 192.0.2.1/32 ongoing 1, silenced by move\n\
         3 one 192.0.2.1/32 ended 2, below_threshold, silenced by move\n"
    );
}

#[test]
fn of_several_silences_one_that_ends_alerts_is_enough() {
    let silence = |name: &str, from: &str, end: bool| {
        format!(
            "- {{name: {name}, from: '2023-11-14T22:{from}:00Z', until: '2023-11-15T00:00:00Z', end: {end}}}\n"
        )
    };
    let silences = silence("first", "13", false) + &silence("second", "14", true);
    let later = silence("first", "14", false) + &silence("second", "14", true);
    let minutes: Minutes<'_> = &[&[HOST], &[HOST]];
    assert_eq!(
        told(&format!("silences:\n{silences}"), minutes),
        "0 one 192.0.2.1/32 started 0, silenced by first\n\
         1 one 192.0.2.1/32 ongoing 1, silenced by first\n"
    );
    assert_eq!(
        told(&format!("silences:\n{later}"), minutes),
        "0 one 192.0.2.1/32 started 0\n\
         1 one 192.0.2.1/32 ended 1, silenced\n\
         1 one 192.0.2.1/32 started 0, silenced by first\n"
    );
}

#[test]
fn a_weekly_schedule_is_of_its_zone_and_of_its_days() {
    // In Berlin it is 23:13.
    let at = |days: &str| {
        let silences = format!(
            "silences:\n- {{name: backup, zone: Europe/Berlin, weekly: [{{days: [{days}], at: '23:00', for: 14m}}]}}\n"
        );
        told(&silences, &[&[HOST], &[QUIET]])
    };
    assert_eq!(
        at("mon, tue"),
        "0 one 192.0.2.1/32 started 0, silenced by backup\n\
         1 one 192.0.2.1/32 ended 1, silence_over, silenced by backup\n"
    );
    assert_eq!(
        at("wed"),
        "0 one 192.0.2.1/32 started 0\n\
         1 one 192.0.2.1/32 ended 1, below_threshold\n"
    );
}

#[test]
fn a_silence_is_about_rules_and_labels() {
    let started = |about: &str| {
        let silences =
            format!("silences:\n- {{name: s, until: '2024-01-01T00:00:00Z', {about}}}\n");
        let all = told(&silences, &[&[BOTH_RULES, SECOND]]);
        let silenced = all.lines().filter(|line| line.contains("silenced"));
        let told = silenced.filter_map(|line| line.strip_suffix(" started 0, silenced by s"));
        let told: Vec<_> = told.map(|line| line[2..].to_owned()).collect();
        told.join(", ")
    };
    assert_eq!(started("rules: [two]"), "two 192.0.2.1/32");
    // The target's label goes before the rule's.
    assert_eq!(started("labels: {customer: acme}"), "one 192.0.2.1/32");
    assert_eq!(started("labels: {customer: other}"), "two 192.0.2.1/32");
    assert_eq!(started("labels: {team: noc, customer: acme}"), "");
    assert_eq!(started("prefixes: [192.0.2.128/25]"), "one 192.0.2.129/32");
    assert_eq!(
        started("prefixes: [192.0.2.1]"),
        "one 192.0.2.1/32, two 192.0.2.1/32"
    );
}
