//! The one load of all schedules, and how it is written: with two partitions more from half of it on.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;

use crate::run::{Prepared, base};
use crate::support::flows::{Content, Load, Record};
use crate::support::kafka_client::{Topic, Writer, block_on};
use crate::support::kafka_node::Cluster;
use crate::support::rules::rules;
use crate::support::{model, wait};

/// Partitions of the input at first.
pub(crate) const FIRST: usize = 4;
/// And in the end.
pub(crate) const LAST: usize = 6;
/// What is written to a partition this long after it was created must never be lost.
const KNOWN: Duration = Duration::from_secs(5);
/// How long creating partitions may be tried: a broker may be down.
const PATIENCE: Duration = Duration::from_mins(1);

/// Records, and what the model makes of them.
pub(crate) struct Recorded {
    records: Vec<Record>,
    /// Records before this one were written before the last partitions were there.
    half: usize,
    outcome: model::Outcome,
    /// End of the first window that has records of the last partitions.
    pub(crate) grown_at: i64,
}

impl Recorded {
    /// Twelve windows of each rule; some flows are late.
    ///
    /// A window that is closed before a partition is heard of is closed without it, however old what is written to
    /// it later may be. So the last partitions get nothing older than what was open when they were made.
    pub(crate) fn new(flows: usize) -> Self {
        let load = Load {
            intervals: 12,
            late_permille: 10,
            lateness_ms: 25_000,
            ..Load::new(11, flows, LAST, base())
        };
        let mut records = load.generate();
        let half = flows / 2;
        let since = records[half].out.timestamp - load.disorder_ms;
        for (n, record) in records.iter_mut().enumerate() {
            let is_older = match &record.content {
                Content::Flow(flow) => flow.received / 1000 * 1000 < since,
                Content::NotIp { received } => *received < since,
                Content::Undecodable => false,
            };
            if n < half || is_older {
                record.out.partition %= FIRST as i32;
            }
        }
        let outcome = model::run(&rules(), LAST, &records);
        let grown_at = since - since.rem_euclid(load.interval_ms) + load.interval_ms;
        Self {
            records,
            half,
            outcome,
            grown_at,
        }
    }

    /// Creates a topic for it. Nothing is written yet.
    pub(crate) fn prepare(&self, cluster: &Cluster, topic: &str) -> Prepared {
        let created = Topic::new(topic, FIRST).spread();
        created.create(cluster);
        Prepared {
            topic: topic.to_owned(),
            partitions: LAST,
            rules: rules(),
            records: self.records.clone(),
            outcome: self.outcome.clone(),
        }
    }

    /// Writes it all, evenly over `time`; half way it creates partitions and waits until they must be known.
    pub(crate) fn write(&self, cluster: &Cluster, topic: &str, time: Duration) {
        let outgoing: Vec<_> = self.records.iter().map(|record| &record.out).collect();
        let (before, after) = outgoing.split_at(self.half);
        let writer = Writer::new(cluster, topic);
        writer.write_over(before, time / 2);
        let created = Instant::now();
        grow(cluster, topic);
        println!(
            "   partitions added: {FIRST} are {LAST}, after {:?}",
            created.elapsed()
        );
        wait::pass(KNOWN);
        // A producer of its own, which knows them.
        Writer::new(cluster, topic).write_over(after, time / 2);
    }
}

fn grow(cluster: &Cluster, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = cluster
        .client()
        .create()
        .expect("an admin client can be created");
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE / 4));
    let every = Duration::from_millis(200);
    wait::until("partitions are added", PATIENCE, every, || {
        let more = NewPartitions::new(topic, LAST);
        let answer = block_on(admin.create_partitions([&more], &options));
        // It may have been done by a request whose answer was lost.
        let there = admin.inner().fetch_metadata(Some(topic), PATIENCE / 4).ok();
        let there = there.and_then(|m| Some(m.topics().first()?.partitions().len()));
        (answer.is_ok() && there == Some(LAST)).then_some(())
    });
}
