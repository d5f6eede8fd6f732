//! Spans of flushes and emissions, and the way from an alert back to its flows' flushes.
//!
//! Made by the stages, one for a transaction and never for a record. What is not sampled costs a random
//! number; without traces a [`Tracing`] is empty and costs a branch.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{
    Link, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _,
};
use opentelemetry::{Context, ContextGuard, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;

pub use opentelemetry::trace::{SpanContext, SpanId};

use super::names;
use crate::telemetry::clock;

/// The header, of W3C Trace Context.
pub const TRACEPARENT: &str = "traceparent";
/// The most links that a span has.
pub const MAX_LINKS: usize = 128;

/// Makes spans, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Tracing(Option<Arc<Tracer>>);

#[derive(Debug)]
struct Tracer {
    tracer: SdkTracer,
    propagate: bool,
}

/// A span that is sampled, or nothing. It ends when it is dropped.
#[derive(Debug, Default)]
pub struct Span {
    context: Option<Context>,
    tracing: Tracing,
}

/// In the context of a thread that is in a span.
#[derive(Debug)]
struct Inside {
    tracing: Tracing,
    group: String,
}

/// What a flush writes.
#[derive(Clone, Copy, Debug)]
pub struct Flushed {
    /// Input partitions in it.
    pub sources: usize,
    /// Input records that it commits.
    pub records: u64,
    /// Records written.
    pub messages: usize,
    /// Their bytes, before compression.
    pub bytes: usize,
}

/// What an emission is about.
#[derive(Clone, Debug, Default)]
pub struct Finalised {
    /// Topic and partition of the deltas.
    pub topic: Arc<str>,
    /// Topic and partition of the deltas.
    pub partition: i32,
    /// Windows in it.
    pub windows: usize,
    /// The earliest and the latest end of a window.
    pub ends: Option<(String, String)>,
    /// Distinct leaves of all windows.
    pub leaves: u64,
    /// Alerts in it.
    pub alerts: usize,
    /// The flushes behind it.
    pub links: Links,
}

/// Flushes behind some windows.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// At most [`MAX_LINKS`].
    pub contexts: Vec<SpanContext>,
    /// About how many more there were.
    pub left_out: u64,
}

impl Tracing {
    pub(super) fn new(tracer: SdkTracer, propagate: bool) -> Self {
        Self(Some(Arc::new(Tracer { tracer, propagate })))
    }

    /// Whether headers are worth reading.
    pub fn propagates(&self) -> bool {
        self.0.as_ref().is_some_and(|t| t.propagate)
    }

    /// A flush that began `age` ago and writes to `topic`.
    pub fn flush(&self, topic: &str, age: Duration) -> Span {
        self.root(|| {
            let begun = clock::system();
            let begun = begun.checked_sub(age).unwrap_or(begun);
            let attributes = vec![
                KeyValue::new(names::SYSTEM, "kafka"),
                KeyValue::new(names::OPERATION_NAME, "flush"),
                KeyValue::new(names::OPERATION_TYPE, "send"),
                KeyValue::new(names::DESTINATION, topic.to_owned()),
            ];
            SpanBuilder::from_name(format!("flush {topic}"))
                .with_kind(SpanKind::Producer)
                .with_start_time(begun)
                .with_attributes(attributes)
        })
    }

    /// An emission whose prefix pass took the time from `begun` to `passed`.
    pub fn finalise(
        &self,
        what: impl FnOnce() -> Finalised,
        begun: SystemTime,
        passed: SystemTime,
    ) -> Span {
        let span = self.root(|| {
            let what = what();
            let mut attributes = vec![
                KeyValue::new(names::SYSTEM, "kafka"),
                KeyValue::new(names::OPERATION_NAME, "finalise"),
                KeyValue::new(names::OPERATION_TYPE, "process"),
                KeyValue::new(names::DESTINATION, what.topic.to_string()),
                KeyValue::new(names::DESTINATION_PARTITION, what.partition.to_string()),
                KeyValue::new(names::WINDOWS, number(what.windows)),
                KeyValue::new(names::LEAVES, number(what.leaves)),
                KeyValue::new(names::ALERTS, number(what.alerts)),
                KeyValue::new(names::LINKS_LEFT_OUT, number(what.links.left_out)),
            ];
            if let Some((first, last)) = what.ends {
                attributes.push(KeyValue::new(names::WINDOW_FIRST_END, first));
                attributes.push(KeyValue::new(names::WINDOW_LAST_END, last));
            }
            let links = what.links.contexts.into_iter();
            SpanBuilder::from_name(format!("finalise {}", what.topic))
                .with_kind(SpanKind::Consumer)
                .with_start_time(begun)
                .with_attributes(attributes)
                .with_links(links.map(Link::with_context).collect())
        });
        if let Some(parent) = &span.context {
            let builder = SpanBuilder::from_name("pass").with_start_time(begun);
            if let Some(pass) = &self.start(builder, parent).context {
                pass.span().end_with_timestamp(passed);
            }
        }
        span
    }

    /// A span of a trace of its own.
    fn root(&self, builder: impl FnOnce() -> SpanBuilder) -> Span {
        match &self.0 {
            Some(_) => self.start(builder(), &Context::new()),
            None => Span::default(),
        }
    }

    fn start(&self, builder: SpanBuilder, parent: &Context) -> Span {
        let Some(tracing) = &self.0 else {
            return Span::default();
        };
        let span = tracing.tracer.build_with_context(builder, parent);
        let context = parent.with_span(span);
        let is_sampled = context.span().span_context().is_sampled();
        Span {
            context: is_sampled.then_some(context),
            tracing: self.clone(),
        }
    }
}

impl Span {
    /// Makes it the span of this thread's log lines and of [`Self::commit`], until the guard is dropped.
    /// `group` is whose offsets are committed.
    pub fn enter(&self, group: &str) -> Option<ContextGuard> {
        let context = self.context.as_ref()?;
        let inside = Inside {
            tracing: self.tracing.clone(),
            group: group.to_owned(),
        };
        Some(context.with_value(inside).attach())
    }

    /// The commit of the transaction that this thread is in, as part of the span that it entered.
    pub fn commit(offsets: usize) -> Self {
        let context = Context::current();
        let Some(inside) = context.get::<Inside>() else {
            return Self::default();
        };
        let attributes = vec![
            KeyValue::new(names::SYSTEM, "kafka"),
            KeyValue::new(names::OPERATION_NAME, "commit"),
            KeyValue::new(names::OPERATION_TYPE, "settle"),
            KeyValue::new(names::CONSUMER_GROUP, inside.group.clone()),
            KeyValue::new(names::SOURCES, number(offsets)),
        ];
        let builder = SpanBuilder::from_name("commit")
            .with_kind(SpanKind::Client)
            .with_attributes(attributes);
        inside.tracing.start(builder, &context)
    }

    /// The header that leads back to this span.
    pub fn traceparent(&self) -> Option<Vec<u8>> {
        let context = self
            .context
            .as_ref()
            .filter(|_| self.tracing.propagates())?;
        let mut carrier = HashMap::<String, String>::new();
        TraceContextPropagator::new().inject_context(context, &mut carrier);
        carrier.remove(TRACEPARENT).map(String::into_bytes)
    }

    /// What the flush wrote.
    pub fn flushed(&self, what: impl FnOnce() -> Flushed) {
        if let Some(context) = &self.context {
            let what = what();
            context.span().set_attributes([
                KeyValue::new(names::SOURCES, number(what.sources)),
                KeyValue::new(names::RECORDS, number(what.records)),
                KeyValue::new(names::BATCH_MESSAGES, number(what.messages)),
                KeyValue::new(names::BYTES, number(what.bytes)),
            ]);
        }
    }

    /// It came to nothing. `class` is one of few words, `why` is for people.
    pub fn fail(&self, class: &'static str, why: &str) {
        if let Some(context) = &self.context {
            let span = context.span();
            span.set_attribute(KeyValue::new(names::ERROR_TYPE, class));
            span.set_status(Status::error(why.to_owned()));
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(context) = &self.context {
            context.span().end();
        }
    }
}

/// The span behind a `traceparent`; `None` when that is none, or was not sampled.
pub fn context_of(traceparent: &[u8]) -> Option<SpanContext> {
    struct Header<'h>(&'h str);
    impl Extractor for Header<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            (key == TRACEPARENT).then_some(self.0)
        }
        fn keys(&self) -> Vec<&str> {
            vec![TRACEPARENT]
        }
    }
    let header = Header(std::str::from_utf8(traceparent).ok()?);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &header);
    let context = context.span().span_context().clone();
    context.is_sampled().then_some(context)
}

fn number(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}
