//! Detect's state as records of `<app>-state`, and back.

mod life;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;

pub(super) use self::life::life;
use self::life::{decode_life, decode_told_as, told_as};
use super::life::Remembered;
use super::source::{Counted, Gap, Source};
use super::track::Track;
use crate::net::{Addr, Family, Prefix};
use crate::partial::{MAX_PARTITIONS, SourceId};
use crate::proto::v1::{
    DetectCounted, DetectGap, DetectLate, DetectProvisional, DetectRule, DetectSource, DetectTask,
};
use crate::rule::Fingerprint;
use crate::time::{Timestamp, millis};

/// The version of the state that this code writes. It reads that of 1, too.
pub const STATE_VERSION: u32 = 2;
/// State without the lives of alerts, which can be gone on from.
const WITHOUT_LIVES: u32 = 1;
/// Prefixes in one provisional state record: at most 17 bytes each, far below a broker's limit.
pub(super) const CHUNK: usize = 10_000;

const TASK: &str = "task";
const SOURCE: &str = "source/";
const RULE: &str = "rule/";
const PROVISIONAL: &str = "provisional/";
const LIFE: &str = "life/";

/// Why detect cannot go on from its saved state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A record that cannot be read.
    #[error(
        "state record `{key}` is corrupt: {reason}: hotprefix did not write it, or it is damaged: \
         start afresh with `hotprefix reset` or a new application id"
    )]
    Corrupt {
        /// The record's key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// State of another version of hotprefix.
    #[error(
        "state has version {found}, this program reads versions {WITHOUT_LIVES} to {STATE_VERSION}: run the version that wrote it, \
         or start afresh with `hotprefix reset` or a new application id"
    )]
    Version {
        /// The version in the state.
        found: u32,
    },
    /// The partials topic has changed: rules are in other partitions now.
    #[error(
        "state was written for {saved} partials partitions, there are {found}: \
         restore their number, or start afresh with `hotprefix reset` or a new application id"
    )]
    Partitions {
        /// When the state was written.
        saved: u32,
        /// Now.
        found: u32,
    },
    /// Offsets without the state that belongs to them.
    #[error(
        "offset {committed} is committed but the state is missing: \
         start afresh with `hotprefix reset` or a new application id"
    )]
    Missing {
        /// The committed offset.
        committed: i64,
    },
    /// State without the offset that belongs to it.
    #[error(
        "state of position {position} does not fit the committed offset {committed:?}: \
         start afresh with `hotprefix reset` or a new application id"
    )]
    Offset {
        /// The state's position.
        position: i64,
        /// The committed offset.
        committed: Option<i64>,
    },
}

/// A state record's key and value.
pub(super) type Record = (Vec<u8>, Vec<u8>);

/// A state record, read.
pub(super) enum Saved {
    Task {
        version: u32,
        position: i64,
        partials_partitions: u32,
        topics: Vec<(Arc<str>, u32)>,
    },
    Source(SourceId, Source),
    Rule(Box<Track>),
    Provisional {
        selection: Fingerprint,
        start: Timestamp,
        window_revision: u32,
        alert_revision: u32,
        prefixes: Vec<Prefix>,
    },
    Life {
        selection: Fingerprint,
        prefix: Prefix,
        remembered: Box<Remembered>,
    },
}

/// Whether state of that version is read.
pub(super) const fn is_readable(version: u32) -> bool {
    matches!(version, WITHOUT_LIVES | STATE_VERSION)
}

/// Whether what provisional records told is a shadow for each of their prefixes.
pub(super) const fn is_without_lives(version: u32) -> bool {
    version == WITHOUT_LIVES
}

pub(super) fn task<'a>(
    position: i64,
    partials_partitions: u32,
    topics: impl Iterator<Item = (&'a Arc<str>, usize)>,
) -> Record {
    let message = DetectTask {
        version: STATE_VERSION,
        position,
        partials_partitions,
        topics: topics.map(|(t, n)| (t.to_string(), n as u32)).collect(),
    };
    (TASK.into(), message.encode_to_vec())
}

pub(super) fn source(id: &SourceId, source: &Source) -> Record {
    let gap = |g: &Gap| DetectGap {
        closed: g.closed.as_millis(),
        until: g.until.as_millis(),
    };
    let counted = |(selection, c): (&Fingerprint, &Counted)| DetectCounted {
        selection: selection.0,
        counted_from: c.from.as_millis(),
        closed_through: c.closed_through.as_millis(),
        listed: c.listed,
        gaps: c.gaps.iter().map(gap).collect(),
    };
    let message = DetectSource {
        stream_time: source.stream_time.map(Timestamp::as_millis),
        idle: source.idle,
        complete_from: source.complete_from.as_millis(),
        counted: source.counted.iter().map(counted).collect(),
    };
    (format!("{SOURCE}{id}").into(), message.encode_to_vec())
}

/// A selection once it is finalised up to `next`.
pub(super) fn rule(track: &Track, next: Option<Timestamp>) -> Record {
    let late = track
        .late
        .iter()
        .filter(|(_, start)| next.is_none_or(|n| **start >= n));
    let message = DetectRule {
        name: track.name.to_string(),
        interval_ms: millis(track.interval).unsigned_abs(),
        first: track.first.map(Timestamp::as_millis),
        next: next.map(Timestamp::as_millis),
        decision: track.decision.0,
        decision_from: track.decision_from.as_millis(),
        gone_at: track.gone_at,
        told_as: track.told_as.as_ref().map(told_as),
        late: late
            .map(|(offset, start)| DetectLate {
                offset: *offset,
                start: start.as_millis(),
            })
            .collect(),
    };
    (
        format!("{RULE}{}", track.selection).into(),
        message.encode_to_vec(),
    )
}

/// Whether a key is of [`life`] or of [`provisional_key`]: what is written when it changes.
pub(super) fn is_told_once(key: &[u8]) -> bool {
    key.starts_with(PROVISIONAL.as_bytes()) || key.starts_with(LIFE.as_bytes())
}

pub(super) fn provisional_key(selection: Fingerprint, start: Timestamp, chunk: u32) -> Vec<u8> {
    format!("{PROVISIONAL}{selection}/{}/{chunk}", start.as_millis()).into()
}

pub(super) fn provisional(
    window_revision: u32,
    alert_revision: u32,
    prefixes: &[Prefix],
) -> Vec<u8> {
    let mut message = DetectProvisional {
        window_revision,
        alert_revision,
        ..DetectProvisional::default()
    };
    for prefix in prefixes {
        let bytes = usize::from(prefix.length().div_ceil(8));
        match prefix.addr() {
            Addr::V4(addr) => {
                message.ipv4.push(prefix.length());
                message.ipv4.extend(&addr.to_be_bytes()[..bytes]);
            }
            Addr::V6(addr) => {
                message.ipv6.push(prefix.length());
                message.ipv6.extend(&addr.to_be_bytes()[..bytes]);
            }
        }
    }
    message.encode_to_vec()
}

/// Reads one record.
pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Saved, StateError> {
    let text = String::from_utf8_lossy(key);
    let saved = if text == TASK {
        decode_task(value)
    } else if let Some(id) = text.strip_prefix(SOURCE) {
        decode_source(id, value)
    } else if let Some(selection) = text.strip_prefix(RULE) {
        decode_rule(selection, value)
    } else if let Some(window) = text.strip_prefix(PROVISIONAL) {
        decode_provisional(window, value)
    } else if let Some(prefix) = text.strip_prefix(LIFE) {
        decode_life(prefix, value)
    } else {
        Err("its key is unknown".to_owned())
    };
    saved.map_err(|reason| StateError::Corrupt {
        key: text.into_owned(),
        reason,
    })
}

/// Whether a key is of [`task`], which says the version of all records.
pub(super) fn is_task(key: &[u8]) -> bool {
    key == TASK.as_bytes()
}

/// Reads a message with nothing in it but what this version writes: who ignored the rest would go on from another state
/// than was saved.
fn message<M: Message + Default>(value: &[u8]) -> Result<M, String> {
    let message = M::decode(value).map_err(|e| e.to_string())?;
    match message.encoded_len() {
        known if known == value.len() => Ok(message),
        known => Err(format!(
            "it has {} bytes, its known fields make {known}",
            value.len()
        )),
    }
}

/// Collects what must have one entry for each key.
fn once<K: Ord, V>(
    what: &str,
    entries: impl ExactSizeIterator<Item = (K, V)>,
) -> Result<BTreeMap<K, V>, String> {
    let listed = entries.len();
    let map: BTreeMap<K, V> = entries.collect();
    if map.len() == listed {
        Ok(map)
    } else {
        Err(format!("it names {what} twice"))
    }
}

fn decode_task(value: &[u8]) -> Result<Saved, String> {
    // Another version may write more.
    let task = DetectTask::decode(value).map_err(|e| e.to_string())?;
    if is_readable(task.version) {
        message::<DetectTask>(value)?;
    }
    if let Some((topic, partitions)) = task.topics.iter().find(|(_, n)| **n > MAX_PARTITIONS) {
        return Err(format!(
            "topic `{topic}` has {partitions} partitions, valid is at most {MAX_PARTITIONS}"
        ));
    }
    Ok(Saved::Task {
        version: task.version,
        position: task.position,
        partials_partitions: task.partials_partitions,
        topics: task
            .topics
            .into_iter()
            .map(|(topic, n)| (topic.into(), n))
            .collect(),
    })
}

fn decode_source(id: &str, value: &[u8]) -> Result<Saved, String> {
    let (topic, partition) = id.rsplit_once('/').ok_or("its key names no partition")?;
    let partition: u16 = partition
        .parse()
        .map_err(|_| "its key's partition is not a number from 0 to 65535")?;
    let saved: DetectSource = message(value)?;
    let gap = |g: DetectGap| Gap {
        closed: Timestamp::from_millis(g.closed),
        until: Timestamp::from_millis(g.until),
    };
    let counted = |c: DetectCounted| {
        let counted = Counted {
            from: Timestamp::from_millis(c.counted_from),
            closed_through: Timestamp::from_millis(c.closed_through),
            listed: c.listed,
            gaps: c.gaps.into_iter().map(gap).collect(),
        };
        (Fingerprint(c.selection), counted)
    };
    Ok(Saved::Source(
        SourceId {
            topic: topic.into(),
            partition: i32::from(partition),
        },
        Source {
            stream_time: saved.stream_time.map(Timestamp::from_millis),
            idle: saved.idle,
            complete_from: Timestamp::from_millis(saved.complete_from),
            counted: once("a selection", saved.counted.into_iter().map(counted))?,
        },
    ))
}

fn decode_rule(selection: &str, value: &[u8]) -> Result<Saved, String> {
    let saved: DetectRule = message(value)?;
    if !(1..=i64::MAX.unsigned_abs()).contains(&saved.interval_ms) {
        let found = saved.interval_ms;
        return Err(format!("interval_ms is {found}, valid is 1 to 2^63 − 1"));
    }
    let interval = Duration::from_millis(saved.interval_ms);
    let mut track = Track::new(saved.name.into(), fingerprint(selection)?, interval);
    track.first = saved.first.map(Timestamp::from_millis);
    track.next = saved.next.map(Timestamp::from_millis);
    track.decision = Fingerprint(saved.decision);
    track.gone_at = saved.gone_at;
    let told_as = saved.told_as.map(|t| decode_told_as(track.selection, t));
    track.told_as = told_as.transpose()?;
    track.decision_from = Timestamp::from_millis(saved.decision_from);
    let late = |l: DetectLate| (l.offset, Timestamp::from_millis(l.start));
    track.late = once("an offset", saved.late.into_iter().map(late))?;
    Ok(Saved::Rule(Box::new(track)))
}

fn decode_provisional(window: &str, value: &[u8]) -> Result<Saved, String> {
    let mut parts = window.split('/');
    let selection = fingerprint(parts.next().unwrap_or_default())?;
    let start = parts
        .next()
        .and_then(|s| s.parse().ok())
        .ok_or("its key names no window")?;
    let saved: DetectProvisional = message(value)?;
    let mut prefixes = prefixes(Family::V4, &saved.ipv4)?;
    prefixes.extend(self::prefixes(Family::V6, &saved.ipv6)?);
    Ok(Saved::Provisional {
        selection,
        start: Timestamp::from_millis(start),
        window_revision: saved.window_revision,
        alert_revision: saved.alert_revision,
        prefixes,
    })
}

fn fingerprint(text: &str) -> Result<Fingerprint, String> {
    u64::from_str_radix(text, 16)
        .map(Fingerprint)
        .map_err(|_| "its key names no selection".to_owned())
}

fn prefixes(family: Family, mut column: &[u8]) -> Result<Vec<Prefix>, String> {
    let mut prefixes = Vec::new();
    while let Some((length, rest)) = column.split_first() {
        let bytes = usize::from(length.div_ceil(8));
        if *length > family.bits() || rest.len() < bytes {
            return Err(format!("a prefix of length {length} is cut or too long"));
        }
        let (addr, rest) = rest.split_at(bytes);
        let mut wide = [0; 16];
        wide[..bytes].copy_from_slice(addr);
        let bits = u128::from_be_bytes(wide);
        let addr = match family {
            Family::V4 => Addr::V4((bits >> 96) as u32),
            Family::V6 => Addr::V6(bits),
        };
        prefixes.push(Prefix::new(addr, *length));
        column = rest;
    }
    Ok(prefixes)
}

#[cfg(test)]
mod tests;
