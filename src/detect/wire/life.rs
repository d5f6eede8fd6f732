//! What is remembered of single prefixes, and how alerts name a rule.

use prost::Message as _;

use super::{LIFE, Saved, fingerprint, message};
use crate::alert::DecodeError;
use crate::detect::emission::StateChange;
use crate::detect::life::{Life, Shadow};
use crate::detect::track::ToldAs;
use crate::net::Prefix;
use crate::proto::v1::{self, DetectAlert, DetectLife, DetectShadow, DetectToldAs};
use crate::rule::{Fingerprint, parse_prefix};
use crate::time::Timestamp;

pub(super) fn told_as(told_as: &ToldAs) -> DetectToldAs {
    let ToldAs {
        fingerprint,
        labels,
        key,
        mode,
    } = told_as;
    DetectToldAs {
        fingerprint: fingerprint.0,
        labels: labels.clone(),
        key: v1::Key::from(*key).into(),
        mode: v1::Mode::from(*mode).into(),
    }
}

/// What is remembered of a prefix; nothing is a tombstone.
pub(in crate::detect) fn life(
    selection: Fingerprint,
    prefix: Prefix,
    life: Option<&Life>,
    shadow: Option<&Shadow>,
) -> StateChange {
    let message = DetectLife {
        alert: life.map(|life| DetectAlert {
            first: life.first.as_millis(),
            last: life.last.as_millis(),
            over: life.over,
            below: life.below,
            untold: life.untold,
            revision: life.revision,
            bytes: life.bytes,
            packets: life.packets,
            flows: life.flows,
            peak_bytes: life.peak.0,
            peak_at: life.peak.1.as_millis(),
            severity: life.severity.clone(),
        }),
        shadow: shadow.map(|shadow| DetectShadow {
            first: shadow.first.as_millis(),
            revision: shadow.revision,
        }),
    };
    let is_nothing = life.is_none() && shadow.is_none();
    StateChange {
        key: format!("{LIFE}{selection}/{prefix}").into(),
        value: (!is_nothing).then(|| message.encode_to_vec()),
    }
}

pub(super) fn decode_told_as(saved: DetectToldAs) -> Result<ToldAs, String> {
    Ok(ToldAs {
        fingerprint: Fingerprint(saved.fingerprint),
        labels: saved.labels,
        key: saved
            .key
            .try_into()
            .map_err(|e: DecodeError| e.to_string())?,
        mode: saved
            .mode
            .try_into()
            .map_err(|e: DecodeError| e.to_string())?,
    })
}

pub(super) fn decode_life(key: &str, value: &[u8]) -> Result<Saved, String> {
    let (selection, prefix) = key.split_once('/').ok_or("its key names no prefix")?;
    let saved: DetectLife = message(value)?;
    let life = |saved: DetectAlert| Life {
        first: Timestamp::from_millis(saved.first),
        last: Timestamp::from_millis(saved.last),
        over: saved.over,
        below: saved.below,
        untold: saved.untold,
        revision: saved.revision,
        bytes: saved.bytes,
        packets: saved.packets,
        flows: saved.flows,
        peak: (saved.peak_bytes, Timestamp::from_millis(saved.peak_at)),
        severity: saved.severity,
    };
    let shadow = |saved: DetectShadow| Shadow {
        first: Timestamp::from_millis(saved.first),
        revision: saved.revision,
    };
    Ok(Saved::Life {
        selection: fingerprint(selection)?,
        prefix: parse_prefix(prefix)?,
        life: saved.alert.map(life),
        shadow: saved.shadow.map(shadow),
    })
}
