//! What tests do with a broker: create topics, write records, read what is committed.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message as _};
use rdkafka::producer::{DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use super::kafka_node::Cluster;
use super::outcome::Message;
use super::wait;

// Not every target that includes this module writes.
#[allow(unused_imports)]
pub(crate) use super::kafka_writer::Writer;

const ANSWER: Duration = Duration::from_secs(30);

/// A topic to create: one replica per partition, on the broker named by `on` (node 1 by default), or as many
/// replicas as the cluster has by default, wherever it likes.
pub(crate) struct Topic<'a> {
    name: &'a str,
    on: Vec<i32>,
    spread: bool,
    settings: Vec<(&'a str, &'a str)>,
}

impl<'a> Topic<'a> {
    pub(crate) fn new(name: &'a str, partitions: usize) -> Self {
        Self {
            name,
            on: vec![1; partitions],
            spread: false,
            settings: Vec::new(),
        }
    }

    /// Places `partition` on `broker`.
    pub(crate) fn place(mut self, partition: usize, broker: u32) -> Self {
        self.on[partition] = broker as i32;
        self
    }

    /// Leaves replicas and their places to the cluster.
    pub(crate) fn spread(mut self) -> Self {
        self.spread = true;
        self
    }

    pub(crate) fn setting(mut self, name: &'a str, value: &'a str) -> Self {
        self.settings.push((name, value));
        self
    }

    /// Creates it and waits until each partition has a leader.
    pub(crate) fn create(self, cluster: &Cluster) {
        let admin: AdminClient<DefaultClientContext> = cluster
            .client()
            .create()
            .expect("an admin client can be created");
        let placement: Vec<[i32; 1]> = self.on.iter().map(|broker| [*broker]).collect();
        let placement: Vec<&[i32]> = placement.iter().map(<[i32; 1]>::as_slice).collect();
        let replication = if self.spread {
            TopicReplication::Fixed(-1)
        } else {
            TopicReplication::Variable(&placement)
        };
        let mut topic = NewTopic::new(self.name, self.on.len() as i32, replication);
        for (name, value) in &self.settings {
            topic = topic.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(ANSWER));
        let created = block_on(admin.create_topics([&topic], &options));
        for result in created.expect("the broker answers CreateTopics") {
            result.unwrap_or_else(|(name, code)| panic!("topic {name} is not created: {code}"));
        }
        let every = Duration::from_millis(50);
        wait::until("each partition has a leader", ANSWER, every, || {
            let metadata = admin.inner().fetch_metadata(Some(self.name), ANSWER).ok()?;
            let partitions = metadata.topics().first()?.partitions();
            let led =
                partitions.len() == self.on.len() && partitions.iter().all(|p| p.leader() > 0);
            led.then_some(())
        });
    }
}

/// One committed record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Vec<u8>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Incoming {
    /// As an alert or window record.
    pub(crate) fn message(&self) -> Message {
        Message::parse(self.payload.as_deref().unwrap_or_default())
    }
}

/// Reads a topic from its beginning, `read_committed`, and remembers all of it.
pub(crate) struct Reader {
    consumer: BaseConsumer,
    /// By partition, whether its end was reached and nothing was read since.
    ended: Vec<bool>,
    records: Vec<Incoming>,
}

impl Reader {
    /// The topic must exist.
    pub(crate) fn new(cluster: &Cluster, topic: &str) -> Self {
        Self::isolated(cluster, topic, "read_committed")
    }

    fn isolated(cluster: &Cluster, topic: &str, isolation: &str) -> Self {
        let consumer = reading_client(cluster, isolation);
        let partitions = partition_count(&consumer, topic);
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            assignment
                .add_partition_offset(topic, partition as i32, Offset::Beginning)
                .expect("the beginning is a valid offset");
        }
        consumer
            .assign(&assignment)
            .expect("partitions can be assigned");
        Self {
            consumer,
            ended: vec![false; partitions],
            records: Vec::new(),
        }
    }

    /// Reads until `enough`, then returns all records so far; panics with `what` after `within`.
    pub(crate) fn until(
        &mut self,
        what: &str,
        within: Duration,
        mut enough: impl FnMut(&[Incoming]) -> bool,
    ) -> &[Incoming] {
        let deadline = Instant::now() + within;
        while !enough(&self.records) {
            let read = self.records.len();
            assert!(
                Instant::now() < deadline,
                "{what}: not within {within:?}; {read} records are committed"
            );
            self.step();
        }
        &self.records
    }

    /// All records so far.
    pub(crate) fn records(&self) -> &[Incoming] {
        &self.records
    }

    /// Reads a record, if one comes soon.
    pub(crate) fn step(&mut self) {
        match self.consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                self.ended[message.partition() as usize] = false;
                self.records.push(Incoming {
                    partition: message.partition(),
                    offset: message.offset(),
                    timestamp: message.timestamp().to_millis(),
                    key: message.key().unwrap_or_default().to_vec(),
                    payload: message.payload().map(<[u8]>::to_vec),
                    headers: headers_of(&message),
                });
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => self.ended[partition as usize] = true,
            None => {}
            Some(Err(KafkaError::MessageConsumption(code))) if is_passing(code) => {}
            Some(Err(error)) => panic!("reading back: {error}"),
        }
    }
}

/// All that is committed in a topic whose writers have stopped.
///
/// A commit is visible only when the broker has written its markers, which happens after it
/// answered; until then the stable offset is behind the high watermark. So this waits until
/// both are one, and reads to there.
pub(crate) fn read_all(cluster: &Cluster, topic: &str) -> Vec<Incoming> {
    let every = Duration::from_millis(50);
    let what = format!("no transaction is open on {topic}");
    let written = wait::until(&what, ANSWER, every, || {
        let written = ends(cluster, topic, "read_uncommitted");
        (written == ends(cluster, topic, "read_committed")).then_some(written)
    });
    let records = read_to_end(cluster, topic, "read_committed");
    let now = ends(cluster, topic, "read_uncommitted");
    assert_eq!(now, written, "{topic} is still written to");
    records
}

/// How many records of a topic were written in transactions that were aborted.
pub(crate) fn aborted(cluster: &Cluster, topic: &str) -> usize {
    let all = read_to_end(cluster, topic, "read_uncommitted").len();
    all - read_to_end(cluster, topic, "read_committed").len()
}

fn read_to_end(cluster: &Cluster, topic: &str, isolation: &str) -> Vec<Incoming> {
    let mut reader = Reader::isolated(cluster, topic, isolation);
    let deadline = Instant::now() + ANSWER * 2;
    while !reader.ended.iter().all(|ended| *ended) {
        let late = Instant::now() >= deadline;
        assert!(!late, "the end of {topic} is not reached");
        reader.step();
    }
    reader.records
}

/// By partition, where a client of the given isolation level sees the end.
pub(crate) fn ends(cluster: &Cluster, topic: &str, isolation: &str) -> Vec<i64> {
    let client = reading_client(cluster, isolation);
    let end_of = |partition: usize| {
        let watermarks = client.fetch_watermarks(topic, partition as i32, ANSWER);
        watermarks.expect("the broker answers ListOffsets").1
    };
    (0..partition_count(&client, topic)).map(end_of).collect()
}

fn reading_client(cluster: &Cluster, isolation: &str) -> BaseConsumer {
    cluster
        .client()
        // librdkafka wants a group even where partitions are assigned by hand; nothing is committed.
        .set("group.id", "tests")
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("fetch.wait.max.ms", "50")
        .set("fetch.message.max.bytes", "8000000")
        .create()
        .expect("a consumer can be created")
}

/// Whether librdkafka goes on by itself after this: a broker that a test stopped.
fn is_passing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::ReplicaNotAvailable
            | RDKafkaErrorCode::OffsetNotAvailable
            | RDKafkaErrorCode::FencedLeaderEpoch
            | RDKafkaErrorCode::UnknownLeaderEpoch
            | RDKafkaErrorCode::KafkaStorageError
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::OperationTimedOut
    )
}

fn headers_of(message: &impl rdkafka::Message) -> Vec<(String, Vec<u8>)> {
    let Some(headers) = message.headers() else {
        return Vec::new();
    };
    headers
        .iter()
        .map(|h| (h.key.to_owned(), h.value.unwrap_or_default().to_vec()))
        .collect()
}

fn partition_count(consumer: &BaseConsumer, topic: &str) -> usize {
    let what = format!("topic {topic} exists");
    wait::until(&what, ANSWER, Duration::from_millis(50), || {
        let metadata = consumer.fetch_metadata(Some(topic), ANSWER).ok()?;
        let count = metadata.topics().first()?.partitions().len();
        (count > 0).then_some(count)
    })
}

/// Whether the broker knows a topic.
pub(crate) fn topic_exists(cluster: &Cluster, topic: &str) -> bool {
    let client: BaseConsumer = cluster.client().create().expect("a client can be created");
    let metadata = client
        .fetch_metadata(None, ANSWER)
        .expect("the broker answers");
    metadata.topics().iter().any(|t| t.name() == topic)
}

/// The offsets that a group committed for a topic, by partition; -1 where there is none.
pub(crate) fn committed(
    cluster: &Cluster,
    group: &str,
    topic: &str,
    partitions: usize,
) -> Vec<i64> {
    Commits::new(cluster, group, topic, partitions).now()
}

/// The same for who asks again and again.
pub(crate) struct Commits {
    client: BaseConsumer,
    asked: TopicPartitionList,
}

impl Commits {
    pub(crate) fn new(cluster: &Cluster, group: &str, topic: &str, partitions: usize) -> Self {
        let mut client = cluster.client();
        let client = client.set("group.id", group).create();
        let mut asked = TopicPartitionList::new();
        for partition in 0..partitions {
            asked.add_partition(topic, partition as i32);
        }
        Self {
            client: client.expect("a client can be created"),
            asked,
        }
    }

    pub(crate) fn now(&self) -> Vec<i64> {
        // A coordinator that has just moved may leave a first request unanswered.
        let every = Duration::from_millis(100);
        let answer = wait::until("the broker answers OffsetFetch", ANSWER * 2, every, || {
            let attempt = ANSWER / 3;
            self.client
                .committed_offsets(self.asked.clone(), attempt)
                .ok()
        });
        let elements = answer.elements();
        let offsets = elements.iter().map(|element| match element.offset() {
            Offset::Offset(at) => at,
            _ => -1,
        });
        offsets.collect()
    }
}

/// Makes Kafka create its own topics, for groups and transactions, on the brokers that run now.
pub(crate) fn use_internal_topics(cluster: &Cluster) {
    committed(cluster, "first", "none", 1);
    let producer: ThreadedProducer<DefaultProducerContext> = cluster
        .client()
        .set("transactional.id", "first")
        .create()
        .expect("a producer can be created");
    producer
        .init_transactions(ANSWER)
        .expect("the coordinator answers");
}

/// Runs a future of the admin client, which is woken from librdkafka's thread, to its end.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
