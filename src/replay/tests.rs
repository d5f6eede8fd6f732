//! A replay finds what the service would, and nothing depends on how the work is cut.

use prost::Message as _;

use super::*;
use crate::alert::Alert;
use crate::demo::{self, Scenario};
use crate::flow::{FormatName, SamplingConfig, SamplingDefault, SamplingMode};
use crate::rule::{RuleConfig, RuleContext, compile};
use crate::window::{EventTime, TimeConfig};

fn plan() -> Arc<Plan> {
    let file: serde_json::Value =
        serde_norway::from_str(&demo::configuration("127.0.0.1:1")).unwrap();
    let rule: RuleConfig = serde_json::from_value(file["rules"][0].clone()).unwrap();
    Arc::new(Plan {
        rules: vec![Arc::new(compile(&rule, &RuleContext::default()).unwrap())],
        replaced: Vec::new(),
        time: TimeConfig {
            event_time: EventTime::Received,
            max_ahead: Duration::from_mins(1),
            max_behind: Some(Duration::from_mins(10)),
            idle_timeout: Duration::from_secs(10),
            max_wait: Duration::from_secs(30),
            max_flow_duration: Duration::from_hours(1),
        },
        sampling: SamplingConfig {
            mode: SamplingMode::Auto,
            default: SamplingDefault::Unknown,
            exporters: Vec::new(),
        },
        format: FormatName::Auto,
        direction_default: None,
        dead_letters_per_block: 100,
    })
}

fn replay() -> Replay {
    Replay::new(plan(), demo::TOPIC, Duration::from_secs(30)).unwrap()
}

fn scenario() -> Scenario {
    Scenario::new(1, 500, Timestamp::from_millis(1_800_000_000_000))
}

/// The alerts of some seconds of the demo, handed on after every `cut` records.
fn alerts(seconds: u64, cut: u64) -> (Vec<Alert>, Fates) {
    let mut replay = replay();
    let mut found = Vec::new();
    let flows = (0..seconds).flat_map(|s| scenario().flows(s));
    for (i, flow) in flows.enumerate() {
        found.extend(replay.record(&flow.encode_to_vec()).unwrap().alerts);
        if (i as u64).is_multiple_of(cut) {
            found.extend(replay.flush().unwrap().alerts);
        }
    }
    let (last, fates) = replay.finish().unwrap();
    found.extend(last.alerts);
    (found, fates)
}

#[test]
fn the_demo_has_exactly_its_attacks_in_every_window() {
    let (alerts, fates) = alerts(45, u64::MAX);
    let mut found: Vec<_> = alerts
        .iter()
        .filter(|a| !a.triggers.is_empty())
        .map(|a| (a.window.start.clone(), a.prefix.clone()))
        .collect();
    found.sort();
    let mut expected: Vec<_> = Scenario::attacks()
        .into_iter()
        .flat_map(|attack| {
            let windows = attack.seconds.step_by(demo::WINDOW_SECONDS as usize);
            windows.map(move |s| (scenario().time(s).to_string(), attack.prefix.to_string()))
        })
        .collect();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(fates.selected, 45 * 500);
    assert!(alerts.iter().all(|a| a.r#final && !a.completeness.partial));
}

#[test]
fn the_result_does_not_depend_on_when_counts_are_handed_on() {
    let whole = alerts(20, u64::MAX);
    for cut in [1, 7, 1_000] {
        let (alerts, fates) = alerts(20, cut);
        assert_eq!((&alerts, fates), (&whole.0, whole.1), "cut every {cut}");
    }
}

#[test]
fn records_that_are_no_flows_are_told_and_lose_no_neighbour() {
    let mut replay = replay();
    let flow = scenario().flows(0).next().unwrap().encode_to_vec();
    for record in [flow.as_slice(), b"\xff\xff\xff", &flow] {
        replay.record(record).unwrap();
    }
    assert_eq!(replay.records(), 3);
    let (step, fates) = replay.finish().unwrap();
    assert_eq!((fates.selected, fates.undecodable), (2, 1));
    assert_eq!(step.dead_letters.len(), 1);
    assert_eq!(step.dead_letters[0].offset, 1);
}

#[test]
fn nothing_in_gives_nothing_out() {
    let (step, fates) = replay().finish().unwrap();
    assert!(step.alerts.is_empty());
    assert_eq!(fates.records(), 0);
}
