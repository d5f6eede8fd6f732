//! The rebalance callback, on the polling thread.
//!
//! Order of an assignment: queues are taken, numbers given, the receiver lets go, partitions are paused
//! and assigned. Order of a revocation: numbers die (which waits for the open transaction), the receiver
//! lets go, partitions are unassigned.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::access::Access;
use super::errors::{self, ClientLog, Fatal};
use super::failpoint;
use super::fence::{AssignmentNumber, Fence};
use super::group::{Assigned, GroupEvent};
use super::queue::PartitionQueue;
use crate::partial::SourceId;

/// How long the receiver may take to let go of revoked partitions. The supervisor gives up on a
/// thread that is stuck sooner.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(90);

/// Receives the callbacks, on the polling thread.
pub(super) struct GroupContext {
    pub(super) stage: &'static str,
    pub(super) fence: Arc<Fence>,
    pub(super) events: Sender<GroupEvent>,
    pub(super) clients: Arc<ClientLog>,
    pub(super) access: Access,
    /// The consumer itself: queues hold it.
    pub(super) consumer: OnceLock<Weak<BaseConsumer<GroupContext>>>,
    pub(super) numbers: Mutex<HashMap<(String, i32), AssignmentNumber>>,
}

impl ClientContext for GroupContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.access.generate_oauth_token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        errors::log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", stage = self.stage, %error, reason, "client error");
        self.clients
            .errors
            .record(self.access.heard(&error, reason));
    }

    fn stats_raw(&self, json: &[u8]) {
        self.clients
            .statistics
            .report(&client_name(self.stage), json);
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
        failpoint::reached(self.stage, "assign.before");
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
        failpoint::reached(self.stage, "assign.after");
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
        failpoint::reached(self.stage, "revoke.before");
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
        failpoint::reached(self.stage, "revoke.after");
        Ok(())
    }
}

/// What the consumer of a stage is called in telemetry.
pub(super) fn client_name(stage: &str) -> String {
    format!("{stage}-consumer")
}

fn names(partitions: &TopicPartitionList) -> String {
    let names: Vec<_> = partitions
        .elements()
        .iter()
        .map(|p| format!("{}/{}", p.topic(), p.partition()))
        .collect();
    names.join(" ")
}
