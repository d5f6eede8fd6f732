//! Records of an input partition at any time, with gaps, silence, flushes and restarts anywhere: every record has one fate,
//! and where it was flushed and restarted changes no sum.
#![no_main]

use std::collections::BTreeMap;

use hotprefix_fuzz::count::{CountTask, Flush, Record, Resume};
use hotprefix_fuzz::edit_message;
use hotprefix_fuzz::inputs::{self, Event, Input, count_plan, ms};
use hotprefix_fuzz::partial::{self, Fates, Leaves, LeavesOf, Partial, merge};
use prost::Message as _;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Ok(input) = Input::decode(input) else {
        return;
    };
    let undisturbed = run(&input.events, false);
    let disturbed = run(&input.events, true);
    assert_eq!(undisturbed, disturbed);
    assert_eq!(undisturbed.fates.records(), input.events.len() as u64);
});

hotprefix_fuzz::mutator!(|input: &mut Vec<u8>, random: &mut _| edit_message::edit(
    input, random, 2
));

#[derive(Debug, Default, PartialEq)]
struct Totals {
    v4: BTreeMap<(String, i64), LeavesOf<u32>>,
    v6: BTreeMap<(String, i64), LeavesOf<u128>>,
    late: BTreeMap<(String, i64), u64>,
    fates: Fates,
    dead_letters: usize,
    metadata: String,
}

fn fresh() -> CountTask {
    let resume = Resume::Fresh {
        next_offset: 0,
        from_log_start: true,
    };
    CountTask::new(inputs::source(), count_plan(), resume).expect("a fresh start")
}

fn run(events: &[Event], disturb: bool) -> Totals {
    let mut totals = Totals::default();
    let mut task = fresh();
    for event in events {
        feed(&mut task, event);
        if disturb && event.flush > 0 {
            let flush = task.flush();
            let (next_offset, metadata) = (flush.next_offset, flush.metadata.clone());
            totals.add(flush);
            if event.flush > 1 {
                let resume = Resume::Committed {
                    next_offset,
                    metadata: &metadata,
                };
                task =
                    CountTask::new(inputs::source(), count_plan(), resume).expect("own metadata");
            }
        }
    }
    totals.add(task.flush());
    totals
}

fn feed(task: &mut CountTask, event: &Event) {
    if event.lost > 0 {
        let next = task.next_offset();
        task.gap(next, next + i64::from(event.lost));
    }
    if let Some(at) = event.idle {
        task.idle(Some(ms(of_a_clock(at))));
    }
    let timestamp = match event.timestamp {
        Some(at) if event.log_append_time => Some(of_a_clock(at)),
        at => at,
    };
    let record = Record {
        offset: task.next_offset(),
        timestamp: timestamp.map(ms),
        log_append_time: event.log_append_time,
        payload: event.value.as_deref(),
        key: None,
    };
    let before = task.stream_time();
    task.record(&record, ms(of_a_clock(event.wall)));
    assert!(task.stream_time() >= before, "stream time ran backwards");
}

/// What our clock or a broker's can say, from 1970 to 9999; a producer's can say anything.
fn of_a_clock(at: i64) -> i64 {
    at.clamp(0, 253_402_300_800_000)
}

impl Totals {
    fn add(&mut self, flush: Flush) {
        self.fates.add(&flush.fates);
        self.dead_letters += flush.dead_letters.len();
        self.metadata.clone_from(&flush.metadata);
        for record in flush.encode(1, 4).records {
            if let Partial::Delta(delta) = partial::decode(&record.payload).expect("own record") {
                let key = (delta.rule.to_string(), delta.window.start.as_millis());
                if delta.late_flows > 0 {
                    *self.late.entry(key.clone()).or_default() += delta.late_flows;
                }
                match delta.leaves {
                    Leaves::V4(leaves) => add(&mut self.v4, key, leaves),
                    Leaves::V6(leaves) => add(&mut self.v6, key, leaves),
                }
            }
        }
    }
}

fn add<A: hotprefix_fuzz::net::AddrBits>(
    sums: &mut BTreeMap<(String, i64), LeavesOf<A>>,
    key: (String, i64),
    leaves: LeavesOf<A>,
) {
    if !leaves.is_empty() {
        let sum = sums.remove(&key).unwrap_or_else(LeavesOf::empty);
        sums.insert(key, merge(sum, leaves));
    }
}
