//! A flow → whether a rule counts it. A thousand flows at a time: microseconds are nanoseconds a flow.

use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use hotprefix::count::Plan;
use hotprefix::flow::{FieldSet, Flow};

use crate::decode::{RECORDS, decoder};
use crate::plans;
use crate::records::{self, Address as _};

#[divan::bench]
fn ancestor(bencher: Bencher<'_, '_>) {
    select(bencher, &plans::ancestor());
}

#[divan::bench]
fn no_filter(bencher: Bencher<'_, '_>) {
    select(bencher, &plans::everything());
}

/// With ten filters between them.
#[divan::bench]
fn hundred_rules(bencher: Bencher<'_, '_>) {
    select(bencher, &plans::hundred());
}

fn select(bencher: Bencher<'_, '_>, plan: &Arc<Plan>) {
    let records: Vec<_> = (0..RECORDS)
        .map(|n| records::record(n, u32::nth(n)))
        .collect();
    // A flow borrows its decoder.
    let mut decoders = vec![decoder(FieldSet::ALL); records.len()];
    let decoded = records.iter().zip(&mut decoders);
    let flows: Vec<Flow<'_>> = decoded
        .map(|(record, decoder)| decoder.decode(record).expect("it is a flow"))
        .collect();
    bencher
        .counter(ItemsCount::new(flows.len()))
        .bench_local(|| {
            let rules = plan.rules.iter();
            let selected = |flow| {
                rules
                    .clone()
                    .filter(|rule| rule.select(flow).is_some())
                    .count()
            };
            black_box(&flows).iter().map(selected).sum::<usize>()
        });
}
