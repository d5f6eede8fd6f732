//! Plays a scenario into the flow topic at the pace of the wall clock.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use prost::Message as _;

use super::scenario::Scenario;
use super::settings::{PARTITIONS, TOPIC};
use crate::kafka::{Fatal, PlainProducer};
use crate::telemetry::clock;

/// How often flows that are due are written.
const TICK: Duration = Duration::from_millis(50);

/// Writes flows to all partitions in turn until the sender of `stop` is dropped. A machine that is too
/// slow for the rate falls behind; it skips nothing.
pub(super) fn play(scenario: Scenario, bootstrap: &str, stop: &Receiver<()>) -> Result<(), Fatal> {
    let producer = PlainProducer::connect(bootstrap)?;
    let mut second = scenario.second_at(clock::now());
    let mut flows = scenario.flows(second).enumerate().peekable();
    let mut payload = Vec::new();
    let mut partition = 0;
    while stop.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        let now = clock::now();
        while scenario.time(second) <= now {
            let due = scenario.due(second, now);
            while let Some((_, flow)) = flows.next_if(|(i, _)| *i < due) {
                payload.clear();
                flow.encode(&mut payload)
                    .map_err(|e| Fatal(format!("encoding a flow: {e}")))?;
                producer.send(TOPIC, partition, &payload)?;
                partition = (partition + 1) % PARTITIONS;
            }
            if flows.peek().is_some() {
                break;
            }
            second += 1;
            flows = scenario.flows(second).enumerate().peekable();
        }
    }
    producer.finish()
}
