//! What is printed.

use std::collections::BTreeMap;
use std::fmt;

use crate::measure::Run;

/// Whose run it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Limit,
    Hotprefix,
    Streams,
    Python,
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Limit => "librdkafka, nothing done",
            Self::Hotprefix => "hotprefix",
            Self::Streams => "Kafka Streams, sums only",
            Self::Python => "Python, a trie",
        }
    }
}

/// All runs, by rule and whose they were, in order of the rounds.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<&'static str, BTreeMap<Who, Vec<Run>>>);

impl Table {
    pub(crate) fn add(&mut self, rule: &'static str, who: Who, run: Run) {
        let runs = self.0.entry(rule).or_default();
        runs.entry(who).or_default().push(run);
    }

    /// The last round of a rule, in a line.
    pub(crate) fn last(&self, rule: &str) -> String {
        let runs = self.0[rule].iter();
        let runs = runs.filter_map(|(who, runs)| Some((who, runs.last()?)));
        let each = runs.map(|(who, run)| format!("{who:?} {:.0} flows/s", run.rate()));
        format!("{rule}: {}", each.collect::<Vec<_>>().join(", "))
    }
}

/// The value in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<10} {:<26} {:>10} {:>8} {:>12} {:>9} {:>9} {:>7}",
            "rule", "", "flows/s", "of limit", "range", "/ Streams", "CPU s/M", "MiB"
        )?;
        for (rule, all) in &self.0 {
            for (who, runs) in all {
                let against = |other: Who| {
                    let others = all.get(&other)?;
                    let ratios = runs.iter().zip(others).map(|(a, b)| a.rate() / b.rate());
                    Some(ratios.collect::<Vec<_>>())
                };
                let limit = against(Who::Limit).unwrap_or_default();
                let range = |pick: fn(f64, f64) -> f64| limit.iter().copied().reduce(pick);
                let (least, most) = (range(f64::min), range(f64::max));
                let streams = against(Who::Streams);
                let streams = streams.map(|r| format!("{:.1}", median(r.into_iter())));
                writeln!(
                    f,
                    "{rule:<10} {:<26} {:>10.0} {:>8.3} {:>12} {:>9} {:>9.3} {:>7.0}",
                    who.name(),
                    median(runs.iter().map(Run::rate)),
                    median(limit.iter().copied()),
                    format!("{:.3}-{:.3}", least.unwrap_or(0.0), most.unwrap_or(0.0)),
                    streams.unwrap_or_default(),
                    median(runs.iter().map(Run::cost)),
                    median(runs.iter().map(|run| run.memory as f64)) / f64::from(1 << 20),
                )?;
            }
        }
        Ok(())
    }
}
