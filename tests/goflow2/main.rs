//! Real collectors' flows in, the capture's bytes per prefix out. Started by `tests/goflow2/run.sh`,
//! which fetches the programs and writes the capture.

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use support::app::{App, http_get};
use support::kafka_client::{Incoming, Reader, Topic, ends};
use support::kafka_node::{Cluster, free_port};
use support::model::{BYTES, Key, Late, Lengths, Mode, Rule, Volume};
use support::outcome::{Message, assert_same};
use support::process::Process;
use support::{first_contact, tools, wait};

const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn alerts_equal_the_capture_by_netflow_v9() {
    alerts_equal_the_capture("9");
}

#[test]
fn alerts_equal_the_capture_by_ipfix() {
    alerts_equal_the_capture("10");
}

fn alerts_equal_the_capture(version: &str) {
    let cluster = Cluster::shared();
    let expected = expected();
    let flows: u64 = hosts(&expected).map(|volume| volume.0[2]).sum();
    let topic = format!("goflow2-{version}");
    Topic::new(&topic, 3).create(cluster);
    export(cluster, &topic, version, flows);

    // Flows fall into the windows in which goflow2 received them: the sum over windows is the capture.
    let app = App::new(
        cluster,
        &format!("real-{version}"),
        &topic,
        &[every_prefix()],
    )
    .set("time.idle_timeout", "2s");
    let instances = app.start_all(1);
    let windows = app.topic("windows");
    Reader::new(cluster, &windows).until("all flows are in closed windows", PATIENCE, |records| {
        let closed = records
            .iter()
            .map(Incoming::message)
            .filter(Message::is_final);
        closed.map(|m| m.number(&["total", "flows"])).sum::<u64>() == flows
    });
    instances.into_iter().for_each(support::app::Instance::stop);
    let alerts = support::kafka_client::read_all(cluster, &app.topic("alerts"));
    assert_same("prefixes", &summed(&alerts), &expected);
    inspect_knows_it(cluster, &topic, flows);
}

/// `inspect` says what goflow2 wrote, and its configuration runs.
fn inspect_knows_it(cluster: &Cluster, topic: &str, flows: u64) {
    let id = format!("{topic}-inspected");
    let says = first_contact::inspect(cluster, topic, &id);
    for line in [
        format!("# {topic}: {flows} records from 3 partitions"),
        "#   100.0 %  protobuf, delimited: goflow2 v2\n".to_owned(),
        "# exporters: 1\n#   127.0.0.1        100.0 %  1 in 1\n".to_owned(),
        "#   ingress 0.0 %, egress 0.0 %, not said 100.0 %\n".to_owned(),
    ] {
        assert!(says.contains(&line), "{line}\n{says}");
    }
    first_contact::run(&id, &says).stop();
}

fn every_prefix() -> Rule {
    Rule {
        name: "every-prefix",
        filter: "proto == 17 && dst_port == 53",
        selects: |_| true,
        key: Key::Dst,
        interval_ms: 10_000,
        grace_ms: 1_000,
        late: Late::OldestOpen,
        mode: Mode::All,
        ipv4: Lengths::List(vec![32, 24]),
        ipv6: Lengths::List(vec![128, 64]),
        thresholds: vec![(BYTES, vec![(0, 0)])],
        max_alerts: 10_000,
    }
}

/// softflowd reads the capture and exports it to goflow2, which writes it to `topic`.
fn export(cluster: &Cluster, topic: &str, version: &str, flows: u64) {
    let dir = tools::scratch(topic);
    let (exports, http) = (free_port(), free_port());
    // With several workers a data packet may overtake the packet with its template, and is then dropped.
    let listen = format!("netflow://127.0.0.1:{exports}?workers=1");
    let health = format!("127.0.0.1:{http}");
    let brokers = cluster.bootstrap();
    let args = [
        ["-listen", &listen],
        ["-addr", &health],
        ["-format", "bin"],
        ["-transport", "kafka"],
        ["-transport.kafka.brokers", &brokers],
        ["-transport.kafka.topic", topic],
        ["-transport.kafka.flushfreq", "200ms"],
    ];
    let goflow2 = variable("HOTPREFIX_TEST_GOFLOW2");
    let collector = Process::start(
        &goflow2,
        args.into_iter().flatten(),
        &dir.join("goflow2.log"),
    );
    let every = Duration::from_millis(50);
    wait::until("goflow2 listens", PATIENCE, every, || {
        let address = health.parse().expect("it is an address");
        http_get(address, "/__health").filter(|(status, _)| *status == 200)
    });
    let capture = captures().join("capture.pcap");
    let to = format!("127.0.0.1:{exports}");
    let pid_file = dir.join("softflowd.pid");
    let args = [
        ["-r", path(&capture)],
        ["-n", &to],
        ["-v", version],
        ["-p", path(&pid_file)],
        // With a control socket it would wait for commands at the end of the capture.
        ["-c", "none"],
    ];
    let softflowd = variable("HOTPREFIX_TEST_SOFTFLOWD");
    let args = ["-d"].into_iter().chain(args.into_iter().flatten());
    let mut exporter = Process::start(&softflowd, args, &dir.join("softflowd.log"));
    let status = exporter.wait(PATIENCE);
    assert!(
        status.success(),
        "softflowd ended with {status}: {}",
        exporter.output()
    );
    wait::until("goflow2 has written every flow", PATIENCE, every, || {
        let written: i64 = ends(cluster, topic, "read_committed").iter().sum();
        assert!(
            written <= flows as i64,
            "{written} records for {flows} flows"
        );
        (written == flows as i64).then_some(())
    });
    drop(collector);
}

/// By prefix, bytes, packets and flows over all windows.
fn summed(alerts: &[Incoming]) -> BTreeMap<String, Volume> {
    let mut sums = BTreeMap::new();
    for message in alerts.iter().map(Incoming::message) {
        assert!(message.is_final(), "{}", message.body);
        let prefix = message.body["prefix"].as_str().expect("a prefix is text");
        sums.entry(prefix.to_owned())
            .or_insert_with(Volume::default)
            .add(message.volume("volume"));
    }
    sums
}

fn expected() -> BTreeMap<String, Volume> {
    let text = std::fs::read(captures().join("expected.json")).expect("run.sh has written it");
    let prefixes: BTreeMap<String, Value> =
        serde_json::from_slice(&text).expect("pcap.py writes an object");
    let volume = |value: &Value| {
        Volume(["bytes", "packets", "flows"].map(|d| value[d].as_u64().expect("it is a number")))
    };
    prefixes
        .iter()
        .map(|(prefix, value)| (prefix.clone(), volume(value)))
        .collect()
}

/// Each flow is in one host's sum.
fn hosts(expected: &BTreeMap<String, Volume>) -> impl Iterator<Item = &Volume> {
    let is_host = |prefix: &String| prefix.ends_with("/32") || prefix.ends_with("/128");
    expected
        .iter()
        .filter(move |(prefix, _)| is_host(prefix))
        .map(|(_, volume)| volume)
}

fn captures() -> PathBuf {
    variable("HOTPREFIX_TEST_CAPTURES").into()
}

fn variable(name: &str) -> String {
    env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: start this by tests/goflow2/run.sh"))
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().expect("the target folder's path is UTF-8")
}
