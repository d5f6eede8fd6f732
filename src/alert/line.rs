//! An alert for people: one line, correct units.

use std::fmt::Write as _;

use super::{Alert, Confidence, EndReason, ModeName, Status, WindowRef};

const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];

/// `value` with an SI prefix (1 k = 1000) and two decimals, rounded down: `13.98 Mbit/s`.
/// Below 1000 it is exact.
pub fn si(value: u64, unit: &str) -> String {
    let mut scale = 1u64;
    let mut prefix = 0;
    while prefix + 1 < PREFIXES.len() && value / scale >= 1000 {
        scale *= 1000;
        prefix += 1;
    }
    if prefix == 0 {
        return format!("{value} {unit}");
    }
    let hundredths = u128::from(value % scale) * 100 / u128::from(scale);
    format!(
        "{}.{hundredths:02} {}{unit}",
        value / scale,
        PREFIXES[prefix]
    )
}

/// One line for one alert, without line break: window, prefix, rates, the rule's total, rule, key and
/// mode, then whatever makes the alert out of the ordinary.
///
/// `2026-11-23T05:14:00Z +60s  198.51.100.0/24  13.98 Mbit/s  1.20 kpackets/s  total 2.51 Gbit/s  volume-from-peer dst most_specific`
pub fn line(alert: &Alert) -> String {
    let mut out = format!(
        "{}  {:<18}  {:>13}  {:>17}  total {:>13}  {} {} {}",
        window(&alert.window),
        printable(&alert.prefix),
        si(alert.volume.bits_per_second, "bit/s"),
        si(alert.volume.packets_per_second, "packets/s"),
        si(alert.rule_total.bits_per_second, "bit/s"),
        printable(&alert.rule.name),
        match alert.key {
            super::KeyName::Dst => "dst",
            super::KeyName::Src => "src",
        },
        match alert.mode {
            ModeName::MostSpecific => "most_specific",
            ModeName::Discounted => "discounted",
            ModeName::All => "all",
        },
    );
    remarks(&mut out, alert);
    out
}

/// What a reader must know beyond the numbers; nothing for an ordinary alert.
fn remarks(out: &mut String, alert: &Alert) {
    let mut remark = |text: std::fmt::Arguments<'_>| {
        // Writing to a `String` cannot fail.
        let _ = write!(out, "  {text}");
    };
    if let Some(own) = alert.conditioned_volume
        && own.bits_per_second != alert.volume.bits_per_second
    {
        remark(format_args!("own {}", si(own.bits_per_second, "bit/s")));
    }
    match alert.status {
        Status::Active => {}
        Status::Started => remark(format_args!("started")),
        Status::Ongoing if alert.triggers.is_empty() => remark(format_args!("ongoing, below now")),
        Status::Ongoing => remark(format_args!("ongoing")),
        Status::Ended => remark(format_args!("ended")),
    }
    match alert.end_reason {
        None | Some(EndReason::BelowThreshold) => {}
        Some(EndReason::RuleChanged) => remark(format_args!("rule changed")),
        Some(EndReason::RuleRemoved) => remark(format_args!("rule removed")),
        Some(EndReason::Unconfirmed) => remark(format_args!("not confirmed")),
        Some(EndReason::Superseded) => remark(format_args!("superseded")),
        Some(EndReason::Silenced) => remark(format_args!("a silence begins")),
        Some(EndReason::SilenceOver) => remark(format_args!("the silence is over")),
    }
    if let Some(silence) = &alert.silenced_by {
        remark(format_args!("silenced by {}", printable(silence)));
    }
    let seen = &alert.completeness;
    if !alert.r#final {
        remark(format_args!(
            "not final: {} of {} partitions",
            seen.partitions_reported, seen.partitions_expected
        ));
    } else if seen.partial {
        remark(format_args!("partial"));
    }
    if alert.saturated {
        remark(format_args!("saturated"));
    }
    if alert.sampling.confidence == Confidence::Low {
        remark(format_args!("sampling unknown"));
    }
    if let Some(target) = &alert.target {
        remark(format_args!("in {}", printable(&target.scope)));
    }
}

/// Start and length, `2026-11-23T05:14:00Z +60s`; both ends where they are no times.
fn window(window: &WindowRef) -> String {
    let parse = |text: &str| {
        text.parse::<jiff::Timestamp>()
            .map(jiff::Timestamp::as_millisecond)
    };
    match (parse(&window.start), parse(&window.end)) {
        (Ok(start), Ok(end)) => {
            let ms = end.saturating_sub(start);
            if ms % 1000 == 0 {
                format!("{} +{}s", window.start, ms / 1000)
            } else {
                format!("{} +{ms}ms", window.start)
            }
        }
        _ => format!("{} to {}", printable(&window.start), printable(&window.end)),
    }
}

/// Text from a message without control characters: a terminal must not obey it.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}
