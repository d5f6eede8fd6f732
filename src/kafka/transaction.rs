//! One transaction on a producer: begin, records, offsets, commit; or abort.
//!
//! In: a live producer, records, offsets. Out: committed, or [`Trouble`], which says what is left of the
//! producer. Guarantees: a commit is retried only by calling commit again; membership is read anew for
//! each attempt to send offsets; the cause of an abort that cannot mend itself, such as a record that is
//! too large, is told as that.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionListElem as Elem;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::access::Access;
use super::errors::{self, ClientLog, Right};
use super::failpoint;
use super::group::Group;
use super::producer::{OutOffset, OutRecord};
use super::queue::{Membership, SendOffsetsError};
use super::settings::{REQUEST_TIMEOUT, TRANSACTION_TIMEOUT};
use super::unwritable::Unwritable;
use crate::telemetry::Span;

/// When a commit has not ended by then its outcome counts as unknown. The broker's own transaction
/// timeout is shorter, so that by then it has decided.
const COMMIT_DEADLINE: Duration = Duration::from_secs(20);

/// Part of librdkafka's text when a record's partition was refused.
const ADDING: &str = "add partition";
/// When offsets have not been sent by then, they never may be. The broker has aborted the transaction.
const OFFSETS_DEADLINE: Duration = TRANSACTION_TIMEOUT;

/// A producer that may begin a transaction.
pub(super) struct Live {
    pub(super) stage: &'static str,
    pub(super) producer: Arc<ThreadedProducer<DeliveryContext>>,
    /// The first record that could not be delivered in the open transaction.
    pub(super) undelivered: Undelivered,
}

pub(super) type Undelivered = Arc<Mutex<Option<(String, Code)>>>;

/// What went wrong inside a transaction, and what must be done about the producer.
pub(super) enum Trouble {
    /// Abort.
    Abort(String),
    /// There is nothing that could be aborted, or nobody knows what the broker did.
    Replace(String),
    /// Another producer has taken over our transactional id, or the broker has timed us out.
    Fenced(String),
    /// No use.
    Fatal(String),
}

impl Trouble {
    /// In one word, and in the broker's words.
    fn told(&self) -> (&'static str, &str) {
        match self {
            Self::Abort(why) => ("abort", why),
            Self::Replace(why) => ("unknown_outcome", why),
            Self::Fenced(why) => ("fenced", why),
            Self::Fatal(why) => ("fatal", why),
        }
    }

    pub(super) fn of(what: &str, error: &KafkaError) -> Self {
        let text = format!("{what}: {error}");
        match error {
            KafkaError::Transaction(e) => {
                Self::classed(text, e.code(), e.is_fatal(), e.txn_requires_abort())
            }
            // Local queue flush within a commit.
            KafkaError::Flush(_) => Self::Abort(text),
            other => match other.rdkafka_error_code() {
                Some(code) => Self::classed(text, code, false, true),
                None => Self::Replace(text),
            },
        }
    }

    pub(super) fn classed(text: String, code: Code, fatal: bool, abort: bool) -> Self {
        if matches!(
            code,
            Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch
        ) {
            Self::Fenced(text)
        } else if errors::is_permanent(code) {
            Self::Fatal(text)
        } else if fatal || !abort {
            Self::Replace(text)
        } else {
            Self::Abort(text)
        }
    }
}

impl Live {
    /// Gives the time that the commit took.
    pub(super) fn run(
        &self,
        group: &Group,
        records: &[&[OutRecord]],
        offsets: &[OutOffset],
    ) -> Result<Duration, Trouble> {
        let list = offset_list(offsets).map_err(|e| Trouble::of("offsets", &e))?;
        *self.undelivered() = None;
        self.producer
            .begin_transaction()
            .map_err(|e| Trouble::of("begin_transaction", &e))?;
        failpoint::reached(self.stage, "produce.before");
        for record in records.iter().copied().flatten() {
            self.send(record)?;
        }
        failpoint::reached(self.stage, "produce.after");
        let begun = Instant::now();
        let span = Span::commit(offsets.len());
        failpoint::reached(self.stage, "offsets.before");
        let result = self.send_offsets(group, &list).and_then(|()| {
            failpoint::reached(self.stage, "offsets.after");
            self.commit()
        });
        if let Err(trouble) = &result {
            let (class, why) = trouble.told();
            span.fail(class, why);
        }
        result.map(|()| begun.elapsed())
    }

    fn undelivered(&self) -> std::sync::MutexGuard<'_, Option<(String, Code)>> {
        self.undelivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, record: &OutRecord) -> Result<(), Trouble> {
        let deadline = Instant::now() + COMMIT_DEADLINE;
        let mut out = BaseRecord::to(&record.topic);
        out.partition = record.partition;
        out.timestamp = record.timestamp;
        if let Some(key) = &record.key {
            out = out.key(key.as_slice());
        }
        if let Some(payload) = &record.payload {
            out = out.payload(payload.as_slice());
        }
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            out = out.headers(
                record
                    .headers
                    .iter()
                    .fold(headers, |headers, (key, value)| {
                        headers.insert(Header {
                            key,
                            value: Some(value),
                        })
                    }),
            );
        }
        loop {
            match self.producer.send(out) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), back))
                    if Instant::now() < deadline =>
                {
                    out = back;
                    // Waits for room; whether the queue empties is seen at the next try.
                    let _ = self.producer.flush(Duration::from_millis(100));
                }
                Err((error, _)) => {
                    let size = record.payload.as_ref().map_or(0, Vec::len);
                    let what = format!("record of {size} bytes to {}", record.topic);
                    return Err(Trouble::of(&what, &error));
                }
            }
        }
    }

    fn send_offsets(&self, group: &Group, list: &TopicPartitionList) -> Result<(), Trouble> {
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        loop {
            // Read anew each time: a generation that has passed is no longer ours to use.
            let Some(membership) = group.membership() else {
                return Err(Trouble::Abort(
                    "not a live member of the group: offsets are not sent".to_owned(),
                ));
            };
            match self.offer(membership, list.clone())? {
                Ok(()) => return Ok(()),
                Err(e) if e.retriable && Instant::now() < deadline => {}
                Err(e) => {
                    let missing = self.missing(group, list, &e);
                    let text = format!("send_offsets_to_transaction: {}{missing}", e.text);
                    return Err(Trouble::classed(text, e.code, e.fatal, true));
                }
            }
        }
    }

    /// Which rights the offsets' transaction lacks; records that were sent before may be what is refused.
    fn missing(&self, group: &Group, list: &TopicPartitionList, e: &SendOffsetsError) -> String {
        if e.code == Code::TopicAuthorizationFailed && e.text.contains(ADDING) {
            return self.unwritable();
        }
        let mut missing = Right::group("READ", group.name()).missing(Some(e.code));
        let partitions = list.elements();
        let topics: BTreeSet<_> = partitions.iter().map(Elem::topic).collect();
        for topic in topics {
            missing += &Right::topic("READ", topic).missing(Some(e.code));
        }
        missing
    }

    fn unwritable(&self) -> String {
        self.producer.context().unwritable.missing()
    }

    /// One try at sending offsets, on a thread of its own. librdkafka waits for the group's coordinator without
    /// looking at its time-out (its issues 5456 and 5511, open): when that broker died at the wrong moment, the call did not
    /// return for minutes. When it is overdue it is left alone, and the producer with it: what it may do later
    /// is refused, because the producer that replaces this one has a newer epoch.
    fn offer(
        &self,
        membership: Membership,
        list: TopicPartitionList,
    ) -> Result<Result<(), SendOffsetsError>, Trouble> {
        let what = "send_offsets_to_transaction";
        let producer = Arc::clone(&self.producer);
        let (answer, answers) = bounded(1);
        let send = move || {
            let result = membership.send_offsets(&producer, &list, REQUEST_TIMEOUT);
            // Before the answer, so that whoever hears it holds the producer alone.
            drop(producer);
            let _ = answer.send(result);
        };
        thread::Builder::new()
            .name(format!("{}-offsets", self.stage))
            .spawn(send)
            .map_err(|e| Trouble::Abort(format!("{what}: thread: {e}")))?;
        answers.recv_timeout(OFFSETS_DEADLINE).map_err(|_| {
            let seconds = OFFSETS_DEADLINE.as_secs();
            Trouble::Replace(format!("{what}: no answer within {seconds}s"))
        })
    }

    fn commit(&self) -> Result<(), Trouble> {
        let deadline = Instant::now() + COMMIT_DEADLINE;
        failpoint::reached(self.stage, "commit.before");
        loop {
            let error = match self.producer.commit_transaction(REQUEST_TIMEOUT) {
                Ok(()) => {
                    failpoint::reached(self.stage, "commit.after");
                    return Ok(());
                }
                Err(error) => error,
            };
            let again = match &error {
                KafkaError::Transaction(e) => {
                    e.is_retriable() && !e.txn_requires_abort() && !e.is_fatal()
                }
                KafkaError::Flush(_) => true,
                _ => false,
            };
            if again && Instant::now() < deadline {
                continue;
            }
            if again {
                return Err(Trouble::Replace(format!(
                    "commit_transaction: outcome unknown after {}s: {error}",
                    COMMIT_DEADLINE.as_secs()
                )));
            }
            return Err(match &error {
                KafkaError::Transaction(e) if e.code() == Code::TopicAuthorizationFailed => {
                    let missing = self.unwritable();
                    Trouble::Fatal(format!("commit_transaction: {error}{missing}"))
                }
                _ => Trouble::of("commit_transaction", &error),
            });
        }
    }

    /// Aborts, if that is what the trouble calls for, and says what is left of the producer.
    pub(super) fn abort(&self, trouble: Trouble) -> Trouble {
        let why = match trouble {
            Trouble::Abort(why) => why,
            other => return other,
        };
        let refused = self.undelivered().clone();
        let result = match self.abort_within(COMMIT_DEADLINE) {
            Ok(()) => Trouble::Abort(why),
            Err(error) => match Trouble::of(&format!("{why}; abort_transaction"), &error) {
                Trouble::Abort(why) => Trouble::Replace(why),
                other => other,
            },
        };
        match refused {
            Some((topic, code)) if errors::is_permanent(code) => {
                let missing = Right::topic("WRITE", &topic).missing(Some(code));
                Trouble::Fatal(format!("record to {topic} refused: {code}{missing}"))
            }
            _ => result,
        }
    }

    fn abort_within(&self, limit: Duration) -> Result<(), KafkaError> {
        let deadline = Instant::now() + limit;
        loop {
            match self.producer.abort_transaction(REQUEST_TIMEOUT) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(e))
                    if e.is_retriable() && !e.is_fatal() && Instant::now() < deadline => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn offset_list(offsets: &[OutOffset]) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for o in offsets {
        let mut entry = list.add_partition(&o.partition.topic, o.partition.partition);
        entry.set_offset(Offset::Offset(o.offset))?;
        entry.set_metadata(&o.metadata);
    }
    Ok(list)
}

/// Receives delivery reports, on the producer's polling thread.
pub(super) struct DeliveryContext {
    /// What it is called in telemetry.
    pub(super) name: Arc<str>,
    pub(super) clients: Arc<ClientLog>,
    pub(super) access: Access,
    pub(super) unwritable: Unwritable,
    pub(super) undelivered: Undelivered,
}

impl ClientContext for DeliveryContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.access.generate_oauth_token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.unwritable.logged(facility, line);
        errors::log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason, "producer error");
        self.clients
            .errors
            .record(self.access.heard(&error, reason));
    }

    fn stats_raw(&self, json: &[u8]) {
        self.clients.statistics.report(&self.name, json);
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        use rdkafka::Message as _;
        let Err((error, record)) = result else { return };
        // Purged by an abort: not the cause of anything.
        let Some(code) = error
            .rdkafka_error_code()
            .filter(|c| !matches!(c, Code::PurgeQueue | Code::PurgeInflight))
        else {
            return;
        };
        self.undelivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| (record.topic().to_owned(), code));
    }
}
