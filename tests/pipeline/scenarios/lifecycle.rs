//! From start to end.

use std::fmt::Write as _;

use super::{Minutes, alerts, minute, owned, word};

/// What the rules in `yaml` write for traffic, a line for each message: where in its life an alert is.
fn lives(yaml: &str, minutes: Minutes<'_>) -> String {
    let mut out = String::new();
    for alert in alerts(yaml, &owned(minutes)) {
        let (minute, status) = (minute(&alert), word(alert.status));
        let over = if alert.triggers.is_empty() {
            "below"
        } else {
            "over"
        };
        // Writing to a `String` cannot fail.
        let _ = write!(
            out,
            "{minute} {} {status} {} {over} {} of {}, {}",
            alert.prefix,
            alert.revision,
            alert.volume.bytes,
            alert.cumulative.bytes,
            alert.severity
        );
        if alert.incident_id != alert.id {
            out.push_str(", of another");
        }
        if alert.incident_pulse > 1 {
            let _ = write!(out, ", pulse {}", alert.incident_pulse);
        }
        if let Some(reason) = alert.end_reason {
            let _ = write!(out, ", {}", word(reason));
        }
        out.push('\n');
    }
    out
}

const HOST: &str = "192.0.2.1";
/// Keeps the minutes coming when the host is silent.
const OTHER: (&str, u64) = ("198.51.100.1", 1);

#[test]
fn an_attack_that_pauses_is_one_alert_and_ends_when_it_is_over() {
    let rules = "rules:\n\
                 - name: r\n  \
                   prefix_length: {ipv4: [32], ipv6: []}\n  \
                   thresholds: {bytes: 100}\n";
    assert_eq!(
        lives(
            rules,
            &[
                &[(HOST, 150)],
                &[OTHER],
                &[(HOST, 100)],
                &[(HOST, 400)],
                &[OTHER],
                &[OTHER],
                &[(HOST, 50)],
                &[(HOST, 101)],
            ]
        ),
        "0 192.0.2.1/32 started 0 over 150 of 150, warning\n\
         1 192.0.2.1/32 ongoing 1 below 0 of 150, warning\n\
         2 192.0.2.1/32 ongoing 2 below 100 of 250, warning\n\
         3 192.0.2.1/32 ongoing 3 over 400 of 650, warning\n\
         4 192.0.2.1/32 ongoing 4 below 0 of 650, warning\n\
         5 192.0.2.1/32 ongoing 5 below 0 of 650, warning\n\
         6 192.0.2.1/32 ended 6 below 50 of 700, warning, below_threshold\n\
         7 192.0.2.1/32 started 0 over 101 of 101, warning, of another, pulse 2\n"
    );
}

#[test]
fn traffic_around_the_threshold_does_not_flap_with_hysteresis() {
    let rules = "rules:\n\
                 - name: r\n  \
                   prefix_length: {ipv4: [32], ipv6: []}\n  \
                   thresholds: {bytes: 100}\n  \
                   lifecycle: {for: 2, hold: 1, repeat: 3, clear_at: 80%}\n";
    assert_eq!(
        lives(
            rules,
            &[
                // Too short, then long enough.
                &[(HOST, 101)],
                &[(HOST, 99)],
                &[(HOST, 101)],
                &[(HOST, 101)],
                // Told every third minute.
                &[(HOST, 81)],
                &[(HOST, 90)],
                &[(HOST, 81)],
                &[(HOST, 80)],
                &[(HOST, 90)],
            ]
        ),
        "3 192.0.2.1/32 started 0 over 101 of 202, warning\n\
         6 192.0.2.1/32 ongoing 1 over 81 of 454, warning\n\
         7 192.0.2.1/32 ended 2 below 80 of 534, warning, below_threshold\n"
    );
}

#[test]
fn an_open_alert_is_cleared_at_thresholds_of_its_own_and_keeps_its_last_severity() {
    let rules = "rules:\n\
                 - name: r\n  \
                   prefix_length: {ipv4: [32], ipv6: []}\n  \
                   thresholds: {bytes: 100, packets: 2}\n  \
                   escalation: [{severity: major, times: 2}]\n  \
                   lifecycle: {hold: 2, clear_at: {bytes: 40}}\n";
    assert_eq!(
        lives(
            rules,
            &[
                &[(HOST, 250)],
                &[(HOST, 41)],
                // Packets have no threshold of their own: three are over the usual one.
                &[(HOST, 1), (HOST, 1), (HOST, 1)],
                &[(HOST, 40)],
                &[(HOST, 40)],
            ]
        ),
        "0 192.0.2.1/32 started 0 over 250 of 250, major\n\
         1 192.0.2.1/32 ongoing 1 over 41 of 291, warning\n\
         2 192.0.2.1/32 ongoing 2 over 3 of 294, warning\n\
         3 192.0.2.1/32 ongoing 3 below 40 of 334, warning\n\
         4 192.0.2.1/32 ended 4 below 40 of 374, warning, below_threshold\n"
    );
}

#[test]
fn an_attack_that_spreads_ends_where_it_was_and_is_one_incident() {
    let rules = "rules:\n\
                 - name: r\n  \
                   prefix_length: {ipv4: [32, 24, 22], ipv6: []}\n  \
                   thresholds: {bytes: 100}\n";
    assert_eq!(
        lives(
            rules,
            &[
                &[(HOST, 150)],
                // Over two hosts, then over two networks.
                &[(HOST, 60), ("192.0.2.2", 60)],
                &[(HOST, 60), ("192.0.3.1", 60)],
                // Elsewhere is another incident.
                &[(HOST, 60), ("192.0.3.1", 60), ("203.0.113.1", 150)],
            ]
        ),
        "0 192.0.2.1/32 started 0 over 150 of 150, warning\n\
         1 192.0.2.0/24 started 0 over 120 of 120, warning, of another\n\
         1 192.0.2.1/32 ended 1 below 60 of 210, warning, superseded\n\
         2 192.0.0.0/22 started 0 over 120 of 120, warning, of another\n\
         2 192.0.2.0/24 ended 1 below 60 of 180, warning, of another, superseded\n\
         3 192.0.0.0/22 ongoing 1 over 120 of 240, warning, of another\n\
         3 203.0.113.1/32 started 0 over 150 of 150, warning\n"
    );
}

#[test]
fn several_vectors_of_one_attack_are_one_incident_where_their_rules_share_them() {
    let rules = |group: &str| {
        format!(
            "rules:\n\
             - name: volume\n  \
               {group}prefix_length: {{ipv4: [24], ipv6: []}}\n  \
               thresholds: {{bytes: 1000}}\n  \
               lifecycle: {{hold: 1}}\n\
             - name: hosts\n  \
               {group}prefix_length: {{ipv4: [32], ipv6: []}}\n  \
               thresholds: {{bytes: 300}}\n  \
               lifecycle: {{hold: 1}}\n"
        )
    };
    let minutes: Minutes<'_> = &[
        &[(HOST, 400)],
        &[(HOST, 400), ("192.0.2.7", 700)],
        &[("192.0.2.7", 700), ("192.0.2.9", 700)],
        &[OTHER],
    ];
    let told = |group: &str| {
        let all = alerts(&rules(group), &owned(minutes));
        let mut incidents: Vec<&str> = Vec::new();
        let mut out = String::new();
        for alert in all.iter().filter(|a| word(a.status) == "started") {
            let id = alert.incident_id.as_str();
            let known = incidents.iter().position(|known| *known == id);
            let number = known.unwrap_or_else(|| {
                incidents.push(id);
                incidents.len() - 1
            });
            let (minute, rule, prefix) = (minute(alert), &alert.rule.name, &alert.prefix);
            // Writing to a `String` cannot fail.
            let _ = writeln!(out, "{minute} {rule} {prefix} incident {number}");
        }
        out
    };
    assert_eq!(
        told("incident_group: ddos\n  "),
        "0 hosts 192.0.2.1/32 incident 0\n\
         1 hosts 192.0.2.7/32 incident 1\n\
         1 volume 192.0.2.0/24 incident 0\n\
         2 hosts 192.0.2.9/32 incident 0\n"
    );
    assert_eq!(
        told(""),
        "0 hosts 192.0.2.1/32 incident 0\n\
         1 hosts 192.0.2.7/32 incident 1\n\
         2 hosts 192.0.2.9/32 incident 2\n\
         1 volume 192.0.2.0/24 incident 3\n"
    );
}
