//! The detecting thread: applies partials, emits, commits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, select};

use super::PROGRESS_EVERY;
use super::restore::{Answer, Question};
use super::slot::Slot;
use crate::detect::{DetectTask, Emission};
use crate::kafka::fence::AssignmentNumber;
use crate::kafka::group::{Group, GroupEvent};
use crate::kafka::producer::{OutOffset, TransactionError, TransactionalProducer};
use crate::kafka::queue::Buffer;
use crate::kafka::{Fatal, RequestError};
use crate::partial::SourceId;
use crate::stage::Shell;
use crate::stage::count::{pause, prepare};
use crate::stage::output::Output;
use crate::stage::pulse::Pulse;
use crate::stage::status::Stage;
use crate::telemetry::otel::Finalised;
use crate::telemetry::{Span, clock};

/// Records per call. A delta may be half a megabyte, so that few are enough.
const BATCH: usize = 256;
/// How long the thread rests when no partition has a record.
const REST: Duration = Duration::from_millis(5);
/// How often overdue windows and status are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often ends are asked for, for telemetry alone.
const LAG_EVERY: Duration = Duration::from_secs(2);
/// After a failed emission the thread rests for this long.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// The detecting thread.
pub(super) struct Worker<'s> {
    pub(super) shell: &'s Arc<Shell>,
    group: &'s Arc<Group>,
    producer: TransactionalProducer,
    events: Receiver<GroupEvent>,
    questions: Sender<Question>,
    answers: Receiver<Answer>,
    output: Output,
    pub(super) slots: Vec<Slot>,
    buffer: Buffer,
    /// Nobody reads: a rebalance is going on.
    frozen: bool,
    next_tick: Instant,
    next_lag: Instant,
    pulse: Pulse,
}

/// What became of an emission.
enum Committed {
    Yes,
    /// The task must be dropped and restored.
    No,
}

impl<'s> Worker<'s> {
    pub(super) fn new(
        shell: &'s Arc<Shell>,
        group: &'s Arc<Group>,
        producer: TransactionalProducer,
        events: Receiver<GroupEvent>,
        questions: Sender<Question>,
        answers: Receiver<Answer>,
    ) -> Self {
        Self {
            output: Output {
                names: shell.names.clone(),
                format: shell.config.output.format,
                instance: shell.identity.name.clone(),
            },
            shell,
            group,
            producer,
            events,
            questions,
            answers,
            slots: Vec::new(),
            buffer: Buffer::new(BATCH),
            frozen: false,
            next_tick: Instant::now(),
            next_lag: Instant::now(),
            pulse: shell.pulses.of("detect"),
        }
    }

    /// Until a stop is requested or nothing more can be done. Drops queues and channels.
    pub(super) fn run(mut self) -> Result<(), Fatal> {
        let pulse = self.pulse.clone();
        while !self.shell.stop.is_requested() {
            let mut read = false;
            for at in 0..self.slots.len() {
                // Each piece of work by itself: an emission may take as long as its transaction.
                read |= pulse.during(|| self.read(at))?;
                while pulse.during(|| self.emit(at))? {
                    self.wait(Duration::ZERO)?;
                }
            }
            if Instant::now() >= self.next_tick {
                self.next_tick = Instant::now() + TICK;
                for at in 0..self.slots.len() {
                    pulse.during(|| self.look(at))?;
                }
                self.ask_ends();
                self.tell();
            }
            self.wait(if read { Duration::ZERO } else { REST })?;
        }
        for at in 0..self.slots.len() {
            pulse.during(|| self.progress(at))?;
        }
        Ok(())
    }

    /// Handles what the other threads say, waiting at most `patience` for it.
    fn wait(&mut self, patience: Duration) -> Result<(), Fatal> {
        let (mut event, mut answer) = (None, None);
        select! {
            recv(self.events) -> e => event = Some(e),
            recv(self.answers) -> a => answer = Some(a),
            default(patience) => {}
        }
        let gone = |_| Fatal("a thread of detect ended by itself: a bug".to_owned());
        if let Some(event) = event {
            self.rebalance(event.map_err(gone)?)?;
        }
        if let Some(answer) = answer {
            self.answered(answer.map_err(gone)?)?;
        }
        Ok(())
    }

    fn rebalance(&mut self, event: GroupEvent) -> Result<(), Fatal> {
        match event {
            GroupEvent::Rebalancing { revoked, released } => {
                self.slots.retain(|s| !revoked.contains(&s.number));
                self.frozen = true;
                drop(released);
            }
            GroupEvent::Rebalanced { assigned } => {
                let now = Instant::now();
                for slot in &mut self.slots {
                    if let Some(detecting) = &mut slot.detecting {
                        detecting.seek = Some((now, now));
                    }
                }
                for assigned in assigned {
                    let mut slot = Slot::new(assigned);
                    self.ask(slot.restore());
                    self.slots.push(slot);
                }
                self.frozen = false;
                self.shell.status.detect(|d| d.assigned = true);
                self.tell();
            }
            GroupEvent::Failed(fatal) => return Err(fatal),
        }
        Ok(())
    }

    fn ask(&self, question: Question) {
        // The restoring thread ends after this one.
        let _ = self.questions.send(question);
    }

    fn answered(&mut self, answer: Answer) -> Result<(), Fatal> {
        match answer {
            Answer::Restored {
                number,
                task,
                offset,
            } => {
                let now = Instant::now();
                if let Some(slot) = self.slot(number)
                    && slot.detecting.is_none()
                {
                    slot.begin(task, offset, now);
                    self.shell.status.no_trouble(Stage::Detect);
                }
                Ok(())
            }
            Answer::Ends(ends) => {
                self.ends(&ends);
                Ok(())
            }
            Answer::Failed(fatal) => Err(fatal),
        }
    }

    fn slot(&mut self, number: AssignmentNumber) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|s| s.number == number)
    }

    fn ends(&mut self, ends: &HashMap<SourceId, i64>) {
        // The marks of transactions are offsets, too, and are passed without being read.
        let passed = self.group.positions();
        for slot in &mut self.slots {
            if let (Some(end), Some(detecting)) = (ends.get(&slot.source), &mut slot.detecting) {
                let position = passed.get(&slot.source).copied().unwrap_or(0);
                let position = position.max(detecting.position);
                detecting.lag = Some(u64::try_from(end - position).unwrap_or(0));
            }
        }
    }

    fn read(&mut self, at: usize) -> Result<bool, Fatal> {
        let (now, wall) = (Instant::now(), clock::steady());
        let Some(slot) = self.slots.get_mut(at).filter(|_| !self.frozen) else {
            return Ok(false);
        };
        let read = slot.seek(self.group, now).and_then(|()| {
            let traced = self.shell.tracing.propagates();
            slot.read(&mut self.buffer, traced, wall, now)
        });
        match read {
            Ok(records) => Ok(records > 0),
            Err(RequestError::Retry(why)) => {
                self.shell.status.trouble(Stage::Detect, &why);
                Ok(false)
            }
            Err(RequestError::Fatal(fatal)) => Err(fatal),
        }
    }

    /// Writes what is due. Whether there may be more.
    fn emit(&mut self, at: usize) -> Result<bool, Fatal> {
        match self.pass(at, DetectTask::emission) {
            Some((emission, begun)) => self.commit(at, emission, begun).map(|()| true),
            None => Ok(false),
        }
    }

    /// Writes what is overdue, or at least how far it is.
    fn look(&mut self, at: usize) -> Result<(), Fatal> {
        self.replan(at);
        let wall = clock::steady();
        while let Some((emission, begun)) = self.pass(at, |task| task.overdue(wall)) {
            self.commit(at, emission, begun)?;
        }
        let slow = self.slots.get(at).and_then(|s| s.detecting.as_ref());
        if slow.is_some_and(|d| d.committed.elapsed() >= PROGRESS_EVERY) {
            self.progress(at)?;
        }
        Ok(())
    }

    /// Lets other rules decide, if there are.
    fn replan(&mut self, at: usize) {
        let detecting = self.slots.get_mut(at).and_then(|s| s.detecting.as_mut());
        if let Some(detecting) = detecting
            && let Some(latest) = self.shell.rules.after(detecting.generation)
            && detecting.task.replan(&latest.rules)
        {
            detecting.generation = latest.number;
        }
    }

    fn progress(&mut self, at: usize) -> Result<(), Fatal> {
        match self.task(at).and_then(DetectTask::progress) {
            Some(emission) => self.commit(at, emission, clock::system()),
            None => Ok(()),
        }
    }

    /// What `make` makes of windows, if anything, and when that began.
    fn pass(
        &mut self,
        at: usize,
        make: impl FnOnce(&mut DetectTask) -> Option<Emission>,
    ) -> Option<(Emission, SystemTime)> {
        let (begun, timer) = (clock::system(), Instant::now());
        let emission = make(self.task(at)?)?;
        self.shell.status.recorder().finalise(timer.elapsed());
        Some((emission, begun))
    }

    fn task(&mut self, at: usize) -> Option<&mut DetectTask> {
        let detecting = self.slots.get_mut(at)?.detecting.as_mut()?;
        Some(&mut detecting.task)
    }

    /// Commits an emission whose making began at `begun`, or begins its task anew.
    fn commit(&mut self, at: usize, emission: Emission, begun: SystemTime) -> Result<(), Fatal> {
        let span = self.span(at, &emission, begun);
        let outcome = self.transact(at, &emission, &span)?;
        drop(span);
        let Some(slot) = self.slots.get_mut(at) else {
            return Ok(());
        };
        if let (Committed::Yes, Some(detecting)) = (outcome, &mut slot.detecting) {
            detecting.committed = Instant::now();
            detecting.behind.forget(&emission);
            detecting.task.committed(emission);
            return Ok(());
        }
        let question = slot.restore();
        // Committed offsets may be read back only when the producer has settled what it left.
        let (shell, producer) = (self.shell, &mut self.producer);
        if self
            .pulse
            .wait(|| prepare(shell, Stage::Detect, producer))?
        {
            self.ask(question);
            pause(AFTER_FAILURE);
        }
        Ok(())
    }

    /// The span of an emission; empty without windows.
    fn span(&self, at: usize, emission: &Emission, begun: SystemTime) -> Span {
        let slot = self.slots.get(at);
        let Some((slot, detecting)) = slot.and_then(|s| Some((s, s.detecting.as_ref()?))) else {
            return Span::default();
        };
        if emission.windows.is_empty() {
            return Span::default();
        }
        let what = || Finalised {
            topic: Arc::clone(&slot.source.topic),
            partition: slot.source.partition,
            windows: emission.windows.len(),
            ends: emission
                .window_times
                .iter()
                .min()
                .zip(emission.window_times.iter().max())
                .map(|(first, last)| (first.to_string(), last.to_string())),
            leaves: emission.windows.iter().map(|w| w.leaves).sum(),
            alerts: emission.alerts.len(),
            links: detecting.behind.links(emission),
        };
        let tracing = &self.shell.tracing;
        tracing.finalise(what, begun, clock::system())
    }

    fn transact(
        &mut self,
        at: usize,
        emission: &Emission,
        span: &Span,
    ) -> Result<Committed, Fatal> {
        let begun = Instant::now();
        let Some(slot) = self.slots.get(at) else {
            return Ok(Committed::No);
        };
        let source = slot.source.clone();
        let records = self
            .output
            .records(
                emission,
                source.partition,
                clock::now(),
                span.traceparent().as_deref(),
            )
            .map_err(|e| Fatal(format!("{source}: {e}: a bug")))?;
        let offset = OutOffset {
            partition: source,
            number: slot.number,
            offset: emission.offset,
            metadata: String::new(),
        };
        let bytes: usize = records
            .iter()
            .map(|r| r.payload.as_ref().map_or(0, Vec::len))
            .sum();
        let _inside = span.enter(&self.shell.settings.group("detect"));
        let pass = self.group.fence().transaction();
        let result = self
            .producer
            .transact(self.group, &pass, &[&records], &[offset]);
        drop(pass);
        if let Err(error) = &result {
            let (class, why) = error.told();
            span.fail(class, why);
        }
        self.shell.status.recorder().emission(begun.elapsed());
        match result {
            Ok(commit) => {
                self.shell.status.recorder().commit("detect", commit);
                self.count(emission, bytes);
                self.shell.status.no_trouble(Stage::Detect);
                Ok(Committed::Yes)
            }
            Err(TransactionError::Rewind(why)) => {
                self.shell.status.detect(|d| d.emissions.aborted += 1);
                self.shell.status.trouble(Stage::Detect, &why);
                Ok(Committed::No)
            }
            Err(TransactionError::Fatal(fatal)) => {
                self.shell.status.detect(|d| d.emissions.aborted += 1);
                Err(fatal)
            }
        }
    }

    fn ask_ends(&mut self) {
        if Instant::now() < self.next_lag {
            return;
        }
        self.next_lag = Instant::now() + LAG_EVERY;
        let sources = self.slots.iter().map(|s| s.source.clone()).collect();
        self.ask(Question::Ends(sources));
    }
}
