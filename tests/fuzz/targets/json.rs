//! One record of JSON → a flow or a reason, held against serde_json's own reading and against other layouts.
#![no_main]

use std::fmt;

use hotprefix_fuzz::edit_text;
use hotprefix_fuzz::flow::{Decoder, DecoderSettings, FieldSet, FormatName};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

libfuzzer_sys::fuzz_target!(|record: &[u8]| {
    let flow = decoded(record);
    if let Ok(flow) = &flow {
        let json = serde_json::from_slice::<IgnoredAny>(record);
        assert!(json.is_ok(), "{flow} is not out of JSON");
    }
    // The same members in another layout, when no name stands there twice.
    let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(record) else {
        return;
    };
    if members(record) != Some(object.len()) {
        return;
    }
    let value = serde_json::Value::Object(object);
    for text in [value.to_string(), format!(" {value:#}\n")] {
        assert_eq!(decoded(text.as_bytes()), flow, "{text}");
    }
});

hotprefix_fuzz::mutator!(|input: &mut Vec<u8>, random: &mut _| edit_text::edit(
    input, random, &WORDS
));

/// The flow as text, or the kind of the error.
fn decoded(record: &[u8]) -> Result<String, &'static str> {
    let mut decoder = Decoder::new(DecoderSettings {
        format: FormatName::Json,
        direction_default: None,
        fields: FieldSet::ALL,
    });
    let first = decoder.decode(record).map(|flow| format!("{flow:?}"));
    assert_eq!(
        first,
        decoder.decode(record).map(|flow| format!("{flow:?}"))
    );
    first.map_err(|undecodable| {
        assert!(!undecodable.to_string().is_empty());
        undecodable.kind()
    })
}

/// How many members the object has, repeated ones included.
fn members(record: &[u8]) -> Option<usize> {
    struct Count;
    impl<'a> Visitor<'a> for Count {
        type Value = usize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<usize, M::Error> {
            let mut members = 0;
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                members += 1;
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_slice(record)
        .deserialize_map(Count)
        .ok()
}

const WORDS: [&str; 44] = [
    "\"Bytes\"",
    "\"bytes\"",
    "\"BYTES\"",
    "\"packets\"",
    "\"type\"",
    "\"SFLOW_5\"",
    "\"NETFLOW_V9\"",
    "\"SrcAddr\"",
    "\"src_addr\"",
    "\"dstAddr\"",
    "\"sampler_address\"",
    "\"SamplingRate\"",
    "\"time_received_ns\"",
    "\"timeReceived\"",
    "\"TimeReceivedMs\"",
    "\"time_flow_start_ns\"",
    "\"TimeFlowEndMs\"",
    "\"etype\"",
    "\"IPv4\"",
    "\"0x86dd\"",
    "\"proto\"",
    "\"UDP\"",
    "\"flow_direction\"",
    "\"FlowDirection\"",
    "\"Normalized\"",
    "\"Yes\"",
    "\"No\"",
    "\"tcpFlags\"",
    "\"SrcIfDesc\"",
    "\"RemoteAddr\"",
    "\"remoteCountry\"",
    "\"wAACAQ==\"",
    "\"////////////////////8A==\"",
    "\"::ffff:10.0.0.1\"",
    "[192,0,2,1]",
    "[256]",
    "\"\\u0062ytes\"",
    "\"2019-09-10T15:04:07.9Z\"",
    ":",
    ",",
    "{}",
    "[]",
    "\\",
    "\"",
];
