//! Which flushes are behind the windows that are open: where an alert's span links to.
//!
//! Invariant: at most [`MAX_LINKS`] flushes of a window and [`MAX_WINDOWS`] windows are remembered,
//! whatever headers say. Flushes that were not sampled are not in here at all.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::alert::WindowState;
use crate::detect::Emission;
use crate::telemetry::otel::{Links, MAX_LINKS, SpanContext, SpanId};
use crate::time::Timestamp;

/// Windows with flushes to remember.
const MAX_WINDOWS: usize = 1_024;

/// Left-out flushes of a window that are known again. A flush's deltas of a window are adjacent in its partition but
/// for those of other instances that flush at the same time.
const RECENT: usize = 32;

/// Flushes by window, which is the window's end and its rule's name.
#[derive(Debug, Default)]
pub(super) struct Behind(BTreeMap<(Timestamp, Arc<str>), Flushes>);

/// Flushes behind one window.
#[derive(Debug, Default)]
struct Flushes {
    links: Links,
    /// The last ones that were left out, at most [`RECENT`].
    recent: VecDeque<SpanId>,
}

impl Behind {
    /// Remembers that `flush` wrote a delta of the window that ends at `end`.
    pub(super) fn add(&mut self, rule: &Arc<str>, end: Timestamp, flush: SpanContext) {
        let flushes = self.0.entry((end, Arc::clone(rule))).or_default();
        flushes.push(flush);
        if self.0.len() > MAX_WINDOWS {
            self.0.pop_first();
        }
    }

    /// The flushes behind an emission's windows. Of several windows' flushes at least as many as told were left
    /// out: the same may be left out of each.
    pub(super) fn links(&self, emission: &Emission) -> Links {
        merge(keys(emission).filter_map(|key| Some(&self.0.get(&key)?.links)))
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

impl Flushes {
    /// A flush has several deltas of a window when it is large: it counts once.
    fn push(&mut self, flush: SpanContext) {
        let id = flush.span_id();
        let Links { contexts, left_out } = &mut self.links;
        if contexts.iter().any(|known| known.span_id() == id) || self.recent.contains(&id) {
            return;
        }
        if contexts.len() < MAX_LINKS {
            contexts.push(flush);
            return;
        }
        *left_out += 1;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(id);
    }
}

fn merge<'l>(windows: impl Iterator<Item = &'l Links>) -> Links {
    let mut all = Links::default();
    let mut known = HashSet::new();
    // Of the window with the most.
    let mut most = 0;
    for Links { contexts, left_out } in windows {
        most = most.max(contexts.len() as u64 + left_out);
        for flush in contexts {
            if known.insert(flush.span_id()) && all.contexts.len() < MAX_LINKS {
                all.contexts.push(flush.clone());
            }
        }
    }
    all.left_out = most.max(known.len() as u64) - all.contexts.len() as u64;
    all
}

fn keys(emission: &Emission) -> impl Iterator<Item = (Timestamp, Arc<str>)> {
    let windows = emission.window_times.iter().zip(&emission.windows);
    windows.map(|(end, window)| (*end, window.rule.name.as_str().into()))
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;
    use crate::telemetry::otel::context_of;

    fn flush(n: u64) -> SpanContext {
        let header = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{n:016x}-01");
        context_of(header.as_bytes()).expect("a sampled context")
    }

    fn end(n: usize) -> Timestamp {
        Timestamp::from_millis(n as i64 * 1_000)
    }

    /// Flushes by number, each with three deltas; as many as there are instances write theirs in turn.
    fn window(flushes: RangeInclusive<u64>, instances: usize) -> Flushes {
        let mut window = Flushes::default();
        let flushes: Vec<_> = flushes.collect();
        for together in flushes.chunks(instances) {
            for _ in 0..3 {
                for n in together {
                    window.push(flush(*n));
                }
            }
        }
        window
    }

    #[test]
    fn a_flush_of_several_deltas_counts_once_linked_or_left_out() {
        for instances in [1, 2, RECENT] {
            let window = window(1..=200, instances);
            let linked: Vec<_> = window
                .links
                .contexts
                .iter()
                .map(SpanContext::span_id)
                .collect();
            let first: Vec<_> = (1..=MAX_LINKS as u64).map(|n| flush(n).span_id()).collect();
            assert_eq!(linked, first, "{instances} instances");
            let left_out = 200 - MAX_LINKS as u64;
            assert_eq!(window.links.left_out, left_out, "{instances} instances");
            assert!(window.recent.len() <= RECENT);
        }
    }

    #[test]
    fn flushes_behind_several_windows_count_once() {
        let counts = |windows: &[RangeInclusive<u64>]| {
            let windows: Vec<_> = windows.iter().map(|w| window(w.clone(), 1)).collect();
            let all = merge(windows.iter().map(|w| &w.links));
            (all.contexts.len(), all.left_out)
        };
        assert_eq!(counts(&[]), (0, 0));
        assert_eq!(counts(&[1..=10, 5..=20]), (20, 0));
        assert_eq!(counts(&[1..=100, 51..=150]), (MAX_LINKS, 22));
        assert_eq!(counts(&[1..=200, 1..=200]), (MAX_LINKS, 72));
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
