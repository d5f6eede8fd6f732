//! A real OpenTelemetry Collector between hotprefix and a [`Sink`].

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::sink::Sink;
use crate::support::kafka_node::free_port;
use crate::support::process::Process;
use crate::support::{tools, wait};

const PATIENCE: Duration = Duration::from_mins(1);

/// A running Collector. Dropped: killed.
pub(crate) struct Collector {
    pub(crate) sink: Sink,
    /// Ports on 127.0.0.1.
    pub(crate) http: u16,
    pub(crate) grpc: u16,
    /// With TLS: who signed the certificate.
    pub(crate) authority: Option<PathBuf>,
    _process: Process,
}

impl Collector {
    /// Starts one for both protocols.
    pub(crate) fn start(name: &str, tls: bool) -> Self {
        let dir = tools::scratch(name);
        let sink = Sink::start();
        let (http, grpc) = (free_port(), free_port());
        let certificate = tls.then(|| certificate(&dir));
        let receiver = |port: u16| {
            let mut receiver = json!({"endpoint": format!("127.0.0.1:{port}")});
            if let Some((certificate, key)) = &certificate {
                receiver["tls"] = json!({"cert_file": certificate, "key_file": key});
            }
            receiver
        };
        let pipeline =
            json!({"receivers": ["otlp"], "processors": ["batch"], "exporters": ["otlphttp"]});
        let config = json!({
            "receivers": {"otlp": {"protocols": {"http": receiver(http), "grpc": receiver(grpc)}}},
            "processors": {"batch": {"timeout": "100ms"}},
            "exporters": {"otlphttp": {
                "endpoint": format!("http://{}", sink.address),
                "encoding": "json",
                "compression": "none",
            }},
            "service": {
                // Its own metrics would take a fixed port.
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": pipeline, "metrics": pipeline, "logs": pipeline},
            },
        });
        let process = run(&dir, &config);
        for port in [http, grpc] {
            let every = Duration::from_millis(50);
            let what = format!("the Collector of {} listens", dir.display());
            wait::until(&what, PATIENCE, every, || {
                TcpStream::connect(("127.0.0.1", port)).ok()
            });
        }
        Self {
            sink,
            http,
            grpc,
            authority: certificate.map(|(certificate, _)| certificate),
            _process: process,
        }
    }
}

fn run(dir: &Path, config: &Value) -> Process {
    let program = std::env::var("HOTPREFIX_TEST_COLLECTOR")
        .expect("tests/otel/run.sh starts this test and names the Collector");
    // JSON is YAML.
    let file = dir.join("collector.yaml");
    fs::write(&file, config.to_string()).expect("a file can be written to the scratch folder");
    let file = file.to_str().expect("the target folder's path is UTF-8");
    Process::start(&program, ["--config", file], &dir.join("collector.log"))
}

/// A certificate for 127.0.0.1 that signs itself, and its key.
fn certificate(dir: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (dir.join("server.pem"), dir.join("server.key"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args(["-days", "2", "-subj", "/CN=collector"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap_or_else(|error| panic!("this test needs `openssl`, which does not start: {error}"));
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "openssl req: {said}");
    (certificate, key)
}
