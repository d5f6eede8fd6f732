//! What an operator can say about time.

use std::time::Duration;

/// `time:`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeConfig {
    /// Which of a flow's times is its event time. Default received.
    pub event_time: EventTime,
    /// Event times this far after the record's timestamp are replaced. Default 60 s.
    pub max_ahead: Duration,
    /// Event times this far before it are replaced. Default 10 min; `None` is `never`.
    pub max_behind: Option<Duration>,
    /// Confirmed silence after which a partition is idle. Default 10 s, at least 1 s.
    pub idle_timeout: Duration,
    /// How long an incomplete window waits before provisional alerts. Default 30 s.
    pub max_wait: Duration,
    /// Longest flow that `spread` divides. Default 1 h.
    pub max_flow_duration: Duration,
}

/// `time.event_time`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventTime {
    /// When the collector received it.
    Received,
    /// When the flow ended.
    End,
    /// When the flow began.
    Start,
}
