//! A first configuration out of what was found.

use std::fmt::Write as _;
use std::time::Duration;

use crate::flow::Field;
use crate::net::{Addr, Family};
use crate::units::{BIT_RATE, format_duration};

use super::Inspection;
use super::spread::Spread;
use super::volumes::{bits_per_second, lengths};

/// A grace is one of these.
const GRACES: [u64; 10] = [5, 10, 15, 20, 30, 60, 120, 300, 900, 3600];
/// With the end of flows as event time a grace is at least as long as exporters hold an idle flow back.
const INACTIVE_TIMEOUT: u64 = 15;
/// Below this much time, what is usual is not known.
const ENOUGH_MS: i64 = 10_000;
/// A threshold is at least so many times what was seen, in bit/s.
const TIMES: u64 = 2;
/// Exporters whose rate is set.
const EXPORTERS: usize = 1_000;

/// By family: length and threshold, longest first.
type Thresholds = Vec<(Family, Vec<(u8, u64)>)>;

/// What to configure, and why.
#[derive(Debug)]
pub(super) struct Suggestion {
    event_time: &'static str,
    event_time_because: &'static str,
    grace: Duration,
    /// Exporters that state one rate, but not in every flow.
    rates: Vec<(Addr, u64)>,
    /// Exporters that never state one.
    without_rate: Vec<Addr>,
    filter: &'static str,
    filter_because: &'static str,
    /// Exporters that see the same flows.
    observe: Option<(Addr, Addr)>,
    thresholds: Thresholds,
    thresholds_because: String,
}

impl Suggestion {
    pub(super) fn of(found: &Inspection) -> Self {
        let (event_time, event_time_because, disorder, least) = event_time(found);
        let exporters = found.exporters.busiest();
        let mut rates = Vec::new();
        let mut without_rate = Vec::new();
        for (addr, exporter) in exporters.into_iter().take(EXPORTERS) {
            let Some(addr) = addr.filter(|_| exporter.without_rate() > 0) else {
                continue;
            };
            match (exporter.only_rate(), exporter.stated().next()) {
                (Some(rate), _) => rates.push((addr, rate)),
                (None, None) => without_rate.push(addr),
                (None, Some(_)) => {}
            }
        }
        let (ingress, egress) = found.exporters.directions();
        let (filter, filter_because) = match (ingress, egress) {
            (_, 1..) => (
                "direction != \"egress\"",
                "What leaves was seen when it came in.",
            ),
            (1.., 0) => ("", "No flow is egress."),
            (0, 0) => (
                "",
                "No flow says its direction: one that several routers see counts several times.",
            ),
        };
        let (thresholds, thresholds_because) = thresholds(found);
        Self {
            event_time,
            event_time_because,
            grace: grace(disorder, least),
            rates,
            without_rate,
            filter,
            filter_because,
            observe: found.twice.most().map(|(pair, _)| pair),
            thresholds,
            thresholds_because,
        }
    }

    pub(super) fn to_yaml(&self, application_id: &str, topic: &str, kafka: &str) -> String {
        let mut out = String::new();
        // Writing to a `String` cannot fail.
        let _ = self.write(&mut out, application_id, topic, kafka);
        out
    }

    fn write(
        &self,
        out: &mut String,
        application_id: &str,
        topic: &str,
        kafka: &str,
    ) -> std::fmt::Result {
        writeln!(out, "application_id: {application_id:?}")?;
        writeln!(out, "input:\n  topics: [{topic:?}]")?;
        if let Some((a, b)) = self.observe {
            writeln!(
                out,
                "  # {a} and {b} see the same flows: name the exporters where traffic enters, or it counts twice.\n  \
                 #observe: {{exporters: [\"{a}\"]}}"
            )?;
        }
        writeln!(out, "time:\n  # {}", self.event_time_because)?;
        writeln!(out, "  event_time: {}", self.event_time)?;
        self.write_sampling(out)?;
        writeln!(out, "{}", kafka.trim_end())?;
        writeln!(out, "rules:\n  - name: inbound-volume")?;
        writeln!(out, "    # {}", self.filter_because)?;
        writeln!(out, "    filter: '{}'", self.filter)?;
        writeln!(out, "    mode: discounted")?;
        writeln!(
            out,
            "    # Longer than 999 of 1000 flows are behind the newest of their partition."
        )?;
        writeln!(out, "    grace: {}", format_duration(self.grace))?;
        writeln!(out, "    # {}", self.thresholds_because)?;
        writeln!(out, "    thresholds:\n      bits_per_second:")?;
        for (family, by_length) in &self.thresholds {
            let table: Vec<String> = by_length
                .iter()
                .map(|(length, rate)| format!("{length}: {}", BIT_RATE.format(*rate)))
                .collect();
            writeln!(out, "        {}: {{{}}}", family.name(), table.join(", "))?;
        }
        Ok(())
    }

    fn write_sampling(&self, out: &mut String) -> std::fmt::Result {
        if self.rates.is_empty() && self.without_rate.is_empty() {
            return Ok(());
        }
        writeln!(out, "sampling:")?;
        if !self.without_rate.is_empty() {
            writeln!(
                out,
                "  # {} exporters never say their rate and count as unsampled: set it where they sample, such as\n  \
                 #   \"{}\": {{default: 1000}}",
                self.without_rate.len(),
                self.without_rate[0]
            )?;
        }
        if self.rates.is_empty() {
            return writeln!(out, "  exporters: {{}}");
        }
        writeln!(
            out,
            "  # Not every flow of these says the rate: exporters announce it only now and then.\n  exporters:"
        )?;
        for (addr, rate) in &self.rates {
            writeln!(out, "    \"{addr}\": {{default: {rate}}}")?;
        }
        Ok(())
    }
}

/// Which time decides, why, its disorder, and the least grace in seconds.
fn event_time(found: &Inspection) -> (&'static str, &'static str, &Spread, u64) {
    let nearly_all = |field: Field| found.fields.flows(field) >= found.flows - found.flows / 100;
    if nearly_all(Field::TimeReceived) {
        return (
            "received",
            "When the collector received a flow: no exporter's clock decides.",
            &found.times.by_received.behind,
            0,
        );
    }
    if nearly_all(Field::TimeEnd) {
        return (
            "end",
            "Few flows say when they were received, nearly all when they ended.",
            &found.times.by_end.behind,
            INACTIVE_TIMEOUT,
        );
    }
    (
        "received",
        "Few flows say a time: the record's Kafka timestamp stands for it.",
        &found.times.by_received.behind,
        0,
    )
}

fn grace(disorder: &Spread, least: u64) -> Duration {
    let behind = disorder.permille(999).unwrap_or(0).max(0).unsigned_abs();
    // Rounding to two digits went down by less than a tenth.
    let needed = (behind + behind / 10).div_ceil(1000).max(least);
    let grace = GRACES.into_iter().find(|grace| *grace >= needed);
    Duration::from_secs(grace.unwrap_or(GRACES[GRACES.len() - 1]))
}

fn thresholds(found: &Inspection) -> (Thresholds, String) {
    const MBPS: u64 = 1_000_000;
    let span = found.span_ms().filter(|span| *span >= ENOUGH_MS);
    let by_family = Family::ALL.map(|family| {
        let mut least = 500 * MBPS;
        let by_length = lengths(family).map(|length| {
            let largest = found.volumes.largest(family, length).zip(span);
            let seen = largest.map_or(0, |((_, bytes), span)| bits_per_second(bytes, span));
            least = round_up(seen.saturating_mul(TIMES).max(least));
            let threshold = (length, least);
            least = least.saturating_mul(2);
            threshold
        });
        (family, by_length.to_vec())
    });
    let because = match span {
        Some(_) => {
            "At least twice what any destination had on average: raise it until only what matters is told."
        }
        None => "Too little was seen to know what is usual: set what your network cannot take.",
    };
    (by_family.to_vec(), because.to_owned())
}

/// The next of 1, 2, 5, 10, 20 …
fn round_up(value: u64) -> u64 {
    let mut unit = 1u64;
    loop {
        for step in [1, 2, 5] {
            let Some(rounded) = unit.checked_mul(step) else {
                return u64::MAX;
            };
            if rounded >= value {
                return rounded;
            }
        }
        let Some(larger) = unit.checked_mul(10) else {
            return u64::MAX;
        };
        unit = larger;
    }
}
