//! What one transaction of detect carries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::life::Lives;
use crate::alert::{Alert, WindowRecord};
use crate::net::Prefix;
use crate::rule::Fingerprint;
use crate::time::Timestamp;

/// Windows of which more than one share a transaction hold at most this many alerts together.
pub const SHARED_ALERTS: usize = 1_000;
/// The most windows that share a transaction.
pub const SHARED_WINDOWS: usize = 1_000;

/// A change of a record in `<app>-state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The record's key.
    pub key: Vec<u8>,
    /// Its new value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// Alerts, window records, state and offset: all of it is committed, or none.
#[derive(Debug, Default)]
pub struct Emission {
    /// In window order, and in address order within a window.
    pub alerts: Vec<Alert>,
    /// The end of each alert's window: what its record is stamped with, or now if that is earlier.
    pub alert_times: Vec<Timestamp>,
    /// In the order of the alerts.
    pub windows: Vec<WindowRecord>,
    /// The end of each record's window.
    pub window_times: Vec<Timestamp>,
    /// How long each final window with traffic waited on the wall clock, from its first source's closing
    /// it to its last one's. Not part of what is committed.
    pub waits: Vec<Duration>,
    /// Changed keys only.
    pub state: Vec<StateChange>,
    /// The partials offset to commit: the first record that an open window needs.
    pub offset: i64,
    /// What committing it changes in the task.
    pub(super) effect: Effect,
}

/// What committing an emission changes in memory.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// Finalised up to, by selection.
    pub(super) finalised: BTreeMap<Fingerprint, Timestamp>,
    /// By selection, where they changed.
    pub(super) lives: BTreeMap<Fingerprint, Arc<Lives>>,
    pub(super) provisional: Vec<Provisional>,
    /// Whether nothing remains due.
    pub(super) all_due: bool,
}

/// A provisional record of a window.
#[derive(Debug)]
pub(super) struct Provisional {
    pub(super) selection: Fingerprint,
    pub(super) start: Timestamp,
    pub(super) wall: Timestamp,
    pub(super) window_revision: u32,
    /// Told for the first time.
    pub(super) prefixes: Vec<Prefix>,
    pub(super) chunks: u32,
}

/// What is to be written for one window.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) selection: Fingerprint,
    /// Start of the window after it.
    pub(super) next: Timestamp,
    pub(super) alerts: Vec<Alert>,
    /// `None`: another selection of the same rule tells of this window.
    pub(super) record: Option<WindowRecord>,
    /// After it. `None`: they did not change.
    pub(super) lives: Option<Arc<Lives>>,
    /// State records to write or to delete.
    pub(super) state: Vec<StateChange>,
    pub(super) waited: Option<Duration>,
    pub(super) provisional: Option<Provisional>,
}

impl Emission {
    /// Whether `prepared` may share this transaction.
    pub(super) fn has_room(&self, prepared: &Prepared) -> bool {
        self.windows.is_empty()
            || self.windows.len() < SHARED_WINDOWS
                && self.alerts.len() + prepared.alerts.len() <= SHARED_ALERTS
    }

    /// Adds a window that ends where its next one starts.
    pub(super) fn push(&mut self, prepared: Prepared) {
        let end = prepared.next;
        let times = prepared.alerts.iter().map(|_| end);
        self.alert_times.extend(times);
        self.alerts.extend(prepared.alerts);
        self.window_times
            .extend(prepared.record.iter().map(|_| end));
        self.windows.extend(prepared.record);
        self.state.extend(prepared.state);
        self.waits.extend(prepared.waited);
        let lives = prepared.lives.map(|lives| (prepared.selection, lives));
        self.effect.lives.extend(lives);
        match prepared.provisional {
            Some(provisional) => self.effect.provisional.push(provisional),
            None => {
                self.effect
                    .finalised
                    .insert(prepared.selection, prepared.next);
            }
        }
    }
}
