//! The bytes of `<app>-partials` records: a versioned prost envelope around varint columns.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;

use crate::net::AddrBits;
use crate::proto::v1;
use crate::rule::Fingerprint;
use crate::time::{Timestamp, millis};
use crate::window::Window;

use super::columns::{self, ColumnError};
use super::model::{
    Delta, Fates, Leaves, LeavesOf, MAX_CHUNK_BYTES, MAX_PARTITIONS, Marker, Partial, RuleProgress,
    Sampling, SourceId,
};

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// The envelope around the columns, without the rule's name: about 100 bytes.
const ENVELOPE_BYTES: usize = 256;
/// The most bytes that one leaf takes: an address of 19, four counts of 10, two rates of 5.
const LEAF_BYTES: usize = 69;

/// Why a record of `<app>-partials` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CorruptPartial {
    /// Not a protobuf message of the right shape.
    #[error("partial is not readable: {0}")]
    Envelope(#[from] prost::DecodeError),
    /// Written by another version of hotprefix.
    #[error("partial has version {0}, this program reads version {VERSION}")]
    Version(u32),
    /// Fields that this version does not write, or written in another way.
    #[error("partial has {found} bytes, its known fields make {known}")]
    Unknown {
        /// Length of the record.
        found: usize,
        /// Length of what was understood.
        known: usize,
    },
    /// A field holds what it must not.
    #[error("partial has {field} {value}, valid is {valid}")]
    Field {
        /// Name in the schema.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        valid: &'static str,
    },
    /// A column cannot be read.
    #[error("partial's column {column} {error}")]
    Column {
        /// Name in the schema.
        column: &'static str,
        /// What is wrong.
        error: ColumnError,
    },
}

fn field<T: std::fmt::Debug>(
    field: &'static str,
    value: &T,
    valid: &'static str,
) -> CorruptPartial {
    CorruptPartial::Field {
        field,
        value: format!("{value:?}"),
        valid,
    }
}

/// Encodes counts as self-contained chunks of at most [`MAX_CHUNK_BYTES`] each, at least one.
///
/// Late flows go into the first chunk alone, so that chunks add up to the whole.
pub fn encode_delta(delta: &Delta) -> Vec<Vec<u8>> {
    match &delta.leaves {
        Leaves::V4(leaves) => encode_leaves(delta, v1::LeafFamily::Ipv4, leaves),
        Leaves::V6(leaves) => encode_leaves(delta, v1::LeafFamily::Ipv6, leaves),
    }
}

fn encode_leaves<A: AddrBits>(
    delta: &Delta,
    family: v1::LeafFamily,
    leaves: &LeavesOf<A>,
) -> Vec<Vec<u8>> {
    let budget = MAX_CHUNK_BYTES
        .saturating_sub(ENVELOPE_BYTES + LEAF_BYTES + delta.rule.len())
        .max(1);
    let mut chunks = Vec::new();
    let mut from = 0;
    loop {
        let (mut chunk, to) = fill_chunk(leaves, from, budget);
        chunk.rule = delta.rule.to_string();
        chunk.selection = delta.selection.0;
        chunk.window_start_ms = delta.window.start.as_millis();
        chunk.window_length_ms = millis(delta.window.length()) as u64;
        chunk.late_flows = if from == 0 { delta.late_flows } else { 0 };
        chunk.family = family.into();
        chunk.leaves = (to - from) as u32;
        chunks.push(seal(v1::partial::Body::Delta(chunk)));
        from = to;
        if from == leaves.len() {
            return chunks;
        }
    }
}

/// Writes leaves from index `from` on into columns until these pass `budget` bytes together; gives
/// them and the index of the first leaf left out.
fn fill_chunk<A: AddrBits>(leaves: &LeavesOf<A>, from: usize, budget: usize) -> (v1::Delta, usize) {
    let mut chunk = v1::Delta::default();
    let mut by_leaf = v1::delta::ByLeaf::default();
    let factor = match leaves.sampling {
        Sampling::Uniform(rate) => u64::from(rate.max(1)),
        Sampling::Normalized(_) | Sampling::ByLeaf { .. } => 1,
    };
    // Columns start with room for the usual width, so that they rarely move.
    let expected = (leaves.len() - from).min(budget / 6);
    chunk.addresses.reserve(expected * 9 / 4);
    chunk.bytes.reserve(expected * 5 / 2);
    chunk.packets.reserve(expected * 5 / 4);
    chunk.flows.reserve(expected * 5 / 4);
    let mut next = 0;
    let mut size = 0;
    let mut at = from;
    while at < leaves.len() && size <= budget {
        let addr = leaves.addr[at].to_u128();
        columns::put_wide(&mut chunk.addresses, addr - next);
        // The last address has no successor, and no leaf follows it.
        next = addr.wrapping_add(1);
        columns::put(&mut chunk.bytes, leaves.bytes[at] / factor);
        columns::put(&mut chunk.packets, leaves.packets[at]);
        columns::put(&mut chunk.flows, leaves.flows[at]);
        size = chunk.addresses.len() + chunk.bytes.len() + chunk.packets.len() + chunk.flows.len();
        if let Sampling::ByLeaf {
            raw_bytes,
            min_rate,
            max_rate,
        } = &leaves.sampling
        {
            columns::put(&mut by_leaf.raw_bytes, raw_bytes[at]);
            columns::put(&mut by_leaf.min_rate, u64::from(min_rate[at]));
            columns::put(&mut by_leaf.max_rate, u64::from(max_rate[at]));
            size += by_leaf.raw_bytes.len() + by_leaf.min_rate.len() + by_leaf.max_rate.len();
        }
        at += 1;
    }
    chunk.sampling = Some(match &leaves.sampling {
        Sampling::Uniform(rate) => v1::delta::Sampling::UniformRate(*rate),
        Sampling::Normalized(rate) => v1::delta::Sampling::NormalizedRate(*rate),
        Sampling::ByLeaf { .. } => v1::delta::Sampling::ByLeaf(by_leaf),
    });
    (chunk, at)
}

fn seal(body: v1::partial::Body) -> Vec<u8> {
    let sealed = v1::Partial {
        version: VERSION,
        body: Some(body),
    };
    sealed.encode_to_vec()
}

/// [`Timestamp::MIN`] is said by silence: it would take ten bytes.
fn from_min(at: Timestamp) -> Option<i64> {
    (at != Timestamp::MIN).then(|| at.as_millis())
}

fn to_min(ms: Option<i64>) -> Timestamp {
    ms.map_or(Timestamp::MIN, Timestamp::from_millis)
}

/// Encodes progress. Its rules are written in ascending order of selection.
pub fn encode_marker(marker: &Marker) -> Vec<u8> {
    let mut rules: Vec<_> = marker
        .rules
        .iter()
        .map(|rule| v1::RuleProgress {
            selection: rule.selection.0,
            counted_from_ms: from_min(rule.counted_from),
            closed_through_ms: from_min(rule.closed_through),
        })
        .collect();
    rules.sort_unstable_by_key(|rule| rule.selection);
    seal(v1::partial::Body::Marker(v1::Marker {
        topic: marker.source.topic.to_string(),
        partition: marker.source.partition,
        next_offset: marker.next_offset,
        stream_time_ms: marker.stream_time.map(Timestamp::as_millis),
        idle: marker.idle,
        topic_partitions: marker.topic_partitions,
        complete_from_ms: from_min(marker.complete_from),
        rules,
        fates: Some(marker.fates.into()),
    }))
}

/// Encodes a record as one or, for counts, as several values of `<app>-partials`.
pub fn encode(partial: &Partial) -> Vec<Vec<u8>> {
    match partial {
        Partial::Delta(delta) => encode_delta(delta),
        Partial::Marker(marker) => vec![encode_marker(marker)],
    }
}

/// Decodes one value of `<app>-partials`; what it gives holds every invariant of its type.
pub fn decode(bytes: &[u8]) -> Result<Partial, CorruptPartial> {
    let sealed = v1::Partial::decode(bytes)?;
    if sealed.version != VERSION {
        return Err(CorruptPartial::Version(sealed.version));
    }
    // Unknown fields, repeated fields and overlong numbers all make the record longer than what
    // was understood of it.
    let known = sealed.encoded_len();
    if known != bytes.len() {
        return Err(CorruptPartial::Unknown {
            found: bytes.len(),
            known,
        });
    }
    match sealed.body {
        Some(v1::partial::Body::Delta(delta)) => decode_delta(&delta).map(Partial::Delta),
        Some(v1::partial::Body::Marker(marker)) => decode_marker(marker).map(Partial::Marker),
        None => Err(field("body", &"none", "delta or marker")),
    }
}

fn decode_delta(delta: &v1::Delta) -> Result<Delta, CorruptPartial> {
    if delta.rule.is_empty() {
        return Err(field("rule", &delta.rule, "a rule's name"));
    }
    let leaves = match v1::LeafFamily::try_from(delta.family) {
        Ok(v1::LeafFamily::Ipv4) => Leaves::V4(decode_leaves(delta)?),
        Ok(v1::LeafFamily::Ipv6) => Leaves::V6(decode_leaves(delta)?),
        _ => return Err(field("family", &delta.family, "1 (IPv4) or 2 (IPv6)")),
    };
    Ok(Delta {
        rule: Arc::from(delta.rule.as_str()),
        selection: Fingerprint(delta.selection),
        window: decode_window(delta.window_start_ms, delta.window_length_ms)?,
        late_flows: delta.late_flows,
        leaves,
    })
}

fn decode_window(start: i64, length: u64) -> Result<Window, CorruptPartial> {
    let valid_length = i64::try_from(length).ok().filter(|length| *length > 0);
    let Some(ms) = valid_length else {
        return Err(field("window_length_ms", &length, "1 to 2^63 − 1"));
    };
    if start.rem_euclid(ms) != 0 || start.checked_add(ms).is_none() {
        let valid = "a multiple of the window's length";
        return Err(field("window_start_ms", &start, valid));
    }
    Ok(Window::starting(
        Timestamp::from_millis(start),
        Duration::from_millis(length),
    ))
}

fn decode_leaves<A: AddrBits>(delta: &v1::Delta) -> Result<LeavesOf<A>, CorruptPartial> {
    let leaves = delta.leaves as usize;
    let named = |column| move |error| CorruptPartial::Column { column, error };
    let factor = match &delta.sampling {
        Some(v1::delta::Sampling::UniformRate(rate)) => (*rate).max(1),
        _ => 1,
    };
    let addr = columns::addresses(&delta.addresses, leaves).map_err(named("addresses"))?;
    let bytes = columns::counts(&delta.bytes, leaves, factor).map_err(named("bytes"))?;
    let sampling = match &delta.sampling {
        Some(v1::delta::Sampling::UniformRate(rate)) => Sampling::Uniform(*rate),
        Some(v1::delta::Sampling::NormalizedRate(rate)) => Sampling::Normalized(*rate),
        Some(v1::delta::Sampling::ByLeaf(by_leaf)) => decode_by_leaf(by_leaf, leaves)?,
        None => {
            let valid = "uniform_rate, by_leaf or normalized_rate";
            return Err(field("sampling", &"none", valid));
        }
    };
    Ok(LeavesOf {
        addr,
        bytes,
        packets: columns::counts(&delta.packets, leaves, 1).map_err(named("packets"))?,
        flows: columns::counts(&delta.flows, leaves, 1).map_err(named("flows"))?,
        sampling,
    })
}

fn decode_by_leaf(by_leaf: &v1::delta::ByLeaf, leaves: usize) -> Result<Sampling, CorruptPartial> {
    let named = |column| move |error| CorruptPartial::Column { column, error };
    let min_rate = columns::rates(&by_leaf.min_rate, leaves).map_err(named("min_rate"))?;
    let max_rate = columns::rates(&by_leaf.max_rate, leaves).map_err(named("max_rate"))?;
    if let Some(index) = (0..leaves).find(|i| min_rate[*i] > max_rate[*i]) {
        let valid = "at most the leaf's max_rate";
        return Err(field("min_rate", &min_rate[index], valid));
    }
    Ok(Sampling::ByLeaf {
        raw_bytes: columns::counts(&by_leaf.raw_bytes, leaves, 1).map_err(named("raw_bytes"))?,
        min_rate,
        max_rate,
    })
}

fn decode_marker(marker: v1::Marker) -> Result<Marker, CorruptPartial> {
    if marker.topic.is_empty() {
        return Err(field("topic", &marker.topic, "a topic's name"));
    }
    if !u32::try_from(marker.partition).is_ok_and(|partition| partition < MAX_PARTITIONS) {
        return Err(field("partition", &marker.partition, "0 to 65535"));
    }
    if marker.topic_partitions > MAX_PARTITIONS {
        let valid = "at most 65536";
        return Err(field("topic_partitions", &marker.topic_partitions, valid));
    }
    if marker.next_offset < 0 {
        return Err(field("next_offset", &marker.next_offset, "0 or more"));
    }
    if let Some(pair) = marker
        .rules
        .windows(2)
        .find(|pair| pair[0].selection >= pair[1].selection)
    {
        let selection = Fingerprint(pair[1].selection).to_string();
        return Err(field("rules", &selection, "ascending without repeats"));
    }
    let Some(fates) = marker.fates else {
        return Err(field("fates", &"none", "always written"));
    };
    Ok(Marker {
        source: SourceId {
            topic: Arc::from(marker.topic),
            partition: marker.partition,
        },
        next_offset: marker.next_offset,
        stream_time: marker.stream_time_ms.map(Timestamp::from_millis),
        idle: marker.idle,
        topic_partitions: marker.topic_partitions,
        complete_from: to_min(marker.complete_from_ms),
        rules: marker
            .rules
            .iter()
            .map(|rule| RuleProgress {
                selection: Fingerprint(rule.selection),
                counted_from: to_min(rule.counted_from_ms),
                closed_through: to_min(rule.closed_through_ms),
            })
            .collect(),
        fates: fates.into(),
    })
}

macro_rules! same_fates {
    ($($name:ident)*) => {
        impl From<Fates> for v1::Fates {
            fn from(fates: Fates) -> Self {
                Self { $($name: fates.$name),* }
            }
        }

        impl From<v1::Fates> for Fates {
            fn from(fates: v1::Fates) -> Self {
                Self { $($name: fates.$name),* }
            }
        }
    };
}
same_fates!(selected not_selected late not_ip implausible undecodable late_counted clamped clock_ahead
    dead_letters unknown_sampling lost);

/// The partition of `<app>-partials` that holds `rule`: FNV-1a 64 of its name, so that every
/// selection of a rule lives in one partition.
pub fn partition_of(rule: &str, partitions: u32) -> i32 {
    let hash = rule.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % u64::from(partitions.max(1))) as i32
}
