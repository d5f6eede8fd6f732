//! The text that Prometheus reads, taken apart and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use hotprefix::telemetry::metrics::{self, Values};

use super::app::Instance;
use super::wait;

const PATIENCE: Duration = Duration::from_mins(2);
const EVERY: Duration = Duration::from_millis(100);

/// All series of one scrape.
#[derive(Clone, Debug)]
pub(crate) struct Scrape(Vec<Series>);

/// One series: a histogram has several.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Scrape {
    /// What `instance` shows now; `None` while it does not answer.
    pub(crate) fn of(instance: &Instance) -> Option<Self> {
        let (status, text) = instance.get("/metrics")?;
        assert_eq!(status, 200, "{text}");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Some(Self(lines.map(series).collect()))
    }

    pub(crate) fn series(&self) -> &[Series] {
        &self.0
    }

    /// The sum of the series that have this name and all of these labels; `None` without one.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |s: &Series, (label, value): &(&str, &str)| {
            s.labels.get(*label).is_some_and(|v| v == value)
        };
        let found = self.0.iter().filter(|s| s.name == name);
        let found = found.filter(|s| labels.iter().all(|label| has(s, label)));
        found.map(|s| s.value).reduce(|a, b| a + b)
    }
}

/// `name{label="value",…} number`; no label value in these tests has a quote or a comma.
fn series(line: &str) -> Series {
    let (head, value) = line.rsplit_once(' ').expect("a series has a value");
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let labels = labels.trim_end_matches('}').split(',');
    let labels = labels.filter(|label| !label.is_empty()).map(|label| {
        let (name, value) = label.split_once('=').expect("a label has a value");
        (name.to_owned(), value.trim_matches('"').to_owned())
    });
    Series {
        name: name.to_owned(),
        labels: labels.collect(),
        value: value.parse().expect("a value is a number"),
    }
}

/// What does not fit, in words.
#[derive(Default)]
pub(crate) struct Wrong(Vec<String>);

impl Wrong {
    pub(crate) fn say(&mut self, what: String) {
        self.0.push(what);
    }

    /// Unless the sum of the series fits.
    pub(crate) fn unless(
        &mut self,
        scrape: &Scrape,
        name: &str,
        labels: &[(&str, &str)],
        fits: impl FnOnce(f64) -> bool,
    ) {
        let value = scrape.sum(name, labels);
        if !value.is_some_and(fits) {
            self.0.push(format!("{name} {labels:?} is {value:?}"));
        }
    }

    /// Unless the sum of the series is this.
    pub(crate) fn unless_equal(
        &mut self,
        scrape: &Scrape,
        name: &str,
        labels: &[(&str, &str)],
        expected: u64,
    ) {
        let value = scrape.sum(name, labels);
        if value != Some(expected as f64) {
            let said = format!("{name} {labels:?} is {value:?}, not {expected}");
            self.0.push(said);
        }
    }
}

/// The names of all series that were ever shown.
#[derive(Default)]
pub(crate) struct Seen(BTreeSet<String>);

impl Seen {
    /// Scrapes until nothing is wrong.
    pub(crate) fn until(&mut self, instance: &Instance, look: impl Fn(&Scrape) -> Wrong) {
        let deadline = Instant::now() + PATIENCE;
        let grace = PATIENCE + Duration::from_secs(10);
        wait::until("the metrics fit the run", grace, EVERY, || {
            let scrape = Scrape::of(instance)?;
            self.add(&scrape);
            let wrong = look(&scrape).0;
            assert!(Instant::now() < deadline, "{wrong:#?}");
            wrong.is_empty().then_some(())
        });
    }

    fn add(&mut self, scrape: &Scrape) {
        for series in scrape.series() {
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| series.name.strip_suffix(end));
            let metric = metrics::all()
                .find(|m| m.name == series.name || base.is_some_and(|base| m.name == base));
            let metric = metric.unwrap_or_else(|| panic!("{} is not in the table", series.name));
            for label in metric.labels {
                let value = &series.labels[label.name];
                if let Values::OneOf(values) = label.values {
                    let known = values.contains(&value.as_str());
                    assert!(known, "{}: {} is {value}", metric.name, label.name);
                }
            }
            self.0.insert(metric.name.to_owned());
        }
    }

    /// Every metric in the table was there.
    pub(crate) fn compare(&self) {
        let missing: Vec<_> = metrics::all()
            .map(|m| m.name)
            .filter(|name| !self.0.contains(*name))
            .collect();
        assert!(missing.is_empty(), "a real run does not expose {missing:?}");
    }
}
