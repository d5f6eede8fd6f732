//! What a record is read as does not depend on the ones before it, whatever their fields were, in which order and how
//! long.

use proptest::prelude::*;

use super::super::{Decoder, DecoderSettings, Field, FieldSet, Flow, FormatName};
use super::{Message, with_flow};

/// A field as it may stand in a record.
#[derive(Clone, Debug)]
enum Part {
    Number(u64, u64),
    Bytes(u64, Vec<u8>),
    /// A number with more bytes than it needs.
    Padded(u64, u8),
    Fixed(u64, Vec<u8>),
    Group(u64),
}

/// Numbers of all blocks, with tags of one to five bytes; some are nothing, and some mean two things.
const NUMBERS: [u64; 16] = [
    1, 2, 3, 5, 9, 10, 14, 22, 30, 42, 110, 1002, 1005, 2002, 2538, 70_000_000,
];
const BYTES: [u64; 12] = [
    6, 7, 11, 12, 90, 1000, 1001, 1004, 1014, 2004, 2015, 300_000,
];

fn part() -> impl Strategy<Value = Part> {
    let value = prop_oneof![
        0..200_u64,
        0..70_000_u64,
        any::<u64>(),
        1 << 60..1_u64 << 61
    ];
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 4),
        prop::collection::vec(any::<u8>(), 16),
        prop::collection::vec(32..127_u8, 0..12),
        prop::collection::vec(32..127_u8, 120..140),
    ];
    let fixed = prop_oneof![
        prop::collection::vec(any::<u8>(), 4),
        prop::collection::vec(any::<u8>(), 8)
    ];
    prop_oneof![
        10 => (prop::sample::select(&NUMBERS[..]), value).prop_map(|(n, v)| Part::Number(n, v)),
        10 => (prop::sample::select(&BYTES[..]), bytes).prop_map(|(n, b)| Part::Bytes(n, b)),
        1 => (prop::sample::select(&NUMBERS[..]), 0..9_u8).prop_map(|(n, b)| Part::Padded(n, b)),
        1 => (prop::sample::select(&NUMBERS[..]), fixed).prop_map(|(n, b)| Part::Fixed(n, b)),
        1 => (40..60_u64).prop_map(Part::Group),
    ]
}

fn record(parts: &[Part]) -> Vec<u8> {
    let message = parts
        .iter()
        .fold(Message::default(), |message, part| match part {
            Part::Number(number, value) => message.number(*number, *value),
            Part::Bytes(number, bytes) => message.bytes(*number, bytes),
            Part::Padded(number, bytes) => {
                let mut message = message.raw_varint(number << 3);
                message.0.extend((0..*bytes).map(|_| 0x81));
                message.0.push(0);
                message
            }
            Part::Fixed(number, bytes) => message.fixed(*number, bytes),
            Part::Group(number) => message
                .raw_varint(number << 3 | 3)
                .raw_varint(number << 3 | 4),
        });
    message.0
}

/// What happens to a field of the record before, which is how most differ.
#[derive(Clone, Debug)]
enum Change {
    Stays,
    Becomes(Part),
    IsLeftOut,
    ComesBefore(Part),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        12 => Just(Change::Stays),
        3 => part().prop_map(Change::Becomes),
        1 => Just(Change::IsLeftOut),
        1 => part().prop_map(Change::ComesBefore),
    ]
}

/// Records that are like each other, and where each is cut off.
fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let base = prop::collection::vec(part(), 1..14);
    let changes = prop::collection::vec(change(), 14);
    let cut = prop_oneof![9 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    (base, prop::collection::vec((changes, cut), 1..50)).prop_map(|(base, steps)| {
        let of = |(changes, cut): (Vec<Change>, Option<prop::sample::Index>)| {
            let parts = base
                .iter()
                .zip(changes)
                .flat_map(|(part, change)| match change {
                    Change::Stays => vec![part.clone()],
                    // It keeps its number if it can, so that only its length is another.
                    Change::Becomes(Part::Bytes(_, bytes)) if let Part::Bytes(number, _) = part => {
                        vec![Part::Bytes(*number, bytes)]
                    }
                    Change::Becomes(Part::Number(_, value))
                        if let Part::Number(number, _) = part =>
                    {
                        vec![Part::Number(*number, value)]
                    }
                    Change::Becomes(other) => vec![other],
                    Change::IsLeftOut => vec![],
                    Change::ComesBefore(other) => vec![other, part.clone()],
                });
            let mut record = record(&parts.collect::<Vec<_>>());
            if let Some(cut) = cut.filter(|_| !record.is_empty()) {
                record.truncate(cut.index(record.len()));
            }
            record
        };
        steps.into_iter().map(of).collect()
    })
}

fn decoder(fields: FieldSet) -> Decoder {
    Decoder::new(DecoderSettings {
        format: FormatName::Auto,
        direction_default: None,
        fields,
    })
}

/// What everybody may look at, and what these fields are.
fn looked_at<'a>(flow: &Flow<'a>) -> Flow<'a> {
    Flow {
        src_addr: flow.src_addr,
        dst_addr: flow.dst_addr,
        exporter: flow.exporter,
        next_hop: flow.next_hop,
        bytes: flow.bytes,
        packets: flow.packets,
        sampling_rate: flow.sampling_rate,
        normalized: flow.normalized,
        time_received: flow.time_received,
        time_start: flow.time_start,
        time_end: flow.time_end,
        direction: flow.direction,
        flow_type: flow.flow_type,
        etype: flow.etype,
        dst_port: flow.dst_port,
        src_if_desc: flow.src_if_desc,
        dst_country: flow.dst_country,
        ..Flow::default()
    }
}

proptest! {
    #[test]
    fn records_before_it_change_nothing(records in records()) {
        let mut used = decoder(FieldSet::ALL);
        let few = [Field::DstPort, Field::SrcIfDesc, Field::DstCountry];
        let mut used_for_few = decoder(few.into_iter().collect());
        let mut seen = FieldSet::EMPTY;
        for record in &records {
            let mut fresh = decoder(FieldSet::ALL);
            let flow = fresh.decode(record);
            prop_assert_eq!(used.decode(record), flow.clone());
            let expected = flow.as_ref().map(looked_at);
            let got = used_for_few.decode(record);
            prop_assert_eq!(got.as_ref().map(looked_at), expected);
            seen = seen.union(fresh.seen());
            prop_assert_eq!((used.seen(), used_for_few.seen()), (seen, seen));
        }
    }
}

#[test]
fn what_has_no_field_number_is_refused_whatever_came_before() {
    // Numbers of ten bytes, which nothing foretells, and of all lengths.
    for value in [u64::MAX, 1 << 61, 1 << 50, 300, 1] {
        for number in [1, 110, 2538] {
            let mut decoder = decoder(FieldSet::ALL);
            for round in 0..100 {
                let record = Message::flow().number(number, value >> (round % 2));
                decoder
                    .decode(&record.0)
                    .expect("it is a flow, whatever is in it");
            }
            for nonsense in [&[0x01, 0x00][..], &[0x00, 0x00], &[0x01; 9], &[0x02, 0x00]] {
                let mut record = Message::flow().0;
                record.extend(nonsense);
                assert!(decoder.decode(&record).is_err(), "{nonsense:?}");
                let mut record = nonsense.to_vec();
                record.extend(Message::flow().0);
                assert!(decoder.decode(&record).is_err(), "{nonsense:?} first");
            }
        }
    }
}

#[test]
fn fields_of_ever_another_length_are_read() {
    let mut decoder = decoder(FieldSet::ALL);
    for round in 0..200_u64 {
        let text = "x".repeat((round * 7 % 130) as usize);
        let record = Message::flow()
            .number(22, 1 << (round % 17))
            .number(18, round % 3)
            .bytes(1004, text.as_bytes())
            .number(1005, 1 << (round * 5 % 40));
        with_flow(&record.0, |alone| {
            assert_eq!(decoder.decode(&record.0), alone);
        });
    }
}
