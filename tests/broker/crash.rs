//! Instances that die or freeze: each result is there once, as if nothing had happened.

use std::thread;
use std::time::Duration;

use crate::run::{Prepared, base};
use crate::support::flows::{Load, Random};
use crate::support::kafka_client::Writer;
use crate::support::kafka_node::Cluster;
use crate::support::process::Signal;
use crate::support::rules::rules;
use crate::support::wait;

/// Two instances, while the load is written; `kills` times one of them is killed at a random instant
/// and started again.
pub(crate) fn check_kills(name: &str, seed: u64, flows: usize, kills: usize) {
    let cluster = Cluster::shared();
    let load = Load::new(seed, flows, 4, base());
    let prepared = Prepared::unwritten(cluster, name, rules(), &load);
    let app = prepared.app(cluster, name).set("flush_interval", "50ms");
    let writer = Writer::new(cluster, name);
    let outgoing: Vec<_> = prepared.outgoing().collect();
    let mut slices = outgoing.chunks(outgoing.len().div_ceil(kills + 1));
    let mut random = Random(seed);
    let mut instances = app.start_all(2);
    for _ in 0..kills {
        let slice = slices.next().unwrap_or_default();
        thread::scope(|scope| {
            scope.spawn(|| writer.write(slice.iter().copied()));
            // From the middle of a join to well into counting.
            wait::pass(Duration::from_millis(random.below(3_000)));
            let number = random.below(2) as usize;
            let fresh = {
                let process = &mut instances[number].process;
                process.kill().expect("a running instance can be killed");
                app.start(number)
            };
            instances[number] = fresh;
        });
    }
    slices.for_each(|slice| writer.write(slice.iter().copied()));
    prepared.until_final(&app);
    for instance in &mut instances {
        instance.ready();
    }
    prepared.finish(&app, instances);
}

/// Two instances; one is stopped for `frozen`, longer than its session, and then goes on.
pub(crate) fn check_freeze(name: &str, seed: u64, flows: usize, frozen: Duration) {
    let cluster = Cluster::shared();
    let load = Load::new(seed, flows, 4, base());
    let prepared = Prepared::unwritten(cluster, name, rules(), &load);
    let app = prepared.app(cluster, name).set("flush_interval", "50ms");
    let writer = Writer::new(cluster, name);
    let outgoing: Vec<_> = prepared.outgoing().collect();
    let third = outgoing.len() / 3;
    let mut instances = app.start_all(2);
    thread::scope(|scope| {
        scope.spawn(|| writer.write(outgoing[..third].iter().copied()));
        wait::pass(Duration::from_millis(Random(seed).below(1_000)));
        instances[0].process.signal(Signal::STOP);
    });
    writer.write(outgoing[third..2 * third].iter().copied());
    wait::pass(frozen);
    instances[0].process.signal(Signal::CONT);
    writer.write(outgoing[2 * third..].iter().copied());
    prepared.until_final(&app);
    for instance in &mut instances {
        instance.ready();
    }
    prepared.finish(&app, instances);
}
