//! Traces, metrics and logs over OTLP, as the `OTEL_*` variables ask for them.
//!
//! In: the environment, and who we are. Out: spans ([`Tracing`]), log lines ([`Otel::log_layer`]) and what
//! the instruments show ([`Otel::attach`]), sent in batches by threads of their own. Guarantees: nothing
//! waits for a collector, neither the data path nor, for longer than [`SHUTDOWN`], the end of the process;
//! what waits to be sent is bounded, and what finds no room is dropped, counted and told ([`is_told`]);
//! trouble is a line a minute at most; events of the way to the collector are never sent to it. A variable
//! that cannot be obeyed ends the start ([`OtelErrors`]).
//!
//! Off unless a variable turns it on: then there is no thread and no queue.

mod client;
mod complaints;
mod exporter;
mod names;
mod settings;
mod span;
mod target;
#[cfg(test)]
mod tests;
mod variables;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{
    BatchConfigBuilder as LogBatchConfig, BatchLogProcessor, SdkLogger, SdkLoggerProvider,
};
use opentelemetry_sdk::metrics::{MeterProviderBuilder, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder as SpanBatchConfig, BatchSpanProcessor, SdkTracerProvider, SpanLimits,
};
use tokio::runtime::Runtime;
use tracing::Metadata;

pub use span::{
    Finalised, Flushed, Links, MAX_LINKS, Span, SpanContext, SpanId, TRACEPARENT, TRACEPARENT_C,
    Tracing, context_of,
};
pub use variables::{BadVariable, OtelErrors};

use complaints::Told;
use settings::Settings;
use target::{Protocol, Target};

/// How long the end of the process waits for what is still to be sent.
pub const SHUTDOWN: Duration = Duration::from_millis(1_500);

/// Events that stderr does not need: the command's own last words are there.
pub const COLLECTOR_ONLY: &str = "collector_only";

/// What is ready before the service is: exporters and their threads.
#[derive(Debug)]
pub struct Otel {
    resource: Resource,
    tracing: Tracing,
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
    reader: Mutex<Option<PeriodicReader<Told<MetricExporter>>>>,
    metrics: Mutex<Option<SdkMeterProvider>>,
    /// Where gRPC's connections live.
    runtime: Option<Runtime>,
}

/// A layer that sends log lines.
pub type LogLayer = OpenTelemetryTracingBridge<SdkLoggerProvider, SdkLogger>;

/// Says what is wrong with the variables, if anything, and starts nothing.
pub fn check(env: impl IntoIterator<Item = (String, String)>) -> Result<(), OtelErrors> {
    Settings::read(env).map(drop)
}

impl Otel {
    /// Nothing is exported.
    pub fn off(instance: &str) -> Self {
        Self {
            resource: resource(&[], instance).build(),
            tracing: Tracing::default(),
            traces: None,
            logs: None,
            reader: Mutex::default(),
            metrics: Mutex::default(),
            runtime: None,
        }
    }

    /// Starts what the variables in `env` ask for, in the name of `instance`.
    pub fn start(
        env: impl IntoIterator<Item = (String, String)>,
        instance: &str,
    ) -> Result<Self, OtelErrors> {
        let env: Vec<_> = env.into_iter().collect();
        let resource = resource(&env, instance);
        let settings = Settings::read(env)?;
        let one = |error| OtelErrors(vec![error]);
        let runtime = runtime(&settings).map_err(one)?;
        let _inside = runtime.as_ref().map(Runtime::enter);
        // Fails when there is a provider already, which then serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let resource = resource
            .with_attributes(pairs(&settings.attributes))
            .build();
        let mut tracing = Tracing::default();
        let mut traces = None;
        if let Some(wanted) = settings.traces {
            let provider = trace_provider(&wanted, &resource).map_err(one)?;
            tracing = Tracing::new(provider.tracer_with_scope(scope()), wanted.propagate);
            traces = Some(provider);
        }
        let logs = settings
            .logs
            .map(|wanted| log_provider(&wanted, &resource))
            .transpose();
        let reader = settings.metrics.map(|wanted| reader(&wanted)).transpose();
        Ok(Self {
            tracing,
            traces,
            logs: logs.map_err(one)?,
            reader: Mutex::new(reader.map_err(one)?),
            metrics: Mutex::default(),
            resource,
            runtime,
        })
    }

    /// Who we are.
    pub const fn resource(&self) -> &Resource {
        &self.resource
    }

    /// What makes spans.
    pub const fn tracing(&self) -> &Tracing {
        &self.tracing
    }

    /// What sends log lines, if that is wanted. Use [`is_ours`] to keep events of the way there out.
    pub fn log_layer(&self) -> Option<LogLayer> {
        self.logs.as_ref().map(OpenTelemetryTracingBridge::new)
    }

    /// Adds the reader that sends metrics, if that is wanted.
    pub fn attach(&self, provider: MeterProviderBuilder) -> Option<MeterProviderBuilder> {
        let reader = lock(&self.reader).take()?;
        Some(provider.with_reader(reader))
    }

    /// The provider that got the reader: it is kept, and shut down with the rest.
    pub fn keep(&self, provider: SdkMeterProvider) {
        *lock(&self.metrics) = Some(provider);
    }

    /// Sends what is still to be sent, for at most `patience`. Whoever does not answer is left.
    pub fn shutdown(&mut self, patience: Duration) {
        let mut ends: Vec<(&str, End)> = Vec::new();
        if let Some(metrics) = lock(&self.metrics).take() {
            ends.push(("metrics", Box::new(move || metrics.shutdown())));
        }
        if let Some(traces) = self.traces.take() {
            let end = move || traces.shutdown_with_timeout(patience);
            ends.push(("traces", Box::new(end)));
        }
        if let Some(logs) = self.logs.take() {
            let end = move || logs.shutdown_with_timeout(patience);
            ends.push(("logs", Box::new(end)));
        }
        let deadline = Instant::now() + patience;
        let waiting: Vec<_> = ends
            .into_iter()
            .map(|(what, end)| in_thread(what, end))
            .collect();
        for (what, ended) in waiting {
            let ended = ended.and_then(|ended| ended.recv_deadline(deadline).ok());
            if ended.is_none() {
                tracing::warn!("OTLP {what}: not all was sent within {patience:?}");
            }
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Otel {
    /// Without this the SDK would wait for each exporter, one after the other, 5 s each.
    fn drop(&mut self) {
        self.shutdown(SHUTDOWN);
    }
}

type End = Box<dyn FnOnce() -> opentelemetry_sdk::error::OTelSdkResult + Send>;

/// A shutdown of the SDK takes 5 s whatever one asks for: so nobody waits for the thread.
fn in_thread(
    what: &'static str,
    end: End,
) -> (&'static str, Option<crossbeam_channel::Receiver<()>>) {
    let (done, ended) = bounded(1);
    let thread = std::thread::Builder::new().name(format!("otlp-{what}"));
    let spawned = thread.spawn(move || {
        // Failed exports were told where they failed.
        let _ = end();
        let _ = done.send(());
    });
    (what, spawned.is_ok().then_some(ended))
}

/// Whether an event with this target is about the way to the collector: to send it there would make more.
pub fn is_ours(target: &str) -> bool {
    const STACK: &[&str] = &[
        "opentelemetry",
        "hyper",
        "h2",
        "tonic",
        "tower",
        "reqwest",
        "rustls",
        "hotprefix::telemetry::otel",
    ];
    STACK.iter().any(|prefix| target.starts_with(prefix))
}

/// Whether an event is for stderr. Of the SDK's own that is when a queue is full for the first time, and how much
/// was dropped at the end; others would tell each failed export, which is told here once a minute.
pub fn is_told(event: &Metadata<'_>) -> bool {
    if event.target() == COLLECTOR_ONLY {
        return false;
    }
    let (name, is_sdk) = (event.name(), event.target().starts_with("opentelemetry"));
    !is_sdk || name.ends_with("DroppingStarted") || name.ends_with("Dropped")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // An option, whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("hotprefix")
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(names::SCHEMA_URL)
        .build()
}

fn runtime(settings: &Settings) -> Result<Option<Runtime>, BadVariable> {
    let traces = settings.traces.as_ref().map(|t| &t.target);
    let metrics = settings.metrics.as_ref().map(|m| &m.target);
    let logs = settings.logs.as_ref().map(|l| &l.target);
    let mut targets = [traces, metrics, logs].into_iter().flatten();
    let Some(target) = targets.find(|t: &&Target| t.protocol == Protocol::Grpc) else {
        return Ok(None);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("otlp-grpc")
        .enable_all()
        .build();
    runtime.map(Some).map_err(|e| BadVariable {
        name: target.named_by.clone(),
        value: target.shown.clone(),
        valid: format!("starting a thread: {e}"),
    })
}

/// What we know of ourselves; what variables say goes over it.
fn resource(
    env: &[(String, String)],
    instance: &str,
) -> opentelemetry_sdk::resource::ResourceBuilder {
    let var = |name: &str| {
        let found = env.iter().find(|(n, v)| n == name && !v.is_empty());
        found.map(|(_, value)| value.clone())
    };
    let host = hostname::get().ok().and_then(|h| h.into_string().ok());
    let known = [
        (names::SERVICE_NAME, Some("hotprefix".to_owned())),
        (
            names::SERVICE_VERSION,
            Some(env!("CARGO_PKG_VERSION").to_owned()),
        ),
        (names::SERVICE_INSTANCE_ID, Some(instance.to_owned())),
        (names::HOST_NAME, host),
        (names::K8S_POD_NAME, var("POD_NAME")),
        (names::K8S_NAMESPACE_NAME, var("POD_NAMESPACE")),
        (names::K8S_NODE_NAME, var("NODE_NAME")),
    ];
    let known = known
        .into_iter()
        .filter_map(|(name, value)| Some(KeyValue::new(name, value?)));
    Resource::builder_empty()
        .with_detector(Box::new(
            opentelemetry_sdk::resource::TelemetryResourceDetector,
        ))
        .with_attribute(KeyValue::new(
            names::PROCESS_PID,
            i64::from(std::process::id()),
        ))
        .with_attributes(known)
}

fn pairs(attributes: &[(String, String)]) -> impl Iterator<Item = KeyValue> {
    attributes
        .iter()
        .map(|(name, value)| KeyValue::new(name.clone(), value.clone()))
}

fn trace_provider(
    wanted: &settings::Traces,
    resource: &Resource,
) -> Result<SdkTracerProvider, BadVariable> {
    let exporter = exporter::spans(&wanted.target)?;
    let batch = SpanBatchConfig::default()
        .with_max_queue_size(wanted.batch.queue)
        .with_max_export_batch_size(wanted.batch.size)
        .with_scheduled_delay(wanted.batch.delay)
        .build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batch);
    let limits = SpanLimits {
        max_links_per_span: MAX_LINKS as u32,
        ..SpanLimits::default()
    };
    Ok(SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_sampler(wanted.sampler.clone())
        .with_span_limits(limits)
        .with_span_processor(processor.build())
        .build())
}

fn log_provider(
    wanted: &settings::Logs,
    resource: &Resource,
) -> Result<SdkLoggerProvider, BadVariable> {
    let exporter = exporter::logs(&wanted.target)?;
    let batch = LogBatchConfig::default()
        .with_max_queue_size(wanted.batch.queue)
        .with_max_export_batch_size(wanted.batch.size)
        .with_scheduled_delay(wanted.batch.delay)
        .build();
    let processor = BatchLogProcessor::builder(exporter).with_batch_config(batch);
    Ok(SdkLoggerProvider::builder()
        .with_resource(resource.clone())
        .with_log_processor(processor.build())
        .build())
}

fn reader(wanted: &settings::Metrics) -> Result<PeriodicReader<Told<MetricExporter>>, BadVariable> {
    let exporter = exporter::metrics(&wanted.target, wanted.temporality)?;
    Ok(PeriodicReader::builder(exporter)
        .with_interval(wanted.interval)
        .build())
}
