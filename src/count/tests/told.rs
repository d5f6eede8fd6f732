//! What a task tells of itself besides its sums.

use super::*;
use crate::flow::Field;
use crate::rule::Sets;

fn markers(flush: Flush) -> Vec<Marker> {
    let records = flush.encode(1, 4).records.into_iter();
    let partials = records.map(|r| partial::decode(&r.payload).unwrap());
    partials
        .filter_map(|partial| match partial {
            Partial::Marker(marker) => Some(marker),
            Partial::Delta(_) => None,
        })
        .collect()
}

#[test]
fn a_source_begins_at_its_first_record_awake_whatever_came_after() {
    let mut task = fresh(vec![rule("a", 1000, 0, LatePolicy::Drop)]);
    feed_flow(&mut task, Sample::at(5_000));
    feed_flow(&mut task, Sample::at(9_000));
    task.idle(Some(ms(60_000)));
    assert!(task.is_idle());
    let said = markers(task.flush());
    let said: Vec<_> = said.iter().map(|m| (m.stream_time, m.idle)).collect();
    assert_eq!(said, [(Some(ms(5_000)), false), (Some(ms(60_000)), true)]);
    feed_flow(&mut task, Sample::at(61_000));
    assert!(!task.is_idle());
}

#[test]
fn times_that_are_not_believed_are_counted_for_each_flow_and_exporter() {
    let mut task = fresh(vec![rule("a", 1000, 0, LatePolicy::OldestOpen)]);
    let received = |at: i64| {
        Sample {
            rate: 0,
            ..Sample::at(at)
        }
        .payload(0x0800)
    };
    for _ in 0..3 {
        // An hour ahead of the record.
        feed(&mut task, Some(&received(3_700_000)), 100_000);
    }
    feed(&mut task, Some(&received(100_000)), 100_000);
    // The producer's clock is an hour ahead of ours, twice.
    for _ in 0..2 {
        let payload = received(3_700_000);
        let record = Record {
            offset: task.next_offset(),
            timestamp: Some(ms(3_700_000)),
            log_append_time: false,
            payload: Some(&payload),
            key: None,
        };
        task.record(&record, ms(100_000));
    }
    let flush = task.flush();
    assert_eq!((flush.fates.clamped, flush.fates.clock_ahead), (5, 2));
    assert_eq!(flush.fates.unknown_sampling, 6);
    let issues: Vec<_> = flush.exporters.iter().map(|(_, issues)| *issues).collect();
    let expected = ExporterIssues {
        clamped: 5,
        unknown_sampling: 6,
    };
    assert_eq!(issues, [expected]);
}

#[test]
fn fields_that_a_filter_looks_at_are_read_and_those_that_came_are_known() {
    let mut dfn = rule("dfn", 1000, 0, LatePolicy::Drop);
    dfn.filter = Filter::compile("src_if_desc == \"DFN\"", &Sets::new()).unwrap();
    let mut task = fresh(vec![dfn]);
    let record = |desc: &str| {
        format!(r#"{{"dst_addr":"192.0.2.1","bytes":9,"time_received":5,"src_if_desc":"{desc}"}}"#)
    };
    for desc in ["DFN", "GEANT", "D\\u0046N"] {
        feed(&mut task, Some(record(desc).as_bytes()), 5_000);
    }
    let seen = task.seen();
    assert!(seen.contains(Field::SrcIfDesc) && !seen.contains(Field::Cid));
    let fates = task.flush().fates;
    assert_eq!((fates.selected, fates.not_selected), (2, 1));
}
