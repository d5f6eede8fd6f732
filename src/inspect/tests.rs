//! What is said of records whose contents are known.

use super::*;
use crate::flow::tests::recorded;

fn place(partition: i32, offset: i64, seconds: i64) -> Place {
    Place {
        partition,
        offset,
        timestamp: Some(Timestamp::from_millis(1_700_000_000_000 + seconds * 1000)),
    }
}

/// Records a second apart, in two partitions.
fn inspect(records: &[String]) -> Inspection {
    let mut found = Inspection::default();
    for (i, record) in (0i64..).zip(records) {
        found.record(place((i % 2) as i32, i / 2, i), record.as_bytes());
    }
    found
}

/// A flow as JSON. Times are seconds after 1,700,000,000.
fn flow(i: u32, exporter: &str, more: &str) -> String {
    let received = 1_700_000_000 + i;
    format!(
        r#"{{"src_addr":"192.0.2.{}","dst_addr":"198.51.100.7","src_port":{i},"bytes":1000,"packets":1,"sampler_address":"{exporter}","time_received":{received},"time_flow_end":{},"time_flow_start":{}{more}}}"#,
        i % 250,
        received - 2,
        received - 12,
    )
}

fn yaml(found: &Inspection) -> String {
    found
        .report("flows", 30)
        .to_yaml("hotprefix", "kafka:\n  bootstrap.servers: kafka:9092\n")
}

#[test]
fn topic_with_every_vector_and_what_is_no_flow_is_told_as_it_is() {
    let mut found = Inspection::default();
    for (i, (_, record)) in (0i64..).zip(recorded::all()) {
        found.record(place(0, i, i), &record);
    }
    found.record(place(1, 7, 20), b"");
    found.record(place(1, 8, 20), b"<flow/>");
    found.record(place(1, 9, 20), &[0, 0, 0, 0, 42, 0, 8, 3]);
    insta::assert_snapshot!(yaml(&found));
}

#[test]
fn exporters_that_sample_differently_or_say_nothing_are_listed() {
    let mut records = Vec::new();
    for i in 0..40 {
        records.push(flow(i, "10.0.0.1", r#","sampling_rate":100"#));
        let late = if i < 10 {
            ""
        } else {
            r#","sampling_rate":1000"#
        };
        records.push(flow(100 + i, "10.0.0.2", late));
        records.push(flow(200 + i, "10.0.0.3", ""));
        let two = if i % 2 == 0 { 10 } else { 20 };
        let two = format!(r#","sampling_rate":{two}"#);
        records.push(flow(300 + i, "10.0.0.4", &two));
    }
    let yaml = yaml(&inspect(&records));
    for line in [
        "#   10.0.0.1          25.0 %  1 in 100\n",
        "#   10.0.0.2          25.0 %  1 in 1000 (75.0 %), rate missing (25.0 %)\n",
        "#   10.0.0.3          25.0 %  rate missing\n",
        "#   10.0.0.4          25.0 %  1 in 10 (50.0 %), 1 in 20 (50.0 %): conflicting",
        "  exporters:\n    \"10.0.0.2\": {default: 1000}\nkafka:",
        "  # 1 exporters never say their rate",
        "  #   \"10.0.0.3\": {default: 1000}",
    ] {
        assert!(yaml.contains(line), "{line}\n{yaml}");
    }
}

#[test]
fn flows_of_two_exporters_and_both_ways_are_counted_as_seen_twice() {
    let mut records = Vec::new();
    for i in 0..10 {
        records.push(flow(i, "10.0.0.1", r#","flow_direction":0"#));
        records.push(flow(i, "10.0.0.2", r#","flow_direction":0"#));
        records.push(flow(100 + i, "10.0.0.1", r#","flow_direction":0"#));
        records.push(flow(100 + i, "10.0.0.1", r#","flow_direction":1"#));
    }
    let yaml = yaml(&inspect(&records));
    for line in [
        "25.0 % of the flows were seen by another exporter too, most (10) by 10.0.0.1 and 10.0.0.2",
        "25.0 % of the flows were seen by one exporter both on their way in and out",
        "#   ingress 75.0 %, egress 25.0 %, not said 0.0 %",
        "  #observe: {exporters: [\"10.0.0.1\"]}",
        "    filter: 'direction != \"egress\"'",
    ] {
        assert!(yaml.contains(line), "{line}\n{yaml}");
    }
}

#[test]
fn the_same_ports_at_another_time_are_another_flow() {
    let later = flow(50, "10.0.0.2", "").replace("17000000", "17000900");
    let found = inspect(&[flow(50, "10.0.0.1", ""), later]);
    assert_eq!((found.twice.looked_at, found.twice.elsewhere), (2, 0));
}

#[test]
fn grace_is_longer_than_the_disorder_of_the_event_time() {
    let mut records: Vec<_> = (0..100).map(|i| flow(i, "10.0.0.1", "")).collect();
    let of = |records: &[String]| yaml(&inspect(records));
    assert!(of(&records).contains("event_time: received\n"));
    assert!(of(&records).contains("    grace: 5s\n"));
    // Of 102 flows more than one of a thousand is 40 s late.
    records.push(flow(60, "10.0.0.1", ""));
    records.push(flow(61, "10.0.0.1", ""));
    assert!(of(&records).contains("    grace: 60s\n") || of(&records).contains("    grace: 1m\n"));
    // Without the time of reception the end decides, and exporters hold flows back for 15 s.
    let ends: Vec<_> = (0..100)
        .map(|i| flow(i, "10.0.0.1", "").replace("time_received", "x"))
        .collect();
    assert!(of(&ends).contains("event_time: end\n"), "{}", of(&ends));
    assert!(of(&ends).contains("    grace: 15s\n"));
}

#[test]
fn thresholds_are_above_what_was_seen() {
    // 1000 bytes each second, sampled 1 in 10,000,000: 80 Gbit/s to one host.
    let records: Vec<_> = (0..60)
        .map(|i| flow(i, "10.0.0.1", r#","sampling_rate":10000000"#))
        .collect();
    let yaml = yaml(&inspect(&records));
    assert!(yaml.contains("198.51.100.7/32"), "{yaml}");
    assert!(
        yaml.contains("ipv4: {32: 200Gbit/s, 24: 500Gbit/s, 22: 1Tbit/s}"),
        "{yaml}"
    );
    assert!(
        yaml.contains("ipv6: {128: 500Mbit/s, 64: 1Gbit/s, 48: 2Gbit/s}"),
        "{yaml}"
    );
}
