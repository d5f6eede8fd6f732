//! The `hotprefix` binary under test: one application, any number of instances.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::kafka_node::{Cluster, free_port};
use super::model::Rule;
use super::process::{Process, Signal};
use super::{rules, tools, wait};

/// A join takes a second or two; tests share two cores with a broker, other instances and a compiler.
const READY: Duration = Duration::from_secs(90);

/// The program as it was when this process began: another suite may put one with other features in its place.
pub(crate) fn binary() -> &'static str {
    static BINARY: OnceLock<String> = OnceLock::new();
    BINARY.get_or_init(|| {
        let ours = tools::scratch("program").join("hotprefix");
        fs::hard_link(env!("CARGO_BIN_EXE_hotprefix"), &ours)
            .expect("the program can be linked to in the target folder");
        let ours = ours.to_str().expect("the target folder's path is UTF-8");
        ours.to_owned()
    })
}

/// One application: its configuration and where its files are.
pub(crate) struct App<'c> {
    pub(crate) cluster: &'c Cluster,
    pub(crate) id: String,
    dir: PathBuf,
    config: Value,
    env: Vec<(String, String)>,
    /// Rules that the model does not know, each with one of the model's that selects the same flows.
    also: Vec<(String, &'static str)>,
}

impl<'c> App<'c> {
    /// An application with the given id that reads `topic` from its beginning. Time-outs are those of
    /// a fault test; silence closes nothing unless a test sets `time.idle_timeout`.
    pub(crate) fn new(cluster: &'c Cluster, id: &str, topic: &str, rules: &[Rule]) -> Self {
        let config = json!({
            "application_id": id,
            "input": {"topics": [topic], "start": "earliest"},
            "time": {"idle_timeout": "10m", "max_behind": "never"},
            "flush_interval": "200ms",
            "kafka": {
                "bootstrap.servers": cluster.bootstrap(),
                "session.timeout.ms": 3000,
                "heartbeat.interval.ms": 500,
            },
            "rules": rules.iter().map(rules::as_config).collect::<Vec<_>>(),
        });
        Self {
            cluster,
            id: id.to_owned(),
            dir: tools::scratch(id),
            config,
            env: Vec::new(),
            also: Vec::new(),
        }
    }

    /// Adds a rule that the model does not know, and which selects the flows of rule `like`.
    pub(crate) fn also(mut self, rule: Value, like: &'static str) -> Self {
        let name = rule["name"].as_str().expect("a rule has a name");
        self.also.push((name.to_owned(), like));
        let rules = self.config["rules"].as_array_mut();
        rules.expect("rules are a list").push(rule);
        self
    }

    /// The names of rules that the model does not know, each with one that has the same windows.
    pub(crate) fn unknown_rules(&self) -> &[(String, &'static str)] {
        &self.also
    }

    /// Sets the value at a dotted path such as `time.idle_timeout`; `kafka.` keeps its dots.
    pub(crate) fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        let (table, key) = match path.split_once('.') {
            Some((table, key)) => (&mut self.config[table], key),
            None => (&mut self.config, path),
        };
        if table.is_null() {
            *table = Value::Object(Map::new());
        }
        table[key] = value.into();
        self
    }

    /// Sets a key of rule `index`.
    pub(crate) fn set_rule(mut self, index: usize, key: &str, value: impl Into<Value>) -> Self {
        self.config["rules"][index][key] = value.into();
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Uses the consumer group protocol of KIP-848, where the broker sets the time-outs.
    pub(crate) fn with_consumer_protocol(mut self) -> Self {
        let kafka = self.config["kafka"].as_object_mut().expect("it is a table");
        kafka.remove("session.timeout.ms");
        kafka.remove("heartbeat.interval.ms");
        kafka.insert("group.protocol".to_owned(), "consumer".into());
        self
    }

    /// What instance `number` is called.
    pub(crate) fn instance_id(&self, number: usize) -> String {
        format!("{}-{number}", self.id)
    }

    /// Where its files are.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn topic(&self, which: &str) -> String {
        format!("{}-{which}", self.id)
    }

    /// Starts instance `number`; a second start of a number is the same instance again.
    pub(crate) fn start(&self, number: usize) -> Instance {
        self.start_as(number, &["run"])
    }

    /// The same of one stage.
    pub(crate) fn start_stage(&self, number: usize, stage: &str) -> Instance {
        self.start_as(number, &["run", "--stage", stage])
    }

    /// Starts a command in the place of instance `number`, with its configuration.
    pub(crate) fn start_as(&self, number: usize, command: &[&str]) -> Instance {
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let file = self.configure(number, listen, None);
        self.start_on(number, command, &file, listen, &[])
    }

    /// Starts instance `number` with other `bootstrap.servers`, and further variables of the environment.
    pub(crate) fn start_by(
        &self,
        number: usize,
        bootstrap: &str,
        env: &[(String, String)],
    ) -> Instance {
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let file = self.configure(number, listen, Some(bootstrap));
        self.start_on(number, &["run"], &file, listen, env)
    }

    fn start_on(
        &self,
        number: usize,
        command: &[&str],
        file: &Path,
        listen: SocketAddr,
        env: &[(String, String)],
    ) -> Instance {
        let env = [self.env.as_slice(), env].concat();
        let mut attempt = 0;
        let log = loop {
            let log = self.dir.join(format!("{number}.{attempt}.log"));
            if !log.exists() {
                break log;
            }
            attempt += 1;
        };
        let file = file.to_str().expect("the target folder's path is UTF-8");
        let args = command.iter().copied().chain(["--config", file]);
        Instance {
            process: Process::start_with(binary(), args, &env, &log),
            listen,
        }
    }

    /// Writes the configuration of instance `number`, with other `bootstrap.servers` if given.
    fn configure(&self, number: usize, listen: SocketAddr, bootstrap: Option<&str>) -> PathBuf {
        let mut config = self.config.clone();
        config["instance_id"] = self.instance_id(number).into();
        if let Some(bootstrap) = bootstrap {
            config["kafka"]["bootstrap.servers"] = bootstrap.into();
        }
        config["http"] = json!({"listen": listen.to_string()});
        // JSON is YAML.
        let file = self.dir.join(format!("{number}.yaml"));
        let text = serde_json::to_vec_pretty(&config).expect("a JSON value can be written");
        fs::write(&file, text).expect("a configuration can be written to the scratch folder");
        file
    }

    /// Runs a command with the configuration of instance 0 to its end: whether it succeeded, and what it wrote.
    pub(crate) fn command(&self, command: &[&str], within: Duration) -> (Option<i32>, String) {
        let mut instance = self.start_as(0, command);
        let status = instance.process.wait(within);
        (status.code(), instance.process.output())
    }

    /// Starts instances `0..count` and waits until each is ready.
    pub(crate) fn start_all(&self, count: usize) -> Vec<Instance> {
        let mut instances: Vec<_> = (0..count).map(|number| self.start(number)).collect();
        instances.iter_mut().for_each(Instance::ready);
        instances
    }
}

/// A running instance. Dropped: killed.
pub(crate) struct Instance {
    pub(crate) process: Process,
    pub(crate) listen: SocketAddr,
}

impl Instance {
    /// Waits until `/readyz` says 200, or nothing but that the format is wrong: loads hold junk on purpose. Panics with the
    /// log if the process ends before, or is not ready in time.
    pub(crate) fn ready(&mut self) {
        let is_ready = |(status, body): &(u16, String)| {
            let mut reasons = body.lines();
            *status == 200 || reasons.all(|reason| reason.contains(": wrong input format: "))
        };
        let log = self.process.log().display().to_string();
        let deadline = Instant::now() + READY;
        let mut said = None;
        while !said.as_ref().is_some_and(is_ready) {
            if let Some(status) = self.process.ended() {
                panic!("{log}: ended with {status}:\n{}", self.process.output());
            }
            assert!(
                Instant::now() < deadline,
                "{log}: not ready within {READY:?}, /readyz: {said:?}\n{}",
                self.process.output()
            );
            wait::pass(Duration::from_millis(50));
            said = self.get("/readyz");
        }
    }

    /// Status and body of a GET; `None` while nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        http_get(self.listen, path)
    }

    /// SIGTERM; it must end with exit code 0 within 5 s (and the machine's slowness).
    pub(crate) fn stop(mut self) {
        self.process.signal(Signal::TERM);
        let asked = Instant::now();
        let status = self.process.wait(Duration::from_secs(15));
        println!(
            "{}: ended {:?} after SIGTERM",
            self.process.log().display(),
            asked.elapsed()
        );
        assert!(
            status.success(),
            "{}: ended with {status} on SIGTERM:\n{}",
            self.process.log().display(),
            self.process.output()
        );
    }

    /// SIGTERM and its end, however it goes: for tests whose subject is not how it ends.
    pub(crate) fn end(mut self) {
        self.process.signal(Signal::TERM);
        self.process.wait(Duration::from_secs(15));
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.process
            .kill()
            .expect("a running instance can be killed");
    }
}

/// Status and body of a GET; `None` while nobody answers. HTTP 1.0, so that no body is in chunks.
pub(crate) fn http_get(from: SocketAddr, path: &str) -> Option<(u16, String)> {
    let patience = Duration::from_secs(10);
    let mut stream = TcpStream::connect_timeout(&from, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nhost: {from}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
