//! Alerts equal the brute-force model, however the work is spread.

use std::sync::{Mutex, OnceLock};

use crate::run::{Prepared, base};
use crate::support::flows::Load;
use crate::support::kafka_node::Cluster;
use crate::support::rules::rules;

/// How one run is spread.
pub(crate) struct Spread {
    pub(crate) instances: usize,
    pub(crate) flush: &'static str,
}

/// The values of the alerts of every run of [`check`] so far, which must all be one.
fn same_as_before(id: &str, values: &[String]) {
    static FIRST: OnceLock<Mutex<Option<Vec<String>>>> = OnceLock::new();
    let first = FIRST.get_or_init(Mutex::default);
    let mut first = first.lock().expect("no run panics while it compares");
    let first = first.get_or_insert_with(|| values.to_vec());
    let same = first == values;
    assert!(
        same,
        "{id}: the alerts' values are not those of the other runs"
    );
}

/// Runs a load of `flows` in `partitions` through each of `spreads`: all must equal the model and each
/// other, byte by byte.
pub(crate) fn check(flows: usize, partitions: usize, spreads: &[Spread]) {
    let cluster = Cluster::shared();
    let name = format!("exact-{partitions}");
    let load = Load::new(1, flows, partitions, base());
    let prepared = Prepared::written(cluster, &name, rules(), &load);
    for Spread { instances, flush } in spreads {
        let id = format!("{name}-{instances}-{flush}");
        let app = prepared.app(cluster, &id).set("flush_interval", *flush);
        let instances = app.start_all(*instances);
        let output = prepared.finish(&app, instances);
        same_as_before(&id, &output.alert_values());
    }
}

/// Flows that come after their window is closed: decided by each partition's own order.
pub(crate) fn check_late_flows(flows: usize) {
    let cluster = Cluster::shared();
    let load = Load {
        late_permille: 30,
        lateness_ms: 25_000,
        ..Load::new(2, flows, 4, base())
    };
    let prepared = Prepared::written(cluster, "late", rules(), &load);
    let counted_late: u64 = prepared
        .outcome
        .windows
        .values()
        .map(|w| w.late_flows)
        .sum();
    assert!(
        counted_late > 100,
        "the load has late flows: {counted_late}"
    );
    assert!(
        prepared.outcome.fates.late > 10,
        "some are late for every rule that wants them"
    );
    for instances in [1, 2] {
        let app = prepared.app(cluster, &format!("late-{instances}"));
        let instances = app.start_all(instances);
        prepared.finish(&app, instances);
    }
}

/// The same under the group protocol of KIP-848.
pub(crate) fn check_consumer_protocol(flows: usize) {
    let cluster = Cluster::shared();
    let load = Load::new(3, flows, 4, base());
    let prepared = Prepared::written(cluster, "kip848", rules(), &load);
    let app = prepared.app(cluster, "kip848").with_consumer_protocol();
    let instances = app.start_all(2);
    prepared.finish(&app, instances);
}
