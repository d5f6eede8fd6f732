//! Spans of flushes and emissions, and the way from an alert back to its flows' flushes.
//!
//! Made by the stages, one for a transaction and never for a record. What is not sampled costs its random ids: what
//! describes a span, its links among it, is made once it is sampled, so that a sampler sees the kind of span alone.
//! Without traces a [`Tracing`] is empty and costs a branch.

use std::collections::HashMap;
use std::ffi::CStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanKind, SpanRef, Status, TraceContextExt as _, Tracer as _,
};
use opentelemetry::{Context, ContextGuard, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;

pub use opentelemetry::trace::{SpanContext, SpanId};

use super::names;
use crate::telemetry::clock;

/// The header, of W3C Trace Context.
pub const TRACEPARENT: &str = match TRACEPARENT_C.to_str() {
    Ok(name) => name,
    Err(_) => panic!("it is ASCII"),
};
/// The same for librdkafka.
pub const TRACEPARENT_C: &CStr = c"traceparent";
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
        let span = self.root("flush", SpanKind::Producer, || {
            let now = clock::system();
            now.checked_sub(age).unwrap_or(now)
        });
        span.describe(|span| {
            span.update_name(format!("flush {topic}"));
            span.set_attributes([
                KeyValue::new(names::SYSTEM, "kafka"),
                KeyValue::new(names::OPERATION_NAME, "flush"),
                KeyValue::new(names::OPERATION_TYPE, "send"),
                KeyValue::new(names::DESTINATION, topic.to_owned()),
            ]);
        });
        span
    }

    /// An emission whose prefix pass took the time from `begun` to `passed`. `what` is asked for when it is sampled.
    pub fn finalise(
        &self,
        what: impl FnOnce() -> Finalised,
        begun: SystemTime,
        passed: SystemTime,
    ) -> Span {
        let span = self.root("finalise", SpanKind::Consumer, || begun);
        span.describe(|span| {
            let what = what();
            span.update_name(format!("finalise {}", what.topic));
            span.set_attributes([
                KeyValue::new(names::SYSTEM, "kafka"),
                KeyValue::new(names::OPERATION_NAME, "finalise"),
                KeyValue::new(names::OPERATION_TYPE, "process"),
                KeyValue::new(names::DESTINATION, what.topic.to_string()),
                KeyValue::new(names::DESTINATION_PARTITION, what.partition.to_string()),
                KeyValue::new(names::WINDOWS, number(what.windows)),
                KeyValue::new(names::LEAVES, number(what.leaves)),
                KeyValue::new(names::ALERTS, number(what.alerts)),
                KeyValue::new(names::LINKS_LEFT_OUT, number(what.links.left_out)),
            ]);
            if let Some((first, last)) = what.ends {
                span.set_attribute(KeyValue::new(names::WINDOW_FIRST_END, first));
                span.set_attribute(KeyValue::new(names::WINDOW_LAST_END, last));
            }
            for flush in what.links.contexts {
                span.add_link(flush, Vec::new());
            }
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
    fn root(&self, name: &'static str, kind: SpanKind, begun: impl FnOnce() -> SystemTime) -> Span {
        if self.0.is_none() {
            return Span::default();
        }
        let builder = SpanBuilder::from_name(name)
            .with_kind(kind)
            .with_start_time(begun());
        self.start(builder, &Context::new())
    }

    fn start(&self, builder: SpanBuilder, parent: &Context) -> Span {
        let Some(tracing) = &self.0 else {
            return Span::default();
        };
        let span = tracing.tracer.build_with_context(builder, parent);
        if !span.span_context().is_sampled() {
            return Span::default();
        }
        Span {
            context: Some(parent.with_span(span)),
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

    fn describe(&self, with: impl FnOnce(SpanRef<'_>)) {
        if let Some(context) = &self.context {
            with(context.span());
        }
    }

    /// What the flush wrote.
    pub fn flushed(&self, what: impl FnOnce() -> Flushed) {
        self.describe(|span| {
            let what = what();
            span.set_attributes([
                KeyValue::new(names::SOURCES, number(what.sources)),
                KeyValue::new(names::RECORDS, number(what.records)),
                KeyValue::new(names::BATCH_MESSAGES, number(what.messages)),
                KeyValue::new(names::BYTES, number(what.bytes)),
            ]);
        });
    }

    /// It came to nothing. `class` is one of few words, `why` is for people.
    pub fn fail(&self, class: &'static str, why: &str) {
        self.describe(|span| {
            span.set_attribute(KeyValue::new(names::ERROR_TYPE, class));
            span.set_status(Status::error(why.to_owned()));
        });
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
