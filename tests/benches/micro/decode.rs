//! A record's bytes → a flow. A thousand records at a time: microseconds are nanoseconds a record.

use std::fmt;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use hotprefix::flow::{Decoder, DecoderSettings, FieldSet, FormatName};

use crate::plans;
use crate::records::{self, Address};

pub(crate) const RECORDS: u32 = 1_000;

/// What is asked of a record.
#[derive(Clone, Copy)]
enum Wanted {
    All,
    Ancestor,
    Everything,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all fields",
            Self::Ancestor => "the ancestor's rule",
            Self::Everything => "no filter",
        })
    }
}

const WANTED: [Wanted; 3] = [Wanted::All, Wanted::Ancestor, Wanted::Everything];

impl Wanted {
    fn decoder(self) -> Decoder {
        decoder(match self {
            Self::All => FieldSet::ALL,
            Self::Ancestor => plans::ancestor().fields(),
            Self::Everything => plans::everything().fields(),
        })
    }
}

pub(crate) fn decoder(fields: FieldSet) -> Decoder {
    Decoder::new(DecoderSettings {
        format: FormatName::Auto,
        direction_default: None,
        fields,
    })
}

#[divan::bench(types = [u32, u128], args = WANTED)]
fn protobuf<A: Address>(bencher: Bencher<'_, '_>, wanted: Wanted) {
    let records = (0..RECORDS).map(|n| records::record(n, A::nth(n)));
    decode(bencher, wanted, &records.collect::<Vec<_>>());
}

#[divan::bench(args = WANTED)]
fn json(bencher: Bencher<'_, '_>, wanted: Wanted) {
    let records = vec![records::JSON.as_bytes().to_vec(); RECORDS as usize];
    decode(bencher, wanted, &records);
}

fn decode(bencher: Bencher<'_, '_>, wanted: Wanted, records: &[Vec<u8>]) {
    let bytes: usize = records.iter().map(Vec::len).sum();
    let mut decoder = wanted.decoder();
    bencher
        .counter(ItemsCount::new(records.len()))
        .counter(BytesCount::new(bytes))
        .bench_local(|| {
            for record in records {
                let flow = decoder.decode(black_box(record));
                black_box(flow.expect("it is a flow"));
            }
        });
}
