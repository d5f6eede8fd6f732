//! Where reading begins, what a gap does, and who may not run beside whom.

use std::time::Duration;

use hotprefix::partial::{Fates, Partial, decode};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use crate::support::app::App;
use crate::support::encode;
use crate::support::flows::{Flow, Outgoing};
use crate::support::kafka_client::{Incoming, Reader, Topic, Writer, block_on};
use crate::support::kafka_node::Cluster;
use crate::support::rules::rules;
use crate::support::wait;

const PATIENCE: Duration = Duration::from_mins(1);

fn flows(partition: i32, count: usize) -> Vec<Outgoing> {
    let received = jiff::Timestamp::now().as_millisecond();
    let flow = Flow::plain(received);
    let record = Outgoing {
        partition,
        timestamp: received,
        payload: Some(encode::encode(&flow)),
    };
    vec![record; count]
}

fn fates(partials: &[Incoming]) -> Fates {
    let mut fates = Fates::default();
    for record in partials.iter().filter(|r| r.partition == 0) {
        let payload = record.payload.as_deref();
        if let Partial::Marker(marker) = decode(payload.unwrap_or_default()).expect("a partial") {
            fates.add(&marker.fates);
        }
    }
    fates
}

/// Waits until exactly so many records are counted.
fn until_counted(app: &App<'_>, records: u64) -> Fates {
    let mut reader = Reader::new(app.cluster, &app.topic("partials"));
    let what = format!("{}: {records} records are counted", app.id);
    let read = reader.until(&what, PATIENCE, |r| fates(r).records() >= records);
    let fates = fates(read);
    assert_eq!(fates.records(), records, "{}: no record twice", app.id);
    fates
}

fn admin(cluster: &Cluster) -> AdminClient<DefaultClientContext> {
    cluster.client().create().expect("an admin client")
}

/// `input.start: latest` counts from the first start on, also across a restart; a partition that is
/// added while the application runs is read from its first record on.
pub(crate) fn check_start_at_the_end(protocol: &str) {
    let cluster = Cluster::shared();
    let name = &format!("latest-{protocol}");
    Topic::new(name, 1).create(cluster);
    let writer = Writer::new(cluster, name);
    writer.write(&flows(0, 50));
    let mut app = App::new(cluster, name, name, &rules()).set("input.start", "latest");
    if protocol == "consumer" {
        app = app.with_consumer_protocol();
    }
    let mut instance = app.start(0);
    instance.ready();
    until_begun(&app);
    writer.write(&flows(0, 30));
    until_counted(&app, 30);

    let more = NewPartitions::new(name, 2);
    let grown = block_on(admin(cluster).create_partitions([&more], &AdminOptions::new()));
    grown.expect("the broker answers")[0]
        .as_ref()
        .expect("the topic grows");
    let every = Duration::from_millis(50);
    wait::until("the new partition has a leader", PATIENCE, every, || {
        let admin = admin(cluster);
        let metadata = admin.inner().fetch_metadata(Some(name), PATIENCE).ok()?;
        let partitions = metadata.topics().first()?.partitions();
        (partitions.len() == 2 && partitions.iter().all(|p| p.leader() > 0)).then_some(())
    });
    // A new one, which knows the partition from the start.
    let writer = Writer::new(cluster, name);
    writer.write(&flows(1, 20));
    until_counted(&app, 50);

    instance.stop();
    writer.write(&flows(0, 5));
    writer.write(&flows(1, 5));
    let instance = app.start(0);
    until_counted(&app, 60);
    instance.stop();
}

/// The first marker is written in the transaction that commits where reading begins.
fn until_begun(app: &App<'_>) {
    let mut reader = Reader::new(app.cluster, &app.topic("partials"));
    reader.until("where reading begins is committed", PATIENCE, |r| {
        !r.is_empty()
    });
}

fn delete_before(cluster: &Cluster, topic: &str, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset))
        .expect("an offset is an offset");
    let deleted = block_on(admin(cluster).delete_records(&list, &AdminOptions::new()));
    deleted.expect("the broker deletes records");
}

/// Records that retention took before they were read are counted as lost, or stop the process.
pub(crate) fn check_gap() {
    let cluster = Cluster::shared();
    let name = "gap";
    Topic::new(name, 1).create(cluster);
    let writer = Writer::new(cluster, name);
    writer.write(&flows(0, 100));
    let app = App::new(cluster, name, name, &rules()).set("input.on_gap", "stop");
    let mut instance = app.start(0);
    instance.ready();
    until_counted(&app, 100);
    instance.stop();
    writer.write(&flows(0, 100));
    delete_before(cluster, name, 150);

    let mut stopped = app.start(0);
    let status = stopped.process.wait(PATIENCE);
    let output = stopped.process.output();
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(
        output.contains("gap/0: offsets 100 to 150 were deleted before they were read"),
        "{output}"
    );

    let app = app.set("input.on_gap", "continue");
    let instance = app.start(0);
    let counted = until_counted(&app, 150);
    assert_eq!(counted.lost, 50);
    instance.stop();
}

/// Two processes under one instance id fence each other until one of them says so and ends.
pub(crate) fn check_same_instance_id(name: &str, membership: &str) {
    let cluster = Cluster::shared();
    Topic::new(name, 4).create(cluster);
    let writer = Writer::new(cluster, name);
    let app = App::new(cluster, name, name, &rules()).set("membership", membership);
    let mut first = app.start(0);
    first.ready();
    let mut second = app.start(0);
    let mut written = 0;
    let every = Duration::from_millis(200);
    let output = wait::until("one of the two ends", PATIENCE, every, || {
        for partition in 0..4 {
            writer.write(&flows(partition, 5));
        }
        written += 20;
        [&mut first, &mut second].into_iter().find_map(|instance| {
            instance.process.ended()?;
            Some(instance.process.output())
        })
    });
    assert!(
        output.contains(&format!("another process uses instance id {name}-0")),
        "{output}"
    );
    // The other goes on, or fell with it and is started anew: each record counts once.
    let survivor = app.start(1);
    until_counted(&app, written);
    drop((first, second, survivor));
}

/// A topic of ours that was made by somebody else with settings that would lose data.
pub(crate) fn check_unfit_topic() {
    let cluster = Cluster::shared();
    let name = "unfit";
    Topic::new(name, 1).create(cluster);
    Topic::new("unfit-state", 4)
        .setting("cleanup.policy", "delete")
        .create(cluster);
    let mut instance = App::new(cluster, name, name, &rules()).start(0);
    let status = instance.process.wait(PATIENCE);
    let output = instance.process.output();
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(
        output.contains("unfit-state: cleanup.policy is delete, should be compact"),
        "{output}"
    );
}
