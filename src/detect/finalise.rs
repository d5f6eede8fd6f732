//! What is written for one window.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::emission::{Prepared, Provisional, StateChange};
use super::pass::{self, Input, Outcome};
use super::render::{self, Context, Fate};
use super::source::Sources;
use super::track::{OpenWindow, Track, Written};
use super::wire::{self, CHUNK};
use crate::alert::{FamilyResolution, WindowState};
use crate::net::Prefix;
use crate::rule::Rule;
use crate::time::Timestamp;
use crate::window::Window;

/// The most windows of a run of empty ones that get a record each.
pub const EMPTY_WINDOWS: u64 = 1_440;

/// The next due window of a configured rule at or after `cursor`. Of a run of empty windows longer
/// than [`EMPTY_WINDOWS`] the older ones are skipped.
pub(super) fn next_due(
    track: &mut Track,
    rule: &Arc<Rule>,
    sources: &Sources,
    cursor: Timestamp,
) -> Option<Prepared> {
    let due = track.due_through;
    if cursor >= due {
        return None;
    }
    let filled = track.open.range(cursor..due).next();
    let filled = filled.map_or(due, |(start, _)| *start);
    let empty = track.windows_between(cursor, filled);
    let skipped = empty.saturating_sub(EMPTY_WINDOWS);
    let start = track.after(cursor, skipped);
    (start < due).then(|| {
        let window = Window::starting(start, track.interval);
        finalise(track, rule, sources, window, skipped)
    })
}

fn finalise(
    track: &mut Track,
    rule: &Arc<Rule>,
    sources: &Sources,
    window: Window,
    skipped_windows: u64,
) -> Prepared {
    let completeness = sources.completeness(track.selection, window);
    let whole = sources.cover(track.selection, window);
    let question = pass::Question::of(rule);
    let (outcome, resolution) = look(track, window.start, whole.then_some(&question));
    let context = Context {
        rule,
        window,
        total: outcome.total,
        resolution,
        completeness,
        is_final: true,
    };
    let nothing = Written::default();
    let written = track.written.get(&window.start).unwrap_or(&nothing);
    let alerts: Vec<_> = outcome
        .findings
        .iter()
        .map(|f| render::alert(&context, f, written.next_revision(&f.prefix)))
        .collect();
    let kept: BTreeSet<Prefix> = outcome.findings.iter().map(|f| f.prefix).collect();
    let fate = Fate {
        state: if whole {
            WindowState::Final
        } else {
            WindowState::RuleChange
        },
        revision: written.next_window_revision(),
        alerts_written: alerts.len() as u64,
        superseded: written.void(&kept),
        late_flows: track.late_flows(window.start),
        skipped_windows,
        resolution,
        completeness,
    };
    Prepared {
        selection: track.selection,
        next: window.end,
        record: Some(render::record(
            render::rule_ref(rule),
            window,
            &outcome,
            &fate,
        )),
        alerts,
        state: forget(track, window.start, written.chunks),
        waited: track.open.get(&window.start).and_then(|w| w.waited),
        provisional: None,
    }
}

/// The next due window, at or after `cursor`, of a selection that is not configured. Nothing is
/// looked for: only its record says that there were flows. It is not written where `is_told` says
/// that another selection's record stands for the window.
pub(super) fn next_unknown(
    track: &mut Track,
    sources: &Sources,
    cursor: Timestamp,
    state: WindowState,
    is_told: impl Fn(Window) -> bool,
) -> Option<Prepared> {
    let (start, _) = track.open.range(cursor..).next()?;
    if *start >= track.due_through {
        return None;
    }
    let window = Window::starting(*start, track.interval);
    let (outcome, resolution) = look(track, window.start, None);
    let nothing = Written::default();
    let written = track.written.get(&window.start).unwrap_or(&nothing);
    let fate = Fate {
        state,
        revision: written.next_window_revision(),
        alerts_written: 0,
        superseded: written.void(&BTreeSet::new()),
        late_flows: track.late_flows(window.start),
        skipped_windows: 0,
        resolution,
        completeness: sources.completeness(track.selection, window),
    };
    let rule = render::unknown_rule_ref(&track.name, track.selection);
    Some(Prepared {
        selection: track.selection,
        next: window.end,
        alerts: Vec::new(),
        record: (!is_told(window)).then(|| render::record(rule, window, &outcome, &fate)),
        state: forget(track, window.start, written.chunks),
        waited: None,
        provisional: None,
    })
}

/// What is over its threshold already in a window that is not closed everywhere. `None` if there
/// is nothing to tell: not the first time, and no prefix that was not written before.
pub(super) fn provisional(
    track: &mut Track,
    rule: &Arc<Rule>,
    sources: &Sources,
    window: Window,
    wall: Timestamp,
) -> Option<Prepared> {
    let whole = sources.cover(track.selection, window);
    let question = pass::Question::of(rule);
    let (outcome, resolution) = look(track, window.start, whole.then_some(&question));
    let mut completeness = sources.completeness(track.selection, window);
    completeness.partial = true;
    let context = Context {
        rule,
        window,
        total: outcome.total,
        resolution,
        completeness,
        is_final: false,
    };
    let nothing = Written::default();
    let written = track.written.get(&window.start).unwrap_or(&nothing);
    let fresh: Vec<_> = outcome
        .findings
        .iter()
        .filter(|f| !written.alerts.contains_key(&f.prefix))
        .collect();
    if fresh.is_empty() && written.window_revision.is_some() {
        return None;
    }
    let window_revision = written.next_window_revision();
    let prefixes: Vec<Prefix> = fresh.iter().map(|f| f.prefix).collect();
    let state = remember(track, written.chunks, window, window_revision, &prefixes);
    let fate = Fate {
        state: WindowState::Provisional,
        revision: window_revision,
        alerts_written: fresh.len() as u64,
        superseded: Vec::new(),
        late_flows: track.late_flows(window.start),
        skipped_windows: 0,
        resolution,
        completeness,
    };
    Some(Prepared {
        selection: track.selection,
        next: window.end,
        alerts: fresh
            .iter()
            .map(|f| render::alert(&context, f, 0))
            .collect(),
        record: Some(render::record(
            render::rule_ref(rule),
            window,
            &outcome,
            &fate,
        )),
        waited: None,
        provisional: Some(Provisional {
            selection: track.selection,
            start: window.start,
            wall,
            window_revision,
            prefixes,
            chunks: state.len() as u32,
        }),
        state,
    })
}

/// Passes over a window's leaves, or only adds them up without a question.
fn look(
    track: &mut Track,
    start: Timestamp,
    question: Option<&pass::Question<'_>>,
) -> (Outcome, FamilyResolution) {
    let mut empty = OpenWindow::new(1, 0);
    let open = track.open.get_mut(&start).unwrap_or(&mut empty);
    let (v4, ipv4) = open.v4.settle();
    let (v6, ipv6) = open.v6.settle();
    let v4 = Input {
        leaves: v4,
        resolution: ipv4,
    };
    let v6 = Input {
        leaves: v6,
        resolution: ipv6,
    };
    let outcome = match question {
        Some(question) => pass::pass(question, v4, v6),
        None => pass::count(v4, v6),
    };
    (outcome, FamilyResolution { ipv4, ipv6 })
}

fn remember(
    track: &Track,
    first_chunk: u32,
    window: Window,
    window_revision: u32,
    prefixes: &[Prefix],
) -> Vec<StateChange> {
    let nothing: &[Prefix] = &[];
    // A record without a prefix still has a revision to remember.
    let chunks = prefixes
        .chunks(CHUNK)
        .chain(prefixes.is_empty().then_some(nothing));
    chunks
        .zip(first_chunk..)
        .map(|(chunk, n)| StateChange {
            key: wire::provisional_key(track.selection, window.start, n),
            value: Some(wire::provisional(window_revision, 0, chunk)),
        })
        .collect()
}

fn forget(track: &Track, start: Timestamp, chunks: u32) -> Vec<StateChange> {
    (0..chunks)
        .map(|n| StateChange {
            key: wire::provisional_key(track.selection, start, n),
            value: None,
        })
        .collect()
}
