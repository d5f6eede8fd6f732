//! Kafka clients, as librdkafka reports them. A new report comes every `statistics.interval.ms`, 5 s by default.

use opentelemetry::KeyValue;

use super::MAX_BROKERS;
use super::table::{Label, Metric, Seen, Show, Source, Unit};
use crate::telemetry::{BrokerState, ClientState, ClientStatistics};

const CONSUMERS: Label = Label::one_of("client", &["count-consumer", "detect-consumer"]);
const PRODUCERS: Label = Label::one_of("client", &["count-producer", "detect-producer"]);
const CLIENT: Label = Label::one_of(
    "client",
    &[
        "count-consumer",
        "count-producer",
        "detect-consumer",
        "detect-producer",
    ],
);
const BROKER: Label = Label::at_most("broker", MAX_BROKERS);

pub(super) const ALL: &[Metric] = &[
    Metric {
        name: "hotprefix_kafka_brokers_up",
        unit: Unit::Count("broker"),
        labels: &[CLIENT],
        help: "Brokers that a client is connected to; it connects to those that it needs.",
        worry: "0 for longer than a minute: the cluster cannot be reached from here. Absent, as all gauges of its client: \
                librdkafka's reports are turned off or not understood, as the log then says.",
        source: Source::Gauge(|s, show| states(s, show, |now| Some(now.brokers_up))),
    },
    Metric {
        name: "hotprefix_kafka_fetch_queue_records",
        unit: Unit::Count("record"),
        labels: &[CONSUMERS],
        help: "Records that a consumer has fetched and the stage has not read yet.",
        worry: "It is high and lag grows: this instance is the limit, not the network or the brokers. 0 while lag grows: the other way.",
        source: Source::Gauge(|s, show| states(s, show, |now| Some(now.fetch_queue?.0))),
    },
    Metric {
        name: "hotprefix_kafka_fetch_queue_bytes",
        unit: Unit::Bytes,
        labels: &[CONSUMERS],
        help: "The same in bytes.",
        worry: "It is a large part of the memory: lower `queued.max.messages.kbytes`, which holds per partition.",
        source: Source::Gauge(|s, show| states(s, show, |now| Some(now.fetch_queue?.1))),
    },
    Metric {
        name: "hotprefix_kafka_producer_queue_records",
        unit: Unit::Count("record"),
        labels: &[PRODUCERS],
        help: "Records that a producer has been given and no broker has acknowledged yet.",
        worry: "It stays high: brokers do not take what is written; transactions will time out.",
        source: Source::Gauge(|s, show| states(s, show, |now| now.producer_queue)),
    },
    Metric {
        name: "hotprefix_kafka_received_bytes_total",
        unit: Unit::Bytes,
        labels: &[CLIENT],
        help: "Bytes that a client received from brokers, as on the wire.",
        worry: "It stands still for a consumer with lag.",
        source: Source::Counter(|s, show| sums(s, show, |c| Some(c.received_bytes))),
    },
    Metric {
        name: "hotprefix_kafka_sent_bytes_total",
        unit: Unit::Bytes,
        labels: &[CLIENT],
        help: "Bytes that a client sent to brokers, as on the wire.",
        worry: "It stands still: the client sends not even heartbeats.",
        source: Source::Counter(|s, show| sums(s, show, |c| Some(c.sent_bytes))),
    },
    Metric {
        name: "hotprefix_kafka_request_timeouts_total",
        unit: Unit::Count("request"),
        labels: &[CLIENT],
        help: "Requests that no broker answered in time.",
        worry: "It keeps growing: a broker is overloaded, or a firewall drops connections.",
        source: Source::Counter(|s, show| sums(s, show, |c| Some(c.request_timeouts))),
    },
    Metric {
        name: "hotprefix_kafka_retries_total",
        unit: Unit::Count("request"),
        labels: &[CLIENT],
        help: "Requests that were sent again.",
        worry: "It keeps growing without a broker being restarted.",
        source: Source::Counter(|s, show| sums(s, show, |c| Some(c.retries))),
    },
    Metric {
        name: "hotprefix_kafka_request_errors_total",
        unit: Unit::Count("request"),
        labels: &[CLIENT],
        help: "Requests that could not be sent, and answers that could not be read.",
        worry: "It keeps growing: see the network, TLS and SASL settings.",
        source: Source::Counter(|s, show| sums(s, show, |c| Some(c.request_errors))),
    },
    Metric {
        name: "hotprefix_kafka_disconnects_total",
        unit: Unit::Count("disconnect"),
        labels: &[CLIENT],
        help: "Connections to brokers that ended. Brokers close idle ones after ten minutes.",
        worry: "It grows by several a minute: brokers restart, or something between drops connections.",
        source: Source::Counter(|s, show| sums(s, show, |c| Some(c.disconnects))),
    },
    Metric {
        name: "hotprefix_kafka_rebalances_total",
        unit: Unit::Count("rebalance"),
        labels: &[CONSUMERS],
        help: "Rebalances of a stage's group that this instance took part in.",
        worry: "It grows although no instance starts or stops: members are late with heartbeats, or crash and restart.",
        source: Source::Counter(|s, show| sums(s, show, |c| c.rebalances)),
    },
    Metric {
        name: "hotprefix_kafka_rtt_p99_seconds",
        unit: Unit::Seconds,
        labels: &[CLIENT, BROKER],
        help: "99th percentile of the round trips to a broker since the report before; absent without one. Fetches wait for data up to 0.5 s.",
        worry: "A producer's is above a second: the broker's disks or the network are slow, and so are commits.",
        source: Source::Gauge(|s, show| brokers(s, show, |broker| broker.rtt_p99)),
    },
    Metric {
        name: "hotprefix_kafka_throttle_seconds",
        unit: Unit::Seconds,
        labels: &[CLIENT, BROKER],
        help: "The longest that a broker throttled a client since the report before.",
        worry: "Above 0: a quota of the cluster is reached, and lag will grow.",
        source: Source::Gauge(|s, show| brokers(s, show, |broker| Some(broker.throttle))),
    },
];

/// A number of each client that has one.
fn sums(seen: &Seen, show: &mut Show<'_>, read: fn(&ClientStatistics) -> Option<u64>) {
    for (name, client) in &seen.now.clients {
        if let Some(value) = read(client) {
            show(value as f64, &[KeyValue::new("client", name.clone())]);
        }
    }
}

/// A number of each client that has one and has reported.
fn states(seen: &Seen, show: &mut Show<'_>, read: fn(&ClientState) -> Option<u64>) {
    for (name, client) in &seen.now.clients {
        if let Some(value) = client.now.as_ref().and_then(read) {
            show(value as f64, &[KeyValue::new("client", name.clone())]);
        }
    }
}

/// A number of each broker that has one, as each client sees it.
fn brokers(seen: &Seen, show: &mut Show<'_>, read: fn(&BrokerState) -> Option<f64>) {
    for (name, client) in &seen.now.clients {
        let brokers = client.now.iter().flat_map(|now| &now.brokers);
        for (id, broker) in brokers.take(MAX_BROKERS) {
            if let Some(value) = read(broker) {
                let client = KeyValue::new("client", name.clone());
                show(value, &[client, KeyValue::new("broker", i64::from(*id))]);
            }
        }
    }
}
