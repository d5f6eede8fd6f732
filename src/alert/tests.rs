//! The wire forms lose nothing, and the line says what the numbers say.

use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::proto::v1;

fn volume(n: u64) -> Volume {
    Volume {
        bytes: n,
        packets: n,
        flows: n,
        bits_per_second: n,
        packets_per_second: n,
        flows_per_second: n,
    }
}

fn evidence() -> Evidence {
    Evidence {
        sample_size: 100,
        top_sources: vec![Share {
            value: "192.0.2.0/24".into(),
            share: 0.4,
            low: 0.37,
            high: 0.43,
        }],
    }
}

fn sampling(raw_bytes: u64) -> SampledRate {
    SampledRate {
        min_rate: 1,
        max_rate: u32::MAX,
        raw_bytes,
        confidence: Confidence::Low,
    }
}

fn group(n: u64) -> GroupVolume {
    GroupVolume {
        label: "customer".into(),
        name: "example".into(),
        volume: volume(n),
    }
}

fn triggers(n: u64) -> Vec<Trigger> {
    let trigger = |metric: &crate::rule::Metric| Trigger {
        metric: metric.name().into(),
        threshold: n.saturating_sub(1),
        value: n,
    };
    crate::rule::Metric::ALL.iter().map(trigger).collect()
}

/// An alert with every optional part, each number `n`.
fn full(n: u64) -> Alert {
    let labels: BTreeMap<_, _> = [("team".to_owned(), "noc".to_owned())].into();
    Alert {
        schema: ALERT_SCHEMA.into(),
        id: "3f2c".into(),
        revision: 2,
        status: Status::Ended,
        end_reason: Some(EndReason::Unconfirmed),
        superseded_by: Some("41c3".into()),
        silenced_by: Some("core-migration".into()),
        r#final: true,
        incident_id: "3f2c".into(),
        incident_pulse: n as u32,
        rule: RuleRef {
            name: "volume-from-peer".into(),
            fingerprint: "9a41000000000000".into(),
            labels: labels.clone(),
        },
        prefix: "198.51.100.0/24".into(),
        family: FamilyName::Ipv4,
        key: KeyName::Dst,
        mode: ModeName::Discounted,
        window: WindowRef {
            start: "2026-11-23T05:14:00Z".into(),
            end: "2026-11-23T05:15:00Z".into(),
        },
        volume: volume(n),
        conditioned_volume: Some(volume(n)),
        rule_total: volume(n),
        saturated: true,
        triggers: triggers(n),
        severity: "warning".into(),
        first_seen: "2026-11-23T05:14:00Z".into(),
        last_seen: "2026-11-23T05:15:00Z".into(),
        peak: Peak {
            bits_per_second: n,
            at: "2026-11-23T05:14:00.25Z".into(),
        },
        cumulative: Cumulative {
            bytes: n,
            packets: n,
            flows: n,
        },
        expires_at: "2026-11-23T05:17:00Z".into(),
        masked: Some(Masked {
            prefix: "198.51.0.0/16".into(),
            bits_per_second: n,
        }),
        hosts: n,
        largest: Largest {
            prefix: "198.51.100.7/32".into(),
            bytes: n,
            packets: n,
        },
        target: Some(Target {
            scope: "198.51.100.0/22".into(),
            labels,
        }),
        group: Some(group(n)),
        resolution: FamilyResolution {
            ipv4: 32,
            ipv6: 128,
        },
        completeness: Completeness {
            partitions_reported: 4,
            partitions_expected: u32::MAX,
            partial: true,
        },
        sampling: sampling(n),
        evidence: Some(evidence()),
    }
}

fn plain(n: u64) -> Alert {
    Alert {
        status: Status::Ongoing,
        end_reason: None,
        superseded_by: None,
        silenced_by: None,
        conditioned_volume: None,
        masked: None,
        target: None,
        group: None,
        evidence: None,
        triggers: Vec::new(),
        saturated: false,
        revision: 0,
        mode: ModeName::MostSpecific,
        completeness: Completeness {
            partitions_reported: 4,
            partitions_expected: 4,
            partial: false,
        },
        sampling: SampledRate {
            min_rate: 32,
            max_rate: 32,
            raw_bytes: n,
            confidence: Confidence::High,
        },
        ..full(n)
    }
}

fn window_record(n: u64) -> WindowRecord {
    let alert = full(n);
    WindowRecord {
        schema: WINDOW_SCHEMA.into(),
        revision: 1,
        state: WindowState::Provisional,
        rule: alert.rule,
        window: alert.window,
        total: volume(n),
        saturated: true,
        alerts_written: n,
        alerts_cut: n,
        prefixes_over: n,
        alerts_open: n,
        alerts_silenced: n,
        superseded: vec!["198.51.100.0/23".into(), "::/0".into()],
        leaves: n,
        masked: alert.masked,
        late_flows: n,
        skipped_windows: n,
        resolution: alert.resolution,
        completeness: alert.completeness,
    }
}

fn both_forms(alert: &Alert) -> [Alert; 2] {
    let json = alert.to_json();
    let protobuf = alert.to_protobuf().unwrap();
    [
        Alert::from_wire(&json).unwrap(),
        Alert::from_wire(&protobuf).unwrap(),
    ]
}

#[test]
fn largest_numbers_survive_both_forms() {
    for alert in [
        full(u64::MAX),
        plain(u64::MAX),
        plain(u64::MAX - 1),
        full(1),
    ] {
        assert_eq!(both_forms(&alert), [alert.clone(), alert.clone()]);
    }
    let json = String::from_utf8(full(u64::MAX).to_json()).unwrap();
    assert!(json.contains(r#""bytes":18446744073709551615,"#), "{json}");
}

#[test]
fn window_record_survives_both_forms() {
    for record in [window_record(u64::MAX), window_record(0)] {
        let protobuf = record.to_protobuf().unwrap();
        assert_eq!(WindowRecord::from_wire(&protobuf).unwrap(), record);
        assert_eq!(WindowRecord::from_wire(&record.to_json()).unwrap(), record);
    }
}

#[test]
fn every_enum_value_survives_both_forms() {
    let mut alert = full(7);
    for status in [
        Status::Active,
        Status::Started,
        Status::Ongoing,
        Status::Ended,
    ] {
        for mode in [ModeName::MostSpecific, ModeName::Discounted, ModeName::All] {
            for (family, key) in [
                (FamilyName::Ipv4, KeyName::Dst),
                (FamilyName::Ipv6, KeyName::Src),
            ] {
                (alert.status, alert.mode) = (status, mode);
                (alert.family, alert.key) = (family, key);
                assert_eq!(both_forms(&alert), [alert.clone(), alert.clone()]);
            }
        }
    }
    for reason in [
        EndReason::BelowThreshold,
        EndReason::RuleChanged,
        EndReason::RuleRemoved,
        EndReason::Unconfirmed,
        EndReason::Superseded,
        EndReason::Silenced,
        EndReason::SilenceOver,
    ] {
        alert.end_reason = Some(reason);
        assert_eq!(both_forms(&alert), [alert.clone(), alert.clone()]);
    }
    let mut record = window_record(7);
    for state in [
        WindowState::Final,
        WindowState::Provisional,
        WindowState::RuleChange,
        WindowState::UnknownRule,
    ] {
        record.state = state;
        let protobuf = record.to_protobuf().unwrap();
        assert_eq!(WindowRecord::from_wire(&protobuf).unwrap(), record);
    }
}

#[test]
fn time_before_1970_survives_protobuf() {
    let mut alert = plain(1);
    alert.first_seen = "1969-12-31T23:59:59.75Z".into();
    assert_eq!(both_forms(&alert)[1], alert);
    let times = v1::Alert::decode(alert.to_protobuf().unwrap().as_slice()).unwrap();
    let first = times.first_seen.unwrap();
    assert_eq!((first.seconds, first.nanos), (-1, 750_000_000));
}

#[test]
fn what_protobuf_cannot_say_is_an_error() {
    let mut alert = plain(1);
    alert.expires_at = "tomorrow".into();
    assert_eq!(
        alert.to_protobuf().unwrap_err().to_string(),
        "expires_at is `tomorrow`, not a time in RFC 3339"
    );
    let mut alert = full(1);
    alert.triggers[0].metric = "octets".into();
    assert_eq!(
        alert.to_protobuf().unwrap_err().to_string(),
        "trigger has the metric `octets`; there are bytes, packets, flows, bits_per_second, \
         packets_per_second, flows_per_second"
    );
}

#[test]
fn incomplete_or_newer_protobuf_is_named() {
    let whole = v1::Alert::try_from(&plain(1)).unwrap();
    let read = |message: &v1::Alert| Alert::from_protobuf(&message.encode_to_vec());

    let mut message = whole.clone();
    message.volume = None;
    assert_eq!(read(&message), Err(DecodeError::Missing("volume")));

    let mut message = whole.clone();
    message.mode = 99;
    let unknown = DecodeError::Unknown {
        field: "mode",
        value: 99,
    };
    assert_eq!(read(&message), Err(unknown));

    let mut message = whole;
    message.resolution = Some(v1::FamilyResolution { ipv4: 33, ipv6: 0 });
    assert_eq!(
        read(&message).unwrap_err().to_string(),
        "resolution.ipv4 is 33, above 32"
    );
    assert_eq!(
        Alert::from_wire(b""),
        Err(DecodeError::Unknown {
            field: "status",
            value: 0
        })
    );
}

#[test]
fn json_reader_skips_keys_of_later_versions() {
    let mut value = serde_json::to_value(plain(3)).unwrap();
    value["volume"]["cells"] = 53.into();
    value["later"] = "yes".into();
    let read = Alert::from_wire(value.to_string().as_bytes()).unwrap();
    assert_eq!(read, plain(3));
}

#[test]
fn si_prefix_is_decimal_and_rounds_down() {
    for (value, text) in [
        (0, "0 bit/s"),
        (999, "999 bit/s"),
        (1000, "1.00 kbit/s"),
        (999_999, "999.99 kbit/s"),
        (1_000_000, "1.00 Mbit/s"),
        (13_981_066, "13.98 Mbit/s"),
        (10_000_000_000, "10.00 Gbit/s"),
        (u64::MAX, "18.44 Ebit/s"),
    ] {
        assert_eq!(si(value, "bit/s"), text);
    }
}

#[test]
fn line_of_an_ordinary_alert() {
    let mut alert = plain(13_981_066);
    alert.triggers = triggers(1);
    alert.volume.packets_per_second = 1_204;
    alert.rule_total.bits_per_second = 2_510_000_000;
    assert_eq!(
        line(&alert),
        "2026-11-23T05:14:00Z +60s  198.51.100.0/24      13.98 Mbit/s    1.20 kpackets/s  \
         total   2.51 Gbit/s  volume-from-peer dst most_specific  ongoing"
    );
}

#[test]
fn line_says_where_in_its_life_an_alert_is() {
    let says = |status, triggers| {
        let alert = Alert {
            status,
            triggers,
            ..plain(1)
        };
        let text = line(&alert);
        text.split_once("most_specific").unwrap().1.to_owned()
    };
    assert_eq!(says(Status::Started, triggers(1)), "  started");
    assert_eq!(says(Status::Ongoing, triggers(1)), "  ongoing");
    assert_eq!(says(Status::Ongoing, Vec::new()), "  ongoing, below now");
    assert_eq!(says(Status::Ended, Vec::new()), "  ended");
    assert_eq!(says(Status::Active, triggers(1)), "");
}

#[test]
fn line_says_what_is_out_of_the_ordinary() {
    let mut alert = full(5000);
    alert.conditioned_volume = Some(volume(3000));
    alert.r#final = false;
    alert.completeness.partitions_expected = 5;
    let text = line(&alert);
    let tail = "discounted  own 3.00 kbit/s  ended  not confirmed  silenced by core-migration  \
                not final: 4 of 5 partitions  saturated  sampling unknown  in 198.51.100.0/22";
    assert!(text.ends_with(tail), "{text}");
}

#[test]
fn line_holds_no_control_characters() {
    let mut alert = full(1);
    alert.rule.name = "a\u{1b}[2Jb\n".into();
    alert.prefix = "\r".into();
    alert.window.start = "\u{7}".into();
    assert!(!line(&alert).contains(char::is_control));
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Alert::from_wire(&bytes);
        let _ = WindowRecord::from_wire(&bytes);
    }

    #[test]
    fn cut_protobuf_is_never_another_alert(cut in 0usize..600) {
        let bytes = full(u64::MAX).to_protobuf().unwrap();
        let cut = cut.min(bytes.len());
        if let Ok(read) = Alert::from_protobuf(&bytes[..cut]) {
            // Only optional parts at the end can be missing unnoticed.
            let Alert { end_reason, superseded_by, silenced_by, incident_pulse, cumulative, group, evidence, .. } = full(u64::MAX);
            let read = Alert { end_reason, superseded_by, silenced_by, incident_pulse, cumulative, group, evidence, ..read };
            prop_assert_eq!(read, full(u64::MAX));
        }
    }

    #[test]
    fn si_keeps_at_least_three_digits(value in 1000u64..) {
        let text = si(value, "");
        let number: f64 = text.split(' ').next().unwrap().parse().unwrap();
        prop_assert!((1.0..1000.0).contains(&number), "{}", text);
    }
}
