//! What others do to a cluster: open transactions, names taken, leaders moved.

use std::process::Command;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::support::app::App;
use crate::support::kafka_node::Cluster;
use crate::support::{tools, wait};

const ANSWER: Duration = Duration::from_secs(20);

type Transactional = ThreadedProducer<DefaultProducerContext>;

fn producer(cluster: &Cluster, id: &str) -> Result<Transactional, KafkaError> {
    let mut client = cluster.client();
    client.set("transactional.id", id);
    client.set("transaction.timeout.ms", "30000");
    client.create()
}

/// Writes a few records to every partition of `topic` in a transaction that stays open for `time`, then aborts it.
/// Nobody who reads committed records may get past it meanwhile, nor ever see them.
pub(crate) fn open_transaction(
    cluster: &Cluster,
    topic: &str,
    time: Duration,
) -> Result<(), String> {
    let said = |error: KafkaError| error.to_string();
    let producer = producer(cluster, &format!("stranger-{topic}")).map_err(said)?;
    producer.init_transactions(ANSWER).map_err(said)?;
    producer.begin_transaction().map_err(said)?;
    for partition in 0..4 {
        for n in 0..3u8 {
            let record = BaseRecord::<(), [u8]>::to(topic).partition(partition);
            let value = [0xff, n];
            let sent = producer.send(record.payload(&value));
            sent.map_err(|(error, _)| error.to_string())?;
        }
    }
    producer.flush(ANSWER).map_err(said)?;
    wait::pass(time);
    producer.abort_transaction(ANSWER).map_err(said)
}

/// Takes the name of an instance's producer, as a second process under the same instance id would.
pub(crate) fn fence(app: &App<'_>, stage: &str, slot: usize) -> Result<(), String> {
    let id = format!("{}-{stage}-{}", app.id, app.instance_id(slot));
    let producer = producer(app.cluster, &id).map_err(|e| e.to_string())?;
    producer
        .init_transactions(ANSWER)
        .map_err(|e| e.to_string())
}

/// The broker that leads a partition, and its replicas.
pub(crate) fn leader(cluster: &Cluster, topic: &str, partition: i32) -> Option<(i32, Vec<i32>)> {
    let client: BaseConsumer = cluster.client().create().ok()?;
    let metadata = client.fetch_metadata(Some(topic), ANSWER).ok()?;
    let partitions = metadata.topics().first()?.partitions();
    let found = partitions.iter().find(|p| p.id() == partition)?;
    Some((found.leader(), found.replicas().to_vec()))
}

/// Makes another replica the leader: first the preferred one, then elected.
pub(crate) fn move_leader(app: &App<'_>, topic: &str, partition: i32) -> Result<(), String> {
    let (from, mut replicas) = leader(app.cluster, topic, partition).ok_or("it has no leader")?;
    let at = replicas.iter().position(|r| *r == from).unwrap_or(0);
    replicas.rotate_left(at + 1);
    let to = replicas[0];
    let replicas: Vec<_> = replicas.iter().map(i32::to_string).collect();
    let plan = format!(
        r#"{{"version":1,"partitions":[{{"topic":"{topic}","partition":{partition},"replicas":[{}]}}]}}"#,
        replicas.join(",")
    );
    let file = app.dir().join(format!("{topic}-{partition}.json"));
    std::fs::write(&file, plan).map_err(|e| e.to_string())?;
    let file = file
        .to_str()
        .ok_or("the target folder's path is not UTF-8")?;
    let servers = app.cluster.bootstrap();
    let reassign = [
        "--bootstrap-server",
        &servers,
        "--reassignment-json-file",
        file,
        "--execute",
    ];
    tool(
        "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
        &reassign,
    )?;
    let partition_text = partition.to_string();
    let elect = [
        "--bootstrap-server",
        &servers,
        "--election-type",
        "preferred",
        "--topic",
        topic,
        "--partition",
        &partition_text,
    ];
    tool("org.apache.kafka.tools.LeaderElectionCommand", &elect)?;
    match leader(app.cluster, topic, partition) {
        Some((now, _)) if now == to => Ok(()),
        other => Err(format!(
            "{topic}/{partition} is led by {other:?}, not by {to}"
        )),
    }
}

fn tool(class: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new("java")
        .args([
            "-Xmx64m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
        ])
        .args([tools::kafka_class_path(), class])
        .args(args)
        .output()
        .map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Err(format!("{class}: {}: {}", output.status, said.trim()))
}
