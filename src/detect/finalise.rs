//! What is written for one window.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::emission::{Prepared, Provisional, StateChange};
use super::life::{Lives, Neighbour};
use super::pass::{self, Input, Open, Outcome, Question};
use super::render::{self, Context, Fate};
use super::source::Sources;
use super::track::{OpenWindow, ToldAs, Track, Written};
use super::wire::{self, CHUNK};
use crate::alert::{EndReason, FamilyResolution, WindowState};
use crate::net::{Family, Prefix};
use crate::rule::Rule;
use crate::time::{Timestamp, millis};
use crate::window::Window;

/// The most windows of a run of empty ones that get a record each.
pub const EMPTY_WINDOWS: u64 = 1_440;

/// The next due window of a configured rule at or after `cursor`. Of a run of empty windows longer
/// than [`EMPTY_WINDOWS`] the older ones are skipped, once no alert is open. `lives` are as of `cursor`.
pub(super) fn next_due(
    track: &mut Track,
    rule: &Arc<Rule>,
    sources: &Sources,
    cursor: Timestamp,
    (lives, neighbours): (&Arc<Lives>, &[Neighbour]),
) -> Option<Prepared> {
    let due = track.due_through;
    if cursor >= due {
        return None;
    }
    let filled = track.open.range(cursor..due).next();
    let filled = filled.map_or(due, |(start, _)| *start);
    let empty = track.windows_between(cursor, filled);
    let skipped = if lives.open().is_empty() {
        empty.saturating_sub(EMPTY_WINDOWS)
    } else {
        0
    };
    let start = track.after(cursor, skipped);
    let window = Window::starting(start, track.interval);
    let among = (lives, neighbours);
    Some(finalise(track, rule, sources, window, among, skipped))
}

fn finalise(
    track: &mut Track,
    rule: &Arc<Rule>,
    sources: &Sources,
    window: Window,
    (before, neighbours): (&Arc<Lives>, &[Neighbour]),
    skipped_windows: u64,
) -> Prepared {
    let completeness = sources.completeness(track.selection, window);
    let whole = sources.cover(track.selection, window);
    let told = track.written.get(&window.start);
    let told = told.map(|w| w.prefixes.clone()).unwrap_or_default();
    let question = question(rule, before, &told);
    let (outcome, resolution) = look(track, window.start, whole.then_some(&question));
    let seen = whole.then(|| render::seen(rule, window, &outcome));
    let mut lives = Lives::clone(before);
    let messages = lives.window(&rule.lifecycle, neighbours, window, seen.as_ref(), &told);
    let told_as = ToldAs::of(rule);
    let context = Context {
        name: &track.name,
        told_as: &told_as,
        rule: Some(rule),
        window,
        total: outcome.total,
        resolution,
        completeness,
        is_final: true,
    };
    let alerts = render::alerts(&context, &outcome, &messages);
    let nothing = Written::default();
    let written = track.written.get(&window.start).unwrap_or(&nothing);
    let kept: BTreeSet<Prefix> = outcome.findings.iter().map(|f| f.prefix).collect();
    let fate = Fate {
        state: if whole {
            WindowState::Final
        } else {
            WindowState::RuleChange
        },
        revision: written.next_window_revision(),
        alerts_written: alerts.len() as u64,
        alerts_open: lives.open().len() as u64,
        alerts_silenced: lives.silenced() as u64,
        superseded: written.void(&kept),
        late_flows: track.late_flows(window.start),
        skipped_windows,
        resolution,
        completeness,
    };
    let mut state = forget(track, window.start, written.chunks);
    let lives = changed(track, before, lives, &mut state);
    Prepared {
        selection: track.selection,
        next: window.end,
        record: Some(render::record(context.rule_ref(), window, &outcome, &fate)),
        alerts,
        lives,
        state,
        waited: track.open.get(&window.start).and_then(|w| w.waited),
        provisional: None,
    }
}

/// What a rule asks of a window when some alerts are open, and some prefixes were told of it before.
fn question<'a>(rule: &'a Rule, lives: &'a Lives, told: &'a BTreeSet<Prefix>) -> Question<'a> {
    let open = Open {
        prefixes: lives.open(),
        also: told,
        clear: &rule.lifecycle.clear,
        interval_ms: millis(rule.interval).max(1).unsigned_abs(),
    };
    let is_asked = !open.prefixes.is_empty() || !open.also.is_empty();
    Question {
        open: is_asked.then_some(open),
        ..Question::of(rule)
    }
}

/// Adds what of lives is to be saved anew to `state`, and shares them, if they are not as `before`.
fn changed(
    track: &Track,
    before: &Lives,
    lives: Lives,
    state: &mut Vec<StateChange>,
) -> Option<Arc<Lives>> {
    let known = state.len();
    let changes = lives.changes(before);
    state.extend(changes.map(|(prefix, now)| wire::life(track.selection, prefix, now)));
    (state.len() > known).then(|| Arc::new(lives))
}

/// The end of all alerts of a selection that is neither configured nor counted any more, told with the
/// window before `next`, its last.
pub(super) fn farewell(
    track: &Track,
    sources: &Sources,
    next: Timestamp,
    before: &Arc<Lives>,
    why: EndReason,
) -> Option<Prepared> {
    let told_as = track.told_as.as_ref().filter(|_| !before.is_empty())?;
    let window = Window {
        start: next.minus(track.interval),
        end: next,
    };
    let mut lives = Lives::clone(before);
    let messages = lives.end(why, window);
    let outcome = Outcome::default();
    let context = Context {
        name: &track.name,
        told_as,
        rule: None,
        window,
        total: outcome.total,
        resolution: FamilyResolution {
            ipv4: Family::V4.bits(),
            ipv6: Family::V6.bits(),
        },
        completeness: sources.completeness(track.selection, window),
        is_final: true,
    };
    let mut state = Vec::new();
    let lives = changed(track, before, lives, &mut state);
    Some(Prepared {
        selection: track.selection,
        next,
        alerts: render::alerts(&context, &outcome, &messages),
        record: None,
        lives,
        state,
        waited: None,
        provisional: None,
    })
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
        alerts_open: 0,
        alerts_silenced: 0,
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
        lives: None,
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
    (before, neighbours): (&Arc<Lives>, &[Neighbour]),
    wall: Timestamp,
) -> Option<Prepared> {
    let whole = sources.cover(track.selection, window);
    let nothing = BTreeSet::new();
    let question = question(rule, before, &nothing);
    let (outcome, resolution) = look(track, window.start, whole.then_some(&question));
    let nothing = Written::default();
    let written = track.written.get(&window.start).unwrap_or(&nothing);
    let mut fresh = render::seen(rule, window, &outcome);
    fresh.retain(|prefix, seen| seen.severity.is_some() && !written.prefixes.contains(prefix));
    let is_next = track.oldest().is_some_and(|oldest| oldest == window);
    let mut lives = Lives::clone(before);
    let messages = lives.provisional(&rule.lifecycle, neighbours, window, is_next, &fresh);
    if messages.is_empty() && written.window_revision.is_some() {
        return None;
    }
    let mut completeness = sources.completeness(track.selection, window);
    completeness.partial = true;
    let told_as = ToldAs::of(rule);
    let context = Context {
        name: &track.name,
        told_as: &told_as,
        rule: Some(rule),
        window,
        total: outcome.total,
        resolution,
        completeness,
        is_final: false,
    };
    let window_revision = written.next_window_revision();
    let prefixes: Vec<Prefix> = messages.iter().map(|m| m.prefix).collect();
    let mut state = remember(track, written.chunks, window, window_revision, &prefixes);
    let chunks = state.len() as u32;
    let fate = Fate {
        state: WindowState::Provisional,
        revision: window_revision,
        alerts_written: messages.len() as u64,
        alerts_open: lives.open().len() as u64,
        alerts_silenced: lives.silenced() as u64,
        superseded: Vec::new(),
        late_flows: track.late_flows(window.start),
        skipped_windows: 0,
        resolution,
        completeness,
    };
    let alerts = render::alerts(&context, &outcome, &messages);
    let lives = changed(track, before, lives, &mut state);
    Some(Prepared {
        selection: track.selection,
        next: window.end,
        alerts,
        record: Some(render::record(context.rule_ref(), window, &outcome, &fate)),
        lives,
        waited: None,
        provisional: Some(Provisional {
            selection: track.selection,
            start: window.start,
            wall,
            window_revision,
            prefixes,
            chunks,
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

pub(super) fn remember(
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

pub(super) fn forget(track: &Track, start: Timestamp, chunks: u32) -> Vec<StateChange> {
    (0..chunks)
        .map(|n| StateChange {
            key: wire::provisional_key(track.selection, start, n),
            value: None,
        })
        .collect()
}
