//! Whose records these are: for people who look at a topic for the first time. Not for each record of a
//! service.

use std::fmt;

use super::clues::Family;
use super::json;
use super::layout::Layout;
use super::protobuf::{self, Framing};
use super::slots::Slots;

/// How a flow is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wire {
    /// Protobuf, the message as it is.
    Bare,
    /// Protobuf behind its length.
    Delimited,
    /// A JSON object.
    Json,
    /// `name=value` text.
    Text,
}

/// A flow's form and whose names or numbers it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Written {
    /// The form.
    pub wire: Wire,
    /// Who writes so, as far as it can be told from one record.
    pub by: &'static str,
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bare => "protobuf, bare",
            Self::Delimited => "protobuf, delimited",
            Self::Json => "JSON",
            Self::Text => "text",
        })
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.wire, self.by)
    }
}

/// Tells how a record is written that [`super::Decoder`] reads with the format `auto`. It means nothing for
/// others.
pub fn recognise(record: &[u8]) -> Written {
    let mut slots = Slots::new();
    let is_object = json::begins_object(record) && protobuf::delimited_body(record).is_none();
    let framing = protobuf::read(record, &mut Layout::of_any_field(), &mut slots)
        .ok()
        .filter(|_| !is_object && slots.settle(None).is_ok());
    let wire = match framing {
        Some(Framing::Bare) => Wire::Bare,
        Some(Framing::Delimited) => Wire::Delimited,
        None if json::begins_object(record) => Wire::Json,
        None => Wire::Text,
    };
    let by = match wire {
        Wire::Bare | Wire::Delimited => by_numbers(wire, slots.family()),
        Wire::Json => by_names(record),
        Wire::Text => "goflow2",
    };
    Written { wire, by }
}

const fn by_numbers(wire: Wire, family: Family) -> &'static str {
    match (family, wire) {
        (Family::Plain, _) => "goflow, goflow2 v1 or bwNetFlow without enrichment",
        (Family::Enriched, Wire::Delimited) => "flowpipeline v1",
        (Family::Enriched, _) => "bwNetFlow since 2019, flowpipeline v1 or v2 with `legacy`",
        (Family::Goflow2, _) => "goflow2 v2",
        (Family::Flowpipeline2, _) => "flowpipeline v2",
    }
}

/// Tells JSON dialects apart by how they spell the names and the addresses.
fn by_names(record: &[u8]) -> &'static str {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(record).unwrap_or_default();
    let spelled = |names: [&str; 3]| {
        let mut found = names.iter().filter_map(|name| object.get(*name)?.as_str());
        found.find(|address| !address.is_empty())
    };
    let is_text = |address: &str| address.contains(['.', ':']);
    if let Some(address) = spelled(["dst_addr", "src_addr", "sampler_address"]) {
        return if is_text(address) {
            "goflow2 v2"
        } else {
            "the enricher of goflow2"
        };
    }
    if let Some(address) = spelled(["DstAddr", "SrcAddr", "SamplerAddress"]) {
        return if is_text(address) {
            "goflow2 v1"
        } else {
            "bwNetFlow or flowpipeline v1"
        };
    }
    match spelled(["dstAddr", "srcAddr", "samplerAddress"]) {
        Some(_) => "flowpipeline v2",
        None => "names of no known producer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::tests::recorded;

    #[test]
    fn every_vector_is_recognised() {
        let plain = "goflow, goflow2 v1 or bwNetFlow without enrichment";
        let enriched = "bwNetFlow since 2019, flowpipeline v1 or v2 with `legacy`";
        let expected = [
            ("goflow2-v1-bare", Wire::Bare, plain),
            ("goflow2-v1-delimited", Wire::Delimited, plain),
            ("goflow2-v1-json", Wire::Json, "goflow2 v1"),
            ("goflow2-v2-bare", Wire::Bare, "goflow2 v2"),
            ("goflow2-v2-delimited", Wire::Delimited, "goflow2 v2"),
            ("goflow2-v2-json", Wire::Json, "goflow2 v2"),
            (
                "goflow2-v2-enricher-json",
                Wire::Json,
                "the enricher of goflow2",
            ),
            ("bwnetflow-2021", Wire::Bare, enriched),
            (
                "bwnetflow-2021-protojson",
                Wire::Json,
                "bwNetFlow or flowpipeline v1",
            ),
            (
                "flowpipeline-v2-delimited",
                Wire::Delimited,
                "flowpipeline v2",
            ),
            ("flowpipeline-v2-protojson", Wire::Json, "flowpipeline v2"),
            ("flowpipeline-v2-legacy", Wire::Bare, enriched),
        ];
        let found: Vec<_> = recorded::all()
            .into_iter()
            .map(|(name, record)| {
                let Written { wire, by } = recognise(&record);
                (name, wire, by)
            })
            .collect();
        assert_eq!(found, expected);
        let text = recognise(b"type=IPFIX dst_addr=192.0.2.1 bytes=1");
        assert_eq!(text.to_string(), "text: goflow2");
        let other = recognise(br#"{"dst_ip":"192.0.2.1"}"#);
        assert_eq!(other.to_string(), "JSON: names of no known producer");
    }
}
