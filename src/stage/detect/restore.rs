//! The thread that restores tasks: committed offset, then the state partition to its true end.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::detect::{DetectPlan, DetectTask, StateError};
use crate::kafka::failpoint;
use crate::kafka::fence::AssignmentNumber;
use crate::kafka::group::Group;
use crate::kafka::offsets::Offsets;
use crate::kafka::restore::{Table, read_table};
use crate::kafka::{Fatal, RequestError};
use crate::partial::SourceId;
use crate::stage::Shell;
use crate::stage::pulse::Pulse;
use crate::stage::status::Stage;

/// How often a restore that failed is tried again, and how often ends are asked for.
const ROUND: Duration = Duration::from_millis(250);
/// How long committed offsets may take. They wait for transactions that a dead instance has left open.
const COMMITTED: Duration = Duration::from_secs(1);
/// How long one leader may take to answer.
const ANSWER: Duration = Duration::from_millis(500);

/// A question.
pub(super) enum Question {
    /// Restore the task of this partials partition.
    Restore {
        source: SourceId,
        number: AssignmentNumber,
        /// Nobody wants the answer when it is gone.
        alive: Weak<()>,
    },
    /// What are the ends of these?
    Ends(Vec<SourceId>),
}

/// An answer.
pub(super) enum Answer {
    /// A task, and where its reading begins.
    Restored {
        number: AssignmentNumber,
        task: Box<DetectTask>,
        offset: i64,
    },
    /// Ends of partials partitions.
    Ends(HashMap<SourceId, i64>),
    /// It cannot be restored.
    Failed(Fatal),
}

/// Restores.
pub(super) struct Restorer {
    shell: Arc<Shell>,
    group: Arc<Group>,
    questions: Receiver<Question>,
    answers: Sender<Answer>,
    offsets: Offsets,
    waiting: Vec<Question>,
    pulse: Pulse,
}

impl Restorer {
    pub(super) fn new(
        shell: &Arc<Shell>,
        group: &Arc<Group>,
        questions: Receiver<Question>,
        answers: Sender<Answer>,
    ) -> Result<Self, Fatal> {
        Ok(Self {
            offsets: Offsets::new(&shell.settings)?,
            pulse: shell.pulses.of("detect-ask"),
            shell: Arc::clone(shell),
            group: Arc::clone(group),
            questions,
            answers,
            waiting: Vec::new(),
        })
    }

    /// Until the worker is gone.
    pub(super) fn run(mut self) {
        loop {
            match self.questions.recv_timeout(ROUND) {
                Ok(question) => self.waiting.push(question),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.waiting.extend(self.questions.try_iter());
            for question in std::mem::take(&mut self.waiting) {
                match question {
                    Question::Restore {
                        source,
                        number,
                        alive,
                    } => self.restore_or_wait(source, number, alive),
                    Question::Ends(partitions) => {
                        let ends = self.pulse.during(|| self.offsets.ends(&partitions, ANSWER));
                        self.send(Answer::Ends(ends));
                    }
                }
            }
        }
    }

    fn send(&self, answer: Answer) {
        // Nobody listens when the worker has just ended.
        let _ = self.answers.send(answer);
    }

    fn restore_or_wait(&mut self, source: SourceId, number: AssignmentNumber, alive: Weak<()>) {
        if alive.upgrade().is_none() {
            return;
        }
        let begun = Instant::now();
        match self.restore(&source, &alive) {
            Ok(Some((task, offset))) => {
                tracing::info!(%source, offset, took = ?begun.elapsed(), "restored");
                let task = Box::new(task);
                self.send(Answer::Restored {
                    number,
                    task,
                    offset,
                });
            }
            Ok(None) => {}
            Err(RequestError::Retry(why)) => {
                self.shell.status.trouble(Stage::Detect, &why);
                self.waiting.push(Question::Restore {
                    source,
                    number,
                    alive,
                });
            }
            Err(RequestError::Fatal(fatal)) => self.send(Answer::Failed(fatal)),
        }
    }

    /// The order matters: offset, end, table. A transaction that moves the offset after we asked for
    /// it belongs to an owner who is fenced from then on, or aborts.
    fn restore(
        &self,
        source: &SourceId,
        alive: &Weak<()>,
    ) -> Result<Option<(DetectTask, i64)>, RequestError> {
        failpoint::reached("detect", "restore.before");
        let committed = self
            .pulse
            .during(|| {
                self.group
                    .committed(std::slice::from_ref(source), COMMITTED)
            })?
            .into_iter()
            .find_map(|(_, offset, _)| offset);
        let (low, _) = self.pulse.during(|| self.offsets.bounds(source))?;
        if let Some(offset) = committed.filter(|o| *o < low) {
            return Err(gone(source, offset, low).into());
        }
        let state = SourceId {
            topic: Arc::clone(&self.shell.names.state),
            partition: source.partition,
        };
        let (first, end) = self.pulse.during(|| self.offsets.bounds(&state))?;
        let group = self.shell.settings.group("detect");
        let stopped = || self.shell.stop.is_requested() || alive.strong_count() == 0;
        // It watches itself: reading a long state may take longer than a pulse.
        let table = if end == 0 && committed.is_some() {
            Some(Table::new())
        } else {
            // On the first start there is nothing to read, but whether we may read it had better show now than at
            // the next one.
            read_table(&self.shell.settings, &group, &state, (first, end), stopped)?
        };
        let Some(table) = table else {
            return Ok(None);
        };
        failpoint::reached("detect", "restore.after");
        let task = self.task(source, table, committed)?;
        Ok(Some((task, committed.unwrap_or(low))))
    }

    fn task(
        &self,
        source: &SourceId,
        table: Table,
        committed: Option<i64>,
    ) -> Result<DetectTask, Fatal> {
        let partitions = self.shell.facts.partials_partitions;
        let places = table.iter().map(|(key, (_, at))| (key.clone(), *at));
        let places: BTreeMap<_, _> = places.collect();
        let state = table.into_iter().map(|(key, (value, _))| (key, value));
        let state = state.collect();
        let config = &self.shell.config;
        let topics = config.input.topics.iter();
        let plan = DetectPlan {
            rules: self.shell.rules.rules(),
            topics: topics.map(|t| t.as_str().into()).collect(),
            max_wait: config.time.max_wait,
        };
        DetectTask::new(source.partition, &plan, state, committed, partitions).map_err(|e| {
            let place = format!("{}/{}", self.shell.names.state, source.partition);
            Fatal(unreadable(&place, &places, &e))
        })
    }
}

/// Says where the state is that cannot be gone on from, as far as one record is to blame.
fn unreadable(place: &str, offsets: &BTreeMap<Vec<u8>, i64>, error: &StateError) -> String {
    let key = match error {
        StateError::Corrupt { key, .. } => key.as_str(),
        StateError::Version { .. } => "task",
        _ => return format!("{place}: {error}"),
    };
    let mut offsets = offsets.iter();
    let found = offsets.find(|(k, _)| String::from_utf8_lossy(k) == key);
    let offset = found.map_or_else(String::new, |(_, at)| format!("record at offset {at}: "));
    format!("{place}: {offset}{error}")
}

/// What an operator can do when partials are gone.
pub(super) fn gone(source: &SourceId, offset: i64, low: i64) -> Fatal {
    Fatal(format!(
        "{source}: offsets {offset} to {low} were deleted before they were read, so open windows cannot be rebuilt: `hotprefix reset` or a new application_id begins afresh"
    ))
}
