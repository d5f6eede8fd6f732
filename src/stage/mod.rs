//! The two loops that join Kafka to the tasks.
//!
//! In: a checked configuration and a [`Stop`]. Out: committed transactions, and a [`Status`] for
//! whoever watches. Guarantees: a stage's tasks, tables and queues belong to its own threads; time is
//! read here and given to the tasks; a thread that is stuck for [`STUCK`] ends the process, because the
//! group would never notice. On failure [`run`] returns [`Fatal`], and the supervisor of the process
//! starts it anew.
//!
//! | thread | what it does |
//! |---|---|
//! | `count-poll`, `detect-poll` | group membership: rebalances, errors |
//! | `count` | reads partitions and counts |
//! | `count-flush` | encodes and commits while counting goes on |
//! | `count-ask`, `detect-ask` | committed offsets, ends of partitions, saved state |
//! | `detect` | adds deltas up, runs the prefix pass, commits |

mod count;
mod dead_letter;
mod detect;
mod in_force;
mod output;
mod pulse;
mod status;
mod stop;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::config::Config;
use crate::kafka::{self, ClientSettings, Fatal, Identity, TopicFacts, TopicNames, Users};
use crate::telemetry::Tracing;

pub use in_force::RulesInForce;
pub use status::Status;
pub use stop::Stop;

use pulse::Pulses;

/// A thread that has not finished a batch, a flush or a request for this long is stuck.
pub const STUCK: Duration = Duration::from_mins(1);
/// A graceful stop takes at most this long.
pub const STOP_WITHIN: Duration = Duration::from_millis(4800);
/// How often the supervisor looks.
const LOOK: Duration = Duration::from_millis(100);

/// Which stages a process runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stages {
    /// Count and detect.
    #[default]
    Both,
    /// Count alone.
    Count,
    /// Detect alone.
    Detect,
}

impl Stages {
    const fn count(self) -> bool {
        matches!(self, Self::Both | Self::Count)
    }

    const fn detect(self) -> bool {
        matches!(self, Self::Both | Self::Detect)
    }
}

/// What a process is to its stages.
#[derive(Debug)]
pub struct Surroundings {
    /// Its name.
    pub identity: Identity,
    /// What makes spans.
    pub tracing: Tracing,
    /// Its rules.
    pub rules: RulesInForce,
    /// Asks the stages to end.
    pub stop: Stop,
    /// Hears where they stand.
    pub status: Arc<Status>,
}

/// What both stages share.
struct Shell {
    config: Config,
    settings: ClientSettings,
    identity: Identity,
    names: TopicNames,
    facts: TopicFacts,
    rules: RulesInForce,
    tracing: Tracing,
    stop: Stop,
    status: Arc<Status>,
    pulses: Pulses,
}

/// Runs stages until `stop` is requested, then commits what was counted and leaves the groups, unless its
/// membership is static.
pub fn run(config: Config, stages: Stages, around: Surroundings) -> Result<(), Fatal> {
    let users = Users {
        count: stages.count(),
        detect: stages.detect(),
    };
    let facts = kafka::ensure(&config, &ClientSettings::new(&config), users)?;
    run_on(facts, config, stages, around)
}

/// [`run`] on topics that are known to exist and to serve.
pub fn run_on(
    facts: TopicFacts,
    config: Config,
    stages: Stages,
    around: Surroundings,
) -> Result<(), Fatal> {
    let identity = around.identity;
    let settings = ClientSettings::of_instance(&config, &identity.name);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        application = config.application_id,
        instance = identity.name,
        ?stages,
        "starting"
    );
    for rule in &config.rules {
        tracing::info!(name = &*rule.name, fingerprint = %rule.fingerprint(), "rule");
    }
    let shell = Arc::new(Shell {
        names: TopicNames::new(&config),
        config,
        settings,
        identity,
        facts,
        rules: around.rules,
        tracing: around.tracing,
        stop: around.stop,
        status: around.status,
        pulses: Pulses::default(),
    });
    let mut running = Vec::new();
    if stages.count() {
        running.push(start("count", &shell, count::run)?);
    }
    if stages.detect() {
        running.push(start("detect", &shell, detect::run)?);
    }
    supervise(&shell, running)
}

struct Running {
    thread: JoinHandle<()>,
    result: Receiver<Result<(), Fatal>>,
}

fn start(
    name: &'static str,
    shell: &Arc<Shell>,
    stage: fn(&Arc<Shell>) -> Result<(), Fatal>,
) -> Result<Running, Fatal> {
    let (sender, result) = bounded(1);
    let thread = spawn(name, {
        let shell = Arc::clone(shell);
        move || {
            // The supervisor has left if it could wait no longer.
            let _ = sender.send(stage(&shell));
        }
    })?;
    Ok(Running { thread, result })
}

/// A named thread.
fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Fatal> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|e| Fatal(format!("thread {name}: {e}")))
}

/// Waits for the stages. The first failure stops all; a stuck thread is not waited for.
fn supervise(shell: &Shell, mut running: Vec<Running>) -> Result<(), Fatal> {
    let mut failure = None;
    let mut deadline = None;
    while !running.is_empty() {
        running = running
            .into_iter()
            .filter_map(|stage| match stage.result.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => Some(stage),
                ended => {
                    let panicked = stage.thread.join().is_err();
                    let result = match ended {
                        Ok(result) if !panicked => result,
                        _ => Err(Fatal("a stage panicked: a bug".to_owned())),
                    };
                    if let Err(fatal) = result {
                        failure.get_or_insert(fatal);
                        shell.stop.request();
                    }
                    None
                }
            })
            .collect();
        if let Some(thread) = shell.pulses.stuck(STUCK) {
            shell.stop.request();
            return Err(failure.unwrap_or_else(|| {
                Fatal(format!(
                    "{thread} has not finished its work for {}s",
                    STUCK.as_secs()
                ))
            }));
        }
        if shell.stop.is_requested() {
            let until = *deadline.get_or_insert_with(|| Instant::now() + STOP_WITHIN);
            if Instant::now() >= until && !running.is_empty() {
                // What was not committed is done again by whoever comes next.
                tracing::warn!("a stage did not end in time; leaving without it");
                break;
            }
        }
    }
    failure.map_or(Ok(()), Err)
}
