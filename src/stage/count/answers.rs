//! What the counting thread makes of answers: where tasks begin, and what a gap does.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::align::Pace;
use super::ask::Answer;
use super::silence::Silence;
use super::slot::{Counting, Reading, State};
use super::worker::Worker;
use crate::config::OnGap;
use crate::count::{CountTask, Resume};
use crate::kafka::Fatal;
use crate::kafka::fence::AssignmentNumber;
use crate::partial::SourceId;

impl Worker<'_> {
    pub(super) fn answered(&mut self, answer: Answer) -> Result<(), Fatal> {
        match answer {
            Answer::Committed {
                number,
                offset,
                metadata,
                first_partitions,
                topic_partitions,
            } => {
                let resume = Resume::Committed {
                    next_offset: offset,
                    metadata: &metadata,
                };
                self.begin(number, resume, first_partitions, topic_partitions)
            }
            Answer::Fresh {
                number,
                beginning,
                topic_partitions,
            } => {
                let resume = Resume::Fresh {
                    next_offset: beginning.offset,
                    from_log_start: beginning.offset == 0,
                };
                self.begin(number, resume, beginning.first_partitions, topic_partitions)
            }
            Answer::Bounds { number, low, high } => self.bounds(number, low, high),
            Answer::Ends { asked, ends } => {
                self.ends(asked, &ends);
                Ok(())
            }
            Answer::Others(ticket, told) => {
                if ticket == self.others.ticket() {
                    self.others.learn(Instant::now(), told);
                }
                Ok(())
            }
            Answer::Partitions { topic, partitions } => {
                let known = self.partitions.entry(topic).or_default();
                // A broker that has just started knows no topics yet.
                if partitions > 0 {
                    *known = partitions;
                }
                Ok(())
            }
            Answer::Failed(fatal) => Err(fatal),
        }
    }

    /// Gives a slot its task.
    fn begin(
        &mut self,
        number: AssignmentNumber,
        resume: Resume<'_>,
        first_partitions: u32,
        topic_partitions: u32,
    ) -> Result<(), Fatal> {
        let plan = Arc::clone(&self.plan);
        let now = Instant::now();
        let Some(slot) = self.slot(number) else {
            return Ok(());
        };
        if !matches!(slot.state, State::Asking(_)) {
            return Ok(());
        }
        let source = slot.source.clone();
        let reading = match resume {
            // Its first position is committed before anything is counted.
            Resume::Fresh { .. } => Reading::AfterCommit,
            Resume::Committed { .. } => Reading::seek(now),
        };
        let is_fresh = reading == Reading::AfterCommit;
        let task =
            CountTask::new(source.clone(), plan, resume).map_err(|e| Fatal(e.to_string()))?;
        tracing::info!(%source, offset = task.next_offset(), "counting begins");
        slot.state = State::Counting(Box::new(Counting {
            silence: Silence::new(now, task.stream_time()),
            task,
            reading,
            pace: Pace::new(),
            first_partitions,
        }));
        self.partitions.insert(source.topic, topic_partitions);
        if is_fresh {
            self.next_flush = now;
        }
        Ok(())
    }

    /// The broker no longer has the record at a slot's position: goes on at its first one.
    fn bounds(&mut self, number: AssignmentNumber, low: i64, high: i64) -> Result<(), Fatal> {
        let on_gap = self.shell.config.input.on_gap;
        let now = Instant::now();
        let Some(slot) = self.slot(number) else {
            return Ok(());
        };
        let source = slot.source.clone();
        let Some(counting) = slot.counting() else {
            return Ok(());
        };
        if counting.reading != Reading::AfterBounds {
            return Ok(());
        }
        let position = counting.task.next_offset();
        if position > high {
            return Err(Fatal(format!(
                "{source}: the log ends at {high}, below the position {position}: the topic was truncated or made anew; `hotprefix reset` or a new application_id begins afresh"
            )));
        }
        if position < low {
            if on_gap == OnGap::Stop {
                return Err(Fatal(format!(
                    "{source}: offsets {position} to {low} were deleted before they were read; input.on_gap is stop"
                )));
            }
            tracing::error!(%source, from = position, to = low, "records were deleted before they were read");
            counting.task.gap(position, low);
        }
        counting.reading = Reading::AfterSeek {
            since: now,
            next: now,
            restart: true,
        };
        Ok(())
    }

    fn ends(&mut self, asked: Instant, ends: &HashMap<SourceId, i64>) {
        let positions = self.group.positions();
        for slot in &mut self.slots {
            let Some(end) = ends.get(&slot.source) else {
                continue;
            };
            let passed = positions.get(&slot.source).copied();
            if let Some(counting) = slot.counting()
                && counting.reading == Reading::Now
            {
                let position = counting.task.next_offset();
                let position = passed.map_or(position, |p| position.max(p));
                counting.silence.answer(asked, *end, position);
            }
        }
    }
}
