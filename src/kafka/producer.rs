//! Transactions: records and offsets that become visible together or not at all.
//!
//! In: encoded records, offsets with metadata, the right to commit. Out: committed, or a
//! [`TransactionError`] after which nothing is known to be written and the tasks start again from what is
//! committed. Guarantees: an empty list of offsets is refused; a commit is retried only by calling
//! commit again; when its outcome is unknown, or the broker fenced us, the producer is destroyed, and
//! the next use makes a new one, whose `init_transactions` settles what the old one left.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use super::errors::{self, ErrorLog, Fatal, RequestError};
use super::fence::{AssignmentNumber, TransactionPass};
use super::group::Group;
use super::settings::{ClientSettings, REQUEST_TIMEOUT};
use crate::partial::SourceId;

/// When a commit has not ended by then its outcome counts as unknown. The broker's own transaction
/// timeout is shorter, so that by then it has decided.
const COMMIT_DEADLINE: Duration = Duration::from_secs(20);
/// Fenced this often within [`FENCED_PERIOD`] as a live member: somebody else has our name.
const FENCED_LIMIT: usize = 2;
/// See [`FENCED_LIMIT`].
const FENCED_PERIOD: Duration = Duration::from_mins(1);

/// A record to write.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutRecord {
    /// Where to.
    pub(crate) topic: Arc<str>,
    /// `None`: by the key.
    pub(crate) partition: Option<i32>,
    /// The key.
    pub(crate) key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub(crate) payload: Option<Vec<u8>>,
    /// Milliseconds since the epoch; `None` is now.
    pub(crate) timestamp: Option<i64>,
    /// Headers, in order.
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
}

/// An offset to commit with the records.
#[derive(Clone, Debug)]
pub(crate) struct OutOffset {
    /// Which partition.
    pub(crate) partition: SourceId,
    /// The assignment under which it was read.
    pub(crate) number: AssignmentNumber,
    /// The next offset to read.
    pub(crate) offset: i64,
    /// What a restart needs besides.
    pub(crate) metadata: String,
}

/// Why a transaction was not committed, as far as we know.
#[derive(Clone, Debug)]
pub(crate) enum TransactionError {
    /// Rewind its tasks: read committed offsets and metadata back, and go on from there.
    Rewind(String),
    /// Trying again cannot mend it.
    Fatal(Fatal),
}

impl fmt::Display for TransactionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rewind(why) => f.write_str(why),
            Self::Fatal(fatal) => fatal.fmt(f),
        }
    }
}

/// A transactional producer that survives its own death.
pub(crate) struct TransactionalProducer {
    config: ClientConfig,
    transactional_id: String,
    instance: String,
    errors: Arc<ErrorLog>,
    live: Option<Live>,
    fenced: VecDeque<Instant>,
}

struct Live {
    producer: ThreadedProducer<DeliveryContext>,
    /// The first record that could not be delivered in the open transaction.
    undelivered: Undelivered,
}

type Undelivered = Arc<Mutex<Option<(String, Code)>>>;

/// What went wrong inside a transaction, and what must be done about the producer.
enum Trouble {
    /// Abort; the producer can go on.
    Abort(String),
    /// The producer is finished, or nobody knows what the broker did.
    Replace(String),
    /// Another producer has taken over our transactional id, or the broker has timed us out.
    Fenced(String),
    /// No use.
    Fatal(String),
}

impl Trouble {
    fn of(what: &str, error: &KafkaError) -> Self {
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

    fn classed(text: String, code: Code, fatal: bool, abort: bool) -> Self {
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

impl TransactionalProducer {
    /// A producer for `<app>-<stage>-<instance>` that connects when it is first used.
    pub(crate) fn new(
        settings: &ClientSettings,
        stage: &str,
        instance: &str,
        max_message_bytes: usize,
        errors: Arc<ErrorLog>,
    ) -> Self {
        let transactional_id = format!("{}-{stage}-{instance}", settings.application_id());
        Self {
            config: settings.producer(&transactional_id, max_message_bytes),
            transactional_id,
            instance: instance.to_owned(),
            errors,
            live: None,
            fenced: VecDeque::new(),
        }
    }

    /// Makes the producer if there is none, and settles what a predecessor of the same name left
    /// open. Until this has succeeded, committed offsets may be about to change.
    pub(crate) fn prepare(&mut self) -> Result<(), RequestError> {
        if self.live.is_some() {
            return Ok(());
        }
        let what = format!("producer {}", self.transactional_id);
        let undelivered = Undelivered::default();
        let context = DeliveryContext {
            errors: Arc::clone(&self.errors),
            undelivered: Arc::clone(&undelivered),
        };
        let producer = ThreadedProducer::from_config_and_context(&self.config, context)
            .map_err(|e| RequestError::from_kafka(&what, &e))?;
        producer
            .init_transactions(REQUEST_TIMEOUT * 2)
            .map_err(|e| RequestError::from_kafka(&format!("{what}: init_transactions"), &e))?;
        self.live = Some(Live {
            producer,
            undelivered,
        });
        Ok(())
    }

    /// Writes `records` and commits `offsets`, in one transaction.
    ///
    /// Invariant: each offset's assignment is live under `pass`; the caller has looked.
    pub(crate) fn transact(
        &mut self,
        group: &Group,
        pass: &TransactionPass<'_>,
        records: &[&[OutRecord]],
        offsets: &[OutOffset],
    ) -> Result<(), TransactionError> {
        if offsets.is_empty() {
            return Err(TransactionError::Fatal(Fatal(
                "a transaction without offsets: a bug".to_owned(),
            )));
        }
        if let Some(dead) = offsets.iter().find(|o| !pass.is_live(o.number)) {
            return Err(TransactionError::Rewind(format!(
                "{} was revoked",
                dead.partition
            )));
        }
        self.prepare().map_err(|e| match e {
            RequestError::Retry(why) => TransactionError::Rewind(why),
            RequestError::Fatal(fatal) => TransactionError::Fatal(fatal),
        })?;
        let Some(live) = &self.live else {
            return Err(TransactionError::Rewind("no producer".to_owned()));
        };
        let trouble = match live.run(group, records, offsets) {
            Ok(()) => return Ok(()),
            Err(trouble) => live.abort(trouble),
        };
        self.settle(trouble, group.membership().is_some())
    }

    /// Draws the consequences for the producer.
    fn settle(&mut self, trouble: Trouble, live_member: bool) -> Result<(), TransactionError> {
        let why = match trouble {
            Trouble::Abort(why) => why,
            Trouble::Replace(why) => {
                self.live = None;
                why
            }
            Trouble::Fenced(why) => {
                self.live = None;
                if live_member && self.fenced_again(Instant::now()) {
                    return Err(TransactionError::Fatal(Fatal(format!(
                        "another process uses instance id {}: transactional id {} was fenced {FENCED_LIMIT} times within {}s",
                        self.instance,
                        self.transactional_id,
                        FENCED_PERIOD.as_secs(),
                    ))));
                }
                why
            }
            Trouble::Fatal(why) => {
                self.live = None;
                return Err(TransactionError::Fatal(Fatal(why)));
            }
        };
        self.errors.record(&why);
        Err(TransactionError::Rewind(why))
    }

    fn fenced_again(&mut self, now: Instant) -> bool {
        self.fenced
            .retain(|at| now.duration_since(*at) < FENCED_PERIOD);
        self.fenced.push_back(now);
        self.fenced.len() >= FENCED_LIMIT
    }
}

impl Live {
    fn run(
        &self,
        group: &Group,
        records: &[&[OutRecord]],
        offsets: &[OutOffset],
    ) -> Result<(), Trouble> {
        let list = offset_list(offsets).map_err(|e| Trouble::of("offsets", &e))?;
        *self.undelivered() = None;
        self.producer
            .begin_transaction()
            .map_err(|e| Trouble::of("begin_transaction", &e))?;
        for record in records.iter().copied().flatten() {
            self.send(record)?;
        }
        self.send_offsets(group, &list)?;
        self.commit()
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
            match membership.send_offsets(&self.producer, list, REQUEST_TIMEOUT) {
                Ok(()) => return Ok(()),
                Err(e) if e.retriable && Instant::now() < deadline => {}
                Err(e) => {
                    let text = format!("send_offsets_to_transaction: {}", e.text);
                    return Err(Trouble::classed(text, e.code, e.fatal, true));
                }
            }
        }
    }

    fn commit(&self) -> Result<(), Trouble> {
        let deadline = Instant::now() + COMMIT_DEADLINE;
        loop {
            let error = match self.producer.commit_transaction(REQUEST_TIMEOUT) {
                Ok(()) => return Ok(()),
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
            return Err(Trouble::of("commit_transaction", &error));
        }
    }

    /// Aborts, if that is what the trouble calls for, and says what is left of the producer.
    fn abort(&self, trouble: Trouble) -> Trouble {
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
                Trouble::Fatal(format!("record to {topic} refused: {code}"))
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
struct DeliveryContext {
    errors: Arc<ErrorLog>,
    undelivered: Undelivered,
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        errors::log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason, "producer error");
        self.errors.record(format!("{error}: {reason}"));
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
