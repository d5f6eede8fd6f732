//! Model ⇄ generated protobuf types, field by field.
//!
//! Structs are taken apart without `..`, so that a field added on one side does not compile until the
//! other has it.

use super::wire::{DecodeError, EncodeError};
use super::{
    Alert, Completeness, Confidence, Cumulative, EndReason, Evidence, FamilyName, FamilyResolution,
    GroupVolume, KeyName, Largest, Masked, ModeName, Peak, RuleRef, SampledRate, Share, Status,
    Target, Trigger, Volume, WindowRecord, WindowRef, WindowState,
};
use crate::proto::v1;
use crate::rule::Metric;

/// The names of all metrics, for messages.
pub(super) const METRICS: &str =
    "bytes, packets, flows, bits_per_second, packets_per_second, flows_per_second";

macro_rules! enums {
    ($($model:ident = $proto:ident as $field:literal { $($variant:ident),* })*) => {$(
        impl From<$model> for v1::$proto {
            fn from(value: $model) -> Self {
                match value { $($model::$variant => Self::$variant),* }
            }
        }

        impl TryFrom<i32> for $model {
            type Error = DecodeError;

            fn try_from(value: i32) -> Result<Self, DecodeError> {
                match v1::$proto::try_from(value) {
                    $(Ok(v1::$proto::$variant) => Ok(Self::$variant),)*
                    _ => Err(DecodeError::Unknown { field: $field, value }),
                }
            }
        }
    )*};
}

enums! {
    Status = Status as "status" { Active, Started, Ongoing, Ended }
    EndReason = EndReason as "end_reason" { BelowThreshold, RuleChanged, RuleRemoved, Unconfirmed, Superseded, Silenced, SilenceOver }
    FamilyName = Family as "family" { Ipv4, Ipv6 }
    KeyName = Key as "key" { Dst, Src }
    ModeName = Mode as "mode" { MostSpecific, Discounted, All }
    Confidence = Confidence as "sampling.confidence" { High, Low }
    WindowState = WindowState as "state" { Final, Provisional, RuleChange, UnknownRule }
}

/// Structs whose fields have the same names and types on both sides.
macro_rules! same {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl From<$name> for v1::$name {
            fn from($name { $($field),* }: $name) -> Self {
                Self { $($field),* }
            }
        }

        impl From<v1::$name> for $name {
            fn from(v1::$name { $($field),* }: v1::$name) -> Self {
                Self { $($field),* }
            }
        }
    )*};
}

same! {
    Volume { bytes, packets, flows, bits_per_second, packets_per_second, flows_per_second }
    RuleRef { name, fingerprint, labels }
    Masked { prefix, bits_per_second }
    Largest { prefix, bytes, packets }
    Cumulative { bytes, packets, flows }
    Target { scope, labels }
    Completeness { partitions_reported, partitions_expected, partial }
    Share { value, share, low, high }
}

fn to_time(field: &'static str, text: &str) -> Result<prost_types::Timestamp, EncodeError> {
    let time: jiff::Timestamp = text.parse().map_err(|_| EncodeError::Time {
        field,
        text: text.to_owned(),
    })?;
    // Protobuf wants nanoseconds that count forward from the second, also before 1970.
    let nanos = time.as_nanosecond();
    Ok(prost_types::Timestamp {
        seconds: nanos.div_euclid(1_000_000_000) as i64,
        nanos: nanos.rem_euclid(1_000_000_000) as i32,
    })
}

fn from_time(
    field: &'static str,
    time: Option<prost_types::Timestamp>,
) -> Result<String, DecodeError> {
    let time = time.ok_or(DecodeError::Missing(field))?;
    match jiff::Timestamp::new(time.seconds, time.nanos) {
        Ok(t) => Ok(t.to_string()),
        Err(_) => Err(DecodeError::Time {
            field,
            seconds: time.seconds,
        }),
    }
}

fn required<P, M: From<P>>(field: &'static str, message: Option<P>) -> Result<M, DecodeError> {
    message.map(M::from).ok_or(DecodeError::Missing(field))
}

impl TryFrom<&WindowRef> for v1::WindowRef {
    type Error = EncodeError;

    fn try_from(WindowRef { start, end }: &WindowRef) -> Result<Self, EncodeError> {
        Ok(Self {
            start: Some(to_time("window.start", start)?),
            end: Some(to_time("window.end", end)?),
        })
    }
}

impl TryFrom<Option<v1::WindowRef>> for WindowRef {
    type Error = DecodeError;

    fn try_from(window: Option<v1::WindowRef>) -> Result<Self, DecodeError> {
        let v1::WindowRef { start, end } = window.ok_or(DecodeError::Missing("window"))?;
        Ok(Self {
            start: from_time("window.start", start)?,
            end: from_time("window.end", end)?,
        })
    }
}

impl TryFrom<&Trigger> for v1::Trigger {
    type Error = EncodeError;

    fn try_from(trigger: &Trigger) -> Result<Self, EncodeError> {
        let Trigger {
            metric,
            threshold,
            value,
        } = trigger;
        let metric = match Metric::ALL.into_iter().find(|m| m.name() == metric) {
            Some(Metric::Bytes) => v1::Metric::Bytes,
            Some(Metric::Packets) => v1::Metric::Packets,
            Some(Metric::Flows) => v1::Metric::Flows,
            Some(Metric::BitsPerSecond) => v1::Metric::BitsPerSecond,
            Some(Metric::PacketsPerSecond) => v1::Metric::PacketsPerSecond,
            Some(Metric::FlowsPerSecond) => v1::Metric::FlowsPerSecond,
            None => return Err(EncodeError::Metric(metric.clone())),
        };
        Ok(Self {
            metric: metric.into(),
            threshold: *threshold,
            value: *value,
        })
    }
}

impl TryFrom<v1::Trigger> for Trigger {
    type Error = DecodeError;

    fn try_from(trigger: v1::Trigger) -> Result<Self, DecodeError> {
        let v1::Trigger {
            metric: number,
            threshold,
            value,
        } = trigger;
        let metric = match v1::Metric::try_from(number) {
            Ok(v1::Metric::Bytes) => Metric::Bytes,
            Ok(v1::Metric::Packets) => Metric::Packets,
            Ok(v1::Metric::Flows) => Metric::Flows,
            Ok(v1::Metric::BitsPerSecond) => Metric::BitsPerSecond,
            Ok(v1::Metric::PacketsPerSecond) => Metric::PacketsPerSecond,
            Ok(v1::Metric::FlowsPerSecond) => Metric::FlowsPerSecond,
            Ok(v1::Metric::Unspecified) | Err(_) => {
                return Err(DecodeError::Unknown {
                    field: "triggers.metric",
                    value: number,
                });
            }
        };
        Ok(Self {
            metric: metric.name().to_owned(),
            threshold,
            value,
        })
    }
}

impl TryFrom<&Peak> for v1::Peak {
    type Error = EncodeError;

    fn try_from(peak: &Peak) -> Result<Self, EncodeError> {
        let Peak {
            bits_per_second,
            at,
        } = peak;
        Ok(Self {
            bits_per_second: *bits_per_second,
            at: Some(to_time("peak.at", at)?),
        })
    }
}

impl TryFrom<Option<v1::Peak>> for Peak {
    type Error = DecodeError;

    fn try_from(peak: Option<v1::Peak>) -> Result<Self, DecodeError> {
        let v1::Peak {
            bits_per_second,
            at,
        } = peak.ok_or(DecodeError::Missing("peak"))?;
        Ok(Self {
            bits_per_second,
            at: from_time("peak.at", at)?,
        })
    }
}

impl From<FamilyResolution> for v1::FamilyResolution {
    fn from(FamilyResolution { ipv4, ipv6 }: FamilyResolution) -> Self {
        Self {
            ipv4: ipv4.into(),
            ipv6: ipv6.into(),
        }
    }
}

impl TryFrom<Option<v1::FamilyResolution>> for FamilyResolution {
    type Error = DecodeError;

    fn try_from(resolution: Option<v1::FamilyResolution>) -> Result<Self, DecodeError> {
        let v1::FamilyResolution { ipv4, ipv6 } =
            resolution.ok_or(DecodeError::Missing("resolution"))?;
        Ok(Self {
            ipv4: length("resolution.ipv4", ipv4, 32)?,
            ipv6: length("resolution.ipv6", ipv6, 128)?,
        })
    }
}

fn length(field: &'static str, value: u32, max: u8) -> Result<u8, DecodeError> {
    match u8::try_from(value) {
        Ok(length) if length <= max => Ok(length),
        _ => Err(DecodeError::TooLarge {
            field,
            value,
            max: max.into(),
        }),
    }
}

impl From<SampledRate> for v1::SampledRate {
    fn from(sampling: SampledRate) -> Self {
        let SampledRate {
            min_rate,
            max_rate,
            raw_bytes,
            confidence,
        } = sampling;
        Self {
            min_rate,
            max_rate,
            raw_bytes,
            confidence: v1::Confidence::from(confidence).into(),
        }
    }
}

impl TryFrom<Option<v1::SampledRate>> for SampledRate {
    type Error = DecodeError;

    fn try_from(sampling: Option<v1::SampledRate>) -> Result<Self, DecodeError> {
        let v1::SampledRate {
            min_rate,
            max_rate,
            raw_bytes,
            confidence,
        } = sampling.ok_or(DecodeError::Missing("sampling"))?;
        Ok(Self {
            min_rate,
            max_rate,
            raw_bytes,
            confidence: confidence.try_into()?,
        })
    }
}

impl From<Evidence> for v1::Evidence {
    fn from(evidence: Evidence) -> Self {
        let Evidence {
            sample_size,
            top_sources,
        } = evidence;
        Self {
            sample_size,
            top_sources: top_sources.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<v1::Evidence> for Evidence {
    fn from(evidence: v1::Evidence) -> Self {
        let v1::Evidence {
            sample_size,
            top_sources,
        } = evidence;
        Self {
            sample_size,
            top_sources: top_sources.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<GroupVolume> for v1::GroupVolume {
    fn from(group: GroupVolume) -> Self {
        let GroupVolume {
            label,
            name,
            volume,
        } = group;
        Self {
            label,
            name,
            volume: Some(volume.into()),
        }
    }
}

impl TryFrom<v1::GroupVolume> for GroupVolume {
    type Error = DecodeError;

    fn try_from(group: v1::GroupVolume) -> Result<Self, DecodeError> {
        let v1::GroupVolume {
            label,
            name,
            volume,
        } = group;
        Ok(Self {
            label,
            name,
            volume: required("group.volume", volume)?,
        })
    }
}

impl TryFrom<&Alert> for v1::Alert {
    type Error = EncodeError;

    fn try_from(alert: &Alert) -> Result<Self, EncodeError> {
        // A copy, so that fields are moved by name; an alert is a few hundred bytes.
        let a = alert.clone();
        Ok(Self {
            schema: a.schema,
            id: a.id,
            revision: a.revision,
            status: v1::Status::from(a.status).into(),
            r#final: a.r#final,
            incident_id: a.incident_id,
            rule: Some(a.rule.into()),
            prefix: a.prefix,
            family: v1::Family::from(a.family).into(),
            key: v1::Key::from(a.key).into(),
            mode: v1::Mode::from(a.mode).into(),
            window: Some((&a.window).try_into()?),
            volume: Some(a.volume.into()),
            conditioned_volume: a.conditioned_volume.map(Into::into),
            rule_total: Some(a.rule_total.into()),
            saturated: a.saturated,
            triggers: a
                .triggers
                .iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            severity: a.severity,
            first_seen: Some(to_time("first_seen", &a.first_seen)?),
            last_seen: Some(to_time("last_seen", &a.last_seen)?),
            peak: Some((&a.peak).try_into()?),
            expires_at: Some(to_time("expires_at", &a.expires_at)?),
            masked: a.masked.map(Into::into),
            hosts: a.hosts,
            largest: Some(a.largest.into()),
            target: a.target.map(Into::into),
            resolution: Some(a.resolution.into()),
            completeness: Some(a.completeness.into()),
            sampling: Some(a.sampling.into()),
            evidence: a.evidence.map(Into::into),
            group: a.group.map(Into::into),
            end_reason: a.end_reason.map(|r| v1::EndReason::from(r).into()),
            cumulative: Some(a.cumulative.into()),
            superseded_by: a.superseded_by,
            silenced_by: a.silenced_by,
            incident_pulse: a.incident_pulse,
        })
    }
}

impl TryFrom<v1::Alert> for Alert {
    type Error = DecodeError;

    fn try_from(a: v1::Alert) -> Result<Self, DecodeError> {
        Ok(Self {
            schema: a.schema,
            id: a.id,
            revision: a.revision,
            status: a.status.try_into()?,
            r#final: a.r#final,
            incident_id: a.incident_id,
            rule: required("rule", a.rule)?,
            prefix: a.prefix,
            family: a.family.try_into()?,
            key: a.key.try_into()?,
            mode: a.mode.try_into()?,
            window: a.window.try_into()?,
            volume: required("volume", a.volume)?,
            conditioned_volume: a.conditioned_volume.map(Into::into),
            rule_total: required("rule_total", a.rule_total)?,
            saturated: a.saturated,
            triggers: a
                .triggers
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            severity: a.severity,
            first_seen: from_time("first_seen", a.first_seen)?,
            last_seen: from_time("last_seen", a.last_seen)?,
            peak: a.peak.try_into()?,
            expires_at: from_time("expires_at", a.expires_at)?,
            masked: a.masked.map(Into::into),
            hosts: a.hosts,
            largest: required("largest", a.largest)?,
            target: a.target.map(Into::into),
            resolution: a.resolution.try_into()?,
            completeness: required("completeness", a.completeness)?,
            sampling: a.sampling.try_into()?,
            evidence: a.evidence.map(Into::into),
            group: a.group.map(TryInto::try_into).transpose()?,
            end_reason: a.end_reason.map(TryInto::try_into).transpose()?,
            cumulative: a.cumulative.map(Into::into).unwrap_or_default(),
            superseded_by: a.superseded_by,
            silenced_by: a.silenced_by,
            incident_pulse: a.incident_pulse,
        })
    }
}

impl TryFrom<&WindowRecord> for v1::WindowRecord {
    type Error = EncodeError;

    fn try_from(record: &WindowRecord) -> Result<Self, EncodeError> {
        let w = record.clone();
        Ok(Self {
            schema: w.schema,
            revision: w.revision,
            state: v1::WindowState::from(w.state).into(),
            rule: Some(w.rule.into()),
            window: Some((&w.window).try_into()?),
            total: Some(w.total.into()),
            saturated: w.saturated,
            alerts_written: w.alerts_written,
            alerts_cut: w.alerts_cut,
            superseded: w.superseded,
            leaves: w.leaves,
            masked: w.masked.map(Into::into),
            late_flows: w.late_flows,
            skipped_windows: w.skipped_windows,
            resolution: Some(w.resolution.into()),
            completeness: Some(w.completeness.into()),
            prefixes_over: w.prefixes_over,
            alerts_open: w.alerts_open,
            alerts_silenced: w.alerts_silenced,
        })
    }
}

impl TryFrom<v1::WindowRecord> for WindowRecord {
    type Error = DecodeError;

    fn try_from(w: v1::WindowRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            schema: w.schema,
            revision: w.revision,
            state: w.state.try_into()?,
            rule: required("rule", w.rule)?,
            window: w.window.try_into()?,
            total: required("total", w.total)?,
            saturated: w.saturated,
            alerts_written: w.alerts_written,
            alerts_cut: w.alerts_cut,
            superseded: w.superseded,
            leaves: w.leaves,
            masked: w.masked.map(Into::into),
            late_flows: w.late_flows,
            skipped_windows: w.skipped_windows,
            resolution: w.resolution.try_into()?,
            completeness: required("completeness", w.completeness)?,
            prefixes_over: w.prefixes_over,
            alerts_open: w.alerts_open,
            alerts_silenced: w.alerts_silenced,
        })
    }
}
