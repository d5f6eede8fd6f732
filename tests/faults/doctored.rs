//! Verdicts that cannot fail show nothing: each is shown here what is wrong, and must say so.

use crate::collector::Order;
use crate::run::Prepared;
use crate::support::kafka_client::Incoming;
use crate::verdict::{Expected, Observed};

/// A change to what was observed, by what it would be called.
type Change = (&'static str, fn(&mut Observed));

/// One for each verdict.
const CHANGES: [Change; 13] = [
    ("an alert that is lost", |o| {
        o.alerts.pop();
    }),
    ("an alert that is repeated", |o| {
        o.alerts.extend(o.alerts.last().cloned());
    }),
    ("an alert whose body is changed", |o| {
        change(o.alerts.last_mut(), "\"hosts\":", "\"hosts\":1");
    }),
    ("an alert under another key", |o| {
        o.alerts[0].key.push(b'x');
    }),
    ("an alert that is not final", |o| {
        change(o.alerts.last_mut(), "\"final\":true", "\"final\":false");
    }),
    ("an alert that is open no more", |o| {
        o.active
            .insert(b"rule|192.0.2.0/24".to_vec(), b"{}".to_vec());
    }),
    ("a window that is lost", |o| {
        o.windows.pop();
    }),
    ("a dead letter that is lost", |o| {
        o.dead_letters.pop();
    }),
    ("a dead letter that is changed", |o| {
        o.dead_letters[0].payload.get_or_insert_default().push(0);
    }),
    ("a record that was counted twice", |o| {
        o.fates
            .values_mut()
            .next()
            .expect("there are markers")
            .selected += 1;
    }),
    ("a record with another fate", |o| {
        let fates = o.fates.values_mut().next().expect("there are markers");
        fates.selected -= 1;
        fates.not_selected += 1;
    }),
    ("state that is changed", |o| {
        let value = o.state.values_mut().find(|value| !value.is_empty());
        value.expect("there is state")[0] ^= 1;
    }),
    ("an offset that was not committed", |o| o.committed[0] -= 1),
];

/// Panics unless every verdict finds nothing wrong with the oracle, and something with each change to it.
pub(crate) fn check(expected: &Expected, prepared: &Prepared, input: &[Incoming]) {
    let oracle = &expected.oracle;
    let wrong = expected.judge(oracle, prepared, input);
    assert!(
        wrong.is_empty(),
        "the undisturbed run is not itself: {wrong:#?}"
    );
    for (what, make) in CHANGES {
        let mut doctored = oracle.clone();
        make(&mut doctored);
        let wrong = expected.judge(&doctored, prepared, input);
        assert!(!wrong.is_empty(), "nothing is said of {what}");
    }
    for (which, records) in [
        ("alerts", &oracle.alerts),
        ("windows", &oracle.windows),
        ("dead-letters", &oracle.dead_letters),
    ] {
        let mut order = Order::default();
        let wrong = records.iter().find_map(|record| order.look(which, record));
        assert_eq!(wrong, None, "{which} of the undisturbed run");
        let mut again = records.last().expect("there are records").clone();
        again.offset += 1;
        let said = order.look(which, &again);
        assert!(
            said.is_some(),
            "nothing is said of a record of {which} that comes twice"
        );
    }
    println!(
        "   each verdict fails on what is wrong: {} changes and 3 repetitions",
        CHANGES.len()
    );
}

fn change(record: Option<&mut Incoming>, from: &str, to: &str) {
    let payload = &mut record.expect("there are records").payload;
    let text = String::from_utf8_lossy(payload.as_deref().unwrap_or_default()).into_owned();
    assert!(text.contains(from), "{text} has no {from}");
    *payload = Some(text.replace(from, to).into_bytes());
}
