//! The alert and the window record: what consumers read. Pure.
//!
//! In: values that `detect` found. Out: [`Alert`] and [`WindowRecord`] in their two wire forms, JSON
//! and protobuf, which carry the same. Guarantees: integers are exact or `saturated` says so; ids are
//! derived, never random; the body holds nothing that differs between replays.

mod convert;
mod line;
mod model;
#[cfg(test)]
mod tests;
mod wire;

pub use line::{line, si};
pub use model::{
    Alert, Completeness, Confidence, Cumulative, EndReason, Evidence, FamilyName, FamilyResolution,
    GroupVolume, KeyName, Largest, Masked, ModeName, Peak, PrefixVolume, RuleRef, SampledRate,
    Share, Status, Target, Trigger, Volume, WindowRecord, WindowRef, WindowState,
};
pub use wire::{DecodeError, EncodeError};

/// What [`Alert::schema`] says.
pub const ALERT_SCHEMA: &str = "hotprefix.alert.v1";
/// What [`WindowRecord::schema`] says.
pub const WINDOW_SCHEMA: &str = "hotprefix.window.v1";
