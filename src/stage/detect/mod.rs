//! The detect stage: deltas and markers in, alerts, window records, state and offsets out.
//!
//! In: partials partitions as the group assigns them. Out: one transaction per emission. Guarantees: a
//! task begins with the state that belongs to its committed offset; what an emission says is released
//! in memory only when it is committed; a failed one drops its task, which begins again at what is
//! committed; with nothing to tell the position is committed every [`PROGRESS_EVERY`].
//! On failure that no rewind mends the stage returns.

mod behind;
mod restore;
mod slot;
mod tell;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::unbounded;

use super::count::prepare;
use super::status::Stage;
use super::{Shell, spawn};
use crate::kafka::Fatal;
use crate::kafka::group::Group;
use crate::kafka::producer::TransactionalProducer;
use crate::kafka::topics::STATE_MESSAGE_BYTES;

use restore::Restorer;
use worker::Worker;

/// A position is committed at least this often.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Runs until a stop is requested or nothing more can be done.
pub(super) fn run(shell: &Arc<Shell>) -> Result<(), Fatal> {
    let mut producer = TransactionalProducer::new(
        &shell.settings,
        "detect",
        &shell.identity.name,
        STATE_MESSAGE_BYTES,
        Arc::clone(shell.status.clients()),
    );
    shell.status.detect(|_| ());
    if !prepare(shell, Stage::Detect, &mut producer)? {
        return Ok(());
    }
    let (events, group_events) = unbounded();
    let group = Group::join(
        &shell.settings,
        "detect",
        &[&shell.names.partials],
        shell.facts.partials_partitions,
        Arc::clone(shell.status.clients()),
        events,
    )?;
    let group = Arc::new(group);
    let (questions, question_queue) = unbounded();
    let (answers, answer_queue) = unbounded();
    let restorer = Restorer::new(shell, &group, question_queue, answers)?;
    let restorer = spawn("detect-ask", move || restorer.run())?;
    let result = Worker::new(
        shell,
        &group,
        producer,
        group_events,
        questions,
        answer_queue,
    )
    .run();
    // The worker has dropped its queues and channels: the other threads end, and the group is left.
    let panicked = restorer.join().is_err();
    group.join_poller();
    drop(group);
    if panicked && result.is_ok() {
        return Err(Fatal("a thread of detect panicked: a bug".to_owned()));
    }
    result
}
