//! Writes records to a topic, at once or spread over a time.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use super::flows::Outgoing;
use super::kafka_node::Cluster;
use super::wait;

const ANSWER: Duration = Duration::from_secs(30);

/// Writes records in order, each partition's offsets without gaps.
pub(crate) struct Writer {
    producer: ThreadedProducer<DefaultProducerContext>,
    topic: String,
}

impl Writer {
    pub(crate) fn new(cluster: &Cluster, topic: &str) -> Self {
        Self::with(cluster, topic, &[])
    }

    /// With other settings of the producer.
    pub(crate) fn with(cluster: &Cluster, topic: &str, settings: &[(&str, &str)]) -> Self {
        let mut client = cluster.client();
        client
            .set("enable.idempotence", "true")
            .set("linger.ms", "10")
            .set("compression.type", "lz4")
            .set("message.max.bytes", "8000000");
        for (name, value) in settings {
            client.set(*name, *value);
        }
        let producer = client.create().expect("a producer can be created");
        Self {
            producer,
            topic: topic.to_owned(),
        }
    }

    /// Returns when the broker has them all.
    pub(crate) fn write<'a>(&self, records: impl IntoIterator<Item = &'a Outgoing>) {
        for record in records {
            self.enqueue(record);
        }
        self.flush();
    }

    /// Writes one record with a key; returns when the broker has it.
    pub(crate) fn write_keyed(&self, partition: i32, key: &[u8], payload: &[u8]) {
        let record = BaseRecord::<[u8], [u8]>::to(&self.topic);
        let record = record.partition(partition).key(key).payload(payload);
        let sent = self.producer.send(record).map_err(|(error, _)| error);
        sent.expect("one record is taken");
        self.flush();
    }

    /// Writes a tombstone; returns when the broker has it.
    pub(crate) fn bury(&self, partition: i32, key: &[u8]) {
        let record = BaseRecord::<[u8], [u8]>::to(&self.topic);
        let sent = self.producer.send(record.partition(partition).key(key));
        sent.map_err(|(error, _)| error)
            .expect("one record is taken");
        self.flush();
    }

    /// Spreads the writing evenly over a time, so that something is always under way.
    pub(crate) fn write_over(&self, records: &[&Outgoing], time: Duration) {
        let started = Instant::now();
        let steps = (time.as_millis() / 20).max(1) as usize;
        for (step, chunk) in (1u32..).zip(records.chunks(records.len().div_ceil(steps).max(1))) {
            for record in chunk {
                self.enqueue(record);
            }
            let due = Duration::from_millis(20) * step;
            wait::pass(due.saturating_sub(started.elapsed()));
        }
        self.flush();
    }

    /// Hands records over; [`Self::flush`] waits for them.
    pub(crate) fn enqueue_all(&self, records: &[Outgoing]) {
        for record in records {
            self.enqueue(record);
        }
    }

    /// Returns when the broker has all that was handed over.
    pub(crate) fn flush(&self) {
        let flushed = self.producer.flush(ANSWER * 2);
        flushed.expect("the broker takes the records");
    }

    fn enqueue(&self, record: &Outgoing) {
        let mut message = BaseRecord::<(), [u8]>::to(&self.topic)
            .partition(record.partition)
            .timestamp(record.timestamp);
        message.payload = record.payload.as_deref();
        self.send(message);
    }

    fn send(&self, mut message: BaseRecord<'_, (), [u8]>) {
        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
        let what = "the producer's queue has room";
        wait::until(what, ANSWER, Duration::from_millis(5), || {
            // The value is handed back on failure; a fresh one is made of it for the next try.
            let again = BaseRecord {
                headers: None,
                ..message
            };
            match self.producer.send(again) {
                Ok(()) => Some(()),
                Err((error, back)) if error == full => {
                    message = back;
                    None
                }
                Err((error, _)) => panic!("a record is not taken: {error}"),
            }
        });
    }
}
