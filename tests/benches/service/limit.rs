//! The limit: librdkafka's batch consumer that does nothing with what it gets. In a process of its own.
//!
//! It is this program again, with `limit` as its first argument.
#![allow(unsafe_code)]

use std::ptr;
use std::time::Instant;

use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::load::PARTITIONS;

/// How many records one call takes at most.
const BATCH: usize = 10_000;

/// `limit BOOTSTRAP TOPIC RECORDS`: reads so many records, and prints how long that took from the first one on.
pub(crate) fn run(mut args: impl Iterator<Item = String>) {
    let mut next = || args.next().expect("limit BOOTSTRAP TOPIC RECORDS");
    let (bootstrap, topic, records) = (next(), next(), next());
    let records: u64 = records.parse().expect("a number of records");
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "limit")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        // The default of 1000 stalls a consumer that is slower than its fetcher.
        .set("fetch.queue.backoff.ms", "1")
        .create()
        .expect("a consumer can be created");
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(&topic, partition as i32, Offset::Beginning)
            .expect("an offset can be set");
    }
    consumer.assign(&all).expect("partitions can be assigned");
    let (mut read, mut bytes) = (0, 0);
    let mut started = Instant::now();
    let mut slots = vec![ptr::null_mut(); BATCH];
    // SAFETY: the client is alive until the end of this function, the queue is ours until it is destroyed below.
    let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
    assert!(!queue.is_null(), "a consumer has a queue");
    while read < records {
        // SAFETY: there is room for as many pointers as said; librdkafka says how many it wrote, each a message that is
        // ours to destroy.
        let taken = unsafe {
            sys::rd_kafka_consume_batch_queue(queue, 1000, slots.as_mut_ptr(), slots.len())
        };
        let taken = usize::try_from(taken).expect("the queue can be read");
        if read == 0 {
            started = Instant::now();
        }
        for message in &slots[..taken] {
            // SAFETY: a message of ours, destroyed once.
            unsafe {
                assert_eq!((**message).err as i32, 0, "no event but records");
                bytes += (**message).len as u64;
                sys::rd_kafka_message_destroy(*message);
            }
        }
        read += taken as u64;
    }
    let seconds = started.elapsed().as_secs_f64();
    // SAFETY: ours, destroyed once, while the client is alive.
    unsafe { sys::rd_kafka_queue_destroy(queue) };
    println!("{{\"records\":{read},\"seconds\":{seconds},\"bytes\":{bytes}}}");
}
