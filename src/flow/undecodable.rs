//! Why a record is no flow, and what it probably is instead.

use std::fmt;

use super::protobuf;
use super::wire::Malformed;
use super::{json, text};

/// A record that is no flow: the reason that goes into its dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable {
    pub(super) reason: Reason,
    pub(super) likely: Option<LikelyFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Empty,
    /// No flow begins with a zero byte, in any framing.
    LeadingZero,
    Protobuf(Malformed),
    Json {
        line: usize,
        column: usize,
    },
    /// Well-formed, but with no field of a flow in it.
    NotAFlow,
    FirstSchema,
}

impl Undecodable {
    /// The kind of error, in snake case: a small set, for headers and metrics.
    pub const fn kind(&self) -> &'static str {
        match self.reason {
            Reason::Empty => "empty",
            Reason::LeadingZero => "leading_zero",
            Reason::Protobuf(_) => "malformed_protobuf",
            Reason::Json { .. } => "malformed_json",
            Reason::NotAFlow => "not_a_flow",
            Reason::FirstSchema => "bwnetflow_2018",
        }
    }

    /// What the record looks like, where that can be told.
    pub const fn likely(&self) -> Option<LikelyFormat> {
        self.likely
    }
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::Empty => f.write_str("the record is empty")?,
            Reason::LeadingZero => f.write_str("the record begins with a zero byte")?,
            Reason::Protobuf(malformed) => write!(f, "not protobuf: {malformed}")?,
            Reason::Json { line, column } => {
                write!(f, "not JSON: error at line {line} column {column}")?;
            }
            Reason::NotAFlow => f.write_str("no field of a flow in it")?,
            Reason::FirstSchema => f.write_str("a flow of the schema of 2018")?,
        }
        match self.likely {
            Some(likely) => write!(f, "; it looks like {likely}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Undecodable {}

/// A format that is none of ours, or one of ours that the setting does not allow. Prints as what to say
/// after "it looks like".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LikelyFormat {
    /// Confluent's framing: a zero byte, then a schema's id.
    SchemaRegistry {
        /// The schema's id.
        schema_id: u32,
    },
    /// bwNetFlow before June 2019.
    Bwnetflow2018,
    /// A NetFlow, IPFIX or sFlow packet as a router sends it.
    Packet(&'static str),
    /// Compressed a second time, inside the record.
    Compressed(&'static str),
    /// An Avro container file.
    Avro,
    /// A JSON object.
    Json,
    /// A JSON array.
    JsonArray,
    /// `name=value` text.
    KeyValue,
    /// A flow in protobuf.
    Protobuf,
    /// A delimited message that was cut off.
    Cut {
        /// The length that it claims, in bytes.
        claimed: u64,
    },
    /// Other text.
    Text,
}

impl fmt::Display for LikelyFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SchemaRegistry { schema_id } => write!(
                f,
                "a schema registry's framing (schema id {schema_id}), which no flow producer writes: \
                 produce the bare message"
            ),
            Self::Bwnetflow2018 => f.write_str(
                "bwNetFlow's schema of 2018, whose field numbers mean something else since June 2019: \
                 update the producer",
            ),
            Self::Packet(what) => {
                write!(f, "{what} as routers send it: put a collector in between")
            }
            Self::Compressed(how) => write!(
                f,
                "{how} data inside the record: let Kafka compress instead (compression.type)"
            ),
            Self::Avro => f.write_str("an Avro file"),
            Self::Json => f.write_str("JSON"),
            Self::JsonArray => f.write_str("a JSON array: produce one flow per record"),
            Self::KeyValue => f.write_str("name=value text"),
            Self::Protobuf => f.write_str("a flow in protobuf"),
            Self::Cut { claimed } => {
                write!(f, "a delimited message of {claimed} bytes that was cut off")
            }
            Self::Text => f.write_str("text"),
        }
    }
}

/// Magic numbers, each of at least two bytes that no flow in protobuf can begin with or that no length fits.
const MAGIC: &[(&[u8], LikelyFormat)] = &[
    (&[0x1f, 0x8b], LikelyFormat::Compressed("gzip")),
    (&[0x28, 0xb5, 0x2f, 0xfd], LikelyFormat::Compressed("zstd")),
    (&[0x04, 0x22, 0x4d, 0x18], LikelyFormat::Compressed("lz4")),
    (b"\xff\x06\0\0sNaPpY", LikelyFormat::Compressed("snappy")),
    (b"\x82SNAPPY\0", LikelyFormat::Compressed("snappy")),
    (b"Obj\x01", LikelyFormat::Avro),
];

/// Names what undecodable bytes probably are: for a dead letter, and for the message of a service that
/// is not ready because its topic holds something else.
pub fn likely_format(record: &[u8]) -> Option<LikelyFormat> {
    if record.first() == Some(&0) {
        return begins_with_zero(record);
    }
    if let Some((_, likely)) = MAGIC.iter().find(|(magic, _)| record.starts_with(magic)) {
        return Some(*likely);
    }
    match protobuf::looks(record) {
        protobuf::Looks::Flow => return Some(LikelyFormat::Protobuf),
        protobuf::Looks::FirstSchema => return Some(LikelyFormat::Bwnetflow2018),
        protobuf::Looks::Other => {}
    }
    if json::begins_object(record) {
        return Some(LikelyFormat::Json);
    }
    if record.trim_ascii_start().first() == Some(&b'[') {
        return Some(LikelyFormat::JsonArray);
    }
    if text::begins_pair(record) {
        return Some(LikelyFormat::KeyValue);
    }
    if let Some(claimed) = protobuf::missing_bytes(record) {
        return Some(LikelyFormat::Cut { claimed });
    }
    is_text(record).then_some(LikelyFormat::Text)
}

/// Export packets begin with a 16-bit version, sFlow's with a 32-bit one; each also says how long it is
/// or where it comes from, so that a small schema id is not taken for one.
fn begins_with_zero(record: &[u8]) -> Option<LikelyFormat> {
    let word = |at: usize| {
        let two = record.get(at..)?.first_chunk::<2>()?;
        Some(usize::from(u16::from_be_bytes(*two)))
    };
    let (version, second) = (word(0)?, word(2)?);
    let length = record.len();
    let packet = match version {
        10 if second == length => Some("an IPFIX message"),
        9 if length >= 20 && (1..=length / 4).contains(&second) => Some("a NetFlow v9 packet"),
        5 if length == 24 + 48 * second => Some("a NetFlow v5 packet"),
        0 if second == 5 && matches!(record.get(4..8), Some([0, 0, 0, 1 | 2])) => {
            Some("an sFlow packet")
        }
        _ => None,
    };
    if let Some(what) = packet {
        return Some(LikelyFormat::Packet(what));
    }
    let id = record.get(1..)?.first_chunk::<4>()?;
    Some(LikelyFormat::SchemaRegistry {
        schema_id: u32::from_be_bytes(*id),
    })
}

fn is_text(record: &[u8]) -> bool {
    let printable = |c: char| !c.is_control() || c.is_ascii_whitespace();
    std::str::from_utf8(record)
        .is_ok_and(|text| !text.is_empty() && text.chars().take(256).all(printable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_registry_framing_is_named_with_its_id() {
        let likely = likely_format(&[0, 0, 0, 0, 42, 0, 0x08, 0x03]);
        assert_eq!(likely, Some(LikelyFormat::SchemaRegistry { schema_id: 42 }));
        assert!(likely.unwrap().to_string().contains("schema id 42"));
        assert_eq!(likely_format(&[0, 0, 0]), None, "too short to tell");
    }

    #[test]
    fn export_packets_are_not_taken_for_a_schema_registry() {
        let mut ipfix = vec![0, 10, 0, 40];
        ipfix.resize(40, 7);
        let mut v9 = vec![0, 9, 0, 2];
        v9.resize(60, 7);
        let mut v5 = vec![0, 5, 0, 1];
        v5.resize(72, 7);
        let sflow = [0, 0, 0, 5, 0, 0, 0, 1, 192, 0, 2, 1];
        for packet in [&ipfix[..], &v9, &v5, &sflow] {
            let likely = likely_format(packet);
            assert!(
                matches!(likely, Some(LikelyFormat::Packet(_))),
                "{likely:?} for {packet:?}"
            );
        }
    }

    #[test]
    fn other_formats_are_named() {
        for (record, likely) in [
            (&b"[{\"bytes\":1}]"[..], LikelyFormat::JsonArray),
            (b" {\"bytes\":", LikelyFormat::Json),
            (b"bytes=1 etype=IPv4", LikelyFormat::KeyValue),
            (b"<flow/>", LikelyFormat::Text),
            (b"Obj\x01\x04\x16", LikelyFormat::Avro),
            (b"\x1f\x8b\x08\0\0", LikelyFormat::Compressed("gzip")),
            (b"\x68\x08\x03\x18\x20", LikelyFormat::Cut { claimed: 0x68 }),
        ] {
            assert_eq!(likely_format(record), Some(likely));
        }
        assert_eq!(likely_format(&[0xff, 0xfe, 0x01]), None);
        assert_eq!(likely_format(&[]), None);
    }
}
