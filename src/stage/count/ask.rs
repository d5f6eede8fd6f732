//! The thread that asks Kafka what takes time to answer: committed offsets, first positions, ends.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::others::{Ticket, Told};
use super::start::{self, Beginning};
use crate::count::Progress;
use crate::kafka::failpoint;
use crate::kafka::fence::AssignmentNumber;
use crate::kafka::group::Group;
use crate::kafka::offsets::Offsets;
use crate::kafka::{Fatal, RequestError};
use crate::partial::SourceId;
use crate::stage::Shell;
use crate::stage::pulse::Pulse;
use crate::stage::status::Stage;
use crate::telemetry::clock;

/// How often a question that could not be answered is tried again.
const ROUND: Duration = Duration::from_millis(250);
/// How long one leader may take to answer.
const ANSWER: Duration = Duration::from_millis(500);
/// How long committed offsets may take; then other questions go first. They wait for transactions
/// that a dead instance has left open.
const COMMITTED: Duration = Duration::from_secs(1);
/// How often the input's partitions are counted.
const RECOUNT: Duration = Duration::from_secs(2);

/// A question.
pub(super) enum Question {
    /// Where does this partition begin?
    Position(Asked),
    /// Which offsets does the broker have of this partition?
    Bounds(Asked),
    /// What are the ends of these? Only the last such question counts.
    Ends(Vec<SourceId>),
    /// How far are others with these? Only the last such question counts.
    Others(Ticket, Vec<SourceId>),
}

/// Whom an answer is for. Nobody any more, when the slot that it was asked for is gone.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) source: SourceId,
    pub(super) number: AssignmentNumber,
    pub(super) alive: Weak<()>,
}

/// An answer.
pub(super) enum Answer {
    /// Something is committed.
    Committed {
        number: AssignmentNumber,
        offset: i64,
        metadata: String,
        first_partitions: u32,
        topic_partitions: u32,
    },
    /// Nothing is committed.
    Fresh {
        number: AssignmentNumber,
        beginning: Beginning,
        topic_partitions: u32,
    },
    /// First offset and end.
    Bounds {
        number: AssignmentNumber,
        low: i64,
        high: i64,
    },
    /// Ends of quiet partitions whose leaders answered, asked for at `asked`.
    Ends {
        asked: Instant,
        ends: HashMap<SourceId, i64>,
    },
    /// How far others are. A partition whose metadata cannot be read is not in it.
    Others(Ticket, Vec<Told>),
    /// How many partitions an input topic has; 0 for one that does not exist.
    Partitions { topic: Arc<str>, partitions: u32 },
    /// It cannot be known.
    Failed(Fatal),
}

/// Asks.
pub(super) struct Asker {
    shell: Arc<Shell>,
    group: Arc<Group>,
    questions: Receiver<Question>,
    answers: Sender<Answer>,
    offsets: Offsets,
    waiting: Vec<Question>,
    quiet: Vec<SourceId>,
    others: Option<(Ticket, Vec<SourceId>)>,
    pulse: Pulse,
}

impl Asker {
    pub(super) fn new(
        shell: &Arc<Shell>,
        group: &Arc<Group>,
        questions: Receiver<Question>,
        answers: Sender<Answer>,
    ) -> Result<Self, Fatal> {
        Ok(Self {
            offsets: Offsets::of_group(&shell.settings, "count")?,
            pulse: shell.pulses.of("count-ask"),
            shell: Arc::clone(shell),
            group: Arc::clone(group),
            questions,
            answers,
            waiting: Vec::new(),
            quiet: Vec::new(),
            others: None,
        })
    }

    /// Until the worker is gone.
    pub(super) fn run(mut self) {
        let mut next_count = Instant::now();
        loop {
            match self.questions.recv_timeout(ROUND) {
                Ok(question) => {
                    self.take(question);
                    while let Ok(more) = self.questions.try_recv() {
                        self.take(more);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.ends();
            self.others();
            for question in std::mem::take(&mut self.waiting) {
                self.answer(question);
            }
            if Instant::now() >= next_count {
                next_count = Instant::now() + RECOUNT;
                self.recount();
            }
        }
    }

    fn take(&mut self, question: Question) {
        match question {
            Question::Ends(quiet) => self.quiet = quiet,
            Question::Others(ticket, others) => self.others = Some((ticket, others)),
            other => self.waiting.push(other),
        }
    }

    /// Answers, or keeps the question for the next round.
    fn answer(&mut self, question: Question) {
        let (Question::Position(asked) | Question::Bounds(asked)) = &question else {
            return;
        };
        if asked.alive.upgrade().is_none() {
            return;
        }
        let answer = self.pulse.during(|| {
            if matches!(question, Question::Position(_)) {
                return self.position(asked);
            }
            let (low, high) = self.offsets.bounds(&asked.source)?;
            let number = asked.number;
            Ok(Answer::Bounds { number, low, high })
        });
        match answer {
            Ok(answer) => {
                self.shell.status.no_trouble(Stage::Count);
                self.send(answer);
            }
            Err(RequestError::Retry(why)) => {
                self.shell.status.trouble(Stage::Count, &why);
                self.waiting.push(question);
            }
            Err(RequestError::Fatal(fatal)) => self.send(Answer::Failed(fatal)),
        }
    }

    fn send(&self, answer: Answer) {
        // Nobody listens when the worker has just ended.
        let _ = self.answers.send(answer);
    }

    fn position(&self, asked: &Asked) -> Result<Answer, RequestError> {
        let source = &asked.source;
        let number = asked.number;
        let topic_partitions = self
            .offsets
            .partitions(&source.topic)?
            .ok_or_else(|| RequestError::Retry(format!("no such topic: {}", source.topic)))?;
        failpoint::reached("count", "restore.before");
        let own = self
            .group
            .committed(std::slice::from_ref(source), COMMITTED)?;
        if let Some((_, Some(offset), metadata)) = own.into_iter().next() {
            failpoint::reached("count", "restore.after");
            let (first, task) = start::parse(&metadata);
            return Ok(Answer::Committed {
                number,
                offset,
                metadata: task.to_owned(),
                first_partitions: first.unwrap_or(topic_partitions),
                topic_partitions,
            });
        }
        let others: Vec<_> = (0..topic_partitions)
            .map(|p| SourceId {
                topic: Arc::clone(&source.topic),
                partition: i32::try_from(p).unwrap_or(i32::MAX),
            })
            .filter(|p| p != source)
            .collect();
        let others = if others.is_empty() {
            Vec::new()
        } else {
            self.group.committed(&others, COMMITTED)?
        };
        let others: Vec<_> = others
            .into_iter()
            .filter(|(_, offset, _)| offset.is_some())
            .map(|(_, _, metadata)| metadata)
            .collect();
        let start = self.shell.config.input.start;
        let beginning = start::resolve(
            &self.offsets,
            start,
            source,
            topic_partitions,
            &others,
            clock::now(),
        )?;
        Ok(Answer::Fresh {
            number,
            beginning,
            topic_partitions,
        })
    }

    fn ends(&mut self) {
        let quiet = std::mem::take(&mut self.quiet);
        if quiet.is_empty() {
            return;
        }
        let asked = Instant::now();
        let ends = self.pulse.during(|| self.offsets.ends(&quiet, ANSWER));
        self.send(Answer::Ends { asked, ends });
    }

    /// Without an answer nothing is said: what was known until then grows old by itself.
    fn others(&mut self) {
        let Some((ticket, others)) = self.others.take() else {
            return;
        };
        let committed = self
            .pulse
            .during(|| self.offsets.committed(&others, ANSWER));
        let committed = match committed {
            Ok(committed) => committed,
            Err(error) => {
                self.shell.status.clients().errors.record(error.to_string());
                return;
            }
        };
        let ends = self.pulse.during(|| self.offsets.ends(&others, ANSWER));
        let told = committed
            .into_iter()
            .filter_map(|(source, offset, metadata)| {
                // Another version's metadata holds nobody back.
                let progress = Progress::of(start::parse(&metadata).1).ok()?;
                Some(Told {
                    end: ends.get(&source).copied(),
                    source,
                    offset,
                    stream_time: progress.stream_time,
                    idle: progress.idle,
                })
            });
        self.send(Answer::Others(ticket, told.collect()));
    }

    fn recount(&self) {
        for topic in &self.shell.config.input.topics {
            if let Ok(partitions) = self.offsets.partitions(topic) {
                self.send(Answer::Partitions {
                    topic: topic.as_str().into(),
                    partitions: partitions.unwrap_or(0),
                });
            }
        }
    }
}
