//! Questions to partition leaders: where does a partition begin and end, and who answers.
//!
//! A client of its own, so that an answer does not wait behind a fetch. It sees uncommitted ends: a
//! partition with an open transaction has more to come.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::metadata::Metadata;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::access::PlainContext;
use super::errors::{Fatal, RequestError, Right};
use super::queue::authorise;
use super::settings::{ClientSettings, REQUEST_TIMEOUT};
use crate::partial::SourceId;
use crate::time::Timestamp;

/// How long an answer is waited for before the client's complaints are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A leader that did not answer is left alone for this long, so that the others are still asked often.
const BACK_OFF: Duration = Duration::from_secs(2);

/// Offset and metadata committed for a partition; offset `None` where nothing is.
pub(crate) type CommittedOffset = (SourceId, Option<i64>, String);

/// Asks.
pub(crate) struct Offsets {
    client: BaseConsumer<PlainContext>,
    /// Whose committed offsets it can ask for; empty for none.
    group: String,
    /// Leaders that did not answer, and until when they are left alone.
    silent: HashMap<i32, Instant>,
}

impl Offsets {
    /// Connects when first asked.
    pub(crate) fn new(settings: &ClientSettings) -> Result<Self, Fatal> {
        Self::with(&settings.admin(), settings, String::new())
    }

    /// The same, which can ask for what the group of `stage` has committed.
    pub(crate) fn of_group(settings: &ClientSettings, stage: &str) -> Result<Self, Fatal> {
        Self::with(&settings.onlooker(stage), settings, settings.group(stage))
    }

    fn with(
        client: &ClientConfig,
        settings: &ClientSettings,
        group: String,
    ) -> Result<Self, Fatal> {
        let client = BaseConsumer::from_config_and_context(client, settings.plain())
            .map_err(|e| RequestError::from_kafka("kafka settings", &e).into_fatal())?;
        authorise(client.client(), &client.context().access).map_err(Fatal)?;
        Ok(Self {
            client,
            group,
            silent: HashMap::new(),
        })
    }

    /// What the group has committed for each partition now, whatever open transactions are about to commit.
    pub(crate) fn committed(
        &self,
        partitions: &[SourceId],
        timeout: Duration,
    ) -> Result<Vec<CommittedOffset>, RequestError> {
        committed(&self.client, &self.group, partitions, timeout)
    }

    /// How many partitions `topic` has; `None` if it does not exist.
    pub(crate) fn partitions(&self, topic: &str) -> Result<Option<u32>, RequestError> {
        self.partitions_for(topic, "DESCRIBE")
    }

    /// The same for somebody who is about to do `operation` on it, which is what to ask an operator for.
    pub(crate) fn partitions_for(
        &self,
        topic: &str,
        operation: &'static str,
    ) -> Result<Option<u32>, RequestError> {
        Ok(self
            .leaders(topic, operation)?
            .map(|leaders| u32::try_from(leaders.len()).unwrap_or(u32::MAX)))
    }

    /// The leader of each partition, -1 for none; `None` if the topic does not exist.
    fn leaders(
        &self,
        topic: &str,
        operation: &'static str,
    ) -> Result<Option<Vec<(i32, i32)>>, RequestError> {
        use rdkafka::types::RDKafkaRespErr as E;
        let what = format!("metadata of {topic}");
        let metadata = self.metadata(topic).map_err(|e| self.because(&what, &e))?;
        let Some(found) = metadata.topics().iter().find(|t| t.name() == topic) else {
            return Ok(None);
        };
        match found.error() {
            None | Some(E::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) => {}
            Some(
                E::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART | E::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
            ) => return Ok(None),
            Some(other) => {
                let error = KafkaError::MetadataFetch(other.into());
                let right = Right::topic(operation, topic);
                return Err(RequestError::needing(&what, &error, &[right]));
            }
        }
        let leaders: Vec<_> = found
            .partitions()
            .iter()
            .map(|p| (p.id(), p.leader()))
            .collect();
        Ok((!leaders.is_empty()).then_some(leaders))
    }

    /// Asks for as long as a request may take, but not on when a broker has refused us: that is known long before.
    fn metadata(&self, topic: &str) -> Result<Metadata, KafkaError> {
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        loop {
            let answer = self.client.fetch_metadata(Some(topic), LOOK);
            if answer.is_ok() {
                return answer;
            }
            self.wait(Duration::from_millis(10));
            if self.refusal().is_some() || Instant::now() >= deadline {
                return answer;
            }
        }
    }

    /// What the client said of its connections is more than that nobody answered.
    fn because(&self, what: &str, error: &KafkaError) -> RequestError {
        let classed = RequestError::from_kafka(what, error);
        match self.client.context().access.complaint() {
            Some(complaint) => classed.told(format!("{what}: {complaint}")),
            None => classed,
        }
    }

    /// Why a broker does not let us in, or why we do not trust it, if it is that what went wrong last.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.client.context().access.refusal()
    }

    /// Waits a little, for whatever was asked for to come true.
    pub(crate) fn wait(&self, time: Duration) {
        // Serves the client's log and error events meanwhile; it never has records.
        let _ = self.client.poll(time);
    }

    /// First offset and end of one partition.
    pub(crate) fn bounds(&self, partition: &SourceId) -> Result<(i64, i64), RequestError> {
        self.client
            .fetch_watermarks(&partition.topic, partition.partition, REQUEST_TIMEOUT)
            .map_err(|e| {
                let right = Right::topic("DESCRIBE", &partition.topic);
                RequestError::needing(&format!("offsets of {partition}"), &e, &[right])
            })
    }

    /// The first offset whose record is not older than `time`; the end if there is none.
    pub(crate) fn at_time(
        &self,
        partition: &SourceId,
        time: Timestamp,
    ) -> Result<i64, RequestError> {
        let what = format!("offset of {partition} at {time}");
        let asked = Offset::Offset(time.as_millis().max(0));
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&partition.topic, partition.partition, asked)
            .map_err(|e| RequestError::from_kafka(&what, &e))?;
        let list = self
            .client
            .offsets_for_times(list, REQUEST_TIMEOUT)
            .map_err(|e| RequestError::from_kafka(&what, &e))?;
        let Some(found) = list.find_partition(&partition.topic, partition.partition) else {
            return Err(RequestError::Retry(format!("{what}: no answer")));
        };
        found
            .error()
            .map_err(|e| RequestError::from_kafka(&what, &e))?;
        match found.offset() {
            Offset::Offset(offset) => Ok(offset),
            _ => Ok(self.bounds(partition)?.1),
        }
    }

    /// The ends of partitions whose leaders answer within `timeout`. One request per leader, so that
    /// a leader that is gone costs its own partitions only.
    pub(crate) fn ends(
        &mut self,
        partitions: &[SourceId],
        timeout: Duration,
    ) -> HashMap<SourceId, i64> {
        let mut ends = HashMap::with_capacity(partitions.len());
        self.wait(Duration::from_millis(1));
        for (leader, group) in self.by_leader(partitions) {
            let now = Instant::now();
            if self.silent.get(&leader).is_some_and(|until| now < *until) {
                continue;
            }
            let mut list = TopicPartitionList::with_capacity(group.len());
            for p in &group {
                list.add_partition(&p.topic, p.partition);
            }
            let answer = list
                .set_all_offsets(Offset::End)
                .and_then(|()| self.client.offsets_for_times(list, timeout));
            let Ok(list) = answer else {
                self.silent.insert(leader, Instant::now() + BACK_OFF);
                continue;
            };
            self.silent.remove(&leader);
            for p in group {
                if let Some(found) = list.find_partition(&p.topic, p.partition)
                    && found.error().is_ok()
                    && let Offset::Offset(end) = found.offset()
                {
                    ends.insert(p.clone(), end);
                }
            }
        }
        ends
    }

    fn by_leader<'p>(&self, partitions: &'p [SourceId]) -> BTreeMap<i32, Vec<&'p SourceId>> {
        let mut groups: BTreeMap<i32, Vec<&SourceId>> = BTreeMap::new();
        let mut topics: HashMap<&str, HashMap<i32, i32>> = HashMap::new();
        for p in partitions {
            let leaders = topics.entry(&p.topic).or_insert_with(|| {
                self.leaders(&p.topic, "DESCRIBE")
                    .ok()
                    .flatten()
                    .unwrap_or_default()
                    .into_iter()
                    .collect()
            });
            if let Some(leader) = leaders.get(&p.partition).filter(|l| **l >= 0) {
                groups.entry(*leader).or_default().push(p);
            }
        }
        groups
    }
}

/// What the client's group, of that name, has committed for each partition. A client that reads committed records waits for open
/// transactions to end.
pub(super) fn committed<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    group: &str,
    partitions: &[SourceId],
    timeout: Duration,
) -> Result<Vec<CommittedOffset>, RequestError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for p in partitions {
        list.add_partition(&p.topic, p.partition);
    }
    let list = client.committed_offsets(list, timeout).map_err(|e| {
        let right = Right::group("READ", group);
        RequestError::needing("committed offsets", &e, &[right])
    })?;
    let mut result = Vec::with_capacity(partitions.len());
    for p in partitions {
        let Some(found) = list.find_partition(&p.topic, p.partition) else {
            return Err(RequestError::Retry(format!(
                "committed offset of {p}: no answer"
            )));
        };
        found.error().map_err(|e| {
            let rights = [Right::group("READ", group), Right::topic("READ", &p.topic)];
            RequestError::needing(&format!("committed offset of {p}"), &e, &rights)
        })?;
        let offset = match found.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        result.push((p.clone(), offset, found.metadata().to_owned()));
    }
    Ok(result)
}
