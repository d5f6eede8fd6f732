//! What an operator can say about formats, direction and sampling.

use crate::net::Prefix;

/// `input.format`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatName {
    /// Per record: JSON, delimited or raw protobuf.
    Auto,
    /// Protobuf, delimited or raw.
    Protobuf,
    /// JSON in any of the four dialects.
    Json,
}

/// `input.direction_default`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectionDefault {
    /// Not said means ingress.
    Ingress,
    /// Not said means egress.
    Egress,
    /// Not said means unknown.
    Unknown,
}

/// `sampling:`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamplingConfig {
    /// Whether to multiply.
    pub mode: SamplingMode,
    /// Rate of flows that do not say one. Default unknown.
    pub default: SamplingDefault,
    /// Per exporter prefix, longest match.
    pub exporters: Vec<(Prefix, ExporterSampling)>,
}

/// `sampling.mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplingMode {
    /// Multiply unless the record says that it is normalized.
    Auto,
    /// Never multiply.
    Never,
    /// Multiply even when it says so.
    Always,
}

/// `sampling.default`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplingDefault {
    /// Counts as 1, with low confidence.
    Unknown,
    /// This rate.
    Rate(u32),
    /// The flow is a dead letter.
    Reject,
}

/// One entry of `sampling.exporters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExporterSampling {
    /// For flows that do not say a rate.
    pub default: Option<SamplingDefault>,
    /// Whatever the flows say.
    pub r#override: Option<u32>,
}
