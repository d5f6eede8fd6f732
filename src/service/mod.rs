//! One process of the service: telemetry and signals around the stages.
//!
//! In: a checked configuration. Out: the stages' own result, after everything was committed. SIGHUP reads named sets
//! again. SIGTERM and Ctrl-C ask for the end; after a second one, or five seconds, nobody waits for it. Nor when the wall clock is
//! set back, which Kafka clients do not survive.

mod reload;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};
use tokio::runtime::Runtime;

use crate::config::Config;
use crate::kafka::{Fatal, Identity, TopicFacts};
use crate::stage::{self, RulesInForce, Stages, Status, Stop, Surroundings};
use crate::telemetry::{
    HttpError, Metrics, MetricsError, Otel, Server, Watch, announce, clock, serve,
};

/// The exit code of a process that does not wait for its stages: what was not committed is done again.
const IMPATIENT: i32 = 1;
/// The stages give up by themselves before this; requests to a cluster that does not answer do not.
const PATIENCE: Duration = Duration::from_millis(4_950);
/// librdkafka's threads wait until a time of the wall clock (its issue 2145): one that is set back by more than this
/// holds them for as long, and the group thinks them dead. A new process has none that wait.
const SET_BACK: Duration = Duration::from_secs(5);
/// How often that is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Why the service does not run, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Threads for telemetry and signals.
    #[error("starting threads: {0}")]
    Runtime(std::io::Error),
    /// Somebody set the machine's clock.
    #[error("the wall clock was set back by {}s: Kafka clients would wait until it is where it was", .0.as_secs())]
    SetBack(Duration),
    /// Signals.
    #[error("listening for signals: {0}")]
    Signals(std::io::Error),
    /// Health and metrics.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Health and metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The stages.
    #[error(transparent)]
    Stage(#[from] Fatal),
}

/// A service that answers probes but does not count yet.
pub struct Service {
    config: Config,
    around: Surroundings,
    // In this order: the server ends before the threads that it runs on.
    server: Option<Server>,
    runtime: Runtime,
}

impl Service {
    /// Starts telemetry and listens for signals. `otel` is to be shut down after the end.
    pub fn start(
        config: Config,
        identity: Identity,
        stop: &Stop,
        otel: &Otel,
    ) -> Result<Self, ServiceError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("telemetry")
            .enable_all()
            .build()
            .map_err(ServiceError::Runtime)?;
        let metrics = Metrics::new(otel.resource().clone(), |builder| otel.attach(builder))?;
        if let Some(sent) = metrics.sent() {
            otel.keep(sent.clone());
        }
        let status = Arc::new(Status::new(metrics.recorder()));
        let watched = Arc::clone(&status);
        let watch: Watch = Arc::new(move || watched.snapshot());
        metrics.observe(&watch);
        runtime.spawn(announce(Arc::clone(&watch)));
        let server = match config.http.listen {
            None => None,
            Some(address) => {
                let server = runtime.block_on(serve(address, Arc::new(metrics), watch))?;
                tracing::info!(address = %server.address, "health and metrics");
                Some(server)
            }
        };
        listen_for_signals(&runtime, stop).map_err(ServiceError::Signals)?;
        let rules = RulesInForce::new(config.rules.iter().cloned());
        let set_files = config.set_files.clone();
        reload::listen(&runtime, set_files, rules.clone(), Arc::clone(&status))
            .map_err(ServiceError::Signals)?;
        Ok(Self {
            config,
            around: Surroundings {
                identity,
                tracing: otel.tracing().clone(),
                rules,
                stop: stop.clone(),
                status,
            },
            server,
            runtime,
        })
    }

    /// Where the stages stand.
    pub const fn status(&self) -> &Arc<Status> {
        &self.around.status
    }

    /// Where health and metrics are, if anywhere.
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(|server| server.address)
    }

    /// Runs the stages until they are asked to stop and have committed, or one fails.
    pub fn run(self, stages: Stages) -> Result<(), ServiceError> {
        self.watch_over(move |config, around| stage::run(config, stages, around))
    }

    /// [`Self::run`] with both stages, on topics that are known to exist and to serve.
    pub fn run_on(self, facts: TopicFacts) -> Result<(), ServiceError> {
        self.watch_over(|config, around| stage::run_on(facts, config, Stages::Both, around))
    }

    fn watch_over(
        self,
        stages: impl FnOnce(Config, Surroundings) -> Result<(), Fatal> + Send + 'static,
    ) -> Result<(), ServiceError> {
        let (config, around) = (self.config, self.around);
        let stop = around.stop.clone();
        let (sender, ended) = bounded(1);
        thread::Builder::new()
            .name("stages".to_owned())
            .spawn(move || {
                // Whoever waits has left when the clock was set back.
                let _ = sender.send(stages(config, around));
            })
            .map_err(ServiceError::Runtime)?;
        let mut clock = clock::SetBack::default();
        let result = loop {
            match ended.recv_timeout(LOOK) {
                Ok(result) => break result.map_err(ServiceError::from),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(by) = clock.look(SET_BACK) {
                        stop.request();
                        break Err(ServiceError::SetBack(by));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    break Err(Fatal("the stages panicked: a bug".to_owned()).into());
                }
            }
        };
        drop(self.server);
        self.runtime.shutdown_background();
        result
    }
}

fn listen_for_signals(runtime: &Runtime, stop: &Stop) -> Result<(), std::io::Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let _inside = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = stop.clone();
    runtime.spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "Ctrl-C",
        };
        tracing::info!("{name}: committing what is counted");
        stop.request();
        tokio::select! {
            _ = terminate.recv() => tracing::warn!("SIGTERM again: leaving at once"),
            _ = interrupt.recv() => tracing::warn!("Ctrl-C again: leaving at once"),
            () = tokio::time::sleep(PATIENCE) => {
                tracing::warn!(after = ?PATIENCE, "leaving without waiting for the end");
            }
        }
        std::process::exit(IMPATIENT);
    });
    Ok(())
}
