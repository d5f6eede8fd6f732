//! Static members: a restart within the session is nobody else's business.

use std::thread;

use crate::crash::{LIFE, app, prepare, write};
use crate::support::app::Instance;
use crate::support::kafka_node::Cluster;
use crate::support::scrape::Scrape;
use crate::support::wait;

/// Two instances; one is restarted in order, then killed and started again, within its session. The other
/// keeps what it has throughout: no rebalance reaches it.
pub(crate) fn check_static_restarts(name: &str, seed: u64, flows: usize) {
    let cluster = Cluster::shared();
    let prepared = prepare(cluster, name, seed, flows);
    let app = app(cluster, &prepared)
        .set("membership", "static")
        .set("kafka.session.timeout.ms", 45_000)
        .set("kafka.statistics.interval.ms", 200);
    let mut instances = app.start_all(2);
    let other = instances.pop().expect("there are two");
    let mut restarted = instances.pop().expect("there are two");
    let settled = settled(&other);
    let restarted = thread::scope(|scope| {
        scope.spawn(|| write(cluster, &prepared, LIFE * 2));
        for end in [Instance::stop, Instance::kill] {
            wait::pass(LIFE / 3);
            end(restarted);
            restarted = app.start(0);
            restarted.ready();
        }
        restarted
    });
    prepared.until_final(&app);
    assert_eq!(
        rebalances(&other),
        Some(settled),
        "a restart of one instance reached the other"
    );
    prepared.finish(&app, vec![restarted, other]);
}

/// Its rebalances, once two looks in a row, a while apart, count the same.
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
