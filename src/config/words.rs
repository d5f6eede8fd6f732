//! The words of the configuration file, and durations.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),* }
    };
}

words! {
    /// `membership`
    #[derive(Default)]
    MembershipText {
        /// A member that goes leaves its group: the others take its partitions at once.
        #[default]
        Dynamic,
        /// A member keeps its partitions for the session timeout, however it went.
        Static,
    }
}
words! {
    /// `input.format`
    FormatText {
        /// Each record by itself: JSON, delimited or raw protobuf.
        Auto,
        /// Protobuf, delimited or raw.
        Protobuf,
        /// JSON.
        Json,
    }
}
words! {
    /// `input.on_gap`
    OnGapText {
        /// Count the gap as lost, say so, go on.
        Continue,
        /// Stop with an error.
        Stop,
    }
}
words! {
    /// `input.direction_default`
    DirectionText {
        /// Entering the exporter.
        Ingress,
        /// Leaving the exporter.
        Egress,
        /// Not known.
        Unknown,
    }
}
words! {
    /// `time.event_time`
    EventTimeText {
        /// When the collector received the flow.
        Received,
        /// When the flow ended.
        End,
        /// When the flow began.
        Start,
    }
}
words! {
    /// `sampling.mode`
    SamplingModeText {
        /// Multiply unless the record says that it is normalized.
        Auto,
        /// Never multiply.
        Never,
        /// Multiply even then.
        Always,
    }
}
words! {
    /// `output.format`
    #[derive(Default)]
    OutputFormatText {
        /// JSON.
        #[default]
        Json,
        /// Protobuf.
        Protobuf,
    }
}
words! {
    /// `telemetry.log.format`
    LogFormatText {
        /// One readable line.
        Text,
        /// One JSON object.
        Json,
    }
}

/// A duration as text: a number and a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DurationText(pub String);

impl From<&str> for DurationText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "a duration with a unit, such as 500ms, 60s, 5m, 1h30m or 2d",
            "type": "string",
        })
    }
}
