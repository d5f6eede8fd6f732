//! Which exporters' flows had to be corrected.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::net::Addr;

/// Exporters told apart between two flushes; the rest is told together.
const MAX_EXPORTERS: usize = 1000;

/// What was wrong with flows of one exporter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExporterIssues {
    /// Event times out of bounds, replaced by the record's.
    pub clamped: u64,
    /// Flows counted as sampling rate 1 because nobody said.
    pub unknown_sampling: u64,
}

impl ExporterIssues {
    /// So much more.
    pub const fn add(&mut self, more: Self) {
        self.clamped += more.clamped;
        self.unknown_sampling += more.unknown_sampling;
    }
}

/// [`ExporterIssues`] by exporter, with memory of the last one: neighbours often share it.
#[derive(Debug, Default)]
pub(super) struct Exporters {
    rows: Vec<(Option<Addr>, ExporterIssues)>,
    index: HashMap<Option<Addr>, usize, RandomState>,
    last: usize,
}

impl Exporters {
    /// The row of `exporter`, or that of no known exporter when there are too many.
    pub(super) fn row(&mut self, exporter: Option<Addr>) -> &mut ExporterIssues {
        if self
            .rows
            .get(self.last)
            .is_none_or(|(of, _)| *of != exporter)
        {
            self.last = self.find(exporter);
        }
        &mut self.rows[self.last].1
    }

    fn find(&mut self, exporter: Option<Addr>) -> usize {
        let full = self.rows.len() >= MAX_EXPORTERS && !self.index.contains_key(&exporter);
        let exporter = if full { None } else { exporter };
        let next = self.rows.len();
        let at = *self.index.entry(exporter).or_insert(next);
        if at == next {
            self.rows.push((exporter, ExporterIssues::default()));
        }
        at
    }

    /// The rows since the last time, in order of first appearance; `None` is no or another exporter.
    pub(super) fn take(&mut self) -> Vec<(Option<Addr>, ExporterIssues)> {
        self.index.clear();
        self.last = 0;
        std::mem::take(&mut self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issues_add_up() {
        let issues = |clamped, unknown_sampling| ExporterIssues {
            clamped,
            unknown_sampling,
        };
        let mut sum = issues(1, 20);
        sum.add(issues(300, 4_000));
        assert_eq!(sum, issues(301, 4_020));
    }

    #[test]
    fn too_many_exporters_are_told_together() {
        let mut exporters = Exporters::default();
        for i in 0..3000 {
            exporters.row(Some(Addr::V4(i % 1500))).clamped += 1;
        }
        let rows = exporters.take();
        assert_eq!(rows.len(), MAX_EXPORTERS + 1);
        let total: u64 = rows.iter().map(|(_, issues)| issues.clamped).sum();
        assert_eq!(total, 3000);
        assert_eq!(
            rows[0],
            (
                Some(Addr::V4(0)),
                ExporterIssues {
                    clamped: 2,
                    unknown_sampling: 0
                }
            )
        );
        assert!(exporters.take().is_empty());
    }
}
