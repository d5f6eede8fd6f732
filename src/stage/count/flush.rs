//! The thread that encodes and commits, one flush after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::start;
use super::strays::Strays;
use crate::count::{ExporterIssues, Flush, RuleSums};
use crate::kafka::Fatal;
use crate::kafka::fence::AssignmentNumber;
use crate::kafka::group::Group;
use crate::kafka::producer::{OutOffset, OutRecord, TransactionError, TransactionalProducer};
use crate::net::Addr;
use crate::partial::{Fates, SourceId};
use crate::stage::pulse::Pulse;
use crate::stage::status::Stage;
use crate::stage::{Shell, dead_letter};
use crate::telemetry::otel::{Flushed, TRACEPARENT};
use crate::telemetry::{SourceStatus, WrongFormat, clock};

/// One task's part of a flush.
pub(super) struct Part {
    pub(super) number: AssignmentNumber,
    pub(super) flush: Flush,
    pub(super) topic_partitions: u32,
    pub(super) first_partitions: u32,
}

/// A flush to commit.
pub(super) struct Job {
    pub(super) parts: Vec<Part>,
    /// When its tables were swapped out.
    pub(super) begun: Instant,
}

/// What became of a flush.
pub(super) struct Done {
    /// Every assignment that was in it, also those that were revoked meanwhile.
    pub(super) numbers: Vec<AssignmentNumber>,
    pub(super) outcome: Outcome,
}

/// What became of a flush.
pub(super) enum Outcome {
    /// All live parts are committed.
    Committed,
    /// Its tasks must be dropped and begin again at what is committed.
    Rewind,
    /// The stage must end.
    Failed(Fatal),
}

/// Encodes and commits.
pub(super) struct Flusher {
    shell: Arc<Shell>,
    group: Arc<Group>,
    producer: TransactionalProducer,
    jobs: Receiver<Job>,
    done: Sender<Done>,
    pulse: Pulse,
    strays: BTreeMap<SourceId, Strays>,
}

/// A part, encoded.
struct Encoded {
    offset: OutOffset,
    records: Vec<OutRecord>,
    told: Told,
}

/// What telemetry is told once it is committed.
struct Told {
    source: SourceId,
    fates: Fates,
    exporters: Vec<(Option<Addr>, ExporterIssues)>,
    rules: Vec<(Arc<str>, RuleSums)>,
    /// A dead letter's reason.
    reason: Option<String>,
}

impl Told {
    /// What the undecodable records look like.
    fn likely(&self) -> &str {
        self.reason.as_deref().unwrap_or("no flow")
    }
}

impl Flusher {
    pub(super) fn new(
        shell: &Arc<Shell>,
        group: &Arc<Group>,
        producer: TransactionalProducer,
        jobs: Receiver<Job>,
        done: Sender<Done>,
    ) -> Self {
        Self {
            shell: Arc::clone(shell),
            group: Arc::clone(group),
            producer,
            jobs,
            done,
            pulse: shell.pulses.of("count-flush"),
            strays: BTreeMap::new(),
        }
    }

    /// Until the worker is gone.
    pub(super) fn run(mut self) {
        while let Ok(job) = self.jobs.recv() {
            let numbers = job.parts.iter().map(|p| p.number).collect();
            let pulse = self.pulse.clone();
            let outcome = pulse.during(|| self.flush(job));
            let outcome = match outcome {
                Outcome::Rewind => self.recover(),
                other => other,
            };
            if self.done.send(Done { numbers, outcome }).is_err() {
                return;
            }
        }
    }

    fn flush(&mut self, Job { parts, begun }: Job) -> Outcome {
        let names = &self.shell.names;
        let span = self.shell.tracing.flush(&names.partials, begun.elapsed());
        let _inside = span.enter(&self.shell.settings.group("count"));
        let traceparent = span.traceparent();
        let encode = |part| self.encode(part, traceparent.as_deref());
        let encoded: Vec<_> = parts.into_iter().map(encode).collect();
        let pass = self.group.fence().transaction();
        // What was revoked since is somebody else's to count.
        let live: Vec<_> = encoded
            .into_iter()
            .filter(|p| pass.is_live(p.offset.number))
            .collect();
        if live.is_empty() {
            span.fail("revoked", "nothing in it is ours any more");
            return Outcome::Committed;
        }
        let offsets: Vec<_> = live.iter().map(|p| p.offset.clone()).collect();
        let records: Vec<_> = live.iter().map(|p| p.records.as_slice()).collect();
        let result = self
            .producer
            .transact(&self.group, &pass, &records, &offsets);
        drop(pass);
        span.flushed(|| facts_of(&live));
        if let Err(error) = &result {
            let (class, why) = error.told();
            span.fail(class, why);
        }
        let recorder = self.shell.status.recorder();
        recorder.flush(begun.elapsed());
        if let Ok(commit) = &result {
            recorder.commit("count", *commit);
        }
        self.tell(&live, result.is_ok());
        match result {
            Ok(took) => {
                tracing::debug!(partitions = live.len(), ?took, "flush committed");
                Outcome::Committed
            }
            Err(TransactionError::Rewind(why)) => {
                self.shell.status.trouble(Stage::Count, &why);
                Outcome::Rewind
            }
            Err(TransactionError::Fatal(fatal)) => Outcome::Failed(fatal),
        }
    }

    /// Committed offsets may be read back only when the producer has settled what it left.
    fn recover(&mut self) -> Outcome {
        match super::prepare(&self.shell, Stage::Count, &mut self.producer) {
            Ok(_) => Outcome::Rewind,
            Err(fatal) => Outcome::Failed(fatal),
        }
    }

    fn encode(&self, part: Part, traceparent: Option<&[u8]>) -> Encoded {
        let facts = &self.shell.facts;
        let mut flush = part.flush;
        let source = flush.source.clone();
        let letters = std::mem::take(&mut flush.dead_letters);
        let mut told = Told {
            source: source.clone(),
            fates: flush.fates,
            exporters: std::mem::take(&mut flush.exporters),
            rules: Vec::new(),
            reason: letters.last().map(|l| l.reason.clone()),
        };
        let mut records: Vec<_> = letters
            .into_iter()
            .map(|letter| {
                let topic = &self.shell.names.dead_letters;
                dead_letter::record(topic, &source, letter, facts.dead_letter_bytes)
            })
            .collect();
        let offset = OutOffset {
            partition: source,
            number: part.number,
            offset: flush.next_offset,
            metadata: start::metadata(part.first_partitions, &flush.metadata),
        };
        let encoded = flush.encode(facts.partials_partitions, part.topic_partitions);
        told.rules = encoded.rules;
        records.extend(encoded.records.into_iter().map(|p| {
            OutRecord {
                topic: Arc::clone(&self.shell.names.partials),
                partition: Some(p.partition),
                key: Some(p.key),
                payload: Some(p.payload),
                headers: traceparent
                    .map(|value| (TRACEPARENT, value.to_vec()))
                    .into_iter()
                    .collect(),
                ..OutRecord::default()
            }
        }));
        Encoded {
            offset,
            records,
            told,
        }
    }

    fn tell(&mut self, live: &[Encoded], committed: bool) {
        let strays = &mut self.strays;
        self.shell.status.count(|count| {
            if !committed {
                count.flushes.aborted += 1;
                return;
            }
            count.flushes.committed += 1;
            count.flushes.bytes += bytes_of(live) as u64;
            for Encoded { told, .. } in live {
                let source = count.sources.entry(told.source.clone()).or_default();
                source.fates.add(&told.fates);
                let strays = strays.entry(told.source.clone()).or_default();
                judge_format(source, strays, told);
                for (rule, sums) in &told.rules {
                    count.rules.entry(Arc::clone(rule)).or_default().add(sums);
                }
                for (exporter, issues) in &told.exporters {
                    count.add_exporter(*exporter, *issues);
                }
            }
        });
        if committed {
            self.shell.status.no_trouble(Stage::Count);
            // Not under the status's lock, which probes wait for.
            for Encoded { told, .. } in live {
                log_strays(self.strays.entry(told.source.clone()).or_default(), told);
            }
        }
    }
}

/// What its undecodable records say of a partition's format.
fn judge_format(source: &mut SourceStatus, strays: &mut Strays, told: &Told) {
    let undecodable = told.fates.undecodable;
    if undecodable > 0
        && let Some(wrong) = &mut source.wrong_format
    {
        wrong.last = clock::now();
    }
    match strays.judge(told.fates.records(), undecodable) {
        Some(true) => {
            source.wrong_format = Some(WrongFormat {
                likely: told.likely().to_owned(),
                last: clock::now(),
            });
        }
        Some(false) => source.wrong_format = None,
        None => {}
    }
}

/// What the log says of a partition's undecodable records, if it is time.
fn log_strays(strays: &mut Strays, told: &Told) {
    if let Some(records) = strays.news(told.fates.undecodable, Instant::now()) {
        tracing::warn!(
            partition = %told.source,
            records,
            reason = told.likely(),
            "records that cannot be decoded are dead letters; told again at most once a minute"
        );
    }
}

/// Payloads only.
fn bytes_of(live: &[Encoded]) -> usize {
    let records = live.iter().flat_map(|p| &p.records);
    records
        .map(|r| r.payload.as_ref().map_or(0, Vec::len))
        .sum()
}

/// What a span says of a flush.
fn facts_of(live: &[Encoded]) -> Flushed {
    Flushed {
        sources: live.len(),
        records: live.iter().map(|p| p.told.fates.records()).sum(),
        messages: live.iter().map(|p| p.records.len()).sum(),
        bytes: bytes_of(live),
    }
}
