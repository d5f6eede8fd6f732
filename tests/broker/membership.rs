//! Static members: a restart within the session is nobody else's business.

use std::thread;

use crate::crash::{LIFE, app, prepare, write};
use crate::support::app::Instance;
use crate::support::kafka_node::Cluster;
use crate::support::scrape::Scrape;
use crate::support::wait;

/// Two instances with static membership; one is killed and started again within its session. The other keeps
/// what it has throughout: no rebalance reaches it.
pub(crate) fn check_static_restart(name: &str, seed: u64, flows: usize) {
    let cluster = Cluster::shared();
    let prepared = prepare(cluster, name, seed, flows);
    let app = app(cluster, &prepared)
        .set("membership", "static")
        .set("kafka.session.timeout.ms", 45_000)
        .set("kafka.statistics.interval.ms", 200);
    let mut instances = app.start_all(2);
    let settled = settled(&instances[1]);
    thread::scope(|scope| {
        scope.spawn(|| write(cluster, &prepared, LIFE));
        wait::pass(LIFE / 3);
        let victim = &mut instances[0].process;
        victim.kill().expect("a running instance can be killed");
        instances[0] = app.start(0);
    });
    prepared.until_final(&app);
    instances.iter_mut().for_each(Instance::ready);
    assert_eq!(
        rebalances(&instances[1]),
        Some(settled),
        "the restart of one instance reached the other"
    );
    prepared.finish(&app, instances);
}

/// Its rebalances once each stage has partitions and two looks in a row, a while apart, count the same.
fn settled(instance: &Instance) -> f64 {
    let mut before = None;
    wait::until("the groups are settled", LIFE * 6, LIFE / 2, || {
        let now = rebalances(instance)?;
        (before.replace(now) == Some(now)).then_some(now)
    })
}

fn rebalances(instance: &Instance) -> Option<f64> {
    let scrape = Scrape::of(instance)?;
    let of = |client| {
        let name = "hotprefix_kafka_rebalances_total";
        scrape.sum(name, &[("client", client)])
    };
    Some(of("count-consumer")? + of("detect-consumer")?)
}
