//! Records that are built to do harm: batches that unpack to far more than they are, and what is neither our state
//! nor our partials where these should be.

use std::time::Duration;

use crate::run::{Prepared, base, record};
use crate::support::app::App;
use crate::support::encode;
use crate::support::flows::{Content, Flow, Load};
use crate::support::kafka_client::{Reader, Topic, Writer, read_all};
use crate::support::kafka_node::Cluster;
use crate::support::model;
use crate::support::rules::rules;

const PATIENCE: Duration = Duration::from_mins(1);
const MEGABYTE: usize = 1_000_000;
/// What the bombs' batches hold, unpacked.
const BATCH: usize = 50 * MEGABYTE;
/// What an instance that fetches one batch at a time may hold while it reads 900 MB.
const ENOUGH: u64 = 400 * MEGABYTE as u64;

/// 900 records of a megabyte that zstd packs to nothing, in batches of fifty, with flows in between: all are counted,
/// and with `max.partition.fetch.bytes` lowered memory follows the batch, not all that fits into a fetch.
pub(crate) fn check_compression_bombs(name: &str) {
    let cluster = Cluster::shared();
    let large = |content: Content, first: &[u8], rest: u8| {
        let mut payload = first.to_vec();
        payload.resize(MEGABYTE, rest);
        record(content, payload)
    };
    let flow = || {
        let flow = Flow::plain(base());
        let payload = encode::encode(&flow);
        record(Content::Flow(flow), payload)
    };
    let mut records = Vec::new();
    for _ in 0..300 {
        records.push(large(Content::Undecodable, &[0], 0));
        records.push(flow());
        // JSON without an end, and a length that nothing follows.
        records.push(large(Content::Undecodable, b"{\"bytes\":", b'['));
        records.push(large(
            Content::Undecodable,
            b"\x08\x03\x3a\xff\xff\xff\x7f",
            b'a',
        ));
        records.push(flow());
    }
    let received = base() + 20_000;
    records.push(record(
        Content::NotIp { received },
        encode::arp(received / 1000),
    ));
    Topic::new(name, 1).create(cluster);
    let settings = [
        ("compression.type", "zstd"),
        ("batch.size", "50000000"),
        ("linger.ms", "500"),
        ("queue.buffering.max.kbytes", "2000000"),
    ];
    let writer = Writer::with(cluster, name, &settings);
    writer.write(records.iter().map(|r| &r.out));
    let prepared = Prepared {
        topic: name.to_owned(),
        partitions: 1,
        outcome: model::run(&rules(), 1, &records),
        rules: rules(),
        records,
    };
    for (id, fetch) in [("bombs", 1_048_576), ("bombs-small", 1_000)] {
        let app = prepared
            .app(cluster, id)
            .set("kafka.max.partition.fetch.bytes", fetch);
        let instances = app.start_all(1);
        prepared.until_final(&app);
        let peak = instances[0].process.peak_memory();
        println!(
            "{fetch} bytes a fetch: {} MB at most",
            peak / MEGABYTE as u64
        );
        // librdkafka unpacks all that it fetched, and fetches at least a batch.
        assert!(
            fetch > 1_000 || peak <= ENOUGH,
            "{peak} bytes in batches of {BATCH}, {ENOUGH} are allowed"
        );
        prepared.finish(&app, instances);
    }
}

/// An application that has counted a load, and stopped.
fn stopped<'c>(cluster: &'c Cluster, name: &str) -> (Prepared, App<'c>) {
    let load = Load::new(34, 5_000, 1, base());
    let prepared = Prepared::written(cluster, name, rules(), &load);
    let app = prepared.app(cluster, name);
    let instances = app.start_all(1);
    prepared.finish(&app, instances);
    (prepared, app)
}

/// Starts an instance, which must end with exit code 1 and say all of `said`, and writes nothing more.
fn assert_stops(app: &App<'_>, said: &[&str]) {
    let told = || {
        ["windows", "alerts"].map(|which| {
            let mut records = read_all(app.cluster, &app.topic(which));
            records.sort_by_key(|r| (r.partition, r.offset));
            records
        })
    };
    let before = told();
    let mut instance = app.start(0);
    let status = instance.process.wait(PATIENCE);
    let output = instance.process.output();
    assert_eq!(status.code(), Some(1), "{output}");
    for text in said {
        assert!(output.contains(text), "nothing says `{text}`:\n{output}");
    }
    assert!(
        told() == before,
        "something was told after what cannot be read"
    );
}

/// Records in `<app>-partials` that hotprefix did not write, or another version did.
pub(crate) fn check_corrupt_partials(name: &str) {
    let cluster = Cluster::shared();
    let cases: [(&str, &[u8], &[&str]); 3] = [
        (
            "junk",
            b"\xff\xff\xff",
            &["partial is not readable", "damaged"],
        ),
        (
            "newer",
            &[0x08, 2, 0x1a, 0],
            &["partial has version 2", "run the version that wrote it"],
        ),
        // A marker of version 1 whose topic has 2^32 − 1 partitions.
        (
            "huge",
            b"\x08\x01\x1a\x0b\x0a\x01a\x30\xff\xff\xff\xff\x0fJ\0",
            &["partial has topic_partitions 4294967295, valid is at most 65536"],
        ),
    ];
    for (case, payload, said) in cases {
        let id = format!("{name}-{case}");
        let (_, app) = stopped(cluster, &id);
        let topic = app.topic("partials");
        Writer::new(cluster, &topic).write_keyed(2, b"key", payload);
        let mut reader = Reader::new(cluster, &topic);
        let read = reader.until("it is there", PATIENCE, |records| {
            records.iter().any(|r| r.key == b"key")
        });
        let offset = read.iter().find(|r| r.key == b"key").map(|r| r.offset);
        let offset = offset.expect("it is there");
        let place = format!("{topic}/2: record at offset {offset}: ");
        let cure = "with `hotprefix reset` or a new application id";
        assert_stops(&app, &[&[&place[..], cure], said].concat());
        if case == "junk" {
            // It stays so: nothing goes past it.
            assert_stops(&app, &[&place]);
        }
    }
}

/// Records in `<app>-state` that hotprefix did not write, or another version did.
pub(crate) fn check_corrupt_state(name: &str) {
    let cluster = Cluster::shared();
    let (_, app) = stopped(cluster, name);
    let topic = app.topic("state");
    let writer = Writer::new(cluster, &topic);
    let cases: [(&[u8], &[u8], &[&str]); 3] = [
        (
            b"rule/junk",
            b"\xff\xff\xff",
            &["state record `rule/junk` is corrupt: ", "damaged"],
        ),
        (
            b"who/knows",
            b"",
            &["state record `who/knows` is corrupt: its key is unknown"],
        ),
        (
            b"task",
            &[0x08, 3],
            &["state has version 3", "run the version that wrote it"],
        ),
    ];
    for (key, payload, said) in cases {
        writer.write_keyed(1, key, payload);
        let records = read_all(cluster, &topic);
        let mut ours = records.iter().filter(|r| r.partition == 1 && r.key == key);
        let last = ours.next_back().expect("it is there");
        let place = format!("{topic}/1: record at offset {}: ", last.offset);
        let cure = "start afresh with `hotprefix reset` or a new application id";
        assert_stops(&app, &[&[&place[..], cure], said].concat());
        if key != b"task" {
            writer.bury(1, key);
        }
    }
}
