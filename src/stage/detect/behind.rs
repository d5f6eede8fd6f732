//! Which flushes are behind the windows that are open: where an alert's span links to.
//!
//! Invariant: at most [`MAX_LINKS`] flushes of a window and [`MAX_WINDOWS`] windows are remembered,
//! whatever headers say. Flushes that were not sampled are not in here at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alert::WindowState;
use crate::detect::Emission;
use crate::telemetry::otel::{Links, MAX_LINKS, SpanContext};
use crate::time::Timestamp;

/// Windows with flushes to remember.
const MAX_WINDOWS: usize = 1_024;

/// Flushes by window, which is the window's end and its rule's name.
#[derive(Debug, Default)]
pub(super) struct Behind(BTreeMap<(Timestamp, Arc<str>), Links>);

impl Behind {
    /// Remembers that `flush` wrote a delta of the window that ends at `end`.
    pub(super) fn add(&mut self, rule: &Arc<str>, end: Timestamp, flush: SpanContext) {
        let links = self.0.entry((end, Arc::clone(rule))).or_default();
        push(links, flush);
        if self.0.len() > MAX_WINDOWS {
            self.0.pop_first();
        }
    }

    /// The flushes behind an emission's windows.
    pub(super) fn links(&self, emission: &Emission) -> Links {
        let mut all = Links::default();
        for links in keys(emission).filter_map(|key| self.0.get(&key)) {
            for flush in &links.contexts {
                push(&mut all, flush.clone());
            }
            all.left_out += links.left_out;
        }
        all
    }

    /// Forgets what an emission has finalised. What it skipped goes with the windows after.
    pub(super) fn forget(&mut self, emission: &Emission) {
        let windows = emission.windows.iter();
        for (key, _) in keys(emission)
            .zip(windows)
            .filter(|(_, window)| window.state != WindowState::Provisional)
        {
            self.0.remove(&key);
        }
    }
}

/// A flush has several deltas of a window when it is large: it counts once.
fn push(links: &mut Links, flush: SpanContext) {
    let is_same = |known: &SpanContext| known.span_id() == flush.span_id();
    if links.contexts.iter().any(is_same) {
        return;
    }
    if links.contexts.len() < MAX_LINKS {
        links.contexts.push(flush);
    } else {
        links.left_out += 1;
    }
}

fn keys(emission: &Emission) -> impl Iterator<Item = (Timestamp, Arc<str>)> {
    let windows = emission.window_times.iter().zip(&emission.windows);
    windows.map(|(end, window)| (*end, window.rule.name.as_str().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::otel::context_of;

    fn flush(n: u64) -> SpanContext {
        let header = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{n:016x}-01");
        context_of(header.as_bytes()).expect("a sampled context")
    }

    fn end(n: usize) -> Timestamp {
        Timestamp::from_millis(n as i64 * 1_000)
    }

    #[test]
    fn a_flush_counts_once_and_the_number_is_bounded() {
        let mut links = Links::default();
        for n in 1..=200 {
            push(&mut links, flush(n));
            push(&mut links, flush(n.min(100)));
        }
        assert_eq!(links.contexts.len(), MAX_LINKS);
        assert_eq!(links.left_out, 200 - MAX_LINKS as u64);
    }

    #[test]
    fn the_oldest_windows_are_forgotten_first() {
        let mut behind = Behind::default();
        let rule = "volumetric".into();
        for n in 0..MAX_WINDOWS + 10 {
            behind.add(&rule, end(n), flush(1));
        }
        assert_eq!(behind.0.len(), MAX_WINDOWS);
        assert!(!behind.0.contains_key(&(end(9), Arc::clone(&rule))));
        assert!(behind.0.contains_key(&(end(10), rule)));
    }
}
