//! Records of `<app>-partials` → values → the same records, and their sums, held against plain maps.
#![no_main]

use std::collections::BTreeMap;

use hotprefix_fuzz::edit_message;
use hotprefix_fuzz::inputs::Log;
use hotprefix_fuzz::net::AddrBits;
use hotprefix_fuzz::partial::{self, Leaves, LeavesOf, Marker, Partial, Runs, Sampling, merge_all};
use prost::Message as _;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Ok(log) = Log::decode(input) else {
        return;
    };
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for record in &log.records {
        match partial::decode(record) {
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(read) => {
                reads_back(&read, record.len());
                match read {
                    Partial::Marker(marker) => fates_add_up(&marker),
                    Partial::Delta(delta) => match delta.leaves {
                        Leaves::V4(leaves) => v4.push(leaves),
                        Leaves::V6(leaves) => v6.push(leaves),
                    },
                }
            }
        }
    }
    adds_up(v4);
    adds_up(v6);
});

hotprefix_fuzz::mutator!(|input: &mut Vec<u8>, random: &mut _| edit_message::edit(
    input, random, 4
));

/// What was read is what it would be written as, in no more bytes.
fn reads_back(read: &Partial, length: usize) {
    let again = partial::encode(read);
    assert_eq!(again.len(), 1, "one record became several");
    assert!(again[0].len() <= length, "{length} bytes grew");
    assert_eq!(partial::decode(&again[0]).expect("own record"), *read);
}

fn fates_add_up(marker: &Marker) {
    let mut twice = marker.fates;
    twice.add(&marker.fates);
    assert!(twice.records() >= marker.fates.records());
}

/// Bytes, packets, flows, raw bytes, lowest and highest rate.
type Row = (u64, u64, u64, u64, u32, u32);

fn adds_up<A: AddrBits + std::fmt::Debug + Send + Sync>(sets: Vec<LeavesOf<A>>) {
    let mut model = BTreeMap::<u128, Row>::new();
    for set in &sets {
        for (addr, row) in rows(set) {
            let sum = model.entry(addr).or_insert((0, 0, 0, 0, u32::MAX, 0));
            sum.0 = sum.0.saturating_add(row.0);
            sum.1 = sum.1.saturating_add(row.1);
            sum.2 = sum.2.saturating_add(row.2);
            sum.3 = sum.3.saturating_add(row.3);
            sum.4 = sum.4.min(row.4);
            sum.5 = sum.5.max(row.5);
        }
    }
    let sum = merge_all(sets.clone());
    assert!(sum.addr.is_sorted_by(|a, b| a < b));
    assert_eq!(rows(&sum).collect::<BTreeMap<_, _>>(), model);
    let mut runs = Runs::default();
    sets.into_iter().rev().for_each(|set| runs.push(set));
    assert_eq!(runs.into_sum(), sum, "the order changed the sum");
}

fn rows<A: AddrBits>(set: &LeavesOf<A>) -> impl Iterator<Item = (u128, Row)> {
    (0..set.len()).map(|i| {
        let (raw, min, max) = match &set.sampling {
            Sampling::Uniform(rate) => (set.bytes[i] / u64::from((*rate).max(1)), *rate, *rate),
            Sampling::Normalized(rate) => (set.bytes[i], *rate, *rate),
            Sampling::ByLeaf {
                raw_bytes,
                min_rate,
                max_rate,
            } => (raw_bytes[i], min_rate[i], max_rate[i]),
        };
        let row = (set.bytes[i], set.packets[i], set.flows[i], raw, min, max);
        (set.addr[i].to_u128(), row)
    })
}
