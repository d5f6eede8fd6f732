//! Instances that die or freeze: each result is there once, as if nothing had happened.

use std::thread;
use std::time::Duration;

use crate::run::{Prepared, base};
use crate::support::app::App;
use crate::support::flows::{Load, Random};
use crate::support::kafka_client::{Writer, aborted};
use crate::support::kafka_node::Cluster;
use crate::support::process::Signal;
use crate::support::rules::rules;
use crate::support::wait;

/// From the start of an instance to its end: from the middle of a join to well into counting.
pub(crate) const LIFE: Duration = Duration::from_secs(5);

/// Two instances; `kills` times one of them is killed at a random instant and started again, while
/// flows keep coming.
pub(crate) fn check_kills(name: &str, seed: u64, flows: usize, kills: u32) {
    let cluster = Cluster::shared();
    let prepared = prepare(cluster, name, seed, flows);
    let app = app(cluster, &prepared);
    let mut random = Random(seed);
    let mut instances = app.start_all(2);
    thread::scope(|scope| {
        scope.spawn(|| write(cluster, &prepared, LIFE / 2 * kills));
        for _ in 0..kills {
            wait::pass(Duration::from_millis(random.below(LIFE.as_millis() as u64)));
            let number = random.below(2) as usize;
            let victim = &mut instances[number].process;
            victim.kill().expect("a running instance can be killed");
            instances[number] = app.start(number);
        }
    });
    prepared.until_final(&app);
    for instance in &mut instances {
        instance.ready();
    }
    prepared.finish(&app, instances);
    let cut = aborted(cluster, &app.topic("partials"));
    assert!(
        cut > 0,
        "no kill came within a transaction: the test shows nothing"
    );
}

/// Two instances; one is stopped for `frozen`, longer than its session, and then goes on, while flows
/// keep coming.
pub(crate) fn check_freeze(name: &str, seed: u64, flows: usize, frozen: Duration) {
    let cluster = Cluster::shared();
    let prepared = prepare(cluster, name, seed, flows);
    let app = app(cluster, &prepared);
    let mut instances = app.start_all(2);
    thread::scope(|scope| {
        scope.spawn(|| write(cluster, &prepared, frozen + LIFE));
        wait::pass(Duration::from_millis(1_000 + Random(seed).below(1_000)));
        instances[0].process.signal(Signal::STOP);
        wait::pass(frozen);
        instances[0].process.signal(Signal::CONT);
    });
    prepared.until_final(&app);
    for instance in &mut instances {
        instance.ready();
    }
    let log = instances[0].process.output();
    assert!(
        log.contains("lost=true"),
        "the frozen instance kept its partitions:\n{log}"
    );
    prepared.finish(&app, instances);
}

pub(crate) fn prepare(cluster: &Cluster, name: &str, seed: u64, flows: usize) -> Prepared {
    let load = Load::new(seed, flows, 4, base());
    Prepared::unwritten(cluster, name, rules(), &load)
}

/// A flush every 50 ms, of which the commit takes a good part: a transaction is nearly always open.
pub(crate) fn app<'c>(cluster: &'c Cluster, prepared: &Prepared) -> App<'c> {
    prepared
        .app(cluster, &prepared.topic)
        .set("flush_interval", "50ms")
}

pub(crate) fn write(cluster: &Cluster, prepared: &Prepared, time: Duration) {
    let outgoing: Vec<_> = prepared.outgoing().collect();
    Writer::new(cluster, &prepared.topic).write_over(&outgoing, time);
}
