//! Reads a public topic as its consumers do: committed records only, no group.

use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::access::PlainContext;
use super::errors::{Fatal, RequestError, Right, is_permanent};
use super::offsets::Offsets;
use super::settings::ClientSettings;
use crate::time::Timestamp;

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// With what is written from now on.
    End,
    /// With the oldest that the broker has.
    Beginning,
}

/// A record of a public topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRecord {
    /// Partition.
    pub partition: i32,
    /// Offset in it.
    pub offset: i64,
    /// When it was written, or appended, as the topic's `message.timestamp.type` says.
    pub timestamp: Option<Timestamp>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub payload: Option<Vec<u8>>,
    /// Headers with values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// What [`TopicReader::next`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadEvent {
    /// A committed record.
    Record(ReadRecord),
    /// All partitions were read to the end that they have now.
    End,
    /// Nothing within the time given.
    Quiet,
}

/// Reads all partitions of one topic.
pub struct TopicReader {
    topic: String,
    consumer: BaseConsumer<PlainContext>,
    ended: Vec<bool>,
}

impl TopicReader {
    /// Opens `topic`.
    pub fn open(settings: &ClientSettings, topic: &str, from: ReadFrom) -> Result<Self, Fatal> {
        let fatal = |e| RequestError::from_kafka(&format!("reading {topic}"), &e).into_fatal();
        let partitions = Offsets::new(settings)?
            .partitions_for(topic, "READ")
            .map_err(RequestError::into_fatal)?
            .ok_or_else(|| Fatal(format!("no such topic: {topic}")))?;
        let mut client = settings.reader(&settings.group("tail"));
        // A public topic may lose old records while it is read: then go on with the oldest.
        client.set("auto.offset.reset", "earliest");
        let consumer =
            BaseConsumer::from_config_and_context(&client, settings.plain()).map_err(fatal)?;
        let mut list = TopicPartitionList::with_capacity(partitions as usize);
        for p in 0..partitions {
            list.add_partition(topic, i32::try_from(p).unwrap_or(i32::MAX));
        }
        list.set_all_offsets(match from {
            ReadFrom::End => Offset::End,
            ReadFrom::Beginning => Offset::Beginning,
        })
        .map_err(fatal)?;
        consumer.assign(&list).map_err(fatal)?;
        Ok(Self {
            topic: topic.to_owned(),
            consumer,
            ended: vec![false; partitions as usize],
        })
    }

    /// The next record or event, waiting at most `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Result<ReadEvent, Fatal> {
        match self.consumer.poll(timeout) {
            None => Ok(ReadEvent::Quiet),
            Some(Ok(record)) => {
                use rdkafka::message::Headers as _;
                let headers = record.headers().map_or_else(Vec::new, |headers| {
                    headers
                        .iter()
                        .filter_map(|h| Some((h.key.to_owned(), h.value?.to_vec())))
                        .collect()
                });
                Ok(ReadEvent::Record(ReadRecord {
                    partition: record.partition(),
                    offset: record.offset(),
                    timestamp: record.timestamp().to_millis().map(Timestamp::from_millis),
                    key: record.key().map(<[u8]>::to_vec),
                    payload: record.payload().map(<[u8]>::to_vec),
                    headers,
                }))
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                if let Some(ended) = usize::try_from(partition)
                    .ok()
                    .and_then(|p| self.ended.get_mut(p))
                {
                    *ended = true;
                }
                Ok(if self.ended.iter().all(|e| *e) {
                    ReadEvent::End
                } else {
                    ReadEvent::Quiet
                })
            }
            // librdkafka looks for the coordinator of a group that is never joined: no right on it is needed.
            Some(Err(KafkaError::MessageConsumption(Code::GroupAuthorizationFailed))) => {
                Ok(ReadEvent::Quiet)
            }
            Some(Err(error)) => {
                let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
                if is_permanent(code) || matches!(error, KafkaError::MessageConsumptionFatal(_)) {
                    let missing = Right::topic("READ", &self.topic).missing(Some(code));
                    return Err(Fatal(format!("reading {}: {error}{missing}", self.topic)));
                }
                tracing::debug!(%error, "reading");
                Ok(ReadEvent::Quiet)
            }
        }
    }
}
