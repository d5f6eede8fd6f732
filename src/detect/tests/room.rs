//! Which windows share a transaction.

use super::*;
use crate::detect::{SHARED_ALERTS, SHARED_WINDOWS};

/// Windows and alerts of each emission, when windows of 5 s with so many alerts each are due at one marker.
fn emissions(alerts: &[u32]) -> Vec<(usize, usize)> {
    let mut rule = rule("five", 1, 5);
    rule.lengths_v4 = LengthSet::list([32]);
    rule.max_prefixes = 10_000;
    // An alert is told once.
    rule.lifecycle.hold = 10_000;
    rule.lifecycle.repeat = 10_000;
    let plan = plan([rule.clone()]);
    let mut task = Committed::default().task(&plan).expect("no state");
    let deltas = (0i64..).zip(alerts).map(|(i, n)| {
        let first = i as u32 * 10_000;
        let rows: Vec<_> = (first..first + n).map(|host| (host, 150)).collect();
        delta(&rule, i * 5, &rows)
    });
    let end = alerts.len() as i64 * 5 + GRACE.as_secs() as i64;
    let marker = Partial::Marker(marker(0, 1, &[&rule], Some(end)));
    for (i, partial) in deltas.chain([marker]).enumerate() {
        task.apply(offset(i), partial, at(0));
    }
    std::iter::from_fn(|| {
        let emission = task.emission()?;
        let sizes = (emission.windows.len(), emission.alerts.len());
        task.committed(emission);
        Some(sizes)
    })
    .collect()
}

#[test]
fn windows_share_a_transaction_up_to_so_many_windows_and_alerts() {
    let most = SHARED_ALERTS as u32;
    assert_eq!(
        emissions(&[0; 2_001]),
        [(SHARED_WINDOWS, 0), (1_000, 0), (1, 0)]
    );
    assert_eq!(emissions(&[250; 5]), [(4, SHARED_ALERTS), (1, 250)]);
    assert_eq!(emissions(&[most, 0, 1, 2]), [(2, SHARED_ALERTS), (2, 3)]);
    assert_eq!(emissions(&[1, most]), [(1, 1), (1, SHARED_ALERTS)]);
    assert_eq!(
        emissions(&[most + 500, 1]),
        [(1, SHARED_ALERTS + 500), (1, 1)]
    );
}

#[test]
fn a_window_that_found_no_room_is_told_once_and_in_the_order_of_rules() {
    let rules = [("a", 1), ("b", 2)].map(|(name, selection)| {
        let mut rule = rule(name, selection, 5);
        rule.lengths_v4 = LengthSet::list([32]);
        rule
    });
    let mut world = World::new(plan(rules.clone()));
    let rows: Vec<_> = (0..600).map(|host| (host, 150)).collect();
    for rule in &rules {
        world.apply(delta(rule, 0, &rows));
        world.apply(delta(rule, 5, &rows));
    }
    world.mark(marker(0, 1, &rules.each_ref(), Some(12)));
    let expected = ["a 00:00:00", "a 00:00:05", "b 00:00:00", "b 00:00:05"];
    let expected = expected.map(|window| format!("{window} final 90000"));
    assert_eq!(world.committed.told(), expected);
    assert_eq!(world.committed.alerts.len(), 2_400);
}
