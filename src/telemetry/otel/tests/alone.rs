//! What takes a process of its own: its log, and its memory.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::{COLLECTOR_ONLY, Otel};
use super::env;
use crate::config::TelemetryConfig;
use crate::telemetry::init_log;

/// Set in the process that a test starts.
const ALONE: &str = "HOTPREFIX_TEST_ALONE";

/// Runs the test `name` of this module in a process of its own; what that wrote to stderr. `None` in that process.
fn alone(name: &str) -> Option<String> {
    if std::env::var_os(ALONE).is_some() {
        return None;
    }
    let (_, module) = module_path!().split_once("::").expect("it is in the crate");
    let tests = std::env::current_exe().expect("this process has a program");
    let run = Command::new(tests)
        .args([&format!("{module}::{name}"), "--exact", "--nocapture"])
        .env(ALONE, "")
        .output()
        .expect("it can be started again");
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    let ran = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && ran.contains("1 passed"),
        "{ran}{told}"
    );
    Some(told)
}

/// As `hotprefix run` does it.
fn start(vars: &[(&str, &str)]) -> Otel {
    let otel = Otel::start(env(vars), "one").expect("valid variables");
    let config = TelemetryConfig {
        log_json: false,
        log_filter: "info".to_owned(),
        source: None,
    };
    init_log(&config, &otel).expect("the process has no log yet");
    otel
}

/// The most memory that this process had so far.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = procfs::process::Process::myself().and_then(|p| p.status());
    let peak = status.expect("/proc is there").vmhwm;
    peak.expect("Linux tells the peak") << 10
}

#[cfg(target_os = "linux")]
#[test]
fn full_queues_take_no_more_memory_and_dropping_is_told() {
    const MADE: usize = 100_000;
    /// Queues of 65,536 take 58 MiB.
    const ROOM: u64 = 10 << 20;
    let Some(told) = alone("full_queues_take_no_more_memory_and_dropping_is_told") else {
        // Never accepted: connections end in the backlog.
        let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", silent.local_addr().expect("bound"));
        let mut otel = start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("OTEL_TRACES_SAMPLER", "always_on"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "16"),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "16"),
        ]);
        let make = |n: usize| {
            for _ in 0..n {
                drop(otel.tracing().flush("partials", Duration::ZERO));
                tracing::info!(target: COLLECTOR_ONLY, "what stderr need not show");
            }
        };
        // Buffers, and a first export that nobody answers.
        make(100);
        let (before, begun) = (peak(), Instant::now());
        make(MADE);
        let (grown, took) = (peak() - before, begun.elapsed());
        println!(
            "{MADE} spans and log records: {took:?}, {} KiB",
            grown >> 10
        );
        assert!(grown < ROOM, "{grown} bytes more");
        assert!(took < Duration::from_mins(1), "{took:?}");
        otel.shutdown(Duration::from_millis(300));
        return;
    };
    let count = |what: &str| told.matches(what).count();
    assert_eq!(count("SpanDroppingStarted"), 1, "{told}");
    assert_eq!(count("LogDroppingStarted"), 1, "{told}");
    for (event, count) in [
        ("SpansDropped", "dropped_span_count="),
        ("LogsDropped", "dropped_logs_count="),
    ] {
        let line = told.lines().find(|line| line.contains(event));
        let number = line.and_then(|line| line.split_once(count)?.1.split(' ').next());
        let dropped: Option<usize> = number.and_then(|number| number.parse().ok());
        assert!(
            dropped.is_some_and(|n| n > MADE / 10 * 9),
            "{event}:\n{told}"
        );
    }
    assert_eq!(count("ExportError"), 0, "{told}");
}

#[test]
fn a_failed_export_is_told_without_the_query_of_its_endpoint() {
    let Some(told) = alone("a_failed_export_is_told_without_the_query_of_its_endpoint") else {
        // Nothing listens: the port was free, and is not given out again at once.
        let refusing = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = refusing.local_addr().expect("bound");
        drop(refusing);
        let url = format!("http://{address}/v1/traces?api-key=secret");
        let mut otel = start(&[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &url),
            ("OTEL_TRACES_SAMPLER", "always_on"),
        ]);
        drop(otel.tracing().flush("partials", Duration::ZERO));
        otel.shutdown(Duration::from_secs(10));
        return;
    };
    let line = told.lines().find(|line| line.contains("OTLP traces to "));
    let line = line.unwrap_or_else(|| panic!("nothing is told:\n{told}"));
    assert!(line.contains("/v1/traces?…: "), "{line}");
    assert!(line.contains("Connection refused"), "{line}");
    assert!(!told.contains("secret"), "{told}");
    assert!(!told.contains("ExportError"), "it is told once:\n{told}");
}
