//! The demo itself: cluster, traffic, service and a consumer of its alerts, in one process.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use super::feed;
use super::scenario::Scenario;
use super::settings::{APPLICATION, INTERNAL_PARTITIONS, PARTITIONS, TOPIC, configuration};
use super::summary::Summary;
use crate::alert::{Alert, DecodeError};
use crate::config::{self, Config, ConfigErrors};
use crate::kafka::{
    ClientSettings, EmbeddedCluster, Fatal, Identity, ReadEvent, ReadFrom, TopicReader,
};
use crate::service::{Service, ServiceError};
use crate::stage::Stop;
use crate::telemetry::{LogError, Otel, clock, init_log};

/// How often numbers are told.
const NUMBERS: Duration = Duration::from_secs(1);
/// How long the reader waits for an alert before it looks at the time.
const PATIENCE: Duration = Duration::from_millis(100);

/// What is played, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The traffic is a function of it.
    pub seed: u64,
    /// Flows per second.
    pub rate: u32,
    /// `None`: until a signal.
    pub length: Option<Duration>,
}

/// What happens, as it happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// The cluster and the service are up.
    Started {
        /// `bootstrap.servers`.
        broker: &'a str,
        /// The service's configuration; it is deleted at the end.
        configuration: &'a Path,
        /// Where health and metrics are.
        http: Option<std::net::SocketAddr>,
    },
    /// A committed alert.
    Alert(&'a Alert),
    /// Once a second.
    Numbers(String),
}

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Kafka, or what stands for it.
    #[error(transparent)]
    Kafka(#[from] Fatal),
    /// The service.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A variable that sets the log.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An alert that no consumer could read.
    #[error("an alert cannot be read: {0}")]
    Alert(#[from] DecodeError),
    /// The folder for the configuration, or a thread.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Plays the demo. `tell` hears what happens; it ends the demo with `false`.
pub fn run(
    options: Options,
    env: impl IntoIterator<Item = (String, String)>,
    mut tell: impl FnMut(Event<'_>) -> bool,
) -> Result<(), DemoError> {
    let internal = [
        "partials",
        "state",
        "alerts",
        "active",
        "windows",
        "dead-letters",
    ]
    .map(|name| format!("{APPLICATION}-{name}"));
    let topics = internal.iter().map(|t| (t.as_str(), INTERNAL_PARTITIONS));
    let cluster = EmbeddedCluster::start(topics.chain([(TOPIC, PARTITIONS)]))?;
    let file = File::create(&configuration(&cluster.address()))?;
    // Anything else in the environment is meant for a service on a true cluster.
    let log_only = format!("{}TELEMETRY__", config::PREFIX);
    let env = env
        .into_iter()
        .filter(|(name, _)| name.starts_with(&log_only));
    let config = config::load(std::slice::from_ref(&file.path), env, [])?.config;
    let identity = Identity::of_process(config.instance_id.as_deref(), &config.application_id)?;
    let otel = Otel::off(&identity.name);
    init_log(&config.telemetry, &otel)?;

    let stop = Stop::default();
    let service = Service::start(config.clone(), identity, &stop, &otel)?;
    let started = Event::Started {
        broker: &cluster.address(),
        configuration: &file.path,
        http: service.address(),
    };
    if !tell(started) {
        return Ok(());
    }
    let scenario = Scenario::new(options.seed, options.rate, clock::now());
    let status = std::sync::Arc::clone(service.status());
    let (playing, played_out) = bounded::<()>(0);
    let address = cluster.address();
    let feed = spawn("feed", move || feed::play(scenario, &address, &played_out))?;
    let facts = EmbeddedCluster::facts(
        PARTITIONS.unsigned_abs(),
        INTERNAL_PARTITIONS.unsigned_abs(),
    );
    let service = spawn("service", move || service.run_on(facts))?;

    let watch = || Summary::of(&status.snapshot());
    let done = || service.is_finished() || feed.is_finished() || stop.is_requested();
    let result = follow(&config, options.length, watch, done, tell);
    stop.request();
    drop(playing);
    join("feed", feed)??;
    join("service", service)??;
    result
}

/// Tells alerts and numbers until the time is up, `done` says so, or nobody listens.
fn follow(
    config: &Config,
    length: Option<Duration>,
    watch: impl Fn() -> Summary,
    done: impl Fn() -> bool,
    mut tell: impl FnMut(Event<'_>) -> bool,
) -> Result<(), DemoError> {
    let settings = ClientSettings::new(config);
    let mut reader = TopicReader::open(&settings, &config.output.topic, ReadFrom::Beginning)?;
    let begun = Instant::now();
    let (mut told, mut before) = (begun, watch());
    while !done() && length.is_none_or(|l| begun.elapsed() < l) {
        if let ReadEvent::Record(record) = reader.next(PATIENCE)? {
            let alert = Alert::from_wire(record.payload.as_deref().unwrap_or_default())?;
            if !tell(Event::Alert(&alert)) {
                break;
            }
        }
        let passed = told.elapsed();
        if passed >= NUMBERS {
            let now = watch();
            let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
            if !tell(Event::Numbers(now.line(&before, millis))) {
                break;
            }
            (told, before) = (Instant::now(), now);
        }
    }
    Ok(())
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<thread::JoinHandle<T>, DemoError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|source| DemoError::System {
            what: format!("thread {name}"),
            source,
        })
}

fn join<T>(name: &str, thread: thread::JoinHandle<T>) -> Result<T, DemoError> {
    let panicked = |_| DemoError::Kafka(Fatal(format!("thread {name} panicked: a bug")));
    thread.join().map_err(panicked)
}

/// The configuration in a folder of its own; both are deleted with this value.
struct File {
    path: PathBuf,
}

impl File {
    fn create(text: &str) -> Result<Self, DemoError> {
        let dir = std::env::temp_dir().join(format!("{APPLICATION}-{}", std::process::id()));
        let path = dir.join("hotprefix.yaml");
        // Fails if somebody made it before, so that nobody else can have put anything there.
        std::fs::create_dir(&dir)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|source| DemoError::System {
                what: dir.display().to_string(),
                source,
            })?;
        Ok(Self { path })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What cannot be deleted is a few hundred bytes in the folder for temporary files.
        let _ = std::fs::remove_file(&self.path);
        if let Some(dir) = self.path.parent() {
            let _ = std::fs::remove_dir(dir);
        }
    }
}
