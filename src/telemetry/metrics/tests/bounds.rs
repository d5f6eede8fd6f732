//! Labels with more values than are shown.

use std::ops::Range;

use super::*;
use crate::telemetry::snapshot::MAX_EXPORTERS;

/// More of everything than is shown apart.
pub(super) fn crowd() -> Snapshot {
    let names = |n: usize| (0..n + 5).map(|i| format!("{i:05}"));
    let partitions = MAX_PARTITIONS as i32 + 5;
    let one = RuleSums {
        flows: 1,
        ..RuleSums::default()
    };
    let client = ClientStatistics {
        now: Some(ClientState {
            brokers: (0..MAX_BROKERS as i32 + 5)
                .map(|id| (id, broker()))
                .collect(),
            ..ClientState::default()
        }),
        ..ClientStatistics::default()
    };
    let mut count = CountStatus {
        assigned: true,
        sources: (0..partitions).map(|p| (source(p), status(1))).collect(),
        rules: names(MAX_RULES).map(|name| (name.into(), one)).collect(),
        ..CountStatus::default()
    };
    for exporter in 0..MAX_EXPORTERS as u32 + 5 {
        count.add_exporter(Some(Addr::V4(exporter)), issues(2, 1));
    }
    Snapshot {
        count: Some(count),
        detect: Some(DetectStatus {
            lag: (0..partitions).map(|p| (p, Some(1))).collect(),
            missing: (0..partitions).map(source).collect(),
            active_alerts: names(MAX_RULES).map(|name| (name, 1)).collect(),
            ..DetectStatus::default()
        }),
        clients: [("count-consumer".to_owned(), client)].into(),
        ..Snapshot::default()
    }
}

#[test]
fn series_are_bounded_and_nothing_is_lost() {
    let metrics = watched(crowd);
    for rule in 0..MAX_RULES + 5 {
        metrics.recorder().window_leaves(&format!("{rule:05}"), 1);
    }
    let text = metrics.render().unwrap();
    let series = |start: &str| text.lines().filter(|l| l.starts_with(start)).count();
    for (start, most) in [
        (
            "hotprefix_records_total{fate=\"selected\"",
            MAX_PARTITIONS + 1,
        ),
        ("hotprefix_input_lag_records{", MAX_PARTITIONS),
        ("hotprefix_input_delay_seconds{", MAX_PARTITIONS),
        ("hotprefix_partials_lag_records{", MAX_PARTITIONS),
        ("hotprefix_missing_source{", MAX_PARTITIONS),
        ("hotprefix_unknown_sampling_flows_total{", MAX_EXPORTERS + 1),
        ("hotprefix_clamped_flows_total{", MAX_EXPORTERS + 1),
        ("hotprefix_rule_flows_total{", MAX_RULES + 1),
        ("hotprefix_active_alerts{", MAX_RULES + 1),
        ("hotprefix_window_leaves_count{", MAX_RULES + 1),
        ("hotprefix_kafka_rtt_p99_seconds{", MAX_BROKERS),
    ] {
        assert_eq!(series(start), most, "{start}");
    }
    assert_lines(
        &text,
        &[
            r#"hotprefix_records_total{fate="selected",partition="other",topic="other"} 5"#,
            r#"hotprefix_unknown_sampling_flows_total{exporter="other"} 5"#,
            r#"hotprefix_clamped_flows_total{exporter="other"} 10"#,
            r#"hotprefix_rule_flows_total{rule="other"} 5"#,
            r#"hotprefix_active_alerts{rule="other"} 5"#,
            r#"hotprefix_window_leaves_count{rule="other"} 5"#,
        ],
    );
}

/// Partitions and rules that are numbered `which`, each with one flow and one alert.
fn numbered(which: Range<usize>) -> Snapshot {
    let name = |i: usize| format!("{i:05}");
    let one = RuleSums {
        flows: 1,
        ..RuleSums::default()
    };
    let sources = which.clone().map(|i| (source(i as i32), status(1)));
    let rules = which.clone().map(|i| (name(i).into(), one));
    Snapshot {
        count: Some(CountStatus {
            sources: sources.collect(),
            rules: rules.collect(),
            ..CountStatus::default()
        }),
        detect: Some(DetectStatus {
            active_alerts: which.map(|i| (name(i), 1)).collect(),
            ..DetectStatus::default()
        }),
        ..Snapshot::default()
    }
}

#[test]
fn what_is_shown_is_not_displaced_by_what_sorts_lower() {
    for (bound, starts) in [
        (
            MAX_PARTITIONS,
            [r#"hotprefix_records_total{fate="selected",partition=""#].as_slice(),
        ),
        (
            MAX_RULES,
            &[
                r#"hotprefix_rule_flows_total{rule=""#,
                r#"hotprefix_active_alerts{rule=""#,
                r#"hotprefix_window_leaves_count{rule=""#,
            ],
        ),
    ] {
        let low = Arc::new(Mutex::new(5));
        let seen = Arc::clone(&low);
        let metrics = watched(move || numbered(*seen.lock().unwrap()..bound + 5));
        let shown = || {
            for rule in *low.lock().unwrap()..bound + 5 {
                metrics.recorder().window_leaves(&format!("{rule:05}"), 1);
            }
            let text = metrics.render().unwrap();
            let shown = |start: &&str| {
                let series = text.lines().filter_map(|l| l.strip_prefix(*start));
                let values = series.filter_map(|l| l.split_once('"'));
                values.map(|(value, _)| value.to_owned()).collect()
            };
            starts.iter().map(shown).collect::<Vec<BTreeSet<_>>>()
        };
        let before = shown();
        *low.lock().unwrap() = 0;
        let after = shown();
        for ((start, before), after) in starts.iter().zip(before).zip(after) {
            let gone: Vec<_> = before.difference(&after).collect();
            assert!(gone.is_empty(), "{start}{gone:?}");
            assert!(after.contains("other"), "{start}");
            assert_eq!(after.len(), bound + 1, "{start}");
        }
    }
}
