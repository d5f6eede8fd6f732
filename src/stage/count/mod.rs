//! The count stage: input partitions in, deltas, markers, dead letters and offsets out.
//!
//! In: partitions as the group assigns them. Out: one transaction per flush. Guarantees: one flush is
//! committed at a time, while counting goes on; a flush that failed drops every task in it, and they go
//! on from what is committed; what was counted when a stop is requested is committed before the end.
//! On failure that no rewind mends the stage returns.

mod align;
mod answers;
mod ask;
mod fields;
mod flush;
mod others;
mod readers;
mod reading;
mod silence;
mod slot;
mod start;
mod strays;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{bounded, unbounded};

use super::status::Stage;
use super::{Shell, spawn};
use crate::count::RuleSums;
use crate::kafka::group::Group;
use crate::kafka::producer::TransactionalProducer;
use crate::kafka::topics::DEFAULT_MESSAGE_BYTES;
use crate::kafka::{Fatal, RequestError};

use ask::Asker;
use flush::Flusher;
use readers::Readers;
use worker::{Channels, Worker};

/// Runs until a stop is requested or nothing more can be done.
pub(super) fn run(shell: &Arc<Shell>) -> Result<(), Fatal> {
    let mut producer = TransactionalProducer::new(
        &shell.settings,
        "count",
        &shell.identity.name,
        shell.facts.dead_letter_bytes.max(DEFAULT_MESSAGE_BYTES),
        Arc::clone(shell.status.clients()),
    );
    // A rule that selects nothing is told as that.
    shell.status.count(|count| {
        let rules = shell.config.rules.iter();
        count.rules = rules
            .map(|r| (Arc::clone(&r.name), RuleSums::default()))
            .collect();
    });
    if !prepare(shell, Stage::Count, &mut producer)? {
        return Ok(());
    }
    let topics: Vec<_> = shell
        .config
        .input
        .topics
        .iter()
        .map(String::as_str)
        .collect();
    let (events, group_events) = unbounded();
    let group = Group::join(
        &shell.settings,
        "count",
        &topics,
        shell.facts.input_partitions,
        Arc::clone(shell.status.clients()),
        events,
    )?;
    let group = Arc::new(group);
    // One flush in flight: the second waits in the worker.
    let (jobs, job_queue) = bounded(1);
    let (done, results) = unbounded();
    let (questions, question_queue) = unbounded();
    let (answers, answer_queue) = unbounded();
    let flusher = Flusher::new(shell, &group, producer, job_queue, done);
    let flusher = spawn("count-flush", move || flusher.run())?;
    let asker = Asker::new(shell, &group, question_queue, answers)?;
    let asker = spawn("count-ask", move || asker.run())?;
    let channels = Channels {
        events: group_events,
        jobs,
        results,
        questions,
        answers: answer_queue,
    };
    let readers = Readers::new(shell.facts.input_partitions)?;
    let result = Worker::new(shell, &group, channels, readers).run();
    // The worker has dropped its queues and channels: the other threads end, and the group is left.
    let panicked = flusher.join().is_err() || asker.join().is_err();
    group.join_poller();
    drop(group);
    if panicked && result.is_ok() {
        return Err(Fatal("a thread of count panicked: a bug".to_owned()));
    }
    result
}

/// Makes the producer, however often that fails for now. False if a stop was requested meanwhile.
pub(super) fn prepare(
    shell: &Shell,
    stage: Stage,
    producer: &mut TransactionalProducer,
) -> Result<bool, Fatal> {
    while !shell.stop.is_requested() {
        match producer.prepare() {
            Ok(()) => {
                shell.status.no_trouble(stage);
                return Ok(true);
            }
            Err(RequestError::Retry(why)) => {
                shell.status.trouble(stage, &why);
                pause(Duration::from_millis(200));
            }
            Err(RequestError::Fatal(fatal)) => return Err(fatal),
        }
    }
    Ok(false)
}

/// Lets a moment pass before a request is tried again.
pub(super) fn pause(time: Duration) {
    // Nobody sends: the channel is there to be waited on.
    let (_keep, never) = bounded::<()>(0);
    let _ = never.recv_timeout(time);
}
