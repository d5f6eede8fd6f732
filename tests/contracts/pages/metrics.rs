//! `docs/metrics.md`: every metric, its labels and when to worry.

use std::fmt::Write as _;

use hotprefix::telemetry::metrics::{Label, Metric, PARTS, Unit, Values};

use super::{NOTE, compare};

const INTRODUCTION: &str = "\
`/metrics` on `http.listen` has all of them in the text form that Prometheus reads; over OTLP they have the same names.

- Sums are those of one process since its start. Records, rules, alerts and windows count when their transaction is committed: \
summed over instances nothing counts twice. What a killed process committed after its last scrape is shown by nobody.
- A partition is shown by the instance that it is assigned to, an alert by the one that finalised its window: sum over instances, \
and do not average.
- The number of series is bounded, whatever arrives: the labels column says how. `other` stands for all values that come when there are as many.
- A metric without a value is absent: a stage that does not run here, a partition without a record.
";

#[test]
fn metrics_page_is_what_the_code_exposes() {
    compare("metrics.md", &page());
}

fn page() -> String {
    let mut text = format!("# Metrics\n\n{NOTE}\n\n{INTRODUCTION}");
    for (part, metrics) in PARTS {
        let _ = write!(
            text,
            "\n## {part}\n\n| name | type | unit | labels | what it says | when to worry |\n| --- | --- | --- | --- | --- | --- |\n"
        );
        for metric in *metrics {
            row(&mut text, metric);
        }
        let histograms = metrics.iter().filter(|m| !m.buckets().is_empty());
        for (at, metric) in histograms.enumerate() {
            let buckets: Vec<_> = metric.buckets().iter().map(f64::to_string).collect();
            let lead = if at == 0 {
                "\nUpper bounds of buckets:\n\n"
            } else {
                ""
            };
            let _ = writeln!(text, "{lead}- `{}`: {}", metric.name, buckets.join(", "));
        }
    }
    text
}

fn row(text: &mut String, metric: &Metric) {
    let unit = match metric.unit {
        Unit::Seconds => "seconds",
        Unit::Bytes => "bytes",
        Unit::Count(thing) => thing,
        Unit::Flag => "1 = yes",
    };
    let labels: Vec<_> = metric.labels.iter().map(label).collect();
    let _ = writeln!(
        text,
        "| `{}` | {} | {unit} | {} | {} | {} |",
        metric.name,
        metric.kind(),
        labels.join("; "),
        metric.help,
        metric.worry
    );
}

fn label(label: &Label) -> String {
    let name = label.name;
    match label.values {
        Values::OneOf(values) => format!("`{name}`: {}", values.join(", ")),
        Values::OrOther(bound) => format!("`{name}`: up to {bound}, then `other`"),
        Values::AtMost(bound) => format!("`{name}`: up to {bound}, the rest is not shown"),
        Values::Info => format!("`{name}`"),
    }
}
