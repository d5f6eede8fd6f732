//! A Collector that refuses, or takes connections and never answers, is nobody's trouble.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::run::{Prepared, base};
use crate::support::app::App;
use crate::support::flows::Load;
use crate::support::kafka_client::Topic;
use crate::support::kafka_node::{Cluster, free_port};
use crate::support::process::Signal;
use crate::support::rules::rules;
use crate::support::wait;

/// What a run without telemetry has not: exporters, a queue of 2,048 spans, one of as many lines. That full queues do
/// not grow is a unit test: seconds of a run do not fill them.
const MORE_MEMORY: u64 = 48 << 20;
/// In the line about the first export that failed.
const FIRST_TIME: &str = "told again at most";
/// 5 s, and the machine's slowness. The SDK alone would wait for 5 s after the stages have ended.
const DRAINED: Duration = Duration::from_secs(6);

/// One run.
struct Run {
    peak: u64,
    output: String,
    lasted: Duration,
}

pub(crate) fn check() {
    let cluster = Cluster::shared();
    let load = Load::new(12, 20_000, 4, base());
    let prepared = Prepared::written(cluster, "absent", rules(), &load);
    let off = run(&prepared, &prepared.app(cluster, "absent-off"));
    assert!(!off.output.contains("OTLP"), "{}", off.output);

    // Accepts nothing: connections end in its backlog.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let silent = silent.local_addr().expect("it is bound").port();
    for (name, port, protocol, why) in [
        (
            "absent-refused",
            free_port(),
            "http/protobuf",
            "Connection refused",
        ),
        ("absent-silent-http", silent, "http/protobuf", "timed out"),
        ("absent-silent-grpc", silent, "grpc", "Timeout expired"),
    ] {
        let app = prepared
            .app(cluster, name)
            .env(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                format!("http://127.0.0.1:{port}"),
            )
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .env("OTEL_EXPORTER_OTLP_TIMEOUT", "700")
            .env("OTEL_TRACES_SAMPLER", "always_on")
            .env("OTEL_BSP_SCHEDULE_DELAY", "50")
            .env("OTEL_BLRP_SCHEDULE_DELAY", "50")
            .env("OTEL_METRIC_EXPORT_INTERVAL", "50");
        let run = run(&prepared, &app);
        check_lines(name, &run, why);
        println!(
            "{name}: peak {} MiB, off {} MiB",
            run.peak >> 20,
            off.peak >> 20
        );
        assert!(
            run.peak < off.peak + MORE_MEMORY,
            "{name}: {} and {}",
            run.peak,
            off.peak
        );
    }
}

/// Each signal's trouble is told at once, with `why`, and then once a minute at most.
fn check_lines(name: &str, run: &Run, why: &str) {
    let minutes = (run.lasted.as_secs() / 60) as usize;
    for signal in ["traces", "metrics", "logs"] {
        let of_signal = format!("OTLP {signal} to ");
        let lines = run.output.lines().filter(|line| line.contains(&of_signal));
        let (first, again): (Vec<_>, Vec<_>) = lines.partition(|line| line.contains(FIRST_TIME));
        assert_eq!(
            first.len(),
            1,
            "{name}: {signal} is told once:\n{}",
            run.output
        );
        assert!(
            again.len() <= minutes,
            "{name}: {signal} is told again once a minute:\n{}",
            run.output
        );
        let is_told = [first, again].concat().iter().all(|l| l.contains(why));
        assert!(is_told, "{name}: {signal}: no `{why}`:\n{}", run.output);
    }
    let all = run
        .output
        .lines()
        .filter(|line| line.contains("OTLP"))
        .count();
    // Of each signal besides: that not all was sent.
    assert!(
        all <= 3 * (2 + minutes),
        "{name}: {all} lines:\n{}",
        run.output
    );
}

/// Until the alerts are the model's.
fn run(prepared: &Prepared, app: &App<'_>) -> Run {
    let begun = Instant::now();
    let mut instance = app.start(0);
    instance.ready();
    prepared.until_final(app);
    if app.id != "absent-off" {
        // Each signal has failed by now, or does soon.
        let every = Duration::from_millis(50);
        wait::until("trouble is told", Duration::from_mins(1), every, || {
            let output = instance.process.output();
            let told = output.matches(FIRST_TIME).count();
            (told >= 3).then_some(())
        });
    }
    let status = format!("/proc/{}/status", instance.process.id());
    let status = fs::read_to_string(status).expect("the instance runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|p| p.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    instance.process.signal(Signal::TERM);
    let asked = Instant::now();
    let ended = instance.process.wait(DRAINED * 2);
    let (took, lasted) = (asked.elapsed(), begun.elapsed());
    let output = instance.process.output();
    println!("{}: ended {took:?} after SIGTERM", app.id);
    assert!(
        ended.success() && took < DRAINED,
        "{}: {ended} after {took:?}:\n{output}",
        app.id
    );
    prepared.finish(app, Vec::new());
    Run {
        peak: peak.expect("Linux tells the peak") << 10,
        output,
        lasted,
    }
}

/// The same, word by word, before anything is read.
pub(crate) fn check_bad_variable() {
    let cluster = Cluster::shared();
    Topic::new("bad-variable", 1).create(cluster);
    let app = App::new(cluster, "bad-variable", "bad-variable", &rules())
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .env("OTEL_TRACES_SAMPLER_ARG", "one percent")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "udp");
    let mut instance = app.start(0);
    let ended = instance.process.wait(Duration::from_mins(1));
    let output = instance.process.output();
    assert_eq!(ended.code(), Some(2), "{output}");
    for line in [
        "OTEL_TRACES_SAMPLER_ARG `one percent`: valid is a ratio from 0 to 1, such as 0.01",
        "OTEL_EXPORTER_OTLP_PROTOCOL `udp`: valid is `http/protobuf` or `grpc`",
    ] {
        assert!(output.contains(line), "{output}");
    }
}
