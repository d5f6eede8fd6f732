//! What a process did, and what that cost.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use procfs::process::Process;
use serde_json::Value;

use crate::support::wait;

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long a run may take.
const DONE: Duration = Duration::from_mins(15);

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) flows: u64,
    /// Those of them that `seconds` are about.
    pub(crate) counted: u64,
    pub(crate) seconds: f64,
    /// Of the whole process, from its start to its end.
    pub(crate) cpu: f64,
    /// Bytes that were resident at most.
    pub(crate) memory: u64,
}

impl Run {
    pub(crate) fn rate(&self) -> f64 {
        self.counted as f64 / self.seconds
    }

    /// CPU seconds for a million flows.
    pub(crate) fn cost(&self) -> f64 {
        self.cpu / (self.flows as f64 / 1e6)
    }
}

/// CPU seconds and peak memory of a running process so far; `None` when it has ended.
pub(crate) fn usage(id: u32) -> Option<(f64, u64)> {
    let process = Process::new(id as i32).ok()?;
    let stat = process.stat().ok()?;
    let memory = process.status().ok()?.vmhwm? * 1024;
    let cpu = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
    Some((cpu, memory))
}

/// Runs a program to its end, and takes the line of JSON that it ends with.
pub(crate) fn run(name: &str, command: &mut Command) -> (Run, Value) {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
    let mut used = (0.0, 0);
    let status = wait_for(&mut child, name, &mut used);
    let mut text = String::new();
    let mut output = child.stdout.take().expect("its output is piped");
    output
        .read_to_string(&mut text)
        .expect("its output is text");
    assert!(status.success(), "{name} ended with {status}: {text}");
    let line = text.lines().rfind(|line| line.starts_with('{'));
    let line = line.unwrap_or_else(|| panic!("{name} says no result: {text}"));
    let said: Value = serde_json::from_str(line).expect("its result is JSON");
    let flows = said["records"].as_u64().expect("it says how many records");
    let run = Run {
        flows,
        counted: flows,
        seconds: said["seconds"].as_f64().expect("it says how long it took"),
        cpu: used.0,
        memory: used.1,
    };
    (run, said)
}

fn wait_for(child: &mut Child, name: &str, used: &mut (f64, u64)) -> std::process::ExitStatus {
    let deadline = Instant::now() + DONE;
    loop {
        // What is left of one that has ended has no memory any more.
        if let Some(now) = usage(child.id()) {
            *used = now;
        }
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status;
        }
        if Instant::now() > deadline {
            // It may have ended by itself.
            let _ = child.kill();
            panic!("{name} has not ended after {DONE:?}");
        }
        wait::pass(LOOK);
    }
}
