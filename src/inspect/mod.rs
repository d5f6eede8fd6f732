//! First contact with a topic of flows: what is in it, and a configuration that fits. Pure.
//!
//! In: records, with partition and Kafka timestamp. Out: a [`Report`], which is a configuration in YAML whose
//! comments say what was found. Memory is bounded whatever comes: examples, exporters and flows beyond a
//! limit are counted and not kept.

mod exporters;
mod fields;
mod report;
mod spread;
mod suggest;
#[cfg(test)]
mod tests;
mod times;
mod twice;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};

use crate::flow::{Decoder, DecoderSettings, Field, FieldSet, FormatName, Written, recognise};
use crate::time::Timestamp;

use exporters::Exporters;
use fields::Fields;
use times::Times;
use twice::Twice;
use volumes::Volumes;

pub use report::Report;

/// A record that is no flow, as an example of its kind.
#[derive(Clone, Debug)]
struct Stray {
    records: u64,
    partition: i32,
    offset: i64,
    reason: String,
}

/// Where a record was, and when.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Partition.
    pub partition: i32,
    /// Offset in it.
    pub offset: i64,
    /// The record's timestamp.
    pub timestamp: Option<Timestamp>,
}

/// What was seen so far.
#[derive(Debug)]
pub struct Inspection {
    decoder: Decoder,
    records: u64,
    partitions: BTreeSet<i32>,
    /// Kafka timestamps: the first and the last.
    span: Option<(Timestamp, Timestamp)>,
    flows: u64,
    not_ip: u64,
    normalized: u64,
    written: BTreeMap<Written, u64>,
    strays: BTreeMap<&'static str, Stray>,
    exporters: Exporters,
    fields: Fields,
    times: Times,
    twice: Twice,
    volumes: Volumes,
}

impl Default for Inspection {
    fn default() -> Self {
        Self {
            decoder: Decoder::new(DecoderSettings {
                format: FormatName::Auto,
                direction_default: None,
                fields: FieldSet::ALL,
            }),
            records: 0,
            partitions: BTreeSet::new(),
            span: None,
            flows: 0,
            not_ip: 0,
            normalized: 0,
            written: BTreeMap::new(),
            strays: BTreeMap::new(),
            exporters: Exporters::default(),
            fields: Fields::default(),
            times: Times::default(),
            twice: Twice::default(),
            volumes: Volumes::default(),
        }
    }
}

impl Inspection {
    /// Takes one record; one without a value is an empty one.
    pub fn record(&mut self, place: Place, value: &[u8]) {
        self.records += 1;
        self.partitions.insert(place.partition);
        if let Some(at) = place.timestamp {
            let (first, last) = self.span.unwrap_or((at, at));
            self.span = Some((first.min(at), last.max(at)));
        }
        let flow = match self.decoder.decode(value) {
            Ok(flow) => flow,
            Err(error) => {
                let stray = self.strays.entry(error.kind()).or_insert_with(|| Stray {
                    records: 0,
                    partition: place.partition,
                    offset: place.offset,
                    reason: error.to_string(),
                });
                stray.records += 1;
                return;
            }
        };
        self.flows += 1;
        *self.written.entry(recognise(value)).or_default() += 1;
        self.not_ip += u64::from(!flow.may_be_ip() || flow.dst_addr.is_none());
        self.exporters.flow(&flow);
        self.fields.flow(&flow);
        self.times.flow(place, &flow);
        self.twice.flow(&flow);
        self.volumes.flow(&flow);
        self.normalized += u64::from(fields::carried(&flow, Field::Normalized).is_some());
    }

    /// How many records there were.
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Between the first and the last Kafka timestamp, at least 1 ms.
    fn span_ms(&self) -> Option<i64> {
        let (first, last) = self.span?;
        let span = last.as_millis().saturating_sub(first.as_millis());
        Some(span.max(1))
    }

    /// What they say, after so many seconds of reading.
    pub const fn report<'a>(&'a self, topic: &'a str, seconds: u64) -> Report<'a> {
        Report {
            inspection: self,
            topic,
            seconds,
        }
    }
}
