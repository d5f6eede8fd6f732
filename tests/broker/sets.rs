//! A named set whose file changes while flows come: by a signal, by itself, and with something wrong in it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::run::{Output, Prepared, base};
use crate::support::app::{App, Instance};
use crate::support::flows::Load;
use crate::support::handover::{ITEMS, assert_handed_over, two_rules};
use crate::support::kafka_client::{Incoming, Writer};
use crate::support::kafka_node::Cluster;
use crate::support::model;
use crate::support::outcome::Message;
use crate::support::process::Signal;
use crate::support::scrape::Scrape;
use crate::support::wait;

const WINDOWS: i64 = 18;
const RELOADED: Duration = Duration::from_mins(1);

/// Two instances with one file; one is told of new items while flows keep coming for `time`, the other looks by itself.
pub(crate) fn check(flows: usize, time: Duration) {
    let cluster = Cluster::shared();
    let load = Load {
        intervals: WINDOWS,
        ..Load::new(43, flows, 4, base())
    };
    let [old, new] = two_rules();
    let prepared = Prepared::unwritten(cluster, "sets", old, &load);
    let new = model::run(&new, prepared.partitions, &prepared.records);
    let app = App::new(cluster, "sets", &prepared.topic, &prepared.rules);
    let app = app
        .set("internal.partitions", 4)
        .set("sets", json!({"borders": {"file": "borders.txt"}}));
    let file = app.dir().join("borders.txt");
    write(&file, ITEMS[0]);
    let instances = app.start_all(2);
    let outgoing: Vec<_> = prepared.outgoing().collect();
    let third = outgoing.len() / 3;
    let writer = Writer::new(cluster, &prepared.topic);
    writer.write_over(&outgoing[..third], time / 3);
    thread::scope(|scope| {
        scope.spawn(|| writer.write_over(&outgoing[third..2 * third], time / 3));
        write(&file, &["192.0.2.2", "a border"]);
        instances[0].process.signal(Signal::HUP);
        until(&instances[0], "refused");
        write(&file, ITEMS[1]);
        instances[0].process.signal(Signal::HUP);
        for instance in &instances {
            until(instance, "applied");
        }
    });
    writer.write_over(&outgoing[2 * third..], time / 3);
    prepared.until_final(&app);
    let log = instances[0].process.output();
    assert!(log.contains("set `borders`, line 2"), "{log}");
    instances.into_iter().for_each(Instance::stop);
    let output = Output::read(&app);
    let messages =
        |records: &[Incoming]| -> Vec<Message> { records.iter().map(Incoming::message).collect() };
    let (alerts, windows) = (messages(&output.alerts), messages(&output.windows));
    assert!(
        windows.iter().all(Message::is_final),
        "every window is whole"
    );
    let outcomes = [prepared.outcome, new];
    let boundaries = assert_handed_over("sets", &outcomes, &alerts, &windows);
    println!(
        "decided by the new items from: {boundaries:?}, of {}",
        load.base
    );
    assert_eq!(
        boundaries.len(),
        1,
        "one rule goes by the set: {boundaries:?}"
    );
}

/// Puts a file in the place of another, whole.
fn write(file: &Path, items: &[&str]) {
    let partial = file.with_extension("partial");
    fs::write(&partial, items.join("\n")).expect("a file can be written to the scratch folder");
    fs::rename(&partial, file).expect("it can be renamed");
}

fn until(instance: &Instance, outcome: &str) {
    let labels = [("outcome", outcome)];
    wait::until(outcome, RELOADED, Duration::from_millis(50), || {
        let reloads = Scrape::of(instance)?.sum("hotprefix_set_reloads_total", &labels)?;
        (reloads > 0.0).then_some(())
    });
}
