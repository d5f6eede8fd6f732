//! Record bytes → [`Flow`]. Pure.
//!
//! In: one Kafka record's value. Out: the flow in it, or why there is none. Guarantees: no panic on
//! any input, no allocation on the protobuf path, and a field that is unknown or has the wrong wire
//! type is skipped, never an error for the record. A record that is no flow at all is
//! [`Undecodable`], with the reason that goes into its dead letter.
//!
//! Without a setting this reads bwNetFlow since June 2019, flowpipeline v1 and v2, goflow v3, goflow2 v1
//! and v2: protobuf, bare or behind its length, JSON in four dialects, and `name=value` text. The format is
//! found per record, so that a topic may mix them.
//!
//! ```
//! use hotprefix::flow::{Decoder, DecoderSettings, FieldSet, FormatName};
//!
//! let mut decoder = Decoder::new(DecoderSettings {
//!     format: FormatName::Auto,
//!     direction_default: None,
//!     fields: FieldSet::ALL,
//! });
//! let flow = decoder.decode(br#"{"dst_addr":"192.0.2.1","bytes":1500}"#)?;
//! assert_eq!(flow.bytes, 1500);
//! # Ok::<(), hotprefix::flow::Undecodable>(())
//! ```

mod clues;
mod decoder;
mod json;
mod layout;
mod model;
mod named;
mod numbers;
mod protobuf;
mod recognise;
mod sampling;
mod settings;
mod slots;
mod text;
mod undecodable;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub use decoder::{Decoder, DecoderSettings};
pub use model::{Direction, Field, FieldSet, Flow, Normalized};
pub use recognise::{Wire, Written, recognise};
pub use sampling::{Rejected, Sampler, Scaled};
pub use settings::{
    DirectionDefault, ExporterSampling, FormatName, SamplingConfig, SamplingDefault, SamplingMode,
};
pub use undecodable::{LikelyFormat, Undecodable, likely_format};
