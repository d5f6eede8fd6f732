//! The one unsafe module: what rdkafka's safe interface lacks.
//!
//! - [`PartitionQueue`]: one partition's records in batches (`rd_kafka_consume_batch_queue` is three
//!   to four times as fast as `poll`), taken inside the rebalance callback. Their values are fetched into the cache ahead.
//! - [`Membership`]: the generation and member behind a group's metadata, and
//!   [`Membership::send_offsets`], which sends exactly the metadata that was looked at.
//! - [`authorise`]: a token for a client that nobody polls.
//!
//! Why it is sound:
//!
//! - **A queue or a metadata object outlives nothing it points to.** Each holds an `Arc` of the
//!   consumer it came from, and drops its own pointer first, in `Drop::drop`, before the fields.
//!   `rd_kafka_destroy` runs when the last `Arc` goes, so never before.
//! - **A message outlives neither the queue nor the next call.** [`Batch`] borrows the queue and the
//!   buffer; each [`Message`] borrows the batch; `Batch::drop` destroys every message exactly once,
//!   and nothing else holds the pointers.
//! - **Threads.** librdkafka's handles are thread-safe, queues included, so that a queue may be sent
//!   to another thread, and so may a buffer between two batches, and a group's metadata, a plain copy. A queue is not
//!   `Sync` and a batch is neither: one thread reads it.
//! - **Pointers** that librdkafka may return as null are checked where they are taken.
//!
//! `just memory` has valgrind look at the tests of all of it but tokens.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, TopicPartitionList};

use super::access::Access;
use super::errors::{Fatal, Right, is_permanent};
use crate::partial::SourceId;

/// Keeps a client alive without saying what its context is.
type KeepAlive = Arc<dyn Send + Sync>;

/// The records of one assigned partition, apart from all others.
pub(crate) struct PartitionQueue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// Dropped after `queue`.
    _client: KeepAlive,
    /// One reader at a time: `Send`, not `Sync`.
    _not_sync: PhantomData<std::cell::Cell<()>>,
}

// SAFETY: librdkafka locks its queues; the handle has no thread of its own.
unsafe impl Send for PartitionQueue {}

impl PartitionQueue {
    /// Takes the queue of `topic`/`partition` away from the consumer's main queue.
    ///
    /// Invariant: called before the partition is assigned. Later, older records would come on the
    /// main queue, out of order. `None` if the name is no C string or the client knows no such queue.
    pub(crate) fn take<C>(
        consumer: &Arc<BaseConsumer<C>>,
        topic: &str,
        partition: i32,
    ) -> Option<Self>
    where
        C: ConsumerContext + 'static,
    {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the client is alive (we hold an `Arc` of it) and `topic` is a C string that
        // librdkafka copies. The partition is created when the client does not know it yet.
        let queue = unsafe {
            sys::rd_kafka_queue_get_partition(
                consumer.client().native_ptr(),
                topic.as_ptr(),
                partition,
            )
        };
        let queue = NonNull::new(queue)?;
        // SAFETY: `queue` is a queue of ours; forwarding to null means that it keeps its records.
        // It also marks the queue as forwarded by the application, so that assign leaves it alone.
        unsafe { sys::rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut()) };
        Some(Self {
            queue,
            _client: Arc::clone(consumer) as KeepAlive,
            _not_sync: PhantomData,
        })
    }

    /// Takes what is there, at most `most` and up to the buffer's size, waiting at most `timeout` for it to fill.
    pub(crate) fn consume<'q>(
        &'q self,
        buffer: &'q mut Buffer,
        most: usize,
        timeout: Duration,
    ) -> Batch<'q> {
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let most = most.min(buffer.slots.len());
        let slots = &mut buffer.slots[..most];
        // SAFETY: `slots` has room for `len` pointers and is exclusively ours; librdkafka writes
        // the first `count` of them and passes on ownership of those messages.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                timeout,
                slots.as_mut_ptr(),
                slots.len(),
            )
        };
        // -1 is an error of the call itself, which leaves no message.
        let count = usize::try_from(count).unwrap_or(0);
        Batch {
            messages: &slots[..count],
        }
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        // SAFETY: we own this reference to the queue, and the client is still alive.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// Room for one batch; reused.
pub(crate) struct Buffer {
    slots: Vec<*mut sys::rd_kafka_message_t>,
}

// SAFETY: what it points to is looked at only through a batch, which borrows it and stays in its thread; between
// batches nobody reads what is in it.
unsafe impl Send for Buffer {}

impl Buffer {
    /// Room for `size` messages.
    pub(crate) fn new(size: usize) -> Self {
        Self {
            slots: vec![ptr::null_mut(); size],
        }
    }
}

/// So many messages before it is looked at, a value is fetched into the cache.
const AHEAD: usize = 8;

/// How much of a value is fetched: flows are small.
const FETCHED: usize = 320;

/// What is fetched at once.
const CACHE_LINE: usize = 64;

/// Has the processor fetch a value: another core unpacked it, too long ago for it to be in this one's cache. Waiting for it
/// took as long as decoding it.
///
/// # Safety
/// `message` is not null, and alive.
#[inline]
unsafe fn fetch_value(message: *mut sys::rd_kafka_message_t) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the caller's promise.
        let (value, length) = unsafe { ((*message).payload.cast::<i8>(), (*message).len) };
        for at in (0..length.min(FETCHED)).step_by(CACHE_LINE) {
            // SAFETY: prefetching reads nothing, and may be given any address; this one is within the value.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(value.wrapping_add(at)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = message;
}

/// Messages that live until this is dropped.
pub(crate) struct Batch<'q> {
    messages: &'q [*mut sys::rd_kafka_message_t],
}

impl Batch<'_> {
    /// How many messages and events.
    pub(crate) const fn len(&self) -> usize {
        self.messages.len()
    }

    /// The messages and events, in log order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        self.messages.iter().enumerate().map(|(n, message)| {
            if let Some(later) = self.messages.get(n + AHEAD) {
                // SAFETY: a message that we own until `Drop`.
                unsafe { fetch_value(*later) };
            }
            // SAFETY: each pointer is a message that we own until `Drop`.
            unsafe { Message::view(*message) }
        })
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for message in self.messages {
            // SAFETY: ours, destroyed once; the slice is not used afterwards.
            unsafe { sys::rd_kafka_message_destroy(*message) };
        }
    }
}

/// A record, or an event such as the end of the partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// Offset of the record; of an end-of-partition event, the offset of the end.
    pub(crate) offset: i64,
    /// Milliseconds since the epoch, if the record has a time.
    pub(crate) timestamp: Option<i64>,
    /// Whether the broker stamped it.
    pub(crate) log_append_time: bool,
    /// The key.
    pub(crate) key: Option<&'a [u8]>,
    /// The value.
    pub(crate) payload: Option<&'a [u8]>,
    /// Set when this is an event and no record.
    pub(crate) event: Option<Event>,
    /// Alive for `'a`: headers are parsed only when somebody asks.
    raw: NonNull<sys::rd_kafka_message_t>,
}

/// What a queue tells besides records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The end of what may be read now, at the message's offset.
    End,
    /// The broker has no record at the position, and the fetcher has stopped.
    OutOfRange,
    /// Fetching fails until an operator mends it.
    Permanent(RDKafkaErrorCode),
    /// Fetching fails for now.
    Trouble(RDKafkaErrorCode),
}

impl From<RDKafkaErrorCode> for Event {
    fn from(code: RDKafkaErrorCode) -> Self {
        match code {
            RDKafkaErrorCode::PartitionEOF => Self::End,
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
                Self::OutOfRange
            }
            code if is_permanent(code) => Self::Permanent(code),
            code => Self::Trouble(code),
        }
    }
}

/// What an operator must end before `partition` can be read: [`Event::Permanent`].
pub(crate) fn unreadable(partition: &SourceId, code: RDKafkaErrorCode) -> Fatal {
    let missing = Right::topic("READ", &partition.topic).missing(Some(code));
    Fatal(format!("reading {partition}: {code}{missing}"))
}

impl<'a> Message<'a> {
    /// The value of the last header of that name.
    pub(crate) fn header(&self, name: &CStr) -> Option<&'a [u8]> {
        let mut headers = ptr::null_mut();
        let (mut value, mut size) = (ptr::null(), 0);
        let none = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        // SAFETY: the message is alive, and one thread reads the batch that it is in (a batch is neither
        // `Send` nor `Sync`), so that the headers are parsed by one. They and their values belong to
        // the message; `name` is a C string that is only compared.
        unsafe {
            if sys::rd_kafka_message_headers(self.raw.as_ptr(), &raw mut headers) != none {
                return None;
            }
            let found = sys::rd_kafka_header_get_last(
                headers,
                name.as_ptr(),
                &raw mut value,
                &raw mut size,
            );
            if found == none {
                bytes(value, size)
            } else {
                None
            }
        }
    }

    /// # Safety
    /// `message` is not null, and alive for as long as the result.
    unsafe fn view(message: *mut sys::rd_kafka_message_t) -> Self {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the caller's promise; `payload` and `key` are null or point to `len` and
        // `key_len` bytes that live as long as the message.
        unsafe {
            let alive = NonNull::new_unchecked(message);
            let m = alive.as_ref();
            let timestamp = sys::rd_kafka_message_timestamp(message, &raw mut kind);
            let event = (m.err != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR)
                .then(|| RDKafkaErrorCode::from(m.err).into());
            Self {
                offset: m.offset,
                timestamp: (timestamp >= 0
                    && kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
                    .then_some(timestamp),
                log_append_time: kind
                    == sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME,
                key: bytes(m.key, m.key_len),
                // An event's payload is its text: not the record's.
                payload: if event.is_some() {
                    None
                } else {
                    bytes(m.payload, m.len)
                },
                event,
                raw: alive,
            }
        }
    }
}

/// # Safety
/// `data` is null or points to `len` bytes that live for `'a`.
unsafe fn bytes<'a>(data: *const std::ffi::c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) })
}

/// Hands `client` the token with which it is to authenticate, if tokens are ours to fetch, before it does anything else.
///
/// librdkafka asks for one by an event, but a client is not always polled while somebody waits for its answer, and an
/// `AdminClient` never. Later ones are asked for by that event.
pub(crate) fn authorise<C: ClientContext>(
    client: &Client<C>,
    access: &Access,
) -> Result<(), String> {
    let Some(tokens) = access.tokens() else {
        return Ok(());
    };
    let token = tokens.token()?;
    let no_zero = |text: String| CString::new(text).map_err(|_| "the token has a zero byte");
    let (text, principal) = (no_zero(token.text)?, no_zero(token.principal)?);
    let mut why = [0; 512];
    // SAFETY: the client is alive; the strings are C strings that librdkafka copies; there are no extensions; `why`
    // has room for as many bytes as said, and ends with a zero.
    unsafe {
        let code = sys::rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            text.as_ptr(),
            token.expires,
            principal.as_ptr(),
            ptr::null_mut(),
            0,
            why.as_mut_ptr(),
            why.len(),
        );
        if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Ok(());
        }
        Err(CStr::from_ptr(why.as_ptr()).to_string_lossy().into_owned())
    }
}

/// A group's metadata as it was at one moment.
pub(crate) struct Membership {
    metadata: NonNull<sys::rd_kafka_consumer_group_metadata_t>,
}

impl Membership {
    /// Reads it from the consumer; `None` without a group.
    pub(crate) fn read<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Option<Self> {
        // SAFETY: the client is alive; the result is a copy that we own, or null.
        let metadata =
            unsafe { sys::rd_kafka_consumer_group_metadata(consumer.client().native_ptr()) };
        NonNull::new(metadata).map(|metadata| Self { metadata })
    }

    /// Whether it names a member of a generation. A broker accepts offsets of anybody who names none.
    pub(crate) fn is_member(&self) -> bool {
        // SAFETY: `metadata` is ours; the member id is a C string inside it, or null.
        unsafe {
            let metadata = self.metadata.as_ptr();
            let member = sys::rd_kafka_consumer_group_metadata_member_id(metadata);
            sys::rd_kafka_consumer_group_metadata_generation_id(metadata) >= 0
                && !member.is_null()
                && !CStr::from_ptr(member).is_empty()
        }
    }

    /// Adds `offsets` to the producer's open transaction, in this member's name.
    pub(crate) fn send_offsets<C: ProducerContext + 'static>(
        &self,
        producer: &ThreadedProducer<C>,
        offsets: &TopicPartitionList,
        timeout: Duration,
    ) -> Result<(), SendOffsetsError> {
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: producer, offsets and metadata are alive during the call, which copies them.
        let error = unsafe {
            sys::rd_kafka_send_offsets_to_transaction(
                producer.client().native_ptr(),
                offsets.ptr(),
                self.metadata.as_ptr(),
                timeout,
            )
        };
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: a non-null error is ours, read and then destroyed once; its text is a C string.
        unsafe {
            let result = SendOffsetsError {
                code: sys::rd_kafka_error_code(error).into(),
                fatal: sys::rd_kafka_error_is_fatal(error) != 0,
                retriable: sys::rd_kafka_error_is_retriable(error) != 0,
                text: CStr::from_ptr(sys::rd_kafka_error_string(error))
                    .to_string_lossy()
                    .into_owned(),
            };
            sys::rd_kafka_error_destroy(error);
            Err(result)
        }
    }
}

// SAFETY: a copy of plain values that nobody else points to.
unsafe impl Send for Membership {}

impl Drop for Membership {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once. It is a copy that does not point into the client.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.metadata.as_ptr()) };
    }
}

/// Why offsets were not added.
#[derive(Clone, Debug)]
pub(crate) struct SendOffsetsError {
    /// What the broker or the library said.
    pub(crate) code: RDKafkaErrorCode,
    /// The producer cannot be used any more.
    pub(crate) fatal: bool,
    /// The same call may succeed later.
    pub(crate) retriable: bool,
    /// The same in words.
    pub(crate) text: String,
}

#[cfg(test)]
mod tests;
