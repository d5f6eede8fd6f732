//! Records of a partition that cannot be decoded: what they say of its format, and when the log says so.

use std::time::{Duration, Instant};

/// Records that speak for the format of their topic.
const SAMPLE: u64 = 50;
/// Between two lines about one partition.
const QUIET: Duration = Duration::from_mins(1);

/// What is known of one partition.
#[derive(Debug, Default)]
pub(super) struct Strays {
    /// Since the last judgement.
    records: u64,
    undecodable: u64,
    /// Since the last line.
    untold: u64,
    told: Option<Instant>,
}

impl Strays {
    /// Takes what one committed flush had of the partition. `Some` once a sample is full: whether most of it
    /// is undecodable.
    pub(super) fn judge(&mut self, records: u64, undecodable: u64) -> Option<bool> {
        self.records += records;
        self.undecodable += undecodable;
        if self.records < SAMPLE {
            return None;
        }
        let most = self.undecodable * 2 > self.records;
        (self.records, self.undecodable) = (0, 0);
        Some(most)
    }

    /// How many undecodable records the log should tell of at `now`, if of any: those of the flush and of
    /// the time since the last line.
    pub(super) fn news(&mut self, undecodable: u64, now: Instant) -> Option<u64> {
        self.untold += undecodable;
        let quiet = self.told.is_some_and(|told| now - told < QUIET);
        if self.untold == 0 || quiet {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handful_is_no_judgement_and_small_flushes_add_up_to_one() {
        let mut strays = Strays::default();
        for _ in 0..4 {
            assert_eq!(strays.judge(10, 6), None);
        }
        assert_eq!(strays.judge(10, 6), Some(true));
        assert_eq!(strays.judge(50, 25), Some(false));
    }

    #[test]
    fn log_has_a_line_a_minute_and_no_record_is_left_out() {
        let mut strays = Strays::default();
        let start = Instant::now();
        assert_eq!(strays.news(0, start), None);
        assert_eq!(strays.news(3, start), Some(3));
        assert_eq!(strays.news(4, start + QUIET / 2), None);
        assert_eq!(strays.news(0, start + QUIET), Some(4));
        assert_eq!(strays.news(0, start + QUIET * 2), None);
    }
}
