//! One container under podman: read-only, without capabilities, as a user without rights.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::process::Process;
use super::support::tools;

/// What podman prints; panics with what it says when it refuses.
pub(crate) fn podman(args: &[&str]) -> String {
    let output = Command::new("podman").args(args).output();
    let output = output.unwrap_or_else(|error| panic!("podman does not start: {error}"));
    assert!(
        output.status.success(),
        "podman {args:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("podman writes text")
}

/// A running container. Dropped: removed.
pub(crate) struct Container {
    name: String,
    /// `podman run` in the foreground: its output and exit code are the container's.
    process: Process,
}

impl Container {
    /// Runs the image's own command with `config` where it looks for its configuration.
    pub(crate) fn start(
        image: &str,
        config: &Path,
        variables: impl Iterator<Item = String>,
    ) -> Self {
        let name = format!("hotprefix-test-{}", std::process::id());
        let mount = format!("{}:/etc/hotprefix/config.yaml:ro", config.display());
        let mut args: Vec<String> = [
            "run",
            "--name",
            &name,
            "--network=host",
            "--read-only",
            // Also no temporary folder.
            "--read-only-tmpfs=false",
            "--user=65532:65532",
            "--cap-drop=all",
            "--security-opt=no-new-privileges",
            "--volume",
            &mount,
        ]
        .map(str::to_owned)
        .to_vec();
        args.extend(variables.flat_map(|variable| ["--env".to_owned(), variable]));
        args.push(image.to_owned());
        let log = tools::scratch("image").join("hotprefix.log");
        let process = Process::start("podman", args.iter().map(String::as_str), &log);
        Self { name, process }
    }

    /// Panics with its log if it has ended.
    pub(crate) fn still_runs(&mut self) {
        if let Some(status) = self.process.ended() {
            panic!(
                "the container ended with {status}:\n{}",
                self.process.output()
            );
        }
    }

    /// Runs the image's health check in it, as an engine does at intervals.
    pub(crate) fn is_healthy(&self) -> bool {
        let check = Command::new("podman")
            .args(["healthcheck", "run", &self.name])
            .output();
        check.expect("podman starts").status.success()
    }

    /// starting, healthy or unhealthy
    pub(crate) fn status(&self) -> String {
        let format = "{{.State.Health.Status}}";
        let status = podman(&["container", "inspect", "--format", format, &self.name]);
        status.trim().to_owned()
    }

    /// SIGTERM. It ends with exit code 0, which hotprefix does within 5 s or not at all.
    pub(crate) fn stop(mut self) {
        let asked = Instant::now();
        podman(&["stop", "--time=10", &self.name]);
        let status = self.process.wait(Duration::from_secs(10));
        println!("ended {:?} after SIGTERM", asked.elapsed());
        let output = self.process.output();
        assert!(status.success(), "ended with {status}:\n{output}");
        assert!(output.contains("stopped, everything committed"), "{output}");
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // It may not have been created.
        let _ = Command::new("podman")
            .args(["rm", "--force", "--time=0", &self.name])
            .output();
    }
}
