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

/// What a cluster is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Nodes that are controllers and brokers. Everything has a replica on each, up to three, and is
    /// written when all but one of them have it.
    pub(crate) nodes: u32,
    /// Further listeners of each node, which tell their clients to come to another port: see [`Route`].
    pub(crate) routes: usize,
}

impl Shape {
    /// One node that clients talk to directly.
    pub(crate) const SINGLE: Self = Self {
        nodes: 1,
        routes: 0,
    };
}

/// A listener that sends its clients to a port where somebody else listens and passes on what they say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    /// Which node.
    pub(crate) node: u32,
    /// Which of its routes, from 0.
    pub(crate) number: usize,
    /// Where clients are sent.
    pub(crate) advertised: u16,
    /// Where the node listens.
    pub(crate) target: u16,
}

/// A cluster: the nodes that it started with are controllers and brokers, further nodes are brokers.
pub(crate) struct Cluster {
    shape: Shape,
    nodes: Vec<Node>,
    dir: PathBuf,
}

struct Node {
    id: u32,
    port: u16,
    controller: Option<u16>,
    routes: Vec<Route>,
    dir: PathBuf,
    more: More,
    process: Mutex<Option<Process>>,
}

/// For a broker that nobody kills: on a busy machine it is not taken to be gone.
pub(crate) const PATIENT: &str = "broker.session.timeout.ms=60000\n";

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
        let patient = || More {
            settings: PATIENT.to_owned(),
            ..More::default()
        };
        SHARED.get_or_init(|| kept(move || Cluster::start_with(patient)))
    }

    /// A new cluster of one node.
    pub(crate) fn start() -> Self {
        Self::of(Shape::SINGLE)
    }

    /// A new cluster.
    pub(crate) fn of(shape: Shape) -> Self {
        Self::build(shape, More::default)
    }

    /// A new cluster of one node with what `more` gives for each attempt.
    pub(crate) fn start_with(more: impl Fn() -> More) -> Self {
        Self::build(Shape::SINGLE, more)
    }

    fn build(shape: Shape, more: impl Fn() -> More) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let class_path = tools::kafka_class_path();
        let mut failures = String::new();
        for _ in 0..ATTEMPTS {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let dir = tools::scratch(&format!("kafka-{number}"));
            let node = |id| Node {
                more: more(),
                ..Node::new(id, Some(free_port()), shape.routes, &dir)
            };
            let cluster = Self {
                shape,
                nodes: (1..=shape.nodes).map(node).collect(),
                dir: dir.clone(),
            };
            thread::scope(|scope| {
                for node in &cluster.nodes {
                    scope.spawn(|| node.format(class_path, &cluster));
                }
            });
            cluster
                .nodes
                .iter()
                .for_each(|node| node.launch(class_path));
            match (1..=shape.nodes).try_for_each(|id| cluster.until_listed(id)) {
                Ok(()) => return cluster,
                Err(log) => failures.push_str(&log),
            }
        }
        panic!("Kafka did not start in {ATTEMPTS} attempts:\n{failures}");
    }

    /// Adds broker `nodes + 1`, so that a partition can be placed on a broker that will be stopped.
    pub(crate) fn add_broker(&mut self) -> u32 {
        let id = self.nodes.len() as u32 + 1;
        let node = Node::new(id, None, 0, &self.dir);
        node.format(tools::kafka_class_path(), self);
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

    /// Starts a killed broker again, and does not wait for it. See [`Self::is_listed`].
    pub(crate) fn launch(&self, id: u32) {
        self.node(id).launch(tools::kafka_class_path());
    }

    /// How many nodes there are.
    pub(crate) fn size(&self) -> u32 {
        self.nodes.len() as u32
    }

    /// Every route to every node.
    pub(crate) fn routes(&self) -> impl Iterator<Item = Route> {
        self.nodes
            .iter()
            .flat_map(|node| node.routes.iter().copied())
    }

    /// For `bootstrap.servers`: the controllers; one alone is never stopped by a test that needs it.
    pub(crate) fn bootstrap(&self) -> String {
        let controllers = self.nodes.iter().filter(|n| n.controller.is_some());
        let servers = controllers.map(|n| format!("127.0.0.1:{}", n.port));
        servers.collect::<Vec<_>>().join(",")
    }

    /// For `bootstrap.servers` of a client that takes a route.
    pub(crate) fn bootstrap_by(&self, route: usize) -> String {
        let routes = self.routes().filter(|r| r.number == route);
        let servers = routes.map(|r| format!("127.0.0.1:{}", r.advertised));
        servers.collect::<Vec<_>>().join(",")
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

    /// Whether the cluster's metadata lists a node now.
    pub(crate) fn is_listed(&self, id: u32) -> bool {
        let probe: BaseConsumer = self
            .client()
            .set("log_level", "0")
            .create()
            .expect("a consumer can be created without a broker");
        let metadata = probe.fetch_metadata(None, Duration::from_secs(1));
        metadata.is_ok_and(|m| m.brokers().iter().any(|b| b.id() == id as i32))
    }

    /// Starts node `id` and waits until the cluster's metadata lists it. On an early exit: its log.
    fn run(&self, id: u32) -> Result<(), String> {
        self.launch(id);
        self.until_listed(id)
    }

    fn until_listed(&self, id: u32) -> Result<(), String> {
        let node = self.node(id);
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
    fn new(id: u32, controller: Option<u16>, routes: usize, dir: &Path) -> Self {
        let dir = dir.join(format!("node-{id}"));
        fs::create_dir_all(&dir).expect("a node's folder can be created");
        let route = |number| Route {
            node: id,
            number,
            advertised: free_port(),
            target: free_port(),
        };
        Self {
            id,
            port: free_port(),
            controller,
            routes: (0..routes).map(route).collect(),
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

    fn format(&self, class_path: &str, cluster: &Cluster) {
        fs::write(self.properties(), self.settings(cluster))
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
    /// transactions that timed out. A killed broker that sweeps before it has a session again takes partitions
    /// without a leader for deleted ones, and leaves their transactions open for ever (Kafka 4.3.1).
    fn settings(&self, cluster: &Cluster) -> String {
        let Self { id, dir, .. } = self;
        let data = dir.join("data").display().to_string();
        let roles = match self.controller {
            Some(_) => "broker,controller",
            None => "broker",
        };
        let voters: Vec<_> = cluster
            .nodes
            .iter()
            .filter_map(|n| Some(format!("{}@127.0.0.1:{}", n.id, n.controller?)))
            .collect();
        let voters = voters.join(",");
        let (listeners, advertised, protocols) = self.listeners();
        let replicas = cluster.shape.nodes.min(3);
        let in_sync = replicas.saturating_sub(1).max(1);
        format!(
            "process.roles={roles}
node.id={id}
controller.quorum.voters={voters}
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map={protocols}
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={data}
default.replication.factor={replicas}
min.insync.replicas={in_sync}
auto.create.topics.enable=false
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=3000
group.consumer.min.session.timeout.ms=3000
group.consumer.heartbeat.interval.ms=1000
group.consumer.min.heartbeat.interval.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=5000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
{}",
            self.more.settings
        )
    }

    /// All listeners, where each sends its clients, and their protocols.
    fn listeners(&self) -> (String, String, String) {
        let mut listeners = vec![format!("BROKER://127.0.0.1:{}", self.port)];
        let mut advertised = listeners.clone();
        let mut protocols = vec![
            "BROKER:PLAINTEXT".to_owned(),
            "CONTROLLER:PLAINTEXT".to_owned(),
        ];
        for (name, port, protocol) in &self.more.listeners {
            listeners.push(format!("{name}://127.0.0.1:{port}"));
            // A name and not an address, so that certificates can have the one and not the other.
            advertised.push(format!("{name}://localhost:{port}"));
            protocols.push(format!("{name}:{protocol}"));
        }
        for route in &self.routes {
            let name = format!("ROUTE{}", route.number);
            listeners.push(format!("{name}://127.0.0.1:{}", route.target));
            advertised.push(format!("{name}://127.0.0.1:{}", route.advertised));
            protocols.push(format!("{name}:PLAINTEXT"));
        }
        listeners.extend(
            self.controller
                .map(|port| format!("CONTROLLER://127.0.0.1:{port}")),
        );
        (
            listeners.join(","),
            advertised.join(","),
            protocols.join(","),
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
