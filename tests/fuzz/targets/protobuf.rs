//! One record of protobuf or `name=value` text → a flow or a reason, held against a second, plain reading.
#![no_main]

use hotprefix_fuzz::edit_message;
use hotprefix_fuzz::flow::{Decoder, DecoderSettings, FieldSet, Flow, FormatName, likely_format};
use hotprefix_fuzz::wire::{self, Value};

libfuzzer_sys::fuzz_target!(|record: &[u8]| {
    let mut decoder = decoder(FormatName::Protobuf);
    match decoder.decode(record) {
        Ok(flow) => {
            let readings = readings(record);
            assert!(
                readings.iter().any(|reading| agrees(&flow, reading)),
                "{flow:?} is in none of {readings:?}"
            );
        }
        Err(undecodable) => {
            assert!(!undecodable.to_string().is_empty());
            assert_eq!(undecodable.likely(), likely_format(record));
            let is_message = !readings(record).is_empty();
            match undecodable.kind() {
                "malformed_protobuf" => assert!(!is_message, "a message was refused"),
                "not_a_flow" => assert!(is_message, "what is no message was read"),
                "empty" => assert!(record.is_empty()),
                "leading_zero" => assert_eq!(record[0], 0),
                kind => assert_eq!(kind, "bwnetflow_2018"),
            }
        }
    }
    // What one record was leaves no trace in the next, and what is forced is what is found.
    let (mut auto, mut fresh) = (
        self::decoder(FormatName::Auto),
        self::decoder(FormatName::Auto),
    );
    // Not what others were, either, whose fields had other lengths.
    let mut other = record.to_vec();
    for n in 0..24 {
        if let Some(byte) = other.get_mut(n * 5 % record.len().max(1)) {
            *byte = byte.wrapping_add(n as u8 * 11 + 1);
        }
        let _ = auto.decode(&other);
    }
    let _ = auto.decode(record);
    let found = auto.decode(record);
    assert_eq!(found, fresh.decode(record));
    let forced = decoder.decode(record);
    if forced.is_ok() && record[0] != b'{' {
        assert_eq!(found, forced);
    }
});

hotprefix_fuzz::mutator!(|input: &mut Vec<u8>, random: &mut _| edit_message::edit(
    input, random, 0
));

fn decoder(format: FormatName) -> Decoder {
    Decoder::new(DecoderSettings {
        format,
        direction_default: None,
        fields: FieldSet::ALL,
    })
}

/// The messages that a record may be: what follows its length, and all of it.
fn readings(record: &[u8]) -> Vec<Vec<wire::Field>> {
    let of = |message: &[u8]| wire::fields(message);
    let delimited = wire::delimited(record).and_then(of);
    delimited.into_iter().chain(of(record)).collect()
}

/// Whether the fields that mean the same in every schema are the last ones of their number.
fn agrees(flow: &Flow<'_>, fields: &[wire::Field]) -> bool {
    let last = |number| {
        let varints = fields.iter().rev().filter_map(|field| match field.value {
            Value::Varint(value) if field.number == number => Some(value),
            _ => None,
        });
        varints.into_iter().next().unwrap_or(0)
    };
    let clipped = |number| u32::try_from(last(number)).unwrap_or(u32::MAX);
    let cut = |number| last(number) as u32;
    let is = |number, value: u32| value == clipped(number) || value == cut(number);
    (flow.bytes, flow.packets, flow.sampling_rate) == (last(9), last(10), last(3))
        && is(20, flow.proto)
        && is(21, flow.src_port)
        && is(22, flow.dst_port)
        && is(14, flow.src_as)
}
