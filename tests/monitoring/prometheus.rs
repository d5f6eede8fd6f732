//! A real Prometheus and a real Alertmanager, on free loopback ports.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::http_get;
use crate::support::kafka_node::free_port;
use crate::support::process::Process;
use crate::support::{tools, wait};
use crate::{queries, scaled};

/// The job under which hotprefix is scraped.
pub(crate) const JOB: &str = "flows";
const PATIENCE: Duration = Duration::from_mins(1);
const EVERY: Duration = Duration::from_millis(100);

/// Both, running. Dropped: killed.
pub(crate) struct Monitoring {
    prometheus: SocketAddr,
    alertmanager: SocketAddr,
    _processes: [Process; 2],
}

/// An alert, as the Alertmanager has it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) name: String,
    pub(crate) body: Value,
}

impl Monitoring {
    /// Scrapes `target` every second, with the shipped rules in scaled time and the shipped routing.
    pub(crate) fn start(target: SocketAddr) -> Self {
        let dir = tools::scratch("monitoring");
        let [prometheus, alertmanager] =
            [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let write = |name: &str, value: &Value| {
            // JSON is YAML.
            let path = dir.join(name);
            fs::write(&path, value.to_string()).expect("a file can be written to scratch");
            path
        };
        let rules = write("rules.yaml", &scaled::rules());
        let config = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "500ms"},
            "rule_files": [rules],
            "scrape_configs": [{
                "job_name": JOB,
                "static_configs": [{"targets": [target.to_string()]}],
            }],
            "alerting": {"alertmanagers": [{
                "static_configs": [{"targets": [alertmanager.to_string()]}],
            }]},
        });
        let config = write("prometheus.yaml", &config);
        let routing = queries::deploy("prometheus/alertmanager.yaml");
        let processes = [
            launch(
                "HOTPREFIX_TEST_ALERTMANAGER",
                &dir,
                &[
                    ("config.file", path(&routing)),
                    ("storage.path", path(&dir.join("alertmanager"))),
                    ("web.listen-address", alertmanager.to_string()),
                    // No cluster.
                    ("cluster.listen-address", String::new()),
                ],
            ),
            launch(
                "HOTPREFIX_TEST_PROMETHEUS",
                &dir,
                &[
                    ("config.file", path(&config)),
                    ("storage.tsdb.path", path(&dir.join("prometheus"))),
                    ("web.listen-address", prometheus.to_string()),
                    // What the default minute is in scaled time.
                    ("rules.alert.resend-delay", "1s".to_owned()),
                ],
            ),
        ];
        for (process, address) in processes.iter().zip([alertmanager, prometheus]) {
            let what = format!("{} is ready", process.log().display());
            wait::until(&what, PATIENCE, EVERY, || {
                http_get(address, "/-/ready").filter(|(status, _)| *status == 200)
            });
        }
        Self {
            prometheus,
            alertmanager,
            _processes: processes,
        }
    }

    /// The samples of an instant query, each with its labels; what is not a number is left out.
    pub(crate) fn query(&self, expr: &str) -> Vec<(Value, f64)> {
        let answer = self.api(&format!("/api/v1/query?query={}", escaped(expr)));
        let samples = answer["result"].as_array().into_iter().flatten();
        let samples = samples.map(|sample| {
            let value = sample["value"][1].as_str().expect("a value is text");
            let value: f64 = value.parse().expect("a value is a number");
            (sample["metric"].clone(), value)
        });
        samples.filter(|(_, value)| !value.is_nan()).collect()
    }

    /// Fails unless each rule was evaluated without an error.
    pub(crate) fn assert_rules_work(&self) {
        let answer = self.api("/api/v1/rules");
        let rules: Vec<_> = queries::each_rule(&answer).collect();
        assert_eq!(rules.len(), queries::of_rules().len());
        for rule in rules {
            assert_eq!(rule["health"], "ok", "{rule:#}");
        }
    }

    /// What the Alertmanager has now, inhibited alerts included.
    pub(crate) fn alerts(&self) -> Vec<Received> {
        let answer = http_get(self.alertmanager, "/api/v2/alerts");
        let (status, body) = answer.expect("the Alertmanager answers");
        assert_eq!(status, 200, "{body}");
        let alerts: Vec<Value> = serde_json::from_str(&body).expect("it is a list");
        let alerts = alerts.into_iter().map(|body| Received {
            name: body["labels"]["alertname"].as_str().unwrap().to_owned(),
            body,
        });
        alerts.collect()
    }

    fn api(&self, path: &str) -> Value {
        let answer = wait::until("Prometheus answers", PATIENCE, EVERY, || {
            http_get(self.prometheus, path)
        });
        let (status, body) = answer;
        assert_eq!(status, 200, "{path}: {body}");
        let mut body: Value = serde_json::from_str(&body).expect("Prometheus answers in JSON");
        assert_eq!(body["status"], "success", "{path}: {body}");
        body["data"].take()
    }
}

fn launch(variable: &str, dir: &Path, options: &[(&str, String)]) -> Process {
    let program = env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: start this by tests/monitoring/run.sh"));
    let options: Vec<_> = options.iter().map(|(o, v)| format!("--{o}={v}")).collect();
    let log = dir.join(format!("{variable}.log"));
    Process::start(&program, options.iter().map(String::as_str), &log)
}

fn path(path: &Path) -> String {
    path.to_str()
        .expect("the target folder's path is UTF-8")
        .to_owned()
}

/// For a query string.
fn escaped(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    bytes.collect()
}
