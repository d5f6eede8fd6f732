//! What the variables ask for. Pure: they come in as values.
//!
//! The SDK reads some of them by itself and passes over what it does not understand; here each is
//! read, checked and handed on, so that a mistake ends the start instead of the telemetry.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::trace::Sampler;

use super::target::{self, Target};
use super::variables::{OtelErrors, Set, Signal, Variables};

/// Flushes and emissions that are traced when nobody says otherwise.
pub(super) const DEFAULT_RATIO: f64 = 0.01;
/// The most spans or log records that wait for their export.
const MAX_QUEUE: u64 = 65_536;
/// The longest time that makes sense anywhere here.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// All of it. What is `None` is off.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) traces: Option<Traces>,
    pub(super) metrics: Option<Metrics>,
    pub(super) logs: Option<Logs>,
    /// Of `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`.
    pub(super) attributes: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct Traces {
    pub(super) target: Target,
    pub(super) batch: Batch,
    pub(super) sampler: Sampler,
    /// Whether records carry `traceparent`.
    pub(super) propagate: bool,
}

#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) target: Target,
    pub(super) interval: Duration,
    pub(super) temporality: Temporality,
}

#[derive(Debug)]
pub(super) struct Logs {
    pub(super) target: Target,
    pub(super) batch: Batch,
}

/// How much waits for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) queue: usize,
    pub(super) size: usize,
    pub(super) delay: Duration,
}

impl Settings {
    /// Reads the variables. Every bad one is told, not the first alone.
    pub(super) fn read(
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, OtelErrors> {
        let mut vars = Variables::new(env);
        let disabled = vars.get("OTEL_SDK_DISABLED");
        if vars.flag(disabled) {
            return vars.finish(Self::default());
        }
        let attributes = attributes(&mut vars);
        let settings = Self {
            traces: is_on(&mut vars, Signal::Traces).then(|| traces(&mut vars)),
            metrics: is_on(&mut vars, Signal::Metrics).then(|| metrics(&mut vars)),
            logs: is_on(&mut vars, Signal::Logs).then(|| logs(&mut vars)),
            attributes,
        };
        vars.finish(settings)
    }
}

/// Whether a signal is exported: its `OTEL_<SIGNAL>_EXPORTER` decides, and without one an endpoint does.
fn is_on(vars: &mut Variables, signal: Signal) -> bool {
    let exporter = vars.get(&format!("OTEL_{}_EXPORTER", signal.upper()));
    let Some(exporter) = exporter else {
        return vars.of(signal, "ENDPOINT").is_some();
    };
    let mut on = false;
    for word in exporter.value.split(',').map(str::trim) {
        let set = Set {
            name: exporter.name.clone(),
            value: word.to_owned(),
        };
        // /metrics is there in any case.
        let words: &[_] = match signal {
            Signal::Metrics => &[("otlp", true), ("none", false), ("prometheus", false)],
            _ => &[("otlp", true), ("none", false)],
        };
        on |= vars.word(Some(set), words).unwrap_or(false);
    }
    on
}

fn traces(vars: &mut Variables) -> Traces {
    let batch = batch(vars, "OTEL_BSP", 5_000);
    let export = vars.get("OTEL_BSP_EXPORT_TIMEOUT");
    Traces {
        target: target::read(vars, Signal::Traces, export),
        batch,
        sampler: sampler(vars),
        propagate: propagate(vars),
    }
}

fn metrics(vars: &mut Variables) -> Metrics {
    let interval = vars.get("OTEL_METRIC_EXPORT_INTERVAL");
    let interval = vars.time(interval, 1..=DAY);
    let temporality = vars.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE");
    let words = [
        ("cumulative", Temporality::Cumulative),
        ("delta", Temporality::Delta),
        ("lowmemory", Temporality::LowMemory),
    ];
    let temporality = vars.word(temporality, &words);
    let export = vars.get("OTEL_METRIC_EXPORT_TIMEOUT");
    Metrics {
        target: target::read(vars, Signal::Metrics, export),
        interval: interval.unwrap_or(Duration::from_mins(1)),
        temporality: temporality.unwrap_or_default(),
    }
}

fn logs(vars: &mut Variables) -> Logs {
    let batch = batch(vars, "OTEL_BLRP", 1_000);
    let export = vars.get("OTEL_BLRP_EXPORT_TIMEOUT");
    Logs {
        target: target::read(vars, Signal::Logs, export),
        batch,
    }
}

fn batch(vars: &mut Variables, prefix: &str, default_delay: u64) -> Batch {
    let delay = vars.get(&format!("{prefix}_SCHEDULE_DELAY"));
    let delay = vars.time(delay, 1..=DAY);
    let queue = vars.get(&format!("{prefix}_MAX_QUEUE_SIZE"));
    let queue = vars.number(queue, 1..=MAX_QUEUE).unwrap_or(2_048);
    let size = vars.get(&format!("{prefix}_MAX_EXPORT_BATCH_SIZE"));
    // At most what the queue holds.
    let size = vars.number(size, 1..=queue).unwrap_or(queue.min(512));
    Batch {
        queue: queue as usize,
        size: size as usize,
        delay: delay.unwrap_or(Duration::from_millis(default_delay)),
    }
}

fn sampler(vars: &mut Variables) -> Sampler {
    #[derive(Clone, Copy)]
    enum Root {
        On,
        Off,
        Ratio,
    }
    let words = [
        ("always_on", (Root::On, false)),
        ("always_off", (Root::Off, false)),
        ("traceidratio", (Root::Ratio, false)),
        ("parentbased_always_on", (Root::On, true)),
        ("parentbased_always_off", (Root::Off, true)),
        ("parentbased_traceidratio", (Root::Ratio, true)),
    ];
    let name = vars.get("OTEL_TRACES_SAMPLER");
    // A sampler that is asked for without a ratio takes all, as the specification says.
    let default = if name.is_some() { 1.0 } else { DEFAULT_RATIO };
    let (root, by_parent) = vars.word(name, &words).unwrap_or((Root::Ratio, true));
    let ratio = match (root, vars.get("OTEL_TRACES_SAMPLER_ARG")) {
        (Root::Ratio, Some(set)) => {
            let ratio = set.value.parse().ok().filter(|r| (0.0..=1.0).contains(r));
            if ratio.is_none() {
                vars.reject(set.bad("valid is a ratio from 0 to 1, such as 0.01"));
            }
            ratio.unwrap_or(default)
        }
        _ => default,
    };
    let sampler = match root {
        Root::On => Sampler::AlwaysOn,
        Root::Off => Sampler::AlwaysOff,
        Root::Ratio => Sampler::TraceIdRatioBased(ratio),
    };
    if by_parent {
        Sampler::ParentBased(Box::new(sampler))
    } else {
        sampler
    }
}

/// Whether records carry `traceparent`. There is no baggage, so that asking for it changes nothing.
fn propagate(vars: &mut Variables) -> bool {
    let Some(set) = vars.get("OTEL_PROPAGATORS") else {
        return true;
    };
    let mut propagate = false;
    for word in set.value.split(',').map(str::trim) {
        let set = Set {
            name: set.name.clone(),
            value: word.to_owned(),
        };
        let words = [("tracecontext", true), ("baggage", false), ("none", false)];
        propagate |= vars.word(Some(set), &words).unwrap_or(false);
    }
    propagate
}

fn attributes(vars: &mut Variables) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    if let Some(set) = vars.get("OTEL_RESOURCE_ATTRIBUTES") {
        for pair in set
            .value
            .split(',')
            .map(str::trim)
            .filter(|p| !p.is_empty())
        {
            match target::pair(pair) {
                Some(pair) => attributes.push(pair),
                None => vars.reject(set.bad(format!(
                    "`{pair}` is no attribute; valid is `name=value`, separated by commas and percent-encoded"
                ))),
            }
        }
    }
    if let Some(name) = vars.get("OTEL_SERVICE_NAME") {
        attributes.push((super::names::SERVICE_NAME.to_owned(), name.value));
    }
    attributes
}
