//! Dead letters on the wire: the record as it was, and headers that say why (KIP-1034).

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::count::DeadLetter;
use crate::kafka::producer::OutRecord;
use crate::partial::SourceId;

/// Room for headers and framing within the topic's largest record, in bytes.
const OVERHEAD: usize = 4 * 1024;
/// A longer key is cut. Flow producers write keys of some dozen bytes.
const MAX_KEY: usize = 64 * 1024;

/// Kafka Streams' names.
const EXCEPTION: &str = "__streams.errors.exception";
const MESSAGE: &str = "__streams.errors.message";
const TOPIC: &str = "__streams.errors.topic";
const PARTITION: &str = "__streams.errors.partition";
const OFFSET: &str = "__streams.errors.offset";
/// Ours.
const TIMESTAMP: &str = "hotprefix.timestamp";
const KEY_LENGTH: &str = "hotprefix.key.length";
const FULL_LENGTH: &str = "hotprefix.payload.length";
const FULL_SHA256: &str = "hotprefix.payload.sha256";

/// The longest text in a header, in bytes.
const MAX_TEXT: usize = 1024;

/// The record for the dead-letter topic, which takes records of at most `largest` bytes. Key and payload
/// go whole if they can; else they are cut, and headers give the full length, and the payload's SHA-256.
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
    let key = letter.key.map(|mut key| {
        let most = MAX_KEY.min(room / 2);
        if key.len() > most {
            headers.push((KEY_LENGTH, key.len().to_string().into_bytes()));
            key.truncate(most);
        }
        key
    });
    let room = room - key.as_ref().map_or(0, Vec::len);
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
        key,
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
        keyed(None, payload, largest)
    }

    fn keyed(key: Option<Vec<u8>>, payload: Option<Vec<u8>>, largest: usize) -> OutRecord {
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
            key,
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
        assert_eq!(out(None, 10_000).key, None);
    }

    #[test]
    fn the_key_goes_along_and_a_huge_one_is_cut() {
        let record = keyed(Some(b"k".to_vec()), Some(vec![7; 1000]), 10_000);
        assert_eq!(record.key, Some(b"k".to_vec()));
        assert_eq!(header(&record, KEY_LENGTH), None);

        let huge = keyed(Some(vec![b'k'; 9000]), Some(vec![7; 9000]), 10_000);
        let (key, payload) = (huge.key.as_ref().unwrap(), huge.payload.as_ref().unwrap());
        assert_eq!(header(&huge, KEY_LENGTH), Some(&b"9000"[..]));
        assert_eq!(key.len() + payload.len(), 10_000 - OVERHEAD);
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
