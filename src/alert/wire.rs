//! The two wire forms. Both carry every field; an encoding that would lose one is an error.

use prost::Message as _;

use super::{Alert, WindowRecord};
use crate::proto::v1;

/// Why a value has no protobuf form. Values that `detect` makes always have one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A time is not RFC 3339.
    #[error("{field} is `{text}`, not a time in RFC 3339")]
    Time {
        /// Name of the field.
        field: &'static str,
        /// What it holds.
        text: String,
    },
    /// A trigger's metric is none that a rule can state.
    #[error("trigger has the metric `{0}`; there are {names}", names = super::convert::METRICS)]
    Metric(String),
}

/// Why bytes are no alert or window record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON of this shape.
    #[error("not a JSON {what}: {reason}")]
    Json {
        /// `alert` or `window record`.
        what: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// Not protobuf.
    #[error("not a protobuf {what}: {reason}")]
    Protobuf {
        /// `alert` or `window record`.
        what: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// A message field that is always written is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An enum has a value that this version does not know.
    #[error("{field} has the unknown value {value}")]
    Unknown {
        /// Name of the field.
        field: &'static str,
        /// Its number.
        value: i32,
    },
    /// A number does not fit its field.
    #[error("{field} is {value}, above {max}")]
    TooLarge {
        /// Name of the field.
        field: &'static str,
        /// What was read.
        value: u32,
        /// The largest that is valid.
        max: u32,
    },
    /// A time is outside the calendar.
    #[error("{field} is {seconds} s after 1970, outside the years -9999 to 9999")]
    Time {
        /// Name of the field.
        field: &'static str,
        /// Seconds since the Unix epoch.
        seconds: i64,
    },
}

macro_rules! wire_forms {
    ($type:ty, $proto:ty, $what:literal) => {
        impl $type {
            #[doc = concat!("The JSON form of this ", $what, ", on one line.")]
            pub fn to_json(&self) -> Vec<u8> {
                // Strings, integers, finite shares and string-keyed maps: there is nothing that
                // serde_json could refuse.
                serde_json::to_vec(self).expect("every field has a JSON form")
            }

            #[doc = concat!("Reads the JSON form of one ", $what, ". Unknown keys are skipped.")]
            pub fn from_json(bytes: &[u8]) -> Result<Self, DecodeError> {
                serde_json::from_slice(bytes).map_err(|e| DecodeError::Json {
                    what: $what,
                    reason: e.to_string(),
                })
            }

            #[doc = concat!("The protobuf form of this ", $what, ".")]
            pub fn to_protobuf(&self) -> Result<Vec<u8>, EncodeError> {
                Ok(<$proto>::try_from(self)?.encode_to_vec())
            }

            #[doc = concat!("Reads the protobuf form of one ", $what, ". Unknown fields are skipped.")]
            pub fn from_protobuf(bytes: &[u8]) -> Result<Self, DecodeError> {
                <$proto>::decode(bytes)
                    .map_err(|e| DecodeError::Protobuf {
                        what: $what,
                        reason: e.to_string(),
                    })?
                    .try_into()
            }

            #[doc = concat!("Reads one ", $what, " in either form: JSON starts with `{`, which protobuf cannot.")]
            pub fn from_wire(bytes: &[u8]) -> Result<Self, DecodeError> {
                if bytes.first() == Some(&b'{') {
                    Self::from_json(bytes)
                } else {
                    Self::from_protobuf(bytes)
                }
            }
        }
    };
}
wire_forms!(Alert, v1::Alert, "alert");
wire_forms!(WindowRecord, v1::WindowRecord, "window record");
