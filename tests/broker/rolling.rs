//! A rolling restart with changed rules: sums of different rules are never mixed, and no window goes missing unsaid.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::run::{Prepared, base};
use crate::support::app::App;
use crate::support::flows::Load;
use crate::support::kafka_client::{Incoming, Reader, Writer, read_all};
use crate::support::kafka_node::Cluster;
use crate::support::model::{self, AlertKey, Found, Outcome, Rule};
use crate::support::outcome::{Message, alerts, windows};
use crate::support::rules::rules;
use crate::support::wait;

/// The rule whose thresholds are edited, which is a matter of detect alone.
const DECISION: &str = "carpet";
/// The rule whose filter is edited: it selects other flows from some window on.
const SELECTION: &str = "sources";
const WINDOWS: i64 = 12;
const FINAL: Duration = Duration::from_mins(3);

/// Two instances; while flows keep coming for `time`, one after the other is restarted with edited rules.
pub(crate) fn check(flows: usize, time: Duration) {
    let cluster = Cluster::shared();
    let load = Load {
        intervals: WINDOWS,
        ..Load::new(42, flows, 4, base())
    };
    let old = Prepared::unwritten(cluster, "rolling", rules(), &load);
    let new = model::run(&edited(), old.partitions, &old.records);
    let [before, after] = [rules(), edited()].map(|rules| {
        let app = App::new(cluster, "rolling", &old.topic, &rules);
        app.set("internal.partitions", 4)
    });
    let mut instances = before.start_all(2);
    let instances = thread::scope(|scope| {
        let outgoing: Vec<_> = old.outgoing().collect();
        let writer = Writer::new(cluster, &old.topic);
        scope.spawn(move || writer.write_over(&outgoing, time));
        for number in 0..2 {
            wait::pass(time / 3);
            instances.remove(0).stop();
            let mut restarted = after.start(number);
            restarted.ready();
            instances.push(restarted);
        }
        instances
    });
    until_told(&after, &old.outcome);
    for instance in instances {
        instance.stop();
    }
    let told = Told::read(&after);
    told.unchanged_rules_are_as_ever(&old.outcome);
    told.an_edited_threshold_costs_no_window(&old.outcome, &new);
    told.an_edited_filter_costs_what_is_said(&old.outcome, &new);
}

fn edited() -> Vec<Rule> {
    let edit = |rule: Rule| match rule.name {
        DECISION => Rule {
            thresholds: halved(rule.thresholds),
            ..rule
        },
        SELECTION => Rule {
            filter: "dst_port > 30000 && packets > 4",
            selects: |flow| flow.dst_port > 30_000 && flow.packets > 4,
            ..rule
        },
        _ => rule,
    };
    rules().into_iter().map(edit).collect()
}

type Thresholds = Vec<(model::Metric, Vec<(u8, u64)>)>;

fn halved(thresholds: Thresholds) -> Thresholds {
    let halve = |(metric, table): (model::Metric, Vec<(u8, u64)>)| {
        let table = table.into_iter().map(|(length, limit)| (length, limit / 2));
        (metric, table.collect())
    };
    thresholds.into_iter().map(halve).collect()
}

/// Waits until each rule's last window is told.
fn until_told(app: &App<'_>, model: &Outcome) {
    let mut missing: Vec<_> = model.windows.keys().cloned().collect();
    let mut reader = Reader::new(app.cluster, &app.topic("windows"));
    reader.until("every window is told", FINAL, |records| {
        let told: Vec<_> = records.iter().map(|r| key(&r.message())).collect();
        missing.retain(|window| !told.contains(window));
        missing.is_empty()
    });
}

/// Rule and start of a window.
type WindowKey = (String, i64);

fn key(message: &Message) -> WindowKey {
    (message.rule().to_owned(), message.window_start())
}

/// What was told in the end.
struct Told {
    alerts: Vec<Message>,
    windows: Vec<Message>,
}

impl Told {
    fn read(app: &App<'_>) -> Self {
        let read = |which: &str| -> Vec<Message> {
            let records = read_all(app.cluster, &app.topic(which));
            records.iter().map(Incoming::message).collect()
        };
        Self {
            alerts: read("alerts"),
            windows: read("windows"),
        }
    }

    /// The final alerts of one window.
    fn alerts_of(&self, window: &WindowKey) -> BTreeMap<AlertKey, Found> {
        alerts(self.alerts.iter().filter(|a| key(a) == *window).cloned())
    }

    fn states_of(&self, window: &WindowKey) -> Vec<&str> {
        let of = self.windows.iter().filter(|w| key(w) == *window);
        of.filter_map(|w| w.body["state"].as_str()).collect()
    }

    /// Whether everything that is told of a window is what the model says of it.
    fn is(&self, window: &WindowKey, model: &Outcome) -> bool {
        let told = windows(self.windows.iter().filter(|w| key(w) == *window).cloned());
        told.get(window) == model.windows.get(window)
            && self.alerts_of(window) == alerts_in(window, model)
    }

    fn unchanged_rules_are_as_ever(&self, model: &Outcome) {
        for window in model.windows.keys() {
            if ![DECISION, SELECTION].contains(&window.0.as_str()) {
                assert!(self.is(window, model), "{window:?} is not the model's");
                assert_eq!(self.states_of(window), ["final"], "{window:?}");
            }
        }
    }

    fn an_edited_threshold_costs_no_window(&self, old: &Outcome, new: &Outcome) {
        let of_rule: Vec<_> = old.windows.keys().filter(|w| w.0 == DECISION).collect();
        for window in &of_rule {
            assert_eq!(self.states_of(window), ["final"], "{window:?}");
            let either = self.is(window, old) || self.is(window, new);
            assert!(
                either,
                "{window:?} is neither the old thresholds' nor the new ones'"
            );
        }
        assert!(
            self.is(of_rule[0], old),
            "it begins with the old thresholds"
        );
        let last = of_rule[of_rule.len() - 1];
        assert!(self.is(last, new), "it ends with the new thresholds");
        assert_ne!(alerts_in(last, old), alerts_in(last, new), "they differ");
    }

    fn an_edited_filter_costs_what_is_said(&self, old: &Outcome, new: &Outcome) {
        let of_rule: Vec<_> = old.windows.keys().filter(|w| w.0 == SELECTION).collect();
        let mut course = String::new();
        for window in &of_rule {
            let states = self.states_of(window);
            let step = if !states.contains(&"final") {
                assert!(states.contains(&"rule_change"), "{window:?} is {states:?}");
                assert!(self.alerts_of(window).is_empty(), "{window:?} has alerts");
                '?'
            } else if self.is(window, old) {
                'o'
            } else {
                assert!(self.is(window, new), "{window:?} is a mixture of two rules");
                'n'
            };
            course.push(step);
        }
        println!("windows of the edited filter: {course}");
        let changed = course.trim_start_matches('o').trim_end_matches('n');
        assert!(
            changed.chars().all(|step| step == '?'),
            "{course}: it changes once"
        );
        assert!(course.starts_with('o') && course.ends_with('n'), "{course}");
    }
}

fn alerts_in(window: &WindowKey, model: &Outcome) -> BTreeMap<AlertKey, Found> {
    let of = model
        .alerts
        .iter()
        .filter(|(k, _)| (&k.0, k.1) == (&window.0, window.1));
    of.map(|(k, found)| (k.clone(), found.clone())).collect()
}
