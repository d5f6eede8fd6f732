//! Records of real encoders, hand-made ones, and junk.

mod family;
mod hostile;
mod layout;
mod names;
mod schema;
mod vectors;

/// What the real producers' encoders wrote; the broker tests read the same.
#[path = "../../../tests/support/vectors.rs"]
pub(crate) mod recorded;

use super::{Decoder, DecoderSettings, FieldSet, Flow, FormatName, Undecodable};

fn decoder() -> Decoder {
    Decoder::new(DecoderSettings {
        format: FormatName::Auto,
        direction_default: None,
        fields: FieldSet::ALL,
    })
}

/// Decodes one record with a decoder of its own. The flow's text must outlive that, so only closures see it.
fn with_flow<T>(record: &[u8], look: impl FnOnce(Result<Flow<'_>, Undecodable>) -> T) -> T {
    look(decoder().decode(record))
}

/// Writes protobuf by field number, right or wrong.
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn raw_varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    fn number(self, field: u64, value: u64) -> Self {
        self.raw_varint(field << 3).raw_varint(value)
    }

    fn bytes(self, field: u64, bytes: &[u8]) -> Self {
        let mut message = self
            .raw_varint(field << 3 | 2)
            .raw_varint(bytes.len() as u64);
        message.0.extend(bytes);
        message
    }

    fn fixed(mut self, field: u64, bytes: &[u8]) -> Self {
        let wire = if bytes.len() == 8 { 1 } else { 5 };
        self = self.raw_varint(field << 3 | wire);
        self.0.extend(bytes);
        self
    }

    fn delimited(&self) -> Vec<u8> {
        let mut record = Self::default().raw_varint(self.0.len() as u64).0;
        record.extend(&self.0);
        record
    }

    /// The least that every test flow has: `NetFlow` v9, a destination, bytes and packets.
    fn flow() -> Self {
        Self::default()
            .number(1, 3)
            .bytes(7, &[192, 0, 2, 1])
            .number(9, 1500)
            .number(10, 1)
    }
}
