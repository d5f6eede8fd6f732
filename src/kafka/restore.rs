//! Reads a partition of a compacted topic from its beginning to its true end.
//!
//! In: a partition, its first offset, and an end that was asked for with uncommitted records in view. Out: the latest value
//! of each key. Guarantee: everything committed before the end was asked for is in it. A plain end of
//! partition, or the watermarks of a `read_committed` client, would not do: both stop short of a
//! transaction that is about to be decided (KAFKA-10167).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::errors::RequestError;
use super::queue::{Buffer, Event, Message, PartitionQueue, authorise, unreadable};
use super::settings::ClientSettings;
use crate::partial::SourceId;

/// Messages per call.
const BATCH: usize = 1000;
/// How long one call waits.
const WAIT: Duration = Duration::from_millis(50);
/// How long the broker waits for more records when it has none: only then librdkafka tells of the end.
const END_WAIT_MS: &str = "10";
/// Without a record or an end for this long, the restore is given up and tried again.
const STALLED: Duration = Duration::from_mins(1);

/// By key the latest value and its offset, tombstones left out.
pub(crate) type Table = BTreeMap<Vec<u8>, (Vec<u8>, i64)>;

/// Reads `partition` from its first offset, `low`, up to `end`. `stopped` is asked now and then; when it says yes there is no result.
pub(crate) fn read_table(
    settings: &ClientSettings,
    group: &str,
    partition: &SourceId,
    (low, end): (i64, i64),
    stopped: impl Fn() -> bool,
) -> Result<Option<Table>, RequestError> {
    let mut table = Table::new();
    let what = format!("reading {partition}");
    let retry = |e| RequestError::from_kafka(&what, &e);
    let mut client = settings.reader(group);
    client.set("fetch.wait.max.ms", END_WAIT_MS);
    let consumer =
        BaseConsumer::from_config_and_context(&client, settings.plain()).map_err(retry)?;
    authorise(consumer.client(), &consumer.context().access).map_err(RequestError::Retry)?;
    let consumer = Arc::new(consumer);
    let queue = PartitionQueue::take(&consumer, &partition.topic, partition.partition)
        .ok_or_else(|| RequestError::Retry(format!("{what}: no queue")))?;
    let mut list = TopicPartitionList::with_capacity(1);
    // A number: librdkafka asks what `Beginning` is half a second later, since it does not know the leader yet.
    list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(low))
        .map_err(retry)?;
    consumer.assign(&list).map_err(retry)?;
    let mut buffer = Buffer::new(BATCH);
    let mut last_news = Instant::now();
    while !stopped() {
        let batch = queue.consume(&mut buffer, usize::MAX, WAIT);
        if batch.len() > 0 {
            last_news = Instant::now();
        }
        for message in batch.iter() {
            match message.event {
                None => keep(&mut table, &message),
                // The end of what is committed: the true end only if nothing is undecided before it.
                Some(Event::End) if message.offset >= end => return Ok(Some(table)),
                Some(Event::End) => {}
                Some(Event::Permanent(code)) => {
                    return Err(unreadable(partition, code).into());
                }
                // The next try begins anew.
                Some(Event::OutOfRange) => {
                    return Err(RequestError::Retry(format!(
                        "{what}: records were deleted meanwhile"
                    )));
                }
                Some(Event::Trouble(code)) => {
                    return Err(RequestError::Retry(format!("{what}: {code}")));
                }
            }
        }
        drop(batch);
        if last_news.elapsed() > STALLED {
            return Err(RequestError::Retry(format!(
                "{what}: nothing for {}s before its end at {end}",
                STALLED.as_secs()
            )));
        }
        // Serves the client's own events; the records come on the queue.
        let _ = consumer.poll(Duration::ZERO);
    }
    Ok(None)
}

fn keep(table: &mut Table, message: &Message<'_>) {
    let Some(key) = message.key else { return };
    match message.payload {
        Some(value) => {
            table.insert(key.to_vec(), (value.to_vec(), message.offset));
        }
        None => {
            table.remove(key);
        }
    }
}
