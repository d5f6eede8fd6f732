//! A Kafka cluster inside the process, for the demo: librdkafka's mock broker on a loopback port.
//!
//! Deliberately absent: anything that it cannot do. It forgets offsets committed in transactions and makes
//! no topics on request, so it shows the service at work but proves nothing about restarts.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use super::errors::{Fatal, RequestError};
use super::topics::{DEFAULT_MESSAGE_BYTES, TopicFacts};

/// How long a full queue is given to drain before the next look.
const DRAIN: Duration = Duration::from_millis(20);
/// How long records may take to be written at the end.
const FLUSH: Duration = Duration::from_secs(2);

/// A cluster of one broker that lives as long as this value.
pub struct EmbeddedCluster(MockCluster<'static, DefaultProducerContext>);

impl EmbeddedCluster {
    /// Starts it with these topics and their numbers of partitions.
    pub fn start<'t>(topics: impl IntoIterator<Item = (&'t str, i32)>) -> Result<Self, Fatal> {
        let fatal = |e: KafkaError| Fatal(format!("embedded cluster: {e}"));
        let cluster = MockCluster::new(1).map_err(fatal)?;
        for (topic, partitions) in topics {
            cluster.create_topic(topic, partitions, 1).map_err(fatal)?;
        }
        Ok(Self(cluster))
    }

    /// What the stages must know of its topics: it cannot be asked for settings, and has the defaults.
    pub const fn facts(input_partitions: u32, internal_partitions: u32) -> TopicFacts {
        TopicFacts {
            input_partitions,
            partials_partitions: internal_partitions,
            input_message_bytes: DEFAULT_MESSAGE_BYTES,
            dead_letter_bytes: DEFAULT_MESSAGE_BYTES,
        }
    }

    /// Where it listens: what `bootstrap.servers` must say.
    pub fn address(&self) -> String {
        self.0.bootstrap_servers()
    }
}

/// Writes records as a collector does: at least once, no transaction.
pub struct PlainProducer(ThreadedProducer<DefaultProducerContext>);

impl PlainProducer {
    /// A producer for the cluster at `bootstrap`.
    pub fn connect(bootstrap: &str) -> Result<Self, Fatal> {
        ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("linger.ms", "50")
            .set("compression.codec", "lz4")
            .create()
            .map(Self)
            .map_err(|e| RequestError::from_kafka("producer", &e).into_fatal())
    }

    /// Queues one record; waits while the queue is full.
    pub fn send(&self, topic: &str, partition: i32, payload: &[u8]) -> Result<(), Fatal> {
        let mut record = BaseRecord::<(), [u8]>::to(topic)
            .partition(partition)
            .payload(payload);
        loop {
            record = match self.0.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), record)) => record,
                Err((error, _)) => return Err(Fatal(format!("writing to {topic}: {error}"))),
            };
            // The queue drains on the producer's own thread.
            let _ = self.0.flush(DRAIN);
        }
    }

    /// Waits until all is written, for at most two seconds.
    pub fn finish(self) -> Result<(), Fatal> {
        self.0
            .flush(FLUSH)
            .map_err(|e| Fatal(format!("writing the last records: {e}")))
    }
}
