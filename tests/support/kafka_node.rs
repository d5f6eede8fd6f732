//! Real Apache Kafka 4 in KRaft mode, on free loopback ports.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::process::Process;
use super::{tools, wait};

/// Any 16 bytes in Kafka's base64: each cluster has folders and ports of its own.
const CLUSTER_ID: &str = "aG90cHJlZml4LXRlc3RzMQ";
/// A node answers after 4 s on an idle machine; tests share theirs with a compiler.
const START: Duration = Duration::from_mins(2);
/// Another process may take a port between our look and the node's bind.
const ATTEMPTS: u32 = 3;

/// A cluster: node 1 is controller and broker, further nodes are brokers.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    controller_port: u16,
    dir: PathBuf,
}

struct Node {
    id: u32,
    port: u16,
    dir: PathBuf,
    more: More,
    process: Mutex<Option<Process>>,
}

/// What node 1 has besides.
#[derive(Clone, Debug, Default)]
pub(crate) struct More {
    /// Name, port and security protocol of further listeners.
    pub(crate) listeners: Vec<(&'static str, u16, &'static str)>,
    /// Lines of `server.properties`.
    pub(crate) settings: String,
    /// Options of the virtual machine.
    pub(crate) java: Vec<String>,
    /// Arguments of `format`.
    pub(crate) format: Vec<String>,
}

impl Cluster {
    /// The one-node cluster that all tests of this process share. Topic names must be the test's own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| kept(Cluster::start))
    }

    /// A new cluster of one node.
    pub(crate) fn start() -> Self {
        Self::start_with(More::default)
    }

    /// The same with what `more` gives for each attempt.
    pub(crate) fn start_with(more: impl Fn() -> More) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let class_path = tools::kafka_class_path();
        let mut failures = String::new();
        for _ in 0..ATTEMPTS {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let dir = tools::scratch(&format!("kafka-{number}"));
            let cluster = Self {
                nodes: vec![Node {
                    more: more(),
                    ..Node::new(1, &dir)
                }],
                controller_port: free_port(),
                dir,
            };
            let controller = cluster.controller_port;
            cluster.nodes[0].format(class_path, controller);
            match cluster.run(1) {
                Ok(()) => return cluster,
                Err(log) => failures.push_str(&log),
            }
        }
        panic!("Kafka did not start in {ATTEMPTS} attempts:\n{failures}");
    }

    /// Adds broker `nodes + 1`, so that a partition can be placed on a broker that will be stopped.
    pub(crate) fn add_broker(&mut self) -> u32 {
        let id = self.nodes.len() as u32 + 1;
        let node = Node::new(id, &self.dir);
        node.format(tools::kafka_class_path(), self.controller_port);
        self.nodes.push(node);
        self.run(id)
            .unwrap_or_else(|log| panic!("broker {id} did not start:\n{log}"));
        id
    }

    /// Kills broker `id`: the partitions that live on it alone have no leader until [`Self::restart`].
    pub(crate) fn kill(&self, id: u32) {
        let mut process = self.node(id).process().take().expect("the broker runs");
        process.kill().expect("a running broker can be killed");
    }

    /// Starts a killed broker again, with its data and on its port.
    pub(crate) fn restart(&self, id: u32) {
        self.run(id)
            .unwrap_or_else(|log| panic!("broker {id} did not start again:\n{log}"));
    }

    /// For `bootstrap.servers`: node 1, which tests never stop.
    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.nodes[0].port)
    }

    /// Where node 1's further listeners are.
    pub(crate) fn further_ports(&self) -> Vec<(&'static str, u16)> {
        let listeners = self.nodes[0].more.listeners.iter();
        listeners.map(|(name, port, _)| (*name, *port)).collect()
    }

    /// A client configuration that points here.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap());
        config
    }

    fn node(&self, id: u32) -> &Node {
        &self.nodes[id as usize - 1]
    }

    /// Starts node `id` and waits until the cluster's metadata lists it. On an early exit: its log.
    fn run(&self, id: u32) -> Result<(), String> {
        let node = self.node(id);
        node.launch(tools::kafka_class_path());
        let probe: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap())
            .set("log_level", "0")
            .create()
            .expect("a consumer can be created without a broker");
        let every = Duration::from_millis(100);
        wait::until("Kafka answers", START, every, || {
            let mut process = node.process();
            let process = process.as_mut().expect("it was launched");
            if process.ended().is_some() {
                return Some(Err(process.output()));
            }
            let metadata = probe.fetch_metadata(None, Duration::from_secs(1)).ok()?;
            let listed = metadata.brokers().iter().any(|b| b.id() == id as i32);
            listed.then_some(Ok(()))
        })
    }
}

impl Node {
    fn new(id: u32, dir: &Path) -> Self {
        let dir = dir.join(format!("node-{id}"));
        fs::create_dir_all(&dir).expect("a node's folder can be created");
        Self {
            id,
            port: free_port(),
            dir,
            more: More::default(),
            process: Mutex::new(None),
        }
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process
            .lock()
            .expect("nobody panics while he holds it")
    }

    fn properties(&self) -> PathBuf {
        self.dir.join("server.properties")
    }

    fn format(&self, class_path: &str, controller_port: u16) {
        fs::write(self.properties(), self.settings(controller_port))
            .expect("server.properties can be written");
        let properties = self.properties();
        let format = Command::new("java")
            .args(["-cp", class_path, "kafka.tools.StorageTool", "format"])
            .args(["-t", CLUSTER_ID, "-c"])
            .arg(&properties)
            .args(&self.more.format)
            .output()
            .expect("java answered before");
        assert!(
            format.status.success(),
            "{} is not accepted:\n{}{}",
            properties.display(),
            String::from_utf8_lossy(&format.stdout),
            String::from_utf8_lossy(&format.stderr),
        );
    }

    fn launch(&self, class_path: &str) {
        let properties = self.properties();
        let properties = properties
            .to_str()
            .expect("the target folder's path is UTF-8");
        let fixed = [
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
            "-cp",
            class_path,
            "kafka.Kafka",
            properties,
        ];
        let args = self.more.java.iter().map(String::as_str).chain(fixed);
        let process = Process::start("java", args, &self.dir.join("server.log"));
        *self.process() = Some(process);
    }

    /// Default limits, but for what makes a fault test wait: session time-outs, and the sweep for
    /// transactions that timed out.
    fn settings(&self, controller_port: u16) -> String {
        let Self { id, port, dir, .. } = self;
        let data = dir.join("data").display().to_string();
        let (roles, listeners) = if *id == 1 {
            let both =
                format!("BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}");
            ("broker,controller", both)
        } else {
            ("broker", format!("BROKER://127.0.0.1:{port}"))
        };
        let More {
            listeners: further,
            settings: more,
            ..
        } = &self.more;
        let each = |write: &dyn Fn(&(&str, u16, &str)) -> String| -> String {
            further.iter().map(write).collect::<Vec<_>>().concat()
        };
        let listeners = listeners + &each(&|(name, port, _)| format!(",{name}://127.0.0.1:{port}"));
        // A name and not an address, so that certificates can have the one and not the other.
        let advertised = each(&|(name, port, _)| format!(",{name}://localhost:{port}"));
        let protocols = each(&|(name, _, protocol)| format!(",{name}:{protocol}"));
        format!(
            "process.roles={roles}
node.id={id}
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners={listeners}
advertised.listeners=BROKER://127.0.0.1:{port}{advertised}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=3000
group.consumer.min.session.timeout.ms=3000
group.consumer.heartbeat.interval.ms=1000
group.consumer.min.heartbeat.interval.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
{more}"
        )
    }
}

/// Makes what tests share on a thread that never ends, because the kernel kills a child when the thread that started
/// it ends.
pub(crate) fn kept<T: Send + 'static>(make: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, made) = mpsc::channel();
    thread::Builder::new()
        .name("keeper".to_owned())
        .spawn(move || {
            // When it panics the sender is dropped, and the tests see that.
            let _ = sender.send(make());
            loop {
                thread::park();
            }
        })
        .expect("a thread can be started");
    made.recv()
        .expect("what tests share can be made; the panic above says why it was not")
}

/// A loopback port that nobody listens on, and that the system gives to no connection of its own: those begin at
/// 32768, and one of them would hold it by the time that it is listened on.
pub(crate) fn free_port() -> u16 {
    const PORTS: std::ops::Range<u32> = 10_000..32_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = PORTS.end - PORTS.start;
    // Processes that run beside each other have numbers close together.
    let first = std::process::id().wrapping_mul(331);
    for _ in PORTS {
        let n = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count;
        let port = (PORTS.start + n) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no loopback port of {PORTS:?} is free");
}
