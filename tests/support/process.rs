//! Child processes that do not outlive the test: started, signalled and ended by their own id.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, kill_process};

pub(crate) use rustix::process::Signal;

use super::wait;

/// A running child, its output in a file. Dropped: killed.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` so that the kernel kills it when the *thread* that called this ends.
    ///
    /// Call it from the test's own thread, or from one that lives as long as the child should.
    pub(crate) fn start<'a>(
        program: &str,
        args: impl IntoIterator<Item = &'a str>,
        log: &Path,
    ) -> Self {
        Self::start_with(program, args, &[], log)
    }

    /// The same with variables besides those of this process.
    pub(crate) fn start_with<'a>(
        program: &str,
        args: impl IntoIterator<Item = &'a str>,
        env: &[(String, String)],
        log: &Path,
    ) -> Self {
        let out = File::create(log).expect("a log file can be created in the scratch folder");
        let err = out.try_clone().expect("a file handle can be duplicated");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", program])
            .args(args)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "broker tests start processes through `setpriv`, and it does not start ({error}): \
                     install util-linux 2.33 or later (broker tests run on Linux only)"
                )
            });
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it ever held, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.id());
        let status = std::fs::read_to_string(&path).expect("a running process has a status");
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kilobytes = peak.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok());
        kilobytes.map_or_else(
            || panic!("{path} has no VmHWM: {status}"),
            |kb: u64| kb * 1024,
        )
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal)
            .expect("a child that was not waited for can be signalled");
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Waits until it ended; panics with its log if it does not within `within`.
    pub(crate) fn wait(&mut self, within: Duration) -> ExitStatus {
        let what = format!("{} ends", self.log.display());
        wait::until(&what, within, Duration::from_millis(20), || self.ended())
    }

    /// Ends it with SIGKILL and waits for it.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// All it wrote so far.
    pub(crate) fn output(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The file with what it writes.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}
