//! What is known of librdkafka's clients.

use std::collections::BTreeMap;

/// One client, as it last said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientStatistics {
    /// What holds now; `None` before the first report of a new client, and after one that is not understood.
    pub now: Option<ClientState>,
    /// Bytes received from brokers.
    pub received_bytes: u64,
    /// Bytes sent to brokers.
    pub sent_bytes: u64,
    /// Requests that got no answer in time.
    pub request_timeouts: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Requests that could not be sent, and answers that could not be read.
    pub request_errors: u64,
    /// Connections that ended, by whomever.
    pub disconnects: u64,
    /// Rebalances of the group; `None` of a producer.
    pub rebalances: Option<u64>,
}

/// What holds for a client now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientState {
    /// Brokers that it is connected to; it connects to those that it needs.
    pub brokers_up: u64,
    /// Records fetched and not yet read, and their bytes; `None` of a producer.
    pub fetch_queue: Option<(u64, u64)>,
    /// Records not yet acknowledged; `None` of a consumer.
    pub producer_queue: Option<u64>,
    /// By node id.
    pub brokers: BTreeMap<i32, BrokerState>,
}

/// A broker, as one client sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BrokerState {
    /// 99th percentile of the round trips since the report before, in seconds; `None` without one.
    pub rtt_p99: Option<f64>,
    /// The longest throttling since the report before, in seconds.
    pub throttle: f64,
}
