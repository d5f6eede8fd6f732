//! Kafka in memory: logs, offsets and transactions, and a scheduler that picks who goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotprefix::config;
use hotprefix::count::{CountTask, Plan, Record as Input, Resume};
use hotprefix::detect::{DetectPlan, DetectTask, Emission};
use hotprefix::partial::{Fates, Partial, SourceId, decode};
use hotprefix::rule;
use hotprefix::time::Timestamp;
use serde_json::{Value, json};

use crate::flows::{Outgoing, Random, Record};
use crate::model::Rule;
use crate::outcome::{Message, Silence};
use crate::rules::as_config;

const PARTIALS: usize = 3;
const TOPIC: &str = "flows";
/// While something is reloaded no partition is so many records further than the slowest: partitions wait for each other.
const AHEAD: i64 = 700;
/// No event time of a load is near it, and nothing here may depend on it.
const WALL: Timestamp = Timestamp::from_millis(4_000_000_000_000);

/// An input partition with what is committed for it.
struct Counting {
    source: SourceId,
    log: Vec<Outgoing>,
    committed: Option<(i64, String)>,
    plan: Arc<Plan>,
    task: CountTask,
}

/// A partials partition with what is committed for it.
struct Detecting {
    log: Vec<Vec<u8>>,
    state: BTreeMap<Vec<u8>, Vec<u8>>,
    committed: Option<i64>,
    plan: DetectPlan,
    task: DetectTask,
    position: usize,
}

/// Other plans, which differ in named sets: each task learns of them at a time of its own.
pub(crate) struct Reload {
    /// With what it replaces.
    plan: Arc<Plan>,
    /// What a task of count knows that goes on elsewhere.
    elsewhere: Arc<Plan>,
    detect_plan: DetectPlan,
    /// Once so many records are counted.
    after: i64,
}

/// Both stages over one input topic.
pub(crate) struct Simulation {
    reload: Option<Reload>,
    counting: Vec<Counting>,
    detecting: Vec<Detecting>,
    alerts: Vec<Vec<u8>>,
    windows: Vec<Vec<u8>>,
    random: Random,
}

impl Simulation {
    pub(crate) fn new(
        rules: &[Rule],
        silence: Option<Silence>,
        partitions: usize,
        records: &[Record],
        seed: u64,
    ) -> Self {
        Self::of(plans(rules, silence), partitions, records, seed)
    }

    pub(crate) fn of(
        (plan, detect_plan): (Arc<Plan>, DetectPlan),
        partitions: usize,
        records: &[Record],
        seed: u64,
    ) -> Self {
        let mut logs = vec![Vec::new(); partitions];
        for record in records {
            logs[record.out.partition as usize].push(record.out.clone());
        }
        let counting = logs.into_iter().enumerate().map(|(partition, log)| {
            let source = SourceId {
                topic: TOPIC.into(),
                partition: partition as i32,
            };
            let task = count_task(&source, &plan, None);
            Counting {
                source,
                log,
                committed: None,
                plan: Arc::clone(&plan),
                task,
            }
        });
        let counting = counting.collect();
        let detecting = (0..PARTIALS).map(|partition| Detecting {
            log: Vec::new(),
            state: BTreeMap::new(),
            committed: None,
            plan: detect_plan.clone(),
            task: detect_task(partition, &detect_plan, &BTreeMap::new(), None),
            position: 0,
        });
        let detecting = detecting.collect();
        Self {
            reload: None,
            counting,
            detecting,
            alerts: Vec::new(),
            windows: Vec::new(),
            random: Random(seed),
        }
    }

    /// Lets the rules of other plans take over once `after` records are counted. With `forgets`, a task that goes on
    /// elsewhere knows nothing of those before.
    pub(crate) fn reload(
        &mut self,
        (plan, detect_plan): (Arc<Plan>, DetectPlan),
        after: i64,
        forgets: bool,
    ) {
        let latest = Arc::clone(&plan);
        let stays = |rule: &&Arc<_>| plan.rules.iter().any(|now| is_same(now, rule));
        let before = self.counting[0].plan.rules.iter();
        let plan = Plan {
            replaced: before.filter(|rule| !stays(rule)).cloned().collect(),
            ..Plan::clone(&plan)
        };
        let plan = Arc::new(plan);
        self.reload = Some(Reload {
            elsewhere: if forgets { latest } else { Arc::clone(&plan) },
            plan,
            detect_plan,
            after,
        });
    }

    /// Whether a task may learn of other plans now, which it does some time.
    fn learns(&mut self) -> Option<&Reload> {
        let counted: i64 = self.counting.iter().map(|c| c.task.next_offset()).sum();
        let reload = self.reload.as_ref()?;
        // What decided until now is in detect's state.
        let is_known = self.detecting.iter().all(|d| d.committed.is_some());
        let learns = is_known && counted >= reload.after && self.random.below(2) == 0;
        learns.then_some(reload)
    }

    /// Lets anyone go on for a while, until all is read; of 100 steps, `crash_percent` are crashes.
    pub(crate) fn run(&mut self, crash_percent: u64) {
        while !self.is_done() {
            let crash = self.random.below(100) < crash_percent;
            let which = self.random.below((self.counting.len() + PARTIALS) as u64) as usize;
            match which.checked_sub(self.counting.len()) {
                None if crash => self.restart_count(which),
                None => self.count(which),
                Some(partition) if crash => self.restart_detect(partition),
                Some(partition) => self.detect(partition, crash_percent),
            }
        }
    }

    fn is_done(&self) -> bool {
        let counted =
            |c: &Counting| c.task.next_offset() == c.log.len() as i64 && !c.task.has_news();
        let detected = |d: &Detecting| d.position == d.log.len() && !d.task.due();
        self.counting.iter().all(counted) && self.detecting.iter().all(detected)
    }

    /// Counts some records, and often commits them.
    fn count(&mut self, partition: usize) {
        let records = self.random.below(400) as i64;
        let commit = self.random.below(3) > 0;
        let slowest = self.counting.iter().map(|c| c.task.next_offset()).min();
        let counting = &mut self.counting[partition];
        let from = counting.task.next_offset();
        let mut to = (from + records).min(counting.log.len() as i64);
        if self.reload.is_some() {
            to = to.min(slowest.unwrap_or(0) + AHEAD).max(from);
        }
        for offset in from..to {
            let record = &counting.log[offset as usize];
            let input = Input {
                offset,
                timestamp: Some(Timestamp::from_millis(record.timestamp)),
                log_append_time: false,
                payload: record.payload.as_deref(),
                key: None,
            };
            counting.task.record(&input, WALL);
        }
        if commit && counting.task.has_news() {
            let flush = counting.task.flush();
            let learnt = self.learns();
            let learnt = learnt.map(|r| (Arc::clone(&r.plan), Arc::clone(&r.elsewhere)));
            let counting = &mut self.counting[partition];
            if let Some((plan, elsewhere)) = learnt {
                counting.task.replan(plan);
                counting.plan = elsewhere;
            }
            counting.committed = Some((flush.next_offset, flush.metadata.clone()));
            let partitions = self.counting.len() as u32;
            for partial in flush.encode(PARTIALS as u32, partitions).records {
                self.detecting[partial.partition as usize]
                    .log
                    .push(partial.payload);
            }
        }
    }

    /// Applies some partials, and commits what they make due.
    fn detect(&mut self, partition: usize, crash_percent: u64) {
        let records = self.random.below(20) as usize;
        let detecting = &mut self.detecting[partition];
        let to = (detecting.position + records).min(detecting.log.len());
        for offset in detecting.position..to {
            let partial = decode(&detecting.log[offset]).expect("it was encoded just now");
            detecting.task.apply(offset as i64, partial, WALL);
        }
        detecting.position = to;
        let learnt = self.learns().map(|reload| reload.detect_plan.clone());
        let detecting = &mut self.detecting[partition];
        if let Some(plan) = learnt
            && detecting.task.replan(&plan.rules)
        {
            detecting.plan = plan;
        }
        while let Some(emission) = self.detecting[partition].task.emission() {
            // A crash before the commit loses the emission; one after it, the memory of it.
            let crash = self.random.below(100);
            if crash < crash_percent {
                return self.restart_detect(partition);
            }
            let emission = self.commit(partition, emission);
            if crash < 2 * crash_percent {
                return self.restart_detect(partition);
            }
            self.detecting[partition].task.committed(emission);
        }
        if self.random.below(4) == 0
            && let Some(progress) = self.detecting[partition].task.progress()
        {
            let progress = self.commit(partition, progress);
            self.detecting[partition].task.committed(progress);
        }
    }

    fn commit(&mut self, partition: usize, emission: Emission) -> Emission {
        let json = |alert: &_| serde_json::to_vec(alert).expect("an alert can be written");
        self.alerts.extend(emission.alerts.iter().map(json));
        let json = |window: &_| serde_json::to_vec(window).expect("a window record can be written");
        self.windows.extend(emission.windows.iter().map(json));
        let detecting = &mut self.detecting[partition];
        for change in &emission.state {
            match &change.value {
                Some(value) => detecting.state.insert(change.key.clone(), value.clone()),
                None => detecting.state.remove(&change.key),
            };
        }
        detecting.committed = Some(emission.offset);
        emission
    }

    fn restart_count(&mut self, partition: usize) {
        let counting = &mut self.counting[partition];
        counting.task = count_task(
            &counting.source,
            &counting.plan,
            counting.committed.as_ref(),
        );
    }

    fn restart_detect(&mut self, partition: usize) {
        let detecting = &mut self.detecting[partition];
        detecting.position = detecting.committed.unwrap_or(0) as usize;
        detecting.task = detect_task(
            partition,
            &detecting.plan,
            &detecting.state,
            detecting.committed,
        );
    }

    /// All committed alerts and window records.
    pub(crate) fn messages(&self) -> (Vec<Message>, Vec<Message>) {
        let parse = |all: &[Vec<u8>]| all.iter().map(|json| Message::parse(json)).collect();
        (parse(&self.alerts), parse(&self.windows))
    }

    /// The fates of all records, from the markers.
    pub(crate) fn fates(&self) -> Fates {
        let mut fates = Fates::default();
        for record in &self.detecting[0].log {
            if let Partial::Marker(marker) = decode(record).expect("it was encoded just now") {
                fates.add(&marker.fates);
            }
        }
        fates
    }
}

fn is_same(a: &rule::Rule, b: &rule::Rule) -> bool {
    a.selection == b.selection
}

fn count_task(source: &SourceId, plan: &Arc<Plan>, committed: Option<&(i64, String)>) -> CountTask {
    let resume = match committed {
        None => Resume::Fresh {
            next_offset: 0,
            from_log_start: true,
        },
        Some((next_offset, metadata)) => Resume::Committed {
            next_offset: *next_offset,
            metadata,
        },
    };
    CountTask::new(source.clone(), Arc::clone(plan), resume).expect("its own metadata is read back")
}

fn detect_task(
    partition: usize,
    plan: &DetectPlan,
    state: &BTreeMap<Vec<u8>, Vec<u8>>,
    committed: Option<i64>,
) -> DetectTask {
    let state = state
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    DetectTask::new(partition as i32, plan, state, committed, PARTIALS as u32)
        .expect("its own state is read back")
}

/// The plans that a configuration with these rules makes.
fn plans(rules: &[Rule], silence: Option<Silence>) -> (Arc<Plan>, DetectPlan) {
    plans_with(rules, silence, &json!({}))
}

/// The same with named sets.
pub(crate) fn plans_with(
    rules: &[Rule],
    silence: Option<Silence>,
    sets: &Value,
) -> (Arc<Plan>, DetectPlan) {
    let silences: Vec<_> = silence.map(Silence::as_config).into_iter().collect();
    let text = json!({
        "input": {"topics": [TOPIC]},
        "time": {"max_behind": "never"},
        "sets": sets,
        "silences": silences,
        "rules": rules.iter().map(as_config).collect::<Vec<_>>(),
    });
    load(&text.to_string())
}

/// The plans that a configuration makes.
pub(crate) fn load(text: &str) -> (Arc<Plan>, DetectPlan) {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let file = dir.path().join("hotprefix.yaml");
    std::fs::write(&file, text).expect("it can be written to");
    let loaded = config::load(&[file], [], []).unwrap_or_else(|errors| panic!("{errors}"));
    let config = loaded.config;
    let plan = config.count_plan();
    let rules = plan.rules.clone();
    let topics = config
        .input
        .topics
        .iter()
        .map(|t| t.as_str().into())
        .collect();
    (
        Arc::new(plan),
        DetectPlan {
            rules,
            topics,
            max_wait: config.time.max_wait,
        },
    )
}
