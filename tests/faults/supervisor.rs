//! Keeps instances running: whatever ends is started again, unless it is to be away.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::clock::Clocks;
use crate::schedule::SLOTS;
use crate::support::app::{App, Instance};
use crate::support::process::Signal;

const SIGKILL: i32 = 9;
/// After SIGTERM: 5 s are promised, and machines are slow.
const STOPPED: Duration = Duration::from_secs(20);
/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_millis(500);

/// Instances by number.
pub(crate) struct Supervisor<'a> {
    app: &'a App<'a>,
    clocks: &'a Clocks,
    slots: Vec<Slot>,
    next_sample: Instant,
    /// For how long an instance that dies at a point stays away.
    pub(crate) away: Duration,
    /// Resident memory in KiB, by slot and start.
    pub(crate) memory: BTreeMap<(usize, usize), Vec<u64>>,
    /// What ended that nobody asked to.
    pub(crate) surprises: Vec<String>,
    pub(crate) complaints: Vec<String>,
    /// Instances that are gone by SIGKILL.
    pub(crate) killed: usize,
}

#[derive(Default)]
struct Slot {
    instance: Option<Instance>,
    starts: usize,
    /// Not started before; `None`: not at all.
    wanted: Option<Instant>,
    /// The next end by SIGKILL is ours.
    killing: bool,
    /// When SIGTERM was sent.
    stopping: Option<Instant>,
}

impl<'a> Supervisor<'a> {
    /// Every slot is empty at first.
    pub(crate) fn new(app: &'a App<'a>, clocks: &'a Clocks) -> Self {
        Self {
            app,
            clocks,
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            next_sample: Instant::now(),
            away: Duration::ZERO,
            memory: BTreeMap::new(),
            surprises: Vec::new(),
            complaints: Vec::new(),
            killed: 0,
        }
    }

    /// Wants an instance in `slot`, from `when` on.
    pub(crate) fn want(&mut self, slot: usize, when: Instant) {
        self.slots[slot].wanted = Some(when);
    }

    /// Waits until every instance that is wanted says that it is ready.
    pub(crate) fn ready(&mut self) {
        let instances = self.slots.iter_mut().filter_map(|s| s.instance.as_mut());
        instances.for_each(Instance::ready);
    }

    /// SIGKILL. Back after `away`. Whether there was an instance.
    pub(crate) fn kill(&mut self, slot: usize, away: Duration) -> bool {
        let slot = &mut self.slots[slot];
        let Some(instance) = &slot.instance else {
            return false;
        };
        instance.process.signal(Signal::KILL);
        slot.killing = true;
        slot.wanted = Some(Instant::now() + away);
        true
    }

    /// SIGTERM; back at once, or never.
    pub(crate) fn stop(&mut self, slot: usize, back: bool) -> bool {
        let slot = &mut self.slots[slot];
        let now = Instant::now();
        slot.wanted = slot.wanted.filter(|_| back);
        let Some(instance) = &slot.instance else {
            return false;
        };
        instance.process.signal(Signal::TERM);
        slot.stopping.get_or_insert(now);
        true
    }

    /// SIGSTOP or SIGCONT.
    pub(crate) fn signal(&self, slot: usize, signal: Signal) -> bool {
        let instance = self.slots[slot].instance.as_ref();
        instance.inspect(|i| i.process.signal(signal)).is_some()
    }

    /// Looks at every instance, starts what is missing. The slots that SIGKILL ended without being
    /// asked to here, since the last look.
    pub(crate) fn tick(&mut self) -> Vec<usize> {
        let mut by_itself = Vec::new();
        for number in 0..self.slots.len() {
            if let Some((status, output, log)) = self.ended(number) {
                self.slots[number].instance = None;
                let asked = std::mem::take(&mut self.slots[number].killing);
                let stopping = self.slots[number].stopping.take();
                if status.signal() == Some(SIGKILL) {
                    self.killed += 1;
                    if !asked {
                        by_itself.push(number);
                        let slot = &mut self.slots[number];
                        let back = Instant::now() + self.away;
                        slot.wanted = slot.wanted.map(|_| back);
                    }
                } else if stopping.is_none() || !status.success() {
                    self.surprised(number, status, &output, &log);
                }
            }
            self.overdue(number);
            self.start(number);
        }
        self.sample();
        by_itself
    }

    fn ended(&mut self, number: usize) -> Option<(ExitStatus, String, PathBuf)> {
        let process = &mut self.slots[number].instance.as_mut()?.process;
        let status = process.ended()?;
        Some((status, process.output(), process.log().to_owned()))
    }

    /// It ended by itself. That is a way out of what cannot be mended within; a panic is none.
    fn surprised(
        &mut self,
        number: usize,
        status: ExitStatus,
        output: &str,
        log: &std::path::Path,
    ) {
        let last = output.lines().last().unwrap_or_default();
        let said = format!("instance {number} ended with {status}: {last}");
        println!("   {said} ({})", log.display());
        let panicked = ["panicked at", ": a bug", "corrupt"]
            .iter()
            .any(|word| output.contains(word));
        if panicked || status.signal().is_some() {
            self.complaints.push(said);
        } else {
            self.surprises.push(said);
        }
    }

    fn overdue(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        let late = slot.stopping.is_some_and(|asked| asked.elapsed() > STOPPED);
        if let (true, Some(instance)) = (late && !slot.killing, &slot.instance) {
            self.complaints.push(format!(
                "instance {number} does not end after SIGTERM ({})",
                instance.process.log().display()
            ));
            instance.process.signal(Signal::KILL);
            slot.killing = true;
        }
    }

    fn start(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        let due = slot.wanted.is_some_and(|when| when <= Instant::now());
        if due && slot.instance.is_none() {
            let bootstrap = self.app.cluster.bootstrap_by(number);
            slot.instance = Some(
                self.app
                    .start_by(number, &bootstrap, &self.clocks.env(number)),
            );
            slot.starts += 1;
        }
    }

    fn sample(&mut self) {
        if Instant::now() < self.next_sample {
            return;
        }
        self.next_sample = Instant::now() + SAMPLE;
        for (number, slot) in self.slots.iter().enumerate() {
            let resident = slot
                .instance
                .as_ref()
                .and_then(|i| resident(i.process.id()));
            if let Some(resident) = resident {
                self.memory
                    .entry((number, slot.starts))
                    .or_default()
                    .push(resident);
            }
        }
    }

    /// SIGTERM to all, and waits for them; each must end with exit code 0.
    pub(crate) fn end(mut self) -> Ended {
        for slot in &mut self.slots {
            if let Some(instance) = slot.instance.take() {
                instance.stop();
            }
        }
        Ended {
            memory: self.memory,
            surprises: self.surprises,
            complaints: self.complaints,
            killed: self.killed,
        }
    }
}

/// What is known once all instances have ended.
pub(crate) struct Ended {
    pub(crate) memory: BTreeMap<(usize, usize), Vec<u64>>,
    pub(crate) surprises: Vec<String>,
    pub(crate) complaints: Vec<String>,
    pub(crate) killed: usize,
}

/// Resident memory of a process in KiB, if it is there.
pub(crate) fn resident(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
