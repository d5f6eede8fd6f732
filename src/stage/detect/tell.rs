//! What telemetry is told of the detect stage.

use std::collections::BTreeMap;

use super::worker::Worker;
use crate::alert::{Status, WindowState};
use crate::detect::Emission;
use crate::partial::partition_of;
use crate::telemetry::clock;

impl Worker<'_> {
    /// An emission is committed.
    pub(super) fn count(&self, emission: &Emission, bytes: usize) {
        let now = clock::now();
        let recorder = self.shell.status.recorder();
        let windows = emission.windows.iter().zip(&emission.window_times);
        let final_windows = windows.filter(|(w, _)| w.state == WindowState::Final);
        for (window, end) in final_windows.clone() {
            recorder.window_leaves(&window.rule.name, window.leaves);
            if window.prefixes_over > 0 {
                recorder.alert_latency(now.since(*end));
            }
        }
        for wait in &emission.waits {
            recorder.completeness_wait(*wait);
        }
        self.shell.status.detect(|detect| {
            detect.emissions.committed += 1;
            detect.emissions.bytes += bytes as u64;
            let last = emission.alerts.iter().filter(|a| a.r#final).count() as u64;
            detect.alerts += last;
            let said = |status, is_silenced| {
                let alerts = emission.alerts.iter().filter(|a| a.r#final);
                let alerts = alerts.filter(|a| a.silenced_by.is_some() == is_silenced);
                alerts.filter(|a| a.status == status).count() as u64
            };
            detect.alerts_started += said(Status::Started, false);
            detect.alerts_ended += said(Status::Ended, false);
            detect.alerts_silenced += said(Status::Started, true);
            detect.provisional_alerts += emission.alerts.len() as u64 - last;
            detect.windows += emission.windows.len() as u64;
            detect.alerts_cut += emission.windows.iter().map(|w| w.alerts_cut).sum::<u64>();
            for (window, _) in final_windows {
                let rule = window.rule.name.clone();
                detect
                    .active_alerts
                    .insert(rule, window.alerts_open - window.alerts_silenced);
            }
        });
    }

    /// Where the stage stands.
    pub(super) fn tell(&mut self) {
        let (mut missing, mut restoring) = (Vec::new(), Vec::new());
        let (mut lag, mut leaves, mut open) = (BTreeMap::new(), 0, 0);
        let mut late = 0;
        for slot in &mut self.slots {
            let partition = slot.source.partition;
            lag.insert(partition, slot.detecting.as_ref().and_then(|d| d.lag));
            match &mut slot.detecting {
                Some(detecting) => {
                    late += detecting.task.take_late_deltas();
                    missing.extend(detecting.task.missing());
                    leaves += detecting.task.rows() as u64;
                    open += detecting.task.open_windows() as u64;
                }
                None => restoring.push(partition),
            }
        }
        missing.sort();
        missing.dedup();
        let partitions = self.shell.facts.partials_partitions;
        let rules = &self.shell.config.rules;
        self.shell.status.detect(|detect| {
            // Another instance finalises the windows of rules whose partition has left.
            let is_ours = |name: &str| {
                let rule = rules.iter().find(|rule| *rule.name == *name);
                let home = rule.map_or(name, |rule| rule.home());
                lag.contains_key(&partition_of(home, partitions))
            };
            detect.active_alerts.retain(|rule, _| is_ours(rule));
            detect.missing = missing;
            detect.restoring = restoring;
            detect.lag = lag;
            detect.leaves = leaves;
            detect.open_windows = open;
            detect.late_deltas += late;
        });
    }
}
