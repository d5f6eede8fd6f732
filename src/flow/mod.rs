//! Record bytes → [`Flow`]. Pure.
//!
//! In: one Kafka record's value. Out: the flow in it, or why there is none. Guarantees: no panic on
//! any input, no allocation on the protobuf path, and a field that is unknown or has the wrong wire
//! type is skipped, never an error for the record. A record that is no flow at all is
//! [`Undecodable`], with the reason that goes into its dead letter.

mod model;
mod settings;

pub use model::{Direction, Field, FieldSet, Flow, Normalized};
pub use settings::{
    DirectionDefault, ExporterSampling, FormatName, SamplingConfig, SamplingDefault, SamplingMode,
};
