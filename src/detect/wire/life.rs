//! What is remembered of single prefixes, and how alerts name a rule.

use std::sync::Arc;

use prost::Message as _;
use uuid::Uuid;

use super::{LIFE, Saved, fingerprint, message};
use crate::alert::DecodeError;
use crate::detect::emission::StateChange;
use crate::detect::life::{Incident, Life, Name, Remembered, Rest, Shadow};
use crate::detect::track::ToldAs;
use crate::net::Prefix;
use crate::proto::v1::{
    self, DetectAlert, DetectIncident, DetectLife, DetectRest, DetectShadow, DetectToldAs,
};
use crate::rule::{Fingerprint, parse_prefix};
use crate::time::Timestamp;

pub(super) fn told_as(told_as: &ToldAs) -> DetectToldAs {
    let ToldAs {
        fingerprint,
        labels,
        key,
        mode,
        identity,
    } = told_as;
    DetectToldAs {
        fingerprint: fingerprint.0,
        labels: labels.clone(),
        key: v1::Key::from(*key).into(),
        mode: v1::Mode::from(*mode).into(),
        identity: Some(identity.0),
    }
}

/// What is remembered of a prefix; nothing is a tombstone.
pub(in crate::detect) fn life(
    selection: Fingerprint,
    prefix: Prefix,
    remembered: Remembered,
) -> StateChange {
    let is_nothing = remembered == Remembered::default();
    let Remembered { life, shadow, rest } = remembered;
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
            severity: life.severity,
            incident: Some(incident(&life.incident)),
            silenced_by: life.silenced.as_deref().map(str::to_owned),
        }),
        shadow: shadow.map(|shadow| DetectShadow {
            first: shadow.first.as_millis(),
            revision: shadow.revision,
            incident: Some(incident(&shadow.incident)),
            silenced_by: shadow.silenced.as_deref().map(str::to_owned),
        }),
        rest: rest.map(|rest| DetectRest {
            incident: Some(incident(&rest.incident)),
            until: rest.until.as_millis(),
            last: Some(rest.last.as_millis()),
        }),
    };
    StateChange {
        key: format!("{LIFE}{selection}/{prefix}").into(),
        value: (!is_nothing).then(|| message.encode_to_vec()),
    }
}

fn incident(incident: &Incident) -> DetectIncident {
    DetectIncident {
        prefix: incident.name.prefix.to_string(),
        first: incident.name.first.as_millis(),
        pulse: incident.pulse,
        foreign: incident.foreign.map(|id| id.as_bytes().to_vec()),
    }
}

fn decode_incident(saved: Option<DetectIncident>) -> Result<Incident, String> {
    let saved = saved.ok_or("it names no incident")?;
    Ok(Incident {
        name: Name {
            first: Timestamp::from_millis(saved.first),
            prefix: parse_prefix(&saved.prefix)?,
        },
        pulse: saved.pulse,
        foreign: saved
            .foreign
            .map(|id| Uuid::from_slice(&id).map_err(|_| "its incident's id has not 16 bytes"))
            .transpose()?,
    })
}

pub(super) fn decode_told_as(
    selection: Fingerprint,
    saved: DetectToldAs,
) -> Result<ToldAs, String> {
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
        identity: saved.identity.map_or(selection, Fingerprint),
    })
}

pub(super) fn decode_life(key: &str, value: &[u8]) -> Result<Saved, String> {
    let (selection, prefix) = key.split_once('/').ok_or("its key names no prefix")?;
    let saved: DetectLife = message(value)?;
    let life = |saved: DetectAlert| -> Result<Life, String> {
        Ok(Life {
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
            incident: decode_incident(saved.incident)?,
            silenced: saved.silenced_by.map(Arc::from),
        })
    };
    let shadow = |saved: DetectShadow| -> Result<Shadow, String> {
        Ok(Shadow {
            first: Timestamp::from_millis(saved.first),
            revision: saved.revision,
            incident: decode_incident(saved.incident)?,
            silenced: saved.silenced_by.map(Arc::from),
        })
    };
    let rest = |saved: DetectRest| -> Result<Rest, String> {
        Ok(Rest {
            incident: decode_incident(saved.incident)?,
            until: Timestamp::from_millis(saved.until),
            last: saved.last.map_or(Timestamp::MIN, Timestamp::from_millis),
        })
    };
    Ok(Saved::Life {
        selection: fingerprint(selection)?,
        prefix: parse_prefix(prefix)?,
        remembered: Box::new(Remembered {
            life: saved.alert.map(life).transpose()?,
            shadow: saved.shadow.map(shadow).transpose()?,
            rest: saved.rest.map(rest).transpose()?,
        }),
    })
}
