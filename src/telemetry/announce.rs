//! The log says what `/readyz` says, for who has only the log.

use std::time::{Duration, Instant};

use super::{Readiness, Watch, readiness};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// A reason that passes within this, such as a rebalance, is no news.
const STANDS: Duration = Duration::from_secs(10);
/// Between two lines while reasons change.
const QUIET: Duration = Duration::from_mins(1);

/// Looks every second and tells in the log when an instance has been not ready for a while, when the reasons
/// become others, and when it is ready. Never ends.
pub(crate) async fn announce(watch: Watch) {
    let mut announcer = Announcer::default();
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        match announcer.look(readiness(&watch()), Instant::now()) {
            None => {}
            Some(Line::Ready) => tracing::info!("ready"),
            Some(Line::NotReady(reasons)) => {
                tracing::warn!("not ready: {}", reasons.join("; "));
            }
        }
    }
}

/// What the log is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Ready,
    NotReady(Vec<String>),
}

#[derive(Debug, Default)]
struct Announcer {
    /// What was said last, and when.
    said: Option<(Line, Instant)>,
    /// Since when it has not been ready.
    since: Option<Instant>,
}

impl Announcer {
    fn look(&mut self, found: Readiness, now: Instant) -> Option<Line> {
        let line = match found {
            Readiness::Ready => {
                self.since = None;
                Line::Ready
            }
            Readiness::NotReady(reasons) => {
                let since = *self.since.get_or_insert(now);
                if now - since < STANDS {
                    return None;
                }
                Line::NotReady(reasons)
            }
        };
        let too_soon = match (&self.said, &line) {
            (Some((said, _)), line) if said == line => true,
            (Some((Line::NotReady(_), at)), Line::NotReady(_)) => now - *at < QUIET,
            _ => false,
        };
        if too_soon {
            return None;
        }
        self.said = Some((line.clone(), now));
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_ready(reason: &str) -> Readiness {
        Readiness::NotReady(vec![reason.to_owned()])
    }

    fn line(reason: &str) -> Line {
        Line::NotReady(vec![reason.to_owned()])
    }

    #[test]
    fn reason_that_stands_is_told_once_and_so_is_its_end() {
        let mut announcer = Announcer::default();
        let start = Instant::now();
        let mut at = |seconds, found| announcer.look(found, start + Duration::from_secs(seconds));
        assert_eq!(at(0, not_ready("starting")), None);
        assert_eq!(at(2, Readiness::Ready), Some(Line::Ready));
        assert_eq!(at(3, Readiness::Ready), None);
        assert_eq!(at(10, not_ready("a")), None);
        assert_eq!(at(19, not_ready("a")), None);
        assert_eq!(at(20, not_ready("a")), Some(line("a")));
        assert_eq!(at(90, not_ready("a")), None);
        assert_eq!(at(91, Readiness::Ready), Some(Line::Ready));
    }

    #[test]
    fn reasons_that_change_are_told_once_a_minute_and_a_short_one_never() {
        let mut announcer = Announcer::default();
        let start = Instant::now();
        let mut at = |seconds, found| announcer.look(found, start + Duration::from_secs(seconds));
        assert_eq!(at(0, Readiness::Ready), Some(Line::Ready));
        assert_eq!(at(5, not_ready("rebalance")), None);
        assert_eq!(at(9, Readiness::Ready), None);
        assert_eq!(at(10, not_ready("a")), None);
        assert_eq!(at(20, not_ready("b")), Some(line("b")));
        assert_eq!(at(30, not_ready("c")), None);
        assert_eq!(at(80, not_ready("c")), Some(line("c")));
    }
}
