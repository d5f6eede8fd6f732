//! Failed exports, told without filling the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::client::Cause;
use super::target::Target;

/// Between two lines about the same trouble.
const EVERY: Duration = Duration::from_mins(1);

/// An exporter whose failures are told: the first one, then one line a minute at most, and the end.
#[derive(Debug)]
pub(super) struct Told<E> {
    exporter: E,
    what: String,
    cause: Cause,
    trouble: Mutex<Option<Trouble>>,
}

/// Exports fail.
#[derive(Debug)]
struct Trouble {
    since: Instant,
    told: Instant,
    /// All, and those that no line has told of.
    failures: u64,
    untold: u64,
}

/// A line worth writing.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    First,
    Again { untold: u64 },
    Over { failures: u64, lasted: Duration },
}

/// What to tell after an export that began or ended at `now`.
fn note(trouble: &mut Option<Trouble>, failed: bool, now: Instant) -> Option<Line> {
    match (trouble.as_mut(), failed) {
        (None, false) => None,
        (None, true) => {
            *trouble = Some(Trouble {
                since: now,
                told: now,
                failures: 1,
                untold: 0,
            });
            Some(Line::First)
        }
        (Some(seen), true) => {
            seen.failures += 1;
            seen.untold += 1;
            (now.duration_since(seen.told) >= EVERY).then(|| {
                seen.told = now;
                Line::Again {
                    untold: std::mem::take(&mut seen.untold),
                }
            })
        }
        (Some(seen), false) => {
            let line = Line::Over {
                failures: seen.failures,
                lasted: now.duration_since(seen.since),
            };
            *trouble = None;
            Some(line)
        }
    }
}

impl<E> Told<E> {
    pub(super) fn new(exporter: E, target: &Target, cause: Cause) -> Self {
        Self {
            exporter,
            what: format!("OTLP {} to {}", target.signal.lower(), target.shown),
            cause,
            trouble: Mutex::default(),
        }
    }

    fn tell(&self, result: OTelSdkResult) -> OTelSdkResult {
        let line = {
            let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            note(&mut trouble, result.is_err(), Instant::now())
        };
        let what = &self.what;
        let mut error = match &result {
            Err(OTelSdkError::InternalFailure(why)) => why.clone(),
            Err(other) => other.to_string(),
            Ok(()) => String::new(),
        };
        if let Some(cause) = self.cause.take() {
            error = format!("{error}: {cause}");
        }
        match line {
            None => {}
            Some(Line::First) => {
                tracing::warn!("{what}: {error}; told again at most once a minute");
            }
            Some(Line::Again { untold }) => {
                tracing::warn!("{what}: {untold} more exports failed: {error}");
            }
            Some(Line::Over { failures, lasted }) => {
                let seconds = lasted.as_secs();
                tracing::info!("{what}: works again after {failures} failed exports in {seconds}s");
            }
        }
        result
    }
}

impl<E: SpanExporter> SpanExporter for Told<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.tell(self.exporter.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Told<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.tell(self.exporter.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Told<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.tell(self.exporter.export(metrics).await)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_at_once_then_once_a_minute_then_its_end() {
        let mut trouble = None;
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(note(&mut trouble, false, at(0)), None);
        assert_eq!(note(&mut trouble, true, at(1)), Some(Line::First));
        for second in 2..61 {
            assert_eq!(note(&mut trouble, true, at(second)), None);
        }
        let again = Line::Again { untold: 60 };
        assert_eq!(note(&mut trouble, true, at(61)), Some(again));
        assert_eq!(note(&mut trouble, true, at(62)), None);
        let over = Line::Over {
            failures: 62,
            lasted: Duration::from_secs(62),
        };
        assert_eq!(note(&mut trouble, false, at(63)), Some(over));
        assert_eq!(note(&mut trouble, false, at(64)), None);
        assert_eq!(note(&mut trouble, true, at(65)), Some(Line::First));
    }
}
