//! Rules that share incidents.

use super::*;
use crate::rule::Lifecycle;

/// Windows of 10 s and of 30 s, the second of which closes later.
fn both(group: Option<&str>) -> [Rule; 2] {
    let (mut quick, mut slow) = (rule("quick", 1, 10), rule("slow", 2, 30));
    slow.grace = GRACE + Duration::from_secs(5);
    for rule in [&mut quick, &mut slow] {
        rule.incident_group = group.map(Into::into);
        rule.lifecycle = Lifecycle {
            hold: 1,
            ..Lifecycle::default()
        };
    }
    [quick, slow]
}

/// To a rule, in the window from that second on: hosts with their bytes.
type Sums<'a> = (usize, i64, &'a [(u32, u64)]);

/// What is said of hosts with so many bytes, by rule and window: a line for each message, with the first alert of its incident.
fn told(rules: &[Rule; 2], flows: &[Sums<'_>], marks: &[i64]) -> Vec<String> {
    let mut world = World::new(plan(rules.clone()));
    let all: Vec<&Rule> = rules.iter().collect();
    world.mark(marker(0, 1, &all, Some(121)));
    for (rule, start, hosts) in flows {
        world.apply(delta(&rules[*rule], *start, hosts));
    }
    for at in marks {
        world.mark(marker(0, 1, &all, Some(*at)));
        world.restart();
    }
    let mut first = BTreeMap::new();
    let mut told = Vec::new();
    for alert in &world.committed.alerts {
        let status = serde_json::to_value(alert.status).expect("a status is text");
        let status = status.as_str().expect("a status is text").to_owned();
        let name = format!(
            "{} {} {}",
            alert.rule.name,
            alert.prefix,
            &alert.window.start[14..19]
        );
        first
            .entry(alert.id.clone())
            .or_insert_with(|| name.clone());
        let incident = &first[&alert.incident_id];
        told.push(format!(
            "{name} {status} of {incident} {}",
            alert.incident_pulse
        ));
    }
    told
}

const HOST: &[(u32, u64)] = &[(1, 150)];
const NETWORK: &[(u32, u64)] = &[(1, 60), (2, 60)];
const OTHER: &[(u32, u64)] = &[(200, 150)];

#[test]
fn alerts_of_rules_in_a_group_are_one_incident_while_both_are_open() {
    let flows: [Sums<'_>; 5] = [
        (0, 120, HOST),
        (0, 130, HOST),
        (0, 140, HOST),
        (1, 120, NETWORK),
        (1, 150, OTHER),
    ];
    let shared = told(&both(Some("group")), &flows, &[200]);
    assert_eq!(
        shared,
        [
            "quick 10.0.0.1/32 02:00 started of quick 10.0.0.1/32 02:00 1",
            "quick 10.0.0.1/32 02:10 ongoing of quick 10.0.0.1/32 02:00 1",
            "quick 10.0.0.1/32 02:20 ongoing of quick 10.0.0.1/32 02:00 1",
            "slow 10.0.0.0/30 02:00 started of quick 10.0.0.1/32 02:00 1",
            "quick 10.0.0.1/32 02:30 ended of quick 10.0.0.1/32 02:00 1",
            "slow 10.0.0.0/30 02:30 ended of quick 10.0.0.1/32 02:00 1",
            "slow 10.0.0.200/32 02:30 started of slow 10.0.0.200/32 02:30 1",
        ]
    );
    let cut = told(
        &both(Some("group")),
        &flows,
        &[131, 133, 150, 152, 156, 158, 163, 190, 200],
    );
    assert_eq!(cut, shared, "however markers fall");
    let apart = told(&both(None), &flows, &[200]);
    let slow: Vec<_> = apart
        .iter()
        .filter(|line| line.starts_with("slow"))
        .collect();
    assert!(slow[0].ends_with("of slow 10.0.0.0/30 02:00 1"), "{slow:?}");
}

#[test]
fn an_incident_goes_on_in_the_rule_that_joined_it_and_begins_again_there() {
    let flows: [Sums<'_>; 6] = [
        (0, 120, HOST),
        (1, 120, HOST),
        (1, 150, HOST),
        // The first rule's alert has ended; the second's is open.
        (0, 180, HOST),
        // Both have ended.
        (1, 240, HOST),
        (0, 270, HOST),
    ];
    let told = told(&both(Some("group")), &flows, &[330]);
    let joined = "of quick 10.0.0.1/32 02:00";
    let started: Vec<_> = told
        .iter()
        .filter(|line| line.contains("started"))
        .collect();
    assert_eq!(
        started,
        [
            &format!("quick 10.0.0.1/32 02:00 started {joined} 1"),
            &format!("slow 10.0.0.1/32 02:00 started {joined} 1"),
            &format!("quick 10.0.0.1/32 03:00 started {joined} 1"),
            &format!("slow 10.0.0.1/32 04:00 started {joined} 2"),
            &format!("quick 10.0.0.1/32 04:30 started {joined} 2"),
        ]
    );
}

#[test]
fn an_alert_soon_after_that_of_another_rule_is_another_pulse_of_its_incident() {
    // The first ends with the window before second 140, and rests for ten of 10 s.
    let quick = (0, 120, HOST);
    let begun = |start: i64| {
        let flows: [Sums<'_>; 2] = [quick, (1, start, HOST)];
        let told = told(&both(Some("group")), &flows, &[start + 60]);
        let last = told.iter().rfind(|line| line.starts_with("slow"));
        let started = last.filter(|line| line.contains("started"));
        started.expect("it started").to_owned()
    };
    let joined = "of quick 10.0.0.1/32 02:00";
    // In the window that the first one was in, right after it, at the end of its rest, and beyond.
    assert!(begun(120).ends_with(&format!("{joined} 1")));
    assert!(begun(150).ends_with(&format!("{joined} 2")));
    assert!(begun(210).ends_with(&format!("{joined} 2")));
    assert!(begun(240).ends_with("of slow 10.0.0.1/32 04:00 1"));
}
