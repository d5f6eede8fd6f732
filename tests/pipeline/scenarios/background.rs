//! Ordinary traffic.

use std::path::Path;

use hotprefix::demo::Scenario;
use hotprefix::replay::Replay;
use hotprefix::time::Timestamp;
use prost::Message as _;

use super::text;
use crate::{BASE, simulation};

const INTERVALS: u64 = 10;
/// Of the longest interval of the rules.
const SECONDS: u64 = 60;

/// Alerts and final windows of the shipped detection rules over the demo's traffic.
fn shipped(flows: impl Fn(&Scenario, u64) -> Vec<hotprefix::proto::flow::Flow>) -> (usize, u64) {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rules");
    let file = |name: &str| rules.join(name).display().to_string();
    let yaml = format!(
        "rule_files: [{:?}, {:?}]\n",
        file("volumetric.yaml"),
        file("udp-amplification.yaml")
    );
    let (plan, detect) = simulation::load(&text(&yaml));
    let mut replay = Replay::new(plan, "flows", detect.max_wait).expect("it begins");
    let scenario = Scenario::new(7, 500, Timestamp::from_millis(BASE));
    let (mut alerts, mut windows) = (0, 0);
    for second in 0..INTERVALS * SECONDS {
        for flow in flows(&scenario, second) {
            let step = replay.record(&flow.encode_to_vec()).expect("it goes on");
            alerts += step.alerts.len();
            windows += step.windows.len() as u64;
        }
    }
    let (step, fates) = replay.finish().expect("it ends");
    assert!(fates.selected > 0, "the rules select the demo's flows");
    (
        alerts + step.alerts.len(),
        windows + step.windows.len() as u64,
    )
}

#[test]
fn the_background_gives_no_alert_in_ten_intervals_and_the_attacks_do() {
    let (alerts, windows) = shipped(|scenario, second| scenario.background(second).collect());
    // Those of one rule are half as long.
    assert!(windows >= INTERVALS * 3, "{windows} windows");
    assert_eq!(alerts, 0);
    let (alerts, _) = shipped(|scenario, second| scenario.flows(second).collect());
    assert!(alerts > 0, "the rules are awake");
}
