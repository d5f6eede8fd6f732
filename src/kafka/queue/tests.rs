//! On librdkafka's mock broker. `just memory` runs these with every read and write checked.

use std::thread;

use rdkafka::ClientConfig;
use rdkafka::Offset;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext};

use super::*;
use crate::kafka::embedded::EmbeddedCluster;

const TOPIC: &str = "flows";
const RECORDS: usize = 300;
/// The mock broker is asked over loopback, under valgrind some fifty times as slow as otherwise.
const PATIENCE: Duration = Duration::from_mins(1);

type ToBroker = ThreadedProducer<DefaultProducerContext>;

/// A record as it is written and read back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    header: Option<Vec<u8>>,
}

/// Of all lengths up to more than is fetched ahead, and with nothing in each of its places.
fn written(n: usize) -> Written {
    let bytes = |length: usize| (0..length).map(|at| (at + n) as u8).collect::<Vec<u8>>();
    Written {
        key: (!n.is_multiple_of(3)).then(|| bytes(n % 5)),
        value: (!n.is_multiple_of(7)).then(|| bytes(n * 3 % (2 * FETCHED))),
        header: n.is_multiple_of(2).then(|| bytes(n % 40)),
    }
}

fn cluster() -> EmbeddedCluster {
    EmbeddedCluster::start([(TOPIC, 1)]).expect("the mock broker starts")
}

fn client(cluster: &EmbeddedCluster) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", cluster.address());
    client
}

fn write(cluster: &EmbeddedCluster) {
    let producer: ToBroker = client(cluster).create().expect("a producer is made");
    for n in 0..RECORDS {
        let Written { key, value, header } = written(n);
        let mut record = BaseRecord::<[u8], [u8]>::to(TOPIC).partition(0);
        if let Some(key) = &key {
            record = record.key(key);
        }
        if let Some(value) = &value {
            record = record.payload(value);
        }
        if let Some(header) = &header {
            let named = |key, value| Header { key, value };
            let headers = OwnedHeaders::new()
                .insert(named("n", Some(b"an earlier one".as_slice())))
                .insert(named("n", Some(header.as_slice())))
                .insert(named("none", None));
            record = record.headers(headers);
        }
        producer
            .send(record)
            .map_err(|(e, _)| e)
            .expect("it is taken");
    }
    producer.flush(PATIENCE).expect("all is written");
}

fn consumer(cluster: &EmbeddedCluster) -> Arc<BaseConsumer> {
    let consumer = client(cluster)
        .set("group.id", "readers")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .create();
    Arc::new(consumer.expect("a consumer is made"))
}

/// Reads the partition from `offset` on. The queue is all that keeps its client alive.
fn queue(cluster: &EmbeddedCluster, offset: i64) -> PartitionQueue {
    let consumer = consumer(cluster);
    let queue = PartitionQueue::take(&consumer, TOPIC, 0).expect("there is a queue");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(TOPIC, 0, Offset::Offset(offset))
        .expect("it is an offset");
    consumer.assign(&list).expect("it is assigned");
    queue
}

/// Reads on until there is an event; the records before it, and their offsets.
fn read(queue: &PartitionQueue, buffer: &mut Buffer) -> (Vec<(i64, Written)>, (Event, i64)) {
    let mut records = Vec::new();
    let begun = std::time::Instant::now();
    while begun.elapsed() < PATIENCE {
        let batch = queue.consume(buffer, usize::MAX, Duration::from_millis(100));
        for message in batch.iter() {
            if let Some(event) = message.event {
                if !matches!(event, Event::Trouble(_)) {
                    return (records, (event, message.offset));
                }
                continue;
            }
            assert!(message.timestamp.is_some() && message.header(c"none").is_none());
            let record = Written {
                key: message.key.map(<[u8]>::to_vec),
                value: message.payload.map(<[u8]>::to_vec),
                header: message.header(c"n").map(<[u8]>::to_vec),
            };
            records.push((message.offset, record));
        }
    }
    panic!("no event after {} records", records.len());
}

#[test]
fn batches_of_any_size_have_what_was_written_and_then_the_end() {
    let cluster = cluster();
    write(&cluster);
    let expected: Vec<_> = (0..RECORDS).map(|n| (n as i64, written(n))).collect();
    for size in [1, AHEAD, 4096] {
        let queue = queue(&cluster, 0);
        // Another thread than that which took the queue reads it.
        let reading = thread::spawn(move || {
            let mut buffer = Buffer::new(size);
            let all = read(&queue, &mut buffer);
            // Nothing more is there, and what was there is not there again.
            assert_eq!(queue.consume(&mut buffer, 1, Duration::ZERO).len(), 0);
            all
        });
        let (records, end) = reading.join().expect("all is read");
        assert_eq!(records.len(), RECORDS, "in batches of {size}");
        assert_eq!(records, expected);
        assert_eq!(end, (Event::End, RECORDS as i64));
    }
}

#[test]
fn what_is_not_read_goes_with_the_batch_and_with_the_queue() {
    let cluster = cluster();
    write(&cluster);
    let queue = queue(&cluster, 0);
    let mut buffer = Buffer::new(16);
    let first = |buffer: &mut Buffer| {
        let batch = queue.consume(buffer, 3, PATIENCE);
        let first = batch.iter().next().expect("three are there").offset;
        (first, batch.len())
    };
    assert_eq!(first(&mut buffer), (0, 3));
    // Two of the three were never looked at.
    assert_eq!(first(&mut buffer), (3, 3));
}

#[test]
fn no_record_at_the_position_is_an_event() {
    let cluster = cluster();
    write(&cluster);
    let queue = queue(&cluster, 10 * RECORDS as i64);
    let (records, (event, _)) = read(&queue, &mut Buffer::new(8));
    assert_eq!((records.len(), event), (0, Event::OutOfRange));
}

#[test]
fn offsets_go_into_an_open_transaction_or_it_is_said_why_not() {
    let cluster = cluster();
    let consumer = consumer(&cluster);
    let membership = Membership::read(&*consumer).expect("it has a group");
    assert!(!membership.is_member(), "it has not joined");
    // A copy, which needs no consumer.
    drop(consumer);
    let producer: ToBroker = client(&cluster)
        .set("transactional.id", "writer")
        .create()
        .expect("a producer is made");
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset(TOPIC, 0, Offset::Offset(7))
        .expect("it is an offset");
    producer.init_transactions(PATIENCE).expect("it has an id");
    let refused = membership.send_offsets(&producer, &offsets, PATIENCE);
    let refused = refused.expect_err("no transaction is open");
    assert_eq!(refused.code, RDKafkaErrorCode::State);
    assert!(!refused.text.is_empty() && !refused.retriable);
    producer.begin_transaction().expect("one is begun");
    membership
        .send_offsets(&producer, &offsets, PATIENCE)
        .expect("they are taken");
    producer
        .commit_transaction(PATIENCE)
        .expect("they are committed");
}
