//! First contact with a topic: what `inspect` says of it, and that its configuration runs.

use std::time::Duration;

use hotprefix::partial::{Fates, Partial, decode};

use crate::support::first_contact::{inspect, run};
use crate::support::flows::Outgoing;
use crate::support::kafka_client::{Reader, Topic, Writer};
use crate::support::kafka_node::Cluster;
use crate::support::vectors;

const PATIENCE: Duration = Duration::from_mins(1);

/// What is said of each vector of `tests/vectors/flows.txt`.
const SAID: [(&str, &str); 12] = [
    (
        "goflow2-v1-bare",
        "protobuf, bare: goflow, goflow2 v1 or bwNetFlow without enrichment",
    ),
    (
        "goflow2-v1-delimited",
        "protobuf, delimited: goflow, goflow2 v1 or bwNetFlow without enrichment",
    ),
    ("goflow2-v1-json", "JSON: goflow2 v1"),
    ("goflow2-v2-bare", "protobuf, bare: goflow2 v2"),
    ("goflow2-v2-delimited", "protobuf, delimited: goflow2 v2"),
    ("goflow2-v2-json", "JSON: goflow2 v2"),
    ("goflow2-v2-enricher-json", "JSON: the enricher of goflow2"),
    (
        "bwnetflow-2021",
        "protobuf, bare: bwNetFlow since 2019, flowpipeline v1 or v2 with `legacy`",
    ),
    (
        "bwnetflow-2021-protojson",
        "JSON: bwNetFlow or flowpipeline v1",
    ),
    (
        "flowpipeline-v2-delimited",
        "protobuf, delimited: flowpipeline v2",
    ),
    ("flowpipeline-v2-protojson", "JSON: flowpipeline v2"),
    (
        "flowpipeline-v2-legacy",
        "protobuf, bare: bwNetFlow since 2019, flowpipeline v1 or v2 with `legacy`",
    ),
];

/// A topic for each vector, and one with all of them and a record that is none. What it says is true, and what it
/// writes runs: every flow is selected.
pub(crate) fn check() {
    let cluster = Cluster::shared();
    let vectors = vectors::all();
    let names: Vec<_> = vectors.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, SAID.map(|(name, _)| name));
    for ((name, record), (_, said)) in vectors.iter().zip(SAID) {
        let topic = format!("inspect-{name}");
        write(cluster, &topic, 1, std::slice::from_ref(record));
        let says = inspect(cluster, &topic, &topic);
        let line = format!("#   100.0 %  {said}\n");
        assert!(says.contains(&line), "{name}: {line}{says}");
        assert!(
            says.contains("#   192.0.2.1        100.0 %  1 in 32\n"),
            "{name}: {says}"
        );
    }
    let mut mixed: Vec<Vec<u8>> = vectors.into_iter().map(|(_, record)| record).collect();
    mixed.push(b"<flow/>".to_vec());
    write(cluster, "inspect-mixed", 2, &mixed);
    let says = inspect(cluster, "inspect-mixed", "inspect-mixed");
    for (_, said) in SAID {
        assert!(says.contains(said), "{said}: {says}");
    }
    assert!(says.contains("no flow (malformed_protobuf)"), "{says}");
    let instance = run("inspect-mixed", &says);
    let counted = |fates: &Fates| fates.records() >= mixed.len() as u64;
    let mut partials = Reader::new(cluster, "inspect-mixed-partials");
    partials.until("all records are counted", PATIENCE, |records| {
        let mut fates = Fates::default();
        for record in records {
            let payload = record.payload.as_deref().unwrap_or_default();
            if let Partial::Marker(marker) = decode(payload).expect("a partial") {
                fates.add(&marker.fates);
            }
        }
        if counted(&fates) {
            assert_eq!((fates.selected, fates.undecodable), (12, 1), "{fates:?}");
        }
        counted(&fates)
    });
    instance.stop();
}

fn write(cluster: &Cluster, topic: &str, partitions: usize, records: &[Vec<u8>]) {
    Topic::new(topic, partitions).create(cluster);
    let timestamp = jiff::Timestamp::now().as_millisecond();
    let records: Vec<_> = (0..partitions as i32)
        .cycle()
        .zip(records)
        .map(|(partition, record)| Outgoing {
            partition,
            timestamp,
            payload: Some(record.clone()),
        })
        .collect();
    Writer::new(cluster, topic).write(&records);
}
