//! What librdkafka's clients say of themselves every few seconds.
//!
//! In: the JSON of a statistics callback. Out: [`ClientStatistics`] by client. Guarantees: sums only grow,
//! also when a client is replaced or a broker leaves the cluster; after JSON that is not understood nothing
//! holds that an older report said, and the log says so once. rdkafka's own type for it wants every field of
//! every partition, and refuses all where one has another sign: so only what is shown is read.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use crate::telemetry::{BrokerState, ClientState, ClientStatistics};

/// Milliseconds between two reports of a client, unless the operator says otherwise.
pub(super) const INTERVAL_MS: &str = "5000";

/// The statistics of all clients of a process, by name.
#[derive(Debug, Default)]
pub struct StatisticsLog(Mutex<BTreeMap<String, Client>>);

#[derive(Debug, Default)]
struct Client {
    shown: ClientStatistics,
    /// What the present client has reported so far.
    traffic: [i64; 2],
    rebalances: i64,
    /// By broker: requests timed out, retried, failed; disconnects.
    brokers: HashMap<String, [i64; 4]>,
    /// The log says already that reports are not understood.
    is_told: bool,
}

impl StatisticsLog {
    /// All clients that ever were.
    pub fn all(&self) -> BTreeMap<String, ClientStatistics> {
        let clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = clients
            .iter()
            .map(|(name, c)| (name.clone(), c.shown.clone()));
        shown.collect()
    }

    /// A new client goes by `name`; its own sums begin at zero.
    pub(super) fn begin(&self, name: &str) {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = clients.remove(name).unwrap_or_default();
        let shown = ClientStatistics {
            now: None,
            ..before.shown
        };
        let client = Client {
            shown,
            is_told: before.is_told,
            ..Client::default()
        };
        clients.insert(name.to_owned(), client);
    }

    /// The client `name` reports.
    pub(super) fn report(&self, name: &str, json: &[u8]) {
        let report = serde_json::from_slice(json);
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(name.to_owned()).or_default();
        match report {
            Ok(report) => client.take(&report),
            Err(error) => {
                let is_news = client.lose();
                drop(clients);
                if is_news {
                    tracing::warn!(
                        client = name,
                        %error,
                        "statistics are not understood: what holds for this client is not shown"
                    );
                }
            }
        }
    }
}

impl Client {
    /// A report is not understood. Whether that is the first time.
    fn lose(&mut self) -> bool {
        self.shown.now = None;
        !std::mem::replace(&mut self.is_told, true)
    }

    fn take(&mut self, report: &Report) {
        let is_consumer = report.kind == "consumer";
        let shown = &mut self.shown;
        shown.received_bytes += growth(&mut self.traffic[0], report.rx_bytes);
        shown.sent_bytes += growth(&mut self.traffic[1], report.tx_bytes);
        if is_consumer {
            let all = report.cgrp.as_ref().map_or(0, |group| group.rebalance_cnt);
            *shown.rebalances.get_or_insert(0) += growth(&mut self.rebalances, all);
        }
        for (name, broker) in &report.brokers {
            let last = self.brokers.entry(name.clone()).or_default();
            let [timeouts, retries, errors, disconnects] = last;
            shown.request_timeouts += growth(timeouts, broker.req_timeouts);
            shown.retries += growth(retries, broker.txretries);
            shown.request_errors += growth(errors, broker.txerrs + broker.rxerrs);
            shown.disconnects += growth(disconnects, broker.disconnects);
        }
        self.brokers
            .retain(|name, _| report.brokers.contains_key(name));
        shown.now = Some(state(report, is_consumer));
    }
}

fn state(report: &Report, is_consumer: bool) -> ClientState {
    let mut brokers = BTreeMap::<i32, BrokerState>::new();
    let mut up = std::collections::BTreeSet::new();
    // Bootstrap addresses have no id; a coordinator is a second connection to a broker.
    for broker in report.brokers.values().filter(|b| b.nodeid >= 0) {
        let shown = brokers.entry(broker.nodeid).or_default();
        let rtt = (broker.rtt.cnt > 0).then_some(broker.rtt.p99 as f64 / 1e6);
        shown.rtt_p99 = shown.rtt_p99.into_iter().chain(rtt).reduce(f64::max);
        shown.throttle = shown.throttle.max(broker.throttle.max as f64 / 1e3);
        if broker.state == "UP" {
            up.insert(broker.nodeid);
        }
    }
    let partitions = report.topics.values().flat_map(|t| t.partitions.values());
    let fetch_queue = partitions.fold((0, 0), |(records, bytes), p| {
        (
            records + p.fetchq_cnt.max(0) as u64,
            bytes + p.fetchq_size.max(0) as u64,
        )
    });
    ClientState {
        brokers_up: up.len() as u64,
        fetch_queue: is_consumer.then_some(fetch_queue),
        producer_queue: (!is_consumer).then_some(report.msg_cnt.max(0) as u64),
        brokers,
    }
}

/// How much a sum has grown since the report before. One that is lower was begun anew.
fn growth(last: &mut i64, now: i64) -> u64 {
    let before = std::mem::replace(last, now);
    let grown = if now >= before { now - before } else { now };
    grown.max(0) as u64
}

/// The part of a report that is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Report {
    #[serde(rename = "type")]
    kind: String,
    msg_cnt: i64,
    rx_bytes: i64,
    tx_bytes: i64,
    brokers: HashMap<String, Broker>,
    topics: HashMap<String, Topic>,
    cgrp: Option<Membership>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Broker {
    nodeid: i32,
    state: String,
    txerrs: i64,
    txretries: i64,
    req_timeouts: i64,
    rxerrs: i64,
    disconnects: i64,
    /// Microseconds.
    rtt: Spread,
    /// Milliseconds.
    throttle: Spread,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spread {
    max: i64,
    p99: i64,
    cnt: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Topic {
    partitions: HashMap<String, Partition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Partition {
    fetchq_cnt: i64,
    fetchq_size: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Membership {
    rebalance_cnt: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(log: &StatisticsLog, sums: i64, brokers: &[&str]) {
        let brokers: Vec<_> = brokers
            .iter()
            .map(|name| {
                format!(
                    r#""{name}": {{"nodeid": 1, "state": "UP", "txretries": {sums}, "disconnects": {sums},
                    "rtt": {{"p99": 2500, "cnt": 9}}, "throttle": {{"max": 40}}}}"#
                )
            })
            .collect();
        let json = format!(
            r#"{{"type": "consumer", "rx_bytes": {sums}, "brokers": {{{}, "boot": {{"nodeid": -1, "state": "UP"}}}},
            "topics": {{"t": {{"partitions": {{"0": {{"fetchq_cnt": 3, "fetchq_size": 70}},
            "-1": {{"fetchq_cnt": -1, "fetchq_size": -1}}}}}}}}, "cgrp": {{"rebalance_cnt": 2}}}}"#,
            brokers.join(",")
        );
        log.report("c", json.as_bytes());
    }

    fn shown(log: &StatisticsLog) -> ClientStatistics {
        log.all().remove("c").expect("it has reported")
    }

    #[test]
    fn a_consumer_is_shown_with_its_queue_its_group_and_each_broker_once() {
        let log = StatisticsLog::default();
        report(&log, 5, &["a/1", "GroupCoordinator"]);
        let client = shown(&log);
        assert_eq!(client.received_bytes, 5);
        assert_eq!(client.retries, 10);
        assert_eq!(client.rebalances, Some(2));
        let now = client.now.expect("it has reported");
        assert_eq!(now.brokers_up, 1);
        assert_eq!(now.fetch_queue, Some((3, 70)));
        assert_eq!(now.producer_queue, None);
        let broker = BrokerState {
            rtt_p99: Some(0.0025),
            throttle: 0.04,
        };
        assert_eq!(now.brokers, [(1, broker)].into());
    }

    #[test]
    fn sums_grow_on_when_a_client_is_replaced_or_a_broker_leaves() {
        let log = StatisticsLog::default();
        report(&log, 5, &["a/1", "b/2"]);
        report(&log, 7, &["a/1"]);
        assert_eq!(shown(&log).disconnects, 12);
        log.begin("c");
        assert_eq!(shown(&log).now, None);
        assert_eq!(shown(&log).disconnects, 12);
        report(&log, 9, &["a/1"]);
        assert_eq!(shown(&log).disconnects, 21);
        assert_eq!(shown(&log).received_bytes, 16);
    }

    #[test]
    fn after_what_is_no_report_sums_stay_and_nothing_holds() {
        for bad in [b"{\"brokers\": 3}".as_slice(), b""] {
            let log = StatisticsLog::default();
            report(&log, 5, &["a/1"]);
            let before = shown(&log);
            log.report("c", bad);
            let expected = ClientStatistics {
                now: None,
                ..before.clone()
            };
            assert_eq!(shown(&log), expected);
            report(&log, 5, &["a/1"]);
            assert_eq!(shown(&log), before);
        }
    }

    #[test]
    fn only_the_first_report_that_is_not_understood_is_news() {
        let log = StatisticsLog::default();
        let lose = |name: &str| {
            let mut clients = log.0.lock().expect("no test panics with it");
            clients.entry(name.to_owned()).or_default().lose()
        };
        assert!(lose("c"));
        assert!(!lose("c"));
        report(&log, 5, &["a/1"]);
        log.begin("c");
        assert!(!lose("c"));
        assert!(lose("d"));
    }
}
