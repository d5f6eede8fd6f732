//! Tests of the task: a small world of sources, a log, and a store of what is committed.

mod commits;
mod crash;
mod gone;
mod handover;
mod hostile;
mod incidents;
mod lives;
mod room;
mod scenarios;
mod sums;
mod waits;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{DetectPlan, DetectTask, Emission, StateError};
use crate::alert::{Alert, WindowRecord};
use crate::net::Family;
use crate::partial::{
    Delta, Fates, Leaves, LeavesOf, Marker, Partial, RuleProgress, Sampling, SourceId,
};
use crate::rule::{
    Attribution, Filter, Fingerprint, KeySide, LatePolicy, LengthSet, Lifecycle, Limit, Metric,
    Mode, Rule,
};
use crate::time::Timestamp;
use crate::window::Window;

pub(super) const GRACE: Duration = Duration::from_secs(2);
pub(super) const MAX_WAIT: Duration = Duration::from_secs(30);
/// Partials partitions in these tests.
pub(super) const PARTITIONS: u32 = 1;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

pub(super) fn limit(metric: Metric, value: u64) -> Limit {
    let volume = |bits: u8| vec![u128::from(value); usize::from(bits) + 1];
    let stated = |bits: u8| vec![value; usize::from(bits) + 1];
    Limit {
        metric,
        stated_v4: stated(32),
        stated_v6: stated(128),
        volume_v4: volume(32),
        volume_v6: volume(128),
    }
}

/// A rule over all lengths with a limit of 100 bytes.
pub(super) fn rule(name: &str, selection: u64, seconds: u64) -> Rule {
    Rule {
        name: name.into(),
        selection: Fingerprint(selection),
        identity: Fingerprint(selection),
        decision: Fingerprint(1),
        labels: BTreeMap::new(),
        severity: "warning".into(),
        filter: Filter::default(),
        key: KeySide::Dst,
        interval: Duration::from_secs(seconds),
        grace: GRACE,
        late: LatePolicy::OldestOpen,
        attribution: Attribution::Arrival,
        mode: Mode::MostSpecific,
        lengths_v4: LengthSet::range(0, Family::V4.bits()),
        lengths_v6: LengthSet::range(0, Family::V6.bits()),
        limits: vec![limit(Metric::Bytes, 100)],
        overrides: None,
        gate: None,
        lifecycle: Lifecycle::default(),
        incident_group: None,
        escalation: Vec::new(),
        silences: Vec::new(),
        scope: None,
        max_prefixes: 1000,
        max_alerts_per_window: 100_000,
    }
}

pub(super) fn plan(rules: impl IntoIterator<Item = Rule>) -> DetectPlan {
    DetectPlan {
        rules: rules.into_iter().map(Arc::new).collect(),
        topics: vec!["flows".into()],
        max_wait: MAX_WAIT,
    }
}

pub(super) fn source(partition: i32) -> SourceId {
    SourceId {
        topic: "flows".into(),
        partition,
    }
}

/// A delta with one flow for each address (10.0.0.0 plus a number) and its bytes.
pub(super) fn delta(rule: &Rule, start: i64, rows: &[(u32, u64)]) -> Partial {
    let mut sum: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for (host, bytes) in rows {
        let row = sum.entry(0x0a00_0000 + host).or_default();
        *row = (row.0 + bytes, row.1 + 1);
    }
    Partial::Delta(Delta {
        rule: Arc::clone(&rule.name),
        selection: rule.selection,
        window: Window::starting(at(start), rule.interval),
        late_flows: 0,
        leaves: Leaves::V4(LeavesOf {
            addr: sum.keys().copied().collect(),
            bytes: sum.values().map(|r| r.0).collect(),
            packets: sum.values().map(|r| r.1).collect(),
            flows: sum.values().map(|r| r.1).collect(),
            sampling: Sampling::Uniform(1),
        }),
    })
}

/// What a source that counts `rules` since its first record says at a stream time in seconds.
pub(super) fn marker(partition: i32, of: u32, rules: &[&Rule], stream_time: Option<i64>) -> Marker {
    Marker {
        source: source(partition),
        next_offset: 0,
        stream_time: stream_time.map(at),
        idle: false,
        topic_partitions: of,
        complete_from: Timestamp::MIN,
        rules: rules
            .iter()
            .map(|r| RuleProgress {
                selection: r.selection,
                counted_from: Timestamp::MIN,
                closed_through: stream_time.map_or(Timestamp::MIN, |t| at(t).minus(r.grace)),
            })
            .collect(),
        fates: Fates::default(),
    }
}

/// A log in which every other offset is taken by the end of a transaction.
pub(super) fn offset(index: usize) -> i64 {
    index as i64 * 2
}

/// What is committed: what a reader sees, and what a task recovers from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Committed {
    pub(super) alerts: Vec<Alert>,
    pub(super) windows: Vec<WindowRecord>,
    pub(super) state: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) offset: Option<i64>,
}

impl Committed {
    pub(super) fn commit(&mut self, emission: &Emission) {
        assert_eq!(emission.alerts.len(), emission.alert_times.len());
        assert_eq!(emission.windows.len(), emission.window_times.len());
        assert!(
            self.offset.is_none_or(|o| o <= emission.offset),
            "offset goes back"
        );
        self.alerts.extend(emission.alerts.iter().cloned());
        self.windows.extend(emission.windows.iter().cloned());
        self.offset = Some(emission.offset);
        for change in &emission.state {
            match &change.value {
                Some(value) => self.state.insert(change.key.clone(), value.clone()),
                None => self.state.remove(&change.key),
            };
        }
    }

    pub(super) fn task(&self, plan: &DetectPlan) -> Result<DetectTask, StateError> {
        let state = self.state.clone().into_iter().collect();
        DetectTask::new(0, plan, state, self.offset, PARTITIONS)
    }

    /// `start..end state` of each window record, with the alerts' prefixes in it.
    pub(super) fn told(&self) -> Vec<String> {
        let tell = |w: &WindowRecord| {
            let state = serde_json::to_value(w.state).expect("a state is text");
            let time = |t: &str| t[11..19].to_owned();
            format!(
                "{} {} {} {}",
                w.rule.name,
                time(&w.window.start),
                state.as_str().expect("a state is text"),
                w.total.bytes
            )
        };
        self.windows.iter().map(tell).collect()
    }

    pub(super) fn prefixes(&self) -> Vec<&str> {
        self.alerts.iter().map(|a| a.prefix.as_str()).collect()
    }
}

/// A task, what it committed, and where in the log it is.
pub(super) struct World {
    pub(super) plan: DetectPlan,
    pub(super) task: DetectTask,
    pub(super) committed: Committed,
    pub(super) log: Vec<Partial>,
}

impl World {
    pub(super) fn new(plan: DetectPlan) -> Self {
        let committed = Committed::default();
        let task = committed.task(&plan).expect("no state");
        Self {
            plan,
            task,
            committed,
            log: Vec::new(),
        }
    }

    /// Applies a record and commits everything that becomes due.
    pub(super) fn apply(&mut self, partial: Partial) {
        self.log.push(partial.clone());
        self.task.apply(offset(self.log.len() - 1), partial, at(0));
        self.settle();
    }

    pub(super) fn mark(&mut self, marker: Marker) {
        self.apply(Partial::Marker(marker));
    }

    pub(super) fn settle(&mut self) {
        while let Some(emission) = self.task.emission() {
            self.commit(emission);
        }
    }

    pub(super) fn commit(&mut self, emission: Emission) {
        self.committed.commit(&emission);
        self.task.committed(emission);
    }

    /// Commits what `overdue` says.
    pub(super) fn overdue(&mut self, wall: i64) -> bool {
        let emission = self.task.overdue(at(wall));
        let some = emission.is_some();
        if let Some(emission) = emission {
            self.commit(emission);
        }
        some
    }

    /// Drops the task and makes a new one from what is committed.
    pub(super) fn restart(&mut self) {
        self.task = self.committed.task(&self.plan).expect("own state");
        let from = self.committed.offset.unwrap_or(0);
        let log = std::mem::take(&mut self.log);
        for (i, partial) in log.iter().enumerate().filter(|(i, _)| offset(*i) >= from) {
            self.task.apply(offset(i), partial.clone(), at(0));
            self.settle();
        }
        self.log = log;
    }
}
