//! Transactions: records and offsets that become visible together or not at all.
//!
//! In: encoded records, offsets with metadata, the right to commit. Out: committed, or a
//! [`TransactionError`] after which nothing is known to be written and the tasks start again from what is
//! committed. Guarantees: an empty list of offsets is refused; a commit is retried only by calling
//! commit again; after a transaction that was not committed the producer is destroyed, and the next use makes a
//! new one, whose `init_transactions` settles what the old one left.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::producer::{Producer, ThreadedProducer};

use super::errors::{ClientLog, Fatal, RequestError, Right};
use super::failpoint;
use super::fence::{AssignmentNumber, TransactionPass};
use super::group::Group;
use super::queue::authorise;
use super::settings::{ClientSettings, REQUEST_TIMEOUT};
use super::transaction::{DeliveryContext, Live, Trouble, Undelivered};
use super::unwritable::Unwritable;
use crate::partial::SourceId;

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

impl TransactionError {
    /// In one word, and in the broker's words.
    pub(crate) fn told(&self) -> (&'static str, &str) {
        match self {
            Self::Rewind(why) => ("rewind", why),
            Self::Fatal(fatal) => ("fatal", &fatal.0),
        }
    }
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
    settings: ClientSettings,
    stage: &'static str,
    config: ClientConfig,
    transactional_id: String,
    instance: String,
    /// What it is called in telemetry.
    name: Arc<str>,
    clients: Arc<ClientLog>,
    live: Option<Live>,
    fenced: VecDeque<Instant>,
}

impl TransactionalProducer {
    /// A producer for `<app>-<stage>-<instance>` that connects when it is first used.
    pub(crate) fn new(
        settings: &ClientSettings,
        stage: &'static str,
        instance: &str,
        max_message_bytes: usize,
        clients: Arc<ClientLog>,
    ) -> Self {
        let transactional_id = format!("{}-{stage}-{instance}", settings.application_id());
        Self {
            settings: settings.clone(),
            stage,
            config: settings.producer(&transactional_id, max_message_bytes),
            transactional_id,
            instance: instance.to_owned(),
            name: format!("{stage}-producer").into(),
            clients,
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
        let live = self.client()?;
        failpoint::reached(self.stage, "init.before");
        live.producer
            .init_transactions(REQUEST_TIMEOUT * 2)
            .map_err(|e| {
                let right = Right::transactional_id(&self.transactional_id);
                let what = format!("{}: init_transactions", self.what());
                RequestError::needing(&what, &e, &[right])
            })?;
        failpoint::reached(self.stage, "init.after");
        self.live = Some(live);
        Ok(())
    }

    fn what(&self) -> String {
        format!("producer {}", self.transactional_id)
    }

    /// A client that has not spoken to a broker yet.
    fn client(&self) -> Result<Live, RequestError> {
        let undelivered = Undelivered::default();
        self.clients.statistics.begin(&self.name);
        let context = DeliveryContext {
            name: Arc::clone(&self.name),
            clients: Arc::clone(&self.clients),
            access: self.settings.access(),
            unwritable: Unwritable::default(),
            undelivered: Arc::clone(&undelivered),
        };
        let producer = ThreadedProducer::from_config_and_context(&self.config, context)
            .map_err(|e| RequestError::from_kafka(&self.what(), &e))?;
        let access = &producer.context().access;
        authorise(producer.client(), access).map_err(RequestError::Retry)?;
        Ok(Live {
            stage: self.stage,
            producer: Arc::new(producer),
            undelivered,
        })
    }

    /// Writes `records` and commits `offsets`, in one transaction. Gives the time that the commit took, from
    /// sending the offsets on; records that were still on their way are waited for in it.
    ///
    /// Invariant: each offset's assignment is live under `pass`; the caller has looked.
    pub(crate) fn transact(
        &mut self,
        group: &Group,
        pass: &TransactionPass<'_>,
        records: &[&[OutRecord]],
        offsets: &[OutOffset],
    ) -> Result<Duration, TransactionError> {
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
            Ok(commit) => return Ok(commit),
            Err(trouble) => live.abort(trouble),
        };
        Err(self.settle(trouble, group.membership().is_some()))
    }

    /// Draws the consequences for the producer.
    fn settle(&mut self, trouble: Trouble, live_member: bool) -> TransactionError {
        // Also after an abort. What a broker took but had no time to confirm keeps its sequence numbers; librdkafka gives
        // them to the next transaction's records, the broker takes those for repetitions, and they are lost although
        // their transaction is committed. A new producer has a new epoch, and counts from 0.
        self.live = None;
        let why = match trouble {
            Trouble::Abort(why) | Trouble::Replace(why) => why,
            Trouble::Fenced(why) => {
                if live_member && self.fenced_again(Instant::now()) {
                    return TransactionError::Fatal(Fatal(format!(
                        "another process uses instance id {}: transactional id {} was fenced {FENCED_LIMIT} times within {}s",
                        self.instance,
                        self.transactional_id,
                        FENCED_PERIOD.as_secs(),
                    )));
                }
                why
            }
            Trouble::Fatal(why) => return TransactionError::Fatal(Fatal(why)),
        };
        self.clients.errors.record(&why);
        TransactionError::Rewind(why)
    }

    fn fenced_again(&mut self, now: Instant) -> bool {
        self.fenced
            .retain(|at| now.duration_since(*at) < FENCED_PERIOD);
        self.fenced.push_back(now);
        self.fenced.len() >= FENCED_LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::settings::tests::settings;

    #[test]
    fn no_producer_outlives_a_transaction_that_was_not_committed() {
        let why = || "why".to_owned();
        for trouble in [
            Trouble::Abort(why()),
            Trouble::Replace(why()),
            Trouble::Fenced(why()),
            Trouble::Fatal(why()),
        ] {
            let mut config = ClientConfig::new();
            config.set("transactional.id", "app-count-x");
            let mut producer = TransactionalProducer {
                settings: settings(&[]),
                stage: "count",
                config,
                transactional_id: "app-count-x".to_owned(),
                instance: "x".to_owned(),
                name: "count-producer".into(),
                clients: Arc::default(),
                live: None,
                fenced: VecDeque::new(),
            };
            producer.live = Some(producer.client().unwrap());
            producer.settle(trouble, false);
            assert!(producer.live.is_none());
        }
    }
}
