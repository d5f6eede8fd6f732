//! What was found, as comments of a configuration.

use std::fmt::{self, Write as _};

use crate::alert::si;
use crate::flow::Field;
use crate::net::Family;

use super::exporters::Exporter;
use super::spread::{Spread, text};
use super::suggest::Suggestion;
use super::volumes::{bits_per_second, lengths};
use super::{Inspection, Stray};

/// Exporters listed; the others are added up.
const LISTED: usize = 20;

/// What an [`Inspection`] found, and the configuration that follows.
#[derive(Debug)]
pub struct Report<'a> {
    pub(super) inspection: &'a Inspection,
    pub(super) topic: &'a str,
    /// How long it was read.
    pub(super) seconds: u64,
}

impl Report<'_> {
    /// The configuration, with what was found in comments before it. `kafka` is the section of that name, with
    /// its name.
    pub fn to_yaml(&self, application_id: &str, kafka: &str) -> String {
        let mut out = String::new();
        for line in self.to_string().lines() {
            let space = if line.is_empty() { "" } else { " " };
            // Writing to a `String` cannot fail.
            let _ = writeln!(out, "#{space}{line}");
        }
        let suggestion = Suggestion::of(self.inspection);
        out + "\n" + &suggestion.to_yaml(application_id, self.topic, kafka)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.inspection;
        writeln!(
            f,
            "{}: {} records from {} partitions in {} s, {} of them flows",
            self.topic,
            found.records,
            found.partitions.len(),
            self.seconds,
            found.flows
        )?;
        if let Some((first, last)) = found.span {
            writeln!(f, "Kafka timestamps {first} to {last}")?;
        }
        formats(f, found)?;
        if found.flows == 0 {
            return Ok(());
        }
        exporters(f, found)?;
        directions(f, found)?;
        twice(f, found)?;
        times(f, found)?;
        volumes(f, found)?;
        fields(f, found)
    }
}

/// `of` in `total` as a percentage with one digit, of which 0 and 100 are exact.
fn share(of: u64, total: u64) -> String {
    let permille = u128::from(of) * 1000 / u128::from(total.max(1));
    match (of, permille) {
        (1.., 0) => "<0.1 %".to_owned(),
        _ => format!("{}.{} %", permille / 10, permille % 10),
    }
}

fn formats(f: &mut fmt::Formatter<'_>, found: &Inspection) -> fmt::Result {
    writeln!(f, "\nformat")?;
    let mut written: Vec<_> = found.written.iter().collect();
    written.sort_by_key(|(written, records)| (std::cmp::Reverse(**records), **written));
    for (written, records) in written {
        writeln!(f, "  {:>7}  {written}", share(*records, found.records))?;
    }
    for (kind, stray) in &found.strays {
        let Stray {
            records,
            partition,
            offset,
            reason,
        } = stray;
        writeln!(
            f,
            "  {:>7}  no flow ({kind}), first at partition {partition} offset {offset}: {reason}",
            share(*records, found.records)
        )?;
    }
    if found.not_ip > 0 {
        let part = share(found.not_ip, found.flows);
        writeln!(f, "  {part:>7}  of the flows are not IP, and count nowhere")?;
    }
    Ok(())
}

fn exporters(f: &mut fmt::Formatter<'_>, found: &Inspection) -> fmt::Result {
    let exporters = found.exporters.busiest();
    writeln!(f, "\nexporters: {}", exporters.len())?;
    for (addr, exporter) in exporters.iter().take(LISTED) {
        let name = addr.map_or_else(|| "not said".to_owned(), |a| a.to_string());
        writeln!(
            f,
            "  {name:<15}  {:>7}  {}",
            share(exporter.flows, found.flows),
            sampling(exporter)
        )?;
    }
    if let Some(more) = exporters.len().checked_sub(LISTED).filter(|n| *n > 0) {
        writeln!(f, "  and {more} more")?;
    }
    match found.normalized {
        0 => writeln!(
            f,
            "  no flow says that it is normalized: bytes and packets are multiplied by the rate"
        ),
        n if n == found.flows => writeln!(
            f,
            "  all flows say that they are normalized: bytes and packets count as they are"
        ),
        n => writeln!(
            f,
            "  {} of the flows say that they are normalized: those count as they are, the others are multiplied",
            share(n, found.flows)
        ),
    }
}

fn sampling(exporter: &Exporter) -> String {
    let mut rates: Vec<_> = exporter.stated().collect();
    rates.sort_by_key(|(rate, flows)| (std::cmp::Reverse(*flows), *rate));
    let one = |(rate, flows): &(u64, u64)| match *flows {
        n if n == exporter.flows => format!("1 in {rate}"),
        n => format!("1 in {rate} ({})", share(n, exporter.flows)),
    };
    let mut said: Vec<String> = rates.iter().map(one).collect();
    match exporter.without_rate() {
        0 => {}
        n if n == exporter.flows => said.push("rate missing".to_owned()),
        n => said.push(format!("rate missing ({})", share(n, exporter.flows))),
    }
    let conflict = if rates.len() > 1 {
        ": conflicting, right if it samples each interface or VLAN by itself"
    } else {
        ""
    };
    format!("{}{conflict}", said.join(", "))
}

fn directions(f: &mut fmt::Formatter<'_>, found: &Inspection) -> fmt::Result {
    let (ingress, egress) = found.exporters.directions();
    let rest = found.flows.saturating_sub(ingress).saturating_sub(egress);
    writeln!(
        f,
        "\ndirection\n  ingress {}, egress {}, not said {}",
        share(ingress, found.flows),
        share(egress, found.flows),
        share(rest, found.flows)
    )
}

fn twice(f: &mut fmt::Formatter<'_>, found: &Inspection) -> fmt::Result {
    let twice = &found.twice;
    writeln!(f, "\nseen twice")?;
    let part = share(twice.elsewhere, twice.looked_at);
    match twice.most() {
        Some(((a, b), flows)) => writeln!(
            f,
            "  {part} of the flows were seen by another exporter too, most ({flows}) by {a} and {b}"
        )?,
        None => writeln!(f, "  no flow was seen by two exporters")?,
    }
    if twice.both_ways > 0 {
        let part = share(twice.both_ways, twice.looked_at);
        writeln!(
            f,
            "  {part} of the flows were seen by one exporter both on their way in and out"
        )?;
    }
    Ok(())
}

fn times(f: &mut fmt::Formatter<'_>, found: &Inspection) -> fmt::Result {
    let times = &found.times;
    writeln!(
        f,
        "\ntimes                                     half     90 %     99 %   99.9 %"
    )?;
    for (what, spread) in [
        ("a flow lasts", &times.duration),
        ("from its end to the collector", &times.collection),
        ("from the collector to Kafka", &times.delivery),
        ("disorder by received", &times.by_received.behind),
        ("disorder by end", &times.by_end.behind),
    ] {
        row(f, what, spread)?;
    }
    match times.out_of_bounds {
        0 => Ok(()),
        n => writeln!(
            f,
            "  {} of the flows were received more than 60 s after or 10 m before they came to Kafka: their time is not\n  \
             believed and the record's stands for it, unless time.max_ahead and time.max_behind are longer",
            share(n, found.flows)
        ),
    }
}

fn row(f: &mut fmt::Formatter<'_>, what: &str, spread: &Spread) -> fmt::Result {
    let mut cells = String::new();
    for permille in [500, 900, 990, 999] {
        let cell = spread
            .permille(permille)
            .map_or_else(|| "-".to_owned(), text);
        // Writing to a `String` cannot fail.
        let _ = write!(cells, " {cell:>8}");
    }
    writeln!(f, "  {what:<34}{cells}")
}

fn volumes(f: &mut fmt::Formatter<'_>, found: &Inspection) -> fmt::Result {
    let Some(span) = found.span_ms().filter(|_| found.flows > 0) else {
        return Ok(());
    };
    // A burst of milliseconds is no rate.
    let span = span.max(1000);
    writeln!(f, "\nlargest destinations, on average over {}", text(span))?;
    for family in Family::ALL {
        for length in lengths(family) {
            if let Some((prefix, bytes)) = found.volumes.largest(family, length) {
                let rate = si(bits_per_second(bytes, span), "bit/s");
                writeln!(f, "  {:<20}  {rate:>15}", prefix.to_string())?;
            }
        }
    }
    Ok(())
}

fn fields(f: &mut fmt::Formatter<'_>, found: &Inspection) -> fmt::Result {
    writeln!(f, "\nfields that carry something, with examples")?;
    for (field, seen) in found.fields.iter() {
        writeln!(
            f,
            "  {:<17}  {:>7}  {}",
            field.name(),
            share(seen.flows, found.flows),
            seen.examples.join(", ")
        )?;
    }
    let nothing: Vec<_> = Field::ALL
        .iter()
        .filter(|field| found.fields.flows(**field) == 0)
        .map(|field| field.name())
        .collect();
    if !nothing.is_empty() {
        writeln!(
            f,
            "  a filter on any other finds nothing: {}",
            nothing.join(", ")
        )?;
    }
    Ok(())
}
