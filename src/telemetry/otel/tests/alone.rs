//! What takes a process of its own: its log, and its memory.

use std::process::Command;
use std::time::Duration;

use super::super::Otel;
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

#[test]
fn a_failed_export_is_told_without_the_query_of_its_endpoint() {
    let Some(told) = alone("a_failed_export_is_told_without_the_query_of_its_endpoint") else {
        // Nothing listens: the port was free, and is not given out again at once.
        let refusing = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
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
}
