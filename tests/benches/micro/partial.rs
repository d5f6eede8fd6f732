//! Counts → a delta's bytes, and back, and added up.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use hotprefix::count::CountTask;
use hotprefix::partial::{self, LeavesOf, Runs, merge};

use crate::count::filled;
use crate::leaves::leaves;
use crate::plans;
use crate::records::{Address, scattered};
use crate::size::{million, sizes};

/// The records of a flush.
pub(crate) fn flushed(task: &mut CountTask) -> Vec<Vec<u8>> {
    let records = task.flush().encode(1, 1).records.into_iter();
    records.map(|record| record.payload).collect()
}

/// Swapping a task's counts out, sorting and encoding them.
#[divan::bench(types = [u32, u128], args = sizes(), sample_count = 10)]
fn flush<A: Address>(bencher: Bencher<'_, '_>, addresses: u32) {
    let plan = plans::everything();
    let records = flushed(&mut filled::<A>(&plan, addresses));
    bencher
        .counter(ItemsCount::new(addresses))
        .counter(BytesCount::new(records.iter().map(Vec::len).sum::<usize>()))
        .with_inputs(|| filled::<A>(&plan, addresses))
        .bench_local_values(|mut task| flushed(&mut task));
}

#[divan::bench(types = [u32, u128], args = sizes(), sample_count = 10)]
fn decode<A: Address>(bencher: Bencher<'_, '_>, addresses: u32) {
    let plan = plans::everything();
    let records = flushed(&mut filled::<A>(&plan, addresses));
    bencher
        .counter(ItemsCount::new(addresses))
        .counter(BytesCount::new(records.iter().map(Vec::len).sum::<usize>()))
        .bench_local(|| {
            let partials = records.iter().map(|record| partial::decode(record));
            partials
                .collect::<Result<Vec<_>, _>>()
                .expect("they are readable")
        });
}

/// Two sets that have half of their addresses in common.
#[divan::bench(types = [u32, u128], args = sizes(), sample_count = 10)]
fn merge_two<A: Address>(bencher: Bencher<'_, '_>, addresses: u32) {
    let half = addresses / 2;
    let left = leaves::<A>(0..half);
    let right = leaves::<A>(half / 2..half / 2 + half);
    bencher
        .counter(ItemsCount::new(left.len() + right.len()))
        .with_inputs(|| (left.clone(), right.clone()))
        .bench_local_values(|(left, right)| merge(left, right));
}

/// A million rows in so many sets, of half as many addresses.
#[divan::bench(types = [u32, u128], args = [4, 16, 64], sample_count = 10)]
fn merge_many<A: Address>(bencher: Bencher<'_, '_>, sets: u32) {
    let sets = many_sets::<A>(sets);
    bencher
        .counter(ItemsCount::new(
            sets.iter().map(LeavesOf::len).sum::<usize>(),
        ))
        .with_inputs(|| sets.clone())
        .bench_local_values(|sets| {
            let mut runs = Runs::default();
            for set in sets {
                runs.push(set);
            }
            runs.into_sum()
        });
}

fn many_sets<A: Address>(sets: u32) -> Vec<LeavesOf<A>> {
    let (addresses, rows) = (million() / 2, million() / sets);
    let set = |n: u32| leaves((n * rows..(n + 1) * rows).map(|row| scattered(row) % addresses));
    (0..sets).map(set).collect()
}
