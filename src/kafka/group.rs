//! A member of a consumer group, with one queue per partition.
//!
//! In: topics. Out: [`GroupEvent`]s in order. Guarantees: a partition's queue is taken before it is
//! assigned and the partition is paused, so that no record is delivered before [`Group::start_at`] says
//! where to begin; a partition is given back only after its assignment number is dead, no transaction
//! holds it and the receiver of [`GroupEvent::Rebalancing`] has let go of it.
//! On failure [`GroupEvent::Failed`] says why, once.
//!
//! Invariant: between [`GroupEvent::Rebalancing`] and the [`Group::start_at`] that follows
//! [`GroupEvent::Rebalanced`] nobody reads, not even partitions that stay. librdkafka pauses them
//! during a rebalance and goes on at the position that it believes the application has, which is
//! one too far after an event in a batch, and too early when a batch was being read (tested: an
//! end-of-partition event before a rebalance cost a record). For the same reason members get no such
//! events.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::Sender;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::errors::{self, ClientLog, Fatal, RequestError, Right};
use super::fence::{AssignmentNumber, Fence};
use super::offsets::{self, CommittedOffset};
use super::queue::{Membership, PartitionQueue, authorise};
use super::rebalance::{GroupContext, client_name};
use super::settings::{ClientSettings, REQUEST_TIMEOUT};
use crate::partial::SourceId;

/// How often the polling thread looks at the stop flag.
const POLL: Duration = Duration::from_millis(100);

/// A partition that is ours until [`GroupEvent::Rebalancing`] names it.
pub(crate) struct Assigned {
    /// Topic and partition.
    pub(crate) partition: SourceId,
    /// Checked by the fence before each commit.
    pub(crate) number: AssignmentNumber,
    /// Its records, from [`Group::start_at`] on.
    pub(crate) queue: PartitionQueue,
}

/// What happens to a member.
pub(crate) enum GroupEvent {
    /// The assignment is about to change, as soon as `released` is dropped: by then the queues and
    /// tables of what goes must be gone, and nobody may read what stays.
    Rebalancing {
        /// What goes.
        revoked: Vec<AssignmentNumber>,
        /// Dropped by the receiver when it has let go.
        released: Sender<()>,
    },
    /// It has changed. What stayed must be started again with [`Group::start_at`].
    Rebalanced {
        /// What came.
        assigned: Vec<Assigned>,
    },
    /// The member is of no use any more.
    Failed(Fatal),
}

/// A member of a group. Leaves the group when dropped, unless it is static.
pub(crate) struct Group {
    name: String,
    consumer: Arc<BaseConsumer<GroupContext>>,
    fence: Arc<Fence>,
    stop_polling: Arc<AtomicBool>,
    poller: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Group {
    /// Joins the group of `stage`, whose topics have `partitions` in all, and begins to poll on a thread of its own.
    pub(crate) fn join(
        settings: &ClientSettings,
        stage: &'static str,
        topics: &[&str],
        partitions: u32,
        clients: Arc<ClientLog>,
        events: Sender<GroupEvent>,
    ) -> Result<Self, Fatal> {
        let fatal = |what: &str, e: KafkaError| RequestError::from_kafka(what, &e).into_fatal();
        let fence = Arc::new(Fence::default());
        clients.statistics.begin(&client_name(stage));
        let context = GroupContext {
            stage,
            fence: Arc::clone(&fence),
            events: events.clone(),
            clients,
            access: settings.access(),
            consumer: OnceLock::new(),
            numbers: Mutex::default(),
        };
        let consumer =
            BaseConsumer::from_config_and_context(&settings.member(stage, partitions), context)
                .map_err(|e| fatal("kafka settings", e))?;
        let consumer = Arc::new(consumer);
        authorise(consumer.client(), &consumer.context().access).map_err(Fatal)?;
        // Set once, before anything polls, so that no callback finds it empty.
        let _ = consumer.context().consumer.set(Arc::downgrade(&consumer));
        consumer
            .subscribe(topics)
            .map_err(|e| fatal("subscription", e))?;
        let stop_polling = Arc::new(AtomicBool::new(false));
        let poller = {
            let (consumer, stop) = (Arc::clone(&consumer), Arc::clone(&stop_polling));
            let instance = settings.static_member().map(str::to_owned);
            let group = settings.group(stage);
            thread::Builder::new()
                .name(format!("{stage}-poll"))
                .spawn(move || poll(&consumer, &group, instance.as_deref(), &stop, &events))
                .map_err(|e| Fatal(format!("thread {stage}-poll: {e}")))?
        };
        Ok(Self {
            name: settings.group(stage),
            consumer,
            fence,
            stop_polling,
            poller: Mutex::new(Some(poller)),
        })
    }

    /// What brokers call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The lock between transactions and rebalances.
    pub(crate) fn fence(&self) -> &Fence {
        &self.fence
    }

    /// The group's metadata now, if it is that of a live member who has lost nothing.
    pub(crate) fn membership(&self) -> Option<Membership> {
        if self.consumer.assignment_lost() {
            return None;
        }
        Membership::read(&*self.consumer).filter(Membership::is_member)
    }

    /// What is committed for each partition, waiting for open transactions to end.
    pub(crate) fn committed(
        &self,
        partitions: &[SourceId],
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>, RequestError> {
        // The consumer is read_committed, so that librdkafka asks for stable offsets.
        offsets::committed(&self.consumer, &self.name, partitions, timeout)
    }

    /// The offset up to which each assigned partition was read, behind records that are not for
    /// readers, such as the marks of transactions. Absent where nothing was read yet.
    pub(crate) fn positions(&self) -> HashMap<SourceId, i64> {
        let Ok(list) = self.consumer.position() else {
            return HashMap::new();
        };
        let known = list.elements().into_iter().filter_map(|p| {
            let Offset::Offset(offset) = p.offset() else {
                return None;
            };
            let partition = SourceId {
                topic: p.topic().into(),
                partition: p.partition(),
            };
            Some((partition, offset))
        });
        known.collect()
    }

    /// Makes the queue of `partition` begin at `offset`, at the start and when going back.
    pub(crate) fn start_at(&self, partition: &SourceId, offset: i64) -> Result<(), RequestError> {
        let what = || format!("seek {partition} to {offset}");
        let list = one(partition, offset, &what())?;
        let list = self
            .consumer
            .seek_partitions(list, REQUEST_TIMEOUT)
            .map_err(|e| RequestError::from_kafka(&what(), &e))?;
        if let Some(found) = list.find_partition(&partition.topic, partition.partition) {
            found
                .error()
                .map_err(|e| RequestError::Retry(format!("{}: {e}", what())))?;
        }
        self.consumer
            .resume(&list)
            .map_err(|e| RequestError::Retry(format!("{}: {e}", what())))
    }

    /// Starts the fetcher of `partition` anew at `offset`. Needed after an offset out of range, which
    /// stops the fetcher for good: then a seek is refused.
    pub(crate) fn restart_at(&self, partition: &SourceId, offset: i64) -> Result<(), RequestError> {
        let what = format!("restart {partition} at {offset}");
        let list = one(partition, offset, &what)?;
        let retry = |e: KafkaError| RequestError::Retry(format!("{what}: {e}"));
        self.consumer.incremental_unassign(&list).map_err(retry)?;
        self.consumer.incremental_assign(&list).map_err(retry)
    }

    /// Stops polling, so that the group takes this member for dead when its interval is over.
    pub(crate) fn stop_polling(&self) {
        self.stop_polling.store(true, Ordering::Relaxed);
    }

    /// Stops polling and waits for the thread. A dynamic member then leaves the group when dropped.
    pub(crate) fn join_poller(&self) {
        self.stop_polling();
        let poller = self
            .poller
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(poller) = poller
            && poller.join().is_err()
        {
            tracing::error!("the polling thread panicked");
        }
    }
}

fn one(partition: &SourceId, offset: i64, what: &str) -> Result<TopicPartitionList, RequestError> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition_offset(
        &partition.topic,
        partition.partition,
        Offset::Offset(offset),
    )
    .map_err(|e| RequestError::from_kafka(what, &e))?;
    Ok(list)
}

/// Until asked to stop, or the member is of no use. `instance` is the name of a static member.
fn poll(
    consumer: &BaseConsumer<GroupContext>,
    group: &str,
    instance: Option<&str>,
    stop: &AtomicBool,
    events: &Sender<GroupEvent>,
) {
    let fail = |why: String| {
        // Nobody listens any more when the stage is stopping.
        let _ = events.send(GroupEvent::Failed(Fatal(why)));
    };
    while !stop.load(Ordering::Relaxed) {
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(record)) => {
                return fail(format!(
                    "record {}/{} at {} came on the main queue instead of its partition's: a bug",
                    record.topic(),
                    record.partition(),
                    record.offset()
                ));
            }
            Some(Err(error)) => {
                // After that it neither polls nor joins again, and says so only once.
                if let Some((code, why)) = consumer.client().fatal_error() {
                    return fail(match instance {
                        Some(name) if code == RDKafkaErrorCode::FencedInstanceId => {
                            format!("another process uses instance id {name}: group member: {why}")
                        }
                        _ => format!("group member: {why}"),
                    });
                }
                let code = error.rdkafka_error_code();
                if code.is_some_and(errors::is_permanent) {
                    let missing = Right::group("READ", group).missing(code);
                    return fail(format!("group member: {error}{missing}"));
                }
                consumer.context().clients.errors.record(error.to_string());
            }
        }
    }
}
