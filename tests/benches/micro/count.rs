//! A record's bytes → counted: [`CountTask::record`], which decodes, selects and adds.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use hotprefix::count::{CountTask, Plan, Record, Resume};
use hotprefix::partial::SourceId;
use hotprefix::time::Timestamp;

use crate::plans;
use crate::records::{Address, Stamp, scattered};
use crate::size::{million, sizes};

/// A task that has seen nothing.
pub(crate) fn task(plan: &Arc<Plan>) -> CountTask {
    let source = SourceId {
        topic: "flows".into(),
        partition: 0,
    };
    let resume = Resume::Fresh {
        next_offset: 0,
        from_log_start: true,
    };
    CountTask::new(source, Arc::clone(plan), resume).expect("it begins")
}

/// Counts flows `from..to`, each to the address of `address`.
pub(crate) fn count<A: Address>(
    task: &mut CountTask,
    stamp: &mut Stamp,
    flows: u32,
    address: impl Fn(u32) -> u32,
) {
    for n in 0..flows {
        let record = Record {
            offset: task.next_offset(),
            timestamp: None,
            log_append_time: false,
            payload: Some(stamp.record(n, A::nth(address(n)))),
            key: None,
        };
        task.record(&record, Timestamp::MAX);
    }
}

/// A task that has counted a flow to each of `addresses` addresses.
pub(crate) fn filled<A: Address>(plan: &Arc<Plan>, addresses: u32) -> CountTask {
    let mut task = task(plan);
    count::<A>(&mut task, &mut Stamp::new::<A>(), addresses, |n| n);
    task
}

/// Every flow counts, each to an address that is new.
#[divan::bench(types = [u32, u128], args = sizes(), sample_count = 10)]
fn new_addresses<A: Address>(bencher: Bencher<'_, '_>, addresses: u32) {
    let plan = plans::everything();
    bencher
        .counter(ItemsCount::new(addresses))
        .with_inputs(|| (task(&plan), Stamp::new::<A>()))
        .bench_local_values(|(mut task, mut stamp)| {
            count::<A>(&mut task, &mut stamp, addresses, |n| n);
            task
        });
}

/// The same in a task that has room for them: it flushed as many.
#[divan::bench(types = [u32, u128], args = sizes(), sample_count = 10)]
fn new_addresses_after_a_flush<A: Address>(bencher: Bencher<'_, '_>, addresses: u32) {
    let plan = plans::everything();
    bencher
        .counter(ItemsCount::new(addresses))
        .with_inputs(|| {
            let mut task = filled::<A>(&plan, addresses);
            drop(task.flush());
            (task, Stamp::new::<A>())
        })
        .bench_local_values(|(mut task, mut stamp)| {
            count::<A>(&mut task, &mut stamp, addresses, |n| n);
            task
        });
}

/// Every flow counts, each to one of the addresses that there are.
#[divan::bench(types = [u32, u128], args = sizes(), sample_count = 10)]
fn known_addresses<A: Address>(bencher: Bencher<'_, '_>, addresses: u32) {
    let plan = plans::everything();
    let mut task = filled::<A>(&plan, addresses);
    let mut stamp = Stamp::new::<A>();
    let known = |n: u32| scattered(n) % addresses;
    bencher
        .counter(ItemsCount::new(addresses))
        .bench_local(|| count::<A>(&mut task, &mut stamp, addresses, known));
}

/// One flow in six counts, to one of the addresses that there are.
#[divan::bench(types = [u32, u128], args = sizes(), sample_count = 10)]
fn ancestor<A: Address>(bencher: Bencher<'_, '_>, addresses: u32) {
    let plan = plans::ancestor();
    let mut task = task(&plan);
    let mut stamp = Stamp::new::<A>();
    let flows = addresses.saturating_mul(6);
    count::<A>(&mut task, &mut stamp, flows, |n| n / 6);
    let known = |n: u32| scattered(n) % addresses;
    bencher
        .counter(ItemsCount::new(flows))
        .bench_local(|| count::<A>(&mut task, &mut stamp, flows, known));
}

/// A hundred rules with ten filters between them, of which 36 on average count a flow.
#[divan::bench(sample_count = 10)]
fn hundred_rules(bencher: Bencher<'_, '_>) {
    let plan = plans::hundred();
    let addresses = million() / 100;
    let mut task = task(&plan);
    let mut stamp = Stamp::new::<u32>();
    let known = |n: u32| scattered(n) % addresses;
    bencher
        .counter(ItemsCount::new(addresses))
        .bench_local(|| count::<u32>(&mut task, &mut stamp, addresses, known));
}
