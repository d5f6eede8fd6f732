//! The process as a whole.

use opentelemetry::KeyValue;

use super::table::{Label, Metric, Show, Source, Unit, flag};
use crate::telemetry::{Readiness, readiness};

pub(super) const ALL: &[Metric] = &[
    Metric {
        name: "hotprefix_build_info",
        unit: Unit::Flag,
        labels: &[Label::info("version"), Label::info("librdkafka")],
        help: "1, with the versions of hotprefix and librdkafka.",
        worry: "Instances of one application differ for longer than a rollout.",
        source: Source::Gauge(|s, show| {
            let version = KeyValue::new("version", env!("CARGO_PKG_VERSION"));
            let library = KeyValue::new("librdkafka", s.now.librdkafka.clone());
            show(1.0, &[version, library]);
        }),
    },
    Metric {
        name: "hotprefix_ready",
        unit: Unit::Flag,
        labels: &[],
        help: "1 while /readyz says so.",
        worry: "0 for longer than a start or a rebalance: /readyz names the reasons.",
        source: Source::Gauge(|s, show| show(flag(readiness(&s.now) == Readiness::Ready), &[])),
    },
    Metric {
        name: "hotprefix_client_errors_total",
        unit: Unit::Count("error"),
        labels: &[],
        help: "Errors that Kafka clients reported.",
        worry: "It keeps growing: the log and /readyz say what fails. A few at a broker's restart are normal.",
        source: Source::Counter(|s, show| show(s.now.client_errors as f64, &[])),
    },
    Metric {
        name: "hotprefix_set_reloads_total",
        unit: Unit::Count("reload"),
        labels: &[Label::one_of("outcome", &["applied", "refused"])],
        help: "Named sets read again, on SIGHUP or because a file changed.",
        worry: "`refused` grows: a file is not readable or not valid, and the sets stay as they were; the log says why.",
        source: Source::Counter(|s, show| {
            let reloads = [
                ("applied", s.now.reloads.applied),
                ("refused", s.now.reloads.refused),
            ];
            for (outcome, number) in reloads {
                show(number as f64, &[KeyValue::new("outcome", outcome)]);
            }
        }),
    },
    Metric {
        name: "process_resident_memory_bytes",
        unit: Unit::Bytes,
        labels: &[],
        help: "Resident memory of the process. Linux only, as all of these.",
        worry: "It comes near the container's limit: see the leaves of count and detect, and the fetch queues.",
        source: Source::Gauge(|_, show| of_process(show, |p| Some(p.resident_bytes))),
    },
    Metric {
        name: "process_cpu_seconds_total",
        unit: Unit::Seconds,
        labels: &[],
        help: "CPU time of the process, user and system.",
        worry: "It grows by as many seconds per second as count has cores: add cores or instances. Detect takes one at most.",
        source: Source::Counter(|_, show| of_process(show, |p| Some(p.cpu_seconds))),
    },
    Metric {
        name: "process_start_time_seconds",
        unit: Unit::Seconds,
        labels: &[],
        help: "Start of the process, as Unix time.",
        worry: "It changes without a rollout: the process restarts; its last log line says why.",
        source: Source::Gauge(|_, show| of_process(show, |p| Some(p.start_time))),
    },
    Metric {
        name: "process_open_fds",
        unit: Unit::Count("file descriptor"),
        labels: &[],
        help: "Open file descriptors.",
        worry: "It comes near the limit: each client has a connection to each broker that it needs.",
        source: Source::Gauge(|_, show| of_process(show, |p| Some(p.open_fds))),
    },
    Metric {
        name: "process_max_fds",
        unit: Unit::Count("file descriptor"),
        labels: &[],
        help: "The limit of open file descriptors; absent without one.",
        worry: "Below 1,024.",
        source: Source::Gauge(|_, show| of_process(show, |p| p.max_fds)),
    },
];

/// What the system says of this process.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    resident_bytes: f64,
    cpu_seconds: f64,
    start_time: f64,
    open_fds: f64,
    /// `None` without a limit: the SDK drops what is not finite.
    max_fds: Option<f64>,
}

/// Shows a number of this process, if it has one and the system tells.
fn of_process(show: &mut Show<'_>, read: fn(&Usage) -> Option<f64>) {
    if let Some(value) = usage().as_ref().and_then(read) {
        show(value, &[]);
    }
}

#[cfg(target_os = "linux")]
fn usage() -> Option<Usage> {
    use procfs::process::{LimitValue, Process};
    let process = Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let boot = procfs::boot_time_secs().ok()? as f64;
    let max_fds = match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(limit) => Some(limit as f64),
        LimitValue::Unlimited => None,
    };
    Some(Usage {
        resident_bytes: stat.rss as f64 * procfs::page_size() as f64,
        cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
        start_time: boot + stat.starttime as f64 / ticks,
        open_fds: process.fd_count().ok()? as f64,
        max_fds,
    })
}

#[cfg(not(target_os = "linux"))]
fn usage() -> Option<Usage> {
    None
}
