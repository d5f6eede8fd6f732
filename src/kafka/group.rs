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
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Message as _, Offset, TopicPartitionList};

use super::errors::{self, ErrorLog, Fatal, RequestError};
use super::fence::{AssignmentNumber, Fence};
use super::queue::{Membership, PartitionQueue};
use super::settings::{ClientSettings, REQUEST_TIMEOUT};
use crate::partial::SourceId;

/// How long the receiver may take to let go of revoked partitions. The supervisor gives up on a
/// thread that is stuck sooner.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(90);
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

/// A member of a group. Leaves the group when dropped.
pub(crate) struct Group {
    consumer: Arc<BaseConsumer<GroupContext>>,
    fence: Arc<Fence>,
    stop_polling: Arc<AtomicBool>,
    poller: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Group {
    /// Joins the group of `stage` and begins to poll on a thread of its own.
    pub(crate) fn join(
        settings: &ClientSettings,
        stage: &'static str,
        topics: &[&str],
        errors: Arc<ErrorLog>,
        events: Sender<GroupEvent>,
    ) -> Result<Self, Fatal> {
        let fatal = |what: &str, e: KafkaError| RequestError::from_kafka(what, &e).into_fatal();
        let fence = Arc::new(Fence::default());
        let context = GroupContext {
            stage,
            fence: Arc::clone(&fence),
            events: events.clone(),
            errors,
            consumer: OnceLock::new(),
            numbers: Mutex::default(),
        };
        let consumer = BaseConsumer::from_config_and_context(&settings.member(stage), context)
            .map_err(|e| fatal("kafka settings", e))?;
        let consumer = Arc::new(consumer);
        // Set once, before anything polls, so that no callback finds it empty.
        let _ = consumer.context().consumer.set(Arc::downgrade(&consumer));
        consumer
            .subscribe(topics)
            .map_err(|e| fatal("subscription", e))?;
        let stop_polling = Arc::new(AtomicBool::new(false));
        let poller = {
            let (consumer, stop) = (Arc::clone(&consumer), Arc::clone(&stop_polling));
            thread::Builder::new()
                .name(format!("{stage}-poll"))
                .spawn(move || poll(&consumer, &stop, &events))
                .map_err(|e| Fatal(format!("thread {stage}-poll: {e}")))?
        };
        Ok(Self {
            consumer,
            fence,
            stop_polling,
            poller: Mutex::new(Some(poller)),
        })
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

    /// Offset and metadata committed for each partition, waiting for open transactions to end.
    /// Offset `None` where nothing is committed.
    pub(crate) fn committed(
        &self,
        partitions: &[SourceId],
        timeout: Duration,
    ) -> Result<Vec<(SourceId, Option<i64>, String)>, RequestError> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for p in partitions {
            list.add_partition(&p.topic, p.partition);
        }
        // The consumer is read_committed, so that librdkafka asks for stable offsets.
        let list = self
            .consumer
            .committed_offsets(list, timeout)
            .map_err(|e| RequestError::from_kafka("committed offsets", &e))?;
        let mut result = Vec::with_capacity(partitions.len());
        for p in partitions {
            let Some(found) = list.find_partition(&p.topic, p.partition) else {
                return Err(RequestError::Retry(format!(
                    "committed offset of {p}: no answer"
                )));
            };
            found
                .error()
                .map_err(|e| RequestError::from_kafka(&format!("committed offset of {p}"), &e))?;
            let offset = match found.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            result.push((p.clone(), offset, found.metadata().to_owned()));
        }
        Ok(result)
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

    /// Stops polling and waits for the thread. Dropping the group then leaves it.
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

fn poll(consumer: &BaseConsumer<GroupContext>, stop: &AtomicBool, events: &Sender<GroupEvent>) {
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
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                return fail(format!("group member: {code}"));
            }
            Some(Err(error)) => {
                let permanent = error.rdkafka_error_code().is_some_and(errors::is_permanent);
                if permanent {
                    return fail(format!("group member: {error}"));
                }
                consumer.context().errors.record(error.to_string());
            }
        }
    }
}

/// Receives the callbacks, on the polling thread.
struct GroupContext {
    stage: &'static str,
    fence: Arc<Fence>,
    events: Sender<GroupEvent>,
    errors: Arc<ErrorLog>,
    /// The consumer itself: queues hold it.
    consumer: OnceLock<Weak<BaseConsumer<GroupContext>>>,
    numbers: Mutex<HashMap<(String, i32), AssignmentNumber>>,
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        errors::log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", stage = self.stage, %error, reason, "client error");
        self.errors.record(format!("{error}: {reason}"));
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let result = if kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.assign(consumer, partitions)
        } else {
            self.revoke(consumer, partitions)
        };
        if let Err(error) = result {
            let _ = self.events.send(GroupEvent::Failed(Fatal(format!(
                "rebalance of {}: {error}",
                self.stage
            ))));
        }
    }
}

impl GroupContext {
    fn numbers(&self) -> std::sync::MutexGuard<'_, HashMap<(String, i32), AssignmentNumber>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn assign(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &mut TopicPartitionList,
    ) -> KafkaResult<()> {
        let mut assigned = Vec::with_capacity(partitions.count());
        let owner = self.consumer.get().and_then(Weak::upgrade);
        for partition in partitions.elements() {
            // Without an owner the consumer is being dropped, and nobody will read.
            let Some(owner) = &owner else { break };
            let (topic, number) = (partition.topic(), partition.partition());
            let queue = PartitionQueue::take(owner, topic, number).ok_or_else(|| {
                KafkaError::Subscription(format!("no queue for {topic}/{number}"))
            })?;
            let assignment = self.fence.assign();
            self.numbers()
                .insert((topic.to_owned(), number), assignment);
            assigned.push(Assigned {
                partition: SourceId {
                    topic: topic.into(),
                    partition: number,
                },
                number: assignment,
                queue,
            });
        }
        tracing::info!(stage = self.stage, partitions = %names(partitions), "assigned");
        // Any position will do, because paused partitions fetch nothing: `start_at` says the true one.
        partitions.set_all_offsets(Offset::Offset(0))?;
        if partitions.count() > 0 {
            consumer.pause(partitions)?;
        }
        self.release(Vec::new())?;
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions)?,
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(partitions)?,
        }
        let _ = self.events.send(GroupEvent::Rebalanced { assigned });
        Ok(())
    }

    /// Waits until the receiver has let go of `revoked` and reads nothing.
    fn release(&self, revoked: Vec<AssignmentNumber>) -> KafkaResult<()> {
        let (released, release) = bounded(0);
        let event = GroupEvent::Rebalancing { revoked, released };
        // The receiver drops its end when it has let go. If it is gone, so are its queues.
        if self.events.send(event).is_ok()
            && release.recv_timeout(RELEASE_TIMEOUT) == Err(RecvTimeoutError::Timeout)
        {
            return Err(KafkaError::Rebalance(RDKafkaErrorCode::OperationTimedOut));
        }
        Ok(())
    }

    fn revoke(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &TopicPartitionList,
    ) -> KafkaResult<()> {
        let numbers: Vec<_> = partitions
            .elements()
            .iter()
            .filter_map(|p| {
                self.numbers()
                    .remove(&(p.topic().to_owned(), p.partition()))
            })
            .collect();
        let lost = consumer.assignment_lost();
        tracing::info!(stage = self.stage, lost, partitions = %names(partitions), "revoked");
        // Waits for the open transaction; from here on none can hold these partitions.
        self.fence.revoke(&numbers);
        self.release(numbers)?;
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions)?,
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign()?,
        }
        let assigned = Vec::new();
        let _ = self.events.send(GroupEvent::Rebalanced { assigned });
        Ok(())
    }
}

fn names(partitions: &TopicPartitionList) -> String {
    let names: Vec<_> = partitions
        .elements()
        .iter()
        .map(|p| format!("{}/{}", p.topic(), p.partition()))
        .collect();
    names.join(" ")
}
