//! Dead letters on the wire: the record as it was, and headers that say why (KIP-1034).

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::count::DeadLetter;
use crate::kafka::producer::OutRecord;
use crate::partial::SourceId;

/// Room for key, headers and framing within the topic's largest record, in bytes.
const OVERHEAD: usize = 4 * 1024;

/// Kafka Streams' names.
const EXCEPTION: &str = "__streams.errors.exception";
const MESSAGE: &str = "__streams.errors.message";
const TOPIC: &str = "__streams.errors.topic";
const PARTITION: &str = "__streams.errors.partition";
const OFFSET: &str = "__streams.errors.offset";
/// Ours.
const TIMESTAMP: &str = "hotprefix.timestamp";
const FULL_LENGTH: &str = "hotprefix.payload.length";
const FULL_SHA256: &str = "hotprefix.payload.sha256";

/// The longest text in a header, in bytes.
const MAX_TEXT: usize = 1024;

/// The record for the dead-letter topic, which takes records of at most `largest` bytes. The payload
/// goes whole if it can; else it is cut, and headers give its full length and SHA-256.
///
/// It has no timestamp of its own: a time from a record that cannot be read may be refused.
pub(super) fn record(
    topic: &Arc<str>,
    source: &SourceId,
    letter: DeadLetter,
    largest: usize,
) -> OutRecord {
    let mut headers = vec![
        (EXCEPTION, letter.kind.name().as_bytes().to_vec()),
        (MESSAGE, text(letter.reason)),
        (TOPIC, source.topic.as_bytes().to_vec()),
        (PARTITION, source.partition.to_string().into_bytes()),
        (OFFSET, letter.offset.to_string().into_bytes()),
    ];
    if let Some(timestamp) = letter.timestamp {
        headers.push((TIMESTAMP, timestamp.as_millis().to_string().into_bytes()));
    }
    let room = largest.saturating_sub(OVERHEAD);
    let payload = letter.payload.map(|mut payload| {
        if payload.len() > room {
            headers.push((FULL_LENGTH, payload.len().to_string().into_bytes()));
            headers.push((FULL_SHA256, hex(&Sha256::digest(&payload))));
            payload.truncate(room);
        }
        payload
    });
    OutRecord {
        topic: Arc::clone(topic),
        // The letters of one source stay in order.
        key: Some(source.to_string().into_bytes()),
        payload,
        headers,
        ..OutRecord::default()
    }
}

fn text(mut text: String) -> Vec<u8> {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text.into_bytes()
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
    let digits = bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]);
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::DeadLetterKind;

    fn out(payload: Option<Vec<u8>>, largest: usize) -> OutRecord {
        let source = SourceId {
            topic: "flows".into(),
            partition: 3,
        };
        let letter = DeadLetter {
            offset: 42,
            timestamp: None,
            kind: DeadLetterKind::Undecodable,
            reason: "é".repeat(2000),
            payload,
        };
        record(&"dead".into(), &source, letter, largest)
    }

    fn header<'r>(record: &'r OutRecord, name: &str) -> Option<&'r [u8]> {
        let found = record.headers.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| value.as_slice())
    }

    #[test]
    fn a_letter_that_fits_goes_whole_and_says_where_it_came_from() {
        let record = out(Some(vec![7; 1000]), 10_000);
        assert_eq!(record.payload, Some(vec![7; 1000]));
        assert_eq!(header(&record, TOPIC), Some(&b"flows"[..]));
        assert_eq!(header(&record, PARTITION), Some(&b"3"[..]));
        assert_eq!(header(&record, OFFSET), Some(&b"42"[..]));
        assert_eq!(header(&record, FULL_LENGTH), None);
        assert_eq!(header(&record, MESSAGE).unwrap().len(), MAX_TEXT);
        assert_eq!(out(None, 10_000).payload, None);
    }

    #[test]
    fn a_letter_that_does_not_fit_is_cut_and_states_its_length_and_hash() {
        let record = out(Some(vec![b'a'; 10_000]), 10_000);
        assert_eq!(record.payload.as_ref().unwrap().len(), 10_000 - OVERHEAD);
        assert_eq!(header(&record, FULL_LENGTH), Some(&b"10000"[..]));
        assert_eq!(
            header(&record, FULL_SHA256).unwrap(),
            b"27dd1f61b867b6a0f6e9d8a41c43231de52107e53ae424de8f847b821db4b711"
        );
    }
}
